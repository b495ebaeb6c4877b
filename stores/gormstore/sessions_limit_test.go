package gormstore_test

import (
	"context"
	"database/sql"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// interrupted is a connection pool that calls before ahead of each change within a transaction.
type interrupted struct {
	*sql.DB
	before func(query string)
}

func (p *interrupted) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := p.DB.BeginTx(ctx, options)
	return &interruptedTx{tx, p}, err
}

// GetDBConn lets GORM find the pool.
func (p *interrupted) GetDBConn() (*sql.DB, error) { return p.DB, nil }

type interruptedTx struct {
	*sql.Tx
	pool *interrupted
}

func (tx *interruptedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tx.pool.before(query)
	return tx.Tx.ExecContext(ctx, query, args...)
}

// TestOwnersChangeBeforeTheEnd gives a shared session other owners after it was found to be too
// many for one of them, and before it ends.
func TestOwnersChangeBeforeTheEnd(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		sessions := gormstore.New(db).Sessions
		p := &interrupted{DB: pool}
		var trimming *gorm.DB
		switch db.Name() {
		case "mysql":
			trimming = connect(t, mysql.New(mysql.Config{Conn: p}))
		case "postgres":
			trimming = connect(t, postgres.New(postgres.Config{Conn: p}))
		default:
			t.Skip("has one writer at a time")
		}
		old := newSession()
		old.Owners = []string{"ann", "bob"}
		if err := sessions.Create(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		var done atomic.Bool
		p.before = func(query string) {
			if !strings.HasPrefix(query, "UPDATE") || done.Swap(true) {
				return
			}
			if got, err := sessions.Update(t.Context(), old.Row, changing(&old, nil, "bob", "eve")); err != nil || got != stores.Updated {
				t.Errorf("%v, error %v", got, err)
			}
		}
		newer := newSession()
		newer.Row, newer.Owners, newer.LastSeen = "00000000000000000000000000000001", []string{"ann"}, now.Add(time.Minute)
		ended, err := gormstore.New(trimming).Sessions.(stores.SessionLimit).CreateLimited(t.Context(), newer, 1)
		if err != nil || len(ended) > 0 || !done.Load() {
			t.Errorf("ends %v, error %v, interrupted: %v; want none", ended, err, done.Load())
		}
		if _, found, err := sessions.Load(t.Context(), old.Row); err != nil || !found {
			t.Errorf("the session of others: found %v, error %v", found, err)
		}
	})
}
