package ginauth_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestNewReportsAllFaultsAtOnce(t *testing.T) { // C02, J03, P07
	_, err := ginauth.New(ginauth.Config{
		Key:          "base64:c2hvcnQ=",
		PreviousKeys: []ginauth.Key{"CANARY-not-a-key"},
		StoreTimeout: -1,
		DefaultGuard: "typo",
		EventQueue:   -1,
		Guards:       map[string]ginauth.GuardConfig{"a b": {}, "web": {}},
		Session: ginauth.SessionConfig{
			IdleTimeout: time.Minute, TouchInterval: time.Hour,
			Cookie: ginauth.CookieConfig{Name: "__Host-x", Domain: "example.com", InsecureAllowHTTP: true, SameSite: http.SameSiteNoneMode, MaxAge: -1},
		},
		Throttle:    ginauth.ThrottleConfig{Address: ginauth.Limit{Attempts: -1, Per: time.Minute}},
		CrossOrigin: ginauth.CrossOriginConfig{TrustedOrigins: []string{"example.com"}, InsecureBypassPatterns: []string{"{"}},
		Pages:       ginauth.PagesConfig{Login: "//evil.example", APIPrefixes: []string{"api"}},
		Hashing:     hashing.Config{Driver: hashing.Argon2id{Memory: 1024, Time: 1}},
		Stores:      stores.Set{Sessions: memstore.NewSessions(memstore.Options{PruneEvery: -1})},
	})
	if !errors.Is(err, ginauth.ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, field := range []string{
		"Key:", "PreviousKeys[0]", "StoreTimeout", "DefaultGuard", "EventQueue", `Guards["a b"]`, "TouchInterval", "Cookie.Domain",
		"InsecureAllowHTTP", "SameSite", "MaxAge", "Throttle.Address", "TrustedOrigins", "InsecureBypassPatterns", "Pages.Login",
		"APIPrefixes", "Hashing", "Stores.Tokens", "Stores.Limiter",
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s", field)
		}
	}
	if strings.Contains(err.Error(), "CANARY") {
		t.Error("the error quotes a key")
	}
}

