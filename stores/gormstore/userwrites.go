package gormstore

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
)

// CreateUser stores a new user, which has to be a P and not nil, without its
// associations. It sets the fields that hold canonical identifiers, and the
// security stamp if there is one and it is empty, in the user given; GORM sets
// the key and the times. Every identifier of the provider has to be given.
//
// The error wraps models.ErrTaken if another user, also one that is
// soft-deleted, has one of the identifiers; models.ErrBadIdentifier if one of
// them can name nobody. That no two users share one rests on the unique index
// of its column.
func (s *UserStore[U, P]) CreateUser(ctx context.Context, u models.Authenticatable) error {
	p, ok := u.(P)
	if !ok || p == nil {
		return fmt.Errorf("gormstore: create user: got %T, want %T that is not nil", u, p)
	}
	if err := s.complete(ctx, p); err != nil {
		return err
	}
	committing := false
	err := s.inTurn(ctx, func() error {
		// GORM undoes the INSERT if a hook after it fails.
		return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			err := tx.Omit(clause.Associations).Create(p).Error
			committing = err == nil
			return err
		}, s.options)
	})
	if err == nil || committing || ctx.Err() != nil {
		return fault(ctx, "create user", err)
	}
	// What a driver says about a duplicate differs, and so does what a hook
	// says. The table knows.
	taken, findErr := s.taken(ctx, p)
	if findErr == nil && taken {
		return fmt.Errorf("gormstore: create user: %w", models.ErrTaken)
	}
	return fault(ctx, "create user", err)
}

// complete fills the fields that follow from others, or from nothing.
func (s *UserStore[U, P]) complete(ctx context.Context, p P) error {
	value := reflect.ValueOf(p).Elem()
	for _, id := range s.fields.identifiers {
		form, err := canonical(textOf(ctx, id.source, p))
		if err != nil {
			return err
		}
		id.lookup.ReflectValueOf(ctx, value).SetString(form)
	}
	if stamp := s.fields.stamp; stamp != nil && textOf(ctx, stamp, p) == "" {
		var random [16]byte
		rand.Read(random[:]) // never fails
		stamp.ReflectValueOf(ctx, value).SetString(hex.EncodeToString(random[:]))
	}
	return nil
}

// taken reports whether there is a row with one of the identifiers of u, by the
// database's own comparison: that is what its unique index goes by.
func (s *UserStore[U, P]) taken(ctx context.Context, u P) (bool, error) {
	var same []clause.Expression
	for _, id := range s.fields.identifiers {
		same = append(same, clause.Eq{Column: columnOf(id.lookup), Value: textOf(ctx, id.lookup, u)})
	}
	return s.exists(ctx, clause.Or(same...))
}

// exists reports whether a condition holds for a row, also one that is
// soft-deleted.
func (s *UserStore[U, P]) exists(ctx context.Context, condition clause.Expression) (bool, error) {
	var n int64
	err := s.read(ctx, "find user", func(db *gorm.DB) error {
		return db.Unscoped().Model(new(U)).Where(condition).Limit(1).Count(&n).Error
	})
	return n > 0, err
}

// RehashPassword replaces the user's hash if it still is oldHash, by one
// conditional statement. An empty oldHash is no user's: it reports false.
func (s *UserStore[U, P]) RehashPassword(ctx context.Context, id, oldHash, newHash string) (replaced bool, err error) {
	if s.fields.password == nil {
		return false, unsupported("rehash password", "password")
	}
	if newHash == "" {
		return false, errors.New("gormstore: rehash password: new hash is empty")
	}
	key, ok := s.key.value(id)
	if !ok || oldHash == "" {
		return false, fault(ctx, "rehash password", ctx.Err())
	}
	err = s.change(ctx, "rehash password", func(db *gorm.DB) error {
		answer := db.Model(new(U)).
			Where(s.key.is(s.core, key)).
			Where(s.same(columnOf(s.fields.password), oldHash)).
			UpdateColumn(s.fields.password.DBName, newHash)
		replaced = answer.RowsAffected > 0
		return answer.Error
	})
	return replaced, err
}

