package jws

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/internal/keys"
)

// Set is one key that signs tokens and any number of keys that verify them. It
// is immutable, safe for concurrent use, and prints as a placeholder in fmt,
// slog and JSON. The zero Set has no keys: signing and verifying fail.
type Set struct {
	keys.Redacted
	list func() []entry // a function, because fmt would print the keys in a slice
	jwks []byte
}

// entry is a key with precomputed parts of its header.
type entry struct {
	*material
	id string
	// prefix is the encoded beginning of the header, as far as it fills groups
	// of three bytes. rest is its unencoded remainder.
	prefix, rest string
}

// NewSet returns a set that signs with one key and verifies with all. The error
// wraps ErrKey and joins all faults: a zero key, a signing key that cannot
// sign, two keys with the same kid or both without kid, a mix of secrets and
// key pairs, and one key with two algorithms (RFC 8725, 3.1).
//
// NewSet signs a text with the signing key to test it. A key management service
// is therefore called once.
func NewSet(signing Key, verifying ...Key) (*Set, error) {
	all := append([]Key{signing}, verifying...)
	var faults []error
	for i, key := range all {
		faults = append(faults, setFaults(key, all[:i])...)
	}
	if len(faults) == 0 {
		if err := probe(signing); err != nil {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	list := make([]entry, len(all))
	for i, key := range all {
		list[i] = newEntry(key)
	}
	return &Set{list: func() []entry { return list }, jwks: jwks(all)}, nil
}

// setFaults returns the faults of a key together with the keys before it.
func setFaults(key Key, before []Key) (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrKey}, args...)...))
	}
	if key.material == nil {
		fault("key number %d of the set is the zero Key", len(before)+1)
		return faults
	}
	if len(before) == 0 && !key.CanSign() {
		fault("%s cannot sign, but is the signing key", key.describe())
	}
	m := key.material()
	for _, other := range before {
		if other.material == nil {
			continue
		}
		o := other.material()
		if other.id == key.id && key.id == "" {
			fault("two keys have no kid")
		} else if other.id == key.id {
			fault("two keys have the kid %q", key.id)
		}
		if (m.public == nil) != (o.public == nil) {
			fault("%s and %s are a secret and a key pair: use either secrets or key pairs", other.describe(), key.describe())
		}
		if m.thumbprint == o.thumbprint && m.name != o.name {
			fault("%s and %s are the same key with two algorithms", other.describe(), key.describe())
		}
	}
	return faults
}

// probe returns an error if the key cannot sign or cannot verify its signature.
func probe(key Key) error {
	// This text is not a token, because it has no dots.
	const input = "a text that is not a token"
	signature, err := key.material().sign([]byte(input))
	if err != nil {
		return fmt.Errorf("%w: %s cannot sign: %w", ErrKey, key.describe(), err)
	}
	if !key.material().verify(input, signature) {
		return fmt.Errorf("%w: %s does not verify its own signature", ErrKey, key.describe())
	}
	return nil
}

// jwks returns the JWK Set of the public keys.
func jwks(all []Key) []byte {
	var list [][]byte
	for _, key := range all {
		if public := key.PublicJWK(); public != nil {
			list = append(list, public)
		}
	}
	to := append([]byte(`{"keys":[`), bytes.Join(list, []byte(","))...)
	return append(to, "]}"...)
}

// JWKS returns the public keys as a JWK Set (RFC 7517, 5), in the order in
// which they were passed to NewSet. It never contains secrets.
func (s *Set) JWKS() []byte {
	if s.list == nil {
		return jwks(nil)
	}
	return bytes.Clone(s.jwks)
}

// entries returns the keys of the set. The zero Set has none.
func (s *Set) entries() []entry {
	if s == nil || s.list == nil {
		return nil
	}
	return s.list()
}
