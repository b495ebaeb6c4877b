package gormstore

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
)

// VerifyEmail records that the user's address was verified at a time, if the
// address as stored is email, byte for byte, and was not verified before, by
// one conditional statement. It reports whether it did; if the database stored
// that but its answer was lost, false. The time is kept in UTC and to the
// microsecond, or as exactly as the column is; a zero one is an error.
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
	if _, err := canonical(email); err != nil || !ok {
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

// ChangeEmail stores a new address with its canonical form, the time at which
// it was verified, and a new security stamp, if the stamp still is oldStamp, by
// one conditional statement. It returns the user as stored, or nil if there is
// none with that stamp. The address is kept as it is given, the time as by
// VerifyEmail. An empty stamp, one that does not change and a zero time are
// errors.
//
// The error wraps models.ErrBadIdentifier if the address can name nobody, and
// models.ErrTaken if another user, also one that is soft-deleted, has it. That
// no two users share one rests on the unique index of its column.
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
	form, err := canonical(email)
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
	columns[address.lookup.DBName] = form // it can be the source
	others := clause.And(
		clause.Eq{Column: columnOf(address.lookup), Value: form}, // by the rules of the index
		clause.Neq{Column: columnOf(s.key.field), Value: key},
	)
	u, err := s.replaceIf(ctx, what, id, s.same(columnOf(s.fields.stamp), oldStamp), columns, others)
	if err != nil || u == nil {
		return nil, err // an interface without a type
	}
	return u, nil
}

// replaceIf stores columns of a user if a condition holds for him, and returns
// him as stored, or nil if there is none. The error wraps models.ErrTaken if
// that failed and there is a row for which the condition others holds.
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
		// After a commit of which the answer was lost another try would find the
		// new stamp, and say that there is nobody with the old one.
		err := s.once(ctx, false, body)
		if _, last := errors.AsType[permanent](err); err == nil || last {
			return err
		}
		// What a driver says about a duplicate differs. The table knows, and can
		// be asked, because the transaction of the failed statement is over.
		if found, findErr := s.exists(ctx, others); findErr == nil && found {
			return permanent{models.ErrTaken}
		}
		return err
	})
	return u, err
}

// checkStamps returns an error if one stamp cannot take the place of another.
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

// address returns the identifier that is the user's email address, or an error
// if the model has none or does not keep when it was verified.
func (s *UserStore[U, P]) address(what string) (identifier, error) {
	id, err := s.fields.find("email")
	switch {
	case err != nil:
		return identifier{}, fmt.Errorf("gormstore: %s: no identifier is named email: %w", what, errors.ErrUnsupported)
	case s.fields.verified == nil:
		return identifier{}, unsupported(what, "verified")
	}
	return id, nil
}

// unverified returns the condition that the address was never verified. In a
// column that is not a pointer the zero time says so as well, for which drivers
// store the year 0 or 1.
func (s *UserStore[U, P]) unverified() clause.Expression {
	column := columnOf(s.fields.verified)
	null := clause.Eq{Column: column, Value: nil}
	if s.fields.verified.FieldType.Kind() == reflect.Pointer {
		return null
	}
	return clause.Or(null, clause.Lt{Column: column, Value: time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)})
}

// instant returns t as it is stored in a column of times.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
