package ginauth

import (
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/clientaddr"
)

// readCookie returns the value of the cookie with exactly this name. Two
// cookies of one name with different values are none: which of them is the
// browser's own cannot be known, and a sibling domain can plant the other
// (RFC 6265, 8.6). The same holds for a name with a space after it, or without
// a value, which other readers take for the same name.
func readCookie(h http.Header, name string) (value string, ok bool) {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			k, v, found := strings.Cut(textproto.TrimString(pair), "=")
			if textproto.TrimString(k) != name {
				continue
			}
			if !found || k != name || (ok && v != value) {
				return "", false
			}
			value, ok = v, true
		}
	}
	return value, ok
}

// cookieJar reads and writes the cookies of one request. All of ours share the
// flags of the session cookie.
type cookieJar struct {
	cfg *CookieConfig
	// plain leaves Secure and the name's prefix off.
	plain bool
}

// plainCookies decides how cookies travel. Without TLS they are Secure all the
// same, because TLS usually ends at a proxy; only a developer's own machine,
// talking to itself, is served plain ones.
func (m *Manager) plainCookies(r *http.Request) bool {
	return r.TLS == nil && gin.Mode() != gin.ReleaseMode && ownMachine(r)
}

// jar returns what reads and writes the request's cookies.
func (x *exchange) jar() cookieJar { return cookieJar{&x.m.cfg.Session.Cookie, x.plainCookies} }

// ownMachine reports whether a request comes from this machine, asks for it by
// name, and was forwarded by nobody. All three: a proxy on this machine
// connects from loopback too, and a DNS name may point here.
func ownMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !clientaddr.Loopback(peer.Addr()) || !localHost(r.Host) {
		return false
	}
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			return false
		}
	}
	return true
}

func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && clientaddr.Loopback(addr)
}

// name returns the name under which a cookie of ours travels.
func (j cookieJar) name(name string) string {
	if j.plain {
		return strings.TrimPrefix(strings.TrimPrefix(name, hostPrefix), securePrefix)
	}
	return name
}

func (j cookieJar) get(h http.Header, name string) (string, bool) {
	return readCookie(h, j.name(name))
}

// cookie returns a cookie with our flags. A lifetime of 0 ends with the
// browser, a negative one deletes.
func (j cookieJar) cookie(name, value string, lifetime time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: j.name(name), Value: value,
		Path: j.cfg.Path, Domain: j.cfg.Domain,
		MaxAge:   int(lifetime / time.Second),
		Secure:   !j.plain && !j.cfg.InsecureAllowHTTP,
		HttpOnly: true,
		SameSite: j.cfg.SameSite,
	}
	if lifetime < 0 {
		c.MaxAge = -1 // which net/http writes as Max-Age=0
	}
	return c
}

// set adds the cookie to a response, in place of one of the same name.
func (j cookieJar) set(h http.Header, name, value string, lifetime time.Duration) {
	c := j.cookie(name, value, lifetime)
	text := c.String()
	if text == "" {
		return
	}
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		if !strings.HasPrefix(line, c.Name+"=") {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, text)
}

// clear deletes the cookie in the browser.
func (j cookieJar) clear(h http.Header, name string) { j.set(h, name, "", -1) }

// sibling returns the name of another cookie of ours, beside the session's.
func (j cookieJar) sibling(suffix string) string { return j.cfg.Name + "_" + suffix }
