package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// The sizes of a subkey and of a MAC, in bytes.
const (
	KeySize = 32
	MACSize = sha256.Size
)

// Subkeys are the subkeys for one purpose, the current one first. They are
// immutable and safe for concurrent use. The zero value has no keys and
// verifies nothing.
type Subkeys struct {
	Redacted
	purpose string
	list    []*subkey
}

// Purpose returns the purpose of the subkeys.
func (s Subkeys) Purpose() string { return s.purpose }

// Len returns the number of subkeys.
func (s Subkeys) Len() int { return len(s.list) }

// Bytes returns a copy of subkey i. Subkey 0 is the current one.
func (s Subkeys) Bytes(i int) []byte { return bytes.Clone(s.list[i].key()) }

// MAC returns the HMAC-SHA256 of the parts with the current subkey. Each part
// is preceded by its length, so different lists of parts are different
// messages. MAC panics if there are no subkeys.
func (s Subkeys) MAC(parts ...[]byte) [MACSize]byte {
	return s.list[0].mac(nil, parts)
}

// MACOf returns the MAC of first and the parts in more. It saves callers from
// concatenating them.
func (s Subkeys) MACOf(first []byte, more [][]byte) [MACSize]byte {
	return s.list[0].mac([][]byte{first}, more)
}

// MACUnder is like MAC, but uses subkey i. Subkey 0 is the current one.
func (s Subkeys) MACUnder(i int, parts ...[]byte) [MACSize]byte { return s.list[i].mac(nil, parts) }

// Verify reports whether mac is the MAC of the parts with one of the subkeys,
// and returns the index of that subkey. An index greater than 0 is that of a
// previous key. The caller should then make the value again with the current
// key.
func (s Subkeys) Verify(mac []byte, parts ...[]byte) (index int, ok bool) {
	for i, key := range s.list {
		want := key.mac(nil, parts)
		// The time until the first match reveals only the age of the key, which
		// is not secret. Each comparison takes constant time.
		if hmac.Equal(mac, want[:]) {
			return i, true
		}
	}
	return -1, false
}

type subkey struct {
	key  secret
	pool sync.Pool // holds *macState
}

// macState is an HMAC that keeps the state of its key, which halves the work
// for a short message, and a buffer for the message, which avoids allocations
// for the parts and the result.
type macState struct {
	hmac hash.Hash
	buf  []byte
}

// maxPooled is the largest buffer that is kept in the pool, in bytes.
const maxPooled = 4096

func newSubkey(key []byte) *subkey {
	k := &subkey{key: hide(key)}
	k.pool.New = func() any { return &macState{hmac: hmac.New(sha256.New, k.key())} }
	return k
}

func (k *subkey) mac(first, more [][]byte) (sum [MACSize]byte) {
	state := k.pool.Get().(*macState)
	buf := state.buf[:0]
	for _, parts := range [...][][]byte{first, more} {
		for _, part := range parts {
			buf = binary.BigEndian.AppendUint64(buf, uint64(len(part)))
			buf = append(buf, part...)
		}
	}
	state.hmac.Reset()
	state.hmac.Write(buf)
	state.buf = state.hmac.Sum(buf[:0])
	copy(sum[:], state.buf)
	if cap(state.buf) <= maxPooled {
		k.pool.Put(state)
	}
	return sum
}
