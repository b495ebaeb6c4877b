package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// label is the prefix of the HKDF info, followed by the purpose. Its version
// changes if the derivation changes.
const label = "ginauth/v1/"

// Ring is the current application key and the previous keys. It is immutable.
type Ring struct {
	Redacted
	keys []secret
}

// NewRing returns a ring of keys that Parse returned. New values are made with
// the current key. All keys are tried for existing values. NewRing copies the
// keys.
func NewRing(current []byte, previous ...[]byte) *Ring {
	r := &Ring{keys: []secret{hide(current)}}
	for _, key := range previous {
		r.keys = append(r.keys, hide(key))
	}
	return r
}

// Derive returns the subkeys for a purpose. A subkey reveals nothing about
// those of other purposes. Deriving takes microseconds, so callers should do it
// once for each purpose and keep the result.
func (r *Ring) Derive(purpose string) Subkeys {
	s := Subkeys{purpose: purpose, list: make([]*subkey, len(r.keys))}
	for i, key := range r.keys {
		derived, err := hkdf.Key(sha256.New, key(), nil, label+purpose, KeySize)
		if err != nil {
			// hkdf.Key fails only for results longer than 255 digests, or in
			// FIPS 140-only mode for keys shorter than 14 bytes. Parse accepts
			// no such keys.
			panic("keys: " + err.Error())
		}
		s.list[i] = newSubkey(derived)
	}
	return s
}
