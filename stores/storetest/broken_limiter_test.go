package storetest_test

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/stores"
)

type checkedReserve struct{ *memLimiter }

func (l checkedReserve) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	if g, err := l.Peek(ctx, now, windows...); err != nil || !g.OK() {
		return g, err
	}
	pause()
	for i := range windows {
		windows[i].Limit = 1 << 30
	}
	return l.memLimiter.Reserve(ctx, now, windows...)
}

type oneByOne struct{ *memLimiter }

func (l oneByOne) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	all := stores.Grant{Full: -1}
	for i, w := range windows {
		g, err := l.memLimiter.Reserve(ctx, now, w)
		if err != nil || !g.OK() {
			return stores.Grant{Full: i, RetryAfter: g.RetryAfter}, err
		}
		all.Slots = append(all.Slots, g.Slots...)
	}
	return all, nil
}

type rollback struct{ *memLimiter }

func (l rollback) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	var reserved []stores.Slot
	for i, w := range windows {
		g, err := l.memLimiter.Reserve(ctx, now, w)
		if err != nil || !g.OK() {
			l.Refund(ctx, reserved...)
			return stores.Grant{Full: i, RetryAfter: g.RetryAfter}, err
		}
		reserved = append(reserved, g.Slots...)
	}
	return stores.Grant{Full: -1, Slots: reserved}, nil
}

type lateEnd struct{ *memLimiter }

func (l lateEnd) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	for i := range windows {
		windows[i].Period += time.Microsecond
	}
	return l.memLimiter.Reserve(ctx, now, windows...)
}

type settlesByReset struct{ *memLimiter }

func (l settlesByReset) Settle(ctx context.Context, refund []stores.Slot, reset []stores.Digest) error {
	for _, slot := range refund {
		reset = append(reset, slot.Key)
	}
	return l.Reset(ctx, reset...)
}

type anyReceipt struct {
	*memLimiter
	last map[stores.Digest]int64
}

func (l anyReceipt) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	g, err := l.memLimiter.Reserve(ctx, now, windows...)
	for _, slot := range g.Slots {
		l.last[slot.Key] = slot.Opened
	}
	return g, err
}

func (l anyReceipt) Refund(ctx context.Context, slots ...stores.Slot) error {
	for _, slot := range slots {
		if err := l.memLimiter.Refund(ctx, stores.Slot{Key: slot.Key, Opened: l.last[slot.Key]}); err != nil {
			return err
		}
	}
	return nil
}
