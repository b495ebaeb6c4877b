package hashing

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The maximum costs of Argon2id, for stored hashes and for configurations. The
// most expensive hash within them takes some seconds.
const (
	maxArgon2idMemory  = 256 * 1024 // KiB
	maxArgon2idTime    = 64
	maxArgon2idThreads = 64
	// maxArgon2idWork is the maximum of Memory times Time, in KiB.
	maxArgon2idWork = 2 * 1024 * 1024
)

var argon2idLayout = layout{prefix: "$argon2id$v=19$", names: [3]string{"m", "t", "p"}}

var _ Driver = Argon2id{}

// Argon2id is the driver of Argon2id (RFC 9106), version 19. The zero value is
// the first choice of the OWASP Password Storage Cheat Sheet. Its hashes have a
// salt of 16 bytes and a digest of 32 bytes, in the PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$digest
//
// The recommended minimum follows OWASP ASVS 5.0, appendix C: Memory is at
// least 46 MiB if Time is 1, 19 MiB if it is 2, and 12 MiB if it is more.
//
// The maximum is 256 MiB for Memory, 64 for Time, 64 for Threads, and 2 GiB for
// Memory times Time. Stored hashes may have a salt of 8 to 64 bytes and a
// digest of 16 to 64 bytes.
type Argon2id struct {
	// Memory is the memory that one hash takes, in KiB. It is at least 8 KiB
	// for each thread. Zero means 19 * 1024, which is 19 MiB.
	Memory uint32
	// Time is the number of passes over the memory. Zero means 2.
	Time uint32
	// Threads is the number of lanes that can be computed in parallel. Zero
	// means 1, which suits a server that hashes for many users at the same
	// time.
	Threads uint8
}

func (a Argon2id) filled() Argon2id {
	a.Memory = cmp.Or(a.Memory, 19*1024)
	a.Time = cmp.Or(a.Time, 2)
	a.Threads = cmp.Or(a.Threads, 1)
	return a
}

func (a Argon2id) costs() [3]int64 {
	a = a.filled()
	return [3]int64{int64(a.Memory), int64(a.Time), int64(a.Threads)}
}

// Validate returns an error that names the costs below the recommended minimum
// or above the maximum.
func (a Argon2id) Validate(allowWeak bool) error {
	costs := a.costs()
	err := checkArgon2id(costs)
	if allowWeak {
		return err
	}
	recommended, given := int64(12*1024), fmt.Sprintf("Time = %d", costs[1])
	switch costs[1] {
	case 1:
		recommended = 46 * 1024 // KiB
	case 2:
		recommended = 19 * 1024 // KiB
	}
	return errors.Join(err, atLeast("Argon2id.Memory (KiB)", costs[0], recommended, given))
}

// checkArgon2id returns an error that names the costs that Argon2id does not
// support or that are above the maximum.
func checkArgon2id(costs [3]int64) error {
	memory, time, threads := costs[0], costs[1], costs[2]
	err := errors.Join(
		// RFC 9106, section 3.1: at least eight blocks of 1 KiB for each lane.
		within("Argon2id.Memory (KiB)", memory, 8*threads, maxArgon2idMemory),
		within("Argon2id.Time", time, 1, maxArgon2idTime),
		within("Argon2id.Threads", threads, 1, maxArgon2idThreads),
	)
	if err != nil {
		return err // the product below could overflow
	}
	return within("Argon2id.Memory (KiB) * Time", memory*time, 0, maxArgon2idWork)
}

// Recognizes reports whether the hash begins with $argon2id$.
func (a Argon2id) Recognizes(encoded string) bool {
	return strings.HasPrefix(encoded, "$argon2id$")
}

// NeedsRehash reports whether the hash has other costs than a, or a salt or
// digest of another length than new hashes have.
func (a Argon2id) NeedsRehash(encoded string) (bool, error) {
	h, err := decodeArgon2id(encoded)
	if err != nil {
		return false, err
	}
	return h.differs(a.costs()), nil
}

// Hash returns the hash of a password. It allocates Memory KiB.
func (a Argon2id) Hash(password string) (string, error) {
	if err := a.Validate(true); err != nil {
		return "", err
	}
	h := newPHC(a.costs())
	h.digest = argon2idDigest(password, h)
	return argon2idLayout.encode(h), nil
}

// Verify reports whether encoded is a hash of the password.
func (a Argon2id) Verify(password, encoded string) (bool, error) {
	h, err := decodeArgon2id(encoded)
	if err != nil {
		return false, err
	}
	return h.matches(argon2idDigest(password, h)), nil
}

func decodeArgon2id(encoded string) (phc, error) {
	h, err := argon2idLayout.decode(encoded)
	if err != nil {
		return phc{}, err
	}
	if err := checkArgon2id(h.costs); err != nil {
		return phc{}, fmt.Errorf("%w: %w", ErrBadHash, err)
	}
	return h, nil
}

// argon2idDigest computes the digest of a password with the costs, the salt and
// the digest length of h. The costs must be checked, because package argon2
// panics on others.
func argon2idDigest(password string, h phc) []byte {
	defer collect(uint64(h.costs[0]) << 10)
	return argon2.IDKey([]byte(password), h.salt,
		uint32(h.costs[1]), uint32(h.costs[0]), uint8(h.costs[2]), uint32(len(h.digest)))
}
