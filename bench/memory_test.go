package bench_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// memoryBenchmarks are the benchmarks that BenchmarkJob does not run.
func memoryBenchmarks() []string {
	return []string{"session-memory/ginauth/100k", "session-memory/scs/100k", "session-memory/ginauth-expired/100k"}
}

// BenchmarkMemory reports the memory of a live session.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	b.Run("session-memory", func(b *testing.B) {
		for name, measure := range map[string]func(testing.TB, int) float64{
			"ginauth/100k":         memoryOfGinauth,
			"scs/100k":             memoryOfSCS,
			"ginauth-expired/100k": memoryOfExpired,
		} {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					b.ReportMetric(measure(b, n), "B/session")
				}
			})
		}
	})
}

// TestMemory checks that the memory benchmarks measure something.
func TestMemory(t *testing.T) {
	const n = 2000
	ours, theirs, left := memoryOfGinauth(t, n), memoryOfSCS(t, n), memoryOfExpired(t, n)
	t.Logf("ginauth %.0f, scs %.0f, left after expiry %.0f bytes", ours, theirs, left)
	for _, each := range []float64{ours, theirs} {
		if each < 100 || each > 5000 {
			t.Errorf("a session takes %.0f bytes", each)
		}
	}
	if left > ours/2 {
		t.Errorf("%.0f bytes are left of a session of %.0f", left, ours)
	}
}

func memoryOfGinauth(tb testing.TB, n int) float64 {
	return memoryOf(n, func() any { return fill(tb, ginauthSessions(tb, stores.Set{}), n) })
}

func memoryOfSCS(tb testing.TB, n int) float64 {
	return memoryOf(n, func() any { return fill(tb, scsSessions(tb, nil), n) })
}

// memoryOfExpired measures the memory that remains after all sessions have
// expired.
func memoryOfExpired(tb testing.TB, n int) float64 {
	return memoryOf(n, func() any {
		store := memstore.NewSessions(memstore.Options{})
		tb.Cleanup(func() { _ = store.Close() })
		rest := memstore.New(memstore.Options{})
		tb.Cleanup(func() { _ = rest.Close() })
		fill(tb, ginauthSessions(tb, stores.Set{Sessions: store, Tokens: rest.Tokens, Limiter: rest.Limiter}), n)
		if pruned, err := store.Prune(context.Background(), time.Now().Add(48*time.Hour)); err != nil || pruned != n {
			tb.Fatalf("%d of %d sessions expired: %v", pruned, n, err)
		}
		return store
	})
}

// fill starts n sessions.
func fill(tb testing.TB, handler http.Handler, n int) http.Handler {
	for i := range n {
		if w := send(handler, "POST", "/open/"+userID(i), i, nil); w.Code != http.StatusOK {
			tb.Fatal(w.Code, w.Body)
		}
	}
	return handler
}

// memoryOf returns the heap memory of each of n things that f creates, in
// bytes.
func memoryOf(n int, f func() any) float64 {
	before := heap()
	made := f()
	after := heap()
	runtime.KeepAlive(made)
	return float64(after-before) / float64(n)
}

// heap returns the size of all live objects in bytes.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // the second run frees the contents of pools
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
