package stores

import (
	"context"
	"time"
)

// Window is a limit on how often something happens: Limit times within Period.
// The period begins with the first slot taken and is then fixed, also if that
// slot is put back; at the instant it ends the next one may begin.
type Window struct {
	// Key names what is counted. It is a keyed digest, so a store holds no
	// address and no account name.
	Key    Digest
	Limit  int
	Period time.Duration
}

// Slot is the receipt for one slot of one window. It names the window it was
// taken in, so putting it back after that window has ended changes nothing.
type Slot struct {
	Key Digest
	// Opened is the beginning of the window, in microseconds since 1970.
	Opened int64
}

// Grant is the answer to a Reserve or a Peek.
type Grant struct {
	// Full is the number (from 0) of the first window that had no slot left,
	// and -1 if there was one in each.
	Full int
	// RetryAfter is how long the full window lasts, if there is one; if several
	// are full, the longest.
	RetryAfter time.Duration
	// Slots holds the receipts, in the order of the windows. A Peek, and a Reserve
	// that was refused, has none.
	Slots []Slot
}

// OK reports whether every window had a slot.
func (g Grant) OK() bool { return g.Full < 0 }

// Limiter counts. It never admits more than a window's limit, however many
// calls run in parallel on however many machines.
type Limiter interface {
	// Reserve reserves one slot in each window, or none: a refused Reserve leaves no
	// slot behind, and does not lengthen a window. A limit of zero or less
	// refuses; a key named twice counts twice. A Grant that comes with an error
	// is not OK.
	//
	// A store whose windows are on several machines may take them one after the
	// other: then a Reserve may be refused for a slot that another one, which is
	// refused too, holds for a moment.
	Reserve(ctx context.Context, now time.Time, windows ...Window) (Grant, error)
	// Peek answers as Reserve would, and takes nothing.
	Peek(ctx context.Context, now time.Time, windows ...Window) (Grant, error)
	// Refund returns slots. A slot of a window that has ended is ignored, and
	// no window has fewer than no slots taken.
	Refund(ctx context.Context, slots ...Slot) error
	// Reset forgets the windows with the given keys.
	Reset(ctx context.Context, keys ...Digest) error
}
