package routes_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
)

type pair struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
}

func tokensOf(t testing.TB, r *response) pair {
	t.Helper()
	var p pair
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.AccessToken == "" || p.RefreshToken == "" {
		t.Fatalf("no pair: %v", err)
	}
	return p
}

func (a *app) personalToken(c *client, body fields) ginauth.PersonalToken {
	a.Helper()
	var token ginauth.PersonalToken
	c.post("/tokens", body).want(a, 201).json(a, &token)
	if token.Text == "" {
		a.Fatal("no text")
	}
	return token
}

func TestTokenRoutes(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		a.client().post("/token", fields{"email": alice, "password": "wrong"}).want(t, 401)
		r := a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200)
		first := tokensOf(t, r)
		if first.TokenType != "Bearer" || first.ExpiresIn != 900 || r.Header.Get("Cache-Control") != "no-store" || len(r.Cookies()) != 0 {
			t.Errorf("pair of %s for %d s, header %v", first.TokenType, first.ExpiresIn, r.Header)
		}
		a.bearer(first.AccessToken).get("/me").want(t, 200)
		second := tokensOf(t, a.client().form("/token/refresh", "refresh_token="+first.RefreshToken).want(t, 200))
		a.clock.advance(time.Minute)
		a.client().post("/token/refresh", fields{"refresh_token": first.RefreshToken}).want(t, 401) // a reused token may be stolen
		a.bearer(second.AccessToken).get("/me").want(t, 401)
		wantEvents[events.TokenReused](a, 1)

		third := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		a.client().post("/token/revoke", fields{"token": third.RefreshToken}).want(t, 204)
		a.bearer(third.AccessToken).get("/me").want(t, 401)
		a.client().post("/token/revoke", fields{"token": third.RefreshToken}).want(t, 401)
		wantEvents[events.TokenRevoked](a, 1)

		last := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		a.bearer(last.AccessToken).do("POST", "/logout", "", "").want(t, 204)
		a.bearer(last.AccessToken).get("/me").want(t, 401)
		again := a.bearer(last.AccessToken).do("POST", "/logout", "", "").want(t, 401) // J14
		if got := again.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
			t.Errorf("WWW-Authenticate %q", got)
		}
		a.client().post("/token/refresh", fields{"refresh_token": last.RefreshToken}).want(t, 401)
		for _, body := range []string{`{}`, `{"refresh_token":""}`, `{"refresh_token":null}`, `{"refresh_token":"` + strings.Repeat("a", 40) + `"}`} {
			a.client().post("/token/refresh", body).want(t, 401)
		}
		a.client().post("/token/refresh", `{"refresh_token":["a"]}`).want(t, 422)
		a.client().post("/token/revoke", fields{"token": strings.Repeat("a.", 20000)}).want(t, 401)
	})
}

// T08: invalid tokens are limited, valid ones are not.
func TestInvalidTokensAreThrottled(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	tokens := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
	for range 40 {
		tokens = tokensOf(t, a.client().post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).want(t, 200))
	}
	for range 30 {
		a.client().post("/token/refresh", fields{"refresh_token": "grt_guess"}).want(t, 401)
	}
	a.client().post("/token/revoke", fields{"token": "grt_guess"}).want(t, 429)
	a.client().post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).want(t, 429)
	a.clock.advance(time.Minute)
	a.client().post("/token/refresh", fields{"refresh_token": tokens.RefreshToken}).want(t, 200)
}

func TestPersonalTokens(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.loggedIn(alice)
		token := a.personalToken(c, fields{"name": "script", "abilities": []string{"posts:read"}, "expires_in": 3600})
		if !token.Expires.Equal(a.clock.Now().Add(time.Hour)) || !slices.Equal(token.Abilities, []string{"posts:read"}) {
			t.Errorf("token %v", []any{token.Name, token.Abilities, token.Expires})
		}
		list := func(c *client) []ginauth.PersonalToken {
			t.Helper()
			var body struct{ Tokens []ginauth.PersonalToken }
			r := c.get("/tokens").want(t, 200)
			if r.json(t, &body); strings.Contains(r.body, token.Text) {
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
			c.post("/tokens", body).wantField(t, field)
		}
		c.post("/tokens", `{"name":"x","expires_in":9223372036854775807}`).wantField(t, "expires_in")
		c.post("/tokens", `{"name":"x","abilities":"a"}`).wantField(t, "abilities")

		other := a.loggedIn(bob)
		if got := list(other); len(got) != 0 {
			t.Errorf("another user's list of %d", len(got))
		}
		other.do("DELETE", "/tokens/"+token.ID, "", "").want(t, 404)
		other.do("DELETE", "/tokens/"+strings.Repeat("a", 5000), "", "").want(t, 404)
		a.bearer(token.Text).get("/me").want(t, 200)
		c.do("DELETE", "/tokens/"+token.ID, "", "").want(t, 204)
		a.bearer(token.Text).get("/me").want(t, 401)
		c.do("DELETE", "/tokens/"+token.ID, "", "").want(t, 404)
		wantEvents[events.TokenCreated](a, 1)
		wantEvents[events.TokenRevoked](a, 1)
	})
}

// Z04: with a personal access token only GET /me is allowed.
func TestPersonalTokenReachesOnlyMe(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.loggedIn(alice)
		token := a.personalToken(c, fields{"name": "all", "abilities": []string{"*"}})
		program := a.bearer(token.Text)
		program.get("/me").want(t, 200)
		for route, body := range map[string]fields{
			"PUT /password": change(pass, newPass), "PUT /email": {"email": "new@example.com"}, "DELETE /devices": {"password": pass},
			"GET /devices": nil, "DELETE /devices/x": nil, "GET /tokens": nil, "POST /tokens": {"name": "x", "abilities": []string{"*"}},
			"DELETE /tokens/" + token.ID: nil,
		} {
			method, path, _ := strings.Cut(route, " ")
			program.call(method, path, body).want(t, 403)
		}
		program.post("/confirm-password", fields{"password": pass}).want(t, 401)
		program.do("POST", "/logout", "", "").want(t, 401)
		program.get("/me").want(t, 200)
		program.post("/token/revoke", fields{"token": token.Text}).want(t, 204) // a token can revoke itself
		program.get("/me").want(t, 401)
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}
