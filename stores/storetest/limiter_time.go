package storetest

import (
	"time"

	"github.com/ginauth/ginauth/stores"
)

func limiterRetry(s limiter) {
	now := present()
	short, long, free := window(1), window(2), window(9)
	short.Period, long.Period, free.Period = time.Minute, time.Hour, 24*time.Hour
	s.reserves(now, 1, long)
	opened := now.Add(10 * time.Second)
	s.reserves(opened, 1, short, long, free)

	for after := time.Duration(0); after < short.Period; after += 13 * time.Second {
		at, left := opened.Add(after), long.Period-10*time.Second-after
		s.refused(at, 0, short.Period-after, short)
		s.refused(at, 1, short.Period-after, free, short)
		s.refused(at, 0, left, short, long)
		s.refused(at, 0, left, long, short, free)
	}
	s.refused(opened.Add(short.Period-time.Microsecond), 0, time.Microsecond, short)
	if g := s.reserve(opened, free); g.RetryAfter != 0 {
		s.Errorf("a granted Reserve says to retry after %v", g.RetryAfter)
	}
}

func limiterEnd(s limiter) {
	w, now := window(2), present()
	s.reserves(now, 1, w)
	// Neither the second slot nor a refusal changes the end.
	s.reserves(now.Add(50*time.Second), 1, w)
	s.refused(now.Add(w.Period-time.Microsecond), 0, time.Microsecond, w)
	second := now.Add(w.Period)
	s.reserved(second, w, 0)
	slots := s.reserves(second, 2, w)
	if slots[0].Opened != second.UnixMicro() {
		s.Errorf("the second window is said to be opened at %d, want %d", slots[0].Opened, second.UnixMicro())
	}
	s.refused(second, 0, w.Period, w)
	s.refused(now.Add(2*w.Period-time.Microsecond), 0, time.Microsecond, w)

	third := now.Add(5 * w.Period)
	s.reserves(third, 2, w)
	s.refused(third, 0, w.Period, w)
}

func limiterRefund(s limiter) {
	a, b, now := window(2), window(2), present()
	slots := s.reserves(now, 2, a, b)
	s.refund(slots[0])
	s.reserved(now, a, 1)
	s.reserved(now, b, 2)
	s.refund(slots[1:]...)
	s.reserved(now, a, 0)
	s.reserved(now, b, 0)

	s.reserves(now.Add(30*time.Second), 2, a)
	s.refused(now.Add(40*time.Second), 0, 20*time.Second, a)
	s.reserves(now.Add(a.Period), 2, a)
	s.refund(stores.Slot{Key: newDigest(), Opened: now.UnixMicro()})
}

func limiterRefundLate(s limiter) {
	w, now := window(2), present()
	old := s.reserves(now, 2, w)
	next := now.Add(w.Period)
	s.reserves(next, 2, w)
	s.refund(old...)
	s.refused(next, 0, w.Period, w)

	// It does not change a window that began after a Reset either.
	s.reset(w.Key)
	s.reserves(next.Add(time.Second), 2, w)
	s.refund(old...)
	s.reserved(next.Add(time.Second), w, 2)
}

func limiterRefundTwice(s limiter) {
	w, now := window(2), present()
	slot := s.reserves(now, 1, w)[0]
	s.refund(slot, slot)
	s.refund(slot)
	s.reserved(now, w, 0)
	s.reserves(now, 2, w)
	s.refused(now, 0, w.Period, w)
}
