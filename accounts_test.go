package ginauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

func TestConfirmationEndsAfterItsLifetime(t *testing.T) { // S02
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

// Each id is dead as soon as it was replaced, not only after the logout. For a moment the answer is
// 409, because a request may have raced with the new id.
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
			a.WantReplaced(before, "/me")
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

func TestConfirmPasswordIsForLogins(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		access := a.IssueTokens(testapp.Alice).AccessToken
		c := a.LoggedIn(testapp.Alice)
		personal := c.Personal("*").Text
		a.Bearer(access).Get("/sudo").WantConfirmation(t)
		a.Bearer(personal).Get("/sudo").WantConfirmation(t)
		a.Bearer(personal).Confirm(testapp.Password).Want(t, 403)
		a.Bearer(access).Confirm(testapp.Password).Want(t, 204)
		a.Bearer(access).Get("/sudo").Want(t, 200)
		a.Client().Get("/sudo").Want401(t)
		a.Client().Confirm(testapp.Password).Want401(t)
		// A session's confirmation is nothing to a token beside it.
		both := a.Bearer(personal)
		both.Cookies[testapp.SessionCookie] = c.Session()
		both.Get("/sudo").Want(t, 200) // "web" is asked first
		both.Get("/sudo-token").WantConfirmation(t)
	})
}

// TestConfirmPasswordNeedsTheOwnSession confirms a password by one user's credentials in a
// request with another's session.
func TestConfirmPasswordNeedsTheOwnSession(t *testing.T) { // M05
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/confirm-by-basic", a.Basic(), func(c *gin.Context) {
			if err := ginauth.From(c).ConfirmPassword(c.Request.Context(), testapp.Password); err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.Status(204)
		})
	}))
	alice := a.LoggedIn(testapp.Alice)
	a.Clock.Advance(16 * time.Minute)
	alice.Get("/sudo").Want(t, 403)
	alice.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(testapp.Bob+":"+testapp.Password)))
	alice.Post("/confirm-by-basic", nil).Want(t, 401)
	alice.Header.Del("Authorization")
	alice.Get("/sudo").Want(t, 403)
}

func TestBrowsersAreSentToTheConfirmPage(t *testing.T) {
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

func TestPasswordChangeNeedsTheCurrentPassword(t *testing.T) { // P12
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

// headerGuard finds its user in a header, and keeps no login.
type headerGuard struct{ users models.UserProvider }

func (g headerGuard) Identify(ctx context.Context, a *ginauth.Authenticator) (ginauth.Identity, error) {
	u, err := g.users.UserByID(ctx, a.Request().Header.Get("X-User"))
	if err != nil || u == nil {
		return ginauth.Identity{}, err
	}
	return ginauth.Identity{User: u}, nil
}

// changesNothing is a provider that no password can be given to.
type changesNothing struct{ testapp.Users }

func (changesNothing) ChangePassword(context.Context, string, string, string, string) (models.Authenticatable, error) {
	return nil, errors.ErrUnsupported
}

// What a guard keeps no login for ends the others, and begins none.
func TestPasswordChangeByAGuardWithoutLogins(t *testing.T) { // P12
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		passwords := []string{testapp.Password, "marbled ocelots juggle", "marbled ocelots rest", "marbled ocelots sleep"}
		var errs []error
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{
				"web":    {},
				"header": {New: func(s ginauth.GuardSetup) (ginauth.Guard, error) { return headerGuard{s.Users}, nil }},
				"still":  {Users: changesNothing{b.Users}, Realm: "users"},
			}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			change := func(c *gin.Context) {
				res, err := ginauth.From(c).ChangePassword(c.Request.Context(), c.Query("from"), c.Query("to"))
				if err == nil && (res.User == nil || res.Tokens != nil) {
					t.Errorf("result %+v", res)
				}
				errs = append(errs, err)
				testapp.Answer(c, res, err)
			}
			confirm := func(c *gin.Context) {
				err := ginauth.From(c).ConfirmPassword(c.Request.Context(), testapp.Password)
				errs = append(errs, err)
				testapp.Answer(c, nil, err)
			}
			r.POST("/header/password", a.Auth("header"), change)
			r.POST("/header/confirm", a.Auth("header"), confirm)
			r.POST("/basic/password", a.Basic(), change)
			r.POST("/basic-still/password", a.Basic(ginauth.BasicGuard("still")), change)
		}))
		bare := gin.New() // without StartSession
		bare.POST("/bare/password", a.Basic(), func(c *gin.Context) {
			res, err := ginauth.From(c).ChangePassword(c.Request.Context(), c.Query("from"), c.Query("to"))
			testapp.Answer(c, res, err)
		})
		bare.POST("/bare/confirm", a.Basic(), func(c *gin.Context) {
			testapp.Answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), passwords[2]))
		})
		path := func(where, from, to string) string {
			return where + "?" + "from=" + url.QueryEscape(from) + "&to=" + url.QueryEscape(to)
		}
		header := a.Client()
		header.Header.Set("X-User", a.Alice.AuthID())

		session := a.LoggedIn(testapp.Alice)
		header.Post(path("/header/password", testapp.Password, passwords[1]), nil).Want(t, 204)
		session.Get("/me").Want401(t)
		header.Post("/header/confirm", nil).Want(t, 403)
		if err := errs[len(errs)-1]; !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("confirming: %v", err)
		}

		bob := a.LoggedIn(testapp.Bob)
		c := a.BasicAuth(testapp.Alice, passwords[1])
		c.Cookies[testapp.SessionCookie] = bob.Session()
		if res := c.Post(path("/basic/password", passwords[1], passwords[2]), nil).Want(t, 204); len(res.Header["Set-Cookie"]) > 1 {
			t.Errorf("cookies %q", res.Header["Set-Cookie"]) // of a known device, and no more
		}
		if name := bob.Get("/me").Want(t, 200).UserName(t); name != "Bob" {
			t.Errorf("the session is %s's", name)
		}

		c = a.BasicAuth(testapp.Alice, passwords[2])
		c.Post(path("/basic-still/password", passwords[2], passwords[3]), nil).Want(t, 500)
		if err := errs[len(errs)-1]; !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ginauth.ErrUnavailable) {
			t.Errorf("a provider that cannot: %v", err)
		}

		a.Serve(bare)
		c.Post("/bare/confirm", nil).Want(t, 403)
		c.Post(path("/bare/password", passwords[2], passwords[3]), nil).Want(t, 204)
		a.BasicAuth(testapp.Alice, passwords[3]).Post("/bare/confirm", nil).Want(t, 403)
	})
}
