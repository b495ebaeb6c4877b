package stores

import "time"

// ClientSessions is what an application has in place of Sessions if its sessions are in
// no store: each is sealed whole into the value of its cookie, and the client
// carries it. Package stores/cookiestore has one.
//
// It is safe for concurrent use, remembers nothing and waits for nothing, so its
// methods take no context. It does not know whether a session has ended: the
// manager asks Tokens that, where it keeps, under the row and of kind Revoked,
// which sessions ended before their time. In a carrier a row is the name of one
// id, and not of all that a session has had: with a new id comes a new row.
type ClientSessions interface {
	// Seal returns the session as the value of the cookie of that name, which
	// Open opens until s.Expires. It returns an error wrapping ErrTooLarge if
	// the cookie would be larger than browsers keep.
	Seal(with Sealer, cookie string, s Session) (text string, err error)
	// Open returns the session sealed in the value of the cookie of that name,
	// with at least its Row, Digest, Owner, Values, Created, LastSeen and
	// Expires, and the number of the key that it was sealed under: over 0 is an
	// old one, and the session should be sealed again. It returns false, and
	// never why, if the text was not made by Seal for this cookie under one of
	// the keys, or has expired at now. A clock that was set back, so that the
	// session began later than now, is no reason.
	Open(with Sealer, now time.Time, cookie, text string) (s Session, key int, ok bool)
	// Room returns how large a session's Values may be, in bytes, to fit into
	// the cookie of that name whoever owns the session.
	Room(cookie string) int
}

// Sealer encrypts and authenticates what a client keeps for the application,
// under the application's current key and those before it. A manager hands its
// own to its ClientSessions, so that keys are configured and rotated in one place. It
// is immutable and safe for concurrent use.
type Sealer interface {
	// Seal returns value as text of the characters A–Z, a–z, 0–9, - and _, which
	// Open opens until lifetime has passed since now, given the same context:
	// what the value belongs to. The text is at most 76 characters longer than
	// the value in base64 without padding.
	Seal(now time.Time, lifetime time.Duration, value []byte, context ...[]byte) (string, error)
	// Open returns the value sealed in text and the number of the key that it
	// was sealed under, 0 being the current one. It returns false, and never
	// why, if Seal did not make the text with this context, or it is not valid
	// at now.
	Open(now time.Time, text string, context ...[]byte) (value []byte, key int, ok bool)
}
