package hashing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
)

// Manager hashes and verifies passwords. It is safe for concurrent use and
// starts no goroutines. Create one with New: the zero value is not usable.
type Manager struct {
	drivers      []Driver // the first one makes new hashes
	limit        *limit
	dummy        string // hash of a random password
	computations atomic.Uint64
}

// New returns a Manager that hashes and checks passwords, or an error that joins
// all faults of the configuration. The zero Config is valid. New computes one
// hash, which VerifyDummy compares with, so it takes as long as one login.
func New(config Config) (*Manager, error) {
	config = config.filled()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("ginauth: hashing configuration:\n%w", err)
	}
	dummy, err := newDummy(config.Driver)
	if err != nil {
		return nil, fmt.Errorf("ginauth: hashing with %T: %w", config.Driver, err)
	}
	return &Manager{
		drivers: config.drivers(),
		limit:   newLimit(config.Concurrency, config.Queue),
		dummy:   dummy,
	}, nil
}

// Readable reports whether Verify can compare passwords with a hash: one of the drivers
// recognizes it, and it is not malformed.
func (m *Manager) Readable(encoded string) bool {
	_, _, err := m.read(encoded)
	return err == nil
}

// newDummy hashes a random password. It returns an error if the driver cannot
// read the result.
func newDummy(driver Driver) (string, error) {
	encoded, err := driver.Hash(rand.Text())
	if err != nil {
		return "", err
	}
	if len(encoded) > maxEncoded || !driver.Recognizes(encoded) {
		return "", errors.New("the driver does not recognize its own hash")
	}
	stale, err := driver.NeedsRehash(encoded)
	if err == nil && stale {
		err = errors.New("the driver reports that its own hash needs a rehash")
	}
	return encoded, err
}

// Hash returns the hash of a password, made by the configured driver with a
// random salt. Two hashes of the same password differ.
//
// The error wraps ErrPassword if the password is not 1 to MaxPassword bytes of
// valid UTF-8 or if the driver cannot hash it. It wraps ErrBusy if too many
// callers are waiting, and the error of ctx if ctx ended before the computation
// began. A computation that has begun is not interrupted.
func (m *Manager) Hash(ctx context.Context, password string) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	driver := m.drivers[0]
	if err := checkHashable(driver, password); err != nil {
		return "", err
	}
	if err := m.limit.enter(ctx); err != nil {
		return "", err
	}
	defer m.limit.leave()
	m.computations.Add(1)
	return driver.Hash(password)
}

// Verify reports whether encoded is a hash of the password. It verifies the
// hashes of all drivers. For a wrong password it returns false and no error.
//
// The error wraps ErrPassword if the password is not 1 to MaxPassword bytes of
// valid UTF-8. It wraps ErrBadHash if encoded is empty or malformed or has
// costs above the maximum. Neither case computes anything. The other errors are
// those of Hash. After ErrBadHash, which is returned also for an account
// without a password, the caller must call VerifyDummy and then refuse the
// login. Otherwise the response time reveals such accounts.
//
// A password that the algorithm of the hash would confuse with another one (see
// Bcrypt and Scrypt) never matches. It takes the same time as any other
// password.
func (m *Manager) Verify(ctx context.Context, password, encoded string) (bool, error) {
	if err := checkPassword(password); err != nil {
		return false, err
	}
	driver, _, err := m.read(encoded)
	if err != nil {
		return false, err
	}
	return m.verify(ctx, driver, password, encoded)
}

// VerifyDummy computes a hash as Verify does, with the configured driver and
// costs. A login calls it for a user that does not exist, so that the response
// takes as long as for one that does. Its errors are those of Verify without
// ErrBadHash. Users whose hash has older costs still take a different time,
// until they log in and their hash is replaced.
func (m *Manager) VerifyDummy(ctx context.Context, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	_, err := m.verify(ctx, m.drivers[0], password, m.dummy)
	return err
}

func (m *Manager) verify(ctx context.Context, driver Driver, password, encoded string) (bool, error) {
	if err := m.limit.enter(ctx); err != nil {
		return false, err
	}
	defer m.limit.leave()
	m.computations.Add(1)
	ok, err := driver.Verify(password, encoded)
	return ok && err == nil, err
}

// NeedsRehash reports whether a hash differs from what Hash would make now: it
// is from another driver, has other costs, or is unreadable. Call it after
// Verify returned true. If it reports true, hash the password again and store
// the result.
func (m *Manager) NeedsRehash(encoded string) bool {
	_, current, err := m.read(encoded)
	return err != nil || !current
}

// read returns the driver of a hash that is safe to verify, and reports whether
// the configured driver would make such a hash.
func (m *Manager) read(encoded string) (driver Driver, current bool, err error) {
	if encoded == "" {
		return nil, false, badHash("empty")
	}
	if len(encoded) > maxEncoded {
		return nil, false, badHash(fmt.Sprintf("more than %d bytes", maxEncoded))
	}
	for i, driver := range m.drivers {
		if driver.Recognizes(encoded) {
			stale, err := driver.NeedsRehash(encoded)
			return driver, i == 0 && !stale, err
		}
	}
	return nil, false, badHash("unknown format")
}

// Computations returns the number of hashes that were computed or are being
// computed by Hash, Verify and VerifyDummy. Use it in monitoring, and in tests
// that check that two logins cost the same.
func (m *Manager) Computations() uint64 { return m.computations.Load() }

// Format writes the type of the driver, for every verb. It writes no hash.
func (m *Manager) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "hashing.Manager(%T)", m.drivers[0])
}
