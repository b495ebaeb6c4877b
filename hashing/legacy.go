package hashing

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Legacy returns drivers that verify hashes of other frameworks and languages, for
// Config.Also, so that their users can move in. They make no hashes: after a login
// with the right password, the hash is replaced by one of Config.Driver.
//
//   - Django: pbkdf2_sha256$, pbkdf2_sha1$, bcrypt$, bcrypt_sha256$ and argon2$.
//   - phpass, of WordPress before 6.8, Drupal 6 and phpBB: $P$ and $H$.
//   - WordPress from 6.8: $wp$2y$.
//   - PHP: $argon2i$.
//   - bcrypt with passwords of more than 72 bytes, of which its makers read the first 72,
//     and $2x$, the hashes of crypt_blowfish before 1.1. Without these drivers such
//     passwords never match. Bcrypt as Config.Driver comes first and does not match
//     them either.
//
// Some of these hashes cost an attacker little: PBKDF2 with SHA-1 and MD5 are no longer
// recommended. Costs that take longer than about a second are refused.
func Legacy() []Driver {
	return []Driver{
		verifier{"pbkdf2_sha256$ or pbkdf2_sha1$", isDjangoPBKDF2, checkDjangoPBKDF2, verifyDjangoPBKDF2},
		wrapped("argon2$", Argon2id{}.Recognizes, checkArgon2idHash, Argon2id{}.Verify),
		wrapped("bcrypt$", Bcrypt{}.Recognizes, checkBcryptHash, verifyLongBcrypt),
		wrapped("bcrypt_sha256$", Bcrypt{}.Recognizes, checkBcryptHash, verifyBcryptSHA256),
		wrapped("$wp", Bcrypt{}.Recognizes, checkBcryptHash, verifyWordPress),
		verifier{"$P$ or $H$", isPHPass, checkPHPass, verifyPHPass},
		verifier{"$argon2i$", isArgon2i, checkArgon2i, verifyArgon2i},
		verifier{"$2x$", isBcrypt2x, checkBcrypt2x, verifyBcrypt2x},
		verifier{"bcrypt", Bcrypt{}.Recognizes, checkBcryptHash, verifyLongBcrypt},
	}
}

// LegacyFormat returns the name of the format of a hash that one of the Legacy drivers
// verifies, and no other one does, as in "argon2$". It returns "" for all other
// hashes.
func LegacyFormat(encoded string) string {
	for _, driver := range Legacy() {
		if v := driver.(verifier); v.Recognizes(encoded) && v.name != "bcrypt" {
			return v.name
		}
	}
	return ""
}

// verifier is a Driver that makes no hashes.
type verifier struct {
	name       string
	recognizes func(encoded string) bool
	check      func(encoded string) error
	verify     func(password, encoded string) (bool, error)
}

// wrapped returns the driver of hashes that a program wrote behind a prefix of its own.
func wrapped(
	prefix string, recognizes func(string) bool, check func(string) error, verify func(password, encoded string) (bool, error),
) verifier {
	return verifier{
		name: prefix,
		recognizes: func(encoded string) bool {
			return strings.HasPrefix(encoded, prefix) && recognizes(encoded[len(prefix):])
		},
		check:  func(encoded string) error { return check(encoded[len(prefix):]) },
		verify: func(password, encoded string) (bool, error) { return verify(password, encoded[len(prefix):]) },
	}
}

// Validate returns nil: there are no costs to configure.
func (verifier) Validate(bool) error { return nil }

// Recognizes reports whether the hash has the driver's prefix.
func (v verifier) Recognizes(encoded string) bool { return v.recognizes(encoded) }

// NeedsRehash reports true for every hash that can be verified.
func (v verifier) NeedsRehash(encoded string) (bool, error) { return true, v.check(encoded) }

// Hash returns an error.
func (v verifier) Hash(string) (string, error) {
	return "", fmt.Errorf("ginauth: %s hashes are only verified: %w", v.name, errors.ErrUnsupported)
}

// Verify reports whether encoded is a hash of the password.
func (v verifier) Verify(password, encoded string) (bool, error) {
	if err := v.check(encoded); err != nil {
		return false, err
	}
	return v.verify(password, encoded)
}

func checkArgon2idHash(encoded string) error {
	_, err := decodeArgon2id(encoded)
	return err
}

var argon2iLayout = layout{prefix: "$argon2i$v=19$", names: argon2idLayout.names}

func isArgon2i(encoded string) bool { return strings.HasPrefix(encoded, "$argon2i$") }

func checkArgon2i(encoded string) error {
	_, err := decodeArgon2i(encoded)
	return err
}

func decodeArgon2i(encoded string) (phc, error) {
	h, err := argon2iLayout.decode(encoded)
	if err != nil {
		return phc{}, err
	}
	if err := checkArgon2id(h.costs); err != nil {
		return phc{}, fmt.Errorf("%w: %w", ErrBadHash, err)
	}
	return h, nil
}

func verifyArgon2i(password, encoded string) (bool, error) {
	h, err := decodeArgon2i(encoded)
	if err != nil {
		return false, err
	}
	defer collect(uint64(h.costs[0]) << 10)
	return h.matches(argon2.Key([]byte(password), h.salt,
		uint32(h.costs[1]), uint32(h.costs[0]), uint8(h.costs[2]), uint32(len(h.digest)))), nil
}
