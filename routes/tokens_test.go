package routes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
)

func TestTokensAreIssuedRefreshedAndRevoked(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		a.Client().Post("/token", fields{"email": testapp.Alice, "password": "wrong"}).Want(t, 401)
		r := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200)
		first := r.Tokens(t)
		if first.TokenType != "Bearer" || first.ExpiresIn != 900 || r.Header.Get("Cache-Control") != "no-store" || len(r.Cookies()) != 0 {
			t.Errorf("pair of %s for %d s, header %v", first.TokenType, first.ExpiresIn, r.Header)
		}
		a.Bearer(first.AccessToken).Get("/me").Want(t, 200)
		second := a.Client().Form("/token/refresh", "refresh_token="+first.RefreshToken).Want(t, 200).Tokens(t)
		a.Clock.Advance(time.Minute)
		a.Client().Post("/token/refresh", fields{"refresh_token": first.RefreshToken}).Want(t, 401) // a reused token may be stolen
		a.Bearer(second.AccessToken).Get("/me").Want(t, 401)
		testapp.WantEvents[events.TokenReused](a, 1)

		third := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
		a.Client().Post("/token/revoke", fields{"token": third.RefreshToken}).Want(t, 204)
		a.Bearer(third.AccessToken).Get("/me").Want(t, 401)
		a.Client().Post("/token/revoke", fields{"token": third.RefreshToken}).Want(t, 401)
		testapp.WantEvents[events.TokenRevoked](a, 1)

		last := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
		a.Bearer(last.AccessToken).Do("POST", "/logout", "", "").Want(t, 204)
		a.Bearer(last.AccessToken).Get("/me").Want(t, 401)
		again := a.Bearer(last.AccessToken).Do("POST", "/logout", "", "").Want(t, 401) // J14
		if got := again.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
			t.Errorf("WWW-Authenticate %q", got)
		}
		a.Client().Post("/token/refresh", fields{"refresh_token": last.RefreshToken}).Want(t, 401)
		for _, body := range []string{`{}`, `{"refresh_token":""}`, `{"refresh_token":null}`, `{"refresh_token":"` + strings.Repeat("a", 40) + `"}`} {
			a.Client().Post("/token/refresh", body).Want(t, 401)
		}
		a.Client().Post("/token/refresh", `{"refresh_token":["a"]}`).Want(t, 422)
		a.Client().Post("/token/revoke", fields{"token": strings.Repeat("a.", 20000)}).Want(t, 401)
	})
}

// T08: invalid tokens are limited, valid ones are not.
func TestInvalidTokensAreThrottled(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	tokens := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
	for range 40 {
		tokens = a.Client().Post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).Want(t, 200).Tokens(t)
	}
	for range 30 {
		a.Client().Post("/token/refresh", fields{"refresh_token": "grt_guess"}).Want(t, 401)
	}
	a.Client().Post("/token/revoke", fields{"token": "grt_guess"}).Want(t, 429)
	a.Client().Post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).Want(t, 429)
	a.Clock.Advance(time.Minute)
	a.Client().Post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).Want(t, 200)
}

func TestUserManagesOwnPersonalTokens(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.LoggedIn(testapp.Alice)
		token := c.CreateToken(fields{"name": "script", "abilities": []string{"posts:read"}, "expires_in": 3600})
		if !token.Expires.Equal(a.Clock.Now().Add(time.Hour)) || !slices.Equal(token.Abilities, []string{"posts:read"}) {
			t.Errorf("token %v", []any{token.Name, token.Abilities, token.Expires})
		}
		list := func(c *testapp.Client) []ginauth.PersonalToken {
			t.Helper()
			var body struct{ Tokens []ginauth.PersonalToken }
			r := c.Get("/tokens").Want(t, 200)
			if r.JSON(t, &body); strings.Contains(r.Text, token.Text) {
				t.Error("the list contains the text of the token")
			}
			return body.Tokens
		}
		if got := list(c); len(got) != 1 || got[0].ID != token.ID {
			t.Errorf("list of %d", len(got))
		}
		for field, body := range map[string]fields{
			"name":       {"name": "", "abilities": []string{"a"}},
			"abilities":  {"name": "x", "abilities": []string{"a b"}},
			"expires_in": {"name": "x", "expires_in": -1},
		} {
			c.Post("/tokens", body).WantField(t, field)
		}
		c.Post("/tokens", `{"name":"x","expires_in":9223372036854775807}`).WantField(t, "expires_in")
		c.Post("/tokens", `{"name":"x","abilities":"a"}`).WantField(t, "abilities")

		other := a.LoggedIn(testapp.Bob)
		if got := list(other); len(got) != 0 {
			t.Errorf("another user's list of %d", len(got))
		}
		other.Do("DELETE", "/tokens/"+token.ID, "", "").Want(t, 404)
		other.Do("DELETE", "/tokens/"+strings.Repeat("a", 5000), "", "").Want(t, 404)
		a.Bearer(token.Text).Get("/me").Want(t, 200)
		c.Do("DELETE", "/tokens/"+token.ID, "", "").Want(t, 204)
		a.Bearer(token.Text).Get("/me").Want(t, 401)
		c.Do("DELETE", "/tokens/"+token.ID, "", "").Want(t, 404)
		testapp.WantEvents[events.TokenCreated](a, 1)
		testapp.WantEvents[events.TokenRevoked](a, 1)
	})
}

