package routes_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// panicky panics with a secret, as a database driver could.
type panicky struct{ testapp.Users }

func (p panicky) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	switch canonical {
	case "panic@example.com":
		panic("CANARY-panic")
	case "down@example.com":
		return nil, errors.New("dial tcp 10.1.2.3:5432: connection refused")
	}
	return p.Users.UserByIdentifier(ctx, field, canonical)
}

// TestResetDuringAnOutage asks for the user of a token, who is found by the identifier.
func TestResetDuringAnOutage(t *testing.T) {
	b := testapp.Memory(t)
	users := &deaf{Users: b.Users}
	b.Users = users
	a := newApp(t, b, setup{options: routes.Options{Pages: map[routes.Route]routes.Page{routes.ResetPassword: {Failed: "/failed"}}}})
	token := forgot(a, testapp.Alice)
	users.err = errors.New("dial tcp 10.1.2.3:5432: connection refused")
	r := a.Browser().Form("/reset-password", "token="+token+"&password=CANARY+another+password").Want(t, 503)
	if strings.Contains(r.Text, "10.1.2.3") || len(r.Cookies()) != 0 {
		t.Errorf("%v %s", r.Header, r.Text)
	}
	users.err = nil
	a.Client().Post("/reset-password", fields{"token": token, "password": testapp.NewPassword}).Want(t, 204)
	a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 200)
}

// deaf finds no user by the identifier while err is set.
type deaf struct {
	testapp.Users
	err error
}

func (d *deaf) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if d.err != nil {
		return nil, d.err
	}
	return d.Users.UserByID(ctx, id)
}

// L01, L02, F11: the response to a panic is a 500 without details, and the next
// request works.
func TestPanicResponseHasNoDetails(t *testing.T) {
	b := testapp.Memory(t)
	b.Users = panicky{b.Users}
	a := newApp(t, b, setup{})
	for _, path := range []string{"/login", "/token", "/forgot-password", "/verify-email/resend"} {
		r := a.Client().Post(path, fields{"email": "panic@example.com", "password": testapp.Password, "token": "x"}).Want(t, 500)
		if r.Text != `{"code":"internal_error","message":"Something went wrong."}` {
			t.Errorf("%s: %s", path, r.Text)
		}
	}
	a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
}

// L02, F02: the response to an outage is a 503 without details and cookies.
// Browsers are not redirected to the page of the form.
func TestOutageResponseHasNoDetails(t *testing.T) {
	b := testapp.Memory(t)
	b.Users = panicky{b.Users}
	pages := map[routes.Route]routes.Page{}
	for _, r := range []routes.Route{routes.Login, routes.ForgotPassword, routes.ResendVerification} {
		pages[r] = routes.Page{Failed: "/failed"}
	}
	a := newApp(t, b, setup{options: routes.Options{Pages: pages}})
	for _, path := range []string{"/login", "/token", "/forgot-password", "/verify-email/resend"} {
		r := a.Browser().Form(path, "email=down%40example.com&token=x&password=CANARY").Want(t, 503)
		if !strings.Contains(r.Text, "<h1>Service Unavailable</h1>") || strings.Contains(r.Text, "10.1.2.3") {
			t.Errorf("%s: %s", path, r.Text)
		}
		if len(r.Cookies()) != 0 || r.Header.Get("Retry-After") == "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", path, r.Header)
		}
	}
}

