package storetest

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var limiterRules = []rule[limiter]{
	{"limit", "A window has as many slots as its limit, and each Reserve returns a receipt.", limiterLimit},
	{"limit-none", "A limit of zero or less refuses, also together with windows that have free slots.", limiterNone},
	{"windows-none", "A Reserve without windows is granted.", limiterNoWindows},
	{"windows-all", "Reserve reserves a slot in each window or in none, and returns the index of the first full window.", limiterAll},
	{"windows-refused", "A refused Reserve neither begins nor prolongs a window.", limiterRefusedNeverBegins},
	{"windows-twice", "A key that is named twice in one call counts twice.", limiterTwice},
	{"windows-changed", "Each call uses its own limit. The call that begins a window fixes its end.", limiterChanged},
	{"keys", "Each key is counted separately.", limiterKeys},
	{"retry-after", "RetryAfter is the time until the full window ends; if several are full, the longest time.", limiterRetry},
	{"end", "A window begins with its first slot and ends exactly one period later.", limiterEnd},
	{"peek", "Peek returns what Reserve would return, reserves nothing and begins no window.", limiterPeek},
	{"refund", "Refund frees the slot and does not change when the window ends.", limiterRefund},
	{"refund-late", "A refund for a window that has ended does not change the next window.", limiterRefundLate},
	{"refund-twice", "The number of reserved slots never becomes negative.", limiterRefundTwice},
	{"settle", "Settle refunds slots and resets windows, and changes no others.", limiterSettle},
	{"reset", "Reset deletes the windows of the given keys and no others.", limiterReset},
	{"clock-back", "After a clock was set back, no more than the limit is admitted.", limiterClockBack},
	{"options", "(lists the optional capabilities that are missing)", func(s limiter) {
		_, pruner := s.store.(stores.Pruner)
		listMissing(s.T, s.store, map[string]bool{"stores.Pruner": pruner})
	}},
	{"prune", "Prune deletes the windows that ended at or before now, and does not change the others.", limiterPrune},
	{"context", "If the context has ended, every method returns an error that wraps the context's error, and changes nothing.", limiterContext},
}

func limiterLimit(s limiter) {
	w, now := window(5), present()
	for _, slot := range s.reserves(now, 5, w) {
		if slot.Key != w.Key || slot.Opened != now.UnixMicro() {
			s.Errorf("the receipt is for key %v opened %d, want %v and %d", slot.Key, slot.Opened, w.Key, now.UnixMicro())
		}
	}
	for range 3 {
		s.refused(now, 0, w.Period, w)
	}
	s.reserved(now, w, 5)
}

func limiterNone(s limiter) {
	now := present()
	open, zero, negative := window(5), window(0), window(-1)
	s.refused(now, 0, time.Minute, zero)
	s.refused(now, 0, time.Minute, negative)
	s.refused(now, 1, time.Minute, open, zero)
	s.refused(now, 0, time.Minute, negative, open)
	s.reserved(now, open, 0)
}

func limiterNoWindows(s limiter) {
	s.reserves(present(), 1)
	if g := s.peek(present()); !g.OK() {
		s.Errorf("Peek of no windows: full %d", g.Full)
	}
	s.refund()
	s.reset()
}

func limiterAll(s limiter) {
	now := present()
	a, b, c := window(3), window(2), window(1)
	slots := s.reserves(now, 1, a, b, c)
	for i, w := range []stores.Window{a, b, c} {
		if slots[i].Key != w.Key {
			s.Errorf("receipt %d is not for window %d", i, i)
		}
	}
	s.refused(now, 2, time.Minute, a, b, c)
	s.refused(now, 0, time.Minute, c, b, a)
	s.reserves(now, 1, a, b)
	s.refused(now, 1, time.Minute, a, b, c)
	s.refused(now, 1, time.Minute, a, c, b)
	s.reserved(now, a, 2)
	s.reserved(now, b, 2)
	s.reserved(now, c, 1)
}

