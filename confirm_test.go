package ginauth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

const confirmFirst = `"password_confirmation_required"`

// asksToConfirm asserts that the answer is that the password is to be given.
func (r *response) asksToConfirm(t *testing.T) {
	t.Helper()
	if r.want(t, 403); !strings.Contains(r.body, confirmFirst) || strings.Contains(r.body, "Alice") {
		t.Errorf("body %s", r.body)
	}
}

func (c *client) confirm(password string) *response {
	c.a.Helper()
	return c.post("/confirm", passwordForm{Password: password})
}

func TestConfirmPassword(t *testing.T) { // S02
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c := a.client()
		c.post("/set?k=cart&v=full", nil).want(t, 204)
		guest := c.session()
		c.login(aliceEmail, goodPass).want(t, 200)
		login := c.session()
		c.get("/sudo").want(t, 200) // the password was given just now
		a.clock.advance(15*time.Minute - time.Second)
		c.get("/sudo").want(t, 200)
		a.clock.advance(time.Second)
		c.get("/sudo").asksToConfirm(t)
		c.get("/me").want(t, 200)
		c.confirm(goodPass).want(t, 204)
		confirmed := c.session()
		if name := c.get("/sudo").want(t, 200).name(t); name != "Alice" {
			t.Errorf("confirmed as %q", name)
		}
		if body := c.get("/all").body; !strings.Contains(body, "full") {
			t.Errorf("the session's values are lost: %s", body)
		}
		a.clock.advance(15 * time.Minute)
		c.get("/sudo").asksToConfirm(t)
		c.confirm(goodPass).want(t, 204)
		again := c.session()
		c.post("/logout", nil).want(t, 204)
		ids := []string{guest, login, confirmed, again}
		if slices.Sort(ids); slices.Contains(ids, "") || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Errorf("ids %q", ids)
		}
		for _, id := range ids {
			a.client().with(id).get("/me").is401(t)
			a.client().with(id).get("/sudo").is401(t)
		}
	})
}

// Each id is dead as soon as it was replaced, not only after the logout.
func TestConfirmPasswordReplacesTheID(t *testing.T) { // S02
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c := a.loggedIn(aliceEmail)
		for step, do := range []func() *response{
			func() *response { return c.confirm(goodPass) },
			func() *response { return c.post("/logout-others", passwordForm{Password: goodPass}) },
			func() *response { return c.post("/password", passwordForm{goodPass, nextPass}) },
		} {
			before := c.session()
			do().want(t, 204)
			if c.session() == before {
				t.Errorf("step %d: the id is the same", step)
			}
			a.client().with(before).get("/me").is401(t)
			c.get("/me").want(t, 200)
		}
	})
}

func TestRememberedSessionIsNotConfirmed(t *testing.T) { // M05
	eachBackend(t, func(t *testing.T, b *backend) {
		a, box := accounts(t, b)
		c := a.remembered(aliceEmail).only(rememberCookie)
		c.get("/sudo").asksToConfirm(t)
		c.get("/me").want(t, 200)
		c.get("/sudo").asksToConfirm(t)
		c.post("/password", passwordForm{"", nextPass}).want(t, 422)
		c.post("/password", passwordForm{"wrong", nextPass}).want(t, 422)
		c.post("/logout-others", passwordForm{Password: "wrong"}).want(t, 422)
		c.confirm("wrong").want(t, 422)
		c.get("/sudo").asksToConfirm(t)

		// Whoever reads the user's mail has not given the password.
		c.moveTo("alice@new.example", box).want(t, 204)
		c.get("/me").want(t, 200)
		c.get("/sudo").asksToConfirm(t)

		c.confirm(goodPass).want(t, 204)
		c.get("/sudo").want(t, 200)
		// Another session of the same cookie is not.
		c.only(rememberCookie).get("/sudo").asksToConfirm(t)
	})
}

func TestLoginWithoutPasswordIsNotConfirmed(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, func(a *app, r *gin.Engine) {
		accountRoutes(a, r)
		r.POST("/enter", func(c *gin.Context) {
			_, err := ginauth.From(c).LoginUsingID(c.Request.Context(), a.alice.AuthID())
			answer(c, nil, err)
		})
	})
	c := a.client()
	c.post("/enter", nil).want(t, 204)
	c.get("/sudo").asksToConfirm(t)
	c.confirm(goodPass).want(t, 204)
	c.get("/sudo").want(t, 200)
	c.post("/enter", nil).want(t, 204) // begins anew
	c.get("/sudo").asksToConfirm(t)
}

