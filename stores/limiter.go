package stores

import (
	"context"
	"time"
)

// Window limits how often something happens: Limit times within Period. The first
// reserved slot begins the period. The end of the period is then fixed, also if
// that slot is refunded. The next period may begin at the instant at which the
// period ends.
type Window struct {
	// Key identifies what is counted. It is a keyed digest, so that the store
	// learns no address and no account name.
	Key Digest
	// Limit is the number of slots.
	Limit int
	// Period is how long the window lasts.
	Period time.Duration
}

// Slot is the receipt for one reserved slot. It identifies the window in which the
// slot was reserved, so a refund after the end of that window changes nothing.
type Slot struct {
	// Key is the key of the window.
	Key Digest
	// Opened is when the window began, in microseconds since 1970.
	Opened int64
}

// Grant is the result of a Reserve or a Peek.
type Grant struct {
	// Full is the index of the first window that has no free slot, or -1 if every
	// window has one.
	Full int
	// RetryAfter is the time until the full window ends. If several windows are
	// full, it is the longest of these times.
	RetryAfter time.Duration
	// Slots holds the receipts, in the order of the windows. It is empty after a
	// Peek and after a Reserve that was refused.
	Slots []Slot
}

// OK reports whether every window has a free slot.
func (g Grant) OK() bool { return g.Full < 0 }

// Limiter counts what happens within windows of time. It never reserves more slots
// of a window than its limit, however many calls run in parallel on however many
// machines.
type Limiter interface {
	// Reserve reserves one slot in each window, or none. A Reserve that is
	// refused reserves no slot and does not prolong a window. A limit of zero or
	// less refuses. A key that is named twice counts twice. A Grant that is
	// returned with an error is not OK.
	//
	// A store that keeps windows on several machines may reserve the slots one
	// after the other. Then two parallel calls can both be refused, because each
	// holds for a moment the slot that the other one needs.
	Reserve(ctx context.Context, now time.Time, windows ...Window) (Grant, error)
	// Peek returns what Reserve would return, and reserves nothing.
	Peek(ctx context.Context, now time.Time, windows ...Window) (Grant, error)
	// Refund gives reserved slots back. It ignores slots of windows that have
	// ended. The number of reserved slots never becomes negative.
	Refund(ctx context.Context, slots ...Slot) error
	// Reset deletes the windows with the given keys.
	Reset(ctx context.Context, keys ...Digest) error
}

// Settler is an optional ability of a Limiter: to end an attempt in one step.
type Settler interface {
	// Settle refunds slots and resets the windows with the given keys, as Refund and Reset do. A
	// call that fails may have done either.
	Settle(ctx context.Context, refund []Slot, reset []Digest) error
}

// Settle refunds slots and resets windows of a limiter, in one step if it is a Settler.
func Settle(ctx context.Context, l Limiter, refund []Slot, reset []Digest) error {
	if s, ok := l.(Settler); ok {
		return s.Settle(ctx, refund, reset)
	}
	if len(reset) > 0 {
		if err := l.Reset(ctx, reset...); err != nil {
			return err
		}
	}
	if len(refund) == 0 {
		return nil
	}
	return l.Refund(ctx, refund...)
}
