// Package memstore keeps sessions, tokens and limits in the memory of one process.
// It is the default of ginauth. It suits development, tests, and applications that
// run as one process and may lose all logins when they restart. Several processes
// need a shared store.
//
// # Limits
//
// Each store has a maximum number of records. A store that is full first deletes
// expired records. If that is not enough:
//
//   - Sessions deletes anonymous sessions, the least recently seen first. It never
//     deletes a session with an owner. If only those are left, Create returns
//     stores.ErrFull.
//   - Tokens deletes no valid token. Create and Rotate return stores.ErrFull.
//   - Limiter deletes no window that has not ended. Reserve returns stores.ErrFull.
//     It fails closed: otherwise a client that fills the store could make it forget
//     the failed logins of an account.
//
// A session with a few small keys takes about 300 bytes, a token about 450 bytes,
// and a window about 48 bytes.
//
// # Expiry
//
// A goroutine of each store deletes expired records at intervals. Close stops it.
// The store can still be used after Close. It then deletes expired records when it
// is full and when Prune is called.
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

// Options configures a store. The zero value is ready for use. Each store reads only
// the fields that concern it.
type Options struct {
	// MaxSessions is the largest number of sessions. Zero or less means
	// DefaultMaxSessions.
	MaxSessions int
	// MaxTokens is the largest number of tokens, and also the largest number of
	// families. A family without tokens is kept until it expires, because it may
	// be revoked. Tokens of the kind stores.Revoked may exceed it by a quarter. Zero
	// or less means DefaultMaxTokens.
	MaxTokens int
	// MaxWindows is the largest number of windows of the limiter. Zero or less
	// means DefaultMaxWindows.
	MaxWindows int
	// PruneEvery is the interval at which expired records are deleted. Zero means
	// DefaultPruneEvery. If it is negative, no goroutine is started.
	PruneEvery time.Duration
	// Now is the clock that decides which expired records are deleted. Nothing
	// else uses it: whether a record is valid depends on the time that the
	// caller passes. Nil means time.Now.
	Now func() time.Time
}

// New returns a set of stores in memory. Closing the set stops their goroutines.
func New(o Options) stores.Set {
	return stores.Set{Sessions: NewSessions(o), Tokens: NewTokens(o), Limiter: NewLimiter(o), Factors: NewFactors(o), Identities: NewIdentities(o)}
}

// filled returns the options with defaults in place of zero values.
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

// ended returns an error if the context has ended. Each method checks this once,
// because nothing here waits longer than a lock is held.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ginauth: memory store: %w", err)
	}
	return nil
}

// reserve adds n to a count of records and reports true, unless the sum would exceed
// max. The caller must then store n records. The count never exceeds the number of
// records even for a moment, because then other calls would be refused although
// there is room.
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

// id is the binary form of the name of a row, a token or a family. It has half the
// size of the text, and no pointer. Names are random, so its bytes also select the
// shard.
type id [16]byte

var errName = errors.New("ginauth: memory store: a name has to be 32 hexadecimal digits in lower case")

// parseID returns the binary form of a name. No two names have the same.
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

// digits holds the value of each hexadecimal digit plus one, and 0 for any other
// byte.
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
