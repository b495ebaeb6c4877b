package gormstore

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync/atomic"

	"gorm.io/gorm"
)

// lookup is a query that nearly every request makes. It goes through GORM, so that
// GORM's callbacks see it. But GORM does not build its text each time and does not fill a
// model, because each of these takes about as long as the query itself.
type lookup struct {
	*core
	text string // of the query, as it is sent to the database
	pool gorm.ConnPool
}

// newLookup returns the lookup for a query. The one "?" in the query is the key.
func newLookup(c *core, query string) *lookup {
	stmt := c.db.Raw(query, "").Statement
	l := &lookup{core: c, text: stmt.SQL.String(), pool: stmt.ConnPool}
	// A pool of another type may have to see each query. PostgreSQL's driver
	// caches prepared statements itself, unless it is configured not to.
	if pool, ok := l.pool.(*sql.DB); ok && c.dialect != postgres {
		l.pool = &prepared{DB: pool, text: l.text}
	}
	return l
}

// one reads the columns of the row with the given key, if there is one.
func (l *lookup) one(ctx context.Context, key string, columns ...any) (found bool, err error) {
	query := l.db.Raw("")
	query.Statement.Context, query.Statement.ConnPool = ctx, l.pool
	query.Statement.SQL.WriteString(l.text)
	query.Statement.Vars = append(query.Statement.Vars, key)
	rows, err := query.Rows()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(columns...)
}

// prepared is a pool that prepares one of its queries, once per connection. It is only
// for queries outside transactions: a query in a transaction might wait for a second
// connection.
type prepared struct {
	*sql.DB
	text string
	stmt atomic.Pointer[sql.Stmt]
	// refused means that the database answers queries but does not prepare them.
	// Some proxies do that.
	refused atomic.Bool
}

// GetDBConn lets GORM find the pool.
func (p *prepared) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// QueryContext implements gorm.ConnPool. If a prepared statement fails, for example
// because the server forgot it, the query is sent again without it.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if query != p.text || p.refused.Load() { // which a callback may have changed
		return p.DB.QueryContext(ctx, query, args...)
	}
	stmt, refused := p.prepare(ctx)
	if stmt != nil {
		rows, err := stmt.QueryContext(ctx, args...)
		if err == nil || ctx.Err() != nil {
			return rows, err
		}
		if p.stmt.CompareAndSwap(stmt, nil) {
			_ = stmt.Close()
		}
	}
	rows, err := p.DB.QueryContext(ctx, query, args...)
	if err == nil && refused != nil {
		p.refused.Store(true)
	}
	return rows, err
}

// prepare returns the prepared statement. If there is none, it returns nil and perhaps
// the reason. Goroutines that prepare it at the same time do not wait for each other.
func (p *prepared) prepare(ctx context.Context) (*sql.Stmt, error) {
	if stmt := p.stmt.Load(); stmt != nil {
		return stmt, nil
	}
	stmt, err := p.DB.PrepareContext(ctx, p.text)
	if err != nil {
		return nil, err
	}
	if !p.stmt.CompareAndSwap(nil, stmt) {
		_ = stmt.Close()
		return p.stmt.Load(), nil
	}
	// Otherwise the pool would keep the statement until the pool is closed.
	runtime.AddCleanup(p, func(stmt *sql.Stmt) { _ = stmt.Close() }, stmt)
	return stmt, nil
}
