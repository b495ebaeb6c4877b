package request

import "sync"

// Results remembers one result for each key. The first one costs no further memory, because
// most requests have one. The zero Results is empty. The zero K is not a key. It is safe for
// concurrent use.
type Results[K comparable, V any] struct {
	mu     sync.Mutex
	key    K // zero as long as there is no result
	value  V
	others map[K]V
}

// Get returns the result of a key.
func (r *Results[K, V]) Get(key K) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if none := *new(K); key != none && r.key == key {
		return r.value, true
	}
	value, ok = r.others[key]
	return value, ok
}

// Put sets the result of a key.
func (r *Results[K, V]) Put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if none := *new(K); r.key == none || r.key == key {
		r.key, r.value = key, value
		return
	}
	if r.others == nil {
		r.others = make(map[K]V)
	}
	r.others[key] = value
}
