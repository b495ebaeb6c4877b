package gormstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
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
// The scopes limit it to some rows, for example those of the tenant of the request. It finds
// the rows for which the conditions of all of them hold.
//
// Find panics for the same db as New. It panics if M is not a model, if M does not have
// exactly one primary key of such a type, or if a scope is nil.
func Find[M any](db *gorm.DB, scopes ...Scope) func(ctx context.Context, id string) (found *M, ok bool, err error) {
	c := newCore(db, "Find")
	t := newTable(c.db, new(M))
	k := newKey(t, "Find")
	c.nameColumns(t)
	c.scoped("Find", scopes)
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

// nameColumns lets queries name the columns of the model, so that a column that is added while
// the application runs does not change what they return. It does not if the model has a field
// that need not be a column.
func (c *core) nameColumns(t table) {
	if !slices.ContainsFunc(t.schema.Fields, func(f *schema.Field) bool { return f.IgnoreMigration }) {
		c.db = c.db.Session(&gorm.Session{QueryFields: true})
	}
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
	err = again(ctx, func() error {
		found, err = l.try(ctx, key, columns)
		return err
	})
	return found, err
}

func (l *lookup) try(ctx context.Context, key string, columns []any) (found bool, err error) {
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

// maxKey is the largest length of a text that can be a primary key, in bytes.
const maxKey = 255

// key is the primary key of a model. It converts text from outside to the type of the
// key before the text reaches GORM. GORM would interpret text that is not a number as
// SQL, and an empty condition as "every row".
type key struct {
	field *schema.Field
	parse func(text string, into reflect.Value) bool
}

// newKey returns the key of a model. It panics with the name of the exported function if
// the model has no key that a text can represent.
func newKey(t table, caller string) key {
	fail := func(why string) {
		panic(fmt.Sprintf("gormstore: %s: model %s %s", caller, t.schema.Name, why))
	}
	if n := len(t.schema.PrimaryFields); n != 1 {
		fail(fmt.Sprintf("has %d primary keys, it must have one", n))
	}
	field := t.schema.PrimaryFields[0]
	k := key{field: field}
	switch typ := field.FieldType; {
	case isUUID(typ):
		k.parse = parseUUID
	case reflect.Int <= typ.Kind() && typ.Kind() <= reflect.Int64:
		k.parse = parseInt
	case reflect.Uint <= typ.Kind() && typ.Kind() <= reflect.Uint64:
		k.parse = parseUint
	case typ.Kind() == reflect.String:
		k.parse = parseText
	default:
		fail(fmt.Sprintf("has a primary key of type %s, it must be an integer, a string or a UUID", typ))
	}
	return k
}

// value returns the key whose only spelling is text. It returns false if there is none.
func (k key) value(text string) (value any, ok bool) {
	v := reflect.New(k.field.FieldType).Elem()
	ok = k.parse(text, v)
	return v.Interface(), ok && !v.IsZero()
}

// is returns the condition that the key is the value.
func (k key) is(c *core, value any) clause.Expression {
	column := clause.Column{Table: clause.CurrentTable, Name: k.field.DBName}
	if k.field.FieldType.Kind() == reflect.String {
		return c.same(column, value)
	}
	return clause.Eq{Column: column, Value: value}
}

// of reports whether the key of a row is the value. A database that compares text by the
// rules of a language may have found another row.
func (k key) of(ctx context.Context, row reflect.Value, value any) bool {
	got, _ := k.field.ValueOf(ctx, row)
	return got == value
}

func parseInt(text string, into reflect.Value) bool {
	n, err := strconv.ParseInt(text, 10, into.Type().Bits())
	into.SetInt(n)
	return err == nil && strconv.FormatInt(n, 10) == text
}

func parseUint(text string, into reflect.Value) bool {
	n, err := strconv.ParseUint(text, 10, into.Type().Bits())
	into.SetUint(n)
	// Columns and drivers have no larger numbers than signed integers.
	return err == nil && n <= math.MaxInt64 && strconv.FormatUint(n, 10) == text
}

func parseText(text string, into reflect.Value) bool {
	into.SetString(text)
	return storable(text, maxKey) && !strings.ContainsFunc(text, unicode.IsControl)
}

// isUUID reports whether a type is an array of 16 bytes that implements driver.Valuer
// and sql.Scanner.
func isUUID(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Len() == 16 && t.Elem() == reflect.TypeFor[byte]() &&
		t.Implements(reflect.TypeFor[driver.Valuer]()) &&
		reflect.PointerTo(t).Implements(reflect.TypeFor[sql.Scanner]())
}

// parseUUID parses the form of RFC 9562: lower-case digits in groups of 8, 4, 4, 4 and
// 12.
func parseUUID(text string, into reflect.Value) bool {
	digits := strings.ReplaceAll(text, "-", "")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != 16 {
		return false
	}
	reflect.Copy(into, reflect.ValueOf(b))
	return text == fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
