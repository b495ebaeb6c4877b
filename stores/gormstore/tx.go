package gormstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

const (
	// maxTries is how often a change is tried in total.
	maxTries = 5
	// firstPause is the longest pause before the second try. The maximum doubles
	// before each further try.
	firstPause = 4 * time.Millisecond
)

// permanent marks an error for which another try is useless or not allowed.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// read runs a query.
func (c *core) read(ctx context.Context, what string, query func(db *gorm.DB) error) error {
	if ctx.Err() != nil {
		return fault(ctx, what, ctx.Err())
	}
	db, err := c.session(ctx)
	if err == nil {
		err = again(ctx, func() error { return query(db) })
	}
	return fault(ctx, what, err)
}

// again runs a query, and runs it again while the server says that a table has changed since the
// query was prepared. The driver prepares it again on the connection that failed.
func again(ctx context.Context, query func() error) (err error) {
	for range maxTries {
		if err = query(); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "cached plan must not change result type") {
			return err
		}
	}
	return err
}

// change runs one statement and tries again after any error. So the statement must be
// harmless if an earlier try was stored and only its answer was lost.
func (c *core) change(ctx context.Context, what string, statement func(db *gorm.DB) error) error {
	return c.repeat(ctx, what, func() error {
		db, err := c.session(ctx)
		if err == nil {
			err = statement(db)
		}
		return err
	})
}

// transact runs body in a transaction. The transaction is rolled back if body returns
// false or an error, or panics. It is tried again after any error before the commit. After
// an error of the commit itself, the transaction may have been committed all the same, so
// it is tried again only if it is idempotent.
func (c *core) transact(ctx context.Context, what string, idempotent bool, body func(tx *gorm.DB) (commit bool, err error)) error {
	return c.repeat(ctx, what, func() error { return c.once(ctx, idempotent, body) })
}

// once is one try of transact.
func (c *core) once(ctx context.Context, idempotent bool, body func(tx *gorm.DB) (commit bool, err error)) error {
	errUndo := errors.New("undo")
	committing := false
	db, err := c.session(ctx)
	if err != nil {
		return err
	}
	err = db.Transaction(func(tx *gorm.DB) error {
		commit, err := body(tx)
		if err == nil && !commit {
			err = errUndo
		}
		committing = err == nil
		return err
	}, c.options)
	switch {
	case err == errUndo:
		return nil
	case err != nil && committing && !idempotent:
		return permanent{err}
	}
	return err
}

// repeat calls try until it succeeds, returns a permanent error, the context ends, or
// maxTries is reached. It does not look at the kind of error, because each driver reports
// errors in another way.
func (c *core) repeat(ctx context.Context, what string, try func() error) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, 2*pause {
		err := c.inTurn(ctx, try)
		if err == nil || ctx.Err() != nil || n == maxTries {
			return fault(ctx, what, err)
		}
		if _, ok := errors.AsType[permanent](err); ok {
			return fault(ctx, what, err)
		}
		select {
		case <-ctx.Done():
			return fault(ctx, what, err)
		case <-time.After(rand.N(pause)):
		}
	}
}

// inTurn calls try: on SQLite when no other try runs, on other engines at once.
func (c *core) inTurn(ctx context.Context, try func() error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.turn != nil {
		select {
		case c.turn <- struct{}{}:
			defer func() { <-c.turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return try()
}

// fault adds to an error what the store was doing. If the context has ended, the error
// also wraps the context's error, which not every driver does.
func fault(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("gormstore: %s: %w: %w", what, ctx.Err(), err)
	}
	return fmt.Errorf("gormstore: %s: %w", what, err)
}

// pruneBatch is the largest number of records that one transaction of Prune deletes. It
// limits how long other calls wait for the transaction.
const pruneBatch = 500

// expired holds the statements that find and delete the expired records of a table.
type expired struct {
	find, delete string
	// members, if set, deletes what belongs to the deleted records, and is
	// counted in their place.
	members string
	// unlist, if set, deletes what lists the deleted records elsewhere.
	unlist string
}

// newExpired returns the statements for a table that has a field Expires and the given
// primary key.
func newExpired(t table, key string) expired {
	return expired{
		find: t.sql("SELECT {" + key + "} FROM {} WHERE {Expires} <= ? ORDER BY {Expires} LIMIT ?"),
		// The condition is repeated, because a record may have been prolonged
		// since it was found.
		delete: t.sql("DELETE FROM {} WHERE {" + key + "} IN ? AND {Expires} <= ?"),
	}
}

// prune deletes the records that expired at or before now, in batches, and returns how
// many it deleted.
func (c *core) prune(ctx context.Context, what string, now time.Time, e expired) (total int, err error) {
	for {
		var names []string
		err := c.read(ctx, what, func(db *gorm.DB) error {
			return db.Raw(e.find, now.UnixMicro(), pruneBatch).Scan(&names).Error
		})
		if err != nil || len(names) == 0 {
			return total, err
		}
		slices.Sort(names) // the order in which every call locks
		n, err := c.pruneBatch(ctx, what, now, e, names)
		total += n
		if err != nil || len(names) < pruneBatch {
			return total, err
		}
	}
}

func (c *core) pruneBatch(ctx context.Context, what string, now time.Time, e expired, names []string) (n int, err error) {
	err = c.transact(ctx, what, true, func(tx *gorm.DB) (bool, error) {
		answer := tx.Exec(e.delete, names, now.UnixMicro())
		if answer.Error == nil && e.members != "" {
			answer = tx.Exec(e.members, names)
		}
		n = int(answer.RowsAffected)
		if answer.Error == nil && e.unlist != "" {
			answer = tx.Exec(e.unlist, names, names)
		}
		return true, answer.Error
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
