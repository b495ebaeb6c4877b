package models

import "errors"

// The errors of user providers. Providers return them wrapped, so compare them
// with errors.Is.
var (
	// ErrUnknownField says that the provider does not look users up by the
	// named credential field.
	ErrUnknownField = errors.New("ginauth: unknown credential field")
	// ErrBadIdentifier says that a value is empty, too long or not valid text,
	// so that it cannot identify a user.
	ErrBadIdentifier = errors.New("ginauth: malformed identifier")
	// ErrTaken says that another user already has the identifier.
	ErrTaken = errors.New("ginauth: identifier is taken")
)

// FieldError says which field of a user an ErrTaken or ErrBadIdentifier is about.
// Without it, the errors are about the email address.
type FieldError struct {
	// Field is the credential, such as "email", or the column of a field that is
	// no credential, such as "nickname". Clients see it.
	Field string
	// Err wraps ErrTaken or ErrBadIdentifier.
	Err error
}

// Error returns the field and the error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the error.
func (e *FieldError) Unwrap() error { return e.Err }
