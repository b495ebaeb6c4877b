package routes_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/mail"
)

func change(current, password string) fields {
	return fields{"current_password": current, "password": password}
}

// P12: a password change requires the current password and ends all other
// logins.
func TestChangePassword(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c, other, remembered := a.loggedIn(alice), a.loggedIn(alice), a.client()
		remembered.post("/login", fields{"email": alice, "password": pass, "remember": true}).want(t, 200)
		delete(remembered.cookies, sessionCookie)
		tokens := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		personal := a.personalToken(c, fields{"name": "script", "abilities": []string{"*"}})

		a.client().call("PUT", "/password", change(pass, newPass)).want(t, 401)
		c.call("PUT", "/password", change("wrong password", newPass)).wantField(t, "current_password")
		c.call("PUT", "/password", change("", newPass)).wantField(t, "current_password")
		c.call("PUT", "/password", change(pass, "short")).wantField(t, "password")
		c.call("PUT", "/password", change(pass, "alice@example.com")).wantField(t, "password")
		old := c.cookies[sessionCookie]
		c.call("PUT", "/password", change(pass, newPass)).want(t, 204)
		a.mail(mail.PasswordChanged, alice)

		c.get("/me").want(t, 200)
		a.with(old).get("/me").want(t, 401)
		other.get("/me").want(t, 401)
		remembered.get("/me").want(t, 401)
		a.bearer(tokens.AccessToken).get("/me").want(t, 401)
		a.client().post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).want(t, 401)
		a.bearer(personal.Text).get("/me").want(t, 200) // is not ended by default
		a.client().login(alice, pass).want(t, 401)
		a.client().login(alice, newPass).want(t, 200)
		wantEvents[events.PasswordChanged](a, 1)
	})
}

// P12: after a password change, a login by access token continues with new
// tokens.
func TestChangePasswordReturnsNewTokens(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		session := a.loggedIn(alice)
		before := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		after := tokensOf(t, a.bearer(before.AccessToken).call("PUT", "/password", change(pass, newPass)).want(t, 200))
		a.bearer(before.AccessToken).get("/me").want(t, 401)
		a.client().post("/token/refresh", fields{"refresh_token": before.RefreshToken}).want(t, 401)
		session.get("/me").want(t, 401)
		a.bearer(after.AccessToken).get("/me").want(t, 200)
		after = tokensOf(t, a.client().post("/token/refresh", fields{"refresh_token": after.RefreshToken}).want(t, 200))

		last := tokensOf(t, a.bearer(after.AccessToken).call("DELETE", "/devices", fields{"password": newPass}).want(t, 200))
		a.bearer(after.AccessToken).get("/me").want(t, 401)
		a.bearer(last.AccessToken).get("/me").want(t, 200)
	})
}

// P12, T08: wrong current passwords are counted together with failed logins, on
// every route that asks for the password.
func TestOwnPasswordIsThrottled(t *testing.T) {
	for path, method := range map[string]string{"/password": "PUT", "/confirm-password": "POST", "/devices": "DELETE"} {
		t.Run(path, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b backend) {
				a := newApp(t, b, setup{})
				c := a.loggedIn(alice)
				for name := range c.cookies {
					if name != sessionCookie {
						delete(c.cookies, name) // so that the device is unknown
					}
				}
				for range 5 {
					c.call(method, path, fields{"current_password": "wrong", "password": newPass}).want(t, 422)
				}
				c.call(method, path, fields{"current_password": pass, "password": pass}).want(t, 429)
				a.client().login(alice, pass).want(t, 429)
				c.get("/me").want(t, 200)
				wantEvents[events.Failed](a, 5)
			})
		})
	}
}

func TestConfirmPassword(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.loggedIn(alice)
		confirmed := func() int {
			t.Helper()
			var body struct {
				Confirmed bool
				ExpiresIn int `json:"expires_in"`
			}
			if c.get("/confirm-password").want(t, 200).json(t, &body); body.Confirmed != (body.ExpiresIn > 0) {
				t.Errorf("confirmed %v for %d s", body.Confirmed, body.ExpiresIn)
			}
			return body.ExpiresIn
		}
		if n := confirmed(); n != 900 {
			t.Errorf("after the login: for %d s, want 900", n)
		}
		a.clock.advance(15 * time.Minute)
		if n := confirmed(); n != 0 {
			t.Errorf("after 15 min: for %d s", n)
		}
		for _, r := range []*response{
			c.call("PUT", "/email", fields{"email": "new@example.com"}), c.post("/tokens", fields{"name": "x"}),
		} {
			var body struct{ Code string }
			if r.want(t, 403).json(t, &body); body.Code != "password_confirmation_required" {
				t.Errorf("body %s", r.body)
			}
		}
		c.header.Set("Accept", "text/html")
		c.call("PUT", "/email", fields{"email": "new@example.com"}).wantRedirect(t, "/confirm")
		c.header.Del("Accept")
		c.post("/confirm-password", fields{"password": "wrong"}).wantField(t, "password")
		c.post("/confirm-password", fields{"password": pass}).want(t, 204)
		a.clock.advance(time.Minute)
		if n := confirmed(); n != 840 {
			t.Errorf("a minute later: for %d s, want 840", n)
		}
		c.call("PUT", "/email", fields{"email": "new@example.com"}).want(t, 202)
		a.mail(mail.EmailChange, "new@example.com")

		a.client().get("/confirm-password").want(t, 401)
		tokens := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		a.bearer(tokens.AccessToken).post("/confirm-password", fields{"password": pass}).want(t, 401) // no session
		a.bearer(tokens.AccessToken).call("PUT", "/email", fields{"email": "new@example.com"}).want(t, 403)
		a.bearer(tokens.AccessToken).post("/tokens", fields{"name": "x"}).want(t, 403)
	})
}
