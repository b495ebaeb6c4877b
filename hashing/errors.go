package hashing

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxPassword is the length of the longest password, in bytes. ASVS 5.0, 6.2.9
// requires at least 64 characters, which take up to 256 bytes. There is a limit
// because hashing reads the whole password.
const MaxPassword = 4096

// The errors of this package. They are returned wrapped in errors that give the
// reason, so compare them with errors.Is. They never contain a password or a
// hash.
var (
	// ErrPassword says that a password can be neither hashed nor verified. It
	// depends only on the password, never on a user or a stored hash.
	ErrPassword = errors.New("ginauth: unacceptable password")
	// ErrPasswordEmpty says that the password is empty. It wraps ErrPassword.
	ErrPasswordEmpty = fmt.Errorf("%w: empty", ErrPassword)
	// ErrPasswordTooLong says that the password is longer than MaxPassword, or
	// longer than the driver supports. It wraps ErrPassword.
	ErrPasswordTooLong = fmt.Errorf("%w: too long", ErrPassword)
	// ErrPasswordNotUTF8 says that the password is not valid UTF-8. It wraps
	// ErrPassword.
	ErrPasswordNotUTF8 = fmt.Errorf("%w: not UTF-8", ErrPassword)

	// ErrBadHash says that a stored hash is empty, has an unknown format, is
	// malformed, or has costs above the maximum. Nothing was computed.
	ErrBadHash = errors.New("ginauth: unreadable password hash")

	// ErrBusy says that Config.Concurrency hashes are being computed and
	// Config.Queue callers are waiting. It is returned at once, or when a client
	// with fewer callers takes the place; see WithClient. A server should respond
	// with 503 and a Retry-After header.
	ErrBusy = errors.New("ginauth: too many passwords are being hashed")
)

// checkPassword returns an error if no driver may be called with the password.
func checkPassword(password string) error {
	switch {
	case password == "":
		return ErrPasswordEmpty
	case len(password) > MaxPassword:
		return fmt.Errorf("%w: more than %d bytes", ErrPasswordTooLong, MaxPassword)
	case !utf8.ValidString(password):
		return ErrPasswordNotUTF8
	}
	return nil
}

// badHash returns an error that wraps ErrBadHash. The reason must not quote the
// stored text, which may be a password in plain text.
func badHash(reason string) error { return fmt.Errorf("%w: %s", ErrBadHash, reason) }

// within returns an error if value is not in [low, high]. The name of the field
// includes its unit, if any, as in "Argon2id.Memory (KiB)".
func within(field string, value, low, high int64) error {
	switch {
	case value < low:
		return fmt.Errorf("%s = %d: the minimum is %d", field, value, low)
	case value > high:
		return fmt.Errorf("%s = %d: the maximum is %d", field, value, high)
	}
	return nil
}

// atLeast returns an error if a cost is below its recommended minimum. Given
// lists the other costs that the minimum depends on, as in "Time = 2".
func atLeast(field string, value, recommended int64, given ...string) error {
	if value >= recommended {
		return nil
	}
	where := ""
	if len(given) > 0 {
		where = " at " + strings.Join(given, ", ")
	}
	return fmt.Errorf("%s = %d: the recommended minimum%s is %d", field, value, where, recommended)
}
