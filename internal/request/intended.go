package request

import (
	"net/http"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/stores"
)

const (
	intendedCookie   = "intended"
	intendedLifetime = 10 * time.Minute
)

// RememberIntended records which page a browser requested before it was redirected to the login
// page. It uses a sealed cookie and no session, so that robots which follow protected links fill
// no store.
func (r *State) RememberIntended(with stores.Sealer, login string) {
	mode := r.HTTP.Header.Get("Sec-Fetch-Mode")
	if r.HTTP.Method != http.MethodGet || (mode != "" && mode != "navigate") {
		return // only where a person was going
	}
	target, ok := redirect.Clean(r.HTTP.URL.RequestURI())
	if path, _, _ := strings.Cut(target, "?"); !ok || path == login {
		return
	}
	text, err := with.Seal(r.Now(), intendedLifetime, []byte(target))
	if err != nil {
		return // too long for a cookie
	}
	r.SetCookie(r.Jar.Sibling(intendedCookie), text, intendedLifetime)
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
	if !ok {
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
