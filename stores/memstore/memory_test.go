//go:build !race

package memstore_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

func TestMemoryOfSessions(t *testing.T) {
	const n = 100_000
	for name, owned := range map[string]bool{"anonymous": false, "owned": true} {
		var rows []string
		got := bytesPer(n, func() any {
			s, made := fillSessions(t, n, owned)
			rows = made
			return s
		})
		// The names in rows do not belong to the store.
		got -= 16 + 32
		t.Logf("%s: %.0f bytes for each of %d sessions", name, got, len(rows))
		if got > 377 {
			t.Errorf("%s: a session takes %.0f bytes, want at most 377", name, got)
		}
	}
}

// TestMemoryIsGivenBack measures the memory that deleted sessions leave behind. The
// maps keep their size, which is a few bytes for each of the sessions.
func TestMemoryIsGivenBack(t *testing.T) {
	const n = 50_000
	got := bytesPer(n, func() any {
		s, rows := fillSessions(t, n, true)
		for _, row := range rows {
			if _, err := s.Delete(t.Context(), row); err != nil {
				t.Fatal(err)
			}
		}
		return s
	})
	t.Logf("%.0f bytes are left of each session", got)
	if got > 120 {
		t.Errorf("%.0f bytes are left of each session that was deleted, want at most 120", got)
	}
}

func TestMemoryOfFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("a million windows")
	}
	const n = 1_000_000
	victim := stores.Window{Key: key(-1), Limit: 5, Period: time.Hour}
	got := bytesPer(n, func() any {
		l := fillWindows(t, 0)
		for range 5 {
			if g, err := l.Reserve(t.Context(), noon, victim); err != nil || !g.OK() {
				t.Fatalf("Reserve: full %d, %v", g.Full, err)
			}
		}
		for i := range n {
			if _, err := l.Reserve(t.Context(), noon, stores.Window{Key: key(i), Limit: 5, Period: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		if g, err := l.Reserve(t.Context(), noon, victim); err != nil || g.OK() {
			t.Errorf("after the flood the victim's window is full %d, %v; want refused", g.Full, err)
		}
		return l
	})
	t.Logf("%.1f bytes for each of %d windows", got, n)
	if got*n > 60<<20 {
		t.Errorf("%d windows take %.0f MiB, want at most 60", n, got*n/(1<<20))
	}
}

func BenchmarkMemoryOfSessions(b *testing.B) {
	for name, owned := range map[string]bool{"anonymous": false, "owned": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(bytesPer(100_000, func() any {
					s, _ := fillSessions(b, 100_000, owned)
					return s
				}), "B/session")
			}
		})
	}
}

func BenchmarkMemoryOfTokens(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(bytesPer(100_000, func() any { return fillTokens(b, 100_000) }), "B/token")
	}
}

func BenchmarkMemoryOfWindows(b *testing.B) {
	for name, n := range map[string]int{"1e6": 1_000_000, "3e6": 3_000_000} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				each := bytesPer(n, func() any { return fillWindows(b, n) })
				b.ReportMetric(each, "B/window")
				b.ReportMetric(each*float64(n)/(1<<20), "MiB")
			}
		})
	}
}
