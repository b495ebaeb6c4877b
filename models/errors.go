package models

import "errors"

// The errors of user providers. Compare them with errors.Is.
var (
	// ErrUnknownField says that a credential names a field that the provider
	// does not look users up by.
	ErrUnknownField = errors.New("ginauth: unknown credential field")
	// ErrBadIdentifier says that a value can name no user: it is empty, too
	// long or not valid text.
	ErrBadIdentifier = errors.New("ginauth: malformed identifier")
	// ErrTaken says that a new user's identifier belongs to another user.
	ErrTaken = errors.New("ginauth: identifier is taken")
)
