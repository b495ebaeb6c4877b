// Package testbackends opens the stores on which tests of whole applications
// run. There is a backend for each kind of store, including those that need a
// server.
package testbackends

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
	"github.com/ginauth/ginauth/stores/filestore"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/memstore"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// Backend is an empty set of stores. It is closed when the test ends.
type Backend struct {
	// Name is memory, sqlite, file, cookie, postgres, mysql or redis.
	Name string
	Set  stores.Set
	// DB is the database, with the tables of all models, or nil.
	DB *gorm.DB
	// Dir is the directory of the session files, or "".
	Dir string
	// Redis is a client of the server, or nil. The keys of the test begin with
	// Prefix.
	Redis  *redis.Client
	Prefix string
}

// Each runs a test with stores in memory, on SQLite, with sessions in files, with
// sessions in cookies, and on each server whose address is in the environment.
func Each(t *testing.T, test func(t *testing.T, b Backend)) {
	t.Helper()
	t.Run("file", func(t *testing.T) { test(t, File(t)) })
	t.Run("cookie", func(t *testing.T) { test(t, Cookie(t)) })
	EachOfAccounts(t, test)
}

// EachOfAccounts is like Each, without the backends that differ from memory
// only in their sessions. It is meant for tests of users, tokens and limits.
func EachOfAccounts(t *testing.T, test func(t *testing.T, b Backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, Memory(t)) })
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, SQL(t, "postgres", testservers.Postgres(t))) })
	t.Run("mysql", func(t *testing.T) { test(t, SQL(t, "mysql", testservers.MySQL(t))) })
	t.Run("redis", func(t *testing.T) { test(t, Redis(t)) })
}

// Memory returns a backend that keeps everything in memory.
func Memory(t testing.TB) Backend {
	t.Helper()
	set := memstore.New(memstore.Options{PruneEvery: -1})
	t.Cleanup(func() { _ = set.Close() })
	return Backend{Name: "memory", Set: set}
}

// Cookie returns a backend that keeps sessions in cookies and everything else
// in memory.
func Cookie(t testing.TB) Backend {
	t.Helper()
	b := Memory(t)
	b.Name, b.Set.Sessions, b.Set.ClientSessions = "cookie", nil, cookiestore.New()
	return b
}

// File returns a backend that keeps sessions in files and everything else in
// memory.
func File(t testing.TB) Backend {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sessions")
	sessions, err := filestore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sessions.Close() })
	b := Memory(t)
	b.Name, b.Set.Sessions, b.Dir = "file", sessions, dir
	return b
}

// SQLite returns a backend that keeps everything in a SQLite file. The file is
// not flushed, because tests do not need it after a crash.
func SQLite(t testing.TB) Backend {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate&_synchronous=off"
	return SQL(t, "sqlite", testservers.Connect(t, sqlite.Open(dsn)))
}

// SQL returns a backend that keeps everything in a database. It migrates the
// database.
func SQL(t testing.TB, name string, db *gorm.DB) Backend {
	t.Helper()
	if err := db.AutoMigrate(models.All()...); err != nil {
		t.Fatal(err)
	}
	return Backend{Name: name, Set: gormstore.New(db), DB: db}
}

// Redis returns a backend that keeps everything on the Redis server.
func Redis(t testing.TB) Backend {
	t.Helper()
	client, prefix := testservers.Redis(t)
	return Backend{Name: "redis", Set: redisstore.New(client, redisstore.WithPrefix(prefix)), Redis: client, Prefix: prefix}
}

// NotInCookies skips the test if sessions are kept in cookies. It is meant for
// rules that package cookiestore does not promise, and for rules about the rows
// of a store.
func (b Backend) NotInCookies(t testing.TB, reason string) {
	t.Helper()
	if b.Set.ClientSessions != nil {
		t.Skipf("not for sessions in cookies: %s", reason)
	}
}

// SQLUsers is a user provider on a database whose users tests can change,
// remove and count.
type SQLUsers struct {
	*gormstore.UserStore[models.User, *models.User]
	db *gorm.DB
}

// Users returns the user provider of the backend's database.
func (b Backend) Users() SQLUsers { return SQLUsers{gormstore.Users[models.User](b.DB), b.DB} }

// Change calls f to change a user and stores the user. It panics if that fails.
func (p SQLUsers) Change(id string, f func(*models.User)) {
	n, _ := strconv.ParseUint(id, 10, 64)
	u := models.User{ID: n}
	if err := p.db.Take(&u).Error; err != nil {
		panic(err)
	}
	f(&u)
	if err := p.db.Save(&u).Error; err != nil {
		panic(err)
	}
}

// Remove deletes a user. It panics if that fails.
func (p SQLUsers) Remove(id string) {
	if err := p.db.Delete(&models.User{}, "id = ?", id).Error; err != nil {
		panic(err)
	}
}

// Count returns the number of users. It panics if that fails.
func (p SQLUsers) Count() int {
	var n int64
	if err := p.db.Model(&models.User{}).Count(&n).Error; err != nil {
		panic(err)
	}
	return int(n)
}