func TestNewRefusesImpossibleCookies(t *testing.T) { // C02
	for name, c := range map[string]ginauth.CookieConfig{
		"host with domain":        {Domain: "example.com"},
		"host with path":          {Path: "/x"},
		"host without TLS":        {InsecureAllowHTTP: true},
		"secure prefix, no TLS":   {Name: "__Secure-x", InsecureAllowHTTP: true},
		"SameSite=None, no TLS":   {Name: "x", InsecureAllowHTTP: true, SameSite: http.SameSiteNoneMode},
		"name":                    {Name: "a b"},
		"name with a semicolon":   {Name: "a;b"},
		"path with a line break":  {Name: "x", Path: "/\r\nSet-Cookie: a=b"},
		"domain with a semicolon": {Name: "x", Domain: "a;b"},
	} {
		if _, err := ginauth.New(ginauth.Config{Session: ginauth.SessionConfig{Cookie: c}}); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRefusesUnsafeJWTConfig(t *testing.T) { // J03, J09
	good := jwt.Secret("k1", "", []byte(testapp.JWTSecret))
	with := func(key jwt.Key, more ...jwt.Key) ginauth.JWTConfig {
		return ginauth.JWTConfig{SigningKey: key, VerifyingKeys: more, Issuer: "i", Audience: "a"}
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&rsaKey.PublicKey))})
	for name, cfg := range map[string]ginauth.JWTConfig{
		"empty secret": with(jwt.Secret("k", "", nil)), "short secret": with(jwt.Secret("k", "", []byte("31 bytes are not enough for me.")[:31])),
		"short for HS512": with(jwt.Secret("k", "HS512", []byte(testapp.JWTSecret))), "alg none": with(jwt.Secret("k", "none", []byte(testapp.JWTSecret))),
		"small RSA": with(jwt.CryptoKey("k", "", rsaSmall)), "wrong curve": with(jwt.CryptoKey("k", "ES384", ecKey)),
		"public key as a secret": with(jwt.Secret("k", "", public)), "public key signs": with(jwt.PEM("k", "", public)),
		"both kinds": with(good, jwt.CryptoKey("k2", "", edKey)), "one kid twice": with(good, jwt.Secret("k1", "", []byte(testapp.JWTSecret+"2"))),
		"for encryption": with(jwt.JWK([]byte(`{"kty":"oct","use":"enc","kid":"k","alg":"HS256","k":"YW4gSE1BQyBzZWNyZXQgZm9yIHRlc3RzLCBvZiA0MCBieXRlcyBvaw"}`))),
		"no PEM":         with(jwt.PEM("k", "", []byte("nothing"))), "unset verifying key": with(good, jwt.Key{}),
		"no issuer": {SigningKey: good, Audience: "a"}, "no audience": {SigningKey: good, Issuer: "i"},
		"audience twice": {Audience: "a", Audiences: []string{"a"}}, "empty audience": {Audience: "a", Audiences: []string{""}},
		"16 further audiences": {Audience: "a", Audiences: strings.Split("bcdefghijklmnopq", "")},
		"leeway":               {Leeway: time.Minute + 1}, "lifetime": {Lifetime: -1},
	} {
		if _, err := ginauth.New(ginauth.Config{JWT: cfg, Hashing: ginauthtest.CheapHashing()}); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: error %v", name, err)
		} else if strings.Contains(err.Error(), testapp.JWTSecret) || !strings.Contains(err.Error(), "JWT") {
			t.Errorf("%s: the error shows a secret, or not the field: %v", name, err)
		}
	}
	for name, cfg := range map[string]ginauth.Config{
		"refresh idle": {Refresh: ginauth.RefreshConfig{IdleTimeout: -1}}, "prefix": {PersonalTokens: ginauth.PersonalTokensConfig{Prefix: "a_b"}},
		"token lifetime":    {PersonalTokens: ginauth.PersonalTokensConfig{Lifetime: time.Millisecond}},
		"negative sessions": {Session: ginauth.SessionConfig{MaxPerUser: -1}},
		"limit and none":    {Session: ginauth.SessionConfig{MaxPerUser: 5, DisableMaxPerUser: true}},
	} {
		cfg.Hashing = ginauthtest.CheapHashing()
		if _, err := ginauth.New(cfg); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestNewChecksStoresOfSessionsInCookies(t *testing.T) {
	memory := memstore.New(memstore.Options{PruneEvery: -1})
	defer memory.Close()
	carrier := cookiestore.New()
	for name, row := range map[string]struct {
		set  stores.Set
		key  ginauth.Key
		says []string // of the error; none: it is accepted
	}{
		"complete":           {set: stores.Set{ClientSessions: carrier, Tokens: memory.Tokens, Limiter: memory.Limiter}, key: testapp.Key},
		"all for a process":  {set: stores.Set{ClientSessions: carrier, Tokens: memory.Tokens, Limiter: memory.Limiter}},
		"carrier alone":      {stores.Set{ClientSessions: carrier}, testapp.Key, []string{"Stores.Tokens: is missing: nothing else remembers", "Stores.Limiter"}},
		"both":               {stores.Set{Sessions: memory.Sessions, ClientSessions: carrier, Tokens: memory.Tokens, Limiter: memory.Limiter}, testapp.Key, []string{"Stores.ClientSessions: is named beside"}},
		"neither":            {stores.Set{Tokens: memory.Tokens, Limiter: memory.Limiter}, testapp.Key, []string{"Stores.Sessions: is missing"}},
		"key":                {stores.Set{ClientSessions: carrier, Tokens: elsewhereTokens{memory.Tokens}, Limiter: memory.Limiter}, "", []string{"Key: is empty"}},
		"both and no tokens": {stores.Set{Sessions: memory.Sessions, ClientSessions: carrier}, testapp.Key, []string{"Stores.ClientSessions", "Stores.Tokens", "Stores.Limiter"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ginauth.New(ginauth.Config{Key: row.key, Stores: row.set})
			if err == nil {
				defer m.Close(context.Background())
			}
			if (err == nil) != (len(row.says) == 0) {
				t.Fatalf("error %v", err)
			}
			for _, want := range row.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

// elsewhereTokens are not in memory, for all New can tell.
type elsewhereTokens struct{ stores.Tokens }
