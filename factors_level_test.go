package ginauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// wantStepUp checks the answer to a request that proved too little.
func wantStepUp(t *testing.T, r *testapp.Response, level string) {
	t.Helper()
	r.Want(t, 403)
	if !strings.Contains(r.Text, `"step_up_required"`) || !strings.Contains(r.Text, `"acr_values":["`+level+`"]`) ||
		!strings.Contains(r.Text, `"max_age":600`) {
		t.Errorf("body %s", r.Text)
	}
}

// TestStepUpOfSessions asks for a second factor after the login, and again when it is old.
func TestStepUpOfSessions(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := newFactorApp(t, b)
		a.factor.owned.Store(false)
		c := a.LoggedIn(testapp.Alice)
		if text := c.Get("/level/one").Want(t, 200).Text; text != "pwd" {
			t.Errorf("methods %q", text)
		}
		wantStepUp(t, c.Get("/level/two"), "2")
		a.Clock.Advance(10 * time.Minute)
		wantStepUp(t, c.Get("/level/one"), "1")
		a.factor.owned.Store(true)
		c.Post("/confirm-factor", answerForm{"", "code", "1"}).Want(t, 401)
		wantStepUp(t, c.Get("/level/two"), "2")
		before := c.Session()
		c.Post("/confirm-factor", answerForm{"", "code", rightCode}).Want(t, 204)
		if c.Session() == before {
			t.Error("the session kept its id")
		}
		c.Get("/level/one").Want(t, 200) // a second factor is as good as a password
		if text := c.Get("/level/two").Want(t, 200).Text; text != "pwd otp mfa" {
			t.Errorf("methods %q", text)
		}
		c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
		c.Get("/level/two").Want(t, 200) // the login goes on
		a.Clock.Advance(10 * time.Minute)
		wantStepUp(t, c.Get("/level/two"), "2")
		c.Get("/me").Want(t, 200)
	})
}

func TestLoginByTwoFactorsHasLevelTwo(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t), func(c *ginauth.Config) { c.Pages.SecondFactor = "/second" })
	c := a.Client()
	wantPending(t, c.Post("/web/Attempt?remember=1", nil))
	c.Post("/answer", answerForm{"", "code", rightCode}).Want(t, 200)
	c.Get("/level/two").Want(t, 200)
	a.Clock.Advance(25 * time.Hour)
	c.Get("/me").Want(t, 403)
	c.Post("/answer", answerForm{"", "code", rightCode}).Want(t, 200)
	if text := c.Get("/level/two").Want(t, 200).Text; text != "otp mfa" {
		t.Errorf("methods of a remembered device: %q", text)
	}
	a.Clock.Advance(10 * time.Minute)
	c.Header.Set("Accept", testapp.BrowserAccept)
	c.Get("/level/two").WantRedirect(t, "/second")
	a.Client().Get("/level/two").Want(t, 401)
}

// TestStepUpOfTokens does the same by access tokens (RFC 9470).
func TestStepUpOfTokens(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t))
	token := wantPending(t, a.Client().Post("/api/Attempt", nil))
	pair := a.Client().Post("/answer", answerForm{token, "code", rightCode}).Want(t, 200).Tokens(t)
	a.Bearer(pair.AccessToken).Get("/level/two").Want(t, 200)
	pair = a.Refresh(pair.RefreshToken).Want(t, 200).Tokens(t)
	c := a.Bearer(pair.AccessToken)
	c.Get("/level/two").Want(t, 200)
	a.Clock.Advance(10 * time.Minute)
	r := c.Get("/level/two")
	wantStepUp(t, r, "2")
	want := `Bearer error="insufficient_user_authentication", acr_values="2", max_age="600"`
	if got := r.Header.Get("WWW-Authenticate"); got != want {
		t.Errorf("challenge %q", got)
	}
	c.Post("/confirm-factor", answerForm{"", "code", "1"}).Want(t, 401)
	c.Post("/confirm-factor", answerForm{"", "code", rightCode}).Want(t, 204)
	c.Get("/level/two").Want(t, 200)
	a.factor.owned.Store(false)
	other := a.Client().Post("/api/Attempt", nil).Want(t, 200).Tokens(t) // another login of the user
	wantStepUp(t, a.Bearer(other.AccessToken).Get("/level/two"), "2")
	personal := a.LoggedIn(testapp.Alice).Personal("*").Text
	wantStepUp(t, a.Bearer(personal).Get("/level/one"), "1")
}
