package stores

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// Limits of a session's values. A change that would exceed them is refused when it
// is made.
const (
	// MaxKey is the largest length of a key, in bytes.
	MaxKey = 255
	// MaxValues is the largest encoded size of all keys of a session with their
	// values, in bytes.
	MaxValues = 512 * 1024 // 512 KiB
	// MaxKeys is how many keys an application can give a session. Stores accept
	// more: those that features keep, and those of parallel requests together.
	MaxKeys = 1024
)

// valuesVersion is the first byte of encoded Values.
const valuesVersion = 1

// Values is an immutable set of keys with their encoded values. The zero value is
// empty. A set is one block of memory, so a million sets take little more memory
// than their contents. Get reads the block from its beginning; for the few keys of
// a session that is faster than a map.
type Values struct {
	// packed is "", or the version byte and the pairs in ascending order of
	// their keys. A pair is a length, the key, a length and the value. Lengths
	// are uvarints.
	packed string
}

// ParseValues decodes what Encoded returned. It returns an error that wraps
// ErrCorrupt for any other data.
func ParseValues(data []byte) (Values, error) {
	if len(data) == 0 {
		return Values{}, nil
	}
	if len(data) > MaxValues || data[0] != valuesVersion {
		return Values{}, fmt.Errorf("%w: session values: size or version", ErrCorrupt)
	}
	v := Values{packed: string(data)}
	rest, last, first := v.packed[1:], "", true
	for rest != "" {
		key, _, tail, ok := cutPair(rest)
		// Because keys ascend, no key occurs twice.
		if !ok || len(key) > MaxKey || (!first && key <= last) {
			return Values{}, fmt.Errorf("%w: session values: malformed pair", ErrCorrupt)
		}
		rest, last, first = tail, key, false
	}
	return v, nil
}

// NewValues returns the set of the given pairs.
func NewValues(pairs map[string][]byte) Values {
	return Values{}.With(Delta{Set: pairs})
}

// Encoded returns the set in the form that ParseValues reads. The encoding of the
// empty set is empty.
func (v Values) Encoded() []byte { return []byte(v.packed) }

// Size returns the size of the encoding in bytes.
func (v Values) Size() int { return len(v.packed) }

// Len returns the number of keys.
func (v Values) Len() int {
	n := 0
	for range v.All() {
		n++
	}
	return n
}

// Get returns the value of a key.
func (v Values) Get(key string) (value string, found bool) {
	for k, val := range v.All() {
		if k == key {
			return val, true
		}
		if k > key {
			break
		}
	}
	return "", false
}

// All returns the pairs in ascending order of their keys.
func (v Values) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if v.packed == "" {
			return
		}
		for rest := v.packed[1:]; rest != ""; {
			key, value, tail, ok := cutPair(rest)
			if !ok || !yield(key, value) {
				return
			}
			rest = tail
		}
	}
}

// With returns the set as changed by d.Set, d.Remove and d.Clear.
func (v Values) With(d Delta) Values {
	if d.Clear {
		v = Values{}
	}
	if len(d.Set) == 0 && len(d.Remove) == 0 {
		return v
	}
	size := v.SizeWith(d)
	if size == 0 {
		return Values{}
	}
	added := make([]string, 0, len(d.Set))
	for key := range d.Set {
		added = append(added, key)
	}
	slices.Sort(added)
	gone := removalOf(d)
	var packed strings.Builder
	packed.Grow(size) // exactly, because the session keeps the whole buffer
	packed.WriteByte(valuesVersion)
	for key, value := range v.All() {
		for len(added) > 0 && added[0] <= key {
			writePair(&packed, added[0], d.Set[added[0]])
			added = added[1:]
		}
		if _, replaced := d.Set[key]; !replaced && !gone.has(key) {
			writePair(&packed, key, value)
		}
	}
	for _, key := range added {
		writePair(&packed, key, d.Set[key])
	}
	return Values{packed: packed.String()}
}

// SizeWith returns the size of the set as changed by d.Set, d.Remove and d.Clear.
// It does not build the changed set.
func (v Values) SizeWith(d Delta) int {
	if d.Clear {
		v = Values{}
	}
	size, gone := 1, removalOf(d)
	for key, value := range v.All() {
		if _, replaced := d.Set[key]; !replaced && !gone.has(key) {
			size += PairSize(len(key), len(value))
		}
	}
	for key, value := range d.Set {
		size += PairSize(len(key), len(value))
	}
	if size == 1 {
		return 0
	}
	return size
}

// removal is the set of keys that a delta removes.
type removal struct {
	few  []string
	many map[string]struct{}
}

// fewRemoved is how many keys are compared one by one. That is faster than a map.
const fewRemoved = 8

func removalOf(d Delta) removal {
	if len(d.Remove) <= fewRemoved {
		return removal{few: d.Remove}
	}
	many := make(map[string]struct{}, len(d.Remove))
	for _, key := range d.Remove {
		many[key] = struct{}{}
	}
	return removal{many: many}
}

func (r removal) has(key string) bool {
	if r.many == nil {
		return slices.Contains(r.few, key)
	}
	_, has := r.many[key]
	return has
}

// PairSize returns how many bytes of MaxValues a key of a length takes with a
// value of a length.
func PairSize(key, value int) int { return lengthSize(key) + key + lengthSize(value) + value }

// lengthSize is the size of n as a uvarint.
func lengthSize(n int) int { return (bits.Len(uint(n|1)) + 6) / 7 }

// String returns the number of keys. It hides the keys and values, which may be
// secret.
func (v Values) String() string { return fmt.Sprintf("stores.Values(%d keys)", v.Len()) }

// GoString returns what String returns.
func (v Values) GoString() string { return v.String() }

func writePair[V string | []byte](to *strings.Builder, key string, value V) {
	var length [binary.MaxVarintLen64]byte
	to.Write(binary.AppendUvarint(length[:0], uint64(len(key))))
	to.WriteString(key)
	to.Write(binary.AppendUvarint(length[:0], uint64(len(value))))
	switch value := any(value).(type) {
	case string:
		to.WriteString(value)
	case []byte:
		to.Write(value)
	}
}

func cutPair(s string) (key, value, rest string, ok bool) {
	if key, s, ok = cutString(s); !ok {
		return "", "", "", false
	}
	value, rest, ok = cutString(s)
	return key, value, rest, ok
}

// cutString reads a length and that many bytes. It accepts only the shortest form
// of a length, so that each set has exactly one encoding.
func cutString(s string) (head, tail string, ok bool) {
	if s == "" {
		return "", "", false
	}
	n, size := uint64(s[0]), 1
	if n >= 0x80 {
		window := s[:min(len(s), binary.MaxVarintLen32)]
		if n, size = binary.Uvarint([]byte(window)); size <= 0 || window[size-1] == 0 {
			return "", "", false
		}
	}
	if n > uint64(len(s)-size) {
		return "", "", false
	}
	return s[size : size+int(n)], s[size+int(n):], true
}

// ValidKey returns nil if key can be a key of a session: 1 to MaxKey bytes without
// control characters.
func ValidKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("ginauth: session key is empty")
	case len(key) > MaxKey:
		return fmt.Errorf("ginauth: session key %.32q… is %d bytes long, at most %d are allowed", key, len(key), MaxKey)
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("ginauth: session key %q has a control character", key)
	}
	return nil
}
