package ginauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	signed "github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/stores"
)

func TestRevokedSignedTokenIsRefused(t *testing.T) { // J14, J15
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.SignByJWTSecret))
		other := a.Sibling(testapp.SignByJWTSecret)
		ctx := context.Background()
		p := a.IssueTokens(testapp.Alice)
		unsigned := testapp.UnsignedJWT(t, testapp.JWTClaims(t, p.AccessToken))
		for range 100 {
			if err := a.JWT().Revoke(ctx, unsigned); ginauth.StatusOf(err) != 401 {
				t.Fatalf("revoking an unsigned token: %v", err)
			}
		}
		a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
		if err := a.JWT().Revoke(ctx, p.AccessToken); err != nil {
			t.Fatal(err)
		}
		if err := a.JWT().Revoke(ctx, p.AccessToken); err != nil {
			t.Errorf("revoking again: %v", err)
		}
		a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		other.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		a.Clock.Advance(15*time.Minute + 9*time.Second) // a second before it is over
		if p, ok := b.Set.Tokens.(stores.Pruner); ok {
			if _, err := p.Prune(ctx, a.Clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(p.RefreshToken).Want(t, 200) // the login lives on
	})
}

func TestApplicationTokensAreOfOneKind(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		j, ctx := a.JWT(), context.Background()
		type invitation struct {
			Team string `json:"team"`
			Role string `json:"role"`
		}
		text, err := j.Encode(signed.Spec{Kind: "invitation", Subject: "carol@example.com", Lifetime: time.Hour, Claims: invitation{"red", "admin"}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := j.Decode(ctx, "invitation", text)
		if err != nil {
			t.Fatal(err)
		}
		var got invitation
		if err := d.Claims(&got); err != nil || got != (invitation{"red", "admin"}) || d.Subject != "carol@example.com" {
			t.Errorf("%+v %+v %v", d, got, err)
		}
		if _, err := j.Decode(ctx, "other", text); ginauth.StatusOf(err) != 401 {
			t.Errorf("as another kind: %v", err)
		}
		a.Bearer(text).Get("/api/me").WantBadToken(t)
		if _, err := j.Decode(ctx, "access", a.IssueTokens(testapp.Alice).AccessToken); ginauth.StatusOf(err) != 401 {
			t.Errorf("an access token as the application's: %v", err)
		}
		if err := j.Revoke(ctx, text); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Decode(ctx, "invitation", text); ginauth.StatusOf(err) != 401 {
			t.Errorf("revoked: %v", err)
		}
		for name, n := range map[string]signed.Spec{
			"no kind": {Subject: "x", Lifetime: time.Hour}, "access": {Kind: "access", Subject: "x", Lifetime: time.Hour},
			"no subject": {Kind: "k", Lifetime: time.Hour}, "no lifetime": {Kind: "k", Subject: "x"},
			"reserved claim": {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: map[string]any{"exp": 1}},
			"folded claim":   {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: map[string]any{"SUB": "y"}},
			"no object":      {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: []int{1}},
			"too long":       {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: map[string]any{"a": strings.Repeat("x", 9<<10)}},
		} {
			if _, err := j.Encode(n); err == nil {
				t.Errorf("%s: a token is made", name)
			}
		}
	})
}

func TestHolderCanRevokeAToken(t *testing.T) { // J14, R06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		p, ctx := a.IssueTokens(testapp.Alice), context.Background()
		personal := a.LoggedIn(testapp.Alice).Personal("read")
		for _, token := range []string{"", "x", "a.b.c", p.RefreshToken[:len(p.RefreshToken)-8] + "AAAAAAAA", strings.Repeat("A", 1<<20)} {
			if err := a.Revoke(ctx, token); ginauth.StatusOf(err) != 401 {
				t.Errorf("%.20q: %v", token, err)
			}
		}
		a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
		for i, token := range []string{personal.Text, p.AccessToken, p.RefreshToken} {
			if err := a.Revoke(ctx, token); err != nil {
				t.Errorf("token %d: %v", i, err)
			}
		}
		a.Bearer(personal.Text).Get("/token/me").WantBadToken(t)
		a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(p.RefreshToken).Want(t, 401)
		if n := len(testapp.EventsOf[events.TokenRevoked](a)); n != 3 {
			t.Errorf("%d events", n)
		}
		if err := a.Revoke(ctx, p.RefreshToken); ginauth.StatusOf(err) != 401 {
			t.Errorf("again: %v", err)
		}
	})
}

