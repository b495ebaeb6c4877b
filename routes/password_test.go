package routes_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

func change(current, password string) fields {
	return fields{"current_password": current, "password": password}
}

// P12: a password change requires the current password and ends all other
// logins.
func TestPasswordChangeEndsOtherLogins(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c, other, remembered := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Alice), a.Client()
		remembered.Post("/login", fields{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200)
		delete(remembered.Cookies, testapp.SessionCookie)
		tokens := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
		personal := c.CreateToken(fields{"name": "script", "abilities": []string{"*"}})

		a.Client().Call("PUT", "/password", change(testapp.Password, testapp.NewPassword)).Want(t, 401)
		c.Call("PUT", "/password", change("wrong password", testapp.NewPassword)).WantField(t, "current_password")
		c.Call("PUT", "/password", change("", testapp.NewPassword)).WantField(t, "current_password")
		c.Call("PUT", "/password", change(testapp.Password, "short")).WantField(t, "password")
		c.Call("PUT", "/password", change(testapp.Password, "alice@example.com")).WantField(t, "password")
		old := c.Cookies[testapp.SessionCookie]
		c.Call("PUT", "/password", change(testapp.Password, testapp.NewPassword)).Want(t, 204)
		a.Outbox.Next(a, mail.PasswordChanged, testapp.Alice)

		c.Get("/me").Want(t, 200)
		a.WantReplaced(old, "/me")
		other.Get("/me").Want(t, 401)
		remembered.Get("/me").Want(t, 401)
		a.Bearer(tokens.AccessToken).Get("/me").Want(t, 401)
		a.Client().Post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).Want(t, 401)
		a.Bearer(personal.Text).Get("/me").Want(t, 200) // is not ended by default
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
		a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 200)
		testapp.WantEvents[events.PasswordChanged](a, 1)
	})
}

// P12: after a password change, a login by access token continues with new
// tokens.
func TestChangePasswordReturnsNewTokens(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		session := a.LoggedIn(testapp.Alice)
		before := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
		after := a.Bearer(before.AccessToken).Call("PUT", "/password", change(testapp.Password, testapp.NewPassword)).Want(t, 200).Tokens(t)
		a.Bearer(before.AccessToken).Get("/me").Want(t, 401)
		a.Client().Post("/token/refresh", fields{"refresh_token": before.RefreshToken}).Want(t, 401)
		session.Get("/me").Want(t, 401)
		a.Bearer(after.AccessToken).Get("/me").Want(t, 200)
		after = a.Client().Post("/token/refresh", fields{"refresh_token": after.RefreshToken}).Want(t, 200).Tokens(t)

		last := a.Bearer(after.AccessToken).Call("DELETE", "/devices", fields{"password": testapp.NewPassword}).Want(t, 200).Tokens(t)
		a.Bearer(after.AccessToken).Get("/me").Want(t, 401)
		a.Bearer(last.AccessToken).Get("/me").Want(t, 200)
	})
}

// P12, T08: wrong current passwords are counted together with failed logins, on
// every route that asks for the password.
func TestOwnPasswordIsThrottled(t *testing.T) {
	for path, method := range map[string]string{"/password": "PUT", "/confirm-password": "POST", "/devices": "DELETE"} {
		t.Run(path, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := newApp(t, b, setup{})
				c := a.LoggedIn(testapp.Alice)
				delete(c.Cookies, testapp.DeviceCookie) // not a known device
				for range 5 {
					c.Call(method, path, fields{"current_password": "wrong", "password": testapp.NewPassword}).Want(t, 422)
				}
				c.Call(method, path, fields{"current_password": testapp.Password, "password": testapp.Password}).Want(t, 429)
				a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 429)
				c.Get("/me").Want(t, 200)
				testapp.WantEvents[events.Failed](a, 5)
			})
		})
	}
}

func TestConfirmationLastsForItsLifetime(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.LoggedIn(testapp.Alice)
		confirmed := func() int {
			t.Helper()
			var body struct {
				Confirmed bool
				ExpiresIn int `json:"expires_in"`
			}
			if c.Get("/confirm-password").Want(t, 200).JSON(t, &body); body.Confirmed != (body.ExpiresIn > 0) {
				t.Errorf("confirmed %v for %d s", body.Confirmed, body.ExpiresIn)
			}
			return body.ExpiresIn
		}
		if n := confirmed(); n != 900 {
			t.Errorf("after the login: for %d s, want 900", n)
		}
		a.Clock.Advance(15 * time.Minute)
		if n := confirmed(); n != 0 {
			t.Errorf("after 15 min: for %d s", n)
		}
		for _, r := range []*testapp.Response{
			c.Call("PUT", "/email", fields{"email": "new@example.com"}), c.Post("/tokens", fields{"name": "x"}),
		} {
			var body struct{ Code string }
			if r.Want(t, 403).JSON(t, &body); body.Code != "password_confirmation_required" {
				t.Errorf("body %s", r.Text)
			}
		}
		c.Header.Set("Accept", "text/html")
		c.Call("PUT", "/email", fields{"email": "new@example.com"}).WantRedirect(t, "/confirm")
		c.Header.Del("Accept")
		c.Post("/confirm-password", fields{"password": "wrong"}).WantField(t, "password")
		c.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 204)
		a.Clock.Advance(time.Minute)
		if n := confirmed(); n != 840 {
			t.Errorf("a minute later: for %d s, want 840", n)
		}
		c.Call("PUT", "/email", fields{"email": "new@example.com"}).Want(t, 202)
		a.Outbox.Next(a, mail.EmailChange, "new@example.com")

		a.Client().Get("/confirm-password").Want(t, 401)
	})
}
