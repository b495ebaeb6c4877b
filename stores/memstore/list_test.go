package memstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// TestListReadsNoMoreThanItReturns lists a few of the 20,000 sessions of one owner.
func TestListReadsNoMoreThanItReturns(t *testing.T) {
	s := memstore.NewSessions(memstore.Options{PruneEvery: -1})
	defer s.Close()
	for i := range 20_000 {
		row := stores.Session{Row: fmt.Sprintf("%032x", i), Owners: []string{"u1"}, LastSeen: time.Now(), Expires: time.Now().Add(time.Hour)}
		if err := s.Create(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	bytes := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if rows, err := s.SessionsOf(b.Context(), "u1", 100); err != nil || len(rows) != 100 {
				b.Fatalf("%d rows, error %v", len(rows), err)
			}
		}
	}).AllocedBytesPerOp()
	if bytes > 128<<10 {
		t.Errorf("a list of 100 of 20,000 sessions allocates %d KiB", bytes>>10)
	}
	ended, err := s.CreateLimited(t.Context(), stores.Session{
		Row: fmt.Sprintf("%032x", 20_000), Owners: []string{"u1"}, LastSeen: time.Now(), Expires: time.Now().Add(time.Hour),
	}, 100)
	if err != nil || len(ended) != stores.MaxEnded {
		t.Errorf("CreateLimited ends %d rows, error %v; want %d", len(ended), err, stores.MaxEnded)
	}
}
