package gormstore

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// table writes SQL for the table of one model.
type table struct {
	schema *schema.Schema
	name   string
	quote  func(any) string
}

func newTable(db *gorm.DB, model any) table {
	stmt := &gorm.Statement{DB: db}
	if err := stmt.Parse(model); err != nil {
		panic(fmt.Sprintf("gormstore: cannot use %T as a model: %v", model, err))
	}
	return table{schema: stmt.Schema, name: stmt.Schema.Table, quote: stmt.Quote}
}

// create inserts records.
func (t table) create(tx *gorm.DB, records any) error { return tx.Table(t.name).Create(records).Error }

// column returns the name of a field's column, according to the application's naming
// strategy.
func (t table) column(field string) string {
	f := t.schema.LookUpField(field)
	if f == nil || f.DBName == "" {
		panic(fmt.Sprintf("gormstore: %s has no column for %s", t.schema.Name, field))
	}
	return f.DBName
}

// sql returns the template with {} replaced by the quoted name of the table, and {Field}
// by the quoted name of the field's column.
func (t table) sql(template string) string {
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(template, "{")
		b.WriteString(text)
		if !found {
			return b.String()
		}
		field, rest, _ := strings.Cut(rest, "}")
		name := t.name
		if field != "" {
			name = t.column(field)
		}
		b.WriteString(t.quote(name))
		template = rest
	}
}

// claim inserts the records that do not exist, and bumps the version of the records that
// exist, in the given order. In both cases the transaction has locked them afterwards, on
// every engine. So claim can be the first statement of a transaction.
func (t table) claim(tx *gorm.DB, records any) error {
	version := t.column("Version")
	return t.create(tx.Clauses(clause.OnConflict{
		Columns: t.key(),
		DoUpdates: clause.Set{{
			Column: clause.Column{Name: version},
			Value:  clause.Expr{SQL: "? + 1", Vars: []any{clause.Column{Table: clause.CurrentTable, Name: version}}},
		}},
	}), records)
}

// stored returns the fields that have columns.
func (t table) stored() []*schema.Field {
	return slices.DeleteFunc(slices.Clone(t.schema.Fields), func(f *schema.Field) bool { return f.DBName == "" })
}

// columns returns the quoted names of all columns.
func (t table) columns() string {
	var names []string
	for _, f := range t.stored() {
		names = append(names, t.quote(f.DBName))
	}
	return strings.Join(names, ", ")
}

// values returns a placeholder for each column. If typed is set, it has the type on PostgreSQL,
// which cannot infer it in the list of a SELECT.
func (t table) values(typed bool) string {
	types := map[schema.DataType]string{schema.Bytes: "::bytea", schema.Int: "::bigint"}
	var list []string
	for _, f := range t.stored() {
		kind := ""
		if typed {
			kind = cmp.Or(types[f.DataType], "::text")
		}
		list = append(list, "?"+kind)
	}
	return strings.Join(list, ", ")
}

// args returns the values of a record's columns.
func (t table) args(ctx context.Context, record any) []any {
	row, fields := reflect.ValueOf(record).Elem(), t.stored()
	args := make([]any, len(fields))
	for i, f := range fields {
		args[i], _ = f.ValueOf(ctx, row)
	}
	return args
}

func (t table) key() []clause.Column {
	return []clause.Column{{Name: t.schema.PrioritizedPrimaryField.DBName}}
}

// same returns the condition that a text column holds exactly value. On MySQL the first
// half of the condition can use an index.
func (c *core) same(column clause.Column, value any) clause.Expression {
	equal := clause.Eq{Column: column, Value: value}
	if c.dialect != mysql {
		return equal
	}
	return clause.And(equal, clause.Expr{
		SQL:  "CAST(CONVERT(? USING utf8mb4) AS BINARY) = CAST(? AS BINARY)",
		Vars: []any{column, value},
	})
}

// validName reports whether s can be the name of a row, a token or a family. Other text
// must not reach the database, because databases compare text by different rules.
func validName(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// storable reports whether a text column of the given size stores s unchanged on every
// engine.
func storable(s string, size int) bool {
	return len(s) <= size && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// clip returns s as far as a text column of the given size can store it.
func clip(s string, size int) string {
	if storable(s, size) {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	for len(s) > size {
		_, last := utf8.DecodeLastRuneInString(s[:size+1])
		s = s[:size+1-last]
	}
	return s
}

// micro returns t in microseconds since 1970, and 0 for the zero time.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// mark returns now in microseconds since 1970 for a column in which 0 means "not yet". It
// never returns 0.
func mark(now time.Time) int64 { return cmp.Or(now.UnixMicro(), 1) }

// moment is the inverse of micro.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
