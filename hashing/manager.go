package hashing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
)

// Manager hashes and verifies passwords. It is safe for concurrent use and owns
// no goroutine. New makes one; the zero value is not usable.
type Manager struct {
	drivers      []Driver // the first one hashes
	limit        limit
	dummy        string // hash of a password nobody knows
	computations atomic.Uint64
}

// New returns a Manager, or an error that joins all faults of the configuration.
// It computes one hash, which VerifyDummy compares with, so it takes as long as
// a login.
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

// newDummy hashes a random password, and makes sure that the driver reads what
// it wrote.
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
		err = errors.New("the driver would rehash its own hash")
	}
	return encoded, err
}

// Hash returns the hash of a password, made by the configured driver with a
// random salt, so two hashes of one password differ.
//
// The error wraps ErrPassword if the password is not 1 to MaxPassword bytes of
// valid UTF-8 or the driver cannot hash it, ErrBusy if too many callers are
// waiting, and the context's error if that ended before the work began. Work
// that has begun is finished.
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

// Verify reports whether the password is the one that a hash was made of,
// whichever driver made it. A wrong password is false without an error.
//
// The error wraps ErrPassword if the password is not 1 to MaxPassword bytes of
// valid UTF-8, and ErrBadHash if the hash is empty or unreadable or would cost
// too much; both are found before any work. Otherwise it is as in Hash. A
// caller that gets ErrBadHash, as for an account without a password, calls
// VerifyDummy and then refuses, lest such accounts be told by their speed.
//
// Passwords that the algorithm of the hash would confuse with others (see Bcrypt
// and Scrypt) never match it, after the usual work.
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

// VerifyDummy does the work of a Verify of a hash with the configured driver
// and costs, and has the same errors, ErrBadHash apart. It is for a user who
// does not exist: the answer then takes as long as for one who does. Users
// whose hash has older costs still take another time, until they log in and
// are rehashed.
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

// NeedsRehash reports whether a hash is not what Hash would make today: it is
// of another driver than the configured one, has other costs, or cannot be
// read. An application asks after a Verify that matched, and stores a new hash
// of the password.
func (m *Manager) NeedsRehash(encoded string) bool {
	_, current, err := m.read(encoded)
	return err != nil || !current
}

// read returns the driver of a hash that is safe to verify, and whether the
// hash is what the configured driver would make.
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

// Computations returns how many hashes were computed or are being computed, by
// Hash, Verify and VerifyDummy together. Tests and monitoring read it: two
// logins that must not be told apart raise it by the same number.
func (m *Manager) Computations() uint64 { return m.computations.Load() }

// Format writes the type of the driver for every verb, and no hash.
func (m *Manager) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "hashing.Manager(%T)", m.drivers[0])
}
