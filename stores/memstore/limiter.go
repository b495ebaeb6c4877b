package memstore

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Limiter is a stores.Limiter in memory, with fixed windows. It also implements
// stores.Pruner.
//
// A window has at most 4,294,967,295 slots. A higher limit has the same effect.
type Limiter struct {
	shards  [limiterShards]limiterShard
	count   atomic.Int64
	max     int64
	janitor *janitor
}

var (
	_ stores.Limiter = (*Limiter)(nil)
	_ stores.Pruner  = (*Limiter)(nil)
)

const limiterShards = 256

// limiterShard holds the windows whose key begins with its number.
type limiterShard struct {
	sync.Mutex
	table
	// firstEnd is not later than the end of any window of the shard. It changes
	// only while the lock is held.
	firstEnd atomic.Int64
}

// NewLimiter returns an empty limiter.
func NewLimiter(o Options) *Limiter {
	o = o.filled()
	l := &Limiter{max: int64(o.MaxWindows)}
	seed := maphash.MakeSeed()
	for i := range l.shards {
		l.shards[i].seed = seed
		l.shards[i].firstEnd.Store(never)
	}
	l.janitor = startJanitor(o.PruneEvery, func() { l.prune(o.Now().UnixMicro()) })
	return l
}

// Close stops the limiter's goroutine. It always returns nil.
func (l *Limiter) Close() error {
	l.janitor.close()
	return nil
}

// Reserve implements stores.Limiter. It returns stores.ErrFull if there is no room
// for a new window. It never deletes a window that has not ended.
func (l *Limiter) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	if err := ended(ctx); err != nil {
		return stores.Grant{}, err
	}
	for {
		if g, room := l.tryReserve(now.UnixMicro(), windows); room {
			return g, nil
		}
		if !l.makeRoom(now.UnixMicro()) {
			return stores.Grant{}, fmt.Errorf("%w: %d windows", stores.ErrFull, l.max)
		}
	}
}

// tryReserve reserves the slots, unless there is no room for a new window.
func (l *Limiter) tryReserve(now int64, windows []stores.Window) (g stores.Grant, room bool) {
	held := l.lock(windows)
	defer l.unlock(held)
	g = l.ask(now, windows)
	if !g.OK() {
		return g, true
	}
	if !reserve(&l.count, l.added(windows), l.max) {
		return g, false
	}
	g.Slots = make([]stores.Slot, len(windows))
	for i, w := range windows {
		g.Slots[i] = stores.Slot{Key: w.Key, Opened: l.shard(w.Key).reserve(now, w)}
	}
	return g, true
}

// Peek implements stores.Limiter.
func (l *Limiter) Peek(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	if err := ended(ctx); err != nil {
		return stores.Grant{}, err
	}
	held := l.lock(windows)
	defer l.unlock(held)
	return l.ask(now.UnixMicro(), windows), nil
}

// Refund implements stores.Limiter.
func (l *Limiter) Refund(ctx context.Context, slots ...stores.Slot) error {
	if err := ended(ctx); err != nil {
		return err
	}
	for _, slot := range slots {
		sh := l.shard(slot.Key)
		sh.Lock()
		if i, found := sh.find(short(slot.Key)); found && sh.spans[i].opened == slot.Opened && sh.reserved[i] > 0 {
			sh.reserved[i]--
		}
		sh.Unlock()
	}
	return nil
}

// Reset implements stores.Limiter.
func (l *Limiter) Reset(ctx context.Context, keys ...stores.Digest) error {
	if err := ended(ctx); err != nil {
		return err
	}
	for _, key := range keys {
		sh := l.shard(key)
		sh.Lock()
		if i, found := sh.find(short(key)); found {
			sh.remove(i)
			l.count.Add(-1)
		}
		sh.Unlock()
	}
	return nil
}

// Prune implements stores.Pruner.
func (l *Limiter) Prune(ctx context.Context, now time.Time) (int, error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	return l.prune(now.UnixMicro()), nil
}

