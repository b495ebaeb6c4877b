package redisstore

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

// windowSize is larger than any window, in bytes.
const windowSize = 128

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
		commands[0] = l.client.GetRange(ctx, l.windowKey(windows[0].Key), 0, windowSize-1)
		return commands
	}
	pipe := l.client.Pipeline()
	for i, w := range windows {
		commands[i] = pipe.GetRange(ctx, l.windowKey(w.Key), 0, windowSize-1)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	return commands
}

// A count holds when a window ends, in microseconds since 1970, and how many of its slots
// are reserved.
type count struct{ ends, reserved int64 }

// parseCount parses a window: "opened ends reserved", or "" if there is none, which counts
// as a window that ended long ago.
func parseCount(text string) (c count, ok bool) {
	if text == "" {
		return count{ends: math.MinInt64}, true
	}
	opened, rest, _ := strings.Cut(text, " ")
	ends, reserved, _ := strings.Cut(rest, " ")
	var errs [3]error
	_, errs[0] = strconv.ParseInt(opened, 10, 64)
	c.ends, errs[1] = strconv.ParseInt(ends, 10, 64)
	c.reserved, errs[2] = strconv.ParseInt(reserved, 10, 64)
	return c, errors.Join(errs[:]...) == nil && c.reserved >= 0
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
