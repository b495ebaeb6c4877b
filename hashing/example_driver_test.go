package hashing_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log"
	"strconv"
	"strings"

	"github.com/ginauth/ginauth/hashing"
)

// Django reads the hashes of an application written with Django:
// pbkdf2_sha256$iterations$salt$digest.
type Django struct{ Iterations int }

const djangoPrefix = "pbkdf2_sha256$"

func (d Django) Validate(allowWeak bool) error {
	if d.Iterations < 600_000 && !allowWeak || d.Iterations < 1 || d.Iterations > 2_000_000 {
		return fmt.Errorf("Django.Iterations = %d: want 600000 to 2000000", d.Iterations)
	}
	return nil
}

func (d Django) Recognizes(encoded string) bool { return strings.HasPrefix(encoded, djangoPrefix) }

func (d Django) NeedsRehash(encoded string) (bool, error) {
	iterations, _, _, err := d.decode(encoded)
	return iterations != d.Iterations, err
}

// CheckPassword refuses a NUL byte at the end, because HMAC pads short
// passwords with NUL bytes.
func (d Django) CheckPassword(password string) error {
	if strings.HasSuffix(password, "\x00") {
		return fmt.Errorf("%w: NUL byte at the end", hashing.ErrPassword)
	}
	return nil
}

func (d Django) Hash(password string) (string, error) {
	if err := d.CheckPassword(password); err != nil {
		return "", err
	}
	salt := rand.Text()
	digest, err := pbkdf2.Key(sha256.New, password, []byte(salt), d.Iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%d$%s$%s", djangoPrefix, d.Iterations, salt, base64.StdEncoding.EncodeToString(digest)), nil
}

func (d Django) Verify(password, encoded string) (bool, error) {
	iterations, salt, want, err := d.decode(encoded)
	if err != nil {
		return false, err
	}
	got, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, sha256.Size)
	return subtle.ConstantTimeCompare(got, want) == 1 && d.CheckPassword(password) == nil, err
}

// decode limits the iterations of a stored hash, because the hash may be
// hostile.
func (d Django) decode(encoded string) (iterations int, salt string, digest []byte, err error) {
	fields := strings.Split(strings.TrimPrefix(encoded, djangoPrefix), "$")
	if len(fields) != 3 {
		return 0, "", nil, fmt.Errorf("%w: want three fields", hashing.ErrBadHash)
	}
	iterations, err = strconv.Atoi(fields[0])
	if err != nil || iterations < 1 || iterations > 2_000_000 {
		return 0, "", nil, fmt.Errorf("%w: iterations are not from 1 to 2000000", hashing.ErrBadHash)
	}
	digest, err = base64.StdEncoding.Strict().DecodeString(fields[2])
	if err != nil || len(digest) != sha256.Size {
		return 0, "", nil, fmt.Errorf("%w: digest is not base64 of 32 bytes", hashing.ErrBadHash)
	}
	return iterations, fields[1], digest, nil
}

// An application implements a driver to read the hashes of an older
// application.
func ExampleDriver() {
	ctx := context.Background()
	passwords, err := hashing.New(hashing.Config{Also: []hashing.Driver{Django{Iterations: 600_000}}})
	if err != nil {
		log.Fatal(err)
	}
	stored := "pbkdf2_sha256$1$seasalt$mJQ8D8xVBAKQGCo0t0n+NSPS2a0gQhVtjuC9LdL9WiM="
	ok, err := passwords.Verify(ctx, "lètmein", stored)
	fmt.Println(ok, err, passwords.NeedsRehash(stored))
	// Output: true <nil> true
}