func TestConfirmPasswordIsForSessions(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		access := a.apiLogin(aliceEmail).Access
		c := a.loggedIn(aliceEmail)
		personal := a.personal(c, "*").Token
		a.bearing(access).get("/sudo").asksToConfirm(t)
		a.bearing(personal).get("/sudo").asksToConfirm(t)
		a.bearing(personal).confirm(goodPass).want(t, 403)
		hashes := a.m.Hasher().Computations()
		a.bearing(access).confirm(goodPass).want(t, 403) // no session is there to note it in
		if n := a.m.Hasher().Computations() - hashes; n != 0 {
			t.Errorf("%d passwords were checked for nothing", n)
		}
		a.client().get("/sudo").is401(t)
		a.client().confirm(goodPass).is401(t)
		// A session's confirmation is nothing to a token beside it.
		both := a.bearing(personal)
		both.cookies[sessionCookie] = c.session()
		both.get("/sudo").want(t, 200) // "web" is asked first
		both.get("/sudo-token").asksToConfirm(t)
	})
}

func TestConfirmPasswordPage(t *testing.T) {
	a, _ := accounts(t, memoryBackend(t), func(c *ginauth.Config) {
		c.Pages = ginauth.PagesConfig{Login: "/login-page", ConfirmPassword: "/confirm-page", APIPrefixes: []string{"/api/"}}
	})
	c := a.remembered(aliceEmail).only(rememberCookie)
	c.header.Set("Accept", browserAccept)
	if to := c.get("/sudo").want(t, 303).Header.Get("Location"); to != "/confirm-page" {
		t.Errorf("to %q", to)
	}
	c.header.Set("Accept", "application/json")
	c.get("/sudo").asksToConfirm(t)
	guest := a.client()
	guest.header.Set("Accept", browserAccept)
	if to := guest.get("/sudo").want(t, 303).Header.Get("Location"); to != "/login-page" {
		t.Errorf("a guest: to %q", to)
	}
}

// Every place that asks for a password again counts with the login.
func TestPasswordsAskedForAgainAreCounted(t *testing.T) { // T08, P12
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c, bob := a.loggedIn(aliceEmail), a.loggedIn(bobEmail)
		delete(c.cookies, deviceCookie) // a device known to the account has tries of its own
		token := a.bearing(a.apiLogin(aliceEmail).Access)
		for i, wrong := range []func() *response{
			func() *response { return c.confirm("wrong") },
			func() *response { return c.post("/password", passwordForm{"wrong", nextPass}) },
			func() *response { return c.post("/logout-others", passwordForm{Password: "wrong"}) },
			func() *response { return token.post("/password", passwordForm{"wrong", nextPass}) },
		} {
			if res := wrong().want(t, 422); strings.Contains(res.body, "wrong") || !strings.Contains(res.body, `"field"`) {
				t.Errorf("try %d: %s", i, res.body)
			}
		}
		a.client().login(aliceEmail, "wrong").want(t, 401)
		for _, res := range []*response{
			c.confirm(goodPass), c.post("/password", passwordForm{goodPass, nextPass}),
			c.post("/logout-others", passwordForm{Password: goodPass}), a.client().login(aliceEmail, goodPass),
		} {
			if res.want(t, 429); res.Header.Get("Retry-After") == "" {
				t.Errorf("headers %v", res.Header)
			}
		}
		failed, locked := eventsOf[events.Failed](a), eventsOf[events.Lockout](a)
		if len(failed) != 5 || len(locked) != 4 {
			t.Errorf("%d failed, %d locked out", len(failed), len(locked))
		}
		for _, e := range failed {
			if e.UserID != a.alice.AuthID() || e.Account == "" || e.Account != failed[0].Account {
				t.Errorf("event %+v", e)
			}
		}
		bob.confirm(goodPass).want(t, 204)
		a.clock.advance(time.Minute)
		c.confirm(goodPass).want(t, 204)
		for range 5 { // a success has cleared the count
			c.confirm("wrong").want(t, 422)
		}
		c.confirm("wrong").want(t, 429)
	})
}

