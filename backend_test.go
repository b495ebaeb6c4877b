package ginauth_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
)

// backend is one combination of stores and users that the tests run on.
type backend struct {
	name  string
	set   stores.Set
	users userBackend
	db    *gorm.DB // nil without a database
	// atRest is nil where nothing is kept outside the process.
	atRest atRest
}

// eachBackend runs a test on each backend of package testbackends.
func eachBackend(t *testing.T, test func(t *testing.T, b *backend)) {
	t.Helper()
	testbackends.Each(t, func(t *testing.T, opened testbackends.Backend) { test(t, backendOn(t, opened)) })
}

// eachKind runs a test with sessions in a store, where one store is as good as
// another, and in their cookies.
func eachKind(t *testing.T, test func(t *testing.T, b *backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, memoryBackend(t)) })
	t.Run("cookie", func(t *testing.T) { test(t, cookieBackend(t)) })
}

// eachNotes runs a test with sessions in their cookies, on each store of tokens
// that notes which of them have ended.
func eachNotes(t *testing.T, test func(t *testing.T, b *backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, cookieBackend(t)) })
	t.Run("sqlite", func(t *testing.T) { test(t, inCookies(sqliteBackend(t))) })
	if testing.Short() {
		return
	}
	t.Run("postgres", func(t *testing.T) { test(t, inCookies(sqlBackend(t, "postgres", testservers.Postgres(t)))) })
	t.Run("mysql", func(t *testing.T) { test(t, inCookies(sqlBackend(t, "mysql", testservers.MySQL(t)))) })
	t.Run("redis", func(t *testing.T) { test(t, inCookies(redisBackend(t))) })
}

// inCookies moves the sessions of a backend into their cookies.
func inCookies(b *backend) *backend {
	b.name, b.set.Sessions, b.set.ClientSessions = "cookie", nil, cookiestore.New()
	return b
}

// backendOn adds users, in the database if there is one, and a view of what is at
// rest.
func backendOn(t *testing.T, opened testbackends.Backend) *backend {
	b := &backend{name: opened.Name, set: opened.Set, db: opened.DB}
	switch {
	case opened.DB != nil:
		b.users, b.atRest = sqlUsers{opened.Users()}, rowsAtRest{opened.DB}
		return b
	case opened.Redis != nil:
		b.atRest = keysAtRest{t, opened.Redis, opened.Prefix}
	case opened.Dir != "":
		b.atRest = filesAtRest(opened.Dir)
	}
	b.users = newMemoryUsers()
	return b
}

// sqlUsers are users in a database.
type sqlUsers struct{ testbackends.SQLUsers }

func (p sqlUsers) change(id string, f func(*models.User)) { p.Change(id, f) }

// notInCookies skips a rule that sessions in cookies do not promise.
func (b *backend) notInCookies(t *testing.T, reason string) {
	t.Helper()
	testbackends.Backend{Set: b.set}.NotInCookies(t, reason)
}

func cookieBackend(t *testing.T) *backend { t.Helper(); return backendOn(t, testbackends.Cookie(t)) }
func memoryBackend(t *testing.T) *backend { t.Helper(); return backendOn(t, testbackends.Memory(t)) }
func sqliteBackend(t *testing.T) *backend { t.Helper(); return backendOn(t, testbackends.SQLite(t)) }
func redisBackend(t *testing.T) *backend  { t.Helper(); return backendOn(t, testbackends.Redis(t)) }

func sqlBackend(t *testing.T, name string, db *gorm.DB) *backend {
	t.Helper()
	return backendOn(t, testbackends.SQL(t, name, db))
}
