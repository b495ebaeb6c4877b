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
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
)

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

func TestJWTConfigFaults(t *testing.T) { // J03, J09
	good := ginauth.JWTSecret("k1", "", []byte(testapp.JWTSecret))
	with := func(key ginauth.JWTKey, more ...ginauth.JWTKey) ginauth.JWTConfig {
		return ginauth.JWTConfig{SigningKey: key, VerifyingKeys: more, Issuer: "i", Audience: "a"}
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&rsaKey.PublicKey))})
	for name, cfg := range map[string]ginauth.JWTConfig{
		"empty secret": with(ginauth.JWTSecret("k", "", nil)), "short secret": with(ginauth.JWTSecret("k", "", []byte("31 bytes are not enough for me.")[:31])),
		"short for HS512": with(ginauth.JWTSecret("k", "HS512", []byte(testapp.JWTSecret))), "alg none": with(ginauth.JWTSecret("k", "none", []byte(testapp.JWTSecret))),
		"small RSA": with(ginauth.JWTCryptoKey("k", "", rsaSmall)), "wrong curve": with(ginauth.JWTCryptoKey("k", "ES384", ecKey)),
		"public key as a secret": with(ginauth.JWTSecret("k", "", public)), "public key signs": with(ginauth.JWTPEM("k", "", public)),
		"both kinds": with(good, ginauth.JWTCryptoKey("k2", "", edKey)), "one kid twice": with(good, ginauth.JWTSecret("k1", "", []byte(testapp.JWTSecret+"2"))),
		"for encryption": with(ginauth.JWTJWK([]byte(`{"kty":"oct","use":"enc","kid":"k","alg":"HS256","k":"YW4gSE1BQyBzZWNyZXQgZm9yIHRlc3RzLCBvZiA0MCBieXRlcyBvaw"}`))),
		"no PEM":         with(ginauth.JWTPEM("k", "", []byte("nothing"))), "unset verifying key": with(good, ginauth.JWTKey{}),
		"no issuer": {SigningKey: good, Audience: "a"}, "no audience": {SigningKey: good, Issuer: "i"},
		"leeway": {Leeway: time.Minute + 1}, "lifetime": {Lifetime: -1},
	} {
		if _, err := ginauth.New(ginauth.Config{JWT: cfg, Hashing: ginauthtest.CheapHashing()}); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: error %v", name, err)
		} else if strings.Contains(err.Error(), testapp.JWTSecret) || !strings.Contains(err.Error(), "JWT") {
			t.Errorf("%s: the error shows a secret, or not the field: %v", name, err)
		}
	}
	for name, cfg := range map[string]ginauth.Config{
		"refresh idle": {Refresh: ginauth.RefreshConfig{IdleTimeout: -1}}, "prefix": {PersonalTokens: ginauth.PersonalTokensConfig{Prefix: "a_b"}},
		"token lifetime": {PersonalTokens: ginauth.PersonalTokensConfig{Lifetime: time.Millisecond}},
	} {
		cfg.Hashing = ginauthtest.CheapHashing()
		if _, err := ginauth.New(cfg); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestJWTKeysHide(t *testing.T) { // L06
	var log strings.Builder
	key := ginauth.JWTSecret("k1", "", []byte(testapp.JWTSecret))
	cfg := ginauth.Config{JWT: ginauth.JWTConfig{SigningKey: key}}
	p := ginauth.TokenPair{AccessToken: "CANARY", RefreshToken: "CANARY"}
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "pair", p, "config", cfg.JWT)
	data, _ := json.Marshal(key)
	shown := fmt.Sprintf("%v %+v %#v %s %v %+v %+v %#v", key, key, key, key, p, &p, cfg.JWT, cfg.JWT) + string(data) + log.String()
	if strings.Contains(shown, "HMAC secret") || strings.Contains(shown, "CANARY") || strings.Contains(shown, "616e20484d4143") {
		t.Errorf("shows %s", shown)
	}
}

