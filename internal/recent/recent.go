// Package recent remembers results that are dear to make and never change.
package recent

import (
	"hash/maphash"
	"sync/atomic"
)

// Results are the latest results of a function of K that gives the same result
// for the same key each time. They are bounded: each key has one place, which the
// next key that falls there takes from it. Results are safe for concurrent use,
// and looking one up takes no lock.
type Results[K comparable, V any] struct {
	seed   maphash.Seed
	places []atomic.Pointer[result[K, V]]
}

// result is a key with its value. It does not change.
type result[K comparable, V any] struct {
	key   K
	value V
}

// New returns room for n results. It panics if n is not positive.
func New[K comparable, V any](n int) *Results[K, V] {
	if n <= 0 {
		panic("recent: no room")
	}
	return &Results[K, V]{seed: maphash.MakeSeed(), places: make([]atomic.Pointer[result[K, V]], n)}
}

// Get returns what was put under the key, unless another key took its place.
// Keys are compared whole, so no other key's value is ever returned. The time
// this takes may depend on the keys: none is to be a secret that a client sends.
func (r *Results[K, V]) Get(key K) (value V, ok bool) {
	if known := r.place(key).Load(); known != nil && known.key == key {
		return known.value, true
	}
	return value, false
}

// Put remembers the value of a key.
func (r *Results[K, V]) Put(key K, value V) {
	r.place(key).Store(&result[K, V]{key, value})
}

func (r *Results[K, V]) place(key K) *atomic.Pointer[result[K, V]] {
	return &r.places[maphash.Comparable(r.seed, key)%uint64(len(r.places))]
}
