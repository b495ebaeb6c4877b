package redisstore

import (
	"context"
	_ "embed" // the scripts
	"encoding/base64"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Limiter = (*limiter)(nil)
	_ stores.Checker = (*limiter)(nil)
)

//go:embed lua/limiter_take.lua
var limiterTake string

//go:embed lua/limiter_return.lua
var limiterReturn string

var (
	// What is sent again takes a slot, or puts one back, a second time. The
	// first would lock somebody out early; the second would free another's slot.
	takeSlots   = onlyOnce(limiterTake)
	returnSlots = onlyOnce(limiterReturn)
)

// limiter is the stores.Limiter of a client. A window is a string.
type limiter struct {
	*core
	// apart says that no script can see two windows, because they may be on two
	// servers.
	apart atomic.Bool
}

// windowKey returns the key of a window: 16 bytes of its digest are enough to
// tell any two apart.
func (l *limiter) windowKey(key stores.Digest) string {
	return l.prefix + "w:" + base64.RawURLEncoding.EncodeToString(key[:16])
}

// Reserve implements stores.Limiter. On one server it is one atomic step. In a
// cluster it looks at all windows and then takes a slot in one after the other;
// if one is full by then, or cannot be reached, it puts back those it took. For
// that moment they are missing to others, which may be refused for it.
//
// A call that fails may have taken slots. They come back when their windows
// end.
func (l *limiter) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	const what = "take slots"
	if len(windows) == 0 || ctx.Err() != nil {
		return none(ctx, what)
	}
	groups := l.group(windows)
	if len(groups) == 1 {
		got, err := l.takeGroup(ctx, what, now, groups[0])
		if l.splits(err) {
			return l.Reserve(ctx, now, windows...)
		}
		if err != nil {
			return stores.Grant{}, err
		}
		return grantOf(groups, []reply{got}), nil
	}
	// Who is locked out, and hammers on, takes nothing from others.
	grant, err := l.Peek(ctx, now, windows...)
	if err != nil || !grant.OK() {
		return grant, err
	}
	return l.takeApart(ctx, what, now, groups)
}

// takeApart takes the slots of one group after the other.
func (l *limiter) takeApart(ctx context.Context, what string, now time.Time, groups []group) (stores.Grant, error) {
	var replies []reply
	for i, g := range groups {
		got, err := l.takeGroup(ctx, what, now, g)
		if err == nil && got.full < 0 {
			replies = append(replies, got)
			continue
		}
		// What went wrong here is the answer, whether or not this succeeds.
		_ = l.undo(ctx, groups[:i], replies)
		if err != nil {
			return stores.Grant{}, err
		}
		return grantOf(groups[i:i+1], []reply{got}), nil
	}
	return grantOf(groups, replies), nil
}

// undo puts back what a Reserve took that is refused after all, and forgets the
// windows that it began.
func (l *limiter) undo(ctx context.Context, groups []group, replies []reply) error {
	calls := make([]call, len(groups))
	for i, g := range groups {
		forget := "0"
		if replies[i].fresh[0] {
			forget = "1"
		}
		calls[i] = call{returnSlots, g.keys, []any{replies[i].opened[0], len(g.windows), forget}}
	}
	_, err := l.runAll(ctx, "put slots back", calls)
	return err
}

// splits reports whether the error says that a server which looks like one is
// several, such as a proxy before a cluster, and sees to it that no script is
// asked for two windows from then on. Such a script was not run.
func (l *limiter) splits(err error) bool {
	split := redis.HasErrorPrefix(err, "CROSSSLOT") && !l.apart.Load()
	if split {
		l.apart.Store(true)
	}
	return split
}

// takeGroup takes the slots of one group, or none.
func (l *limiter) takeGroup(ctx context.Context, what string, now time.Time, g group) (reply, error) {
	got, err := l.run(ctx, what, takeSlots, g.keys, g.args(now)...)
	if err != nil {
		return reply{}, err
	}
	return readReply(what, got, g)
}

// none is the answer for no windows.
func none(ctx context.Context, what string) (stores.Grant, error) {
	if ctx.Err() != nil {
		return stores.Grant{}, fault(ctx, what, ctx.Err())
	}
	return stores.Grant{Full: -1}, nil
}

// Refund implements stores.Limiter. A call that fails may have put slots back;
// it must not be repeated.
func (l *limiter) Refund(ctx context.Context, slots ...stores.Slot) error {
	counts := make(map[stores.Slot]int, len(slots))
	for _, slot := range slots {
		counts[slot]++
	}
	var calls []call
	for slot, n := range counts {
		calls = append(calls, call{returnSlots, []string{l.windowKey(slot.Key)}, []any{slot.Opened, n, "0"}})
	}
	_, err := l.runAll(ctx, "put slots back", calls)
	return err
}

// Reset implements stores.Limiter.
func (l *limiter) Reset(ctx context.Context, keys ...stores.Digest) error {
	const what = "reset windows"
	if len(keys) == 0 || ctx.Err() != nil {
		return fault(ctx, what, ctx.Err())
	}
	pipe := l.client.Pipeline()
	for _, key := range keys {
		pipe.Unlink(ctx, l.windowKey(key))
	}
	_, err := pipe.Exec(ctx)
	return fault(ctx, what, err)
}
