package models

import (
	"context"
	"reflect"
	"strings"
	"time"
)

// Authenticatable is a user that can log in. A user may be read by several
// goroutines at once, so implementations must not modify the user in these
// methods.
type Authenticatable interface {
	// AuthID returns the user's identifier in its canonical text form, such as
	// "42". It is never empty for a stored user.
	AuthID() string
	// AuthPassword returns the stored password hash. It returns "" if the user
	// has no password. Such a user cannot log in with a password.
	AuthPassword() string
}

// EmailVerifiable is the optional capability of a user whose email address can
// be verified. EnsureEmailVerified refuses users without this capability.
type EmailVerifiable interface {
	// AuthEmail returns the current email address.
	AuthEmail() string
	// AuthEmailVerified reports whether the current email address is verified.
	AuthEmailVerified() bool
}

// Disableable is the optional capability of a user that can be disabled. Every
// guard refuses a disabled user from the next request on.
type Disableable interface {
	// AuthDisabled reports whether the user is disabled.
	AuthDisabled() bool
}

// Stamped is the optional capability of a user that has a security stamp. The
// stamp is a random string. It changes when everything issued to the user must
// end, for example when the password changes. The sessions and tokens of users
// without a stamp are bound to the password hash instead. The password of such
// users is not rehashed at login.
type Stamped interface {
	// AuthStamp returns the security stamp. It is never empty. Providers store
	// stamps of up to 64 bytes. A new stamp keeps the Birth of the former one, so
	// that personal access tokens can tell a user from a later one with the same
	// identifier.
	AuthStamp() string
}

// Birth returns the part of a user's security stamp that stays the same while the user exists: what
// stands before the first dot, at most 16 bytes. It tells a user from a later one with the same
// identifier. It is "" if the user's type has no stamp, and must reach no client: store a digest.
func Birth(u Authenticatable) string {
	s, ok := u.(Stamped)
	if !ok {
		return ""
	}
	birth, _, _ := strings.Cut(s.AuthStamp(), ".")
	return birth[:min(len(birth), maxBirth)]
}

// maxBirth is how many bytes of a stamp without a dot stay: a provider of the application's own may
// have made it.
const maxBirth = 16

// Registrable is the optional capability of a user type that Manager.Register
// can create. Only the values of AuthRegister come from the client.
type Registrable interface {
	// AuthRegister sets the name, the email address as the user wrote it, and
	// the password hash of a new user. The provider sets all other fields.
	AuthRegister(name, email, passwordHash string)
}

// Named is the optional capability of a user that has a name. Mails address the
// user by it.
type Named interface {
	// AuthName returns the name, or "" if there is none.
	AuthName() string
}

// UserProvider loads users. Implementations are safe for concurrent use.
//
// If a user does not exist, the methods return a nil user and a nil error. An
// error means that the look-up failed. The response is then 503, and the client
// does not become anonymous.
type UserProvider interface {
	// UserByID returns the user with the given identifier, in the form that
	// AuthID returns, or nil if there is none. The id may come from a client.
	// If it cannot be parsed as the provider's key type, UserByID returns a nil
	// user and no error.
	UserByID(ctx context.Context, id string) (Authenticatable, error)
	// UserByIdentifier returns the user whose field has the given value, or nil
	// if there is none. The value is in the form that CanonicalIdentifier
	// returns.
	UserByIdentifier(ctx context.Context, field, canonical string) (Authenticatable, error)
	// CanonicalIdentifier returns the canonical form of an identifier. All
	// spellings of one identifier have the same canonical form. Users are
	// looked up by it, and login attempts are counted by it. The error wraps
	// ErrUnknownField or ErrBadIdentifier if no user can have this identifier.
	CanonicalIdentifier(field, value string) (string, error)
}

// PasswordUpdater is the optional capability of a provider that can replace the
// hash of an unchanged password. Hashes are replaced when their algorithm or
// costs are outdated.
type PasswordUpdater interface {
	// RehashPassword replaces the user's password hash if the stored hash still
	// is oldHash, and reports whether it did. It uses one conditional
	// statement. The security stamp does not change.
	RehashPassword(ctx context.Context, id, oldHash, newHash string) (bool, error)
}

// PasswordChanger is the optional capability of a provider that can store a new
// password.
type PasswordChanger interface {
	// ChangePassword stores the hash of a new password and a new security
	// stamp, if the stored stamp still is oldStamp. It uses one conditional
	// statement: of several concurrent changes with the same oldStamp, only one
	// is stored. For user types without a stamp, oldStamp is the password hash.
	//
	// It returns the stored user, or nil if no user has this id and stamp.
	// Everything bound to the old stamp ends.
	ChangePassword(ctx context.Context, id, oldStamp, newHash, newStamp string) (Authenticatable, error)
}

