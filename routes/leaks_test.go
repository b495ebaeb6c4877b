package routes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// keep records a secret for checkLeaks.
func (a *app) keep(secrets ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range secrets {
		if len(s) >= 16 {
			a.secrets = append(a.secrets, s)
		}
	}
}

// keepAnswer records the secrets in a response: cookies, tokens and form
// tokens.
func (a *app) keepAnswer(path string, r *response) {
	for _, cookie := range r.Cookies() {
		a.keep(cookie.Value)
	}
	var texts map[string]any
	if json.Unmarshal([]byte(r.body), &texts) == nil {
		for _, name := range []string{"access_token", "refresh_token", "token"} {
			text, _ := texts[name].(string)
			a.keep(text)
		}
	}
	if path == "/form-token" {
		a.keep(r.body)
	}
}

// checkLeaks runs after every test of this package, when no goroutine runs any
// more. L01: no log, event or panic contains a secret. D05: neither does a
// response, except for the one that issues the secret.
func (a *app) checkLeaks() {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := map[string]string{"log": a.logs.String(), "answers": a.bodies.String()}
	for _, e := range a.events {
		data, err := json.Marshal(e)
		text["events"] += fmt.Sprintf("%+v %s %v\n", e, data, err)
	}
	secrets := append(a.secrets, "CANARY", "$argon2id$", "password_hash", "security_stamp", "SecurityStamp", "email_canonical")
	for where, text := range text {
		for _, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				a.Errorf("a secret is in the %s: …%q", where, text[max(0, i-100):i+min(len(secret), 8)])
			}
		}
	}
}

// panicky panics with a secret, as a database driver could.
type panicky struct{ *memoryUsers }

func (p panicky) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	switch canonical {
	case "panic@example.com":
		panic("CANARY-panic")
	case "down@example.com":
		return nil, errors.New("dial tcp 10.1.2.3:5432: connection refused")
	}
	return p.memoryUsers.UserByIdentifier(ctx, field, canonical)
}

// L01, L02, F11: the response to a panic is a 500 without details, and the next
// request works.
func TestPanicResponseHasNoDetails(t *testing.T) {
	b := memory(t)
	b.users = panicky{b.users.(*memoryUsers)}
	a := newApp(t, b, setup{})
	for _, path := range []string{"/login", "/token", "/forgot-password", "/verify-email/resend", "/reset-password"} {
		r := a.client().post(path, fields{"email": "panic@example.com", "password": pass, "token": "x"}).want(t, 500)
		if r.body != `{"code":"internal_error","message":"Something went wrong."}` {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	a.client().login(alice, pass).want(t, 200)
}

// L02, F02: the response to an outage is a 503 without details and cookies.
// Browsers are not redirected to the page of the form.
func TestOutageResponseHasNoDetails(t *testing.T) {
	b := memory(t)
	b.users = panicky{b.users.(*memoryUsers)}
	pages := map[routes.Route]routes.Page{}
	for _, r := range []routes.Route{routes.Login, routes.ForgotPassword, routes.ResendVerification, routes.ResetPassword} {
		pages[r] = routes.Page{Failed: "/failed"}
	}
	a := newApp(t, b, setup{options: routes.Options{Pages: pages}})
	for _, path := range []string{"/login", "/token", "/forgot-password", "/verify-email/resend", "/reset-password"} {
		r := a.browser().form(path, "email=down%40example.com&token=x&password=CANARY").want(t, 503)
		if !strings.HasPrefix(r.body, `{"code":"unavailable","message":`) || strings.Contains(r.body, "10.1.2.3") {
			t.Errorf("%s: %s", path, r.body)
		}
		if len(r.Cookies()) != 0 || r.Header.Get("Retry-After") == "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", path, r.Header)
		}
	}
}

// L04: each action dispatches its events exactly once.
func TestEachEventIsDispatchedOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.client()
		var tokens pair
		var personal ginauth.PersonalToken
		var link string
		told := 0
		for _, step := range []struct {
			name string
			do   func()
			want string
		}{
			{"login", func() { c.login(alice, pass).want(t, 200) }, "attempting authenticated login"},
			{"wrong password", func() { a.client().login(alice, "wrong").want(t, 401) }, "attempting failed"},
			{"unknown account", func() { a.client().login("x@example.com", "wrong").want(t, 401) }, "attempting failed"},
			{"wrong own password", func() { c.post("/confirm-password", fields{"password": "wrong"}).want(t, 422) }, "failed"},
			{"throttled", func() {
				for range 4 {
					a.client().login("x@example.com", "wrong").want(t, 401)
				}
				a.client().login("x@example.com", "wrong").want(t, 429)
			}, strings.Repeat("attempting failed ", 4) + "lockout"},
			{"registration", func() {
				a.client().post("/register", registration("ann@example.com")).want(t, 201)
				link = a.link(a.mail(mail.VerifyEmail, "ann@example.com"))
			}, "registered"},
			{"verification", func() { a.client().get(link).want(t, 200) }, "verified"},
			{"again", func() { a.client().get(link).want(t, 200) }, ""},
			{"bad link", func() { a.client().get(link+"x").want(t, 403) }, ""},
			{"reset asked", func() {
				link = a.forgot(bob)
				await[events.PasswordResetLinkSent](a)
			}, "password_reset_link_sent"},
			{"reset", func() { a.reset(bob, link, newPass).want(t, 204) }, "password_reset"},
			{"used token", func() { a.reset(bob, link, newPass).want(t, 422) }, ""},
			{"tokens", func() {
				tokens = tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
			}, "attempting authenticated login token_created"},
			{"refresh", func() { a.client().post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).want(t, 200) }, "token_refreshed"},
			{"reuse", func() {
				a.clock.advance(time.Minute)
				a.client().post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).want(t, 401)
			}, "token_reused"},
			{"personal token", func() { personal = a.personalToken(c, fields{"name": "x"}) }, "token_created"},
			{"personal token revoked", func() { c.do("DELETE", "/tokens/"+personal.ID, "", "").want(t, 204) }, "token_revoked"},
			{"address", func() {
				link = a.changeEmailAfter(c, "new@example.com")
				c.get(link).want(t, 200)
			}, "email_changed"},
			{"password", func() { c.call("PUT", "/password", change(pass, newPass)).want(t, 204) }, "password_changed"},
			{"others", func() { c.call("DELETE", "/devices", fields{"password": newPass}).want(t, 204) }, "other_device_logout"},
			{"logout", func() { c.do("POST", "/logout", "", "").want(t, 204) }, "logout"},
			{"again", func() { c.do("POST", "/logout", "", "").want(t, 204) }, ""},
		} {
			step.do()
			a.mu.Lock()
			var names []string
			for _, e := range a.events[told:] {
				names = append(names, e.EventName())
				if meta := e.EventMeta(); meta.Time.IsZero() || meta.Address != "127.0.0.1" || meta.UserID == "" && meta.Account == "" {
					t.Errorf("%s: %s is of %v, address %q, user %q", step.name, e.EventName(), meta.Time, meta.Address, meta.UserID)
				}
			}
			told = len(a.events)
			a.mu.Unlock()
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
func (a *app) changeEmailAfter(c *client, email string) string {
	a.Helper()
	c.call("PUT", "/email", fields{"email": email}).want(a, 202)
	for {
		select {
		case m := <-a.mails:
			if m.Kind == mail.EmailChange {
				return a.link(m)
			}
		case <-time.After(20 * time.Second):
			a.Fatal("no mail")
		}
	}
}
