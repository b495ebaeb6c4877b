package gormstore

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync/atomic"

	"gorm.io/gorm"
)

// lookup is a query that nearly every request makes. It goes through GORM, whose
// callbacks see it, but GORM neither builds its text each time nor fills a model:
// each takes about as long as the query.
type lookup struct {
	*core
	text string // as the database is sent it
	pool gorm.ConnPool
}

// newLookup returns the query for rows with a key, which is its one "?".
func newLookup(c *core, query string) *lookup {
	stmt := c.db.Raw(query, "").Statement
	l := &lookup{core: c, text: stmt.SQL.String(), pool: stmt.ConnPool}
	// A pool of another type may do something about each query. PostgreSQL's
	// driver keeps what it prepared, unless it is told that it must not.
	if pool, ok := l.pool.(*sql.DB); ok && c.dialect != postgres {
		l.pool = &prepared{DB: pool, text: l.text}
	}
	return l
}

// one reads the columns of the row with a key, if there is one.
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

// prepared is a pool that prepares one of its queries, once per connection. That
// is for queries outside transactions only: one in a transaction might wait for
// a connection while it has one.
type prepared struct {
	*sql.DB
	text string
	stmt atomic.Pointer[sql.Stmt]
	// refused says that the database answers queries and prepares none, as some
	// proxies do.
	refused atomic.Bool
}

// GetDBConn lets GORM find the pool.
func (p *prepared) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// QueryContext implements gorm.ConnPool. Whatever is wrong with a statement that
// was prepared, such as a server that forgot it, a query does not fail for it.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if query != p.text || p.refused.Load() { // a callback may have changed it
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

// prepare returns the statement, or nil and perhaps why there is none. Of those
// who prepare it at the same time none waits for another.
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
	// The pool would keep it for as long as the pool itself lives.
	runtime.AddCleanup(p, func(stmt *sql.Stmt) { _ = stmt.Close() }, stmt)
	return stmt, nil
}
