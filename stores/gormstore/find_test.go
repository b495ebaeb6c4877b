package gormstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// TestLoadBesideChanges loads a session after changes of the table and of the connections
// that have prepared the query.
func TestLoadBesideChanges(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		set := gormstore.New(db)
		create := func() error { return set.Sessions.Create(t.Context(), newSession()) }
		for _, step := range []struct {
			name   string
			change func() error
			found  bool
			fails  bool
		}{
			{"a row is created", create, true, false},
			{"nothing", func() error { return nil }, true, false},
			{"a column is added", func() error { return db.Exec("ALTER TABLE auth_sessions ADD COLUMN extra INTEGER").Error }, true, false},
			{"connections are closed", func() error { pool.SetMaxIdleConns(-1); pool.SetMaxIdleConns(10); return nil }, true, false},
			{"the table is dropped", func() error { return db.Migrator().DropTable(&models.Session{}) }, false, true},
			{"the table is new", func() error { return gormstore.Migrate(t.Context(), db) }, false, false},
			{"its row is created", create, true, false},
		} {
			if err := step.change(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			parallel(10, func(int) {
				got, found, err := set.Sessions.Load(t.Context(), row)
				if found != step.found || (err != nil) != step.fails || found && got.Digest != newSession().Digest {
					t.Errorf("Load after %s: found %v, error %v", step.name, found, err)
				}
			})
		}
	})
}

// TestLoadIsSeen registers a callback that sees and changes the query of Load.
func TestLoadIsSeen(t *testing.T) {
	db := migrated(func(t *testing.T) *gorm.DB { return openSQLite(t, "") })(t)
	set := gormstore.New(db)
	if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
		t.Fatal(err)
	}
	errSeen, seen := errors.New("seen"), error(nil)
	err := db.Callback().Row().Before("gorm:row").Register("test", func(tx *gorm.DB) {
		text := tx.Statement.SQL.String()
		if !strings.Contains(text, "auth_sessions") || len(tx.Statement.Vars) != 1 || tx.Statement.Vars[0] != row {
			t.Errorf("a callback sees %q with %v", text, tx.Statement.Vars)
		}
		if pool, err := tx.DB(); pool == nil || err != nil {
			t.Errorf("a callback finds the pool %v, error %v", pool, err)
		}
		tx.Statement.SQL.WriteString(" /* seen */")
		_ = tx.AddError(seen)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := set.Sessions.Load(t.Context(), row); !found || err != nil {
		t.Errorf("Load with a comment: found %v, error %v", found, err)
	}
	seen = errSeen
	if _, found, err := set.Sessions.Load(t.Context(), row); found || !errors.Is(err, errSeen) {
		t.Errorf("Load that a callback refuses: found %v, error %v", found, err)
	}
}

// watched is a pool that counts queries.
type watched struct {
	*sql.DB
	queries int
}

func (w *watched) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	w.queries++
	return w.DB.QueryContext(ctx, query, args...)
}

// GetDBConn lets GORM find the pool.
func (w *watched) GetDBConn() (*sql.DB, error) { return w.DB, nil }

func TestLoadThroughPool(t *testing.T) {
	db := migrated(func(t *testing.T) *gorm.DB { return openSQLite(t, "") })(t)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{DB: pool}
	set := gormstore.New(connect(t, sqlite.New(sqlite.Config{Conn: w})))
	w.queries = 0
	for range 3 {
		if _, _, err := set.Sessions.Load(t.Context(), row); err != nil {
			t.Error(err)
		}
	}
	if w.queries != 3 {
		t.Errorf("the pool sees %d of 3 queries", w.queries)
	}
}

// unprepared is a connection to a database that answers queries but does not prepare them,
// as some proxies do.
type unprepared struct {
	driver.Conn
	asked *atomic.Int64
}

func (c unprepared) Prepare(string) (driver.Stmt, error) {
	c.asked.Add(1)
	return nil, errors.New("prepared statements are not supported")
}

func (c unprepared) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c unprepared) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c unprepared) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// unpreparedConnector opens such connections.
type unpreparedConnector struct {
	driver driver.Driver
	dsn    string
	asked  atomic.Int64
}

func (c *unpreparedConnector) Driver() driver.Driver { return c.driver }

func (c *unpreparedConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	return unprepared{conn, &c.asked}, err
}

func TestLoadUnprepared(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "auth.db") + sqliteOptions
	sqlitePool, err := connect(t, sqlite.Open(dsn)).DB()
	if err != nil {
		t.Fatal(err)
	}
	c := &unpreparedConnector{driver: sqlitePool.Driver(), dsn: dsn}
	db := connect(t, sqlite.New(sqlite.Config{Conn: sql.OpenDB(c)}))
	if err := gormstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	c.asked.Store(0)
	set := gormstore.New(db)
	if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, found, err := set.Sessions.Load(t.Context(), row); !found || err != nil {
			t.Errorf("found %v, error %v", found, err)
		}
	}
	if n := c.asked.Load(); n != 1 {
		t.Errorf("the database is asked %d times to prepare a statement, want 1", n)
	}
}