func TestChangePassword(t *testing.T) { // P12
	eachBackend(t, func(t *testing.T, b *backend) {
		a, box := accounts(t, b)
		c := a.loggedIn(aliceEmail)
		for _, bad := range []passwordForm{{"", nextPass}, {goodPass, ""}, {goodPass, "short"}, {goodPass, aliceEmail}, {nextPass, nextPass}} {
			c.post("/password", bad).want(t, 422)
		}
		a.bearing(a.personal(c, "*").Token).post("/password", passwordForm{goodPass, nextPass}).want(t, 403)
		a.client().post("/password", passwordForm{goodPass, nextPass}).is401(t)
		if n := len(eventsOf[events.PasswordChanged](a)); n != 0 {
			t.Errorf("%d events of no change", n)
		}
		c.as(firefox).post("/password", passwordForm{goodPass, nextPass}).want(t, 204)
		c.get("/sudo").want(t, 200)
		a.client().login(aliceEmail, goodPass).want(t, 401)
		a.client().login(aliceEmail, nextPass).want(t, 200)
		changed := eventsOf[events.PasswordChanged](a)
		if len(changed) != 1 || changed[0].UserID != a.alice.AuthID() {
			t.Errorf("events %+v", changed)
		}
		m, err := box.WaitFor(t.Context(), func(m mail.Message) bool { return m.Kind == mail.PasswordChanged })
		if err != nil || m.To.Email != aliceEmail || !strings.Contains(m.Text, "Firefox on Linux") || strings.Contains(m.Text, nextPass) {
			t.Errorf("mail to %q, %v", m.To.Email, err)
		}
	})
}

func TestConfirmPasswordOutage(t *testing.T) { // F01
	b, onTokens := memoryBackend(t).faultyTokens()
	b, f := b.faultyKeepingTokens()
	a, _ := accounts(t, b, func(c *ginauth.Config) { c.StoreTimeout = 200 * time.Millisecond })
	c := a.remembered(aliceEmail).only(rememberCookie)
	c.get("/me").want(t, 200)
	for _, mode := range outages(b) {
		for _, op := range []string{"load", "user by id"} {
			f.set(op, mode)
			c.get("/sudo").want(t, 503)
			c.confirm(goodPass).want(t, 503)
		}
		for _, op := range []string{"take", "update", "reset"} {
			f.set(op, mode)
			before := c.session()
			c.confirm(goodPass).want(t, 503)
			if c.session() != before {
				t.Errorf("%s: a 503 sets a cookie", op)
			}
		}
		f.set("", faultNone)
		onTokens.set("lives", mode)
		c.get("/sudo").want(t, 503)
		onTokens.set("", faultNone)
		c.get("/sudo").asksToConfirm(t)
	}
	c.confirm(goodPass).want(t, 204)
	c.get("/sudo").want(t, 200)
}

// A password may be right for one guard's user and not for another's.
func TestConfirmPasswordIsOfOneGuard(t *testing.T) {
	staff := newMemoryUsers()
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
	}, func(a *app, r *gin.Engine) {
		r.POST("/enter", func(c *gin.Context) {
			for _, guard := range []string{"web", "staff"} {
				if _, err := ginauth.From(c).Guard(guard).LoginUsingID(c.Request.Context(), "1"); err != nil {
					t.Error(err)
				}
			}
		})
		for _, guard := range []string{"web", "staff"} {
			r.GET("/sudo/"+guard, a.m.Auth(guard), a.m.ConfirmPassword(), me)
			r.POST("/confirm/"+guard, a.m.Auth(guard), func(c *gin.Context) {
				answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), c.Query("password")))
			})
		}
	})
	boss := &models.User{Name: "Boss", Email: "boss@example.com"}
	boss.Password, _ = a.m.Hasher().Hash(t.Context(), nextPass)
	if err := staff.CreateUser(t.Context(), boss); err != nil {
		t.Fatal(err)
	}
	c := a.client()
	c.post("/enter", nil).want(t, 200)
	c.post("/confirm/staff?password="+strings.ReplaceAll(goodPass, " ", "+"), nil).want(t, 422)
	c.post("/confirm/web?password="+strings.ReplaceAll(goodPass, " ", "+"), nil).want(t, 204)
	c.get("/sudo/web").want(t, 200)
	c.get("/sudo/staff").asksToConfirm(t)
	c.post("/confirm/staff?password="+strings.ReplaceAll(nextPass, " ", "+"), nil).want(t, 204)
	c.get("/sudo/staff").want(t, 200)
	c.get("/sudo/web").want(t, 200)
}
