package ginauth

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/internal/request"
)

const (
	intendedCookie   = "intended"
	intendedLifetime = 10 * time.Minute
)

// rememberIntended notes where a browser wanted to go before it was sent to the
// login page. It is kept in a sealed cookie and not in a session, so that
// robots which walk protected pages fill no store.
func (x *requestState) rememberIntended() {
	r := x.HTTP
	mode := r.Header.Get("Sec-Fetch-Mode")
	if r.Method != http.MethodGet || (mode != "" && mode != "navigate") {
		return // only where a person was going
	}
	target, ok := redirect.Clean(r.URL.RequestURI())
	if path, _, _ := strings.Cut(target, "?"); !ok || path == x.m.cfg.Pages.Login {
		return
	}
	text, err := x.m.subkeys.intended.Seal(x.m.env.Now(), intendedLifetime, []byte(target))
	if err != nil {
		return // too long for a cookie
	}
	x.SetCookie(x.Jar.Sibling(intendedCookie), text, intendedLifetime)
}

// dropIntended forgets it, so that the next user of the browser does not get
// there.
func (x *requestState) dropIntended() {
	name := x.Jar.Sibling(intendedCookie)
	if _, ok := x.Cookie(name); ok {
		x.SetCookie(name, "", -1)
	}
}

// Intended returns where the browser was going when it was sent to the login
// page, once: a path on this site, or Config.Pages.Home. Call it before the
// response begins.
func (a *Authenticator) Intended() string {
	x := a.x
	text, ok := x.Cookie(x.Jar.Sibling(intendedCookie))
	if !ok {
		return x.m.cfg.Pages.Home
	}
	x.dropIntended()
	value, _, ok := x.m.subkeys.intended.Open(x.m.env.Now(), text)
	if !ok {
		return x.m.cfg.Pages.Home
	}
	// Cleaned again: what was safe when it was sealed is checked where it is
	// used.
	if target, ok := redirect.Clean(string(value)); ok {
		return target
	}
	return x.m.cfg.Pages.Home
}

// SafeRedirect returns target if it is a path on this site, for redirect
// targets that come with a request, and fallback otherwise. What browsers make
// of backslashes, tabs and dot segments is accounted for.
func SafeRedirect(target, fallback string) string {
	if clean, ok := redirect.Clean(target); ok {
		return clean
	}
	return fallback
}

// WantsHTML reports whether the request is from a browser that is to be shown a
// page, rather than from a program that is to get a status: it takes HTML before
// JSON, and is not below one of Config.Pages.APIPrefixes.
func WantsHTML(c *gin.Context) bool { return managerOf(c).wantsPage(c) }

// wantsPage reports whether a request is from a browser that is to be shown a
// page, rather than from a program that is to get a status.
func (m *Manager) wantsPage(c *gin.Context) bool {
	for _, prefix := range m.cfg.Pages.APIPrefixes {
		if strings.HasPrefix(c.Request.URL.Path, prefix) {
			return false
		}
	}
	html, json := -1, -1
	for i, part := range strings.Split(request.Cut(c.Request.Header.Get("Accept"), 1024), ",") {
		media, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/html", "application/xhtml+xml":
			if html < 0 {
				html = i
			}
		case "application/json":
			if json < 0 {
				json = i
			}
		}
	}
	return html >= 0 && (json < 0 || html < json)
}
