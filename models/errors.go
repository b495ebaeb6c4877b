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
