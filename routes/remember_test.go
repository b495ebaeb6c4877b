package routes_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

const rememberCookie = "__Host-ginauth_remember_web"

// remembered returns a client on which Alice logged in with remember-me, after
// its session has ended.
func (a *app) remembered() *client {
	a.Helper()
	c := a.client()
	c.post("/login", fields{"email": alice, "password": pass, "remember": true}).want(a, 200)
	if c.cookies[rememberCookie] == "" {
		a.Fatal("the device is not remembered")
	}
	delete(c.cookies, sessionCookie)
	return c
}

// holding returns a client that has only this remember-me cookie.
func (a *app) holding(value string) *client {
	c := a.client()
	c.cookies[rememberCookie] = value
	return c
}

// M01, M02: every use of a remember-me cookie replaces it.
func TestRememberRotates(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.remembered()
		seen := map[string]bool{}
		for range 3 {
			value := c.cookies[rememberCookie]
			if seen[value] || len(value) < 64 {
				t.Fatalf("a cookie of %d bytes, seen before: %v", len(value), seen[value])
			}
			seen[value] = true
			c.get("/me").want(t, 200)
			delete(c.cookies, sessionCookie)
		}
	})
}

// M03: if a stolen cookie is used by both thief and owner, this is detected and
// all logins from the cookie end.
func TestReusedRememberCookieEndsLogins(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		owner := a.remembered()
		thief := a.holding(owner.cookies[rememberCookie])
		thief.get("/me").want(t, 200)
		a.clock.advance(time.Hour)
		wantEvents[events.TokenReused](a, 0)
		owner.get("/me").want(t, 401)
		thief.get("/me").want(t, 401) // the session from the stolen cookie
		a.holding(thief.cookies[rememberCookie]).get("/me").want(t, 401)
		for _, e := range wantEvents[events.TokenReused](a, 1) {
			if e.UserID != a.alice || e.Kind != "remember" {
				t.Errorf("event %+v", e)
			}
		}
	})
}

// M04, EXP-11: fifty tabs opened at the same time are all logged in.
func TestRememberInManyTabs(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		for range testsize.Rounds(50, 2) {
			value := a.remembered().cookies[rememberCookie]
			var tabs [50]*client
			var in atomic.Int32
			a.together(len(tabs), func(i int) {
				tabs[i] = a.holding(value)
				if tabs[i].get("/me").StatusCode == http.StatusOK {
					in.Add(1)
				}
			})
			if n := in.Load(); int(n) != len(tabs) {
				t.Fatalf("%d of %d tabs are logged in", n, len(tabs))
			}
			last := tabs[0].cookies[rememberCookie]
			for _, tab := range tabs {
				if tab.cookies[rememberCookie] != last {
					t.Fatal("the cookie has two successors")
				}
			}
		}
		wantEvents[events.TokenReused](a, 0)
	})
}

// M05: a login by remember-me cookie does not confirm the password.
func TestRememberLoginDoesNotConfirmPassword(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.remembered()
		c.get("/me").want(t, 200)
		if r := c.call("PUT", "/email", fields{"email": "new@example.com"}).want(t, 403); !strings.Contains(r.body, "password_confirmation_required") {
			t.Errorf("body %s", r.body)
		}
		c.post("/confirm-password", fields{"password": pass}).want(t, 204)
		c.call("PUT", "/email", fields{"email": "new@example.com"}).want(t, 202)
	})
}

// M08: an invalid remember-me cookie gives no access and is deleted.
func TestInvalidRememberCookieIsDeleted(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		good, other := a.remembered().cookies[rememberCookie], a.remembered().cookies[rememberCookie]
		half := len(good) / 2
		for name, value := range map[string]string{
			"another's secret": good[:half] + other[half:], "another's name": other[:half] + good[half:],
			"no secret": good[:half], "a short one": "grm_x", "a long one": good + strings.Repeat("A", 10_000-len(good)),
			"a session's": strings.Repeat("A", 64), "no prefix": strings.TrimPrefix(good, "grm_"),
		} {
			c := a.holding(value)
			c.get("/me").want(t, 401)
			if _, kept := c.cookies[rememberCookie]; kept {
				t.Errorf("%s: the cookie was not deleted", name)
			}
		}
		a.holding(good).get("/me").want(t, 200)
		wantEvents[events.TokenReused](a, 0)
	})
}

// M09: the server ends a remember-me login, even if the browser keeps the
// cookie.
func TestRememberExpires(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		early, late := a.remembered(), a.remembered()
		a.clock.advance(30*24*time.Hour - time.Second)
		early.get("/me").want(t, 200)
		a.clock.advance(2 * time.Second)
		late.get("/me").want(t, 401)
	})
}

// S17, M07: every credential of a disabled user is refused from the next
// request on.
func TestDisabledUserIsRefused(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		device, session := a.remembered(), a.loggedIn(alice)
		b.users.change(a.alice, func(u *models.User) { now := a.clock.Now(); u.DisabledAt = &now })
		device.get("/me").want(t, 401)
		session.get("/me").want(t, 401)
	})
}

// P10, P11: a user with a hash of another algorithm can log in, and then has a
// hash of the configured algorithm.
func TestLoginReplacesHashOfOtherAlgorithm(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		former, err := hashing.New(hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true})
		if err != nil {
			t.Fatal(err)
		}
		hash, err := former.Hash(t.Context(), pass)
		if err != nil {
			t.Fatal(err)
		}
		b.users.change(a.alice, func(u *models.User) { u.Password = hash })
		session := a.loggedIn(alice)
		if got := a.user(a.alice).Password; !strings.HasPrefix(got, "$argon2id$") {
			t.Errorf("the hash begins %.10q", got)
		}
		session.get("/me").want(t, 200) // a rehash ends nothing
		a.client().login(alice, pass).want(t, 200)
		a.client().login(alice, newPass).want(t, 401)
	})
}

// downTokens is a token store that a test can make fail.
type downTokens struct {
	stores.Tokens
	down atomic.Bool
}

func (s *downTokens) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	if s.down.Load() {
		return stores.Token{}, false, errors.New("the store is down")
	}
	return s.Tokens.Find(ctx, family, id)
}

// M10: an outage does not delete the remember-me cookie.
func TestOutageKeepsRememberCookie(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		tokens := &downTokens{Tokens: b.Set.Tokens}
		b.Set.Tokens = tokens
		a := newApp(t, b, setup{})
		c := a.remembered()
		tokens.down.Store(true)
		if r := c.get("/me").want(t, 503); len(r.Header["Set-Cookie"]) > 0 || r.Header.Get("Retry-After") == "" {
			t.Errorf("headers %v", r.Header)
		}
		tokens.down.Store(false)
		c.get("/me").want(t, 200)
	})
}
