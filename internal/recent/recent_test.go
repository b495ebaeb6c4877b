package recent_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/internal/recent"
)

type key struct{ a, b string }

func TestResults(t *testing.T) {
	r := recent.New[key, int](1000)
	if v, ok := r.Get(key{"a", "b"}); ok || v != 0 {
		t.Errorf("empty: %d, %t", v, ok)
	}
	r.Put(key{"a", "b"}, 1)
	for _, other := range []key{{"b", "a"}, {"ab", ""}, {"", "ab"}, {"a", ""}, {}} {
		if v, ok := r.Get(other); ok {
			t.Errorf("%q: %d", other, v)
		}
	}
	r.Put(key{"a", "b"}, 2)
	if v, ok := r.Get(key{"a", "b"}); !ok || v != 2 {
		t.Errorf("put again: %d, %t", v, ok)
	}
}

// TestFullCacheReplacesResults checks that a new key replaces the key in its
// place, and that values are never confused.
func TestFullCacheReplacesResults(t *testing.T) {
	r := recent.New[string, int](8)
	kept := 0
	for i := range 1000 {
		r.Put(strconv.Itoa(i), i)
		if v, ok := r.Get(strconv.Itoa(i)); !ok || v != i {
			t.Fatalf("%d is not cached: %d, %t", i, v, ok)
		}
	}
	for i := range 1000 {
		if v, ok := r.Get(strconv.Itoa(i)); ok {
			if kept++; v != i {
				t.Errorf("%d has the value of %d", i, v)
			}
		}
	}
	if kept == 0 || kept > 8 {
		t.Errorf("%d results in 8 places", kept)
	}
	defer func() {
		if recover() == nil {
			t.Error("no room, no panic")
		}
	}()
	recent.New[string, int](0)
}

func TestResultsAreSafeForConcurrentUse(t *testing.T) {
	r := recent.New[string, int](16)
	var done sync.WaitGroup
	begin := make(chan struct{})
	for g := range 8 {
		done.Go(func() {
			<-begin
			for i := range 2000 {
				n := (i * (g + 1)) % 64
				r.Put(strconv.Itoa(n), n)
				if v, ok := r.Get(strconv.Itoa((n + g) % 64)); ok && v != (n+g)%64 {
					t.Errorf("%d has the value of %d", (n+g)%64, v)
				}
			}
		})
	}
	close(begin)
	done.Wait()
}

func TestGetDoesNotAllocate(t *testing.T) {
	r := recent.New[key, [32]byte](16)
	k := key{"some", "key"}
	r.Put(k, [32]byte{1})
	if n := testing.AllocsPerRun(100, func() {
		if v, ok := r.Get(k); !ok || v[0] != 1 {
			t.Error("not cached")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
