package routes_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// forgot requests a reset link and returns its token.
func forgot(a *testapp.App, email string) string {
	a.Helper()
	a.Client().Post("/forgot-password", fields{"email": email}).Want(a, 202)
	link := testapp.PathOf(a, a.Outbox.Next(a, mail.ResetPassword, email))
	if !strings.HasPrefix(link, "/reset-password#email=") {
		a.Fatalf("link %q", link)
	}
	return testapp.TokenOf(a, link)
}

func resetPassword(a *testapp.App, email, token, password string) *testapp.Response {
	a.Helper()
	return a.Client().Post("/reset-password", fields{"email": email, "token": token, "password": password})
}

// W01, W10: a reset ends everything that was issued to the user, does not log
// in, informs the owner, and works only once.
func TestResetEndsEverythingAndWorksOnce(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		session, remembered := a.LoggedIn(testapp.Alice), a.Client()
		remembered.Post("/login", fields{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200)
		delete(remembered.Cookies, testapp.SessionCookie)
		tokens := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
		others := a.LoggedIn(testapp.Bob)

		token := forgot(a, testapp.Alice)
		r := resetPassword(a, testapp.Alice, token, testapp.NewPassword).Want(t, 204)
		if len(r.Cookies()) != 0 {
			t.Errorf("cookies %v", r.Cookies())
		}
		a.Outbox.Next(a, mail.PasswordChanged, testapp.Alice)
		session.Get("/me").Want(t, 401)
		remembered.Get("/me").Want(t, 401)
		a.Bearer(tokens.AccessToken).Get("/me").Want(t, 401)
		a.Client().Post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).Want(t, 401)
		others.Get("/me").Want(t, 200)

		resetPassword(a, testapp.Alice, token, "CANARY another password").WantField(t, "token")
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
		a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 200)
		testapp.WantEvents[events.PasswordResetLinkSent](a, 1)
		testapp.WantEvents[events.PasswordReset](a, 1)
	})
}

// E03, E07: the response to a request for a link does not reveal whether an
// account has the address.
func TestForgotHidesAccounts(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
		for _, path := range []string{"/forgot-password", "/verify-email/resend"} {
			unknown := a.Client().Post(path, fields{"email": "nobody@example.com"}).Want(t, 202)
			testapp.Same(t, a.Client().Post(path, fields{"email": testapp.Bob}), unknown)
			for range 3 { // both are throttled in the same way
				testapp.Same(t, a.Client().Post(path, fields{"email": testapp.Bob}), unknown)
				testapp.Same(t, a.Client().Post(path, fields{"email": "nobody@example.com"}), unknown)
			}
			testapp.Same(t, a.Client().Post(path, fields{"email": testapp.Alice}), unknown) // an address that is already verified
		}
		rest := a.RestOfMails()
		slices.Sort(rest)
		if !slices.Equal(rest, []string{mail.ResetPassword, mail.ResetPassword, mail.VerifyEmail}) {
			t.Errorf("mails %v", rest)
		}
	})
}

// E03, E07: the response time does not reveal it either: mails are made after
// the response.
func TestMailsAreMadeAfterResponse(t *testing.T) {
	answered := make(chan struct{}, 1)
	a := newApp(t, testapp.Memory(t), setup{config: func(c *ginauth.Config) {
		c.Mail.Language = func(models.Authenticatable) string {
			select {
			case <-answered:
			case <-time.After(10 * time.Second):
				t.Error("a mail was made before the response")
			}
			return ""
		}
	}})
	a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
	for path, kind := range map[string]string{"/forgot-password": mail.ResetPassword, "/verify-email/resend": mail.VerifyEmail} {
		a.Client().Post(path, fields{"email": testapp.Bob}).Want(t, 202)
		answered <- struct{}{}
		testapp.PathOf(a, a.Outbox.Next(a, kind, testapp.Bob))
	}
}

