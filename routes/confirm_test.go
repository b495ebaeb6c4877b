package routes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

// tokensOf logs a user in by tokens.
func tokensOf(t *testing.T, a *testapp.App, email string) ginauth.TokenPair {
	t.Helper()
	return a.Client().Post("/token", fields{"email": email, "password": testapp.Password}).Want(t, 200).Tokens(t)
}

// refreshed returns the next tokens of a login.
func refreshed(t *testing.T, a *testapp.App, pair ginauth.TokenPair) ginauth.TokenPair {
	t.Helper()
	return a.Client().Post("/token/refresh", fields{"refresh_token": pair.RefreshToken}).Want(t, 200).Tokens(t)
}

// wantUnconfirmed fails the test unless a client must confirm the password.
func wantUnconfirmed(t *testing.T, c *testapp.Client) {
	t.Helper()
	for _, r := range []*testapp.Response{
		c.Call("PUT", "/email", fields{"email": "new@example.com"}), c.Post("/tokens", fields{"name": "x"}),
	} {
		if r.Want(t, 403); !strings.Contains(r.Text, `"password_confirmation_required"`) {
			t.Errorf("body %s", r.Text)
		}
	}
}

// wantConfirmedFor fails the test unless a password is confirmed for so many seconds.
func wantConfirmedFor(t *testing.T, c *testapp.Client, seconds int) {
	t.Helper()
	var body struct {
		Confirmed bool
		ExpiresIn int `json:"expires_in"`
	}
	c.Get("/confirm-password").Want(t, 200).JSON(t, &body)
	if body.ExpiresIn != seconds || body.Confirmed != (seconds > 0) {
		t.Errorf("confirmed %v for %d s, want %d s", body.Confirmed, body.ExpiresIn, seconds)
	}
}

func TestLoginByTokensConfirmsThePassword(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		pair, other := tokensOf(t, a, testapp.Alice), tokensOf(t, a, testapp.Alice)
		c := a.Bearer(pair.AccessToken)
		wantUnconfirmed(t, c)
		wantConfirmedFor(t, c, 0)
		c.Post("/confirm-password", fields{"password": "wrong"}).WantField(t, "password")
		wantUnconfirmed(t, c)

		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 204)
		wantConfirmedFor(t, c, 900)
		c.Call("PUT", "/email", fields{"email": "new@example.com"}).Want(t, 202)
		a.Outbox.Next(a, mail.EmailChange, "new@example.com")
		c.Post("/tokens", fields{"name": "x"}).Want(t, 201)
		wantUnconfirmed(t, a.Bearer(other.AccessToken)) // another login of the user

		a.Clock.Advance(10 * time.Minute)
		pair = refreshed(t, a, pair)
		c = a.Bearer(pair.AccessToken) // of the same login
		wantConfirmedFor(t, c, 300)
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 204)
		wantConfirmedFor(t, c, 900)

		a.Clock.Advance(15 * time.Minute)
		pair = refreshed(t, a, pair)
		c = a.Bearer(pair.AccessToken)
		wantUnconfirmed(t, c)
		wantConfirmedFor(t, c, 0)
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 204)
		c.Post("/tokens", fields{"name": "y"}).Want(t, 201)
	})
}

// A confirmation ends with its login and with the password that was confirmed.
func TestConfirmationByTokensEnds(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		pair := tokensOf(t, a, testapp.Alice)
		c := a.Bearer(pair.AccessToken)
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 204)
		next := c.Call("PUT", "/password", change(testapp.Password, testapp.NewPassword)).Want(t, 200).Tokens(t)
		c.Call("PUT", "/email", fields{"email": "new@example.com"}).Want(t, 401)
		c.Post("/confirm-password", fields{"password": testapp.NewPassword}).Want(t, 401)

		c = a.Bearer(next.AccessToken)
		wantUnconfirmed(t, c)
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 422)
		c.Post("/confirm-password", fields{"password": testapp.NewPassword}).Want(t, 204)
		wantConfirmedFor(t, c, 900)
		c.Do("POST", "/logout", "", "").Want(t, 204)
		c.Post("/tokens", fields{"name": "x"}).Want(t, 401)
		c.Post("/confirm-password", fields{"password": testapp.NewPassword}).Want(t, 401)
	})
}

// A request that asks for no confirmation waits for no store because of it.
func TestConfirmationByTokensIsLookedUpOnDemand(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, faults := b.Faulty()
		a := newApp(t, b, setup{})
		c := a.Bearer(tokensOf(t, a, testapp.Alice).AccessToken)
		calls := func() int {
			before := faults.Count(testapp.TokenOps()...)
			c.Get("/me").Want(t, 200)
			return faults.Count(testapp.TokenOps()...) - before
		}
		before := calls()
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 204)
		if after := calls(); after != before || after != 1 {
			t.Errorf("%d calls, and %d after a confirmation, want 1", before, after)
		}
		faults.Set(testapp.Outages(b)[0], testapp.FindToken)
		c.Post("/tokens", fields{"name": "x"}).Want(t, 503)
		c.Get("/me").Want(t, 200)
	})
}

// A password that is confirmed with an access token counts as an attempt to log in.
func TestConfirmationByTokensIsThrottled(t *testing.T) { // T08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.Bearer(tokensOf(t, a, testapp.Alice).AccessToken)
		for range 5 {
			c.Post("/confirm-password", fields{"password": "wrong"}).Want(t, 422)
		}
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 429)
		wantUnconfirmed(t, c)
	})
}
