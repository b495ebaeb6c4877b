package models

import (
	"context"
	"reflect"
	"time"
)

// Authenticatable is a user that can be logged in. Implementations are read
// from several goroutines at once and must not change what they return.
type Authenticatable interface {
	// AuthID returns the user's identifier in its canonical text form, such as
	// "42". It is never empty for a user that exists.
	AuthID() string
	// AuthPassword returns the stored password hash, or "" for a user that has
	// no password and therefore cannot log in with one.
	AuthPassword() string
}

// EmailVerifiable is the capability of a user whose email address can be
// verified. EnsureEmailVerified refuses users without it.
type EmailVerifiable interface {
	// AuthEmail returns the current address.
	AuthEmail() string
	// AuthEmailVerified reports whether the current address was verified.
	AuthEmailVerified() bool
}

// Disableable is the capability of a user that can be disabled. A disabled
// user is refused by every guard at the next request.
type Disableable interface {
	// AuthDisabled reports whether the user is disabled.
	AuthDisabled() bool
}

// Stamped is the capability of a user that carries a security stamp: a random
// string that changes whenever everything issued to the user must end, as at a
// change of password. Users without it are bound to their password hash
// instead, and are then not rehashed at login.
type Stamped interface {
	// AuthStamp returns the stamp. It is never empty.
	AuthStamp() string
}

// Registrable is the capability of a user type that the manager can register:
// it takes what a registration says, and nothing else a client may send.
type Registrable interface {
	// AuthRegister sets the name, the email address as written, and the hash of
	// the password of a new user. The provider sets everything else.
	AuthRegister(name, email, passwordHash string)
}

// Named is the capability of a user that mails can address by name.
type Named interface {
	// AuthName returns the name, or "".
	AuthName() string
}

// UserProvider loads users. Implementations are safe for concurrent use.
//
// A user that does not exist is a nil user and a nil error. An error means that
// the question could not be answered, and becomes 503: it never means "nobody".
type UserProvider interface {
	// UserByID returns the user with the identifier that AuthID returned
	// earlier, or nil. The text comes from outside: an implementation parses
	// it to the type of its key first, and text that is not one is nobody.
	UserByID(ctx context.Context, id string) (Authenticatable, error)
	// UserByIdentifier returns the user whose field has the value that
	// CanonicalIdentifier returned, or nil.
	UserByIdentifier(ctx context.Context, field, canonical string) (Authenticatable, error)
	// CanonicalIdentifier returns the one form that all spellings of an
	// identifier share, which is both looked up and counted by the throttle.
	// An error, wrapping ErrUnknownField or ErrBadIdentifier, says that no
	// user can be named so.
	CanonicalIdentifier(field, value string) (string, error)
}

// PasswordUpdater is the capability of a provider that can store a new hash of
// an unchanged password.
type PasswordUpdater interface {
	// RehashPassword replaces the user's hash if the stored one is still
	// oldHash, by one conditional statement, and reports whether it did. The
	// security stamp does not change.
	RehashPassword(ctx context.Context, id, oldHash, newHash string) (bool, error)
}

// PasswordChanger is the capability of a provider that can store a new
// password.
type PasswordChanger interface {
	// ChangePassword stores the hash of a new password and a new security
	// stamp, if the stamp still is oldStamp, by one conditional statement. It
	// returns the user as stored, or nil if there is none with that stamp: of
	// any number of changes of a user as it was at one time, one is stored.
	// Everything bound to the old stamp ends with it. Of a user type without a
	// stamp, oldStamp is the password hash.
	ChangePassword(ctx context.Context, id, oldStamp, newHash, newStamp string) (Authenticatable, error)
}

// StampChanger is the capability of a provider that can end everything that was
// issued to a user.
type StampChanger interface {
	// ChangeStamp stores a new security stamp, if the stamp still is oldStamp, by
	// one conditional statement. It returns the user as stored, or nil if there
	// is none with that stamp.
	ChangeStamp(ctx context.Context, id, oldStamp, newStamp string) (Authenticatable, error)
}

// EmailVerifier is the capability of a provider that can record that an address
// was verified.
type EmailVerifier interface {
	// VerifyEmail records that the user's address was verified at a time, if the
	// address still is the one given and was not verified before, by one
	// conditional statement, and reports whether it did.
	VerifyEmail(ctx context.Context, id, email string, at time.Time) (bool, error)
}

// EmailChanger is the capability of a provider that can store another address.
type EmailChanger interface {
	// ChangeEmail stores a new address, verified at a time, and a new security
	// stamp, if the stamp still is oldStamp, by one conditional statement. It
	// returns the user as stored, or nil if there is none with that stamp. The
	// error wraps ErrTaken if the address belongs to somebody else.
	ChangeEmail(ctx context.Context, id, oldStamp, email, newStamp string, at time.Time) (Authenticatable, error)
}

// ManyIdentifiers is the capability of a provider whose users can be named by
// more than one field, as by an address and by a name. Tries are then counted
// under the user as well, so that each name is not a fresh set of tries.
type ManyIdentifiers interface {
	// ManyIdentifiers reports whether there is more than one field.
	ManyIdentifiers() bool
}

// Registrar is the capability of a provider that can create users.
type Registrar interface {
	// CreateUser stores a new user. It returns an error wrapping ErrTaken if
	// the identifier belongs to somebody.
	CreateUser(ctx context.Context, u Authenticatable) error
}

// Prototype is the capability of a provider that knows the type of its users.
// Manager.Preflight uses it to find rules that no user can match, and
// Manager.Register to make users.
type Prototype interface {
	// PrototypeUser returns a new, empty user of the type that the provider
	// returns.
	PrototypeUser() Authenticatable
}

// IsNil reports whether u is nil or a nil pointer in an interface.
func IsNil(u Authenticatable) bool { return isNil(u) }

// IsNilProvider reports whether p is nil or a nil pointer in an interface.
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
