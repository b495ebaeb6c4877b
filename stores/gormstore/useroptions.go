package gormstore

import (
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/models"
)

// UserOption is an option of Users.
type UserOption func(*userOptions)

type userOptions struct {
	identifiers               [][2]string // the credential and the field
	password, stamp, verified string
	passwordSet               bool
	stampSet                  bool
	verifiedSet               bool
	scopes                    []Scope
}

// WithIdentifier looks users up by the named credential in a field of the model, as in
// WithIdentifier("username", "Username"). It may be used several times. Without it, users
// are looked up by the credential "email" in the field Email. With it, they are looked up
// only by the named credentials.
//
// If the model also has a field with the suffix Canonical, such as EmailCanonical, that
// field is used for the look-up, and CreateUser sets it. Otherwise the field itself has to
// hold identifiers in canonical form, as CreateUser stores them. The field that is used
// for the look-up needs a unique index.
//
// VerifyEmail and ChangeEmail use the field of the credential "email".
func WithIdentifier(credential, field string) UserOption {
	return func(o *userOptions) { o.identifiers = append(o.identifiers, [2]string{credential, field}) }
}

// WithPasswordField names the field that holds the password hash. The default is
// Password. "" means that the model has no such field; RehashPassword and ChangePassword
// then return an error that wraps errors.ErrUnsupported.
func WithPasswordField(field string) UserOption {
	return func(o *userOptions) { o.password, o.passwordSet = field, true }
}

// WithStampField names the field that holds the security stamp. The default is
// SecurityStamp if the model has it. "" means that the model has no such field;
// ChangeStamp and ChangeEmail then return an error that wraps errors.ErrUnsupported. Users
// panics if it is "" for a model that implements models.Stamped.
func WithStampField(field string) UserOption {
	return func(o *userOptions) { o.stamp, o.stampSet = field, true }
}

// WithVerifiedField names the field that holds when the address was verified, a time.Time
// or a *time.Time. The default is EmailVerifiedAt if the model has it. "" means that the
// model has no such field; VerifyEmail and ChangeEmail then return an error that wraps
// errors.ErrUnsupported.
func WithVerifiedField(field string) UserOption {
	return func(o *userOptions) { o.verified, o.verifiedSet = field, true }
}

// identifier is a credential by which users are looked up.
type identifier struct {
	credential string
	source     *schema.Field
	// lookup is the field that holds the canonical form. It can be source itself.
	lookup *schema.Field
}

// userFields holds the fields of a model that a UserStore uses. The fields password, stamp
// and verified can be nil.
type userFields struct {
	identifiers               []identifier
	password, stamp, verified *schema.Field
}

func newUserFields(t table, stamped bool, opts []UserOption) (userFields, []Scope) {
	o := userOptions{password: "Password", stamp: "SecurityStamp", verified: "EmailVerifiedAt"}
	for _, opt := range opts {
		opt(&o)
	}
	if len(o.identifiers) == 0 {
		o.identifiers = [][2]string{{"email", "Email"}}
	}
	var f userFields
	for _, names := range o.identifiers {
		if names[0] == "" {
			panic("gormstore: Users: a credential has no name")
		}
		id := identifier{credential: names[0], source: t.text(names[1])}
		id.lookup = id.source
		if t.has(names[1] + "Canonical") {
			id.lookup = t.text(names[1] + "Canonical")
		}
		f.identifiers = append(f.identifiers, id)
	}
	if o.password != "" {
		f.password = t.text(o.password)
	}
	if o.stamp != "" && (o.stampSet || stamped || t.has(o.stamp)) {
		f.stamp = t.text(o.stamp)
	}
	if o.verified != "" && (o.verifiedSet || t.has(o.verified)) {
		f.verified = t.time(o.verified)
	}
	if stamped && f.stamp == nil {
		panic(fmt.Sprintf("gormstore: Users: model %s has a security stamp: name its field with WithStampField", t.schema.Name))
	}
	return f, o.scopes
}

// has reports whether the model has a column for a field.
func (t table) has(field string) bool {
	f := t.schema.LookUpField(field)
	return f != nil && f.DBName != "" && f.Name == field
}

// named returns the field with a name, or panics.
func (t table) named(field string) *schema.Field {
	if !t.has(field) {
		panic(fmt.Sprintf("gormstore: Users: model %s has no column for the field %q;"+
			" WithIdentifier, WithPasswordField, WithStampField and WithVerifiedField name fields", t.schema.Name, field))
	}
	return t.schema.LookUpField(field)
}

// text returns the field with a name, or panics if it is not a string.
func (t table) text(field string) *schema.Field {
	f := t.named(field)
	if f.FieldType.Kind() != reflect.String {
		panic(fmt.Sprintf("gormstore: Users: field %s of model %s is a %s, it must be a string", field, t.schema.Name, f.FieldType))
	}
	return f
}

// time returns the field with a name, or panics if it is not a time.Time or *time.Time.
func (t table) time(field string) *schema.Field {
	f := t.named(field)
	if f.FieldType != reflect.TypeFor[time.Time]() && f.FieldType != reflect.TypeFor[*time.Time]() {
		panic(fmt.Sprintf("gormstore: Users: field %s of model %s is a %s, it must be a time.Time or a *time.Time",
			field, t.schema.Name, f.FieldType))
	}
	return f
}

// find returns the identifier for a credential.
func (f userFields) find(credential string) (identifier, error) {
	for _, id := range f.identifiers {
		if id.credential == credential {
			return id, nil
		}
	}
	return identifier{}, fmt.Errorf("gormstore: %w: %.32q", models.ErrUnknownField, credential)
}

// canonical returns the canonical form of an identifier, which is the same for all its
// spellings.
func canonical(value string) (string, error) {
	form, err := canon.Identifier(value)
	if err != nil {
		return "", fmt.Errorf("gormstore: %w: %w", models.ErrBadIdentifier, err)
	}
	return form, nil
}
