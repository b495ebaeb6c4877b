package hashing

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxPassword is the length of the longest password, in bytes. ASVS 6.2.9 asks
// for 64 characters at least, which is up to 256 bytes; a bound there must be,
// since hashing reads all of it.
const MaxPassword = 4096

// The errors of this package. Compare them with errors.Is; they are returned
// wrapped together with what is wrong, and never with the password or the hash
// that is.
var (
	// ErrPassword says that a password can be neither hashed nor verified. It
	// depends on the password alone, never on a user or on a stored hash.
	ErrPassword = errors.New("ginauth: unacceptable password")
	// ErrPasswordEmpty is the ErrPassword of a password of no bytes.
	ErrPasswordEmpty = fmt.Errorf("%w: empty", ErrPassword)
	// ErrPasswordTooLong is the ErrPassword of a password longer than
	// MaxPassword, or than what the driver that hashes can take.
	ErrPasswordTooLong = fmt.Errorf("%w: too long", ErrPassword)
	// ErrPasswordNotUTF8 is the ErrPassword of a password that is not valid
	// UTF-8.
	ErrPasswordNotUTF8 = fmt.Errorf("%w: not UTF-8", ErrPassword)

	// ErrBadHash says that a stored hash is empty, of no known format,
	// malformed, or asks for more work than is ever done. No work was done.
	ErrBadHash = errors.New("ginauth: unreadable password hash")

	// ErrBusy says that as many passwords are being hashed, and as many callers
	// are waiting, as the configuration allows. It is returned at once; a
	// server answers 503 with a Retry-After.
	ErrBusy = errors.New("ginauth: too many passwords are being hashed")
)

// checkPassword returns why no driver should see the password.
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

// badHash returns an ErrBadHash. The reason must not quote what was read: it
// may be a password that somebody stored in plain text.
func badHash(reason string) error { return fmt.Errorf("%w: %s", ErrBadHash, reason) }

// within returns what is wrong with a cost that is not in [low, high]. The
// field's unit, if any, is part of its name: "Argon2id.Memory (KiB)".
func within(field string, value, low, high int64) error {
	switch {
	case value < low:
		return fmt.Errorf("%s = %d: the minimum is %d", field, value, low)
	case value > high:
		return fmt.Errorf("%s = %d: the ceiling is %d", field, value, high)
	}
	return nil
}

// atLeast returns what is wrong with a cost below a recommended floor. The
// other costs that the floor depends on are given as "Time = 2".
func atLeast(field string, value, floor int64, given ...string) error {
	if value >= floor {
		return nil
	}
	where := ""
	if len(given) > 0 {
		where = " at " + strings.Join(given, ", ")
	}
	return fmt.Errorf("%s = %d: the floor%s is %d", field, value, where, floor)
}
