package gormstore_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/storetest"
)

func TestSessions(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		storetest.Sessions(t, func(t *testing.T) stores.Sessions {
			return gormstore.New(migrated(open)(t)).Sessions
		})
	})
}

func TestTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		storetest.Tokens(t, func(t *testing.T) stores.Tokens {
			return gormstore.New(migrated(open)(t)).Tokens
		})
	})
}

func TestFactors(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		storetest.Factors(t, func(t *testing.T) stores.Factors {
			return gormstore.New(migrated(open)(t)).Factors
		})
	})
}

func TestIdentities(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		storetest.Identities(t, func(t *testing.T) stores.Identities {
			return gormstore.New(migrated(open)(t)).Identities
		})
	})
}

func TestLimiter(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		storetest.Limiter(t, func(t *testing.T) stores.Limiter {
			return gormstore.New(migrated(open)(t)).Limiter
		})
	})
}
