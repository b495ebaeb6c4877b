package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// label precedes the purpose in the info of HKDF. Its version changes if ever
// the derivation does.
const label = "ginauth/v1/"

// Ring is the current application key and those before it. It is immutable.
type Ring struct {
	Redacted
	keys []secret
}

// NewRing returns a ring of keys that Parse returned. The current key makes
// new values, and all of them are tried on old ones. It keeps copies.
func NewRing(current []byte, previous ...[]byte) *Ring {
	r := &Ring{keys: []secret{hide(current)}}
	for _, key := range previous {
		r.keys = append(r.keys, hide(key))
	}
	return r
}

// Derive returns the subkeys for a purpose. Subkeys of different purposes say
// nothing about each other. Deriving takes microseconds: do it once for each
// purpose and keep the result.
func (r *Ring) Derive(purpose string) Subkeys {
	s := Subkeys{purpose: purpose, list: make([]*subkey, len(r.keys))}
	for i, key := range r.keys {
		derived, err := hkdf.Key(sha256.New, key(), nil, label+purpose, KeySize)
		if err != nil {
			// Only a length over 255 digests, or in FIPS 140-only mode a key
			// under 14 bytes, is refused: Parse lets neither pass.
			panic("keys: " + err.Error())
		}
		s.list[i] = newSubkey(derived)
	}
	return s
}
