// Package cookiestore keeps sessions in cookies instead of a store. The whole session is
// in its cookie, encrypted and authenticated. It suits applications whose sessions hold
// little more than who is logged in, and that do not want to run a session store.
//
//	set := gormstore.New(db)
//	set.Sessions, set.ClientSessions = nil, cookiestore.New()
//
// The keys are those of the manager's configuration. The current key seals, previous keys
// are still accepted, and a session that was sealed by a previous key is sealed again. The
// seal is bound to the name of the cookie, and expires with the session's idle timeout.
//
// # Requirements
//
// The token store has to be durable. A cookie cannot be recalled. So a session that is
// logged out, invalidated or given a new id is recorded in the token store as ended, until
// long after it would have expired. Every request that uses its session looks for this
// record, and a request that changes the session looks again before it is answered. While
// the token store cannot answer, requests get 503. All processes need the same token store,
// and it has to survive restarts: if a token store in memory loses its records, sessions
// that were logged out are logged in again.
//
// # Guarantees
//
// The guarantees are those of sessions in a store, except for the list below. The id
// changes at each login, and the old id is then invalid. A logout ends every copy of the
// cookie. A request whose session has ended in the meantime gets 401 and changes nothing.
// The manager decides idle and absolute timeouts, whatever the client keeps.
//
// # What sessions in cookies do not guarantee
//
//   - Parallel changes are not merged. If two requests change the session at the same time,
//     each response has its own cookie. The cookie that arrives last is the session, without
//     the change of the other request. A request that only reads also changes the session
//     when it records that the session is in use, which is once in each
//     Session.TouchInterval, and when it removes flashed values.
//   - An older value of a session that has not ended is still valid. A client can keep the
//     cookie from before a change and use it to undo the change, as often as it likes. So do
//     not put anything into such a session that must not come back: a count of attempts, a
//     balance, a voucher that was used. The identity and the permissions of a user do not
//     depend on it, because each request loads the user again.
//   - A change is lost if its response is lost.
//   - A request that changes the session while another request logs in gets 409. The new
//     session does not have its change.
//   - Only the client has the session. The session cannot be changed outside a request,
//     opened by its public name, or listed. It does not contain the address and the
//     User-Agent with which it began.
//   - A session is small. Name and value of the cookie have at most 4096 bytes, which leaves
//     about 2 KiB for the application's values. Larger values are refused. If the session is
//     too large at the end of the request, the response is 500 without a cookie. The client
//     sees the size of the session, and nothing else of it.
package cookiestore

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// MaxCookie is the largest size of a cookie's name and value together, in bytes. Browsers
// keep cookies of this size (draft-ietf-httpbis-rfc6265bis, 5.6).
const MaxCookie = 4096

// sealing is how many characters a stores.Sealer adds to a text.
const sealing = 76

// Sessions is a stores.ClientSessions. It has no state. The zero value is ready for use.
type Sessions struct{}

var _ stores.ClientSessions = Sessions{}

// New returns a value for the field ClientSessions of a stores.Set.
func New() Sessions { return Sessions{} }

// Seal implements stores.ClientSessions. It omits the session's Address, UserAgent and
// Renamed.
func (Sessions) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	if err := (stores.Principals{Data: s.Principals, Owners: s.Owners}).Validate(); err != nil {
		return "", fmt.Errorf("ginauth: cookie store: %w", err)
	}
	record, err := encode(s)
	if err != nil {
		return "", fmt.Errorf("ginauth: cookie store: %w", err)
	}
	size := len(cookie) + base64.RawURLEncoding.EncodedLen(len(record)) + sealing
	if size > MaxCookie {
		return "", fmt.Errorf("%w: it has %d bytes with its name, at most %d are allowed; its values have %d",
			stores.ErrTooLarge, size, MaxCookie, s.Values.Size())
	}
	// The record has its own times. The only effect of the seal's time of issue
	// would be to refuse sessions after a clock was set back, so it is the epoch.
	text, err := with.Seal(epoch, s.Expires.Sub(epoch), record, []byte(cookie))
	if err != nil {
		return "", fmt.Errorf("ginauth: cookie store: %w", err)
	}
	return text, nil
}

var epoch = time.Unix(0, 0)

// Open implements stores.ClientSessions.
func (Sessions) Open(with stores.Sealer, now time.Time, cookie, text string) (stores.Session, int, bool) {
	if len(cookie)+len(text) > MaxCookie {
		return stores.Session{}, -1, false
	}
	record, key, ok := with.Open(now, text, []byte(cookie))
	if !ok {
		return stores.Session{}, -1, false
	}
	s, ok := decode(record)
	if !ok || !now.Before(s.Expires) {
		return stores.Session{}, -1, false
	}
	return s, key, true
}

// Room implements stores.ClientSessions.
func (Sessions) Room(cookie string) int {
	record := base64.RawURLEncoding.DecodedLen(MaxCookie - sealing - len(cookie))
	return max(0, record-fixedSize-1-stores.MaxOwner)
}
