package memstore

import (
	"hash/maphash"
	"math"
)

// windowKey is the first half of a limiter's key. Keys are HMACs under a secret of
// the application, so nobody can search for two keys with the same first 128 bits.
// Among millions of keys the probability that two have them is below 1 in 10^24.
type windowKey [16]byte

// span is the beginning and the end of a window, in microseconds since 1970. A free
// place has the end 0.
type span struct{ opened, ends int64 }

// A table is a hash table of windows with linear probing. A place takes 36 bytes.
// While the table grows, 75 % to 85 % of its places are used. A map of the same
// contents takes twice as much memory when it has just grown.
type table struct {
	seed     maphash.Seed
	keys     []windowKey
	spans    []span
	reserved []uint32
	used     int
}

const minPlaces = 8

// find returns the place of a key, or the place where it would be put.
func (t *table) find(k windowKey) (i int, found bool) {
	if len(t.keys) == 0 {
		return 0, false
	}
	for i = t.home(k); t.spans[i].ends != 0; i = t.next(i) {
		if t.keys[i] == k {
			return i, true
		}
	}
	return i, false
}

// live returns the place of a key's window, if it has not ended at that time.
func (t *table) live(k windowKey, now int64) (i int, found bool) {
	i, found = t.find(k)
	return i, found && t.spans[i].ends > now
}

// put stores a window without reserved slots and returns its place. It replaces a
// window with the same key.
func (t *table) put(k windowKey, s span) int {
	i, found := t.find(k)
	if !found {
		if 20*(t.used+1) > 17*len(t.keys) { // 85 %
			t.resize(max(4*(t.used+1)/3, minPlaces)) // 75 %
			i, _ = t.find(k)
		}
		t.used++
	}
	t.keys[i], t.spans[i], t.reserved[i] = k, s, 0
	return i
}

// remove frees a place, and moves windows into it that were put further back because
// the place was used.
func (t *table) remove(i int) {
	for j := t.next(i); t.spans[j].ends != 0; j = t.next(j) {
		// A window whose home lies behind i cannot move to i.
		if home := t.home(t.keys[j]); (j-home+len(t.keys))%len(t.keys) < (j-i+len(t.keys))%len(t.keys) {
			continue
		}
		t.keys[i], t.spans[i], t.reserved[i] = t.keys[j], t.spans[j], t.reserved[j]
		i = j
	}
	t.spans[i] = span{}
	t.used--
}

// prune removes the windows that have ended. It returns their number, and when the
// first of the other windows ends.
func (t *table) prune(now int64) (n int, firstEnd int64) {
	firstEnd = never
	for i := 0; i < len(t.spans); {
		switch ends := t.spans[i].ends; {
		case ends == 0:
			i++
		case ends <= now:
			// Another window may have moved here, so look again.
			t.remove(i)
			n++
		default:
			firstEnd = min(firstEnd, ends)
			i++
		}
	}
	if len(t.keys) > minPlaces && 4*t.used < len(t.keys) {
		t.resize(max(4*t.used/3, minPlaces))
	}
	return n, firstEnd
}

// resize moves all windows to a table with n places.
func (t *table) resize(n int) {
	old := *t
	t.keys, t.spans, t.reserved = make([]windowKey, n), make([]span, n), make([]uint32, n)
	for i, s := range old.spans {
		if s.ends != 0 {
			j, _ := t.find(old.keys[i])
			t.keys[j], t.spans[j], t.reserved[j] = old.keys[i], s, old.reserved[i]
		}
	}
}

// home returns the place where a key is put if that place is free.
func (t *table) home(k windowKey) int {
	h := maphash.Bytes(t.seed, k[:]) & math.MaxUint32
	return int(h * uint64(len(t.keys)) >> 32)
}

func (t *table) next(i int) int {
	if i++; i < len(t.keys) {
		return i
	}
	return 0
}
