package redisstore

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// maxPeriod is the longest period. The end of such a window in microseconds is a number
// that Lua, which has only floating point, can still represent exactly.
const maxPeriod = 100 * 365 * 24 * time.Hour

// A group holds windows that one script can access.
type group struct {
	keys    []string
	windows []stores.Window
	// places are the indexes of the windows in the call. numbers are the indexes
	// of their keys in keys, beginning with 1.
	places, numbers []int
}

// group puts the windows into groups, in the order of the call: all into one group or, if
// they may be on several servers, one group for each key.
func (l *limiter) group(windows []stores.Window) []group {
	apart, room := l.apart.Load(), len(windows)
	if apart {
		room = 1
	}
	var groups []group
	for place, w := range windows {
		key := l.windowKey(w.Key)
		at := slices.IndexFunc(groups, func(g group) bool { return !apart || g.keys[0] == key })
		if at < 0 {
			groups, at = append(groups, newGroup(room)), len(groups)
		}
		g := &groups[at]
		number := slices.Index(g.keys, key)
		if number < 0 {
			g.keys, number = append(g.keys, key), len(g.keys)
		}
		g.windows = append(g.windows, w)
		g.places, g.numbers = append(g.places, place), append(g.numbers, number+1)
	}
	return groups
}

// newGroup returns a group with room for some windows.
func newGroup(room int) group {
	return group{
		keys: make([]string, 0, room), windows: make([]stores.Window, 0, room),
		places: make([]int, 0, room), numbers: make([]int, 0, room),
	}
}

// args returns the arguments of the script that reserves slots.
func (g group) args(now time.Time) []any {
	args := make([]any, 0, 2+3*len(g.windows))
	args = append(args, now.UnixMicro(), slack.Milliseconds())
	for i, w := range g.windows {
		args = append(args, g.numbers[i], w.Limit, micros(w.Period))
	}
	return args
}

// micros returns a period in microseconds, at least one. A window of length zero would
// limit nothing.
func micros(period time.Duration) int64 {
	period = min(max(period, time.Microsecond), maxPeriod)
	return int64((period + time.Microsecond - 1) / time.Microsecond)
}

// A reply is the script's answer for a group.
type reply struct {
	// full is the index in the group of the first window without a free slot, or
	// -1.
	full int
	// wait is how long until the full window ends.
	wait time.Duration
	// opened holds when each window began, and fresh whether this call began it.
	opened []int64
	fresh  []bool
}

func readReply(what string, got any, g group) (reply, error) {
	text, _ := got.(string)
	if len(text) != 8*(2+2*len(g.windows)) {
		return reply{}, fmt.Errorf("redisstore: %s: unexpected answer of type %T", what, got)
	}
	full, wait := packed(text, 0), packed(text, 1)
	if full >= int64(len(g.windows)) || wait > math.MaxInt64/int64(time.Microsecond) {
		return reply{}, fmt.Errorf("redisstore: %s: unexpected answer", what)
	}
	r := reply{full: int(full), wait: time.Duration(wait) * time.Microsecond}
	r.opened, r.fresh = make([]int64, len(g.windows)), make([]bool, len(g.windows))
	for i := range g.windows {
		r.opened[i], r.fresh[i] = packed(text, 2+2*i), packed(text, 3+2*i) == 1
	}
	return r, nil
}

// packed returns a number that a script has packed, by its place.
func packed(text string, place int) int64 {
	return int64(binary.LittleEndian.Uint64([]byte(text[8*place : 8*place+8])))
}

// grantOf combines the replies for the groups.
func grantOf(groups []group, replies []reply) stores.Grant {
	grant := stores.Grant{Full: -1}
	n := 0
	for i, r := range replies {
		n += len(groups[i].windows)
		if r.full < 0 {
			continue
		}
		if place := groups[i].places[r.full]; grant.OK() || place < grant.Full {
			grant.Full = place
		}
		grant.RetryAfter = max(grant.RetryAfter, r.wait)
	}
	if !grant.OK() {
		return grant
	}
	grant.Slots = make([]stores.Slot, n)
	for i, r := range replies {
		for j, place := range groups[i].places {
			grant.Slots[place] = stores.Slot{Key: groups[i].windows[j].Key, Opened: r.opened[j]}
		}
	}
	return grant
}
