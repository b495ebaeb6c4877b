package gormstore

import (
	"context"
	"reflect"

	"gorm.io/gorm"
)

// Find returns a function that loads the M whose primary key is given as text, such as
// the value of a route parameter. The key has to be an integer, a string or a UUID. The
// text is parsed strictly: if it has a sign, a leading zero or white space, or is not the
// one spelling of a key for another reason, the function finds nothing and does not query
// the database. It does not find soft-deleted rows.
//
// The function is safe for concurrent use. If there is no such row, it returns false and
// no error.
//
// Find panics for the same db as New, so it cannot be limited to some rows by a condition
// of db. It panics if M is not a model, or if M does not have
// exactly one primary key of such a type.
func Find[M any](db *gorm.DB) func(ctx context.Context, id string) (found *M, ok bool, err error) {
	c := newCore(db, "Find")
	k := newKey(newTable(c.db, new(M)), "Find")
	return func(ctx context.Context, id string) (*M, bool, error) {
		return find[M](ctx, c, k, id)
	}
}

// find loads the row with the given key.
func find[M any](ctx context.Context, c *core, k key, id string) (*M, bool, error) {
	value, ok := k.value(id)
	if !ok {
		return nil, false, fault(ctx, "find row", ctx.Err())
	}
	var row *M
	err := c.read(ctx, "find row", func(db *gorm.DB) (err error) {
		row, err = load[M](db, c, k, value)
		return err
	})
	return row, row != nil, err
}

// load reads the row whose key is value, or returns nil if there is none. The database
// may be a transaction.
func load[M any](db *gorm.DB, c *core, k key, value any) (*M, error) {
	var rows []M
	err := db.Where(k.is(c, value)).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 || !k.of(db.Statement.Context, reflect.ValueOf(&rows[0]).Elem(), value) {
		return nil, err
	}
	return &rows[0], nil
}
