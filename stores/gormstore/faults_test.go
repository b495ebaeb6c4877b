package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

var errInjected = errors.New("injected")

// faults is a connection pool whose changes fail on demand.
type faults struct {
	*sql.DB
	// before is called before each statement that changes something. The
	// statement fails if before returns an error.
	before func() error
	// lost is the number of such statements whose answers get lost, and
	// lostCommits the number of commits.
	lost, lostCommits atomic.Int64
}

func (f *faults) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := f.before(); err != nil {
		return nil, err
	}
	result, err := f.DB.ExecContext(ctx, query, args...)
	if f.lost.Add(-1) >= 0 {
		return nil, errInjected
	}
	return result, err
}

func (f *faults) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := f.DB.BeginTx(ctx, options)
	return &faultyTx{tx, f}, err
}

// GetDBConn lets GORM find the pool.
func (f *faults) GetDBConn() (*sql.DB, error) { return f.DB, nil }

type faultyTx struct {
	*sql.Tx
	faults *faults
}

func (tx *faultyTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.faults.before(); err != nil {
		return nil, err
	}
	return tx.Tx.ExecContext(ctx, query, args...)
}

func (tx *faultyTx) Commit() error {
	err := tx.Tx.Commit()
	if tx.faults.lostCommits.Add(-1) >= 0 {
		return errInjected
	}
	return err
}

// faulty returns stores on SQLite, and the faults by which their changes fail.
func faulty(t *testing.T) (stores.Set, *faults) {
	t.Helper()
	db, f := faultyOn(t, migrated(func(t *testing.T) *gorm.DB { return openSQLite(t, "") })(t))
	return gormstore.New(db), f
}

// faultyOn returns a second handle to the SQLite database of db, with faults.
func faultyOn(t *testing.T, db *gorm.DB) (*gorm.DB, *faults) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{DB: pool, before: func() error { return nil }}
	return connect(t, sqlite.New(sqlite.Config{Conn: f})), f
}

// failing makes the first n changes fail. It returns a count of all changes.
func (f *faults) failing(n int) *int {
	changes := 0
	f.before = func() error {
		if changes++; changes <= n {
			return errInjected
		}
		return nil
	}
	return &changes
}

const row = "0123456789abcdef0123456789abcdef"

var (
	now    = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	window = stores.Window{Key: stores.DigestOf([]byte("ann")), Limit: 2, Period: time.Minute}
)

func newSession() stores.Session {
	return stores.Session{Row: row, Digest: stores.DigestOf([]byte("1")), Owners: []string{"1"}, Created: now, LastSeen: now, Expires: now.Add(time.Hour)}
}

func newToken() stores.Token {
	return stores.Token{
		ID: row, Family: row, Kind: stores.Reset, Owner: "1", Digest: stores.DigestOf([]byte("1")),
		Created: now, Expires: now.Add(time.Hour), FamilyExpires: now.Add(time.Hour),
	}
}

func TestRetry(t *testing.T) {
	set, f := faulty(t)
	ctx := t.Context()
	if err := set.Sessions.Create(ctx, newSession()); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Tokens.Create(ctx, newToken()); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Update of keys": func() error {
			_, err := set.Sessions.Update(ctx, row, stores.Delta{Set: map[string][]byte{"a": nil}})
			return err
		},
		"touch":   func() error { _, err := set.Sessions.Update(ctx, row, stores.Delta{LastSeen: now}); return err },
		"Reserve": func() error { _, err := set.Limiter.Reserve(ctx, now, window); return err },
		"Consume": func() error { _, err := set.Tokens.Consume(ctx, now, row, row); return err },
		"Delete":  func() error { _, err := set.Sessions.Delete(ctx, row); return err },
	} {
		changes := f.failing(100)
		if err := call(); !errors.Is(err, errInjected) || *changes != 5 {
			t.Errorf("%s that always fails: error %v after %d tries, want the error after 5", name, err, *changes)
		}
		f.failing(4)
		if err := call(); err != nil {
			t.Errorf("%s that fails four times: %v", name, err)
		}
	}
}

func TestRetryEndsWithContext(t *testing.T) {
	set, f := faulty(t)
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	f.before = func() error { tries++; cancel(); return errInjected }
	_, err := set.Sessions.Update(ctx, row, stores.Delta{LastSeen: now})
	if !errors.Is(err, context.Canceled) || tries != 1 {
		t.Errorf("error %v after %d tries, want one that wraps context.Canceled after 1", err, tries)
	}
}

// TestLostCommit loses the answers to commits.
func TestLostCommit(t *testing.T) {
	set, f := faulty(t)
	ctx := t.Context()
	s := newSession()
	if err := set.Sessions.Create(ctx, s); err != nil {
		t.Fatal(err)
	}
	f.lostCommits.Store(1)
	delta := stores.Delta{Set: map[string][]byte{"a": []byte("1")}}
	if outcome, err := set.Sessions.Update(ctx, row, delta); err != nil || outcome != stores.Updated {
		t.Errorf("Update, which may be repeated: %v, error %v; want updated", outcome, err)
	}
	f.lostCommits.Store(1)
	delta.Rename = &stores.Rename{Old: s.Digest, New: stores.DigestOf([]byte("2")), At: now}
	if outcome, err := set.Sessions.Update(ctx, row, delta); !errors.Is(err, errInjected) {
		t.Errorf("rename with keys: %v, error %v; want the error", outcome, err)
	}
	f.lostCommits.Store(1)
	if grant, err := set.Limiter.Reserve(ctx, now, window); grant.OK() || !errors.Is(err, errInjected) {
		t.Errorf("Reserve: %+v, error %v; want the error", grant, err)
	}
	if grant, err := set.Limiter.Reserve(ctx, now, window); !grant.OK() || err != nil {
		t.Errorf("the second Reserve of two: %+v, error %v; the first one was repeated", grant, err)
	}
	if _, err := set.Tokens.Create(ctx, newToken()); err != nil {
		t.Fatal(err)
	}
	f.lostCommits.Store(1)
	if used, err := set.Tokens.Consume(ctx, now, row, row); used || !errors.Is(err, errInjected) {
		t.Errorf("Consume: %v, error %v; want the error", used, err)
	}
}

// TestLostAnswer loses the answer to a rename.
func TestLostAnswer(t *testing.T) {
	set, f := faulty(t)
	s := newSession()
	if err := set.Sessions.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	rename := stores.Delta{Rename: &stores.Rename{Old: s.Digest, New: stores.DigestOf([]byte("2")), At: now}}
	f.lost.Store(1)
	for _, want := range []stores.Outcome{stores.Updated, stores.Stale} {
		if got, err := set.Sessions.Update(t.Context(), row, rename); err != nil || got != want {
			t.Errorf("rename: %v, error %v; want %v", got, err, want)
		}
	}
}

func TestPanicReleases(t *testing.T) {
	set, f := faulty(t)
	if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
		t.Fatal(err)
	}
	delta := stores.Delta{Set: map[string][]byte{"a": nil}}
	f.before = func() error { panic("injected") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = set.Sessions.Update(t.Context(), row, delta)
	}()
	f.failing(0)
	if n := f.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use after the panic", n)
	}
	if outcome, err := set.Sessions.Update(t.Context(), row, delta); err != nil || outcome != stores.Updated {
		t.Errorf("Update after the panic: %v, error %v", outcome, err)
	}
}
