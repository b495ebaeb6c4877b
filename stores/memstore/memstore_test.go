package memstore_test

import (
	"testing"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
	"github.com/ginauth/ginauth/stores/storetest"
)

func TestSessions(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) stores.Sessions {
		s := memstore.NewSessions(memstore.Options{})
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestTokens(t *testing.T) {
	storetest.Tokens(t, func(t *testing.T) stores.Tokens {
		s := memstore.NewTokens(memstore.Options{})
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestFactors(t *testing.T) {
	storetest.Factors(t, func(*testing.T) stores.Factors { return memstore.NewFactors(memstore.Options{}) })
}

func TestIdentities(t *testing.T) {
	storetest.Identities(t, func(*testing.T) stores.Identities { return memstore.NewIdentities(memstore.Options{}) })
}

func TestLimiter(t *testing.T) {
	storetest.Limiter(t, func(t *testing.T) stores.Limiter {
		l := memstore.NewLimiter(memstore.Options{})
		t.Cleanup(func() { l.Close() })
		return l
	})
}
