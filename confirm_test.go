package ginauth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

func TestConfirmPassword(t *testing.T) { // S02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Client()
		c.Post("/set?k=cart&v=full", nil).Want(t, 204)
		guest := c.Session()
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		login := c.Session()
		c.Get("/sudo").Want(t, 200) // the password was given just now
		a.Clock.Advance(15*time.Minute - time.Second)
		c.Get("/sudo").Want(t, 200)
		a.Clock.Advance(time.Second)
		c.Get("/sudo").WantConfirmation(t)
		c.Get("/me").Want(t, 200)
		c.Confirm(testapp.Password).Want(t, 204)
		confirmed := c.Session()
		if name := c.Get("/sudo").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("confirmed as %q", name)
		}
		if body := c.Get("/all").Text; !strings.Contains(body, "full") {
			t.Errorf("the session's values are lost: %s", body)
		}
		a.Clock.Advance(15 * time.Minute)
		c.Get("/sudo").WantConfirmation(t)
		c.Confirm(testapp.Password).Want(t, 204)
		again := c.Session()
		c.Post("/logout", nil).Want(t, 204)
		ids := []string{guest, login, confirmed, again}
		if slices.Sort(ids); slices.Contains(ids, "") || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Errorf("ids %q", ids)
		}
		for _, id := range ids {
			a.Client().With(id).Get("/me").Want401(t)
			a.Client().With(id).Get("/sudo").Want401(t)
		}
	})
}

// Each id is dead as soon as it was replaced, not only after the logout.
func TestConfirmPasswordReplacesTheID(t *testing.T) { // S02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		for step, do := range []func() *testapp.Response{
			func() *testapp.Response { return c.Confirm(testapp.Password) },
			func() *testapp.Response {
				return c.Post("/logout-others", testapp.Passwords("", testapp.Password))
			},
			func() *testapp.Response {
				return c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword))
			},
		} {
			before := c.Session()
			do().Want(t, 204)
			if c.Session() == before {
				t.Errorf("step %d: the id is the same", step)
			}
			a.Client().With(before).Get("/me").Want401(t)
			c.Get("/me").Want(t, 200)
		}
	})
}

func TestRememberedSessionIsNotConfirmed(t *testing.T) { // M05
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
		c.Get("/sudo").WantConfirmation(t)
		c.Get("/me").Want(t, 200)
		c.Get("/sudo").WantConfirmation(t)
		c.Post("/password", testapp.Passwords("", testapp.NewPassword)).Want(t, 422)
		c.Post("/password", testapp.Passwords("wrong", testapp.NewPassword)).Want(t, 422)
		c.Post("/logout-others", testapp.Passwords("", "wrong")).Want(t, 422)
		c.Confirm("wrong").Want(t, 422)
		c.Get("/sudo").WantConfirmation(t)

		// Whoever reads the user's mail has not given the password.
		a.ChangeEmail(c, "alice@new.example").Want(t, 204)
		c.Get("/me").Want(t, 200)
		c.Get("/sudo").WantConfirmation(t)

		c.Confirm(testapp.Password).Want(t, 204)
		c.Get("/sudo").Want(t, 200)
		// Another session of the same cookie is not.
		c.Only(testapp.RememberCookie).Get("/sudo").WantConfirmation(t)
	})
}

func TestLoginWithoutPasswordIsNotConfirmed(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/enter", func(c *gin.Context) {
			_, err := ginauth.From(c).LoginUsingID(c.Request.Context(), a.Alice.AuthID())
			testapp.Answer(c, nil, err)
		})
	}))
	c := a.Client()
	c.Post("/enter", nil).Want(t, 204)
	c.Get("/sudo").WantConfirmation(t)
	c.Confirm(testapp.Password).Want(t, 204)
	c.Get("/sudo").Want(t, 200)
	c.Post("/enter", nil).Want(t, 204) // begins anew
	c.Get("/sudo").WantConfirmation(t)
}

