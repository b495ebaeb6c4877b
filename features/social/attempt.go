package social

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/stores"
)

const (
	// attemptTime is how long a user has at the provider.
	attemptTime = 10 * time.Minute
	// maxAttempts is how many logins a browser may have begun at once, in tabs. One more replaces the oldest.
	maxAttempts = 5
	cookieName  = "ginauth_social_"
	stateLength = 43 // 256 bits in base64
)

// What an attempt is for.
const (
	forLogin   = "login"
	forLink    = "link"
	forConfirm = "confirm"
)

// attempt is one login that has begun. It is sealed in a cookie of its own, so that several tabs work, and no store grows
// by what a guest does.
type attempt struct {
	Provider string `json:"p"`
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	For      string `json:"f"`
	// Owner is the user who began it, unless it is a login.
	Owner string `json:"o,omitempty"`
	Began int64  `json:"b"` // in milliseconds
}

// random returns 256 random bits as text.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func (a *attempt) challenge() string {
	sum := sha256.Sum256([]byte(a.Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// secure says whether cookies need TLS: everywhere but at a developer's own machine.
func (f *Feature) secure() bool { return strings.HasPrefix(f.baseURL, "https://") }

func (f *Feature) prefix() string {
	if f.secure() {
		return "__Host-" + cookieName
	}
	return cookieName
}

// cookieOf returns the name of the cookie of a state. It tells nothing of the state.
func (f *Feature) cookieOf(state string) string {
	sum := sha256.Sum256([]byte(state))
	return f.prefix() + hex.EncodeToString(sum[:8])
}

func (f *Feature) setCookie(c *gin.Context, name, value string, age int) {
	cookie := http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: f.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	c.Writer.Header().Add("Set-Cookie", cookie.String())
}

// keep sets the cookie of a new attempt, and removes those of the oldest if there are too many.
func (f *Feature) keep(c *gin.Context, a *attempt) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	name := f.cookieOf(a.State)
	value, err := f.attempts.Seal(f.now(), attemptTime, data, []byte(name))
	if err != nil {
		return err
	}
	f.makeRoom(c)
	f.setCookie(c, name, value, int(attemptTime/time.Second))
	return nil
}

func (f *Feature) makeRoom(c *gin.Context) {
	type kept struct {
		name  string
		began int64
	}
	var all []kept
	for _, cookie := range c.Request.Cookies() {
		if strings.HasPrefix(cookie.Name, f.prefix()) {
			old := f.open(cookie.Name, cookie.Value) // nil counts as the oldest
			var began int64
			if old != nil {
				began = old.Began
			}
			all = append(all, kept{cookie.Name, began})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(b.began, a.began) })
	for i, k := range all {
		if k.began == 0 || i >= maxAttempts-1 {
			f.setCookie(c, k.name, "", -1)
		}
	}
}

func (f *Feature) open(name, value string) *attempt {
	data, _, ok := f.attempts.Open(f.now(), value, []byte(name))
	var a attempt
	if !ok || json.Unmarshal(data, &a) != nil {
		return nil
	}
	return &a
}

// take returns the attempt of a state, once: the cookie is removed, and the store counts the state as used, in case
// somebody kept the cookie. The errors are ErrAttempt and ginauth.ErrUnavailable.
func (f *Feature) take(c *gin.Context, provider, state string) (*attempt, error) {
	if len(state) != stateLength {
		return nil, ErrAttempt
	}
	name := f.cookieOf(state)
	var found *attempt
	for _, cookie := range c.Request.Cookies() {
		if cookie.Name == name && found == nil {
			found = f.open(name, cookie.Value)
		}
	}
	if found == nil || !equal(found.State, state) || found.Provider != provider {
		return nil, ErrAttempt
	}
	f.setCookie(c, name, "", -1)
	if err := f.once(c.Request.Context(), "state", attemptTime, state); err != nil {
		return nil, err
	}
	return found, nil
}

// once returns ErrAttempt if it was called with the same texts before, within a time.
func (f *Feature) once(ctx context.Context, what string, within time.Duration, texts ...string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	grant, err := f.set.Limiter.Reserve(ctx, f.now(), window(what, within, texts...))
	switch {
	case err != nil:
		return ginauth.Unavailable("record use", err)
	case !grant.OK():
		return ErrAttempt
	}
	return nil
}

// window is a window of one slot. Its key is a digest of texts without NUL.
func window(what string, within time.Duration, texts ...string) stores.Window {
	return stores.Window{
		Key: stores.DigestOf([]byte("social\x00" + what + "\x00" + strings.Join(texts, "\x00"))), Limit: 1, Period: within,
	}
}
