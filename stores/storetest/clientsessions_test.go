package storetest_test

import (
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
)

type cookieSessions = cookiestore.Sessions

// anyCookie ignores the name of the cookie.
type anyCookie struct{ cookieSessions }

func (c anyCookie) Seal(with stores.Sealer, _ string, s stores.Session) (string, error) {
	return c.cookieSessions.Seal(with, "", s)
}

func (c anyCookie) Open(with stores.Sealer, now time.Time, _, text string) (stores.Session, int, bool) {
	return c.cookieSessions.Open(with, now, "", text)
}

// noExpiry opens expired sessions.
type noExpiry struct{ cookieSessions }

func (c noExpiry) Open(with stores.Sealer, _ time.Time, cookie, text string) (stores.Session, int, bool) {
	return c.cookieSessions.Open(with, time.Unix(1, 0), cookie, text)
}

// issuedNow refuses sessions that were last seen in the future.
type issuedNow struct{ cookieSessions }

func (c issuedNow) Open(with stores.Sealer, now time.Time, cookie, text string) (stores.Session, int, bool) {
	s, key, ok := c.cookieSessions.Open(with, now, cookie, text)
	if !ok || now.Before(s.LastSeen) {
		return stores.Session{}, -1, false
	}
	return s, key, ok
}

// anySize drops values that do not fit.
type anySize struct{ cookieSessions }

func (c anySize) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	if text, err := c.cookieSessions.Seal(with, cookie, s); err == nil {
		return text, nil
	}
	s.Values = stores.Values{}
	return c.cookieSessions.Seal(with, cookie, s)
}

// allRoom does not subtract the size of the seal from Room.
type allRoom struct{ cookieSessions }

func (allRoom) Room(cookie string) int { return cookiestore.MaxCookie - len(cookie) }

// oneOwner drops all owners but the first.
type oneOwner struct{ cookieSessions }

func (c oneOwner) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	s.Owners = s.Owners[:min(1, len(s.Owners))]
	return c.cookieSessions.Seal(with, cookie, s)
}

// anyKey reports every key as the current one.
type anyKey struct{ cookieSessions }

func (c anyKey) Open(with stores.Sealer, now time.Time, cookie, text string) (stores.Session, int, bool) {
	s, _, ok := c.cookieSessions.Open(with, now, cookie, text)
	return s, 0, ok
}

// looseText ignores the first byte of the text.
type looseText struct{ cookieSessions }

func (c looseText) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	text, err := c.cookieSessions.Seal(with, cookie, s)
	return "v" + text, err
}

func (c looseText) Open(with stores.Sealer, now time.Time, cookie, text string) (stores.Session, int, bool) {
	if text == "" {
		return stores.Session{}, -1, false
	}
	return c.cookieSessions.Open(with, now, cookie, text[1:])
}
