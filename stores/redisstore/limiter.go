package redisstore

import (
	"context"
	_ "embed" // the scripts
	"encoding/base64"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Limiter = (*limiter)(nil)
	_ stores.Settler = (*limiter)(nil)
	_ stores.Checker = (*limiter)(nil)
)

//go:embed lua/limiter_window.lua
var limiterWindow string

//go:embed lua/limiter_reserve.lua
var limiterReserve string

//go:embed lua/limiter_refund.lua
var limiterRefund string

var (
	// A script that is sent again reserves or refunds a slot a second time. A
	// second Reserve would lock a user out too early. A second Refund would free a
	// slot of somebody else.
	reserveSlots = onlyOnce(bareScript(limiterWindow + limiterReserve))
	refundSlots  = onlyOnce(bareScript(limiterWindow + limiterRefund))
)

// limiter is the stores.Limiter of a client. A window is a string.
type limiter struct{ *core }

// windowKey returns the key of a window. 16 bytes of its digest are enough to
// distinguish windows.
func (l *limiter) windowKey(key stores.Digest) string {
	name := make([]byte, 0, 64)
	name = append(append(name, l.prefix...), "w:"...)
	return string(base64.RawURLEncoding.AppendEncode(name, key[:16]))
}

// Reserve implements stores.Limiter. On one server it is one atomic step. In a cluster it
// first reads all windows and then reserves a slot in one window after the other. If a
// window is full by then, or cannot be reached, it refunds the slots that it reserved. In
// the meantime other calls may be refused because of these slots.
//
// A call that fails may have reserved slots. They are free again when their windows end.
func (l *limiter) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	const what = "reserve slots"
	if len(windows) == 0 || ctx.Err() != nil {
		return none(ctx, what)
	}
	groups := l.group(windows)
	if len(groups) == 1 {
		got, err := l.reserveGroup(ctx, what, now, windows, groups[0])
		if l.splits(err, groups[0].keys) {
			return l.Reserve(ctx, now, windows...)
		}
		if err != nil {
			return stores.Grant{}, err
		}
		return grantOf(windows, groups, got), nil
	}
	// A client that is locked out and keeps trying reserves no slots of others.
	grant, err := l.Peek(ctx, now, windows...)
	if err != nil || !grant.OK() {
		return grant, err
	}
	return l.reserveApart(ctx, what, now, windows, groups)
}

// reserveApart reserves the slots of one group after the other.
func (l *limiter) reserveApart(
	ctx context.Context, what string, now time.Time, windows []stores.Window, groups []group,
) (stores.Grant, error) {
	var replies []reply
	for i, g := range groups {
		got, err := l.reserveGroup(ctx, what, now, windows, g)
		if err == nil && got.full < 0 {
			replies = append(replies, got)
			continue
		}
		// The result is the same whether or not the refund succeeds.
		_ = l.undo(ctx, groups[:i], replies)
		if err != nil {
			return stores.Grant{}, err
		}
		return grantOf(windows, groups[i:i+1], got), nil
	}
	return grantOf(windows, groups, replies...), nil
}

// undo refunds the slots of a Reserve that is refused in the end, and deletes the windows
// that it began.
func (l *limiter) undo(ctx context.Context, groups []group, replies []reply) error {
	calls := make([]call, len(groups))
	for i, g := range groups {
		forget := "0"
		if replies[i].began {
			forget = "1"
		}
		calls[i] = call{refundSlots, g.keys, []any{replies[i].opened(1), len(g.slots), forget}}
	}
	_, err := l.runAll(ctx, "refund slots", calls)
	return err
}

// reserveGroup reserves the slots of one group, or none.
func (l *limiter) reserveGroup(
	ctx context.Context, what string, now time.Time, windows []stores.Window, g group,
) (reply, error) {
	got, err := l.run(ctx, what, reserveSlots, g.keys, g.pack(now, windows))
	if err != nil {
		return reply{}, err
	}
	return readReply(what, got, g)
}

// none returns the result for a call without windows.
func none(ctx context.Context, what string) (stores.Grant, error) {
	if ctx.Err() != nil {
		return stores.Grant{}, fault(ctx, what, ctx.Err())
	}
	return stores.Grant{Full: -1}, nil
}

// Refund implements stores.Limiter. A call that fails may have refunded slots and must not
// be repeated.
func (l *limiter) Refund(ctx context.Context, slots ...stores.Slot) error {
	return l.Settle(ctx, slots, nil)
}

// Reset implements stores.Limiter.
func (l *limiter) Reset(ctx context.Context, keys ...stores.Digest) error {
	return l.Settle(ctx, nil, keys)
}

// Settle implements stores.Settler, in one round trip per server.
func (l *limiter) Settle(ctx context.Context, refund []stores.Slot, reset []stores.Digest) error {
	counts := make(map[stores.Slot]int, len(refund))
	for _, slot := range refund {
		counts[slot]++
	}
	calls := make([]call, 0, len(counts)+len(reset))
	for _, key := range reset {
		calls = append(calls, call{unlink, []string{l.windowKey(key)}, nil})
	}
	for slot, n := range counts {
		calls = append(calls, call{refundSlots, []string{l.windowKey(slot.Key)}, []any{slot.Opened, n, "0"}})
	}
	_, err := l.runAll(ctx, "settle windows", calls)
	return err
}
