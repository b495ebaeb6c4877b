package ginauth_test

import (
	"path/filepath"
	"testing"

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

// backend is one combination of stores and users that the tests run on.
type backend struct {
	name  string
	set   stores.Set
	users userBackend
	db    *gorm.DB // nil without a database
	// atRest is nil where nothing is kept outside the process.
	atRest atRest
}

// eachBackend runs a test on memory, on SQLite, with sessions in files and in
// their cookies, and, where time is not short, on the servers that are there.
func eachBackend(t *testing.T, test func(t *testing.T, b *backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, memoryBackend(t)) })
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteBackend(t)) })
	t.Run("file", func(t *testing.T) { test(t, fileBackend(t)) })
	t.Run("cookie", func(t *testing.T) { test(t, cookieBackend(t)) })
	if testing.Short() {
		return
	}
	t.Run("postgres", func(t *testing.T) { test(t, sqlBackend(t, "postgres", testservers.Postgres(t))) })
	t.Run("mysql", func(t *testing.T) { test(t, sqlBackend(t, "mysql", testservers.MySQL(t))) })
	t.Run("redis", func(t *testing.T) { test(t, redisBackend(t)) })
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
	b.name, b.set.Sessions, b.set.Carrier = "cookie", nil, cookiestore.New()
	return b
}

// notInCookies skips a rule that package cookiestore says it cannot promise, or
// that is about the rows of a store.
func (b *backend) notInCookies(t *testing.T, reason string) {
	t.Helper()
	if b.set.Carrier != nil {
		t.Skipf("not for sessions in cookies: %s", reason)
	}
}

func cookieBackend(t *testing.T) *backend {
	t.Helper()
	return inCookies(memoryBackend(t))
}

func memoryBackend(t *testing.T) *backend {
	t.Helper()
	set := memstore.New(memstore.Options{PruneEvery: -1})
	t.Cleanup(func() { _ = set.Close() })
	return &backend{name: "memory", set: set, users: newMemoryUsers()}
}

func fileBackend(t *testing.T) *backend {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sessions")
	sessions, err := filestore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sessions.Close() })
	b := memoryBackend(t)
	b.name, b.set.Sessions, b.atRest = "file", sessions, filesAtRest(dir)
	return b
}

func sqliteBackend(t *testing.T) *backend {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate&_synchronous=off"
	return sqlBackend(t, "sqlite", testservers.Connect(t, sqlite.Open(dsn)))
}

func sqlBackend(t *testing.T, name string, db *gorm.DB) *backend {
	t.Helper()
	if err := db.AutoMigrate(models.All()...); err != nil {
		t.Fatal(err)
	}
	return &backend{
		name: name, set: gormstore.New(db), users: sqlUsers{gormstore.Users[models.User](db), db}, db: db, atRest: rowsAtRest{db},
	}
}

func redisBackend(t *testing.T) *backend {
	t.Helper()
	client, prefix := testservers.Redis(t)
	return &backend{
		name: "redis", set: redisstore.New(client, redisstore.WithPrefix(prefix)), users: newMemoryUsers(),
		atRest: keysAtRest{t, client, prefix},
	}
}
