// Package testbackends opens what the tests of whole applications run on: each
// kind of store there is, those of servers included.
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

// Backend is one set of stores, empty, that ends with its test.
type Backend struct {
	// Name is memory, sqlite, file, cookie, postgres, mysql or redis.
	Name string
	Set  stores.Set
	// DB is the database with the tables of all models, or nil.
	DB *gorm.DB
	// Dir is where sessions are kept in files, or "".
	Dir string
	// Redis is a client of the server, or nil. What is the test's own has keys
	// that begin with Prefix.
	Redis  *redis.Client
	Prefix string
}

// Each runs a test on memory, on SQLite, with sessions in files and in their
// cookies, and, where time is not short, on the servers that are there.
func Each(t *testing.T, test func(t *testing.T, b Backend)) {
	t.Helper()
	t.Run("file", func(t *testing.T) { test(t, File(t)) })
	t.Run("cookie", func(t *testing.T) { test(t, Cookie(t)) })
	EachOfAccounts(t, test)
}

// EachOfAccounts is Each without the backends that differ from memory in sessions
// alone: for tests of users, tokens and counts.
func EachOfAccounts(t *testing.T, test func(t *testing.T, b Backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, Memory(t)) })
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	if testing.Short() {
		return
	}
	t.Run("postgres", func(t *testing.T) { test(t, SQL(t, "postgres", testservers.Postgres(t))) })
	t.Run("mysql", func(t *testing.T) { test(t, SQL(t, "mysql", testservers.MySQL(t))) })
	t.Run("redis", func(t *testing.T) { test(t, Redis(t)) })
}

// Memory keeps everything in this process.
func Memory(t testing.TB) Backend {
	t.Helper()
	set := memstore.New(memstore.Options{PruneEvery: -1})
	t.Cleanup(func() { _ = set.Close() })
	return Backend{Name: "memory", Set: set}
}

// Cookie keeps sessions in their cookies, and the rest in this process.
func Cookie(t testing.TB) Backend {
	t.Helper()
	b := Memory(t)
	b.Name, b.Set.Sessions, b.Set.ClientSessions = "cookie", nil, cookiestore.New()
	return b
}

// File keeps sessions in files, and the rest in this process.
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

// SQLite keeps everything in a file. It is not flushed, which tests have no use
// for.
func SQLite(t testing.TB) Backend {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate&_synchronous=off"
	return SQL(t, "sqlite", testservers.Connect(t, sqlite.Open(dsn)))
}

// SQL keeps everything in a database, which it migrates.
func SQL(t testing.TB, name string, db *gorm.DB) Backend {
	t.Helper()
	if err := db.AutoMigrate(models.All()...); err != nil {
		t.Fatal(err)
	}
	return Backend{Name: name, Set: gormstore.New(db), DB: db}
}

// Redis keeps everything on the server.
func Redis(t testing.TB) Backend {
	t.Helper()
	client, prefix := testservers.Redis(t)
	return Backend{Name: "redis", Set: redisstore.New(client, redisstore.WithPrefix(prefix)), Redis: client, Prefix: prefix}
}

// NotInCookies skips a rule that package cookiestore says it cannot promise, or
// that is about the rows of a store.
func (b Backend) NotInCookies(t testing.TB, reason string) {
	t.Helper()
	if b.Set.ClientSessions != nil {
		t.Skipf("not for sessions in cookies: %s", reason)
	}
}

// SQLUsers is a provider of the users in a database that tests can look into.
type SQLUsers struct {
	*gormstore.UserStore[models.User, *models.User]
	db *gorm.DB
}

// Users returns the provider of the users in the backend's database.
func (b Backend) Users() SQLUsers { return SQLUsers{gormstore.Users[models.User](b.DB), b.DB} }

// Change stores what f makes of a user. It panics if that fails.
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

// Count returns how many users there are. It panics if that fails.
func (p SQLUsers) Count() int {
	var n int64
	if err := p.db.Model(&models.User{}).Count(&n).Error; err != nil {
		panic(err)
	}
	return int(n)
}
