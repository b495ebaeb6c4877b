package gormstore

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
)

// CreateUser stores a new user, which has to be a P and not nil, without its associations.
// It sets the fields for canonical identifiers in the user, and the security stamp if the
// model has one and it is empty. GORM sets the key and the times. The user needs every
// identifier of the provider that is not optional.
//
// The error wraps models.ErrTaken if another user, also a soft-deleted one, has one of the
// identifiers, or the value of another unique column of the model. It wraps
// models.ErrBadIdentifier if an identifier has no canonical form. A *models.FieldError names
// the identifier or the column. The unique index of the column prevents that two users get
// the same identifier.
func (s *UserStore[U, P]) CreateUser(ctx context.Context, u models.Authenticatable) error {
	return s.create(ctx, u, false)
}

// CreateAddresslessUser is CreateUser for a user without an email address. The model needs a field of its own for the
// canonical address, in which such a user has a random text that is no address. The other identifiers are needed.
func (s *UserStore[U, P]) CreateAddresslessUser(ctx context.Context, u models.Authenticatable) error {
	return s.create(ctx, u, true)
}

func (s *UserStore[U, P]) create(ctx context.Context, u models.Authenticatable, addressless bool) error {
	p, ok := u.(P)
	if !ok || p == nil {
		return fmt.Errorf("gormstore: create user: got a %T, want a %T that is not nil", u, p)
	}
	if err := s.complete(ctx, p, addressless); err != nil {
		return err
	}
	committing, outside := false, false
	err := s.inTurn(ctx, func() error {
		db, err := s.session(ctx)
		if err != nil {
			committing = true
			return err
		}
		// GORM rolls the INSERT back if a later hook fails.
		return db.Transaction(func(tx *gorm.DB) error {
			err := tx.Omit(clause.Associations).Create(p).Error
			if err == nil && len(s.scopes) > 0 {
				outside, err = s.outside(tx, p)
			}
			committing = err == nil
			return err
		}, s.options)
	})
	if err == nil || committing || outside || ctx.Err() != nil {
		return fault(ctx, "create user", err)
	}
	if field, findErr := s.taken(ctx, p, err); findErr == nil && field != "" {
		return fmt.Errorf("gormstore: create user: %w", &models.FieldError{Field: field, Err: models.ErrTaken})
	}
	return fault(ctx, "create user", err)
}

// outside reports whether the scopes do not hold for a user that the transaction has created,
// with the error that undoes it. In a transaction that has failed nothing is outside.
func (s *UserStore[U, P]) outside(tx *gorm.DB, p P) (bool, error) {
	key, _ := s.key.field.ValueOf(tx.Statement.Context, reflect.ValueOf(p).Elem())
	var n int64
	err := tx.Model(new(U)).Where(s.key.is(s.core, key)).Count(&n).Error
	if err == nil && n == 0 {
		return true, errors.New("the Scope of WithScope does not hold for the new user: set its tenant in BeforeCreate or in Config.Account.Prepare")
	}
	return false, err
}

// complete sets the fields for canonical identifiers, and the security stamp if it is
// empty. The unique index of the canonical address needs a text for each addressless user.
func (s *UserStore[U, P]) complete(ctx context.Context, p P, addressless bool) error {
	value := reflect.ValueOf(p).Elem()
	if err := s.completeAddress(ctx, p); err != nil {
		return err
	}
	for _, id := range s.fields.identifiers {
		text := textOf(ctx, id.source, p)
		var form string
		var err error
		switch none := addressless && id.credential == "email"; {
		case text == "" && id.optional:
		case none && (id.lookup == id.source || text != ""):
			return fmt.Errorf("gormstore: create user without an address: %w", errors.ErrUnsupported)
		case none:
			form = "none:" + strings.ToLower(rand.Text())
		default:
			form, err = id.canonical(text)
		}
		if err != nil {
			return &models.FieldError{Field: id.credential, Err: err}
		}
		setText(ctx, id.lookup, value, form)
	}
	if stamp := s.fields.stamp; stamp != nil && textOf(ctx, stamp, p) == "" {
		var random [16]byte
		rand.Read(random[:]) // never fails
		stamp.ReflectValueOf(ctx, value).SetString(hex.EncodeToString(random[:]))
	}
	return nil
}

// completeAddress sets the canonical form of an email address that is no identifier. The column of
// models.User has a unique index, which needs a text for each user without an address.
func (s *UserStore[U, P]) completeAddress(ctx context.Context, p P) error {
	id := s.fields.address
	if id == nil || id.lookup == id.source || slices.ContainsFunc(s.fields.identifiers, func(o identifier) bool { return o.lookup == id.lookup }) {
		return nil
	}
	text, form := textOf(ctx, id.source, p), ""
	switch {
	case text != "":
		var err error
		if form, err = id.canonical(text); err != nil {
			return &models.FieldError{Field: id.credential, Err: err}
		}
	case !id.optional:
		form = "none:" + strings.ToLower(rand.Text())
	}
	setText(ctx, id.lookup, reflect.ValueOf(p).Elem(), form)
	return nil
}

// exists reports whether a condition holds for a row, also for a soft-deleted one.
func (s *UserStore[U, P]) exists(ctx context.Context, condition clause.Expression) (bool, error) {
	var n int64
	err := s.read(ctx, "find user", func(db *gorm.DB) error {
		return db.Unscoped().Model(new(U)).Where(condition).Limit(1).Count(&n).Error
	})
	return n > 0, err
}

// RehashPassword replaces the user's password hash with one conditional statement, if the
// hash still is oldHash. It reports whether it did. If oldHash is empty, it reports false.
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