// ChangePassword stores a new hash and a new security stamp, if the stamp still
// is oldStamp, by one conditional statement, and returns the user as stored, or
// nil if there is none with that stamp. A model without a stamp is bound to its
// hash instead: that has to be oldStamp, and it stores the hash alone. An empty
// oldStamp is that of a user who has none yet. An empty hash or new stamp, and
// one that does not change, are errors.
func (s *UserStore[U, P]) ChangePassword(ctx context.Context, id, oldStamp, newHash, newStamp string) (models.Authenticatable, error) {
	const what = "change password"
	if s.fields.password == nil {
		return nil, unsupported(what, "password")
	}
	if newHash == "" || newStamp == "" {
		return nil, fmt.Errorf("gormstore: %s: new hash or stamp is empty", what)
	}
	columns := map[string]any{s.fields.password.DBName: newHash}
	if s.fields.stamp == nil {
		return s.replace(ctx, what, id, binding{s.fields.password, oldStamp, newHash}, columns)
	}
	columns[s.fields.stamp.DBName] = newStamp
	return s.replace(ctx, what, id, binding{s.fields.stamp, oldStamp, newStamp}, columns)
}

// ChangeStamp stores a new security stamp, if the stamp still is oldStamp, by one
// conditional statement, and returns the user as stored, or nil if there is none
// with that stamp. An empty oldStamp is that of a user who has none yet. An empty
// new stamp, and one that does not change, are errors.
func (s *UserStore[U, P]) ChangeStamp(ctx context.Context, id, oldStamp, newStamp string) (models.Authenticatable, error) {
	const what = "change stamp"
	if s.fields.stamp == nil {
		return nil, unsupported(what, "stamp")
	}
	if newStamp == "" {
		return nil, fmt.Errorf("gormstore: %s: new stamp is empty", what)
	}
	return s.replace(ctx, what, id, binding{s.fields.stamp, oldStamp, newStamp}, map[string]any{s.fields.stamp.DBName: newStamp})
}

// binding is the change of what everything issued to a user is bound to.
type binding struct {
	field    *schema.Field
	old, new string
}

// replace stores columns of a user if the binding still is the old one, and
// returns him as stored, or nil if there is none.
func (s *UserStore[U, P]) replace(ctx context.Context, what, id string, b binding, columns map[string]any) (models.Authenticatable, error) {
	if subtle.ConstantTimeCompare([]byte(b.old), []byte(b.new)) == 1 {
		return nil, fmt.Errorf("gormstore: %s: what is new is the old one", what)
	}
	key, ok := s.key.value(id)
	if !ok {
		return nil, fault(ctx, what, ctx.Err())
	}
	var u P
	committed := false // perhaps, by an earlier try: the answer was lost
	err := s.transact(ctx, what, true, func(tx *gorm.DB) (_ bool, err error) {
		u = nil
		answer := tx.Model(new(U)).Where(s.key.is(s.core, key)).Where(s.holds(b.field, b.old)).UpdateColumns(columns)
		if answer.Error != nil || answer.RowsAffected == 0 && !committed {
			return false, answer.Error
		}
		row, err := s.stored(tx, key, id)
		if err == nil && row != nil && textOf(ctx, b.field, row) == b.new {
			u, committed = row, true
		}
		return u != nil, err
	})
	if err != nil || u == nil {
		return nil, err // an interface without a type
	}
	return u, nil
}

// holds returns the condition that a field has a text. An empty one may be
// stored as NULL.
func (s *UserStore[U, P]) holds(field *schema.Field, text string) clause.Expression {
	same := s.same(columnOf(field), text)
	if text != "" {
		return same
	}
	return clause.Or(same, clause.Eq{Column: columnOf(field), Value: nil})
}

// stored returns the user that the transaction has just changed. Read after it,
// he could have the stamp of a later change, and whoever made this one would
// outlive that one.
func (s *UserStore[U, P]) stored(tx *gorm.DB, key any, id string) (P, error) {
	row, err := load[U](tx, s.core, s.key, key)
	// A model whose AuthID is not its key would name somebody else's row.
	if err != nil || row == nil || P(row).AuthID() != id {
		return nil, err
	}
	return row, nil
}

func unsupported(what, field string) error {
	return fmt.Errorf("gormstore: %s: the model has no %s field: %w", what, field, errors.ErrUnsupported)
}
