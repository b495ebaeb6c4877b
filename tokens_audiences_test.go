package ginauth_test

import (
	"slices"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/jwt"
)

// audiences configures who tokens are for.
func audiences(first string, more ...string) func(*ginauth.Config) {
	return func(c *ginauth.Config) {
		c.JWT.SigningKey = jwt.Secret("k1", "", []byte(testapp.JWTSecret))
		c.JWT.Issuer, c.JWT.Audience, c.JWT.Audiences = testapp.JWTIssuer, first, more
	}
}

// TestTokensForSeveralAudiences issues tokens while an API changes its name.
func TestTokensForSeveralAudiences(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(audiences("https://api.example.com", "https://api.example.org")))
	renamed, other := a.Sibling(audiences("https://api.example.org")), a.Sibling(audiences("https://shop.example.com"))
	token := a.IssueTokens(testapp.Alice).AccessToken
	aud, err := testapp.JWTClaims(t, token).GetAudience()
	if err != nil || !slices.Equal(aud, []string{"https://api.example.com", "https://api.example.org"}) {
		t.Errorf("audience %q, %v", aud, err)
	}
	a.Bearer(token).Get("/api/me").Want(t, 200)
	renamed.Bearer(token).Get("/api/me").Want(t, 200)
	other.Bearer(token).Get("/api/me").WantBadToken(t)

	token = renamed.IssueTokens(testapp.Alice).AccessToken
	a.Bearer(token).Get("/api/me").Want(t, 200)
	other.Bearer(token).Get("/api/me").WantBadToken(t)
	a.Bearer(other.IssueTokens(testapp.Alice).AccessToken).Get("/api/me").WantBadToken(t)
}
