package stores

import "time"

// ClientSessions replaces Sessions in an application that keeps sessions in
// cookies and not in a store. The whole session is sealed into the value of its
// cookie. Package stores/cookiestore has an implementation.
//
// It is safe for concurrent use. It has no state and never waits, so its methods
// take no context. It does not know whether a session has ended: the manager asks
// Tokens, which holds a record of kind Revoked under the row of each session that
// ended early. A session in a cookie gets a new row with each new id.
type ClientSessions interface {
	// Seal returns the session as the value of the named cookie. Open opens the
	// value until s.Expires. Seal returns an error that wraps ErrTooLarge if the
	// cookie would be larger than browsers keep. A session that Session.Validate
	// refuses is an error.
	Seal(with Sealer, cookie string, s Session) (text string, err error)
	// Open returns the session that is sealed in the value of the named cookie:
	// at least its Row, Digest, Principals, Owners, Generation, Values, Created,
	// LastSeen and Expires. It also returns the number of the key that sealed
	// the text, 0 for the current key; a text under an older key should be
	// sealed again. Open returns false, without a reason, if Seal did not make
	// the text for this cookie with one of the keys, or if the session has
	// expired at now. It accepts a session that was created after now, because
	// clocks can be set back.
	Open(with Sealer, now time.Time, cookie, text string) (s Session, key int, ok bool)
	// Room returns how many bytes the Values and Principals of a session may
	// have together, so that it fits into the named cookie whatever its first
	// owner is called. Each further owner takes the bytes of its name and at
	// most two more.
	Room(cookie string) int
}

// Sealer encrypts and authenticates values that the client keeps for the
// application. It seals with the application's current key, and opens with the
// current key and the previous ones. The manager passes its own Sealer to its
// ClientSessions, so that keys are configured and rotated in one place. A Sealer is
// immutable and safe for concurrent use.
type Sealer interface {
	// Seal returns the sealed value as text of the characters A–Z, a–z, 0–9, -
	// and _. Open opens the text until lifetime has passed since now, and only
	// with the same context, which says what the value belongs to. The text is
	// at most 76 characters longer than the value in base64 without padding.
	Seal(now time.Time, lifetime time.Duration, value []byte, context ...[]byte) (string, error)
	// Open returns the value that is sealed in text, and the number of the key
	// that sealed it, 0 for the current key. It returns false, without a reason,
	// if Seal did not make the text with this context, or if the text is not
	// valid at now.
	Open(now time.Time, text string, context ...[]byte) (value []byte, key int, ok bool)
}
