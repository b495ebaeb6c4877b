package gormstore

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// maxStatements is how many statements a pool keeps prepared on each connection.
const maxStatements = 128

// statements is a pool that prepares each statement with parameters once per connection.
// MySQL's driver otherwise prepares and closes it at each use, which costs a round trip. It
// never waits for a second connection while a transaction holds one: a statement that a
// transaction uses first is prepared before the next transaction begins.
type statements struct {
	*sql.DB
	mu sync.Mutex // held only to look at the fields, never while a connection is used
	// known holds the prepared statements by their text, and nil for one that is being
	// prepared.
	known map[string]*sql.Stmt
	// wanted are the statements that transactions used and that are not known.
	wanted map[string]bool
	// refused means that the database runs statements but does not prepare them. Some
	// proxies do that.
	refused bool
}

var _ gorm.ConnPoolBeginner = (*statements)(nil)

// GetDBConn lets GORM find the pool.
func (p *statements) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// QueryContext implements gorm.ConnPool. If the prepared statement of a read fails, for example
// because the server forgot it, the query is sent again without it. A query that changes rows,
// as with RETURNING, may have been carried out: it is like ExecContext.
func (p *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, refused := p.statement(ctx, query, args)
	if stmt == nil {
		rows, err := p.DB.QueryContext(ctx, query, args...)
		p.answered(err, refused)
		return rows, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err == nil || ctx.Err() != nil || !strings.HasPrefix(query, "SELECT") && !unknown(err) {
		return rows, err
	}
	p.forget(query, stmt)
	return p.DB.QueryContext(ctx, query, args...)
}

// ExecContext implements gorm.ConnPool. A change is sent again only if the server did not
// know the prepared statement.
func (p *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, refused := p.statement(ctx, query, args)
	if stmt == nil {
		result, err := p.DB.ExecContext(ctx, query, args...)
		p.answered(err, refused)
		return result, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if unknown(err) {
		p.forget(query, stmt)
		return p.DB.ExecContext(ctx, query, args...)
	}
	return result, err
}

// BeginTx implements gorm.ConnPoolBeginner.
func (p *statements) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	var refused error
	for text := range p.take() {
		if _, err := p.prepare(ctx, text); err != nil {
			refused = err
		}
	}
	tx, err := p.DB.BeginTx(ctx, options)
	p.answered(err, refused)
	if err != nil {
		return nil, err
	}
	return &statementsTx{tx, p}, nil
}

// answered records that the database does not prepare statements, if it did not prepare one
// and then answers without.
func (p *statements) answered(err, refused error) {
	if err != nil || refused == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = true
}

// statement returns the prepared statement of a query. If the query is to be sent as it is,
// it returns nil and perhaps the reason.
func (p *statements) statement(ctx context.Context, query string, args []any) (*sql.Stmt, error) {
	if len(args) == 0 {
		return nil, nil
	}
	p.mu.Lock()
	stmt, known := p.known[query]
	prepare := !known && !p.refused && len(p.known) < maxStatements
	if prepare {
		p.known[query] = nil // others send it as it is meanwhile
	}
	p.mu.Unlock()
	if !prepare {
		return stmt, nil
	}
	return p.prepare(ctx, query)
}

// take returns the wanted statements, which the caller prepares.
func (p *statements) take() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := p.wanted
	p.wanted = nil
	for text := range wanted {
		if _, known := p.known[text]; known || len(p.known) >= maxStatements {
			delete(wanted, text)
			continue
		}
		p.known[text] = nil
	}
	return wanted
}

// prepare prepares a query whose text is in known. There it replaces nil.
func (p *statements) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	stmt, err := p.DB.PrepareContext(ctx, query)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		delete(p.known, query)
		return nil, err
	}
	p.known[query] = stmt
	return stmt, nil
}

// forget closes a prepared statement that failed.
func (p *statements) forget(query string, stmt *sql.Stmt) {
	p.mu.Lock()
	current := p.known[query] == stmt
	if current {
		delete(p.known, query)
	}
	p.mu.Unlock()
	if current {
		_ = stmt.Close()
	}
}

// unknown reports whether MySQL did not know a prepared statement.
func unknown(err error) bool { return err != nil && strings.Contains(err.Error(), "Error 1243") }

// statementsTx is a transaction that uses the prepared statements of its pool.
type statementsTx struct {
	*sql.Tx
	pool *statements
}

// QueryContext implements gorm.ConnPool.
func (tx *statementsTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt := tx.pool.inTransaction(query, args)
	if stmt == nil {
		return tx.Tx.QueryContext(ctx, query, args...)
	}
	rows, err := tx.Tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	if unknown(err) {
		tx.pool.forget(query, stmt)
	}
	return rows, err
}

// ExecContext implements gorm.ConnPool.
func (tx *statementsTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt := tx.pool.inTransaction(query, args)
	if stmt == nil {
		return tx.Tx.ExecContext(ctx, query, args...)
	}
	result, err := tx.Tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	if unknown(err) {
		tx.pool.forget(query, stmt)
	}
	return result, err
}

// inTransaction returns the prepared statement of a query, and records that one is wanted.
func (p *statements) inTransaction(query string, args []any) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	stmt, known := p.known[query]
	if !known && !p.refused && len(args) > 0 && len(p.wanted) < maxStatements {
		if p.wanted == nil {
			p.wanted = make(map[string]bool)
		}
		p.wanted[query] = true
	}
	return stmt
}
