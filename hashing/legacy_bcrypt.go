package hashing

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

func checkBcryptHash(encoded string) error {
	_, err := decodeBcrypt(encoded)
	return err
}

// compareBcrypt reports whether a hash that was checked is one of a key of at most 72 bytes.
func compareBcrypt(key []byte, encoded string) (bool, error) {
	switch err := bcrypt.CompareHashAndPassword([]byte(encoded), key); {
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	case err != nil:
		return false, badHash("bcrypt refused the hash")
	}
	return true, nil
}

// verifyLongBcrypt reads the first 72 bytes of a password, as makers of bcrypt hashes do. A
// password with a NUL byte never matches: other passwords have the same hash.
func verifyLongBcrypt(password, encoded string) (bool, error) {
	ok, err := compareBcrypt([]byte(password[:min(maxBcryptPassword, len(password))]), encoded)
	return ok && !strings.Contains(password, "\x00"), err
}

// verifyBcryptSHA256 verifies a hash of Django's BCryptSHA256PasswordHasher.
func verifyBcryptSHA256(password, encoded string) (bool, error) {
	sum := sha256.Sum256([]byte(password))
	return compareBcrypt([]byte(hex.EncodeToString(sum[:])), encoded)
}

// verifyWordPress verifies a hash of wp_hash_password, which removes white space around the
// password.
func verifyWordPress(password, encoded string) (bool, error) {
	mac := hmac.New(sha512.New384, []byte("wp-sha384"))
	mac.Write([]byte(strings.Trim(password, " \t\n\r\x00\v")))
	return compareBcrypt([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), encoded)
}

func isBcrypt2x(encoded string) bool { return strings.HasPrefix(encoded, "$2x$") }

func checkBcrypt2x(encoded string) error { return checkBcryptHash("$2y$" + encoded[len("$2x$"):]) }

// verifyBcrypt2x verifies a hash of the implementation that took bytes over 127 for negative
// numbers: such a byte set all bits of those before it in the same word of the key. The key is
// made as that implementation read it, and bcrypt reads it as it is.
func verifyBcrypt2x(password, encoded string) (bool, error) {
	key := make([]byte, 0, maxBcryptPassword)
	text, at := password+"\x00", 0
	for len(key) < maxBcryptPassword {
		var word uint32
		for range 4 {
			word = word<<8 | uint32(int32(int8(text[at])))
			at = (at + 1) % len(text)
		}
		key = append(key, byte(word>>24), byte(word>>16), byte(word>>8), byte(word))
	}
	ok, err := compareBcrypt(key, "$2y$"+encoded[len("$2x$"):])
	return ok && !strings.Contains(password, "\x00"), err
}
