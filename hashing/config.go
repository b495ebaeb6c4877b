package hashing

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
)

// NoQueue is the value of Config.Queue with which no caller waits.
const NoQueue = -1

// maxCallers is the maximum of Concurrency and of Queue. It catches mistyped
// values.
const maxCallers = 1 << 16

// Config configures a Manager. The zero value is safe and suits most servers.
type Config struct {
	// Driver hashes new passwords. Nil means Argon2id{}.
	Driver Driver
	// Also lists further drivers to verify stored hashes with. It is meant for
	// drivers that the application implements: Argon2id, Bcrypt and Scrypt are
	// always included. The first driver that recognizes a hash reads it. The
	// order is Driver, Also, then Argon2id, Bcrypt and Scrypt.
	Also []Driver
	// Concurrency is the maximum number of hashes that are computed at the same
	// time. Each of them needs the memory of one hash. Zero means GOMAXPROCS
	// minus one, and at least 1: the remaining processor keeps requests fast
	// that hash nothing. The maximum is 65536.
	Concurrency int
	// Queue is the maximum number of callers that wait. Further callers get
	// ErrBusy, or the callers of clients with more of them do; see WithClient.
	// Zero means 64, and NoQueue means none. The maximum is 65536.
	Queue int
	// InsecureAllowWeakParameters accepts costs of Driver and Also below the
	// recommended minimum. Use it only to make tests fast, never where
	// passwords of real users are stored.
	InsecureAllowWeakParameters bool
}

// filled returns the configuration with its defaults set.
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

// validate returns all faults of a configuration with defaults, joined.
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

// drivers returns all drivers in the order in which they are asked to recognize
// a hash.
func (c Config) drivers() []Driver {
	drivers := append([]Driver{c.Driver}, c.Also...)
	return append(drivers, builtin()...)
}
