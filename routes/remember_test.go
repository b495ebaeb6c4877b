package routes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// remembered returns a client on which Alice logged in with remember-me, after
// its session has ended.
func rememberedDevice(a *testapp.App) *testapp.Client {
	a.Helper()
	c := a.Client()
	c.Post("/login", fields{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(a, 200)
	if c.Cookies[testapp.RememberCookie] == "" {
		a.Fatal("the device is not remembered")
	}
	delete(c.Cookies, testapp.SessionCookie)
	return c
}

// M01, M02: every use of a remember-me cookie replaces it.
func TestRememberCookieIsReplacedAtEachUse(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := rememberedDevice(a)
		seen := map[string]bool{}
		for range 3 {
			value := c.Cookies[testapp.RememberCookie]
			if seen[value] || len(value) < 64 {
				t.Fatalf("a cookie of %d bytes, seen before: %v", len(value), seen[value])
			}
			seen[value] = true
			c.Get("/me").Want(t, 200)
			delete(c.Cookies, testapp.SessionCookie)
		}
	})
}

// M03: if a stolen cookie is used by both thief and owner, this is detected and
// all logins from the cookie end.
func TestReusedRememberCookieEndsLogins(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		owner := rememberedDevice(a)
		thief := a.WithRemember(owner.Cookies[testapp.RememberCookie])
		thief.Get("/me").Want(t, 200)
		a.Clock.Advance(time.Hour)
		testapp.WantEvents[events.TokenReused](a, 0)
		owner.Get("/me").Want(t, 401)
		thief.Get("/me").Want(t, 401) // the session from the stolen cookie
		a.WithRemember(thief.Cookies[testapp.RememberCookie]).Get("/me").Want(t, 401)
		for _, e := range testapp.WantEvents[events.TokenReused](a, 1) {
			if e.UserID != a.Alice.AuthID() || e.Kind != "remember" {
				t.Errorf("event %+v", e)
			}
		}
	})
}

// M05: a login by remember-me cookie does not confirm the password.
func TestRememberLoginDoesNotConfirmPassword(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := rememberedDevice(a)
		c.Get("/me").Want(t, 200)
		if r := c.Call("PUT", "/email", fields{"email": "new@example.com"}).Want(t, 403); !strings.Contains(r.Text, "password_confirmation_required") {
			t.Errorf("body %s", r.Text)
		}
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 204)
		c.Call("PUT", "/email", fields{"email": "new@example.com"}).Want(t, 202)
	})
}

// M08: an invalid remember-me cookie gives no access and is deleted.
func TestInvalidRememberCookieIsDeleted(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		good, other := rememberedDevice(a).Cookies[testapp.RememberCookie], rememberedDevice(a).Cookies[testapp.RememberCookie]
		half := len(good) / 2
		for name, value := range map[string]string{
			"another's secret": good[:half] + other[half:], "another's name": other[:half] + good[half:],
			"no secret": good[:half], "a short one": "grm_x", "a long one": good + strings.Repeat("A", 10_000-len(good)),
			"a session's": strings.Repeat("A", 64), "no prefix": strings.TrimPrefix(good, "grm_"),
		} {
			c := a.WithRemember(value)
			c.Get("/me").Want(t, 401)
			if _, kept := c.Cookies[testapp.RememberCookie]; kept {
				t.Errorf("%s: the cookie was not deleted", name)
			}
		}
		a.WithRemember(good).Get("/me").Want(t, 200)
		testapp.WantEvents[events.TokenReused](a, 0)
	})
}

// M09: the server ends a remember-me login, even if the browser keeps the
// cookie.
func TestRememberCookieExpires(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		early, late := rememberedDevice(a), rememberedDevice(a)
		a.Clock.Advance(30*24*time.Hour - time.Second)
		early.Get("/me").Want(t, 200)
		a.Clock.Advance(2 * time.Second)
		late.Get("/me").Want(t, 401)
	})
}

// S17, M07: every credential of a disabled user is refused from the next
// request on.
func TestDisabledUserIsRefused(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		device, session := rememberedDevice(a), a.LoggedIn(testapp.Alice)
		b.Users.Change(a.Alice.AuthID(), func(u *models.User) { now := a.Clock.Now(); u.DisabledAt = &now })
		device.Get("/me").Want(t, 401)
		session.Get("/me").Want(t, 401)
	})
}

// P10, P11: a user with a hash of another algorithm can log in, and then has a
// hash of the configured algorithm.
func TestLoginReplacesHashOfOtherAlgorithm(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		former, err := hashing.New(hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true})
		if err != nil {
			t.Fatal(err)
		}
		hash, err := former.Hash(t.Context(), testapp.Password)
		if err != nil {
			t.Fatal(err)
		}
		b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = hash })
		session := a.LoggedIn(testapp.Alice)
		if got := a.User(a.Alice.AuthID()).Password; !strings.HasPrefix(got, "$argon2id$") {
			t.Errorf("the hash begins %.10q", got)
		}
		session.Get("/me").Want(t, 200) // a rehash ends nothing
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 401)
	})
}

// M10: an outage does not delete the remember-me cookie.
func TestOutageKeepsRememberCookie(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := newApp(t, b, setup{})
		c := rememberedDevice(a)
		f.Set(testapp.Refuse, testapp.FindToken)
		if r := c.Get("/me").Want(t, 503); len(r.Header["Set-Cookie"]) > 0 || r.Header.Get("Retry-After") == "" {
			t.Errorf("headers %v", r.Header)
		}
		f.Clear()
		c.Get("/me").Want(t, 200)
	})
}
