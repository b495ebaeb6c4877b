package hashing

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// The maximum costs of Scrypt, for stored hashes and for configurations. The
// most expensive hash within them takes some seconds.
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
// of the OWASP Password Storage Cheat Sheet for scrypt. It takes 128 MiB for
// each hash. Its hashes have a salt of 16 bytes and a digest of 32 bytes, in
// the PHC string format, where ln is the binary logarithm of N:
//
//	$scrypt$ln=17,r=8,p=1$salt$digest
//
// The HMAC in scrypt pads short passwords with NUL bytes, so that "a" and
// "a\x00" have the same hash. Scrypt therefore does not hash a password that
// ends in a NUL byte. Verify takes the usual time for such a password and
// returns false.
//
// The recommended minimum follows OWASP ASVS 5.0, appendix C: R is at least 8,
// and N is at least 2^17 if P is 1, 2^16 if it is 2, and 2^15 if it is more.
//
// The maximum is 2^20 for N, 32 for R, 16 for P, 256 MiB for the memory of 128
// * N * R bytes, and 1 GiB for that memory times P. Stored hashes may have a
// salt of 8 to 64 bytes and a digest of 16 to 64 bytes.
type Scrypt struct {
	// N is the cost in time and memory. It is a power of two greater than 1.
	// Zero means 1 << 17.
	N int
	// R is the block size, in units of 128 bytes. Zero means 8.
	R int
	// P is the number of sequential repetitions of the work. Zero means 1.
	P int
}

func (s Scrypt) filled() Scrypt {
	s.N = cmp.Or(s.N, 1<<17)
	s.R = cmp.Or(s.R, 8)
	s.P = cmp.Or(s.P, 1)
	return s
}

// costs returns the costs as they are encoded. N must be a power of two.
func (s Scrypt) costs() [3]int64 {
	s = s.filled()
	return [3]int64{int64(bits.Len(uint(s.N)) - 1), int64(s.R), int64(s.P)}
}

// Validate returns an error that names the costs below the recommended minimum
// or above the maximum, or N if it is not a power of two.
func (s Scrypt) Validate(allowWeak bool) error {
	s = s.filled()
	if s.N < 2 || s.N&(s.N-1) != 0 {
		return fmt.Errorf("Scrypt.N = %d: not a power of two greater than 1", s.N)
	}
	err := checkScrypt(s.costs())
	if allowWeak {
		return err
	}
	recommended := int64(1 << 15)
	switch s.P {
	case 1:
		recommended = 1 << 17
	case 2:
		recommended = 1 << 16
	}
	return errors.Join(err,
		atLeast("Scrypt.N", int64(s.N), recommended, fmt.Sprintf("P = %d", s.P)),
		atLeast("Scrypt.R", int64(s.R), 8))
}

// checkScrypt returns an error that names the costs that scrypt does not
// support or that are above the maximum.
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

// CheckPassword refuses a password that ends in a NUL byte. scrypt cannot
// distinguish it from the password without that byte.
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
// digest of another length than new hashes have.
func (s Scrypt) NeedsRehash(encoded string) (bool, error) {
	h, err := decodeScrypt(encoded)
	if err != nil {
		return false, err
	}
	return h.differs(s.costs()), nil
}

// Hash returns the hash of a password, or the error of CheckPassword. It
// allocates 128 * N * R bytes.
func (s Scrypt) Hash(password string) (string, error) {
	if err := s.Validate(true); err != nil {
		return "", err
	}
	if err := s.CheckPassword(password); err != nil {
		return "", err
	}
	h := newPHC(s.costs())
	digest, err := scryptDigest(password, h)
	if err != nil {
		return "", err
	}
	h.digest = digest
	return scryptLayout.encode(h), nil
}

// Verify reports whether encoded is a hash of the password. For a password that
// CheckPassword refuses it takes the same time and returns false.
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

// scryptDigest computes the digest of a password with the costs, the salt and
// the digest length of h.
func scryptDigest(password string, h phc) ([]byte, error) {
	defer collect(128 * uint64(h.costs[1]) << h.costs[0])
	digest, err := scrypt.Key([]byte(password), h.salt,
		1<<h.costs[0], int(h.costs[1]), int(h.costs[2]), len(h.digest))
	if err != nil {
		return nil, fmt.Errorf("ginauth: scrypt: %w", err)
	}
	return digest, nil
}