// Keys that no test changes.
var (
	rsaKey   = must(rsa.GenerateKey(rand.Reader, 2048))
	ecKey    = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	edKey    = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, okay"))
	rsaSmall = must(rsa.GenerateKey(rand.Reader, 1024))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func pemOf(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestEachAlgorithmTakesItsOwnKeyAlone(t *testing.T) { // J02
	ec384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	ec521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	secret := []byte(testapp.JWTSecret + " and then some more of it")
	for alg, key := range map[string]signed.Key{
		"HS256": signed.Secret("k1", "", secret), "HS384": signed.Secret("k1", "HS384", secret), "HS512": signed.Secret("k1", "HS512", secret),
		"RS256": signed.PEM("k1", "", pemOf(t, rsaKey)), "RS384": signed.CryptoKey("k1", "RS384", rsaKey), "RS512": signed.CryptoKey("k1", "RS512", rsaKey),
		"ES256": signed.PEM("k1", "", pemOf(t, ecKey)), "ES384": signed.CryptoKey("k1", "", ec384), "ES512": signed.CryptoKey("k1", "", ec521),
		"EdDSA": signed.PEM("k1", "", pemOf(t, edKey)),
	} {
		t.Run(alg, func(t *testing.T) {
			a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
				c.JWT = ginauth.JWTConfig{SigningKey: key, Issuer: testapp.JWTIssuer, Audience: testapp.JWTAudience}
			}), testapp.Routes(func(a *testapp.App, r *gin.Engine) { ; r.GET("/jwks", a.JWKS()) }))
			p := a.IssueTokens(testapp.Alice)
			a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
			header := map[string]any{}
			data, err := jwt.NewParser().DecodeSegment(strings.Split(p.AccessToken, ".")[0])
			if err != nil || json.Unmarshal(data, &header) != nil || header["alg"] != alg || header["kid"] != "k1" {
				t.Errorf("header %s", data)
			}
			// The public key as an HMAC secret, in each form that it is published in.
			jwks := a.Client().Get("/jwks").Want(t, 200)
			for _, secret := range [][]byte{pemOf(t, edKey), []byte(jwks.Text), x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey), rsaKey.N.Bytes()} {
				forged := jwt.NewWithClaims(jwt.SigningMethodHS256, testapp.JWTClaims(t, p.AccessToken))
				forged.Header["kid"], forged.Header["typ"] = "k1", "at+jwt"
				a.Bearer(must(forged.SignedString(secret))).Get("/api/me").WantBadToken(t)
			}
			wantKeys := 1
			if strings.HasPrefix(alg, "HS") {
				wantKeys = 0
			}
			var set struct{ Keys []map[string]string }
			if err := json.Unmarshal([]byte(jwks.Text), &set); err != nil || len(set.Keys) != wantKeys {
				t.Errorf("JWKS %s: %v", jwks.Text, err)
			}
			for _, k := range set.Keys {
				if k["kid"] != "k1" || k["alg"] != alg || k["use"] != "sig" || k["d"] != "" || k["p"] != "" {
					t.Errorf("public key %v", k)
				}
			}
			if got := jwks.Header.Get("Content-Type"); got != "application/jwk-set+json" {
				t.Errorf("content type %q", got)
			}
		})
	}
}

func TestAnswersByTokenFromCookieAreNotShared(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.JWT.Source = func(r *http.Request) string {
			cookie, err := r.Cookie("jwt")
			if err != nil {
				return ""
			}
			return cookie.Value
		}
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		r.GET("/me", a.Auth("api"), testapp.Me)
		r.GET("/optional", a.StartSession(), func(c *gin.Context) {
			u, _ := ginauth.From(c).Guard("api").User(c.Request.Context())
			c.String(200, "%v", u != nil)
		})
		r.GET("/public", a.StartSession(), func(c *gin.Context) { c.String(200, "hello") })
		r.POST("/token", a.StartSession(), func(c *gin.Context) {
			res, err := ginauth.From(c).Guard("api").LoginUsingID(c.Request.Context(), "1")
			testapp.Answer(c, res, err)
		})
	}))
	c := a.Client()
	check := func(path string, private bool) {
		t.Helper()
		h := c.Get(path).Want(t, 200).Header
		if (h.Get("Cache-Control") == "no-store") != private || (h.Get("Vary") == "Cookie") != private {
			t.Errorf("%s: %v", path, h)
		}
	}
	check("/optional", true) // the answer would be another one with a token
	c.Cookies["jwt"] = c.Post("/token", nil).Tokens(t).AccessToken
	check("/me", true)
	check("/optional", true)
	check("/public", false)
}