// ChangePassword stores a new hash and a new security stamp with one conditional
// statement, if the stamp still is oldStamp. It returns the user as stored, or nil if there
// is no such user with that stamp. For a model without a stamp the hash takes its place:
// oldStamp has to be the old hash, and only the new hash is stored. oldStamp is empty for a
// user without a stamp. It is an error if the new hash or stamp is empty, or if the stamp
// (without a stamp, the hash) does not change.
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

// ChangeName stores a name in the field Name of the model. It does nothing if there is no such user.
func (s *UserStore[U, P]) ChangeName(ctx context.Context, id, name string) error {
	const what = "change name"
	key, ok := s.key.value(id)
	if !ok {
		return fault(ctx, what, ctx.Err())
	}
	return s.change(ctx, what, func(db *gorm.DB) error {
		return db.Model(new(U)).Where(s.key.is(s.core, key)).UpdateColumn("Name", name).Error
	})
}

// DeleteUser deletes a user, or marks it as deleted if the model has a gorm.DeletedAt. It does nothing if there is no
// such user.
func (s *UserStore[U, P]) DeleteUser(ctx context.Context, id string) error {
	const what = "delete user"
	key, ok := s.key.value(id)
	if !ok {
		return fault(ctx, what, ctx.Err())
	}
	return s.change(ctx, what, func(db *gorm.DB) error { return db.Where(s.key.is(s.core, key)).Delete(new(U)).Error })
}

// ChangeStamp stores a new security stamp with one conditional statement, if the stamp
// still is oldStamp. It returns the user as stored, or nil if there is no such user with
// that stamp. oldStamp is empty for a user without a stamp. It is an error if the new stamp
// is empty or does not change.
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

// binding is a change of the field to which everything that was issued to a user is bound:
// the security stamp, or the password hash of a model without a stamp.
type binding struct {
	field    *schema.Field
	old, new string
}

// replace stores columns of a user if the binding still has the old value. It returns the
// user as stored, or nil if there is no such user.
func (s *UserStore[U, P]) replace(ctx context.Context, what, id string, b binding, columns map[string]any) (models.Authenticatable, error) {
	if subtle.ConstantTimeCompare([]byte(b.old), []byte(b.new)) == 1 {
		return nil, fmt.Errorf("gormstore: %s: the new value is the old one", what)
	}
	key, ok := s.key.value(id)
	if !ok {
		return nil, fault(ctx, what, ctx.Err())
	}
	if s.dialect != sqlite {
		return s.replaceOnce(ctx, what, id, key, b, columns)
	}
	var u P
	committed := false // perhaps by an earlier try whose answer was lost
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
		return nil, err // not u, which would make an interface that is not nil
	}
	return u, nil
}

// replaceOnce is replace without a transaction, which would wait for the server at its beginning
// and its end. PostgreSQL answers the UPDATE with the row. MySQL is asked for it: if another
// change came in between, the row is answered as this one left it, so that the login of this
// request is bound to its own stamp and does not survive the other change.
func (s *UserStore[U, P]) replaceOnce(
	ctx context.Context, what, id string, key any, b binding, columns map[string]any,
) (models.Authenticatable, error) {
	var u P
	failed := false // an earlier try, which may have been carried out
	err := s.change(ctx, what, func(db *gorm.DB) error {
		row := new(U)
		update := db.Model(row)
		returns := s.dialect == postgres && !newTable(s.db, row).schema.AfterFind
		if returns {
			update = update.Clauses(clause.Returning{})
		}
		answer := update.Where(s.key.is(s.core, key)).Where(s.holds(b.field, b.old)).UpdateColumns(columns)
		done := answer.RowsAffected > 0
		if answer.Error != nil || !done && !failed {
			failed = answer.Error != nil
			return answer.Error
		}
		if done && returns && P(row).AuthID() == id {
			u = row
			return nil
		}
		found, err := s.stored(db, key, id)
		failed = err != nil || failed
		switch {
		case err != nil || found == nil:
			return err
		case subtle.ConstantTimeCompare([]byte(textOf(ctx, b.field, found)), []byte(b.new)) == 1:
			u = found
		case done:
			u = found
			return s.overwrite(ctx, u, columns)
		}
		return nil
	})
	if err != nil || u == nil {
		return nil, err // not u, which would make an interface that is not nil
	}
	return u, nil
}

// overwrite sets columns in a user.
func (s *UserStore[U, P]) overwrite(ctx context.Context, u P, columns map[string]any) error {
	value := reflect.ValueOf(u).Elem()
	for name, content := range columns {
		if err := newTable(s.db, u).schema.LookUpField(name).Set(ctx, value, content); err != nil {
			return err
		}
	}
	return nil
}

// holds returns the condition that a field holds a text. An empty text may be stored as
// NULL.
func (s *UserStore[U, P]) holds(field *schema.Field, text string) clause.Expression {
	same := s.same(columnOf(field), text)
	if text != "" {
		return same
	}
	return clause.Or(same, clause.Eq{Column: columnOf(field), Value: nil})
}

// stored returns the user that was just changed. If it is read after the transaction, it can have
// the stamp of a later change, and the login of this request would survive that change.
func (s *UserStore[U, P]) stored(tx *gorm.DB, key any, id string) (P, error) {
	row, err := load[U](tx, s.core, s.key, key)
	// If AuthID of the model does not return its key, this could be the row of
	// another user.
	if err != nil || row == nil || P(row).AuthID() != id {
		return nil, err
	}
	return row, nil
}

func unsupported(what, field string) error {
	return fmt.Errorf("gormstore: %s: the model has no %s field: %w", what, field, errors.ErrUnsupported)
}
