package gormstore

import (
	"context"
	"errors"

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
	return &lookup{core: c, text: stmt.SQL.String(), pool: stmt.ConnPool}
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