// L04: each action dispatches its events exactly once.
func TestEachEventIsDispatchedOnce(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.Client()
		var tokens ginauth.TokenPair
		var personal ginauth.PersonalToken
		var link string
		told := 0
		for _, step := range []struct {
			name string
			do   func()
			want string
		}{
			{"login", func() { c.LogIn(testapp.Alice, testapp.Password).Want(t, 200) }, "attempting authenticated login"},
			{"wrong password", func() { a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401) }, "attempting failed"},
			{"unknown account", func() { a.Client().LogIn("x@example.com", "wrong").Want(t, 401) }, "attempting failed"},
			{"wrong own password", func() { c.Post("/confirm-password", fields{"password": "wrong"}).Want(t, 422) }, "failed"},
			{"throttled", func() {
				for range 4 {
					a.Client().LogIn("x@example.com", "wrong").Want(t, 401)
				}
				a.Client().LogIn("x@example.com", "wrong").Want(t, 429)
			}, strings.Repeat("attempting failed ", 4) + "lockout"},
			{"registration", func() {
				a.Client().Post("/register", registration("ann@example.com")).Want(t, 201)
				link = testapp.PathOf(a, a.Outbox.Next(a, mail.VerifyEmail, "ann@example.com"))
			}, "registered"},
			{"verification", func() {
				a.Client().Post(link, fields{"password": testapp.NewPassword}).Want(t, 200)
			}, "verified"},
			{"again", func() { a.Client().Post(link, "{}").Want(t, 200) }, ""},
			{"bad link", func() { a.Client().Post(link+"x", "{}").Want(t, 403) }, ""},
			{"reset asked", func() {
				link = forgot(a, testapp.Bob)
				ginauthtest.AssertDispatched[events.PasswordResetLinkSent](a, a.Events)
			}, "password_reset_link_sent"},
			{"reset", func() { resetPassword(a, testapp.Bob, link, testapp.NewPassword).Want(t, 204) }, "password_reset"},
			{"used token", func() { resetPassword(a, testapp.Bob, link, testapp.NewPassword).Want(t, 422) }, ""},
			{"tokens", func() {
				tokens = a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
			}, "attempting authenticated login token_created"},
			{"refresh", func() { a.Client().Post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).Want(t, 200) }, "token_refreshed"},
			{"reuse", func() {
				a.Clock.Advance(time.Minute)
				a.Client().Post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).Want(t, 401)
			}, "token_reused"},
			{"personal token", func() { personal = c.CreateToken(fields{"name": "x"}) }, "token_created"},
			{"personal token revoked", func() { c.Do("DELETE", "/tokens/"+personal.ID, "", "").Want(t, 204) }, "token_revoked"},
			{"address", func() {
				link = changeEmailAfter(a, c, "new@example.com")
				c.Post(link, "{}").Want(t, 200)
			}, "email_changed"},
			{"password", func() { c.Call("PUT", "/password", change(testapp.Password, testapp.NewPassword)).Want(t, 204) }, "password_changed"},
			{"others", func() { c.Call("DELETE", "/devices", fields{"password": testapp.NewPassword}).Want(t, 204) }, "other_device_logout"},
			{"logout", func() { c.Do("POST", "/logout", "", "").Want(t, 204) }, "logout"},
			{"again", func() { c.Do("POST", "/logout", "", "").Want(t, 204) }, ""},
		} {
			step.do()
			all := a.Events.All()
			var names []string
			for _, e := range all[told:] {
				names = append(names, e.EventName())
				if meta := e.EventMeta(); meta.Time.IsZero() || meta.Address != "127.0.0.1" || meta.UserID == "" && meta.Account == "" {
					t.Errorf("%s: %s is of %v, address %q, user %q", step.name, e.EventName(), meta.Time, meta.Address, meta.UserID)
				}
			}
			told = len(all)
			want := strings.Fields(step.want)
			slices.Sort(want)
			slices.Sort(names)
			if !slices.Equal(names, want) {
				t.Errorf("%s: events %v, want %v", step.name, names, want)
			}
		}
	})
}

// changeEmailAfter is like changeEmail, but skips mails that were sent before.
func changeEmailAfter(a *testapp.App, c *testapp.Client, email string) string {
	a.Helper()
	c.Call("PUT", "/email", fields{"email": email}).Want(a, 202)
	return testapp.PathOf(a, a.Outbox.Await(a, mail.EmailChange))
}
