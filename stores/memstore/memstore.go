// Package memstore keeps sessions, tokens and limits in the memory of one
// process. It is the default of ginauth, right for development, for tests and
// for an application that runs on one machine and may forget everybody when it
// restarts. Several processes need a store that they share.
//
// # What it holds, and what it does when it is full
//
// Each store has a bound on the number of its records. What has expired is
// dropped first, always. If that is not enough:
//
//   - Sessions drop anonymous sessions, the least recently seen first, and
//     never one that has an owner. When only those are left, Create returns
//     stores.ErrFull.
//   - Tokens drop nothing that lives: Create and Rotate return stores.ErrFull.
//   - The Limiter drops nothing that lives: Reserve returns stores.ErrFull. It
//     fails closed, because whoever can fill it could otherwise make it forget
//     how often an account was tried.
//
// A session with a few small keys takes about 300 bytes, a token about 450 and
// a window about 48.
//
// # Expiry
//
// A goroutine of each store drops expired records at intervals. Close stops it;
// the store can be used after that, and drops expired records when it is full or
// when Prune is called.
package memstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Defaults of Options.
const (
	DefaultMaxSessions = 1_000_000
	DefaultMaxTokens   = 1_000_000
	DefaultMaxWindows  = 3_000_000
	DefaultPruneEvery  = time.Minute
)

// Options configures a store. The zero value is ready for use. Each store reads
// the fields that concern it.
type Options struct {
	// MaxSessions is the largest number of sessions. Zero or less means
	// DefaultMaxSessions.
	MaxSessions int
	// MaxTokens is the largest number of tokens, and also of families: a family
	// is kept until it has expired, to know that it was revoked, whether or not
	// a token of it is left. Zero or less means DefaultMaxTokens.
	MaxTokens int
	// MaxWindows is the largest number of windows of the limiter. Zero or less
	// means DefaultMaxWindows.
	MaxWindows int
	// PruneEvery is the interval at which expired records are dropped. Zero
	// means DefaultPruneEvery; if it is negative there is no goroutine for it.
	PruneEvery time.Duration
	// Now is the clock by which records are dropped. It decides nothing else:
	// whether a record lives is decided by the time that a caller passes. Nil
	// means time.Now.
	Now func() time.Time
}

// New returns a set of stores in memory. Its Close stops their goroutines.
func New(o Options) stores.Set {
	return stores.Set{Sessions: NewSessions(o), Tokens: NewTokens(o), Limiter: NewLimiter(o)}
}

// filled returns the options with their defaults filled in.
func (o Options) filled() Options {
	if o.MaxSessions <= 0 {
		o.MaxSessions = DefaultMaxSessions
	}
	if o.MaxTokens <= 0 {
		o.MaxTokens = DefaultMaxTokens
	}
	if o.MaxWindows <= 0 {
		o.MaxWindows = DefaultMaxWindows
	}
	if o.PruneEvery == 0 {
		o.PruneEvery = DefaultPruneEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// ended returns an error if the context has ended. Nothing here waits for
// longer than a lock is held, so each method asks once.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ginauth: memory store: %w", err)
	}
	return nil
}

// reserve counts n more records unless that passes max. What is reserved has to
// be stored. The count is never too high for a moment, which would refuse others
// while there is room.
func reserve(count *atomic.Int64, n, max int64) bool {
	for {
		have := count.Load()
		if have+n > max {
			return false
		}
		if count.CompareAndSwap(have, have+n) {
			return true
		}
	}
}

// id is the binary form of a row's, a token's or a family's name: half the size
// of the text, and without a pointer. Names are random, so its bytes also choose
// the shard.
type id [16]byte

var errName = errors.New("ginauth: memory store: a name has to be 32 hexadecimal digits in lower case")

// parseID returns the binary form of a name. No other text has it.
func parseID(name string) (v id, ok bool) {
	if len(name) != 2*len(v) {
		return id{}, false
	}
	for i := range v {
		high, low := digits[name[2*i]]-1, digits[name[2*i+1]]-1
		if high|low > 0xf {
			return id{}, false
		}
		v[i] = high<<4 | low
	}
	return v, true
}

// digits holds one more than the value of each hexadecimal digit, and 0 for any
// other byte.
var digits = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8,
	'8': 9, '9': 10, 'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
}

// String returns the name.
func (v id) String() string { return hex.EncodeToString(v[:]) }

// micros returns t in microseconds since 1970, and 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// never is later than any time.
const never = math.MaxInt64