// StampChanger is the optional capability of a provider that can replace a
// user's security stamp. A new stamp ends everything that was issued to the
// user.
type StampChanger interface {
	// ChangeStamp stores a new security stamp if the stored stamp still is
	// oldStamp. It uses one conditional statement. It returns the stored user,
	// or nil if no user has this id and stamp.
	ChangeStamp(ctx context.Context, id, oldStamp, newStamp string) (Authenticatable, error)
}

// EmailVerifier is the optional capability of a provider that can record that a
// user's email address is verified.
type EmailVerifier interface {
	// VerifyEmail records that the user's email address was verified at the
	// given time, and reports whether it did. It changes nothing if the stored
	// address differs from email or is already verified. It uses one
	// conditional statement.
	VerifyEmail(ctx context.Context, id, email string, at time.Time) (bool, error)
}

// EmailChanger is the optional capability of a provider that can store a new
// email address.
type EmailChanger interface {
	// ChangeEmail stores a new email address, verified at the given time, and a
	// new security stamp, if the stored stamp still is oldStamp. It uses one
	// conditional statement. It returns the stored user, or nil if no user has
	// this id and stamp. The error wraps ErrTaken if another user has the
	// address.
	ChangeEmail(ctx context.Context, id, oldStamp, email, newStamp string, at time.Time) (Authenticatable, error)
}

// ManyIdentifiers is the optional capability of a provider that looks users up
// by more than one field, such as email address and user name. Login attempts
// are then also counted by user. Otherwise an attacker would get a separate
// number of attempts for each field.
type ManyIdentifiers interface {
	// ManyIdentifiers reports whether the provider looks users up by more than
	// one field.
	ManyIdentifiers() bool
}

// LoginFields is the optional capability of a provider that names the fields by which it
// looks users up. Without it the field is "email". The endpoints of package routes take a
// login by each of the fields, and the pages ask for the first.
type LoginFields interface {
	// LoginFields returns the fields, at least one, in the order of preference.
	LoginFields() []string
}

// Supporter is the optional capability of a provider whose methods do not all work with every user
// type. A provider without it supports what it has methods for.
type Supporter interface {
	// SupportsEmail reports whether EmailVerifier and EmailChanger work: users have an email address
	// and a field that says when it was verified.
	SupportsEmail() bool
	// SupportsStamp reports whether StampChanger works: users have a security stamp.
	SupportsStamp() bool
}

// IdentifierSetter is the optional capability of a provider that sets further identifiers of a new
// user, such as a user name. A registration sets those that it has a field of the same name for.
// Users who are not looked up by "email" need it to be registered.
type IdentifierSetter interface {
	// Identifiers returns the fields by which users are looked up and that each user needs, and then
	// those that a user may have.
	Identifiers() []string
	// NeedsIdentifier reports whether every user needs an identifier.
	NeedsIdentifier(field string) bool
	// SetIdentifier sets an identifier of a user that is not stored yet. The value has a canonical
	// form, which CreateUser stores.
	SetIdentifier(u Authenticatable, field, value string) error
}

// UserChecker is the optional capability of a provider that finds users who cannot log in, and
// the reason for it in its table. Manager.Preflight reports what it finds.
type UserChecker interface {
	// CheckUsers returns one sentence for each problem, without the data of users.
	CheckUsers(ctx context.Context, hash HashCheck) (problems []string, err error)
}

// HashCheck is what a UserChecker knows of password hashes.
type HashCheck struct {
	// Longest is the length of a new hash in bytes.
	Longest int
	// Readable reports whether passwords can be compared with a stored hash.
	Readable func(hash string) bool
}

// Registrar is the optional capability of a provider that can create users.
type Registrar interface {
	// CreateUser stores a new user. The error wraps ErrTaken if another user
	// has the identifier or another value that is unique, and ErrBadIdentifier if
	// an identifier is missing or malformed. A *FieldError names the field.
	// Manager.Register returns an *InputError of a hook as it is.
	CreateUser(ctx context.Context, u Authenticatable) error
}

// AddresslessRegistrar is the optional capability of a provider that can create
// users without an email address, who log in by other means.
type AddresslessRegistrar interface {
	// CreateAddresslessUser stores a new user who has no email address. Nobody is
	// found by the address "", and any number of users have none. The errors are
	// those of Registrar.CreateUser. The error wraps errors.ErrUnsupported if
	// users of this type need an address.
	CreateAddresslessUser(ctx context.Context, u Authenticatable) error
}

// Prototype is the optional capability of a provider that can make an empty
// user. Manager.Preflight uses it to find rules that no user can match.
// Manager.Register uses it to create users.
type Prototype interface {
	// PrototypeUser returns a new, empty user of the type that the provider
	// loads.
	PrototypeUser() Authenticatable
}

// IsNil reports whether u is nil or holds a nil pointer, map, func, slice or
// channel.
func IsNil(u Authenticatable) bool { return isNil(u) }

// IsNilProvider reports whether p is nil or holds a nil pointer, map, func,
// slice or channel.
func IsNilProvider(p UserProvider) bool { return isNil(p) }

func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan:
		return r.IsNil()
	}
	return false
}
