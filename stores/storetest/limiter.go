package storetest

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Limiter tests an implementation of stores.Limiter, and of stores.Pruner if it
// implements that. These are consequences of the contract:
//
//   - A window ends at its beginning plus its period. A Reserve at exactly that time
//     begins the next window. So up to twice the limit can be admitted within one period
//     that includes the end of a window.
//   - A receipt must be refunded only once. If it is refunded more often, the number of
//     reserved slots does not become negative, but a slot of somebody else becomes free.
//   - A key that is named twice in one call counts twice.
//   - After a clock was set back, no more is admitted than before.
//   - A Grant that is returned with an error is not OK.
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

// window returns a window with a new key and a period of one minute.
func window(limit int) stores.Window {
	return stores.Window{Key: newDigest(), Limit: limit, Period: time.Minute}
}

func (s limiter) reserve(now time.Time, windows ...stores.Window) stores.Grant {
	s.Helper()
	g, err := s.store.Reserve(s.Context(), now, windows...)
	if err != nil {
		s.Errorf("Reserve: %v", err)
	}
	return g
}

// reserves makes n Reserves, which have to be granted, and returns the receipts.
func (s limiter) reserves(now time.Time, n int, windows ...stores.Window) []stores.Slot {
	s.Helper()
	var slots []stores.Slot
	for i := range n {
		g := s.reserve(now, windows...)
		if !g.OK() || len(g.Slots) != len(windows) {
			s.Fatalf("Reserve number %d: full %d, %d receipts; want a slot in each of %d windows", i+1, g.Full, len(g.Slots), len(windows))
		}
		slots = append(slots, g.Slots...)
	}
	return slots
}

// refused checks that Peek and Reserve are refused, because the window with the index full
// is full, and that they return wait as RetryAfter.
func (s limiter) refused(now time.Time, full int, wait time.Duration, windows ...stores.Window) {
	s.Helper()
	for name, g := range map[string]stores.Grant{"Peek": s.peek(now, windows...), "Reserve": s.reserve(now, windows...)} {
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

// reserved checks how many slots of a window are reserved.
func (s limiter) reserved(now time.Time, w stores.Window, want int) {
	s.Helper()
	// If n slots are reserved, n + 1 is the smallest limit that leaves a free slot.
	for n := 0; ; n++ {
		if w.Limit = n + 1; s.peek(now, w).OK() || n > want {
			if n != want {
				s.Errorf("%d slots of the window are reserved (or more), want %d", n, want)
			}
			return
		}
	}
}

func (s limiter) refund(slots ...stores.Slot) {
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

func (s limiter) settle(refund []stores.Slot, reset ...stores.Digest) {
	s.Helper()
	if err := stores.Settle(s.Context(), s.store, refund, reset); err != nil {
		s.Errorf("Settle: %v", err)
	}
}

var limiterRaces = []rule[limiter]{
	{"race-limit", "Of any number of parallel Reserves exactly as many are granted as the limit allows.", limiterRaceLimit},
	{"race-refused", "A refused Reserve keeps no slot in the other windows, also when many run in parallel.", limiterRaceRefused},
	{"race-order", "Reserves that name the same windows in different orders neither deadlock nor exceed the limit.", limiterRaceOrder},
	{"race-refund", "If slots are refunded and reserved in parallel, no more slots than the limit are reserved at any moment.", limiterRaceRefund},
	{"race-edge", "Around the end of a window, each of the two windows admits at most its limit.", limiterRaceEdge},
}

func limiterRaceLimit(s limiter) {
	w, now := window(5), present()
	var admitted, receipts atomic.Int64
	parallel(1000, func(int) {
		if g := s.reserve(now, w); g.OK() {
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
		if s.reserve(now, wide, narrow).OK() {
			admitted.Add(1)
		}
	})
	if admitted.Load() != 5 {
		s.Errorf("%d of 200 were admitted, want 5", admitted.Load())
	}
	s.reserved(now, wide, 5)
	s.reserved(now, narrow, 5)
}

func limiterRaceOrder(s limiter) {
	now := present()
	windows := []stores.Window{window(1000), window(30), window(1000)}
	var admitted atomic.Int64
	parallel(100, func(i int) {
		order := slices.Clone(windows)
		slices.Reverse(order[i%2:])
		if s.reserve(now, order...).OK() {
			admitted.Add(1)
		}
	})
	if admitted.Load() != 30 {
		s.Errorf("%d of 100 were admitted, want 30", admitted.Load())
	}
	for _, w := range windows {
		s.reserved(now, w, 30)
	}
}

func limiterRaceRefund(s limiter) {
	w, now := window(3), present()
	var holders, admitted atomic.Int64
	parallel(20, func(int) {
		for range rounds(8) {
			g := s.reserve(now, w)
			if !g.OK() {
				continue
			}
			admitted.Add(1)
			if n := holders.Add(1); n > 3 {
				s.Errorf("%d hold a slot of a window with 3", n)
			}
			holders.Add(-1)
			s.refund(g.Slots...)
		}
	})
	if admitted.Load() == 0 {
		s.Error("nobody was admitted")
	}
	s.reserved(now, w, 0)
}

func limiterRaceEdge(s limiter) {
	w, now := window(5), present()
	s.reserves(now, 1, w)
	end := now.Add(w.Period)
	var before, after atomic.Int64
	parallel(200, func(i int) {
		if i%2 == 0 && s.reserve(end.Add(-time.Microsecond), w).OK() {
			before.Add(1)
		}
		if i%2 == 1 && s.reserve(end, w).OK() {
			after.Add(1)
		}
	})
	// A Reserve that comes too late for the first window counts in the second.
	if n := before.Load() + after.Load(); n < 5 || n > 9 || after.Load() > 5 {
		s.Errorf("%d were admitted before the end and %d after, want 5 to 9 in all", before.Load(), after.Load())
	}
	s.reserved(end, w, 5)
}
