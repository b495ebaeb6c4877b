package jws

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// The limits of a Cache: the number of tokens and the maximum length of a token
// in bytes. With tokens of 400 bytes, a full cache takes about 4 MiB.
const (
	cacheTokens = 4096
	cacheLength = 2 << 10
)

// Verified is a token with a valid signature and its claims. Several requests
// share it, so it must not be changed.
type Verified struct {
	Claims
	// Payload is the JSON object of all claims.
	Payload string
	// KeyIndex is the index of the key that signed the token. 0 is the signing
	// key.
	KeyIndex int

	bound   [fingerprintSize]byte
	isBound bool
}

// fingerprintSize is the length of a fingerprint in bytes.
const fingerprintSize = 32

// Bound returns the fingerprint, decoded from base64url. It returns false if
// the claim is not the encoding of 32 bytes.
func (v *Verified) Bound() (fingerprint [fingerprintSize]byte, ok bool) { return v.bound, v.isBound }

// bind decodes the fingerprint.
func (v *Verified) bind() {
	if len(v.Fingerprint) == encoding.EncodedLen(fingerprintSize) {
		_, v.isBound = decode(v.bound[:], v.Fingerprint)
	}
}

// Cache verifies tokens with a set and caches recently verified tokens, so that
// the signature and the payload of a token need not be checked for every
// request. A cached result never changes. The caller must call Claims.Check for
// every request, because whether a token is currently acceptable is not cached.
//
// A token signed with a secret is cached when it is verified the second time.
// Tokens that are used only once then take no memory and do not evict tokens
// that are used often. A token signed with a key pair is cached at once,
// because verifying its signature costs much more than caching it.
//
// The memory of a Cache is limited, independent of the tokens it receives. A
// Cache is safe for concurrent use. Looking a token up takes no lock.
type Cache struct {
	set   *Set
	seed  maphash.Seed
	slots []atomic.Pointer[remembered]
	// met holds marks of valid tokens that were verified once. A mark only
	// decides whether a token is cached the next time, so it does not matter if
	// two tokens have the same mark.
	met    []atomic.Uint32
	atOnce bool // cache tokens at once, without met
}

// remembered is a cached token. It consists of two memory blocks: this struct
// and one string.
type remembered struct {
	Verified
	sum       uint64
	typ, text string
	audience  [1]string // holds Audience if it has one element
}

// NewCache returns an empty cache for the tokens of a set.
func NewCache(s *Set) *Cache {
	list := s.entries() // either all keys are secrets or none
	return &Cache{
		set: s, seed: maphash.MakeSeed(),
		slots: make([]atomic.Pointer[remembered], cacheTokens), met: make([]atomic.Uint32, cacheTokens),
		atOnce: len(list) > 0 && list[0].public != nil,
	}
}

// VerifyClaims returns the result of Set.VerifyClaims, with the same errors. It
// may keep typ and a copy of text.
func (c *Cache) VerifyClaims(typ, text string) (*Verified, error) {
	if len(text) > MaxToken {
		return nil, ErrTooLong
	}
	sum := maphash.String(c.seed, text)
	places := c.places(sum)
	for _, place := range places {
		// Compare the whole token, so that no other token is accepted. The
		// comparison is not constant-time. That reveals nothing, because only a
		// token with the same sum gets here, and the seed is secret.
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
	case err != nil: // invalid tokens are not marked
		return nil, err
	case kept == "":
		mark.Store(uint32(sum))
	default:
		r.sum = sum
		c.remember(r, places)
	}
	return &r.Verified, nil
}

// remember stores a token in one of its places.
func (c *Cache) remember(r *remembered, places [2]*atomic.Pointer[remembered]) {
	free := places[0]
	if free.Load() != nil && (places[1].Load() == nil || r.sum>>63 == 1) {
		free = places[1]
	}
	free.Store(r)
}

// verify verifies a token. The result contains a copy of kept, which is the
// text if the token is to be cached.
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

// places returns the two places for tokens with a sum.
func (c *Cache) places(sum uint64) [2]*atomic.Pointer[remembered] {
	n := uint64(len(c.slots))
	return [2]*atomic.Pointer[remembered]{&c.slots[sum%n], &c.slots[(sum>>32)%n]}
}
