package hashing

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// maxBcryptCost is the maximum cost, for stored hashes and for
	// configurations. A hash with cost 16 takes some seconds, one with cost 31
	// a day.
	maxBcryptCost = 16
	// maxBcryptPassword is the number of bytes of a password that bcrypt reads.
	maxBcryptPassword = 72
)

// bcryptBase64 is base64 with the alphabet of bcrypt.
var bcryptBase64 = base64.NewEncoding(
	"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
).WithPadding(base64.NoPadding)

var (
	_ Driver          = Bcrypt{}
	_ PasswordChecker = Bcrypt{}
)

// Bcrypt is the driver of bcrypt, for applications that share their hashes with
// other applications. It makes hashes that begin with $2a$, and reads $2a$,
// $2b$ and $2y$, which are equivalent here. It refuses $2x$, which marks hashes
// of an old implementation that confused different passwords.
//
// bcrypt ignores what follows 72 bytes, and repeats a password after a NUL
// byte, so that different passwords have the same hash. Bcrypt therefore does
// not hash passwords of more than 72 bytes or with a NUL byte. Verify takes the
// usual time for such a password and returns false.
//
// The recommended minimum of Cost is 10 (OWASP Password Storage Cheat Sheet).
// The maximum is 16.
type Bcrypt struct {
	// Cost is the binary logarithm of the number of rounds. It is at least 4.
	// Zero means 12.
	Cost int
}

func (b Bcrypt) cost() int { return cmp.Or(b.Cost, 12) }

// Validate returns an error if Cost is below the recommended minimum or above
// the maximum.
func (b Bcrypt) Validate(allowWeak bool) error {
	err := checkBcrypt(b.cost())
	if err != nil || allowWeak {
		return err
	}
	return atLeast("Bcrypt.Cost", int64(b.cost()), 10)
}

func checkBcrypt(cost int) error {
	return within("Bcrypt.Cost", int64(cost), int64(bcrypt.MinCost), maxBcryptCost)
}

// CheckPassword refuses a password of more than 72 bytes or with a NUL byte.
// bcrypt cannot distinguish it from other passwords.
func (b Bcrypt) CheckPassword(password string) error {
	switch {
	case len(password) > maxBcryptPassword:
		return fmt.Errorf("%w: bcrypt reads only %d bytes", ErrPasswordTooLong, maxBcryptPassword)
	case strings.Contains(password, "\x00"):
		return fmt.Errorf("%w: bcrypt cannot hash a NUL byte", ErrPassword)
	}
	return nil
}

// Recognizes reports whether the hash begins with $2 and one more character
// before the next dollar sign.
func (b Bcrypt) Recognizes(encoded string) bool {
	return len(encoded) > 3 && encoded[:2] == "$2" && encoded[3] == '$'
}

// NeedsRehash reports whether the hash has another cost than b.
func (b Bcrypt) NeedsRehash(encoded string) (bool, error) {
	cost, err := decodeBcrypt(encoded)
	if err != nil {
		return false, err
	}
	return cost != b.cost(), nil
}

// Hash returns the hash of a password, or the error of CheckPassword.
func (b Bcrypt) Hash(password string) (string, error) {
	if err := b.Validate(true); err != nil {
		return "", err
	}
	if err := b.CheckPassword(password); err != nil {
		return "", err
	}
	encoded, err := bcrypt.GenerateFromPassword([]byte(password), b.cost())
	if err != nil {
		return "", fmt.Errorf("ginauth: bcrypt: %w", err)
	}
	return string(encoded), nil
}

// Verify reports whether encoded is a hash of the password. For a password that
// CheckPassword refuses it takes the same time and returns false.
func (b Bcrypt) Verify(password, encoded string) (bool, error) {
	if _, err := decodeBcrypt(encoded); err != nil {
		return false, err
	}
	hashable := b.CheckPassword(password) == nil
	err := bcrypt.CompareHashAndPassword([]byte(encoded), []byte(password))
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, badHash("bcrypt refused the hash")
	}
	return hashable && err == nil, nil
}

// decodeBcrypt checks a hash of the form "$2b$12$", 22 characters of salt and
// 31 of digest, and returns its cost. Package bcrypt is less strict: it ignores
// any text after the hash.
func decodeBcrypt(encoded string) (cost int, err error) {
	const costAt, saltAt, digestAt, end = 4, 7, 29, 60
	if len(encoded) != end {
		return 0, badHash("a bcrypt hash has 60 bytes")
	}
	switch encoded[:costAt] {
	case "$2a$", "$2b$", "$2y$":
	default:
		return 0, badHash("bcrypt hash does not begin with $2a$, $2b$ or $2y$")
	}
	tens, ones := encoded[costAt]-'0', encoded[costAt+1]-'0' // bytes below '0' wrap
	if tens > 9 || ones > 9 || encoded[saltAt-1] != '$' {
		return 0, badHash("bcrypt cost is not a number of two digits")
	}
	cost = int(tens)*10 + int(ones)
	if err := checkBcrypt(cost); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrBadHash, err)
	}
	if _, err := decodeBase64(bcryptBase64, "salt", encoded[saltAt:digestAt], 16, 16); err != nil {
		return 0, err
	}
	if _, err := decodeBase64(bcryptBase64, "digest", encoded[digestAt:], 23, 23); err != nil {
		return 0, err
	}
	return cost, nil
}
