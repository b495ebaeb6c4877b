package gormstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"
)

const (
	// maxTries is how often a change is tried in all.
	maxTries = 5
	// firstPause is the longest pause before the second try. Each further one
	// is up to twice as long.
	firstPause = 4 * time.Millisecond
)

// permanent marks an error that another try would meet again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// read runs a query.
func (c *core) read(ctx context.Context, what string, query func(db *gorm.DB) error) error {
	if ctx.Err() != nil {
		return fault(ctx, what, ctx.Err())
	}
	return fault(ctx, what, query(c.db.WithContext(ctx)))
}

// change runs one statement. It is tried again after any error, so it must do
// no harm if an earlier try was stored and only the answer was lost.
func (c *core) change(ctx context.Context, what string, statement func(db *gorm.DB) error) error {
	return c.repeat(ctx, what, func() error { return statement(c.db.WithContext(ctx)) })
}

// transact runs body in a transaction, which is rolled back if body returns
// false or an error, or panics. It is tried again after any error before the
// commit; after one of the commit itself, which may have taken place all the
// same, only if it is idempotent.
func (c *core) transact(ctx context.Context, what string, idempotent bool, body func(tx *gorm.DB) (commit bool, err error)) error {
	return c.repeat(ctx, what, func() error { return c.once(ctx, idempotent, body) })
}

// once is one try of transact.
func (c *core) once(ctx context.Context, idempotent bool, body func(tx *gorm.DB) (commit bool, err error)) error {
	errUndo := errors.New("undo")
	committing := false
	err := c.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
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

// repeat tries until there is no error, or a permanent one, or the context
// ends, or it has tried often enough. What went wrong is not asked, because
// each driver tells it in another way.
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

// inTurn runs a try when no other one runs, on SQLite, and at once elsewhere.
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

// fault returns err with what was being done; if the context has ended the
// error wraps the context's as well, which not every driver sees to.
func fault(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("gormstore: %s: %w: %w", what, ctx.Err(), err)
	}
	return fmt.Errorf("gormstore: %s: %w", what, err)
}
