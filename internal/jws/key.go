package jws

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ginauth/ginauth/internal/keys"
)

// MaxKeyID is how long a kid may be, in bytes.
const MaxKeyID = 255

// Key is a key of one algorithm: a secret, a private key or a public key. It is
// made by NewHMAC, NewCryptoKey, ParsePEM or ParseJWK, is immutable, and shows
// nothing of itself in fmt, slog and JSON. The zero Key is no key.
type Key struct {
	keys.Redacted
	id       string
	material func() *material // in a closure, because it holds the key
}

// material is what a key is made of.
type material struct {
	algorithm
	signer
	// public is an *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, or
	// nil if the key is a secret.
	public crypto.PublicKey
	// thumbprint is the same for the same secret or key pair.
	thumbprint [sha256.Size]byte
	signs      bool
}

// signer makes and checks signatures under one key. It is safe for concurrent
// use.
type signer interface {
	sign(input []byte) ([]byte, error)
	verify(input string, signature []byte) bool
	// size returns the length of a signature in bytes.
	size() int
}

// signature returns the signature of input, in a buffer if that is large enough.
// A secret is asked without the interface, so that both stay where they are;
// other keys get an input of their own.
func (m *material) signature(buf, input []byte) ([]byte, error) {
	if secret, ok := m.signer.(*hmacSigner); ok {
		return secret.appendMAC(buf, input), nil
	}
	return m.sign(bytes.Clone(input))
}

// verifies reports whether a signature is that of input, with the same care for
// where it is.
func (m *material) verifies(input string, signature []byte) bool {
	if secret, ok := m.signer.(*hmacSigner); ok {
		return secret.verify(input, signature)
	}
	return m.verify(input, bytes.Clone(signature))
}

// newKey returns a key of a kid, which is quoted in errors and headers.
func newKey(id string, m *material) (Key, error) {
	if len(id) > MaxKeyID || !utf8.ValidString(id) || hasControl(id) {
		return Key{}, fmt.Errorf("%w: its kid is longer than %d bytes or not printable", ErrKey, MaxKeyID)
	}
	return Key{id: strings.Clone(id), material: func() *material { return m }}, nil
}

// ID returns the key's kid. It is empty for a key of tokens without one.
func (k Key) ID() string { return k.id }

// Algorithm returns the name of the only algorithm that the key is used with,
// as in "HS256".
func (k Key) Algorithm() string {
	if k.material == nil {
		return ""
	}
	return k.material().name
}

// CanSign reports whether the key makes signatures. If it does not, it only
// checks them.
func (k Key) CanSign() bool { return k.material != nil && k.material().signs }

// describe names the key in errors.
func (k Key) describe() string {
	if k.id == "" {
		return "the key without a kid"
	}
	return fmt.Sprintf("key %q", k.id)
}
