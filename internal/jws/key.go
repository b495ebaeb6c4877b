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

// MaxKeyID is the length of the longest kid, in bytes.
const MaxKeyID = 255

// Key is a key with its algorithm: a secret, a private key or a public key.
// NewHMAC, NewCryptoKey, ParsePEM and ParseJWK create keys. A Key is immutable
// and prints as a placeholder in fmt, slog and JSON. The zero Key is not
// usable.
type Key struct {
	keys.Redacted
	id       string
	material func() *material // a function, because fmt would print the key in a pointer
}

// material holds the cryptographic parts of a key.
type material struct {
	algorithm
	signer
	// public is a *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, or nil
	// if the key is a secret.
	public crypto.PublicKey
	// thumbprint identifies the secret or key pair.
	thumbprint [sha256.Size]byte
	signs      bool
}

// signer creates and verifies signatures with one key. It is safe for
// concurrent use.
type signer interface {
	sign(input []byte) ([]byte, error)
	verify(input string, signature []byte) bool
	// size returns the length of a signature in bytes.
	size() int
}

// signature returns the signature of input, in buf if it is large enough. HMAC
// is called directly and not through the interface, so that buf and input can
// stay on the stack. Other signers get a copy of input.
func (m *material) signature(buf, input []byte) ([]byte, error) {
	if secret, ok := m.signer.(*hmacSigner); ok {
		return secret.appendMAC(buf, input), nil
	}
	return m.sign(bytes.Clone(input))
}

// verifies reports whether signature is a valid signature of input. Like
// signature, it avoids the interface for HMAC.
func (m *material) verifies(input string, signature []byte) bool {
	if secret, ok := m.signer.(*hmacSigner); ok {
		return secret.verify(input, signature)
	}
	return m.verify(input, bytes.Clone(signature))
}

// newKey returns a key with a kid. Errors and headers contain the kid.
func newKey(id string, m *material) (Key, error) {
	if len(id) > MaxKeyID || !utf8.ValidString(id) || hasControl(id) {
		return Key{}, fmt.Errorf("%w: kid is longer than %d bytes or not printable", ErrKey, MaxKeyID)
	}
	return Key{id: strings.Clone(id), material: func() *material { return m }}, nil
}

// ID returns the kid, or "" if the key has none.
func (k Key) ID() string { return k.id }

// Algorithm returns the name of the algorithm, as in "HS256". A key is used
// with one algorithm only.
func (k Key) Algorithm() string {
	if k.material == nil {
		return ""
	}
	return k.material().name
}

// CanSign reports whether the key can sign. All keys can verify.
func (k Key) CanSign() bool { return k.material != nil && k.material().signs }

// describe returns the name of the key for errors.
func (k Key) describe() string {
	if k.id == "" {
		return "the key without a kid"
	}
	return fmt.Sprintf("key %q", k.id)
}