// Z04: with a personal access token only GET /me is allowed.
func TestPersonalTokenReachesOnlyMe(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.LoggedIn(testapp.Alice)
		token := c.CreateToken(fields{"name": "all", "abilities": []string{"*"}})
		program := a.Bearer(token.Text)
		program.Get("/me").Want(t, 200)
		for route, body := range map[string]fields{
			"PUT /password": change(testapp.Password, testapp.NewPassword), "PUT /email": {"email": "new@example.com"}, "DELETE /devices": {"password": testapp.Password},
			"GET /devices": nil, "DELETE /devices/x": nil, "GET /tokens": nil, "POST /tokens": {"name": "x", "abilities": []string{"*"}},
			"DELETE /tokens/" + token.ID: nil,
		} {
			method, path, _ := strings.Cut(route, " ")
			program.Call(method, path, body).Want(t, 403)
		}
		program.Post("/confirm-password", fields{"password": testapp.Password}).Want(t, 403)
		program.Do("POST", "/logout", "", "").Want(t, 401)
		program.Get("/me").Want(t, 200)
		program.Post("/token/revoke", fields{"token": token.Text}).Want(t, 204) // a token can revoke itself
		program.Get("/me").Want(t, 401)
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// TestStrangersCannotLockATokenClientOut lets strangers use up the attempts of an
// account while its owner's client keeps no cookies.
func TestStrangersCannotLockATokenClientOut(t *testing.T) { // T06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{config: testapp.AddressFromHeader})
		login := func(from, email, password, device string) *testapp.Response {
			return a.Client().From(from).Post("/token", fields{"email": email, "password": password, "device_token": device})
		}
		token := func(res *testapp.Response) string {
			var pair ginauth.TokenPair
			res.Want(t, 200).JSON(t, &pair)
			if pair.DeviceToken == "" || len(res.Header.Values("Set-Cookie")) != 0 {
				t.Fatalf("device token %q, cookies %q", pair.DeviceToken, res.Header.Values("Set-Cookie"))
			}
			return pair.DeviceToken
		}
		device := token(login("192.0.2.1", testapp.Alice, testapp.Password, ""))
		bobs := token(login("192.0.2.9", testapp.Bob, testapp.Password, ""))
		for i := range 50 {
			login(fmt.Sprintf("198.51.100.%d", i), testapp.Alice, "wrong", "").Want(t, 401)
		}
		for name, other := range map[string]string{"none": "", "of another user": bobs, "garbage": "x", "changed": device + "x"} {
			if res := login("192.0.2.1", testapp.Alice, testapp.Password, other); res.StatusCode != 429 {
				t.Errorf("device token %s: status %d", name, res.StatusCode)
			}
		}
		device = token(login("192.0.2.1", testapp.Alice, testapp.Password, device))
		// It has a limit of its own, wherever it comes from.
		for i := range 11 {
			want := 401
			if i == 10 {
				want = 429
			}
			login(fmt.Sprintf("203.0.113.%d", i), testapp.Alice, "wrong", device).Want(t, want)
		}
		// It ends with the stamp.
		a.Clock.Advance(16 * time.Minute)
		a.NewStamp(a.Alice)
		for i := range 6 {
			want := 401
			if i == 5 {
				want = 429
			}
			login("192.0.2.1", testapp.Alice, "wrong", device).Want(t, want)
		}
		login("192.0.2.1", testapp.Alice, "wrong", strings.Repeat("x", 1025)).WantField(t, "device_token")
	})
}
