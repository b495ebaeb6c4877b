package gormstore

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// taken returns the credential or the column whose value in u a row has already, or "", after
// the INSERT of u failed with err. It asks the table, also if err is no duplicate, because
// hooks report one in ways of their own. It uses the comparison of the database, as a unique
// index does.
func (s *UserStore[U, P]) taken(ctx context.Context, u P, err error) (string, error) {
	for _, id := range s.fields.identifiers {
		if textOf(ctx, id.lookup, u) == "" {
			continue // nobody has it
		}
		same := clause.Eq{Column: columnOf(id.lookup), Value: textOf(ctx, id.lookup, u)}
		if found, err := s.exists(ctx, same); err != nil || found {
			return id.credential, err
		}
	}
	if !s.duplicate(err) {
		return "", nil
	}
	for _, columns := range s.uniques() {
		same, ok := sameValues(ctx, columns, u)
		if !ok {
			continue
		}
		if found, err := s.exists(ctx, same); err != nil || found {
			return columns[0].DBName, err
		}
	}
	return s.named(err), nil
}

// duplicate reports whether an error is that of a unique index. GORM's dialector for SQLite
// knows the errors of one driver alone, so the text is read as well.
func (s *UserStore[U, P]) duplicate(err error) bool {
	if errors.Is(err, gorm.ErrDuplicatedKey) || strings.Contains(err.Error(), "UNIQUE constraint failed") {
		return true
	}
	translator, ok := s.db.Dialector.(gorm.ErrorTranslator)
	for cause := err; ok && cause != nil; cause = errors.Unwrap(cause) {
		if errors.Is(translator.Translate(cause), gorm.ErrDuplicatedKey) {
			return true
		}
	}
	return false
}

// uniques returns the columns of each unique index and constraint that the model declares,
// without the primary key.
func (s *UserStore[U, P]) uniques() [][]*schema.Field {
	model := s.key.field.Schema
	var list [][]*schema.Field
	for _, field := range model.Fields {
		if field.Unique && !field.PrimaryKey && field.DBName != "" {
			list = append(list, []*schema.Field{field})
		}
	}
	for _, index := range model.ParseIndexes() {
		if index.Class != "UNIQUE" || index.Where != "" {
			continue
		}
		var columns []*schema.Field
		for _, option := range index.Fields {
			if option.Field != nil && option.Expression == "" {
				columns = append(columns, option.Field)
			}
		}
		if len(columns) == len(index.Fields) {
			list = append(list, columns)
		}
	}
	return list
}

// sameValues returns the condition that a row has the values of u in all of the columns. It
// returns false if one of them is NULL, which equals nothing.
func sameValues(ctx context.Context, columns []*schema.Field, u any) (clause.Expression, bool) {
	var same []clause.Expression
	for _, field := range columns {
		value, _ := field.ValueOf(ctx, reflect.ValueOf(u).Elem())
		if v := reflect.ValueOf(value); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			return nil, false
		}
		same = append(same, clause.Eq{Column: columnOf(field), Value: value})
	}
	return clause.And(same...), true
}

// named returns the column that the text of a duplicate names, for an index that the model
// does not declare. Databases write the name of the index or of the column. Of several columns
// that fit it takes the longest, as in "users_nick_name_key".
func (s *UserStore[U, P]) named(err error) string {
	column, text := "", strings.ToLower(err.Error())
	for _, field := range s.key.field.Schema.Fields {
		if field.DBName != "" && !field.PrimaryKey && len(field.DBName) > len(column) && namedIn(text, field.DBName) {
			column = field.DBName
		}
	}
	return column
}

// namedIn reports whether a text has the name of a column, between signs.
func namedIn(text, column string) bool {
	column = strings.ToLower(column)
	for {
		before, after, found := strings.Cut(text, column)
		if !found {
			return false
		}
		if endsInSign(before) && (after == "" || endsInSign(after[:1])) {
			return true
		}
		text = after
	}
}

// endsInSign reports whether a text ends in another character than a letter or digit.
func endsInSign(text string) bool {
	if text == "" {
		return false
	}
	c := text[len(text)-1]
	return !('a' <= c && c <= 'z' || '0' <= c && c <= '9')
}
