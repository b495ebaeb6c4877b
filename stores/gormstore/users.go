package gormstore

import (
	"context"
	"fmt"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
)

// UserStore is a user provider on the table of the model U. It implements
// models.UserProvider, models.PasswordUpdater, models.PasswordChanger,
// models.StampChanger, models.EmailVerifier, models.EmailChanger, models.Registrar and
// models.Prototype. It returns users as a P, which is *U. It is safe for concurrent use.
// If the model has no field for a change, the error wraps errors.ErrUnsupported.
//
// It does not find soft-deleted users. Hooks of the model run when users are read and
// created. When a password, a stamp or an address is replaced or verified, the hooks of
// an update do not run, and UpdatedAt does not change.
type UserStore[U any, P interface {
	*U
	models.Authenticatable
}] struct {
	*core
	key    key
	fields userFields
}

var _ interface {
	models.UserProvider
	models.PasswordUpdater
	models.PasswordChanger
	models.StampChanger
	models.EmailVerifier
	models.EmailChanger
	models.Registrar
	models.Prototype
	models.ManyIdentifiers
	models.LoginFields
	models.IdentifierSetter
} = (*UserStore[models.User, *models.User])(nil)

// Users returns a provider of the users in the table of the model U. For models.User, and
// for a model that embeds it, no option is needed.
//
// AuthID of the model has to return the primary key: an integer in decimal, a string as
// it is, or a UUID in lower case.
//
// Users panics for the same db as New. WithScope limits it to some users, for example those of
// one tenant. Users panics if the model does not have exactly one
// primary key of such a type. It panics if the model lacks one of the fields Email,
// Password and, if it implements models.Stamped, SecurityStamp, or one of the fields that
// the options name instead, or if such a field is not a string. It panics if the field
// for the time of verification, by default EmailVerifiedAt if the model has it, is not a
// time.Time or a *time.Time.
func Users[U any, P interface {
	*U
	models.Authenticatable
}](db *gorm.DB, opts ...UserOption) *UserStore[U, P] {
	c := newCore(db, "Users")
	t := newTable(c.db, new(U))
	_, stamped := any(P(new(U))).(models.Stamped)
	s := &UserStore[U, P]{core: c, key: newKey(t, "Users")}
	var scopes []Scope
	s.fields, scopes = newUserFields(t, stamped, opts)
	c.nameColumns(t)
	c.scoped("Users", scopes)
	return s
}

// PrototypeUser returns a new, empty user.
func (s *UserStore[U, P]) PrototypeUser() models.Authenticatable { return P(new(U)) }

// UserByID returns the user with the given id, or nil. For text that is not the one
// spelling of a key it returns nil and does not query the database.
func (s *UserStore[U, P]) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	u, err := s.byID(ctx, id)
	if err != nil || u == nil {
		return nil, err // not u, which would make an interface that is not nil
	}
	return u, nil
}

func (s *UserStore[U, P]) byID(ctx context.Context, id string) (P, error) {
	row, found, err := find[U](ctx, s.core, s.key, id)
	if err != nil || !found || P(row).AuthID() != id {
		return nil, err
	}
	return row, nil
}

// CanonicalIdentifier returns the canonical form of a credential. By default it is the value
// trimmed of white space, in Unicode normalization form KC, and case-folded; WithForm gives an
// identifier another one. The error wraps models.ErrUnknownField if field is not a credential of
// this provider. It wraps models.ErrBadIdentifier if the value is empty, longer than 254 bytes or
// not UTF-8, or, by default, contains white space, control characters or invisible characters.
func (s *UserStore[U, P]) CanonicalIdentifier(field, value string) (string, error) {
	ids, err := s.fields.meant(field, value)
	if err != nil {
		return "", err
	}
	err = fmt.Errorf("gormstore: %w", models.ErrBadIdentifier)
	for _, id := range ids {
		var form string
		if form, err = id.canonical(value); err == nil {
			return form, nil
		}
	}
	return "", err
}

// SupportsEmail reports whether the model has an email address and a field for the time at which it
// was verified.
func (s *UserStore[U, P]) SupportsEmail() bool {
	return s.fields.address != nil && s.fields.verified != nil
}

