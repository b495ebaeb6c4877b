package jws

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/internal/keys"
)

// Set is one key that signs tokens and any number that verify them. It is
// immutable, safe for concurrent use, and shows nothing of itself in fmt, slog
// and JSON. The zero Set has no keys: it signs and verifies nothing.
type Set struct {
	keys.Redacted
	list func() []entry // in a closure, because it holds keys
	jwks []byte
}

// entry is a key as its set uses it.
type entry struct {
	*material
	id string
	// prefix is the beginning of a header of this key, encoded as far as it
	// fills groups of three bytes, and rest is what remains of it.
	prefix, rest string
}

// NewSet returns a set that signs with one key and verifies with all. An error
// names all faults at once and wraps ErrKey: a key that is not set, a signing
// key that cannot sign, two keys with one kid or without any, secrets together
// with other keys, one key with two algorithms (RFC 8725, 3.1).
//
// The signing key signs a text and verifies it, so a key management service is
// asked once.
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

// setFaults returns what is wrong with a key beside those before it.
func setFaults(key Key, before []Key) (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrKey}, args...)...))
	}
	if key.material == nil {
		fault("key number %d of the set is not set", len(before)+1)
		return faults
	}
	if len(before) == 0 && !key.CanSign() {
		fault("%s is to sign and cannot", key.describe())
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
			fault("%s and %s are a secret and a key pair; a set has keys of one of the two sorts", other.describe(), key.describe())
		}
		if m.thumbprint == o.thumbprint && m.name != o.name {
			fault("%s and %s are one key with two algorithms", other.describe(), key.describe())
		}
	}
	return faults
}

// probe reports whether what a key signs is what it verifies.
func probe(key Key) error {
	// No token: it has no dots.
	const input = "a text that is no token"
	signature, err := key.material().sign([]byte(input))
	if err != nil {
		return fmt.Errorf("%w: %s cannot sign: %w", ErrKey, key.describe(), err)
	}
	if !key.material().verify(input, signature) {
		return fmt.Errorf("%w: %s does not verify what it signs", ErrKey, key.describe())
	}
	return nil
}

// jwks returns a JWK set of the public keys.
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

// JWKS returns the public keys as a JWK Set (RFC 7517, 5) in the order in which
// they were given to NewSet. Secrets are never part of it.
func (s *Set) JWKS() []byte {
	if s.list == nil {
		return jwks(nil)
	}
	return bytes.Clone(s.jwks)
}

// entries returns the keys of the set. One that could not be made has none.
func (s *Set) entries() []entry {
	if s == nil || s.list == nil {
		return nil
	}
	return s.list()
}
