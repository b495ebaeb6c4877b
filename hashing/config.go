package hashing

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
)

// NoQueue is the Config.Queue that lets nobody wait.
const NoQueue = -1

// maxCallers bounds Concurrency and Queue, to find slips of the pen.
const maxCallers = 1 << 16

// Config says how a Manager hashes. The zero value is safe and good for most
// servers.
type Config struct {
	// Driver hashes. Nil means Argon2id{}.
	Driver Driver
	// Also lists further drivers to verify with. Argon2id, Bcrypt and Scrypt
	// are always there, so this is for drivers of one's own. A hash is read by
	// the first driver that recognizes it: Driver, then these in order, then
	// the three.
	Also []Driver
	// Concurrency is how many passwords are hashed at once. Together they take
	// as many times the memory of a hash. Zero means one less than GOMAXPROCS,
	// but at least one: with a processor left over, requests that hash nothing
	// stay fast while many log in. At most 65536.
	Concurrency int
	// Queue is how many callers may wait for others to finish, before further
	// ones get ErrBusy. Zero means 64, and NoQueue none. At most 65536.
	Queue int
	// InsecureAllowWeakParameters accepts costs of Driver and Also below their
	// floors. It is meant for tests, which are then fast, and for nothing that
	// stores the password of a person.
	InsecureAllowWeakParameters bool
}

// filled returns the configuration with its defaults. The receiver is a copy.
func (c Config) filled() Config {
	if c.Driver == nil {
		c.Driver = Argon2id{}
	}
	c.Concurrency = cmp.Or(c.Concurrency, max(1, runtime.GOMAXPROCS(0)-1))
	switch c.Queue {
	case 0:
		c.Queue = 64
	case NoQueue:
		c.Queue = 0
	}
	return c
}

// validate returns all faults of a filled configuration, joined.
func (c Config) validate() error {
	errs := []error{
		c.Driver.Validate(c.InsecureAllowWeakParameters),
		within("Concurrency", int64(c.Concurrency), 1, maxCallers),
		within("Queue", int64(c.Queue), 0, maxCallers),
	}
	for i, driver := range c.Also {
		if driver == nil {
			errs = append(errs, fmt.Errorf("driver Also[%d] is nil", i))
		} else if err := driver.Validate(c.InsecureAllowWeakParameters); err != nil {
			errs = append(errs, fmt.Errorf("driver Also[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// drivers returns all drivers in the order in which they are asked.
func (c Config) drivers() []Driver {
	drivers := append([]Driver{c.Driver}, c.Also...)
	return append(drivers, builtin()...)
}
