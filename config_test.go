package ginauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestNewCopiesConfig(t *testing.T) {
	cfg := ginauth.Config{Pages: ginauth.PagesConfig{APIPrefixes: []string{"/api/"}}, Guards: map[string]ginauth.GuardConfig{"admin": {Users: new(ginauthtest.Users)}}}
	m, err := ginauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	if cfg.StoreTimeout != 0 || cfg.DefaultGuard != "" || cfg.Session.IdleTimeout != 0 {
		t.Error("New changed the caller's Config")
	}
	m.Auth() // the only guard is the default one
}

// elsewhere is a store that is not in memory, for all New can tell.
type elsewhere struct{ stores.Sessions }

func TestKeyIsNeededOutsideMemory(t *testing.T) {
	set := memstore.New(memstore.Options{PruneEvery: -1})
	defer set.Close()
	set.Sessions = elsewhere{set.Sessions}
	_, err := ginauth.New(ginauth.Config{Stores: set})
	if err == nil || !strings.Contains(err.Error(), "Key") || !strings.Contains(err.Error(), "memory") {
		t.Fatalf("error %v", err)
	}
	for _, key := range []ginauth.Key{"", "x", "change-me-in-production-min-32-chars!!", "base64:" + ginauth.Key(strings.Repeat("A", 43)) + "=", ginauth.Key(strings.Repeat("0", 64))} {
		if _, err := ginauth.New(ginauth.Config{Stores: set, Key: key}); err == nil {
			t.Errorf("key %q is accepted", string(key))
		}
	}
	m, err := ginauth.New(ginauth.Config{Stores: set, Key: ginauth.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Close(context.Background())
}

func TestConfigShowsNoKey(t *testing.T) { // L06
	var log strings.Builder
	key := jwt.Secret("k1", "", []byte(testapp.JWTSecret))
	cfg := ginauth.Config{JWT: ginauth.JWTConfig{SigningKey: key}}
	p := ginauth.TokenPair{AccessToken: "CANARY", RefreshToken: "CANARY"}
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "pair", p, "config", cfg.JWT)
	data, _ := json.Marshal(key)
	shown := fmt.Sprintf("%v %+v %#v %s %v %+v %+v %#v", key, key, key, key, p, &p, cfg.JWT, cfg.JWT) + string(data) + log.String()
	if strings.Contains(shown, "HMAC secret") || strings.Contains(shown, "CANARY") || strings.Contains(shown, "616e20484d4143") {
		t.Errorf("shows %s", shown)
	}
}
