package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/stores"
)

// ClientSessions tests an implementation of stores.ClientSessions.
func ClientSessions(t *testing.T, factory func(t *testing.T) stores.ClientSessions) {
	run(t, func(t *testing.T) clientSessions {
		first, second := randomBytes(keys.MinSize), randomBytes(keys.MinSize)
		return clientSessions{
			T: t, store: factory(t),
			sealer: seal.New(keys.NewRing(first).Derive("session")),
			// After a rotation of the key, and after the old key was removed.
			rotated: seal.New(keys.NewRing(second, first).Derive("session")),
			dropped: seal.New(keys.NewRing(second).Derive("session")),
			other:   seal.New(keys.NewRing(first).Derive("another purpose")),
		}
	}, clientRules)
}

// cookieName is the name of the cookie for the sessions of the test.
const cookieName = "__Host-session"

// maxCookie is the largest size of a cookie's name and value that browsers keep, in bytes.
const maxCookie = 4096

var clientRules = []rule[clientSessions]{
	{"round-trip", "Open returns the fields that the contract lists as they were sealed, and key 0.", clientRoundTrip},
	{"characters", "The text is valid as the value of a cookie.", clientCharacters},
	{"other-cookie", "A text opens only for the cookie that it was sealed for.", clientOtherCookie},
	{"keys", "A text opens with the current key and with previous keys, and Open returns the number of the key.", clientKeys},
	{"tampered", "A text that was changed, truncated or extended does not open.", clientTampered},
	{"expired", "A text opens before Expires and not at or after it, also if a clock was set back.", clientExpired},
	{"room", "Values and principals that together have the size of Room fit into the cookie, whatever the first owner is called.", clientRoom},
	{"refused", "Seal of a session that Validate refuses is an error.", clientRefuses},
	{"too-large", "Seal of a session that is too large returns an error that wraps ErrTooLarge, and no text.", clientTooLarge},
	{"parallel", "Sessions that are sealed and opened in parallel are not mixed up.", clientParallel},
}

// clientSessions is an implementation under test, with sealers.
type clientSessions struct {
	*testing.T
	store                           stores.ClientSessions
	sealer, rotated, dropped, other stores.Sealer
}

// newClientSession returns a session with two users logged in.
func newClientSession() stores.Session {
	now := present()
	return stores.Session{
		Row: newID(), Digest: newDigest(),
		Principals: "web\x00\xff", Owners: []string{"users:ä/1", "admins:2"}, Generation: 3,
		Values:  stores.NewValues(map[string][]byte{"k": []byte("v"), "binary": {0, 0xff}, "empty": nil}),
		Created: now.Add(-time.Hour), LastSeen: now, Expires: now.Add(2 * time.Hour).Truncate(time.Millisecond),
	}
}

func (c clientSessions) seal(s stores.Session) string {
	c.Helper()
	text, err := c.store.Seal(c.sealer, cookieName, s)
	if err != nil {
		c.Errorf("Seal: %v", err)
	}
	return text
}

// opens checks that a text opens, and that the session and the key are those given.
func (c clientSessions) opens(with stores.Sealer, text string, want stores.Session, wantKey int) {
	c.Helper()
	got, key, ok := c.store.Open(with, want.LastSeen, cookieName, text)
	if !ok || key != wantKey {
		c.Errorf("Open = key %d, %v; want key %d", key, ok, wantKey)
		return
	}
	if diff := diffClientSessions(got, want); diff != "" {
		c.Errorf("the session differs from what was sealed: %s", diff)
	}
}

func (c clientSessions) refuses(with stores.Sealer, now time.Time, cookie, text string) {
	c.Helper()
	if s, _, ok := c.store.Open(with, now, cookie, text); ok || s.Row != "" {
		c.Errorf("Open of %.60q = row %q, %v; want nothing", text, s.Row, ok)
	}
}

// diffClientSessions returns the first field that the contract lists in which two sessions
// differ, or "".
func diffClientSessions(got, want stores.Session) string {
	switch {
	case got.Row != want.Row:
		return fmt.Sprintf("row %q, want %q", got.Row, want.Row)
	case got.Digest != want.Digest:
		return "digest"
	case got.Principals != want.Principals:
		return fmt.Sprintf("principals %q, want %q", got.Principals, want.Principals)
	case !slices.Equal(got.Owners, want.Owners):
		return fmt.Sprintf("owners %q, want %q", got.Owners, want.Owners)
	case got.Generation != want.Generation:
		return fmt.Sprintf("generation %d, want %d", got.Generation, want.Generation)
	case string(got.Values.Encoded()) != string(want.Values.Encoded()):
		return "values"
	case !sameTime(got.Created, want.Created) || !sameTime(got.LastSeen, want.LastSeen) || !sameTime(got.Expires, want.Expires):
		return fmt.Sprintf("times %v %v %v, want %v %v %v",
			got.Created, got.LastSeen, got.Expires, want.Created, want.LastSeen, want.Expires)
	}
	return ""
}

