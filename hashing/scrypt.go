package hashing

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// Ceilings of Scrypt, for stored hashes and for configurations alike. The
// dearest hash they admit takes some seconds.
const (
	maxScryptLogN   = 20
	maxScryptR      = 32
	maxScryptP      = 16
	maxScryptMemory = 256 << 20 // bytes, of 128 * N * R
	maxScryptWork   = 1 << 30   // bytes, of 128 * N * R * P
)

var scryptLayout = layout{prefix: "$scrypt$", names: [3]string{"ln", "r", "p"}}

var (
	_ Driver          = Scrypt{}
	_ PasswordChecker = Scrypt{}
)

// Scrypt is the driver of scrypt (RFC 7914). The zero value is the first choice
// of the OWASP Password Storage Cheat Sheet and takes 128 MiB for each hash.
// Its hashes have 16 bytes of salt and a digest of 32 bytes, in the PHC string
// format, where ln is the binary logarithm of N:
//
//	$scrypt$ln=17,r=8,p=1$salt$digest
//
// scrypt begins with HMAC, which pads a short password with NUL bytes, so that
// "a" and "a\x00" would match. Scrypt does not hash a password that ends in a
// NUL byte, and verifying one is false after the usual work.
//
// Floors, after ASVS 5.0, appendix C: R is at least 8; N is at least 2^17 when P
// is 1, 2^16 when it is 2, and 2^15 when it is more.
//
// Ceilings: N 2^20, R 32, P 16, the memory of 128 * N * R bytes 256 MiB, and
// that memory times P 1 GiB. A stored hash has 8 to 64 bytes of salt and a
// digest of 16 to 64 bytes.
type Scrypt struct {
	// N is the cost in time and memory, a power of two above one. Zero means
	// 1 << 17.
	N int
	// R is the block size, in units of 128 bytes. Zero means 8.
	R int
	// P is how often the work is done, one after the other. Zero means 1.
	P int
}

func (s Scrypt) filled() Scrypt {
	s.N = cmp.Or(s.N, 1<<17)
	s.R = cmp.Or(s.R, 8)
	s.P = cmp.Or(s.P, 1)
	return s
}

// costs returns the costs as they are encoded, given an N that is a power of
// two.
func (s Scrypt) costs() [3]int64 {
	s = s.filled()
	return [3]int64{int64(bits.Len(uint(s.N)) - 1), int64(s.R), int64(s.P)}
}

// Validate returns the costs that are below a floor or above a ceiling, and an
// N that is not a power of two.
func (s Scrypt) Validate(allowWeak bool) error {
	s = s.filled()
	if s.N < 2 || s.N&(s.N-1) != 0 {
		return fmt.Errorf("Scrypt.N = %d: not a power of two above 1", s.N)
	}
	err := checkScrypt(s.costs())
	if allowWeak {
		return err
	}
	floor := int64(1 << 15)
	switch s.P {
	case 1:
		floor = 1 << 17
	case 2:
		floor = 1 << 16
	}
	return errors.Join(err,
		atLeast("Scrypt.N", int64(s.N), floor, fmt.Sprintf("P = %d", s.P)),
		atLeast("Scrypt.R", int64(s.R), 8))
}

// checkScrypt returns which costs are impossible or above the ceiling.
func checkScrypt(costs [3]int64) error {
	logN, r, p := costs[0], costs[1], costs[2]
	err := errors.Join(
		within("Scrypt.N (as a power of 2)", logN, 1, maxScryptLogN),
		within("Scrypt.R", r, 1, maxScryptR),
		within("Scrypt.P", p, 1, maxScryptP),
	)
	if err != nil {
		return err // the products below could overflow
	}
	memory := 128 * r << logN
	return errors.Join(
		within("Scrypt 128 * N * R (bytes)", memory, 0, maxScryptMemory),
		within("Scrypt 128 * N * R * P (bytes)", memory*p, 0, maxScryptWork),
	)
}

// CheckPassword refuses what scrypt cannot tell from other passwords: a NUL byte
// at the end.
func (s Scrypt) CheckPassword(password string) error {
	if strings.HasSuffix(password, "\x00") {
		return fmt.Errorf("%w: scrypt cannot hash a NUL byte at the end", ErrPassword)
	}
	return nil
}

// Recognizes reports whether the hash begins with $scrypt$.
func (s Scrypt) Recognizes(encoded string) bool {
	return strings.HasPrefix(encoded, scryptLayout.prefix)
}

// NeedsRehash reports whether the hash has other costs than s, or a salt or
// digest of another length than Hash makes.
func (s Scrypt) NeedsRehash(encoded string) (bool, error) {
	h, err := decodeScrypt(encoded)
	if err != nil {
		return false, err
	}
	return h.differs(s.costs()), nil
}

// Hash returns the hash of a password, or the error of CheckPassword. It takes
// 128 * N * R bytes while it runs.
func (s Scrypt) Hash(password string) (string, error) {
	if err := s.Validate(true); err != nil {
		return "", err
	}
	if err := s.CheckPassword(password); err != nil {
		return "", err
	}
	h := fresh(s.costs())
	digest, err := scryptDigest(password, h)
	if err != nil {
		return "", err
	}
	h.digest = digest
	return scryptLayout.encode(h), nil
}

// Verify reports whether the password is the hash's. It works as hard for a
// password that CheckPassword refuses, and reports false.
func (s Scrypt) Verify(password, encoded string) (bool, error) {
	h, err := decodeScrypt(encoded)
	if err != nil {
		return false, err
	}
	digest, err := scryptDigest(password, h)
	if err != nil {
		return false, err
	}
	return h.matches(digest) && s.CheckPassword(password) == nil, nil
}

func decodeScrypt(encoded string) (phc, error) {
	h, err := scryptLayout.decode(encoded)
	if err != nil {
		return phc{}, err
	}
	if err := checkScrypt(h.costs); err != nil {
		return phc{}, fmt.Errorf("%w: %w", ErrBadHash, err)
	}
	return h, nil
}

// scryptDigest computes a digest as long as h's with the costs and salt of h.
func scryptDigest(password string, h phc) ([]byte, error) {
	defer collect(128 * uint64(h.costs[1]) << h.costs[0])
	digest, err := scrypt.Key([]byte(password), h.salt,
		1<<h.costs[0], int(h.costs[1]), int(h.costs[2]), len(h.digest))
	if err != nil {
		return nil, fmt.Errorf("ginauth: scrypt: %w", err)
	}
	return digest, nil
}
