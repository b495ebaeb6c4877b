// Package cookiestore keeps sessions in no store: each lives whole in its cookie,
// encrypted and authenticated. It suits an application whose sessions hold little
// beside who is logged in, and that would rather not run a store for them.
//
//	set := gormstore.New(db)
//	set.Sessions, set.ClientSessions = nil, cookiestore.New()
//
// The keys are those of the manager's configuration: the current one seals, the
// previous ones are still read, and what was read under one of them is sealed
// anew. The seal is bound to the cookie's name and ends with the session's idle
// timeout.
//
// # What it needs
//
// A token store that remembers. A cookie cannot be called back, so a session that
// is logged out, invalidated or given a new id is noted there as ended, until
// long after it would have ended by itself. Every request that uses its session
// asks for that note, and one that changes it asks again before it is answered.
// While the token store cannot answer, requests get 503. So all processes share
// one token store, and it outlives them: what one in memory forgets in a restart
// is logged in again.
//
// # What holds
//
// What holds for sessions in a store, except for the list below: the id changes
// at each login and the old one is dead, a logout ends every copy of the cookie,
// a request whose session ended meanwhile gets 401 and changes nothing, idle and
// absolute timeouts are decided by the manager, whatever the client keeps.
//
// # What a session at the client cannot promise
//
//   - Parallel changes are not merged. Of two requests that change the session at
//     the same time each is answered with a cookie of its own, and the one that
//     arrives last is the session, with nothing of the other. A request that only
//     reads is one of them when it records that the session is in use, which is
//     once in each Session.TouchInterval, and when it ages flashed values.
//   - An older value of a session that has not ended is still good. Who keeps a
//     cookie from before a change can present it and have undone the change, as
//     often as they like. So nothing belongs in such a session whose return does
//     harm: tries that were counted, a balance, a voucher that was spent. Who
//     somebody is and what they may do comes from the user, who is loaded anew
//     with each request.
//   - A change whose response is lost, is lost.
//   - A request that was under way while another one logged in, and changes the
//     session, is answered with 409: the new session does not have its change.
//   - Nobody but the client has the session. It cannot be changed outside a
//     request, opened by its public name, or listed. It does not remember the
//     address and the User-Agent that it began with.
//   - It is small. Name and value of the cookie are at most 4096 bytes, which
//     leaves about 2 KiB for the application's values. Putting more is refused,
//     and what is found too large at the end is answered with 500 and no cookie.
//     The client sees the length, and nothing else.
package cookiestore

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// MaxCookie is the largest cookie, in bytes of its name and value. It is what
// browsers keep (draft-ietf-httpbis-rfc6265bis, 5.6).
const MaxCookie = 4096

// sealing is how much longer a stores.Sealer makes a text, in characters.
const sealing = 76

// Sessions is a stores.ClientSessions. It has no state, and its zero value is ready.
type Sessions struct{}

var _ stores.ClientSessions = Sessions{}

// New returns what goes into the field ClientSessions of a stores.Set.
func New() Sessions { return Sessions{} }

// Seal implements stores.ClientSessions. The session's Address, UserAgent and Renamed
// are left out.
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
		return "", fmt.Errorf("%w: %d bytes with its name, at most %d are allowed; its values take %d",
			stores.ErrTooLarge, size, MaxCookie, s.Values.Size())
	}
	// The record has times of its own. The seal's time of issue would only refuse
	// sessions after clocks were set back, so it is the earliest there is.
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
