package storetest_test

import (
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
)

type carried = cookiestore.Sessions

// anyCookie seals for no cookie in particular.
type anyCookie struct{ carried }

func (c anyCookie) Seal(with stores.Sealer, _ string, s stores.Session) (string, error) {
	return c.carried.Seal(with, "", s)
}

func (c anyCookie) Open(with stores.Sealer, now time.Time, _, text string) (stores.Session, int, bool) {
	return c.carried.Open(with, now, "", text)
}

// noExpiry leaves it to the cookie's Max-Age.
type noExpiry struct{ carried }

func (c noExpiry) Open(with stores.Sealer, _ time.Time, cookie, text string) (stores.Session, int, bool) {
	return c.carried.Open(with, time.Unix(1, 0), cookie, text)
}

// issuedNow seals the time of sealing in, and takes none from the future.
type issuedNow struct{ carried }

func (c issuedNow) Open(with stores.Sealer, now time.Time, cookie, text string) (stores.Session, int, bool) {
	s, key, ok := c.carried.Open(with, now, cookie, text)
	if !ok || now.Before(s.LastSeen) {
		return stores.Session{}, -1, false
	}
	return s, key, ok
}

// anySize cuts what does not fit.
type anySize struct{ carried }

func (c anySize) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	if text, err := c.carried.Seal(with, cookie, s); err == nil {
		return text, nil
	}
	s.Values = stores.Values{}
	return c.carried.Seal(with, cookie, s)
}

// allRoom forgets what a seal takes.
type allRoom struct{ carried }

func (allRoom) Room(cookie string) int { return cookiestore.MaxCookie - len(cookie) }

// oneOwner forgets the owners after the first.
type oneOwner struct{ carried }

func (c oneOwner) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	s.Owners = s.Owners[:min(1, len(s.Owners))]
	return c.carried.Seal(with, cookie, s)
}

// anyKey calls every key the current one.
type anyKey struct{ carried }

func (c anyKey) Open(with stores.Sealer, now time.Time, cookie, text string) (stores.Session, int, bool) {
	s, _, ok := c.carried.Open(with, now, cookie, text)
	return s, 0, ok
}

// looseText takes what looks like a version before the text for nothing.
type looseText struct{ carried }

func (c looseText) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	text, err := c.carried.Seal(with, cookie, s)
	return "v" + text, err
}

func (c looseText) Open(with stores.Sealer, now time.Time, cookie, text string) (stores.Session, int, bool) {
	if text == "" {
		return stores.Session{}, -1, false
	}
	return c.carried.Open(with, now, cookie, text[1:])
}
