package gormstore_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/storetest"
)

func TestSessions(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		set := emptied(migrated(open)(t))
		storetest.Sessions(t, func(t *testing.T) stores.Sessions { return set(t).Sessions })
	})
}

func TestTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		set := emptied(migrated(open)(t))
		storetest.Tokens(t, func(t *testing.T) stores.Tokens { return set(t).Tokens })
	})
}

func TestFactors(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		set := emptied(migrated(open)(t))
		storetest.Factors(t, func(t *testing.T) stores.Factors { return set(t).Factors })
	})
}

func TestIdentities(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		set := emptied(migrated(open)(t))
		storetest.Identities(t, func(t *testing.T) stores.Identities { return set(t).Identities })
	})
}

func TestLimiter(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		set := emptied(migrated(open)(t))
		storetest.Limiter(t, func(t *testing.T) stores.Limiter { return set(t).Limiter })
	})
}
