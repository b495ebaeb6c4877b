package jws

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// The bounds of a Cache: how many tokens it remembers, and of how many bytes at
// most. With tokens of the usual 400 bytes a full one takes some 4 MiB.
const (
	cacheTokens = 4096
	cacheLength = 2 << 10
)

// A Verified token is one that a key of a set signed, with its claims. Several
// requests share it: it must not be changed.
type Verified struct {
	Claims
	// Payload is the JSON object of all claims.
	Payload string
	// KeyIndex is the number of the key that signed: 0 is the signing one.
	KeyIndex int

	bound   [fingerprintSize]byte
	isBound bool
}

// fingerprintSize is how long a fingerprint is that Bound returns, in bytes.
const fingerprintSize = 32

// Bound returns the fingerprint itself, of which the claim is the base64url. It is
// not ok if that is not 32 bytes.
func (v *Verified) Bound() (fingerprint [fingerprintSize]byte, ok bool) { return v.bound, v.isBound }

// bind reads the fingerprint.
func (v *Verified) bind() {
	if len(v.Fingerprint) == encoding.EncodedLen(fingerprintSize) {
		_, v.isBound = decode(v.bound[:], v.Fingerprint)
	}
}

// Cache verifies tokens with a set and remembers the latest of those that were
// good, so that the signature of a token is checked, and its payload read, once or
// twice and not in each request. What is remembered never changes: whether the token
// is acceptable now is for Claims.Check to say, each time.
//
// A token under a secret is remembered when it comes again: those that come once cost
// no memory, and push none out that come often. Under a key pair it is remembered at
// once, because to check such a signature costs many times what that does.
//
// A Cache is bounded, whatever is shown to it, and safe for concurrent use.
// Looking a token up takes no lock.
type Cache struct {
	set   *Set
	seed  maphash.Seed
	slots []atomic.Pointer[remembered]
	// met holds marks of good tokens that were met. It decides nothing but whether
	// one is remembered now, so that it does not matter if two have one mark.
	met    []atomic.Uint32
	atOnce bool // without a look at met
}

// remembered is a token with what is known of it, in two blocks of memory: this
// one, and one of text.
type remembered struct {
	Verified
	sum       uint64
	typ, text string
	audience  [1]string // where Audience is if there is one
}

// NewCache returns an empty cache of what a set verifies.
func NewCache(s *Set) *Cache {
	list := s.entries() // all secrets, or none
	return &Cache{
		set: s, seed: maphash.MakeSeed(),
		slots: make([]atomic.Pointer[remembered], cacheTokens), met: make([]atomic.Uint32, cacheTokens),
		atOnce: len(list) > 0 && list[0].public != nil,
	}
}

// VerifyClaims returns what Set.VerifyClaims does, with the same errors. It keeps
// typ, and of text a copy.
func (c *Cache) VerifyClaims(typ, text string) (*Verified, error) {
	if len(text) > MaxToken {
		return nil, ErrTooLong
	}
	sum := maphash.String(c.seed, text)
	places := c.places(sum)
	for _, place := range places {
		// All of the token is compared, so no other one passes for it. Nobody can
		// feel the way to a token by the time this takes: only one with the same
		// sum gets here, and the seed is secret.
		if r := place.Load(); r != nil && r.sum == sum && r.text == text && r.typ == typ {
			return &r.Verified, nil
		}
	}
	mark, kept := &c.met[sum>>40%cacheTokens], ""
	if (c.atOnce || mark.Load() == uint32(sum)) && len(text) <= cacheLength {
		kept = text
	}
	r, err := c.verify(typ, text, kept)
	switch {
	case err != nil: // what nobody signed leaves no trace
		return nil, err
	case kept == "":
		mark.Store(uint32(sum))
	default:
		r.sum = sum
		c.remember(r, places)
	}
	return &r.Verified, nil
}

// remember puts a token in one of its places.
func (c *Cache) remember(r *remembered, places [2]*atomic.Pointer[remembered]) {
	free := places[0]
	if free.Load() != nil && (places[1].Load() == nil || r.sum>>63 == 1) {
		free = places[1]
	}
	free.Store(r)
}

// verify verifies a token. What it returns has a copy of kept, which is the text if
// the token is to be remembered.
func (c *Cache) verify(typ, text, kept string) (*remembered, error) {
	var room [cacheLength * 3 / 4]byte
	payload, key, err := c.set.verify(room[:], typ, text)
	if err != nil {
		return nil, err
	}
	var both strings.Builder
	both.Grow(len(kept) + len(payload))
	both.WriteString(kept)
	both.Write(payload)
	r := &remembered{typ: typ, text: both.String()[:len(kept)]}
	r.Payload, r.KeyIndex = both.String()[len(kept):], key
	if err := r.parse(r.Payload, r.audience[:0]); err != nil {
		return nil, err
	}
	r.bind()
	return r, nil
}

// places returns the two where a token of this sum may be.
func (c *Cache) places(sum uint64) [2]*atomic.Pointer[remembered] {
	n := uint64(len(c.slots))
	return [2]*atomic.Pointer[remembered]{&c.slots[sum%n], &c.slots[(sum>>32)%n]}
}
