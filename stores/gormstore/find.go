package gormstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
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

// Scope returns db with conditions, such as db.Where("tenant_id = ?", tenant). The context is
// that of the call, which has the values of the request. To refuse a call, for example because
// its context names no tenant, Scope adds an error to db with AddError, which the call returns.
//
// Its conditions hold in every statement, beside those of the statement itself. A call fails if
// Scope adds no condition, or anything else than conditions, which would not hold. It is called
// for every try of a statement, by several goroutines at once.
type Scope = func(ctx context.Context, db *gorm.DB) *gorm.DB

// WithScope limits a provider of users to those for which the conditions of a Scope hold. Other
// users are not found, cannot log in, and are not changed. CreateUser refuses a user for whom
// they do not hold: set the tenant of a new user in a hook of the model, such as BeforeCreate,
// or in Config.Account.Prepare.
//
// With several options all scopes hold.
func WithScope(scope Scope) UserOption {
	return func(o *userOptions) { o.scopes = append(o.scopes, scope) }
}

// scoped gives a core scopes. It panics with the name of the exported function if one is nil.
func (c *core) scoped(caller string, scopes []Scope) {
	for _, scope := range scopes {
		if scope == nil {
			panic(fmt.Sprintf("gormstore: %s was given a nil Scope", caller))
		}
	}
	c.scopes = scopes
}

// session returns the database for the statements of one call, in which all scopes hold.
func (c *core) session(ctx context.Context) (*gorm.DB, error) {
	db := c.db.WithContext(ctx)
	for _, scope := range c.scopes {
		given := scope(ctx, db.Session(&gorm.Session{NewDB: true}))
		if err := refusal(given); err != nil {
			return nil, permanent{err}
		}
		// A group keeps an OR among its conditions.
		db = db.Where(given)
	}
	if len(c.scopes) > 0 {
		db = db.Session(&gorm.Session{})
	}
	return db, nil
}

// refusal returns why what a Scope returned cannot be used, or nil.
func refusal(given *gorm.DB) error {
	if given == nil || given.Statement == nil {
		return errors.New("the Scope returned no database")
	}
	if given.Error != nil {
		return given.Error
	}
	where := given.Statement.Clauses["WHERE"]
	var others []string
	for _, part := range statementParts(given.Statement) {
		if part != "the clause WHERE" {
			others = append(others, part)
		}
	}
	switch conditions, ok := where.Expression.(clause.Where); {
	case len(others) > 0:
		return fmt.Errorf("the Scope added %s, and only conditions hold", strings.Join(others, ", "))
	case !ok || len(conditions.Exprs) == 0:
		return errors.New("the Scope added no condition")
	}
	return nil
}

// refuseConditions panics if db has conditions or other parts of a statement. The
// statements of this package start from a new session without them, so a provider for the
// users of one tenant would find the users of all.
func refuseConditions(db *gorm.DB, caller string) {
	if parts := statementParts(db.Statement); len(parts) > 0 {
		panic(fmt.Sprintf("gormstore: %s was given a *gorm.DB with %s, which it cannot keep in its statements; "+
			"pass a *gorm.DB without them, and conditions with WithScope", caller, strings.Join(parts, ", ")))
	}
}

// statementParts names the parts of a statement that the caller has set.
func statementParts(s *gorm.Statement) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.Clauses)) {
		parts = append(parts, "the clause "+name)
	}
	// GORM has no accessor for scopes that have not run yet.
	scopes := reflect.ValueOf(s).Elem().FieldByName("scopes")
	for _, part := range []struct {
		name string
		set  bool
	}{
		{"Table", s.Table != "" || s.TableExpr != nil},
		{"Model", s.Model != nil},
		{"Scopes", !scopes.IsValid() || scopes.Len() > 0},
		{"Unscoped", s.Unscoped},
		{"Select", len(s.Selects) > 0},
		{"Omit", len(s.Omits) > 0},
		{"MapColumns", len(s.ColumnMapping) > 0},
		{"Distinct", s.Distinct},
		{"Joins", len(s.Joins) > 0},
		{"Preload", len(s.Preloads) > 0},
	} {
		if part.set {
			parts = append(parts, part.name)
		}
	}
	return parts
}
