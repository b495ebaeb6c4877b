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

// Subkeys are the subkeys of one purpose, the current one first. They are
// immutable and safe for concurrent use. The zero value has no keys: it
// verifies nothing.
type Subkeys struct {
	Redacted
	purpose string
	list    []*subkey
}

// Purpose returns what the subkeys were derived for.
func (s Subkeys) Purpose() string { return s.purpose }

// Len returns the number of subkeys.
func (s Subkeys) Len() int { return len(s.list) }

// Bytes returns a copy of subkey i; 0 is the current one.
func (s Subkeys) Bytes(i int) []byte { return bytes.Clone(s.list[i].key()) }

// MAC returns the HMAC-SHA256 of the parts under the current subkey. Each part
// is preceded by its length, so that no two lists of parts are one message. It
// panics if there are no subkeys.
func (s Subkeys) MAC(parts ...[]byte) [MACSize]byte {
	return s.list[0].mac(nil, parts)
}

// MACOf returns what MAC returns for a part and the parts after it. A caller
// that has these in a list need not make a longer one.
func (s Subkeys) MACOf(first []byte, more [][]byte) [MACSize]byte {
	return s.list[0].mac([][]byte{first}, more)
}

// MACUnder is MAC under subkey i; 0 is the current one.
func (s Subkeys) MACUnder(i int, parts ...[]byte) [MACSize]byte { return s.list[i].mac(nil, parts) }

// Verify reports whether mac is the MAC of the parts under one of the subkeys,
// and which. An index over 0 is an old key's: what it made should be made
// again.
func (s Subkeys) Verify(mac []byte, parts ...[]byte) (index int, ok bool) {
	for i, key := range s.list {
		want := key.mac(nil, parts)
		// Returning at the first match tells how old the key is, which is no
		// secret; each comparison takes the same time for every mac.
		if hmac.Equal(mac, want[:]) {
			return i, true
		}
	}
	return -1, false
}

type subkey struct {
	key  secret
	pool sync.Pool // of *macState
}

// macState is an HMAC that remembers its key's state, which halves the work of
// a short message, and room for the message, which keeps the caller's parts
// and the result off the heap.
type macState struct {
	hmac hash.Hash
	buf  []byte
}

// maxPooled bounds the room that a pooled state keeps, in bytes.
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
