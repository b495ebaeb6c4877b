package jws

import (
	"hash/maphash"
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
}

// Cache verifies tokens with a set and remembers the latest of those that were
// good, so that the signature of a token is checked, and its payload read, once
// and not in each request. What is remembered never changes: whether the token
// is acceptable now is for Claims.Check to say, each time.
//
// A Cache is bounded, whatever is shown to it, and safe for concurrent use.
// Looking a token up takes no lock.
type Cache struct {
	set   *Set
	seed  maphash.Seed
	slots []atomic.Pointer[remembered]
}

// remembered is a token with what is known of it, in two blocks of memory: this
// one, and one of text.
type remembered struct {
	sum       uint64
	typ, text string
	Verified
	audience [1]string // where Audience is if there is one
}

// NewCache returns an empty cache of what a set verifies.
func NewCache(s *Set) *Cache {
	return &Cache{set: s, seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[remembered], cacheTokens)}
}

// VerifyClaims returns what Set.VerifyClaims does, with the same errors. It keeps
// typ, and of text a copy.
func (c *Cache) VerifyClaims(typ, text string) (*Verified, error) {
	if len(text) > cacheLength {
		r, err := c.verify(typ, text)
		if err != nil {
			return nil, err
		}
		return &r.Verified, nil
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
	r, err := c.verify(typ, text)
	if err != nil {
		return nil, err // what nobody signed is not remembered
	}
	r.sum = sum
	free := places[0]
	if free.Load() != nil && (places[1].Load() == nil || sum>>63 == 1) {
		free = places[1]
	}
	free.Store(r)
	return &r.Verified, nil
}

func (c *Cache) verify(typ, text string) (*remembered, error) {
	var room [cacheLength * 3 / 4]byte
	payload, key, err := c.set.verify(room[:], typ, text)
	if err != nil {
		return nil, err
	}
	both := text + string(payload)
	r := &remembered{typ: typ, text: both[:len(text)], Verified: Verified{Payload: both[len(text):], KeyIndex: key}}
	if err := r.parse(r.Payload, r.audience[:0]); err != nil {
		return nil, err
	}
	return r, nil
}

// places returns the two where a token of this sum may be.
func (c *Cache) places(sum uint64) [2]*atomic.Pointer[remembered] {
	n := uint64(len(c.slots))
	return [2]*atomic.Pointer[remembered]{&c.slots[sum%n], &c.slots[(sum>>32)%n]}
}
