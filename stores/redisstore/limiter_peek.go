package redisstore

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

// windowSize is the size of a window in bytes.
const windowSize = 24

// Peek implements stores.Limiter. It reads the windows and computes the result here, and
// not in a script as Reserve does, to save time of the server.
func (l *limiter) Peek(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	const what = "peek at windows"
	if len(windows) == 0 || ctx.Err() != nil {
		return none(ctx, what)
	}
	counts := make([]count, len(windows))
	for i, cmd := range l.get(ctx, windows) {
		text, err := cmd.Result()
		if err != nil {
			return stores.Grant{}, fault(ctx, what, err)
		}
		var ok bool
		if counts[i], ok = parseCount(text); !ok {
			return stores.Grant{}, corrupt(what, "not a window")
		}
	}
	return look(now.UnixMicro(), windows, counts), nil
}

// get reads windows in one round trip per server. Most of them do not exist. For those
// GETRANGE returns "", whereas GET returns an error, which costs go-redis more.
func (l *limiter) get(ctx context.Context, windows []stores.Window) []*redis.StringCmd {
	commands := make([]*redis.StringCmd, len(windows))
	if len(windows) == 1 { // the usual case, in which a pipeline costs more
		commands[0] = l.client.GetRange(ctx, l.windowKey(windows[0].Key), 0, windowSize)
		return commands
	}
	pipe := l.client.Pipeline()
	for i, w := range windows {
		commands[i] = pipe.GetRange(ctx, l.windowKey(w.Key), 0, windowSize)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	return commands
}

// A count holds when a window ends, in microseconds since 1970, and how many of its slots
// are reserved.
type count struct{ ends, reserved int64 }

// parseCount parses a window as the scripts pack it, or "" if there is none, which counts as a
// window that ended long ago.
func parseCount(text string) (c count, ok bool) {
	switch len(text) {
	case 0:
		return count{ends: math.MinInt64}, true
	case windowSize:
		c = count{ends: packed(text, 1), reserved: packed(text, 2)}
		return c, c.reserved >= 0
	}
	return c, false
}

// look returns what a Reserve would return. It changes the counts.
func look(now int64, windows []stores.Window, counts []count) stores.Grant {
	grant := stores.Grant{Full: -1}
	for i, w := range windows {
		first := slices.IndexFunc(windows, func(other stores.Window) bool { return other.Key == w.Key })
		c := &counts[first]
		if c.ends <= now {
			*c = count{ends: now + micros(w.Period)}
		}
		if c.reserved < int64(w.Limit) {
			c.reserved++
			continue
		}
		if grant.OK() {
			grant.Full = i
		}
		left := min(time.Duration(c.ends-now), maxPeriod/time.Microsecond)
		grant.RetryAfter = max(grant.RetryAfter, left*time.Microsecond)
	}
	return grant
}