func TestConfirmPasswordIsForSessions(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		access := a.IssueTokens(testapp.Alice).AccessToken
		c := a.LoggedIn(testapp.Alice)
		personal := c.Personal("*").Text
		a.Bearer(access).Get("/sudo").WantConfirmation(t)
		a.Bearer(personal).Get("/sudo").WantConfirmation(t)
		a.Bearer(personal).Confirm(testapp.Password).Want(t, 403)
		hashes := a.Hasher().Computations()
		a.Bearer(access).Confirm(testapp.Password).Want(t, 403) // no session is there to note it in
		if n := a.Hasher().Computations() - hashes; n != 0 {
			t.Errorf("%d passwords were checked for nothing", n)
		}
		a.Client().Get("/sudo").Want401(t)
		a.Client().Confirm(testapp.Password).Want401(t)
		// A session's confirmation is nothing to a token beside it.
		both := a.Bearer(personal)
		both.Cookies[testapp.SessionCookie] = c.Session()
		both.Get("/sudo").Want(t, 200) // "web" is asked first
		both.Get("/sudo-token").WantConfirmation(t)
	})
}

func TestConfirmPasswordPage(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Pages = ginauth.PagesConfig{Login: "/login-page", ConfirmPassword: "/confirm-page", APIPrefixes: []string{"/api/"}}
	}))
	c := a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
	c.Header.Set("Accept", testapp.BrowserAccept)
	if to := c.Get("/sudo").Want(t, 303).Header.Get("Location"); to != "/confirm-page" {
		t.Errorf("to %q", to)
	}
	c.Header.Set("Accept", "application/json")
	c.Get("/sudo").WantConfirmation(t)
	guest := a.Client()
	guest.Header.Set("Accept", testapp.BrowserAccept)
	if to := guest.Get("/sudo").Want(t, 303).Header.Get("Location"); to != "/login-page" {
		t.Errorf("a guest: to %q", to)
	}
}

// Every place that asks for a password again counts with the login.
func TestPasswordsAskedForAgainAreCounted(t *testing.T) { // T08, P12
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c, bob := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Bob)
		delete(c.Cookies, testapp.DeviceCookie) // a device known to the account has tries of its own
		token := a.Bearer(a.IssueTokens(testapp.Alice).AccessToken)
		for i, wrong := range []func() *testapp.Response{
			func() *testapp.Response { return c.Confirm("wrong") },
			func() *testapp.Response { return c.Post("/password", testapp.Passwords("wrong", testapp.NewPassword)) },
			func() *testapp.Response { return c.Post("/logout-others", testapp.Passwords("", "wrong")) },
			func() *testapp.Response {
				return token.Post("/password", testapp.Passwords("wrong", testapp.NewPassword))
			},
		} {
			if res := wrong().Want(t, 422); strings.Contains(res.Text, "wrong") || !strings.Contains(res.Text, `"field"`) {
				t.Errorf("try %d: %s", i, res.Text)
			}
		}
		a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
		for _, res := range []*testapp.Response{
			c.Confirm(testapp.Password), c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)),
			c.Post("/logout-others", testapp.Passwords("", testapp.Password)), a.Client().LogIn(testapp.Alice, testapp.Password),
		} {
			if res.Want(t, 429); res.Header.Get("Retry-After") == "" {
				t.Errorf("headers %v", res.Header)
			}
		}
		failed, locked := testapp.EventsOf[events.Failed](a), testapp.EventsOf[events.Lockout](a)
		if len(failed) != 5 || len(locked) != 4 {
			t.Errorf("%d failed, %d locked out", len(failed), len(locked))
		}
		for _, e := range failed {
			if e.UserID != a.Alice.AuthID() || e.Account == "" || e.Account != failed[0].Account {
				t.Errorf("event %+v", e)
			}
		}
		bob.Confirm(testapp.Password).Want(t, 204)
		a.Clock.Advance(time.Minute)
		c.Confirm(testapp.Password).Want(t, 204)
		for range 5 { // a success has cleared the count
			c.Confirm("wrong").Want(t, 422)
		}
		c.Confirm("wrong").Want(t, 429)
	})
}

