package gormstore_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// sqliteOptions are the options that the package's documentation recommends.
const sqliteOptions = "?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate"

// openPureSQLite opens SQLite with the driver that needs no cgo.
func openPureSQLite(t *testing.T, _ string) *gorm.DB {
	t.Helper()
	return connect(t, sqlite.New(sqlite.Config{
		DriverName: "sqlite",
		DSN:        filepath.Join(t.TempDir(), "test.db") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(1000)&_txlock=immediate",
	}))
}

// onEngines runs a test on each database that is available: on SQLite, and on those that
// the environment variables GINAUTH_TEST_POSTGRES and GINAUTH_TEST_MYSQL name. Each call
// of open returns a new, empty database.
func onEngines(t *testing.T, test func(t *testing.T, open func(t *testing.T) *gorm.DB)) {
	for _, engine := range []struct {
		name, variable string
		open           func(t *testing.T, dsn string) *gorm.DB
	}{
		{"sqlite", "", openSQLite},
		{"sqlite-go", "", openPureSQLite},
		{"postgres", "GINAUTH_TEST_POSTGRES", openPostgres},
		{"mysql", "GINAUTH_TEST_MYSQL", openMySQL},
	} {
		t.Run(engine.name, func(t *testing.T) {
			dsn := os.Getenv(engine.variable)
			if dsn == "" && engine.variable != "" {
				t.Skipf("needs %s, a data source name", engine.variable)
			}
			test(t, func(t *testing.T) *gorm.DB { return engine.open(t, dsn) })
		})
	}
}

// emptied returns a function that empties all tables of a database and returns its stores. To
// create the tables for each rule takes longer than most rules.
func emptied(db *gorm.DB) func(t *testing.T) stores.Set {
	set := gormstore.New(db)
	return func(t *testing.T) stores.Set {
		t.Helper()
		for _, name := range tablesOf(t, db) {
			if err := db.Exec("DELETE FROM ?", clause.Table{Name: name}).Error; err != nil {
				t.Fatal(err)
			}
		}
		return set
	}
}

// migrated returns a function that calls open and creates this package's tables.
func migrated(open func(t *testing.T) *gorm.DB) func(t *testing.T) *gorm.DB {
	return func(t *testing.T) *gorm.DB {
		t.Helper()
		db := open(t)
		if err := gormstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		return db
	}
}

// connect opens a database and closes it when the test ends.
func connect(t *testing.T, dialector gorm.Dialector) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(10)
	pool.SetMaxIdleConns(10)
	t.Cleanup(func() {
		if n := pool.Stats().InUse; n > 0 {
			t.Errorf("%d connections are still in use", n)
		}
		pool.Close()
	})
	return db
}

func openSQLite(t *testing.T, _ string) *gorm.DB {
	t.Helper()
	return connect(t, sqlite.Open(filepath.Join(t.TempDir(), "auth.db")+sqliteOptions))
}

// openPostgres creates and opens a schema.
func openPostgres(t *testing.T, dsn string) *gorm.DB {
	t.Helper()
	name := newDatabase(t, postgres.Open(dsn), "CREATE SCHEMA %s", "DROP SCHEMA %s CASCADE")
	switch {
	case !strings.Contains(dsn, "://"):
		dsn += " search_path=" + name
	case strings.Contains(dsn, "?"):
		dsn += "&search_path=" + name
	default:
		dsn += "?search_path=" + name
	}
	return connect(t, postgres.Open(dsn))
}

// openMySQL creates and opens a database, with the collation that considers most letters
// equal.
func openMySQL(t *testing.T, dsn string) *gorm.DB {
	t.Helper()
	config, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = newDatabase(t, mysql.Open(dsn),
		"CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "DROP DATABASE %s")
	return connect(t, mysql.Open(config.FormatDSN()))
}

// newDatabase creates a database with a random name and drops it when the test ends.
func newDatabase(t *testing.T, server gorm.Dialector, create, drop string) string {
	t.Helper()
	admin := connect(t, server)
	name := "ginauth_test_" + strings.ToLower(rand.Text()[:12])
	if err := admin.Exec(fmt.Sprintf(create, name)).Error; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Exec(fmt.Sprintf(drop, name)) })
	return name
}
