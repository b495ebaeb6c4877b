package request

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/stores"
)

const (
	intendedCookie   = "intended"
	intendedLifetime = 10 * time.Minute
)

// RememberIntended records which page a person requested before the browser was redirected to
// another one: for a form the page that it is on, which can send it again. Base comes before its
// path in what the browser sees. It uses a sealed cookie and no session, so that robots which follow
// protected links fill no store.
func (r *State) RememberIntended(with stores.Sealer, base string) {
	target := ""
	switch {
	case opensPage(r.HTTP):
		target = redirect.Or(base+r.HTTP.URL.RequestURI(), "")
	case r.HTTP.Method == http.MethodPost && navigates(r.HTTP):
		target = Referer(r.HTTP)
	}
	if target == "" {
		return
	}
	text, err := with.Seal(r.Now(), intendedLifetime, []byte(target))
	if err != nil {
		return // too long for a cookie
	}
	r.SetCookie(r.Jar.Sibling(intendedCookie), text, intendedLifetime)
}

// Referer returns the page of this site that sent the request, as a path with its query, or "". It
// is a page of this site also if the header is forged.
func Referer(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return redirect.Or(u.RequestURI(), "")
}

// opensPage reports whether a person opens a page by the request. What a browser sends on its own,
// such as a prefetch, an image or a request of a script, is not where somebody was going.
func opensPage(r *http.Request) bool {
	return r.Method == http.MethodGet && !speculative(r) && r.Header.Get("Upgrade") == "" && navigates(r)
}

// navigates reports whether the response becomes a page. Browsers without Fetch Metadata are given
// the benefit of the doubt.
func navigates(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document")
}

// speculative reports whether a browser sends a request before a person asks for it: a prefetch or
// a prerendering. Purpose and X-Moz are what browsers sent before Sec-Purpose.
func speculative(r *http.Request) bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		purpose := strings.ToLower(r.Header.Get(name))
		if strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return false
}

// DropIntended deletes the record, so that the next user of the browser does not get it.
func (r *State) DropIntended() {
	name := r.Jar.Sibling(intendedCookie)
	if _, ok := r.Cookie(name); ok {
		r.DeleteCookie(name)
	}
}

// TakeIntended returns the recorded page, once, or fallback. The page is checked again where it
// is used.
func (r *State) TakeIntended(with stores.Sealer, fallback string) string {
	text, ok := r.Cookie(r.Jar.Sibling(intendedCookie))
	if !ok || speculative(r.HTTP) {
		return fallback
	}
	r.DropIntended()
	value, _, ok := with.Open(r.Now(), text)
	if !ok {
		return fallback
	}
	if target, ok := redirect.Clean(string(value)); ok {
		return target
	}
	return fallback
}