// E04: the response is the same if no mail can be sent.
func TestForgotHidesMailerFailure(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		a.Outbox.Break(fmt.Errorf("smtp.example: %w", mail.ErrPermanent))
		unknown := a.Client().Post("/forgot-password", fields{"email": "nobody@example.com"}).Want(t, 202)
		testapp.Same(t, a.Client().Post("/forgot-password", fields{"email": testapp.Alice}), unknown)
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// E05, W07: the response is the same for a wrong token, another user's token
// and an unknown address.
func TestFailedResetsHaveSameResponse(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		token := forgot(a, testapp.Alice)
		wrong := token[:len(token)-2] + "AA"
		if wrong == token {
			wrong = token[:len(token)-2] + "gA"
		}
		answer := resetPassword(a, testapp.Alice, wrong, testapp.NewPassword)
		answer.WantField(t, "token")
		testapp.Same(t, resetPassword(a, "nobody@example.com", token, testapp.NewPassword), answer)
		testapp.Same(t, resetPassword(a, "nobody@example.com", wrong, testapp.NewPassword), answer)
		testapp.Same(t, resetPassword(a, testapp.Bob, token, testapp.NewPassword), answer)
		testapp.Same(t, resetPassword(a, testapp.Bob, "", testapp.NewPassword), answer)
		testapp.Same(t, resetPassword(a, testapp.Bob, strings.Repeat("x", 10000), testapp.NewPassword), answer)
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		a.Client().LogIn(testapp.Bob, testapp.Password).Want(t, 200)
		a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 401)
		resetPassword(a, testapp.Alice, token, "short").WantField(t, "password") // does not consume the token
		resetPassword(a, testapp.Alice, token, testapp.NewPassword).Want(t, 204)
	})
}

// W02, W04, W05: the cases in which a reset token is no longer valid.
func TestResetTokenBecomesInvalid(t *testing.T) {
	for name, kill := range map[string]func(a *testapp.App){
		"expired": func(a *testapp.App) { a.Clock.Advance(time.Hour + time.Second) },
		"newer": func(a *testapp.App) {
			a.Clock.Advance(time.Minute)
			forgot(a, testapp.Alice)
		},
		"password changed": func(a *testapp.App) {
			a.LoggedIn(testapp.Alice).Call("PUT", "/password", fields{"current_password": testapp.Password, "password": testapp.NewPassword}).Want(a, 204)
			a.Outbox.Next(a, mail.PasswordChanged, testapp.Alice)
		},
		"address changed": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "other" })
		},
		"disabled": func(a *testapp.App) {
			now := a.Clock.Now()
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.DisabledAt = &now })
		},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := newApp(t, b, setup{})
				token := forgot(a, testapp.Alice)
				kill(a)
				resetPassword(a, testapp.Alice, token, "CANARY yet another good one").WantField(t, "token")
			})
		})
	}
	t.Run("just before it expires", func(t *testing.T) {
		a := newApp(t, testapp.Memory(t), setup{})
		token := forgot(a, testapp.Alice)
		a.Clock.Advance(time.Hour - time.Second)
		resetPassword(a, testapp.Alice, token, testapp.NewPassword).Want(t, 204)
	})
}