func limiterRefusedNeverBegins(s limiter) {
	now := present()
	full, fresh := window(1), window(1)
	full.Period = time.Hour
	s.reserves(now, 1, full)
	s.refused(now, 1, time.Hour, fresh, full)
	s.refused(now.Add(time.Second), 0, time.Hour-time.Second, full, fresh)

	// The window fresh begins only now.
	later := now.Add(30 * time.Second)
	s.reserves(later, 1, fresh)
	s.refused(now.Add(time.Minute), 0, 30*time.Second, fresh)
	s.refused(now.Add(time.Minute), 0, 59*time.Minute, full)
	s.reserves(later.Add(time.Minute), 1, fresh)
	s.reserves(now.Add(time.Hour), 1, full)
}

func limiterTwice(s limiter) {
	now := present()
	w, one := window(3), window(1)
	s.reserves(now, 1, w, w)
	s.reserved(now, w, 2)
	s.refused(now, 1, time.Minute, w, w)
	s.reserved(now, w, 2)
	s.reserves(now, 1, w)
	s.refused(now, 1, time.Minute, one, one)
	s.reserved(now, one, 0)

	five := window(5)
	s.refund(s.reserves(now, 1, five, five)...)
	s.reserved(now, five, 0)
}

func limiterChanged(s limiter) {
	now := present()
	w := window(5)
	s.reserves(now, 3, w)
	tight, long, short := w, w, w
	tight.Limit, long.Period, short.Period = 3, time.Hour, time.Second
	s.refused(now, 0, time.Minute, tight)
	s.reserves(now, 1, long)
	s.reserves(now.Add(time.Second), 1, short)
	s.refused(now.Add(2*time.Second), 0, 58*time.Second, long)
	s.reserves(now.Add(time.Minute), 1, w)
}

func limiterKeys(s limiter) {
	now := present()
	// These names would be the same if their parts were joined by a separator that
	// names may contain. Their digests differ.
	names := []string{"", "|", "a|b", "a", "b", "a:b", "ab", "a\nb", "A|B", "a|b ", "\x00"}
	windows := make([]stores.Window, len(names))
	for i, name := range names {
		windows[i] = stores.Window{Key: sha256.Sum256([]byte(name)), Limit: i + 1, Period: time.Minute}
		s.reserves(now, i+1, windows[i])
	}
	for i, w := range windows {
		s.refused(now, 0, time.Minute, w)
		s.reserved(now, w, i+1)
	}
	for range 50 {
		s.reserves(now, 1, window(1))
	}
	s.reserved(now, windows[0], 1)
}

func limiterPeek(s limiter) {
	w, other, now := window(1), window(1), present()
	for range 3 {
		if g := s.peek(now, w, other); !g.OK() || len(g.Slots) != 0 || g.RetryAfter != 0 {
			s.Errorf("Peek of free windows: full %d, %d receipts, retry after %v", g.Full, len(g.Slots), g.RetryAfter)
		}
	}
	// If Peek had begun the window, it would end earlier.
	later := now.Add(30 * time.Second)
	s.reserves(later, 1, w)
	s.refused(now.Add(w.Period), 0, 30*time.Second, w)
	s.refused(later, 1, w.Period, other, w)
	if g := s.peek(later.Add(w.Period), w); !g.OK() {
		s.Error("Peek refuses a window that has ended")
	}
	s.refused(later.Add(w.Period-time.Microsecond), 0, time.Microsecond, w)
}

func limiterReset(s limiter) {
	a, b, kept, now := window(2), window(1), window(1), present()
	slots := s.reserves(now, 1, a)
	s.reserves(now, 1, a, b, kept)
	s.reset(a.Key, newDigest(), b.Key)
	s.reserved(now, a, 0)
	s.reserved(now, b, 0)
	s.refused(now, 0, time.Minute, kept)

	// The next slot begins a window to which the old receipt does not belong.
	later := now.Add(30 * time.Second)
	s.reserves(later, 2, a)
	s.refund(slots...)
	s.refused(now.Add(time.Minute), 0, 30*time.Second, a)
}