func TestAlgorithms(t *testing.T) { // J02
	ec384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	ec521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	secret := []byte(testapp.JWTSecret + " and then some more of it")
	for alg, key := range map[string]ginauth.JWTKey{
		"HS256": ginauth.JWTSecret("k1", "", secret), "HS384": ginauth.JWTSecret("k1", "HS384", secret), "HS512": ginauth.JWTSecret("k1", "HS512", secret),
		"RS256": ginauth.JWTPEM("k1", "", pemOf(t, rsaKey)), "RS384": ginauth.JWTCryptoKey("k1", "RS384", rsaKey), "RS512": ginauth.JWTCryptoKey("k1", "RS512", rsaKey),
		"ES256": ginauth.JWTPEM("k1", "", pemOf(t, ecKey)), "ES384": ginauth.JWTCryptoKey("k1", "", ec384), "ES512": ginauth.JWTCryptoKey("k1", "", ec521),
		"EdDSA": ginauth.JWTPEM("k1", "", pemOf(t, edKey)),
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

// TestKeyRotationUnderLoad changes both keys step by step while clients go on.
func TestKeyRotationUnderLoad(t *testing.T) { // EXP-24, C09
	b := testapp.Memory(t)
	oldKey, newKey := ginauth.JWTCryptoKey("old", "", edKey), ginauth.JWTCryptoKey("new", "", ecKey)
	appKey := ginauth.NewKey()
	configure := func(signing ginauth.JWTKey, keys []ginauth.Key, verifying ...ginauth.JWTKey) func(*ginauth.Config) {
		return func(c *ginauth.Config) {
			c.Throttle.InsecureDisable = true
			c.JWT = ginauth.JWTConfig{SigningKey: signing, VerifyingKeys: verifying, Issuer: "i", Audience: "a"}
			c.Key, c.PreviousKeys = keys[0], keys[1:]
		}
	}
	first := testapp.New(t, b, testapp.Configure(configure(oldKey, []ginauth.Key{testapp.Key})))
	stages := []*testapp.App{
		first,
		first.Sibling(configure(oldKey, []ginauth.Key{testapp.Key}, newKey)),         // every machine knows the new key
		first.Sibling(configure(newKey, []ginauth.Key{appKey, testapp.Key}, oldKey)), // it signs
		first.Sibling(configure(newKey, []ginauth.Key{appKey, testapp.Key}, oldKey)), // and all clients have come by
	}
	var current atomic.Pointer[testapp.App]
	current.Store(first)
	front := first
	front.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().Engine.ServeHTTP(w, r) }))

	const clients = 16
	steps := make(chan struct{})
	arrived := make(chan bool, clients)
	old := make([]ginauth.TokenPair, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			web := front.Client()
			if res, err := web.Try(context.Background(), "POST", "/login", "application/json", fmt.Sprintf(`{"email":%q,"password":%q}`, testapp.Alice, testapp.Password)); err != nil || res.StatusCode != 200 {
				t.Errorf("login: %v %v", res, err)
			}
			p := front.IssueTokens(testapp.Alice)
			old[i] = p
			for range steps {
				for range 10 {
					if res := web.Get("/me"); res.StatusCode != 200 {
						t.Errorf("a session is lost: %d", res.StatusCode)
					}
					if res := front.Bearer(p.AccessToken).Get("/api/me"); res.StatusCode != 200 {
						t.Errorf("an access token is lost: %d", res.StatusCode)
					}
				}
				p = front.Refresh(p.RefreshToken).Tokens(t)
				arrived <- true
			}
		})
	}
	for _, stage := range stages {
		current.Store(stage)
		for range clients {
			steps <- struct{}{}
		}
		for range clients {
			<-arrived
		}
	}
	close(steps)
	wg.Wait()
	current.Store(first.Sibling(configure(newKey, []ginauth.Key{appKey})))
	for i := range clients {
		front.Bearer(old[i].AccessToken).Get("/api/me").WantBadToken(t)
	}
}
