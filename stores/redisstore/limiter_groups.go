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
	keys  []string
	slots []slot
}

// A slot is one that a call reserves: the index of its window in the call, and the number of
// the window's key in the group, beginning with 1.
type slot struct{ place, key int }

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
			groups, at = append(groups, group{make([]string, 0, room), make([]slot, 0, room)}), len(groups)
		}
		g := &groups[at]
		number := slices.Index(g.keys, key)
		if number < 0 {
			g.keys, number = append(g.keys, key), len(g.keys)
		}
		g.slots = append(g.slots, slot{place, number + 1})
	}
	return groups
}

// pack returns the argument of the script that reserves slots.
func (g group) pack(now time.Time, windows []stores.Window) []byte {
	arg := packNumbers(make([]byte, 0, 8*(2+3*len(g.slots))), now.UnixMicro(), slack.Milliseconds())
	for _, s := range g.slots {
		w := &windows[s.place]
		arg = packNumbers(arg, int64(s.key), int64(w.Limit), micros(w.Period))
	}
	return arg
}

// packNumbers appends numbers as scripts pack them.
func packNumbers(to []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		to = binary.LittleEndian.AppendUint64(to, uint64(n))
	}
	return to
}

// micros returns a period in microseconds, at least one. A window of length zero would
// limit nothing.
func micros(period time.Duration) int64 {
	period = min(max(period, time.Microsecond), maxPeriod)
	return int64((period + time.Microsecond - 1) / time.Microsecond)
}

// A reply is the script's answer for a group.
type reply struct {
	// full is the index in the group of the first slot that is not free, or -1.
	full int
	// wait is how long until the full window ends.
	wait time.Duration
	// windows are the windows, packed.
	windows string
	// began reports whether the call began a window.
	began bool
}

func readReply(what string, got any, g group) (reply, error) {
	text, _ := got.(string)
	size := windowSize * len(g.keys)
	switch {
	case len(text) == size || len(text) == size+1:
		return reply{full: -1, windows: text[:size], began: len(text) > size}, nil
	case len(text) == 16:
		full, wait := packed(text, 0), packed(text, 1)
		if full >= 0 && full < int64(len(g.slots)) && wait <= math.MaxInt64/int64(time.Microsecond) {
			return reply{full: int(full), wait: time.Duration(wait) * time.Microsecond}, nil
		}
	}
	return reply{}, fmt.Errorf("redisstore: %s: unexpected answer of type %T", what, got)
}

// opened returns when the window of a key began, by the number of the key.
func (r reply) opened(key int) int64 { return packed(r.windows, 3*(key-1)) }

// packed returns a number that a script has packed, by its place.
func packed(text string, place int) int64 {
	return int64(binary.LittleEndian.Uint64([]byte(text[8*place : 8*place+8])))
}

// grantOf combines the replies for the groups.
func grantOf(windows []stores.Window, groups []group, replies ...reply) stores.Grant {
	grant := stores.Grant{Full: -1}
	for i, r := range replies {
		if r.full < 0 {
			continue
		}
		if place := groups[i].slots[r.full].place; grant.OK() || place < grant.Full {
			grant.Full = place
		}
		grant.RetryAfter = max(grant.RetryAfter, r.wait)
	}
	if !grant.OK() {
		return grant
	}
	grant.Slots = make([]stores.Slot, len(windows))
	for i, r := range replies {
		for _, s := range groups[i].slots {
			grant.Slots[s.place] = stores.Slot{Key: windows[s.place].Key, Opened: r.opened(s.key)}
		}
	}
	return grant
}
