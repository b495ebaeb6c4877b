package memstore_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// bench runs f serially and in parallel, each time with a random number below n.
func bench(b *testing.B, n int, f func(ctx context.Context, i int)) {
	ctx := b.Context()
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f(ctx, rand.IntN(n))
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				f(ctx, rand.IntN(n))
			}
		})
	})
}

func BenchmarkLoad(b *testing.B) {
	s, rows := fillSessions(b, 100_000, true)
	bench(b, len(rows), func(ctx context.Context, i int) {
		if _, ok, err := s.Load(ctx, rows[i]); !ok || err != nil {
			b.Error(ok, err)
		}
	})
}

// BenchmarkLoadHot loads rows that are in the processor's caches.
func BenchmarkLoadHot(b *testing.B) {
	s, rows := fillSessions(b, 100, true)
	bench(b, len(rows), func(ctx context.Context, i int) {
		if _, ok, err := s.Load(ctx, rows[i]); !ok || err != nil {
			b.Error(ok, err)
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	s, rows := fillSessions(b, 100_000, true)
	value := []byte("blue")
	bench(b, len(rows), func(ctx context.Context, i int) {
		d := stores.Delta{Set: map[string][]byte{"color": value}}
		if o, err := s.Update(ctx, rows[i], d); o != stores.Updated || err != nil {
			b.Error(o, err)
		}
	})
}

func BenchmarkTouch(b *testing.B) {
	s, rows := fillSessions(b, 100_000, false)
	bench(b, len(rows), func(ctx context.Context, i int) {
		now := noon.Add(time.Duration(rand.IntN(1e9)) * time.Microsecond)
		if o, err := s.Update(ctx, rows[i], stores.Delta{LastSeen: now, Expires: now.Add(time.Hour)}); o != stores.Updated || err != nil {
			b.Error(o, err)
		}
	})
}

func BenchmarkCreateFull(b *testing.B) {
	s := memstore.NewSessions(bounded(100_000))
	bench(b, 1, func(ctx context.Context, i int) {
		if err := s.Create(ctx, session("", 0)); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkReserve(b *testing.B) {
	l := fillWindows(b, 0)
	bench(b, 100_000, func(ctx context.Context, i int) {
		a := stores.Window{Key: key(i), Limit: 1 << 30, Period: time.Hour}
		c := stores.Window{Key: key(i / 100), Limit: 1 << 30, Period: time.Hour}
		if g, err := l.Reserve(ctx, noon, a, c); !g.OK() || err != nil {
			b.Error(g, err)
		}
	})
}

func BenchmarkReserveRefused(b *testing.B) {
	l := fillWindows(b, 0)
	w := stores.Window{Key: key(0), Limit: 0, Period: time.Hour}
	bench(b, 1, func(ctx context.Context, i int) {
		if g, err := l.Reserve(ctx, noon, w); g.OK() || err != nil {
			b.Error(g, err)
		}
	})
}

func BenchmarkFlood(b *testing.B) {
	b.Run("growing", func(b *testing.B) {
		l, i := memstore.NewLimiter(memstore.Options{PruneEvery: -1, MaxWindows: 1 << 30}), 0
		for b.Loop() {
			l.Reserve(b.Context(), noon, stores.Window{Key: key(i), Limit: 5, Period: time.Hour})
			i++
		}
	})
	// Each window that ends makes room for one new window.
	b.Run("full", func(b *testing.B) {
		l, i := memstore.NewLimiter(bounded(1_000_000)), 0
		for ; i < 1_000_000; i++ {
			l.Reserve(b.Context(), noon.Add(time.Duration(i)*time.Microsecond), stores.Window{Key: key(i), Limit: 5, Period: time.Second})
		}
		for b.Loop() {
			l.Reserve(b.Context(), noon.Add(time.Duration(i)*time.Microsecond), stores.Window{Key: key(i), Limit: 5, Period: time.Second})
			i++
		}
	})
}

func BenchmarkRotate(b *testing.B) {
	s := memstore.NewTokens(quiet)
	ctx, last := b.Context(), token(newID())
	last.Expires = noon.Add(time.Minute)
	if _, err := s.Create(ctx, last); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		child := last
		child.ID = newID()
		if r, err := s.Rotate(ctx, noon, last.ID, child); r != stores.RotateDone || err != nil {
			b.Fatal(r, err)
		}
		last = child
	}
}

// fillTokens returns a store with n refresh tokens, each in its own family.
func fillTokens(b *testing.B, n int) *memstore.Tokens {
	s := memstore.NewTokens(quiet)
	for range n {
		t := token(newID())
		t.Data = make([]byte, 16)
		if _, err := s.Create(b.Context(), t); err != nil {
			b.Fatal(err)
		}
	}
	return s
}
