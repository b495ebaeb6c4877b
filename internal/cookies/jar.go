// Package cookies reads and writes the cookies of a request.
package cookies

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Prefixes of cookie names that browsers give a meaning (RFC 6265bis, 4.1.3).
const (
	HostPrefix   = "__Host-"
	SecurePrefix = "__Secure-"
)

// DefaultName is the name of the session cookie if none is configured.
const DefaultName = HostPrefix + "ginauth"

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
	// Partitioned gives each site that embeds the application cookies of its own.
	Partitioned bool
}

// Jar reads and writes the cookies of one request.
type Jar struct {
	cfg   *Config
	plain bool
	// port is part of the default name of plain cookies, which browsers send to all ports.
	port uint16
}

// NewJar returns the Jar of a request. Usually cookies are Secure, also without TLS, because TLS
// often ends at a proxy. During development a machine that talks to itself gets plain ones,
// without the prefix of names.
func NewJar(cfg *Config, r *http.Request, development bool) Jar {
	j := Jar{cfg: cfg, plain: r.TLS == nil && development && FromOwnMachine(r)}
	if j.plain && cfg.Name == DefaultName {
		j.port = localPort(r.Host)
	}
	return j
}

// Name returns the name that a cookie has in the headers of this request.
func (j Jar) Name(name string) string {
	if !j.plain {
		return name
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, HostPrefix), SecurePrefix)
	if j.port == 0 {
		return name
	}
	const base = "ginauth" // of DefaultName
	return base + "_" + strconv.Itoa(int(j.port)) + strings.TrimPrefix(name, base)
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
		Secure:   j.Secure(),
		HttpOnly: true,
		SameSite: j.SameSite(),
	}
	c.Partitioned = j.cfg.Partitioned && c.Secure
	if lifetime < 0 {
		c.MaxAge = -1 // which net/http writes as Max-Age=0
	}
	return c
}

// SameSite returns the attribute of the request's cookies. Browsers drop a cookie with None that
// is not Secure.
func (j Jar) SameSite() http.SameSite {
	if j.plain && j.cfg.SameSite == http.SameSiteNoneMode {
		return http.SameSiteLaxMode
	}
	return j.cfg.SameSite
}

// Secure reports whether the request's cookies have the attribute Secure.
func (j Jar) Secure() bool { return !j.plain && !j.cfg.Insecure }

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

// ClearTwins makes the browser delete the other cookies of a name that it sends with the request:
// those with another domain or path than the Config's, or of another partition. They come before
// the cookies that are set, because some clients know less of a cookie than browsers do. If the
// response does not set the cookie, those that such a client takes for ours are left alone.
func (j Jar) ClearTwins(h http.Header, r *http.Request, name string) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	gone := j.cookie(name, "", -1)
	set := slices.ContainsFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, gone.Name+"=") })
	var lines []string
	if gone.Partitioned && set { // what was set before cookies were partitioned
		gone.Partitioned = false
		lines = append(lines, gone.String())
		gone.Partitioned = true
	}
	if !strings.HasPrefix(gone.Name, HostPrefix) { // otherwise there is one domain and one path
		for _, scope := range j.cfg.scopes(host, r.URL.Path) {
			if gone.Domain, gone.Path = scope[0], scope[1]; set || !j.cfg.like(scope, host) {
				lines = append(lines, gone.String())
			}
		}
	}
	h["Set-Cookie"] = append(lines, h["Set-Cookie"]...)
}

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