func TestChangePassword(t *testing.T) { // P12
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		for _, bad := range []testapp.PasswordForm{
			testapp.Passwords("", testapp.NewPassword), testapp.Passwords(testapp.Password, ""), testapp.Passwords(testapp.Password, "short"),
			testapp.Passwords(testapp.Password, testapp.Alice), testapp.Passwords(testapp.NewPassword, testapp.NewPassword),
		} {
			c.Post("/password", bad).Want(t, 422)
		}
		a.Bearer(c.Personal("*").Text).Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 403)
		a.Client().Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want401(t)
		if n := len(testapp.EventsOf[events.PasswordChanged](a)); n != 0 {
			t.Errorf("%d events of no change", n)
		}
		c.As(testapp.Firefox).Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
		c.Get("/sudo").Want(t, 200)
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
		a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 200)
		changed := testapp.EventsOf[events.PasswordChanged](a)
		if len(changed) != 1 || changed[0].UserID != a.Alice.AuthID() {
			t.Errorf("events %+v", changed)
		}
		m, err := a.Outbox.WaitFor(t.Context(), func(m mail.Message) bool { return m.Kind == mail.PasswordChanged })
		if err != nil || m.To.Email != testapp.Alice || !strings.Contains(m.Text, "Firefox on Linux") || strings.Contains(m.Text, testapp.NewPassword) {
			t.Errorf("mail to %q, %v", m.To.Email, err)
		}
	})
}

func TestConfirmPasswordOutage(t *testing.T) { // F01
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.StoreTimeout = 200 * time.Millisecond }))
	c := a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
	c.Get("/me").Want(t, 200)
	for _, mode := range testapp.Outages(b) {
		for _, op := range []testapp.Op{testapp.LoadSession, testapp.UserByID} {
			f.Set(mode, op)
			c.Get("/sudo").Want(t, 503)
			c.Confirm(testapp.Password).Want(t, 503)
		}
		for _, op := range []testapp.Op{testapp.ReserveSlots, testapp.UpdateSession, testapp.ResetSlots} {
			f.Set(mode, op)
			before := c.Session()
			c.Confirm(testapp.Password).Want(t, 503)
			if c.Session() != before {
				t.Errorf("%s: a 503 sets a cookie", op)
			}
		}
		f.Clear()
		f.Set(mode, testapp.Lives)
		c.Get("/sudo").Want(t, 503)
		f.Clear()
		c.Get("/sudo").WantConfirmation(t)
	}
	c.Confirm(testapp.Password).Want(t, 204)
	c.Get("/sudo").Want(t, 200)
}

// A password may be right for one guard's user and not for another's.
func TestConfirmPasswordIsOfOneGuard(t *testing.T) {
	staff := new(ginauthtest.Users)
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/enter", func(c *gin.Context) {
			for _, guard := range []string{"web", "staff"} {
				if _, err := ginauth.From(c).Guard(guard).LoginUsingID(c.Request.Context(), "1"); err != nil {
					t.Error(err)
				}
			}
		})
		for _, guard := range []string{"web", "staff"} {
			r.GET("/sudo/"+guard, a.Auth(guard), a.ConfirmPassword(), testapp.Me)
			r.POST("/confirm/"+guard, a.Auth(guard), func(c *gin.Context) {
				testapp.Answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), c.Query("password")))
			})
		}
	}))
	boss := &models.User{Name: "Boss", Email: "boss@example.com"}
	boss.Password, _ = a.Hasher().Hash(t.Context(), testapp.NewPassword)
	if err := staff.CreateUser(t.Context(), boss); err != nil {
		t.Fatal(err)
	}
	c := a.Client()
	c.Post("/enter", nil).Want(t, 200)
	c.Post("/confirm/staff?password="+strings.ReplaceAll(testapp.Password, " ", "+"), nil).Want(t, 422)
	c.Post("/confirm/web?password="+strings.ReplaceAll(testapp.Password, " ", "+"), nil).Want(t, 204)
	c.Get("/sudo/web").Want(t, 200)
	c.Get("/sudo/staff").WantConfirmation(t)
	c.Post("/confirm/staff?password="+strings.ReplaceAll(testapp.NewPassword, " ", "+"), nil).Want(t, 204)
	c.Get("/sudo/staff").Want(t, 200)
	c.Get("/sudo/web").Want(t, 200)
}