// SupportsStamp reports whether the model has a field for the security stamp.
func (s *UserStore[U, P]) SupportsStamp() bool { return s.fields.stamp != nil }

// LoginFields returns the credentials by which users are looked up: those of WithLogin, and then
// those of WithIdentifier.
func (s *UserStore[U, P]) LoginFields() []string {
	var names []string
	for _, l := range s.fields.logins {
		names = append(names, l.credential)
	}
	for _, id := range s.fields.identifiers {
		names = append(names, id.credential)
	}
	return names
}

// Identifiers returns the credentials of WithIdentifier.
func (s *UserStore[U, P]) Identifiers() []string {
	var names []string
	for _, id := range s.fields.identifiers {
		names = append(names, id.credential)
	}
	return names
}

// NeedsIdentifier reports whether every user needs an identifier: whether its column cannot be NULL.
func (s *UserStore[U, P]) NeedsIdentifier(credential string) bool {
	id, err := s.fields.find(credential)
	return err == nil && !id.optional
}

// SetIdentifier sets the field of an identifier in a user, which has to be a P and not nil.
func (s *UserStore[U, P]) SetIdentifier(u models.Authenticatable, credential, value string) error {
	p, ok := u.(P)
	if !ok || p == nil {
		return fmt.Errorf("gormstore: set identifier: got a %T, want a %T that is not nil", u, p)
	}
	id, err := s.fields.find(credential)
	if err != nil {
		return err
	}
	setText(context.Background(), id.source, reflect.ValueOf(p).Elem(), value)
	return nil
}

// ManyIdentifiers reports whether users can be looked up by more than one identifier.
func (s *UserStore[U, P]) ManyIdentifiers() bool { return len(s.fields.identifiers) > 1 }

// UserByIdentifier returns the user whose field has the canonical value, or nil. For a
// value that is not in canonical form it returns nil and does not query the database. The
// error wraps models.ErrUnknownField if field is not a credential of this provider. It is
// also an error if two users have the value.
func (s *UserStore[U, P]) UserByIdentifier(ctx context.Context, field, value string) (models.Authenticatable, error) {
	ids, err := s.fields.meant(field, value)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if u, err := s.byIdentifier(ctx, id, value); err != nil || u != nil {
			return u, err
		}
	}
	return nil, fault(ctx, "find user", ctx.Err())
}

func (s *UserStore[U, P]) byIdentifier(ctx context.Context, id identifier, value string) (models.Authenticatable, error) {
	if form, err := id.canonical(value); err != nil || form != value {
		return nil, nil
	}
	// GORM gets a typed condition on a configured column. It would interpret text
	// as SQL, and would ignore the zero fields of a struct.
	var rows []U
	err := s.read(ctx, "find user", func(db *gorm.DB) error {
		return db.Where(s.same(columnOf(id.lookup), value)).Limit(2).Find(&rows).Error
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if len(rows) > 1 {
		return nil, fmt.Errorf("gormstore: find user: several users have the same %s", id.credential)
	}
	u := P(&rows[0])
	// The column may compare by rules under which other values match as well.
	form, err := id.canonical(textOf(ctx, id.lookup, u))
	if err != nil || form != value || u.AuthID() == "" {
		return nil, nil
	}
	return u, nil
}

func columnOf(field *schema.Field) clause.Column {
	return clause.Column{Table: clause.CurrentTable, Name: field.DBName}
}

// textOf returns the text in a field of a user, or "" if it is nil.
func textOf(ctx context.Context, field *schema.Field, model any) string {
	value := field.ReflectValueOf(ctx, reflect.ValueOf(model).Elem())
	if value.Kind() == reflect.Pointer {
		value = value.Elem() // of nil it is the zero Value
	}
	if !value.IsValid() {
		return ""
	}
	return value.String()
}

// setText sets a field of a user to a text. In a pointer no text is nil.
func setText(ctx context.Context, field *schema.Field, model reflect.Value, text string) {
	value := field.ReflectValueOf(ctx, model)
	switch {
	case value.Kind() != reflect.Pointer:
		value.SetString(text)
	case text == "":
		value.SetZero()
	default:
		value.Set(reflect.ValueOf(&text))
	}
}
