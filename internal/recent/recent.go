// Package recent caches results that are expensive to compute and never change.
package recent

import (
	"hash/maphash"
	"sync/atomic"
)

// Results is a cache for a function that always returns the same result for the
// same key. Its size is fixed: each key has one place, and a new key replaces
// the key in its place. Results is safe for concurrent use. Looking a result up
// takes no lock.
type Results[K comparable, V any] struct {
	seed   maphash.Seed
	places []atomic.Pointer[result[K, V]]
}

// result is an immutable pair of key and value.
type result[K comparable, V any] struct {
	key   K
	value V
}

// New returns a cache with n places. It panics if n is not positive.
func New[K comparable, V any](n int) *Results[K, V] {
	if n <= 0 {
		panic("recent: New: n must be positive")
	}
	return &Results[K, V]{seed: maphash.MakeSeed(), places: make([]atomic.Pointer[result[K, V]], n)}
}

// Get returns the cached value of a key. It returns false if there is none, or
// if another key took its place. Keys are compared completely, so Get never
// returns the value of another key. The comparison is not constant-time: keys
// must not be secrets that a client sends.
func (r *Results[K, V]) Get(key K) (value V, ok bool) {
	if known := r.place(key).Load(); known != nil && known.key == key {
		return known.value, true
	}
	return value, false
}

// Put caches the value of a key.
func (r *Results[K, V]) Put(key K, value V) {
	r.place(key).Store(&result[K, V]{key, value})
}

func (r *Results[K, V]) place(key K) *atomic.Pointer[result[K, V]] {
	return &r.places[maphash.Comparable(r.seed, key)%uint64(len(r.places))]
}