// W06: no part of a request appears in a link.
func TestLinksUseConfiguredBaseURL(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	for name, value := range map[string]string{
		"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "javascript", "X-Forwarded-Prefix": "/evil",
		"Forwarded": "host=evil.example;proto=http", "X-Original-URL": "https://evil.example/", "Referer": "https://evil.example/",
	} {
		a.Clock.Advance(time.Hour)
		req, err := http.NewRequest("POST", a.Server.URL+"/forgot-password", strings.NewReader(`{"email":"`+testapp.Alice+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
		res, err := a.Server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		m := a.Outbox.Next(a, mail.ResetPassword, testapp.Alice)
		if testapp.PathOf(a, m); strings.Contains(m.Text+m.HTML+m.Subject, "evil") {
			t.Errorf("with %s the mail is %s", name, m.Text)
		}
	}
	// A request that comes from another origin and says so.
	c := a.Client()
	c.Header.Set("Origin", "https://evil.example")
	c.Post("/forgot-password", fields{"email": testapp.Bob}).Want(t, 403)
	// New refuses a mailer without BaseURL.
	_, err := ginauth.New(ginauth.Config{Mail: ginauth.MailConfig{Mailer: a.Outbox}})
	if !errors.Is(err, ginauth.ErrConfig) {
		t.Errorf("New without a BaseURL: %v", err)
	}
}

// W08: the reset token is neither in the store nor in logs. W09: a GET request
// does not consume it.
func TestResetTokenIsNotStored(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		token := forgot(a, testapp.Alice)
		for _, path := range []string{"/reset-password", "/reset-password?token=" + token + "&email=" + testapp.Alice + "&password=x"} {
			a.Client().Get(path).Want(t, 404)
			a.Client().Do("HEAD", path, "", "").Want(t, 404)
		}
		if db := b.DB; db != nil {
			var rows []models.Token
			if err := db.Find(&rows).Error; err != nil || len(rows) != 1 {
				t.Fatalf("%d tokens, %v", len(rows), err)
			}
			if text := fmt.Sprintf("%+v", rows[0]); strings.Contains(text, token) || strings.Contains(text, token[len(token)-43:]) {
				t.Error("the token is stored")
			}
		}
		resetPassword(a, testapp.Alice, token, testapp.NewPassword).Want(t, 204)
		_ = a.RestOfMails()
		if strings.Contains(a.Logs.String(), token) {
			t.Error("the token is in the log")
		}
	})
}

// W11: no number of wrong tokens keeps the right one out, from any address. Wrong ones are
// counted by the client's IP address.
func TestWrongResetTokensKeepNobodyOut(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{config: testapp.AddressFromHeader})
		token := forgot(a, testapp.Alice)
		post := func(ip, email, token string) *testapp.Response {
			return a.Client().From(ip).Post("/reset-password", fields{"email": email, "token": token, "password": testapp.NewPassword})
		}
		for range 15 {
			post("192.0.2.1", testapp.Alice, "gpr_wrong").WantField(t, "token")
			post("192.0.2.1", "nobody@example.com", "gpr_wrong").WantField(t, "token")
		}
		known := post("192.0.2.1", testapp.Alice, "gpr_wrong").Want(t, 429)
		testapp.Same(t, post("192.0.2.1", "nobody@example.com", "gpr_wrong"), known)
		post("192.0.2.2", testapp.Alice, "gpr_wrong").WantField(t, "token") // another address is not affected
		post("192.0.2.1", testapp.Alice, token).Want(t, 204)                // nor is the right token
	})
}

// Wrong links keep no right one out either.
func TestWrongLinksKeepNobodyOut(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	link := unverified(a)
	for range 40 {
		a.Client().Post(link+"x", "{}")
		a.Client().Post("/confirm-email/x", "{}")
	}
	a.Client().Post(link+"x", "{}").Want(t, 429)
	a.Client().Post("/confirm-email/x", "{}").Want(t, 429)
	a.Client().Post(link, "{}").Want(t, 200)
	a.Client().Post(changeEmail(a, a.LoggedIn(testapp.Alice), "new@example.com"), "{}").Want(t, 200)
}

// W11: an account gets one mail of a kind per minute and five per hour.
func TestMailsToAccountAreLimited(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		for minute := range 7 {
			for range 20 {
				a.Client().Post("/forgot-password", fields{"email": testapp.Alice}).Want(t, 202)
			}
			if minute < 5 {
				a.Outbox.Next(a, mail.ResetPassword, testapp.Alice) // they are made after the response
			}
			a.Clock.Advance(time.Minute + time.Second)
		}
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("%d mails in 7 minutes, want 5", 5+len(rest))
		}
	})
}
