package routes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// forgot requests a reset link and returns its token.
func (a *app) forgot(email string) string {
	a.Helper()
	a.client().post("/forgot-password", fields{"email": email}).want(a, 202)
	link := a.link(a.mail(mail.ResetPassword, email))
	token, ok := strings.CutPrefix(link, "/reset-password#token=")
	if !ok {
		a.Fatalf("link %q", link)
	}
	return token
}

func (a *app) reset(email, token, password string) *response {
	a.Helper()
	return a.client().post("/reset-password", fields{"email": email, "token": token, "password": password})
}

// W01, W10: a reset ends everything that was issued to the user, does not log
// in, informs the owner, and works only once.
func TestResetEndsEverythingAndWorksOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		session, remembered := a.loggedIn(alice), a.client()
		remembered.post("/login", fields{"email": alice, "password": pass, "remember": true}).want(t, 200)
		delete(remembered.cookies, sessionCookie)
		tokens := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		others := a.loggedIn(bob)

		token := a.forgot(alice)
		r := a.reset(alice, token, newPass).want(t, 204)
		if len(r.Cookies()) != 0 {
			t.Errorf("cookies %v", r.Cookies())
		}
		a.mail(mail.PasswordChanged, alice)
		session.get("/me").want(t, 401)
		remembered.get("/me").want(t, 401)
		a.bearer(tokens.AccessToken).get("/me").want(t, 401)
		a.client().post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).want(t, 401)
		others.get("/me").want(t, 200)

		a.reset(alice, token, "CANARY another password").wantField(t, "token")
		a.client().login(alice, pass).want(t, 401)
		a.client().login(alice, newPass).want(t, 200)
		wantEvents[events.PasswordResetLinkSent](a, 1)
		wantEvents[events.PasswordReset](a, 1)
	})
}

// E03, E07: the response to a request for a link does not reveal whether an
// account has the address.
func TestForgotHidesAccounts(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		a.b.users.change(a.bob, func(u *models.User) { u.EmailVerifiedAt = nil })
		for _, path := range []string{"/forgot-password", "/verify-email/resend"} {
			unknown := a.client().post(path, fields{"email": "nobody@example.com"}).want(t, 202)
			same(t, a.client().post(path, fields{"email": bob}), unknown)
			for range 3 { // both are throttled in the same way
				same(t, a.client().post(path, fields{"email": bob}), unknown)
				same(t, a.client().post(path, fields{"email": "nobody@example.com"}), unknown)
			}
			same(t, a.client().post(path, fields{"email": alice}), unknown) // an address that is already verified
		}
		rest := a.rest()
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
	a := newApp(t, memory(t), setup{config: func(c *ginauth.Config) {
		c.Mail.Language = func(models.Authenticatable) string {
			select {
			case <-answered:
			case <-time.After(10 * time.Second):
				t.Error("a mail was made before the response")
			}
			return ""
		}
	}})
	a.b.users.change(a.bob, func(u *models.User) { u.EmailVerifiedAt = nil })
	for path, kind := range map[string]string{"/forgot-password": mail.ResetPassword, "/verify-email/resend": mail.VerifyEmail} {
		a.client().post(path, fields{"email": bob}).want(t, 202)
		answered <- struct{}{}
		a.link(a.mail(kind, bob))
	}
}

// E04: the response is the same if no mail can be sent.
func TestForgotHidesMailerFailure(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		a.mu.Lock()
		a.broken = fmt.Errorf("smtp.example: %w", mail.ErrPermanent)
		a.mu.Unlock()
		unknown := a.client().post("/forgot-password", fields{"email": "nobody@example.com"}).want(t, 202)
		same(t, a.client().post("/forgot-password", fields{"email": alice}), unknown)
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// E05, W07: the response is the same for a wrong token, another user's token
// and an unknown address.
func TestFailedResetsHaveSameResponse(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		token := a.forgot(alice)
		wrong := token[:len(token)-2] + "AA"
		if wrong == token {
			wrong = token[:len(token)-2] + "gA"
		}
		answer := a.reset(alice, wrong, newPass)
		answer.wantField(t, "token")
		same(t, a.reset("nobody@example.com", token, newPass), answer)
		same(t, a.reset("nobody@example.com", wrong, newPass), answer)
		same(t, a.reset(bob, token, newPass), answer)
		same(t, a.reset(bob, "", newPass), answer)
		same(t, a.reset(bob, strings.Repeat("x", 10000), newPass), answer)
		a.client().login(alice, pass).want(t, 200)
		a.client().login(bob, pass).want(t, 200)
		a.client().login(alice, newPass).want(t, 401)
		a.reset(alice, token, "short").wantField(t, "password") // does not consume the token
		a.reset(alice, token, newPass).want(t, 204)
	})
}

// W02, W04, W05: the cases in which a reset token is no longer valid.
func TestResetTokenBecomesInvalid(t *testing.T) {
	for name, kill := range map[string]func(a *app){
		"expired": func(a *app) { a.clock.advance(time.Hour + time.Second) },
		"newer": func(a *app) {
			a.clock.advance(time.Minute)
			a.forgot(alice)
		},
		"password changed": func(a *app) {
			a.loggedIn(alice).call("PUT", "/password", fields{"current_password": pass, "password": newPass}).want(a, 204)
			a.mail(mail.PasswordChanged, alice)
		},
		"address changed": func(a *app) {
			a.b.users.change(a.alice, func(u *models.User) { u.SecurityStamp = "other" })
		},
		"disabled": func(a *app) {
			now := a.clock.Now()
			a.b.users.change(a.alice, func(u *models.User) { u.DisabledAt = &now })
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b backend) {
				a := newApp(t, b, setup{})
				token := a.forgot(alice)
				kill(a)
				a.reset(alice, token, "CANARY yet another good one").wantField(t, "token")
			})
		})
	}
	t.Run("just before it expires", func(t *testing.T) {
		a := newApp(t, memory(t), setup{})
		token := a.forgot(alice)
		a.clock.advance(time.Hour - time.Second)
		a.reset(alice, token, newPass).want(t, 204)
	})
}

