package storetest

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Limiter tests an implementation of stores.Limiter, and of stores.Pruner if it
// has that. Beyond the sentences of the contract it holds these:
//
//   - A window ends at its beginning plus its period: a Reserve at that very time
//     begins the next one. So a fixed window admits up to twice its limit
//     within one period that lies across its end.
//   - A receipt is put back once. The count of a window does not go below zero
//     if it is put back more often, but then a slot that another holds is free
//     as well.
//   - A key that is named twice in one call counts twice.
//   - A clock that steps back admits nobody that it would not have admitted.
//   - An error comes with a Grant that is not OK.
func Limiter(t *testing.T, factory func(t *testing.T) stores.Limiter) {
	run(t, func(t *testing.T) limiter { return limiter{t, factory(t)} },
		slices.Concat(limiterRules, limiterRaces))
}

// limiter is a store under test. Its methods report errors to the test, so they
// may be called from any goroutine.
type limiter struct {
	*testing.T
	store stores.Limiter
}

// window returns a window of a new key, a minute long.
func window(limit int) stores.Window {
	return stores.Window{Key: newDigest(), Limit: limit, Period: time.Minute}
}

func (s limiter) take(now time.Time, windows ...stores.Window) stores.Grant {
	s.Helper()
	g, err := s.store.Reserve(s.Context(), now, windows...)
	if err != nil {
		s.Errorf("Reserve: %v", err)
	}
	return g
}

// takes takes n slots that have to be there, and returns their receipts.
func (s limiter) takes(now time.Time, n int, windows ...stores.Window) []stores.Slot {
	s.Helper()
	var slots []stores.Slot
	for i := range n {
		g := s.take(now, windows...)
		if !g.OK() || len(g.Slots) != len(windows) {
			s.Fatalf("Reserve number %d: full %d, %d receipts; want a slot in each of %d windows", i+1, g.Full, len(g.Slots), len(windows))
		}
		slots = append(slots, g.Slots...)
	}
	return slots
}

// refused checks that there is no slot, by Peek and by Reserve, that window full
// is the reason, and that it lasts as long as wait.
func (s limiter) refused(now time.Time, full int, wait time.Duration, windows ...stores.Window) {
	s.Helper()
	for name, g := range map[string]stores.Grant{"Peek": s.peek(now, windows...), "Reserve": s.take(now, windows...)} {
		if g.OK() || g.Full != full || len(g.Slots) != 0 {
			s.Errorf("%s: full %d, %d receipts; want full %d and none", name, g.Full, len(g.Slots), full)
		}
		if g.RetryAfter <= 0 || (g.RetryAfter-wait).Abs() > time.Microsecond {
			s.Errorf("%s: retry after %v, want %v", name, g.RetryAfter, wait)
		}
	}
}

func (s limiter) peek(now time.Time, windows ...stores.Window) stores.Grant {
	s.Helper()
	g, err := s.store.Peek(s.Context(), now, windows...)
	if err != nil {
		s.Errorf("Peek: %v", err)
	}
	return g
}

// taken checks how many slots of a window are taken.
func (s limiter) taken(now time.Time, w stores.Window, want int) {
	s.Helper()
	// As many as the smallest limit that has one left leaves.
	for n := 0; ; n++ {
		if w.Limit = n + 1; s.peek(now, w).OK() || n > want {
			if n != want {
				s.Errorf("%d slots of the window are taken (or more), want %d", n, want)
			}
			return
		}
	}
}

func (s limiter) putBack(slots ...stores.Slot) {
	s.Helper()
	if err := s.store.Refund(s.Context(), slots...); err != nil {
		s.Errorf("Refund: %v", err)
	}
}

func (s limiter) reset(keys ...stores.Digest) {
	s.Helper()
	if err := s.store.Reset(s.Context(), keys...); err != nil {
		s.Errorf("Reset: %v", err)
	}
}

var limiterRaces = []rule[limiter]{
	{"race-limit", "A window never admits more than its limit, and no less, however many ask at once.", limiterRaceLimit},
	{"race-refused", "A refused Reserve leaves no slot in the windows that had one, also when many run at once.", limiterRaceRefused},
	{"race-order", "Takes that name the same windows in another order neither wait for each other for ever nor admit too many.", limiterRaceOrder},
	{"race-refund", "Slots that are put back while others are taken are never given to more than the limit at once.", limiterRacePutBack},
	{"race-edge", "At the end of a window each of the two admits at most its limit.", limiterRaceEdge},
}

func limiterRaceLimit(s limiter) {
	w, now := window(5), present()
	var admitted, receipts atomic.Int64
	parallel(1000, func(int) {
		if g := s.take(now, w); g.OK() {
			admitted.Add(1)
			receipts.Add(int64(len(g.Slots)))
		}
	})
	if admitted.Load() != 5 || receipts.Load() != 5 {
		s.Errorf("%d of 1000 were admitted with %d receipts, want 5", admitted.Load(), receipts.Load())
	}
	s.refused(now, 0, w.Period, w)
}

func limiterRaceRefused(s limiter) {
	wide, narrow, now := window(1000), window(5), present()
	var admitted atomic.Int64
	parallel(200, func(int) {
		if s.take(now, wide, narrow).OK() {
			admitted.Add(1)
		}
	})
	if admitted.Load() != 5 {
		s.Errorf("%d of 200 were admitted, want 5", admitted.Load())
	}
	s.taken(now, wide, 5)
	s.taken(now, narrow, 5)
}

func limiterRaceOrder(s limiter) {
	now := present()
	windows := []stores.Window{window(1000), window(30), window(1000)}
	var admitted atomic.Int64
	parallel(100, func(i int) {
		order := slices.Clone(windows)
		slices.Reverse(order[i%2:])
		if s.take(now, order...).OK() {
			admitted.Add(1)
		}
	})
	if admitted.Load() != 30 {
		s.Errorf("%d of 100 were admitted, want 30", admitted.Load())
	}
	for _, w := range windows {
		s.taken(now, w, 30)
	}
}

func limiterRacePutBack(s limiter) {
	w, now := window(3), present()
	var holders, admitted atomic.Int64
	parallel(20, func(int) {
		for range rounds(8) {
			g := s.take(now, w)
			if !g.OK() {
				continue
			}
			admitted.Add(1)
			if n := holders.Add(1); n > 3 {
				s.Errorf("%d hold a slot of a window with 3", n)
			}
			holders.Add(-1)
			s.putBack(g.Slots...)
		}
	})
	if admitted.Load() == 0 {
		s.Error("nobody was admitted")
	}
	s.taken(now, w, 0)
}

func limiterRaceEdge(s limiter) {
	w, now := window(5), present()
	s.takes(now, 1, w)
	end := now.Add(w.Period)
	var before, after atomic.Int64
	parallel(200, func(i int) {
		if i%2 == 0 && s.take(end.Add(-time.Microsecond), w).OK() {
			before.Add(1)
		}
		if i%2 == 1 && s.take(end, w).OK() {
			after.Add(1)
		}
	})
	// One that comes late for the first window counts in the second.
	if n := before.Load() + after.Load(); n < 5 || n > 9 || after.Load() > 5 {
		s.Errorf("%d were admitted before the end and %d after, want 5 to 9 in all", before.Load(), after.Load())
	}
	s.taken(end, w, 5)
}