func (l *Limiter) prune(now int64) int {
	n := 0
	for i := range l.shards {
		n += l.pruneShard(&l.shards[i], now)
	}
	return n
}

// makeRoom deletes the windows that have ended from the first shard that has any,
// and reports whether there was such a shard.
func (l *Limiter) makeRoom(now int64) bool {
	for i := range l.shards {
		if l.pruneShard(&l.shards[i], now) > 0 {
			return true
		}
	}
	return false
}

func (l *Limiter) pruneShard(sh *limiterShard, now int64) int {
	if sh.firstEnd.Load() > now {
		return 0
	}
	sh.Lock()
	defer sh.Unlock()
	n, firstEnd := sh.prune(now)
	sh.firstEnd.Store(firstEnd)
	l.count.Add(-int64(n))
	return n
}

// ask returns the result of a Reserve or a Peek, without receipts.
func (l *Limiter) ask(now int64, windows []stores.Window) stores.Grant {
	g := stores.Grant{Full: -1}
	for n, w := range windows {
		sh := l.shard(w.Key)
		reserved, left := int64(0), micro(w.Period)
		if i, live := sh.live(short(w.Key), now); live {
			reserved, left = int64(sh.reserved[i]), sh.spans[i].ends-now
		}
		// A key that is named twice counts twice.
		for _, earlier := range windows[:n] {
			if short(earlier.Key) == short(w.Key) {
				reserved++
			}
		}
		if reserved < min(int64(w.Limit), math.MaxUint32) {
			continue
		}
		if g.OK() {
			g.Full = n
		}
		left = min(left, math.MaxInt64/int64(time.Microsecond))
		g.RetryAfter = max(g.RetryAfter, time.Duration(left)*time.Microsecond)
	}
	return g
}

// added returns how many of the windows are not in their tables.
func (l *Limiter) added(windows []stores.Window) (n int64) {
next:
	for i, w := range windows {
		if _, found := l.shard(w.Key).find(short(w.Key)); found {
			continue
		}
		for _, earlier := range windows[:i] {
			if short(earlier.Key) == short(w.Key) {
				continue next
			}
		}
		n++
	}
	return n
}

// reserve reserves a slot of a window and returns when the window began.
func (sh *limiterShard) reserve(now int64, w stores.Window) (opened int64) {
	k := short(w.Key)
	i, live := sh.live(k, now)
	if !live {
		ends := now + micro(w.Period)
		if ends == 0 {
			ends = 1 // 0 means that the place is free
		}
		i = sh.put(k, span{now, ends})
		sh.firstEnd.Store(min(sh.firstEnd.Load(), ends))
	}
	sh.reserved[i]++
	return sh.spans[i].opened
}

// micro returns a period in microseconds, at least one. A window of length zero would
// limit nothing.
func micro(period time.Duration) int64 {
	return max(1, int64((period+time.Microsecond-1)/time.Microsecond))
}

func short(key stores.Digest) windowKey { return windowKey(key[:len(windowKey{})]) }

func (l *Limiter) shard(key stores.Digest) *limiterShard { return &l.shards[key[0]] }

// shardSet is a set of shard numbers.
type shardSet [limiterShards / 64]uint64

// lock locks the shards of all windows, in ascending order, so that two calls never
// deadlock.
func (l *Limiter) lock(windows []stores.Window) (held shardSet) {
	for _, w := range windows {
		held[w.Key[0]/64] |= 1 << (w.Key[0] % 64)
	}
	held.each(func(i int) { l.shards[i].Lock() })
	return held
}

func (l *Limiter) unlock(held shardSet) {
	held.each(func(i int) { l.shards[i].Unlock() })
}

// each calls f for each number in the set, in ascending order.
func (s shardSet) each(f func(i int)) {
	for word, left := range s {
		for ; left != 0; left &= left - 1 {
			f(64*word + bits.TrailingZeros64(left))
		}
	}
}