func clientRoundTrip(c clientSessions) {
	full := newClientSession()
	c.opens(c.sealer, c.seal(full), full, 0)
	bare := newClientSession()
	bare.Principals, bare.Owners, bare.Generation, bare.Values = "", nil, 0, stores.Values{}
	c.opens(c.sealer, c.seal(bare), bare, 0)
}

func clientCharacters(c clientSessions) {
	text := c.seal(newClientSession())
	if text == "" || strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`",;\`, r) // RFC 6265, 4.1.1
	}) {
		c.Errorf("text %.60q…", text)
	}
}

func clientOtherCookie(c clientSessions) {
	s := newClientSession()
	text := c.seal(s)
	for _, name := range []string{"", "session", cookieName + "_device", cookieName[:len(cookieName)-1], strings.ToLower(cookieName)} {
		c.refuses(c.sealer, s.LastSeen, name, text)
	}
}

func clientKeys(c clientSessions) {
	s := newClientSession()
	text := c.seal(s)
	c.opens(c.rotated, text, s, 1)
	c.refuses(c.dropped, s.LastSeen, cookieName, text)
	c.refuses(c.other, s.LastSeen, cookieName, text)
	again, err := c.store.Seal(c.rotated, cookieName, s)
	if err != nil {
		c.Errorf("Seal: %v", err)
	}
	c.opens(c.dropped, again, s, 0)
}

func clientTampered(c clientSessions) {
	s := newClientSession()
	text := c.seal(s)
	for i := range text {
		for _, bit := range []byte{1, 2, 4, 8, 16, 32, 64, 128} {
			changed := []byte(text)
			changed[i] ^= bit
			c.refuses(c.sealer, s.LastSeen, cookieName, string(changed))
		}
		c.refuses(c.sealer, s.LastSeen, cookieName, text[:i])
		c.refuses(c.sealer, s.LastSeen, cookieName, text[i+1:])
	}
	second := c.seal(newClientSession())
	for _, changed := range append(hostileNames(s.Row), text+"A", text+"=", text+"\n", text+text, text[:len(text)/2]+second[len(second)/2:]) {
		c.refuses(c.sealer, s.LastSeen, cookieName, changed)
	}
}

func clientExpired(c clientSessions) {
	s := newClientSession()
	text := c.seal(s)
	for after, want := range map[time.Duration]bool{
		-time.Millisecond: true, 0: false, time.Hour: false, 100 * 365 * 24 * time.Hour: false,
		-24 * time.Hour: true, // before it was created, because a clock was set back
	} {
		if _, _, ok := c.store.Open(c.sealer, s.Expires.Add(after), cookieName, text); ok != want {
			c.Errorf("Open at %v after Expires = %v, want %v", after, ok, want)
		}
	}
}

// filled returns a session with the longest owner and with values and principals
// of the given sizes.
func filled(values, principals int) stores.Session {
	s := newClientSession()
	s.Values, s.Principals = stores.Values{}, string(randomBytes(principals))
	for n := values; n >= 0 && s.Values.Size() != values; n-- {
		s.Values = stores.NewValues(map[string][]byte{"k": randomBytes(n)})
	}
	s.Owners = []string{strings.Repeat("o", stores.MaxOwner)}
	return s
}

func clientRoom(c clientSessions) {
	for _, name := range []string{"s", cookieName, strings.Repeat("n", 128)} {
		room := c.store.Room(name)
		shared, shorter := filled(room-100, 100), filled(room-100, 0)
		shorter.Owners = append(shorter.Owners, strings.Repeat("p", 98))
		for _, s := range []stores.Session{filled(room, 0), shared, shorter} {
			text, err := c.store.Seal(c.sealer, name, s)
			if err != nil || len(name)+len(text) > maxCookie {
				c.Errorf("a full session of cookie %.20s…: %d bytes, error %v", name, len(name)+len(text), err)
			}
		}
	}
	if room := c.store.Room(strings.Repeat("n", 2*maxCookie)); room > 0 {
		c.Errorf("Room of a name that leaves none is %d", room)
	}
}

func clientRefuses(c clientSessions) {
	for name, p := range invalidPrincipals {
		s := newClientSession()
		s.Principals, s.Owners = p.Data, p.Owners
		if text, err := c.store.Seal(c.sealer, cookieName, s); text != "" || err == nil {
			c.Errorf("Seal with invalid principals (%s) = %.40q, error %v; want an error", name, text, err)
		}
	}
}

func clientTooLarge(c clientSessions) {
	for _, size := range []int{maxCookie, 100_000, stores.MaxValues} {
		if text, err := c.store.Seal(c.sealer, cookieName, filled(size, 0)); text != "" || !errors.Is(err, stores.ErrTooLarge) {
			c.Errorf("Seal of %d bytes = %d bytes, error %v; want ErrTooLarge", size, len(text), err)
		}
	}
}

func clientParallel(c clientSessions) {
	parallel(20, func(int) {
		for range rounds(20) {
			s := newClientSession()
			c.opens(c.sealer, c.seal(s), s, 0)
		}
	})
}