func limiterSettle(s limiter) {
	reset, refunded, kept, now := window(3), window(3), window(1), present()
	old := s.reserves(now, 1, reset, refunded, kept)
	slots := s.reserves(now, 1, reset, refunded)
	s.settle([]stores.Slot{slots[1]}, reset.Key, newDigest())
	s.reserved(now, reset, 0)
	s.reserved(now, refunded, 1)
	s.refused(now, 0, time.Minute, kept)

	// The next slot of a window that was reset begins it, and no old receipt is for it.
	later := now.Add(30 * time.Second)
	s.reserves(later, 3, reset)
	s.settle([]stores.Slot{old[0], old[1], old[1]}, kept.Key)
	s.refused(later, 0, time.Minute, reset)
	s.reserved(later, refunded, 0)
	s.reserved(later, kept, 0)
	s.settle(nil, reset.Key)
	s.reserved(later, reset, 0)
	s.settle(nil)
}

func limiterClockBack(s limiter) {
	w, part, now := window(5), window(5), present()
	s.reserves(now, 5, w)
	s.reserves(now, 3, part)
	admitted := 0
	for _, at := range []time.Time{now.Add(-time.Hour), now.Add(-time.Microsecond), now.Add(-24 * time.Hour), now.Add(-time.Hour)} {
		if g := s.reserve(at, w); g.OK() || g.RetryAfter <= 0 {
			s.Errorf("at %v a full window admits (full %d) or says to retry after %v", at, g.Full, g.RetryAfter)
		}
		s.peek(at, w)
		if s.reserve(at, part).OK() {
			admitted++
		}
	}
	if admitted > 2 {
		s.Errorf("a window of 5 slots, 3 of them reserved, admitted %d more after the clock was set back", admitted)
	}
	s.refused(now, 0, w.Period, w)
	s.reserves(now.Add(w.Period), 5, w)
}

func limiterPrune(s limiter) {
	pruner := capability[stores.Pruner](s.T, s.store, "stores.Pruner")
	now := present()
	ended, live, longer := window(1), window(3), window(1)
	longer.Period = time.Hour
	s.reserves(now, 1, ended, longer)
	s.reserves(now.Add(time.Microsecond), 2, live)

	end := now.Add(ended.Period)
	for i, want := range []int{1, 0} {
		if n, err := pruner.Prune(s.Context(), end); err != nil || n != want {
			s.Errorf("Prune number %d = %d, error %v; want %d", i+1, n, err, want)
		}
	}
	s.reserved(end, live, 2)
	s.reserved(end, longer, 1)
	s.refused(end, 0, 59*time.Minute, longer)
	s.reserves(end, 1, live)
	s.refused(end, 0, time.Microsecond, live)
	s.reserves(end, 1, ended)
}

func limiterContext(s limiter) {
	w, fresh, now := window(2), window(1), present()
	slots := s.reserves(now, 1, w)
	refusesEnded(s.T, []call{
		{"Reserve", func(ctx context.Context) error {
			g, err := s.store.Reserve(ctx, now, w, fresh)
			if g.OK() {
				s.Error("an error comes with a grant")
			}
			return err
		}},
		{"Peek", func(ctx context.Context) error {
			g, err := s.store.Peek(ctx, now, w)
			if g.OK() {
				s.Error("an error comes with a grant")
			}
			return err
		}},
		{"Refund", func(ctx context.Context) error { return s.store.Refund(ctx, slots...) }},
		{"Reset", func(ctx context.Context) error { return s.store.Reset(ctx, w.Key) }},
		{"Settle", func(ctx context.Context) error { return stores.Settle(ctx, s.store, slots, []stores.Digest{w.Key}) }},
	})
	if pruner, ok := s.store.(stores.Pruner); ok {
		refusesEnded(s.T, []call{{"Prune", func(ctx context.Context) error {
			_, err := pruner.Prune(ctx, now.Add(time.Hour))
			return err
		}}})
	}
	s.reserved(now, w, 1)
	s.reserved(now, fresh, 0)
}
