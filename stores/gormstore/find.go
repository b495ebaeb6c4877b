package gormstore

import (
	"context"
	"reflect"

	"gorm.io/gorm"
)

// Find returns a function that loads the M with a primary key given as text,
// such as the value of a route parameter. The text is parsed strictly to the
// type of the key, an integer, a string or a UUID: a sign, a leading zero,
// white space, anything but the one spelling of a key finds nothing, without
// asking the database. Rows that are soft-deleted are not found.
//
// The function is safe for concurrent use and returns false, without an error,
// if there is no such row.
//
// Find panics if db is nil or a transaction, and if M is not a model or has not
// exactly one primary key of such a type.
func Find[M any](db *gorm.DB) func(ctx context.Context, id string) (found *M, ok bool, err error) {
	c := newCore(db, "Find")
	k := newKey(newTable(c.db, new(M)), "Find")
	return func(ctx context.Context, id string) (*M, bool, error) {
		return find[M](ctx, c, k, id)
	}
}

// find loads the row with a key.
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

// load reads the row whose key is the value, which may be in a transaction. It
// returns nil if there is none.
func load[M any](db *gorm.DB, c *core, k key, value any) (*M, error) {
	var rows []M
	err := db.Where(k.is(c, value)).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 || !k.of(db.Statement.Context, reflect.ValueOf(&rows[0]).Elem(), value) {
		return nil, err
	}
	return &rows[0], nil
}
