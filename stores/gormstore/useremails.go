package gormstore

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
)

// VerifyEmail records, with one conditional statement, when the user's address was
// verified, if the stored address is email, byte for byte, and was not verified before. It
// reports whether it did. It reports false if the database stored the change and its answer
// was lost. The time is stored in UTC, with the precision of the column but no more than
// microseconds. It is an error if the time is zero.
func (s *UserStore[U, P]) VerifyEmail(ctx context.Context, id, email string, at time.Time) (verified bool, err error) {
	const what = "verify email"
	address, err := s.address(what)
	if err != nil {
		return false, err
	}
	if at = instant(at); at.IsZero() {
		return false, errors.New("gormstore: verify email: time is zero")
	}
	key, ok := s.key.value(id)
	if _, err := address.canonical(email); err != nil || !ok {
		return false, fault(ctx, what, ctx.Err())
	}
	err = s.change(ctx, what, func(db *gorm.DB) error {
		answer := db.Model(new(U)).
			Where(s.key.is(s.core, key)).
			Where(s.same(columnOf(address.source), email)).
			Where(s.unverified()).
			UpdateColumn(s.fields.verified.DBName, at)
		verified = answer.RowsAffected > 0
		return answer.Error
	})
	return verified && err == nil, err
}

// ChangeEmail stores a new address with its canonical form, the time of its verification
// and a new security stamp with one conditional statement, if the stamp still is oldStamp.
// It returns the user as stored, or nil if there is no such user with that stamp. The
// address is stored as it is given, the time as by VerifyEmail. It is an error if a stamp
// is empty, if the stamp does not change, or if the time is zero.
//
// The error wraps models.ErrBadIdentifier if the address has no canonical form, and
// models.ErrTaken if another user, also a soft-deleted one, has the address. The unique
// index of the column prevents that two users get the same address.
func (s *UserStore[U, P]) ChangeEmail(ctx context.Context, id, oldStamp, email, newStamp string, at time.Time) (models.Authenticatable, error) {
	const what = "change email"
	address, err := s.address(what)
	if err != nil {
		return nil, err
	}
	if err := s.checkStamps(what, oldStamp, newStamp); err != nil {
		return nil, err
	}
	if at = instant(at); at.IsZero() {
		return nil, errors.New("gormstore: change email: time is zero")
	}
	form, err := address.canonical(email)
	if err != nil {
		return nil, err
	}
	key, ok := s.key.value(id)
	if !ok {
		return nil, fault(ctx, what, ctx.Err())
	}
	columns := map[string]any{
		s.fields.verified.DBName: at,
		s.fields.stamp.DBName:    newStamp,
		address.source.DBName:    email,
	}
	columns[address.lookup.DBName] = form // perhaps the same column
	others := clause.And(
		clause.Eq{Column: columnOf(address.lookup), Value: form}, // by the comparison of the unique index
		clause.Neq{Column: columnOf(s.key.field), Value: key},
	)
	u, err := s.replaceIf(ctx, what, id, s.same(columnOf(s.fields.stamp), oldStamp), columns, others)
	if err != nil || u == nil {
		return nil, err // not u, which would make an interface that is not nil
	}
	return u, nil
}

// replaceIf stores columns of a user if a condition holds for the user. It returns the user
// as stored, or nil if there is no such user. The error wraps models.ErrTaken if the change
// failed and the condition others holds for a row.
func (s *UserStore[U, P]) replaceIf(
	ctx context.Context, what, id string, condition clause.Expression, columns map[string]any, others clause.Expression,
) (u P, err error) {
	key, _ := s.key.value(id)
	body := func(tx *gorm.DB) (_ bool, err error) {
		u = nil
		answer := tx.Model(new(U)).Where(s.key.is(s.core, key)).Where(condition).UpdateColumns(columns)
		if answer.Error != nil || answer.RowsAffected == 0 {
			return false, answer.Error
		}
		u, err = s.stored(tx, key, id)
		return u != nil, err
	}
	err = s.repeat(ctx, what, func() error {
		// If the answer to a commit was lost, another try would find the new stamp
		// and report that no user has the old one.
		err := s.once(ctx, false, body)
		if _, last := errors.AsType[permanent](err); err == nil || last {
			return err
		}
		// Each driver reports a duplicate in another way. So ask the table, which
		// is possible because the transaction of the failed statement is over.
		if found, findErr := s.exists(ctx, others); findErr == nil && (found || s.duplicate(err)) {
			return permanent{models.ErrTaken}
		}
		return err
	})
	return u, err
}

// checkStamps returns an error if one stamp cannot replace the other.
func (s *UserStore[U, P]) checkStamps(what, oldStamp, newStamp string) error {
	switch {
	case s.fields.stamp == nil:
		return unsupported(what, "stamp")
	case oldStamp == "" || newStamp == "":
		return fmt.Errorf("gormstore: %s: old or new stamp is empty", what)
	case subtle.ConstantTimeCompare([]byte(oldStamp), []byte(newStamp)) == 1:
		return fmt.Errorf("gormstore: %s: new stamp is the old one", what)
	}
	return nil
}

// address returns the identifier that is the user's email address. It returns an error if
// the model has none, or no field for the time of verification.
func (s *UserStore[U, P]) address(what string) (identifier, error) {
	switch {
	case s.fields.address == nil:
		return identifier{}, fmt.Errorf("gormstore: %s: the model has no email address: %w", what, errors.ErrUnsupported)
	case s.fields.verified == nil:
		return identifier{}, unsupported(what, "verified")
	}
	return *s.fields.address, nil
}

// unverified returns the condition that the address was never verified. In a field that is
// not a pointer the zero time means that too. Drivers store the year 0 or 1 for it.
func (s *UserStore[U, P]) unverified() clause.Expression {
	column := columnOf(s.fields.verified)
	null := clause.Eq{Column: column, Value: nil}
	if s.fields.verified.FieldType.Kind() == reflect.Pointer {
		return null
	}
	return clause.Or(null, clause.Lt{Column: column, Value: time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)})
}

// instant returns t as it is stored in a column for times.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

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
			return s.nameOf(columns[0]), err
		}
	}
	return s.named(err), nil
}

// nameOf returns the name of a column in errors: "email" for that of the email address.
func (s *UserStore[U, P]) nameOf(column *schema.Field) string {
	if id := s.fields.address; id != nil && (id.credential == "email" && (id.lookup == column || id.source == column)) {
		return id.credential
	}
	return column.DBName
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
