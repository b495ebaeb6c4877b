package session

import (
	"encoding/json"
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
	flashed := make(map[string][]byte)
	lost := 0
	for key, data := range s.set {
		if reserved(key) {
			continue
		}
		if _, marked := s.set[flashPrefix+key]; marked {
			flashed[key] = data
		} else {
			lost++
		}
	}
	text, err := "", error(nil)
	if len(flashed) > 0 {
		text, err = s.sealFlash(flashed)
	}
	if err != nil {
		flashed, lost = nil, lost+len(flashed)
	}
	if len(flashed) > 0 {
		s.r.SetCookie(s.e.flashCookie, text, carriedLifetime)
	}
	if lost > 0 {
		s.e.env.WarnOnce(s.r.HTTP.Context(), "ginauth: session values of a request from another site are lost: browsers do not send "+
			"SameSite cookies with such a request, and a new session would replace the user's. Flash is kept up to the size of a cookie",
			"method", s.r.HTTP.Method, "values", lost)
	}
	return nil
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
