package request

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/cookies"
)

// Cookie is a cookie that is sent if the request succeeds.
type Cookie struct {
	Name, Value string
	// Lifetime is 0 for a cookie that ends with the browser, and negative for one
	// that is deleted.
	Lifetime time.Duration
}

// Cookie returns the value of a cookie that the request carries; see cookies.Read. If there are
// several of the name, it returns none, and the response deletes those that another configuration
// or application has set.
func (r *State) Cookie(name string) (value string, ok bool) {
	if value, ok = r.Jar.Get(r.HTTP.Header, name); !ok {
		r.Twins(name)
	}
	return value, ok
}

// Twins returns the values of a cookie that the request carries with different values, at most
// cookies.MaxTwins. The caller uses the one value that opens something, if it is the only one:
// which of them the browser had from this application is not told (RFC 6265, 8.6). The response
// deletes those that it can.
func (r *State) Twins(name string) []string {
	values, more := cookies.Twins(r.HTTP.Header, r.Jar.Name(name))
	switch {
	case !more:
		return nil
	case r.Upgrades():
		return values
	}
	kept := strings.Clone(name) // the name itself does not escape to the heap, where most requests end before
	r.WarnOnce(r.HTTP.Context(), "ginauth: a browser sent several cookies of one name, as after a change of "+
		"Session.Cookie.Domain or Path, or where another application of a sibling host uses the name", "name", r.Jar.Name(kept))
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.todo(); !slices.Contains(p.twins, kept) {
		p.twins = append(p.twins, kept)
	}
	return values
}

// SetCookie sends a cookie with the response, unless the request fails.
func (r *State) SetCookie(name, value string, lifetime time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.todo()
	if r.settled {
		if !p.look {
			r.Log.WarnContext(r.HTTP.Context(), "ginauth: cookie not sent: the response has begun or failed", "cookie", name)
		}
		return
	}
	p.cookies = append(p.cookies, Cookie{name, value, lifetime})
}

// SetCookieAtCommit is SetCookie for what the commit itself has to send.
func (r *State) SetCookieAtCommit(name, value string, lifetime time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.todo()
	p.cookies = append(p.cookies, Cookie{name, value, lifetime})
}

// DeleteCookie makes the browser delete a cookie, unless the request fails.
func (r *State) DeleteCookie(name string) { r.SetCookie(name, "", -time.Second) }

// DropCookies removes the application's cookies from a response that became a failure.
func (r *State) DropCookies(h http.Header) { r.Jar.Drop(h) }

// Send writes the recorded cookies into a response, after the caller has written the session's, if
// there is one. It reports whether there are any.
func (r *State) Send(h http.Header, session bool) bool {
	any := r.sendPending(h) || session
	if any && r.Jar.Secure() && !cookies.OverTLS(r.HTTP) {
		r.WarnOnce(r.HTTP.Context(), "ginauth: a Secure cookie left over plain HTTP: browsers drop it, unless TLS ends at a proxy, "+
			"which then should send X-Forwarded-Proto: https. For development use http://localhost, and not Gin's release mode", "host", Cut(r.HTTP.Host, 256))
	}
	return any
}

func (r *State) sendPending(h http.Header) bool {
	p := r.pending.Load()
	if p == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range p.cookies {
		r.Jar.Set(h, c.Name, c.Value, c.Lifetime)
	}
	for _, name := range p.twins {
		r.Jar.ClearTwins(h, r.HTTP, name)
	}
	return len(p.cookies) > 0 || len(p.twins) > 0
}

// WithheldCookies reports whether the browser kept the application's cookies back because another
// site made it send the request (RFC 6265bis, 5.6.7.1). That there is none then says nothing: a
// cookie in the response would overwrite that of a login.
func (r *State) WithheldCookies() bool {
	h := r.HTTP.Header
	if h.Get("Sec-Fetch-Site") != "cross-site" || r.Jar.Sent(r.HTTP) {
		return false
	}
	switch r.Jar.SameSite() {
	case http.SameSiteNoneMode:
		return false
	case http.SameSiteStrictMode:
		return true
	}
	// Lax cookies come with a navigation of the whole window by a safe method, and with nothing else.
	safe := r.HTTP.Method == http.MethodGet || r.HTTP.Method == http.MethodHead
	dest := h.Get("Sec-Fetch-Dest")
	return !safe || h.Get("Sec-Fetch-Mode") != "navigate" || (dest != "document" && dest != "")
}

// CookiesLost reports whether no cookie that is set now is sure to reach the client: the response
// has begun, or the request opens a WebSocket. A WebSocket library writes the headers of that
// response itself, and browsers drop the cookies of a handshake that fails. Nothing may then be
// used up that a cookie has to replace.
func (r *State) CookiesLost() bool {
	if r.Upgrades() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settled
}

// Upgrades reports whether the request asks for another protocol on its connection (RFC 9110,
// 7.8), as for a WebSocket (RFC 6455, 4.1; RFC 8441, 4).
func (r *State) Upgrades() bool {
	if r.HTTP.Method == http.MethodConnect {
		return len(r.HTTP.Header[":protocol"]) > 0
	}
	if r.HTTP.Method != http.MethodGet || r.HTTP.Header["Upgrade"] == nil {
		return false
	}
	return slices.ContainsFunc(r.HTTP.Header["Connection"], func(line string) bool { return listHas(line, "upgrade") })
}

// Follow makes r the state of a look at whether what of authenticated still lives. Nothing that is
// found is sent anywhere.
func (r *State) Follow(ctx context.Context, of *State) {
	r.Env, r.HTTP, r.Remote, r.Jar = of.Env, of.HTTP.WithContext(ctx), of.Remote, of.Jar
	r.Started, r.settled = of.Started, true
	r.pending.Store(&pending{look: true})
}
