package routes_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestLoginShowsTheUser(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.Client()
		r := c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		want := `{"user":{"email":"alice@example.com","email_verified":true,"id":"1","name":"Alice"}}`
		if r.Text != want {
			t.Errorf("login: %s, want %s", r.Text, want)
		}
		if r := c.Get("/me").Want(t, 200); r.Text != want {
			t.Errorf("me: %s, want %s", r.Text, want)
		}
		c.Do("POST", "/logout", "", "").Want(t, 204)
		c.Get("/me").Want(t, 401)
		c.Do("POST", "/logout", "", "").Want(t, 204) // also without a login
		testapp.WantEvents[events.Login](a, 1)
		testapp.WantEvents[events.Logout](a, 1)
	})
}

// E01: the response does not reveal why a login was refused.
func TestFailedLoginsHaveSameResponse(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		wrong := a.Client().LogIn(testapp.Alice, "wrong password")
		wrong.Want(t, 401)
		for name, change := range map[string]func(*models.User){
			"disabled":    func(u *models.User) { now := a.Clock.Now(); u.DisabledAt = &now },
			"no hash":     func(u *models.User) { u.Password = "" },
			"broken hash": func(u *models.User) { u.Password = "$argon2id$v=19$m=64,t=1,p=1$x" },
			"unverified":  func(u *models.User) { u.EmailVerifiedAt = nil },
		} {
			t.Run(name, func(t *testing.T) {
				a.Clock.Advance(time.Hour)
				before := a.User(a.Bob.AuthID())
				a.Backend.Users.Change(a.Bob.AuthID(), change)
				password := testapp.Password
				if name == "unverified" {
					password = "wrong password"
				}
				testapp.Same(t, a.Client().LogIn(testapp.Bob, password), wrong)
				a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { *u = *before })
			})
		}
		testapp.Same(t, a.Client().LogIn("nobody@example.com", testapp.Password), wrong)
	})
}

// E08: the response during a lockout reveals nothing about the account or the
// password.
func TestLockoutsHaveSameResponse(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		for range 5 {
			a.Client().LogIn(testapp.Alice, "wrong password").Want(t, 401)
			a.Client().LogIn("nobody@example.com", "wrong password").Want(t, 401)
		}
		known := a.Client().LogIn(testapp.Alice, "wrong password").Want(t, 429)
		if after := known.Header.Get("Retry-After"); after != "60" {
			t.Errorf("Retry-After %q, want 60", after)
		}
		testapp.Same(t, a.Client().LogIn(testapp.Alice, testapp.Password), known)
		testapp.Same(t, a.Client().LogIn("nobody@example.com", testapp.Password), known)
		if n := len(testapp.WantEvents[events.Lockout](a, 3)); n == 0 {
			t.Error("no event")
		}
		a.Clock.Advance(time.Minute)
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	})
}

// S02: each login and logout changes the session id, and the old id is no
// longer valid.
func TestSessionIDChangesAtEachStep(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.Client()
		c.Get("/form-token").Want(t, 200) // an anonymous session
		ids := []string{c.Cookies[testapp.SessionCookie]}
		step := func(r *testapp.Response, status int) {
			t.Helper()
			r.Want(t, status)
			id := c.Cookies[testapp.SessionCookie]
			for _, old := range ids {
				if old == id {
					t.Errorf("%s %s: the id did not change", r.Request.Method, r.Request.URL.Path)
				}
				a.With(old).Get("/me").WantDead(t)
			}
			ids = append(ids, id)
		}
		step(c.LogIn(testapp.Alice, testapp.Password), 200)
		step(c.Post("/confirm-password", fields{"password": testapp.Password}), 204)
		step(c.Call("PUT", "/password", fields{"current_password": testapp.Password, "password": testapp.NewPassword}), 204)
		step(c.Call("DELETE", "/devices", fields{"password": testapp.NewPassword}), 204)
		c.Get("/me").Want(t, 200)
		step(c.Do("POST", "/logout", "", ""), 204)
		if ids[len(ids)-1] != "" {
			t.Error("the cookie was not deleted at logout")
		}
	})
}

