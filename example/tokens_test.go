package main

import (
	"net/http"
	"testing"
)

// bearing returns a client that sends a bearer token with each request.
func bearing(t *testing.T, token string) *client {
	t.Helper()
	c := newClient(t)
	c.http.Transport = bearer{token}
	return c
}

type bearer struct{ token string }

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(req)
}

func TestTokens(t *testing.T) {
	guest := newClient(t)
	pair := guest.do("POST", "/api/token", object{"email": "alice@example.com", "password": seedPassword}, 200)
	alice := bearing(t, pair["access_token"].(string))
	if me := alice.do("GET", "/api/me", nil, 200)["user"].(object); me["name"] != "Alice" {
		t.Errorf("me %v", me)
	}
	alice.do("POST", "/tokens", object{"name": "script"}, 403) // the password is not confirmed
	browser := newClient(t)
	browser.login("alice@example.com")
	made := browser.do("POST", "/tokens", object{"name": "script", "abilities": []string{"posts:read"}}, 201)
	script := bearing(t, made["token"].(string))
	script.do("GET", "/api/posts", nil, 200)
	script.do("POST", "/tokens", object{"name": "more"}, 403)
	alice.do("DELETE", "/tokens/"+made["id"].(string), nil, 204)
	script.do("GET", "/api/posts", nil, 401)
	next := guest.do("POST", "/api/token/refresh", object{"refresh_token": pair["refresh_token"]}, 200)
	guest.do("POST", "/api/token/revoke", object{"token": next["refresh_token"]}, 204)
	alice.do("GET", "/api/me", nil, 401)
	guest.do("GET", "/.well-known/jwks.json", nil, 200)
}
