package session

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// carriedFlash is the cookie of what was flashed in a request to which the browser did not add its
// session cookie, because another site made it send the request.
const carriedFlash = "flash"

// carriedLifetime is how long it waits for the next request of this site.
const carriedLifetime = 5 * time.Minute

// carry keeps what an anonymous request flashed in a cookie of its own, for the next request of
// this site. There is no new session: its cookie would overwrite that of a login, which the
// browser has and did not send.
func (s *Session) carry() error {
	flashed, lost := s.flashedHere()
	text, err := "", error(nil)
	if len(flashed) > 0 {
		text, err = s.sealFlash(flashed)
	}
	if err != nil {
		flashed, lost = nil, lost+len(flashed)
	}
	if len(flashed) > 0 {
		s.r.SetCookieAtCommit(s.e.flashCookie, text, carriedLifetime)
	}
	if lost > 0 {
		s.e.env.WarnOnce(s.r.HTTP.Context(), "ginauth: session values of a request from another site are lost: browsers do not send "+
			"SameSite cookies with such a request, and a new session would replace the user's. Flash is kept up to the size of a cookie",
			"method", s.r.HTTP.Method, "values", lost)
	}
	return nil
}

// carryFlash keeps what a request without a session flashed in the cookie, and reports whether it
// did: a message to a guest takes no row of the store. It keeps nothing if anything else is to be
// stored, or if the cookie would be too large.
func (s *Session) carryFlash() bool {
	if s.r == nil || s.next != nil || s.superseded || s.r.Upgrades() {
		return false
	}
	flashed, others := s.flashedHere()
	if others > 0 || len(flashed) == 0 {
		return false
	}
	text, err := s.sealFlash(flashed)
	if err != nil {
		return false
	}
	s.r.SetCookieAtCommit(s.e.flashCookie, text, carriedLifetime)
	return true
}

// flashedHere returns what this request flashed, and the number of the other values that it put.
func (s *Session) flashedHere() (flashed map[string][]byte, others int) {
	flashed = make(map[string][]byte)
	for key, data := range s.set {
		if strings.HasPrefix(key, flashPrefix) {
			continue
		}
		if _, marked := s.set[flashPrefix+key]; marked {
			flashed[key] = data
		} else {
			others++
		}
	}
	return flashed, others
}

// KeepFlash keeps what was flashed to this request for the next one, because this one is redirected
// before it shows a page. It does nothing if the session was not read.
func (s *Session) KeepFlash() {
	s.lock()
	read := (s.loaded || len(s.unread) > 0) && s.fault == nil && !*s.committed()
	s.mu.Unlock()
	if read {
		_ = s.Reflash() // the redirect is sent all the same
	}
}

func (s *Session) sealFlash(flashed map[string][]byte) (string, error) {
	data, err := json.Marshal(flashed)
	if err != nil {
		return "", err
	}
	text, err := s.e.cfg.Flash.Seal(s.clock(), carriedLifetime, data)
	if err == nil && len(s.e.flashCookie)+len(text) > maxCookie {
		err = autherr.ErrSessionTooLarge
	}
	return text, err
}

// maxCookie is how long name and value of a cookie may be together (RFC 6265bis, 5.6), in bytes.
const maxCookie = 4096

// takeCarried makes what carry kept values of this request, once. Values of the session come first.
func (s *Session) takeCarried() {
	if s.r == nil || s.r.HTTP.Header["Cookie"] == nil || s.cookiesLost() {
		return
	}
	name := s.e.flashCookie
	text, ok := s.r.Cookie(name)
	if !ok {
		return
	}
	s.r.DeleteCookie(name)
	data, _, ok := s.e.cfg.Flash.Open(s.clock(), text)
	if !ok {
		return
	}
	var flashed map[string][]byte
	if json.Unmarshal(data, &flashed) != nil {
		return
	}
	for key, value := range flashed {
		if _, taken := s.row.Values.Get(key); taken || validKey(key) != nil || len(key) > stores.MaxKey-len(flashPrefix) {
			continue
		}
		if _, taken := s.now[key]; taken {
			continue
		}
		if s.now == nil {
			s.now = make(map[string][]byte)
		}
		s.now[key] = value
		if s.carried == nil {
			s.carried = make(map[string]bool)
		}
		s.carried[key] = true
	}
}
