// Package cookies reads and writes the cookies of a request.
package cookies

import (
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/clientaddr"
)

// Prefixes of cookie names that browsers give a meaning (RFC 6265bis, 4.1.3).
const (
	HostPrefix   = "__Host-"
	SecurePrefix = "__Secure-"
)

// Config says how cookies travel. All cookies of an application share it.
type Config struct {
	// Name is the name of the session cookie. The names of other cookies begin
	// with it.
	Name     string
	Path     string
	Domain   string
	SameSite http.SameSite
	// Insecure leaves the attribute Secure off.
	Insecure bool
}

// Jar reads and writes the cookies of one request.
type Jar struct {
	cfg   *Config
	plain bool
}

// NewJar returns the Jar of a request. Usually cookies are Secure, also without TLS, because TLS
// often ends at a proxy. During development a machine that talks to itself gets plain ones,
// without the prefix of names.
func NewJar(cfg *Config, r *http.Request, development bool) Jar {
	return Jar{cfg, r.TLS == nil && development && FromOwnMachine(r)}
}

// pairs returns the names and values of the cookies of a request, in the one way in which this
// package reads them. The name may have spaces around it, and found says that it has a value.
func pairs(h http.Header, yield func(name, value string, found bool) (more bool)) {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if !yield(strings.Cut(textproto.TrimString(pair), "=")) {
				return
			}
		}
	}
}

// Read returns the value of the cookie with exactly this name. If there are two with
// different values it returns none: a sibling domain can plant a second cookie, and
// the header does not tell which is the browser's own (RFC 6265, 8.6). The same
// holds for a name followed by a space and for a name without a value, which other
// readers take for the same cookie.
func Read(h http.Header, name string) (value string, ok bool) {
	pairs(h, func(k, v string, found bool) bool {
		if textproto.TrimString(k) != name {
			return true
		}
		if !found || k != name || (ok && v != value) {
			value, ok = "", false
			return false
		}
		value, ok = v, true
		return true
	})
	return value, ok
}

// Name returns the name that a cookie has in the headers of this request.
func (j Jar) Name(name string) string {
	if j.plain {
		return strings.TrimPrefix(strings.TrimPrefix(name, HostPrefix), SecurePrefix)
	}
	return name
}

// Get returns the value of a cookie; see Read.
func (j Jar) Get(h http.Header, name string) (string, bool) {
	return Read(h, j.Name(name))
}

// cookie returns a cookie with the attributes of the Config. A lifetime of 0 ends
// with the browser, a negative one deletes the cookie.
func (j Jar) cookie(name, value string, lifetime time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: j.Name(name), Value: value,
		Path: j.cfg.Path, Domain: j.cfg.Domain,
		MaxAge:   int(lifetime / time.Second),
		Secure:   !j.plain && !j.cfg.Insecure,
		HttpOnly: true,
		SameSite: j.cfg.SameSite,
	}
	if lifetime < 0 {
		c.MaxAge = -1 // which net/http writes as Max-Age=0
	}
	return c
}

// Set adds a cookie to a response and replaces one of the same name. A lifetime of 0
// ends with the browser, a negative one deletes the cookie.
func (j Jar) Set(h http.Header, name, value string, lifetime time.Duration) {
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

// Clear makes the browser delete a cookie.
func (j Jar) Clear(h http.Header, name string) { j.Set(h, name, "", -1) }

// Sibling returns the name of another cookie than the session's.
func (j Jar) Sibling(suffix string) string { return j.cfg.Name + "_" + suffix }

// Session returns the name of the session cookie.
func (j Jar) Session() string { return j.cfg.Name }

// Drop removes the application's cookies from a response.
func (j Jar) Drop(h http.Header) {
	own := j.Name(j.cfg.Name)
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, own) })
	if len(h["Set-Cookie"]) == 0 {
		delete(h, "Set-Cookie")
	}
}

// Sent reports whether a request has one of the application's cookies, also if it
// occurs twice. It reads the header as Read does: net/http gives up on a header with very many
// cookies, and a check that relied on it would be skipped.
func (j Jar) Sent(r *http.Request) bool {
	own, sent := j.Name(j.cfg.Name), false
	pairs(r.Header, func(name, _ string, _ bool) bool {
		name = textproto.TrimString(name)
		sent = name == own || strings.HasPrefix(name, own+"_")
		return !sent
	})
	return sent
}

// FromOwnMachine reports whether a request comes from this machine, names it as its
// host, and was not forwarded. It checks all three because a proxy on this machine
// connects from a loopback address too, and any DNS name may point to one.
func FromOwnMachine(r *http.Request) bool {
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
