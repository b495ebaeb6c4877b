package gormstore

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/models"
)

// UserOption is an option of Users.
type UserOption func(*userOptions)

type userOptions struct {
	identifiers               []namedIdentifier
	logins                    []login
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
// VerifyEmail and ChangeEmail use the field of the credential "email". Without that credential they
// use the field Email, if the model has it: mails go there, though nobody logs in with it.
//
// A field of type *string is optional: it is NULL in the rows of users without that identifier.
// If there is a field with the suffix Canonical, it is that one whose type decides.
func WithIdentifier(credential, field string, options ...IdentifierOption) UserOption {
	return func(o *userOptions) {
		o.identifiers = append(o.identifiers, namedIdentifier{credential, field, options})
	}
}

// IdentifierOption is an option of WithIdentifier.
type IdentifierOption func(*identifier)

// WithForm gives an identifier a canonical form of its own, such as NameForm or PhoneForm. All
// spellings of one identifier have the same form, and the form of a form is the form itself.
// The function returns an error if a text is no such identifier. The provider refuses forms that
// are empty, longer than 254 bytes, or not valid UTF-8.
func WithForm(form func(value string) (string, error)) IdentifierOption {
	return func(id *identifier) { id.form = form }
}

// WithLogin lets users log in by a credential that stands for several identifiers, as in
// WithLogin("login", "email", "username") for one field of a form. A value with "@" is an email
// address, if "email" is among them, and no value without is. Of the others the first one whose
// form a value has, and that a user has, is meant.
//
// Users panics if one of the identifiers is not among those of WithIdentifier, or if the
// credential is.
func WithLogin(credential string, identifiers ...string) UserOption {
	return func(o *userOptions) { o.logins = append(o.logins, login{credential, identifiers}) }
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

// namedIdentifier is an identifier as the options name it.
type namedIdentifier struct {
	credential, field string
	options           []IdentifierOption
}

// login is a credential that stands for several identifiers.
type login struct {
	credential  string
	identifiers []string
}

// identifier is a credential by which users are looked up.
type identifier struct {
	credential string
	source     *schema.Field
	// lookup is the field that holds the canonical form. It can be source itself.
	lookup *schema.Field
	// optional says that users need not have it: lookup is NULL then.
	optional bool
	form     func(string) (string, error) // or nil
}

// userFields holds the fields of a model that a UserStore uses. The fields password, stamp
// and verified can be nil.
type userFields struct {
	identifiers []identifier
	// address is the email address that mails go to, or nil. It need not be an identifier.
	address                   *identifier
	logins                    []login
	password, stamp, verified *schema.Field
}

func newUserFields(t table, stamped bool, opts []UserOption) (userFields, []Scope) {
	o := userOptions{password: "Password", stamp: "SecurityStamp", verified: "EmailVerifiedAt"}
	for _, opt := range opts {
		opt(&o)
	}
	if len(o.identifiers) == 0 {
		o.identifiers = []namedIdentifier{{"email", "Email", nil}}
	}
	var f userFields
	for _, n := range o.identifiers {
		f.identifiers = append(f.identifiers, t.identifier(n))
	}
	f.addLogins(o.logins)
	f.addAddress(t)
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

// identifier returns an identifier of the model, or panics.
func (t table) identifier(n namedIdentifier) identifier {
	if n.credential == "" {
		panic("gormstore: Users: a credential has no name")
	}
	id := identifier{credential: n.credential, source: t.textOrNull(n.field)}
	id.lookup = id.source
	if t.has(n.field + "Canonical") {
		id.lookup = t.textOrNull(n.field + "Canonical")
	}
	id.optional = id.lookup.FieldType.Kind() == reflect.Pointer
	for _, option := range n.options {
		option(&id)
	}
	return id
}

// addAddress adds the email address: the identifier "email", or else the field Email.
func (f *userFields) addAddress(t table) {
	for _, id := range f.identifiers {
		if id.credential == "email" || id.source.Name == "Email" {
			f.address = &id
			return
		}
	}
	isText := func(field string) bool {
		kind := t.schema.LookUpField(field).FieldType
		return kind.Kind() == reflect.String || kind == reflect.TypeFor[*string]()
	}
	if !t.has("Email") || !isText("Email") || (t.has("EmailCanonical") && !isText("EmailCanonical")) {
		return
	}
	id := t.identifier(namedIdentifier{"email", "Email", nil})
	f.address = &id
}

// addLogins adds credentials that stand for several identifiers, or panics.
func (f *userFields) addLogins(logins []login) {
	for _, l := range logins {
		if _, err := f.find(l.credential); err == nil || l.credential == "" || len(l.identifiers) == 0 {
			panic(fmt.Sprintf("gormstore: Users: WithLogin(%q) needs a name of its own and identifiers", l.credential))
		}
		for _, name := range l.identifiers {
			if _, err := f.find(name); err != nil {
				panic(fmt.Sprintf("gormstore: Users: WithLogin(%q) names %q, which is no identifier", l.credential, name))
			}
		}
	}
	f.logins = logins
}

// meant returns the identifiers that a value of a credential can be of.
func (f *userFields) meant(credential, value string) ([]identifier, error) {
	for _, l := range f.logins {
		if l.credential != credential {
			continue
		}
		var ids []identifier
		address := strings.Contains(value, "@") && slices.Contains(l.identifiers, "email")
		for _, name := range l.identifiers {
			if id, _ := f.find(name); (name == "email") == address {
				ids = append(ids, id)
			}
		}
		return ids, nil
	}
	id, err := f.find(credential)
	return []identifier{id}, err
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

// textOrNull returns the field with a name, or panics if it is not a string or a *string.
func (t table) textOrNull(field string) *schema.Field {
	if f := t.named(field); f.FieldType == reflect.TypeFor[*string]() {
		return f
	}
	return t.text(field)
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
func (id identifier) canonical(value string) (string, error) {
	form, err := "", error(nil)
	switch {
	case id.form == nil:
		form, err = canon.Identifier(value)
	case len(value) > canon.MaxInput || !utf8.ValidString(value):
		err = canon.ErrMalformed
	default:
		form, err = id.form(value)
	}
	if err == nil && (form == "" || !storable(form, canon.MaxIdentifier)) {
		err = canon.ErrMalformed
	}
	if err != nil {
		return "", fmt.Errorf("gormstore: %w: %w", models.ErrBadIdentifier, err)
	}
	return form, nil
}

// NameForm is a canonical form of names with spaces: it is that of email addresses and user
// names, with single spaces between the words.
func NameForm(value string) (string, error) {
	if len(value) > canon.MaxInput {
		return "", canon.ErrTooLong
	}
	words := strings.Fields(value)
	for i, word := range words {
		form, err := canon.Identifier(word)
		if err != nil {
			return "", err
		}
		words[i] = form
	}
	return strings.Join(words, " "), nil
}

// PhoneForm is the canonical form of phone numbers with a country code, as in "+15550123456"
// (E.164): a plus and 7 to 15 digits. Spaces, hyphens, dots, slashes and parentheses are left
// out, and 00 before the country code is a plus. A number without a country code is none,
// because it is another one in another country.
func PhoneForm(value string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0-\u2010\u2011./()", r) {
			return -1
		}
		return r
	}, strings.TrimSpace(value))
	if after, found := strings.CutPrefix(digits, "00"); found {
		digits = "+" + after
	}
	number, found := strings.CutPrefix(digits, "+")
	if !found || len(number) < 7 || len(number) > 15 || number[0] == '0' || strings.Trim(number, "0123456789") != "" {
		return "", canon.ErrMalformed
	}
	return digits, nil
}
