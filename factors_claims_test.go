package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// proofClaims are what an access token says of its login (RFC 8176, RFC 9068, 2.2.1).
type proofClaims struct {
	Time    int64    `json:"auth_time"`
	Level   string   `json:"acr"`
	Methods []string `json:"amr"`
	Plan    string   `json:"plan"`
}

// claimsOfAccess returns the claims of an access token.
func claimsOfAccess(t *testing.T, token string) (c proofClaims) {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAccessTokensSayWhatWasProved reads the claims, which a refresh keeps.
func TestAccessTokensSayWhatWasProved(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t), func(c *ginauth.Config) {
		c.JWT.Claims = func(context.Context, models.Authenticatable) (any, error) {
			return map[string]string{"plan": "pro"}, nil
		}
	})
	token := wantPending(t, a.Client().Post("/api/Attempt", nil))
	a.Clock.Advance(time.Minute)
	proved := a.Clock.Now().Unix()
	pair := a.Client().Post("/answer", answerForm{token, "code", rightCode}).Want(t, 200).Tokens(t)
	a.Clock.Advance(time.Minute)
	for range 2 {
		c := claimsOfAccess(t, pair.AccessToken)
		if c.Time != proved || c.Level != "2" || strings.Join(c.Methods, " ") != "pwd otp mfa" || c.Plan != "pro" {
			t.Errorf("claims %+v", c)
		}
		pair = a.Refresh(pair.RefreshToken).Want(t, 200).Tokens(t)
	}
	a.factor.owned.Store(false)
	pair = a.Client().Post("/api/Attempt", nil).Want(t, 200).Tokens(t)
	if c := claimsOfAccess(t, pair.AccessToken); c.Time != a.Clock.Now().Unix() || c.Level != "1" || strings.Join(c.Methods, " ") != "pwd" {
		t.Errorf("claims of a login by password: %+v", c)
	}
	a.Bearer(pair.AccessToken).Get("/level/one").Want(t, 200)
	pair = a.Client().Post("/api/Login", nil).Want(t, 200).Tokens(t)
	if c := claimsOfAccess(t, pair.AccessToken); c.Time != 0 || c.Level != "" || c.Methods != nil {
		t.Errorf("claims of a login that proved nothing: %+v", c)
	}
	wantStepUp(t, a.Bearer(pair.AccessToken).Get("/level/one"), "1")
}

// TestApplicationsCannotClaimWhatWasProved returns claims that say what the login was proved by.
func TestApplicationsCannotClaimWhatWasProved(t *testing.T) {
	for _, name := range []string{"amr", "acr", "auth_time", "AMR", "Acr"} {
		a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
			c.JWT.Claims = func(context.Context, models.Authenticatable) (any, error) { return map[string]string{name: "2"}, nil }
		}))
		a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 500)
	}
}

// TestFreshTokensCostNoStoreCall asks for a level that the access token itself shows.
func TestFreshTokensCostNoStoreCall(t *testing.T) {
	b, faults := testapp.Memory(t).Faulty()
	a := newFactorApp(t, b)
	a.factor.owned.Store(false)
	c := a.Bearer(a.Client().Post("/api/Attempt", nil).Want(t, 200).Tokens(t).AccessToken)
	calls := func(path string, status int) int {
		before := faults.Count()
		c.Get(path).Want(t, status)
		return faults.Count() - before
	}
	plain := calls("/api/me", 200)
	// The handler asks for all that was proved, which takes two.
	if n := calls("/level/one", 200); n != plain+2 {
		t.Errorf("%d calls, %d without a level", n, plain)
	}
	if n := calls("/level/two", 403); n != plain+2 {
		t.Errorf("%d calls for a level that the token does not show, %d without one", n, plain)
	}
}
