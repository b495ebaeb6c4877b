package routes_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
)

func TestLoginShowsTheUser(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.client()
		r := c.login(alice, pass).want(t, 200)
		want := `{"user":{"email":"alice@example.com","email_verified":true,"id":"1","name":"Alice"}}`
		if r.body != want {
			t.Errorf("login: %s, want %s", r.body, want)
		}
		if r := c.get("/me").want(t, 200); r.body != want {
			t.Errorf("me: %s, want %s", r.body, want)
		}
		c.do("POST", "/logout", "", "").want(t, 204)
		c.get("/me").want(t, 401)
		c.do("POST", "/logout", "", "").want(t, 204) // also without a login
		wantEvents[events.Login](a, 1)
		wantEvents[events.Logout](a, 1)
	})
}

// E01: the response does not reveal why a login was refused.
func TestFailedLoginsHaveSameResponse(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		wrong := a.client().login(alice, "wrong password")
		wrong.want(t, 401)
		for name, change := range map[string]func(*models.User){
			"disabled":    func(u *models.User) { now := a.clock.Now(); u.DisabledAt = &now },
			"no hash":     func(u *models.User) { u.Password = "" },
			"broken hash": func(u *models.User) { u.Password = "$argon2id$v=19$m=64,t=1,p=1$x" },
			"unverified":  func(u *models.User) { u.EmailVerifiedAt = nil },
		} {
			t.Run(name, func(t *testing.T) {
				a.clock.advance(time.Hour)
				before := a.user(a.bob)
				a.b.users.change(a.bob, change)
				password := pass
				if name == "unverified" {
					password = "wrong password"
				}
				same(t, a.client().login(bob, password), wrong)
				a.b.users.change(a.bob, func(u *models.User) { *u = *before })
			})
		}
		same(t, a.client().login("nobody@example.com", pass), wrong)
	})
}

// E08: the response during a lockout reveals nothing about the account or the
// password.
func TestLockoutsHaveSameResponse(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		for range 5 {
			a.client().login(alice, "wrong password").want(t, 401)
			a.client().login("nobody@example.com", "wrong password").want(t, 401)
		}
		known := a.client().login(alice, "wrong password").want(t, 429)
		if after := known.Header.Get("Retry-After"); after != "60" {
			t.Errorf("Retry-After %q, want 60", after)
		}
		same(t, a.client().login(alice, pass), known)
		same(t, a.client().login("nobody@example.com", pass), known)
		if n := len(wantEvents[events.Lockout](a, 3)); n == 0 {
			t.Error("no event")
		}
		a.clock.advance(time.Minute)
		a.client().login(alice, pass).want(t, 200)
	})
}

// S02: each login and logout changes the session id, and the old id is no
// longer valid.
func TestSessionIDChangesAtEachStep(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.client()
		c.get("/form-token").want(t, 200) // an anonymous session
		ids := []string{c.cookies[sessionCookie]}
		step := func(r *response, status int) {
			t.Helper()
			r.want(t, status)
			id := c.cookies[sessionCookie]
			for _, old := range ids {
				if old == id {
					t.Errorf("%s %s: the id did not change", r.Request.Method, r.Request.URL.Path)
				}
				a.with(old).get("/me").want(t, 401)
			}
			ids = append(ids, id)
		}
		step(c.login(alice, pass), 200)
		step(c.post("/confirm-password", fields{"password": pass}), 204)
		step(c.call("PUT", "/password", fields{"current_password": pass, "password": newPass}), 204)
		step(c.call("DELETE", "/devices", fields{"password": newPass}), 204)
		c.get("/me").want(t, 200)
		step(c.do("POST", "/logout", "", ""), 204)
		if ids[len(ids)-1] != "" {
			t.Error("the cookie was not deleted at logout")
		}
	})
}

// X04: a form token is bound to the session id. Requests with a bearer token
// need none.
func TestFormTokenChangesWithSessionID(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	c := a.client()
	tokens := map[string]bool{c.get("/form-token").body: true}
	for _, step := range []func(){
		func() { c.login(alice, pass).want(t, 200) },
		func() { c.do("POST", "/logout", "", "").want(t, 204) },
	} {
		step()
		if token := c.get("/form-token").want(t, 200).body; tokens[token] {
			t.Error("the token did not change")
		} else {
			tokens[token] = true
		}
	}
	// A browser does not add a bearer token by itself. It adds cookies.
	pair := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
	program := a.bearer(pair.AccessToken)
	program.header.Set("Sec-Fetch-Site", "cross-site")
	program.do("DELETE", "/devices/none", "", "").want(t, 404)
	program.cookies[sessionCookie] = "x"
	program.do("DELETE", "/devices/none", "", "").want(t, 403)
}

// X01, X02: a request that another site makes a browser send has no effect.
func TestCrossSiteRequestsAreRefused(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.loggedIn(alice)
		session := c.cookies[sessionCookie]
		c.header.Set("Sec-Fetch-Site", "cross-site")
		for _, r := range a.engine.Routes() {
			if r.Method == http.MethodGet {
				continue
			}
			path := strings.ReplaceAll(r.Path, ":id", "x")
			c.call(r.Method, path, fields{"email": bob, "password": pass}).want(t, 403)
		}
		if c.cookies[sessionCookie] != session {
			t.Error("the session changed")
		}
		c.header.Del("Sec-Fetch-Site")
		if r := c.get("/me").want(t, 200); !strings.Contains(r.body, "Alice") {
			t.Errorf("me: %s", r.body)
		}
	})
}

// M02, M07: a remembered device logs in without a password, until it logs out.
func TestRememberedDeviceLogsInUntilLogout(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.client()
		c.post("/login", fields{"email": alice, "password": pass, "remember": true}).want(t, 200)
		delete(c.cookies, sessionCookie)
		c.get("/me").want(t, 200)
		var body struct{ Confirmed bool }
		if c.get("/confirm-password").want(t, 200).json(t, &body); body.Confirmed {
			t.Error("the password of a remembered device counts as confirmed")
		}
		c.call("PUT", "/email", fields{"email": "new@example.com"}).want(t, 403)
		remembered := c.cookies["__Host-ginauth_remember_web"]
		c.do("POST", "/logout", "", "").want(t, 204)
		thief := a.client()
		thief.cookies["__Host-ginauth_remember_web"] = remembered
		thief.get("/me").want(t, 401)
	})
}