// X04: a form token is bound to the session id. Requests with a bearer token
// need none.
func TestFormTokenChangesWithSessionID(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	c := a.Client()
	tokens := map[string]bool{c.Get("/form-token").Text: true}
	for _, step := range []func(){
		func() { c.LogIn(testapp.Alice, testapp.Password).Want(t, 200) },
		func() { c.Do("POST", "/logout", "", "").Want(t, 204) },
	} {
		step()
		if token := c.Get("/form-token").Want(t, 200).Text; tokens[token] {
			t.Error("the token did not change")
		} else {
			tokens[token] = true
		}
	}
	// A browser does not add a bearer token by itself. It adds cookies.
	pair := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
	program := a.Bearer(pair.AccessToken)
	program.Header.Set("Sec-Fetch-Site", "cross-site")
	program.Do("DELETE", "/devices/none", "", "").Want(t, 404)
	program.Cookies[testapp.SessionCookie] = "x"
	program.Do("DELETE", "/devices/none", "", "").Want(t, 403)
}

// X01, X02: a request that another site makes a browser send has no effect.
func TestCrossSiteRequestsAreRefused(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.LoggedIn(testapp.Alice)
		session := c.Cookies[testapp.SessionCookie]
		c.Header.Set("Sec-Fetch-Site", "cross-site")
		for _, r := range a.Engine.Routes() {
			if r.Method == http.MethodGet {
				continue
			}
			path := strings.ReplaceAll(r.Path, ":id", "x")
			c.Call(r.Method, path, fields{"email": testapp.Bob, "password": testapp.Password}).Want(t, 403)
		}
		if c.Cookies[testapp.SessionCookie] != session {
			t.Error("the session changed")
		}
		c.Header.Del("Sec-Fetch-Site")
		if r := c.Get("/me").Want(t, 200); !strings.Contains(r.Text, "Alice") {
			t.Errorf("me: %s", r.Text)
		}
	})
}

// M02, M07: a remembered device logs in without a password, until it logs out.
func TestRememberedDeviceLogsInUntilLogout(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.Client()
		c.Post("/login", fields{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200)
		delete(c.Cookies, testapp.SessionCookie)
		c.Get("/me").Want(t, 200)
		var body struct{ Confirmed bool }
		if c.Get("/confirm-password").Want(t, 200).JSON(t, &body); body.Confirmed {
			t.Error("the password of a remembered device counts as confirmed")
		}
		c.Call("PUT", "/email", fields{"email": "new@example.com"}).Want(t, 403)
		remembered := c.Cookies[testapp.RememberCookie]
		c.Do("POST", "/logout", "", "").Want(t, 204)
		thief := a.Client()
		thief.Cookies[testapp.RememberCookie] = remembered
		thief.Get("/me").Want(t, 401)
	})
}

// G01: what a proxy in front of the application wants to see does not keep a
// user logged in.
func TestLogoutWithCredentialsForOthers(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		// Signed by another issuer, as a proxy that authenticates users passes it on.
		foreign := "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiMSJ9.c2ln"
		for _, header := range []string{
			"Basic c3RhZ2luZzpwYXNzd29yZA==", "Negotiate YII=", "NTLM TlRM", "Digest username=x", "AWS4-HMAC-SHA256 x", "Bearer " + foreign, "Bearer opaque", "x",
		} {
			c := a.LoggedIn(testapp.Alice)
			old := c.Session()
			c.Header.Set("Authorization", header)
			c.Get("/me").Want(t, 200)
			c.Call("PUT", "/password", change("wrong", testapp.NewPassword)).WantField(t, "current_password")
			c.Do("POST", "/logout", "", "").Want(t, 204)
			a.With(old).Get("/me").Want(t, 401)
			c.Do("POST", "/logout", "", "").Want(t, 204)
		}
		// A token of ours is told, but the session has ended.
		ended := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Tokens(t).AccessToken
		a.Bearer(ended).Do("POST", "/logout", "", "").Want(t, 204)
		for _, token := range []string{ended, ended[:len(ended)-8]} {
			c := a.LoggedIn(testapp.Alice)
			old := c.Session()
			c.Header.Set("Authorization", "Bearer "+token)
			res := c.Do("POST", "/logout", "", "").Want(t, 401)
			if got := res.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
				t.Errorf("challenge %q", got)
			}
			a.With(old).Get("/me").Want(t, 401)
		}
	})
}