// W03, EXP-03: of concurrent resets with one token, one succeeds, and its
// password is stored.
func TestConcurrentResetsSucceedOnce(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		// The requests that the throttle admits wait for each other after the
		// token was looked up and before it is consumed.
		var now atomic.Pointer[meeting]
		a := newApp(t, b, setup{config: func(c *ginauth.Config) {
			manyLinks(c)
			c.Passwords.Breached = func(context.Context, string) (bool, error) {
				now.Load().join()
				return false, nil
			}
		}})
		for round := range testsize.Rounds(50, 1) {
			a.clock.advance(time.Hour)
			now.Store(&meeting{begun: make(chan struct{})})
			a.raceResets(round)
			if t.Failed() {
				break
			}
		}
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// meeting is a barrier for five goroutines. The throttle admits five resets of
// an account at the same time.
type meeting struct {
	came  atomic.Int32
	begun chan struct{}
}

// join waits until five goroutines have called it.
func (m *meeting) join() {
	if m.came.Add(1) == 5 {
		close(m.begun)
	}
	<-m.begun
}

func (a *app) raceResets(round int) {
	a.Helper()
	token := a.forgot(alice)
	answers := make([]*response, racers())
	password := func(i int) string { return fmt.Sprintf("CANARY juggled ocelots %02d %04d", round, i) }
	a.together(len(answers), func(i int) { answers[i] = a.reset(alice, token, password(i)) })
	winner := -1
	for i, r := range answers {
		switch r.StatusCode {
		case 204:
			if winner >= 0 {
				a.Errorf("%d and %d both succeeded", winner, i)
			}
			winner = i
		case 422, 429:
		default:
			a.Errorf("status %d: %s", r.StatusCode, r.body)
		}
	}
	if winner < 0 {
		a.Fatal("no reset succeeded")
	}
	a.clock.advance(time.Hour)
	a.client().login(alice, password(winner)).want(a, 200)
	a.client().login(alice, password((winner+1)%len(answers))).want(a, 401)
	a.mail(mail.PasswordChanged, alice)
	wantEvents[events.PasswordReset](a, round+1)
}

// W06: no part of a request appears in a link.
func TestLinksUseConfiguredBaseURL(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	for name, value := range map[string]string{
		"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "javascript", "X-Forwarded-Prefix": "/evil",
		"Forwarded": "host=evil.example;proto=http", "X-Original-URL": "https://evil.example/", "Referer": "https://evil.example/",
	} {
		a.clock.advance(time.Hour)
		req, err := http.NewRequest("POST", a.srv.URL+"/forgot-password", strings.NewReader(`{"email":"`+alice+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
		res, err := a.srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		m := a.mail(mail.ResetPassword, alice)
		if a.link(m); strings.Contains(m.Text+m.HTML+m.Subject, "evil") {
			t.Errorf("with %s the mail is %s", name, m.Text)
		}
	}
	// A request that comes from another origin and says so.
	c := a.client()
	c.header.Set("Origin", "https://evil.example")
	c.post("/forgot-password", fields{"email": bob}).want(t, 403)
	// New refuses a mailer without BaseURL.
	_, err := ginauth.New(ginauth.Config{Mail: ginauth.MailConfig{Mailer: mail.MailerFunc(a.send)}})
	if !errors.Is(err, ginauth.ErrConfig) {
		t.Errorf("New without a BaseURL: %v", err)
	}
}

// W08: the reset token is neither in the store nor in logs. W09: a GET request
// does not consume it.
func TestResetTokenIsNotStored(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		token := a.forgot(alice)
		for _, path := range []string{"/reset-password", "/reset-password?token=" + token + "&email=" + alice + "&password=x"} {
			a.client().get(path).want(t, 404)
			a.client().do("HEAD", path, "", "").want(t, 404)
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
		a.reset(alice, token, newPass).want(t, 204)
		_ = a.rest()
		if a.mu.Lock(); strings.Contains(a.logs.String(), token) {
			t.Error("the token is in the log")
		}
		a.mu.Unlock()
	})
}

// W11: after five wrong tokens for an account the response is 429.
func TestWrongResetTokensAreThrottled(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		token := a.forgot(alice)
		for range 5 {
			a.reset(alice, "gpr_wrong", newPass).wantField(t, "token")
			a.reset("nobody@example.com", "gpr_wrong", newPass).wantField(t, "token")
		}
		known := a.reset(alice, token, newPass).want(t, 429)
		same(t, a.reset("nobody@example.com", token, newPass), known)
		a.reset(bob, "gpr_wrong", newPass).wantField(t, "token") // another account is not affected
		a.clock.advance(15 * time.Minute)
		a.reset(alice, token, newPass).want(t, 204)
	})
}

// W11: an account gets one mail of a kind per minute and five per hour.
func TestMailsToAccountAreLimited(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		for minute := range 7 {
			for range 20 {
				a.client().post("/forgot-password", fields{"email": alice}).want(t, 202)
			}
			if minute < 5 {
				a.mail(mail.ResetPassword, alice) // they are made after the response
			}
			a.clock.advance(time.Minute + time.Second)
		}
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("%d mails in 7 minutes, want 5", 5+len(rest))
		}
	})
}
