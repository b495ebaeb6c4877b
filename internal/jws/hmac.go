package jws

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"sync"
)

// maxSecret is the length of the longest secret in bytes.
const maxSecret = 1024

// NewHMAC returns a key for HS256, HS384 or HS512. The empty name means HS256.
// NewHMAC copies the secret.
//
// The secret must be at least as long as the hash of the algorithm, which is
// 32, 48 or 64 bytes (RFC 7518, 3.2), and at most 1024 bytes. The error wraps
// ErrKey.
//
// NewHMAC also refuses text that is not secret: placeholders from
// documentation, simple patterns, and keys of other types in PEM, DER, base64
// of DER, or JSON. If a public key were used as a secret, everyone who has the
// public key could sign tokens.
func NewHMAC(kid, alg string, secret []byte) (Key, error) {
	return newHMAC(kid, alg, secret, weakness)
}

// NewInsecureHMAC is NewHMAC for the published keys of test vectors: it accepts
// placeholders and simple patterns.
func NewInsecureHMAC(kid, alg string, secret []byte) (Key, error) {
	return newHMAC(kid, alg, secret, confusion)
}

func newHMAC(kid, alg string, secret []byte, fault func([]byte) string) (Key, error) {
	if alg == "" {
		alg = "HS256"
	}
	a, err := find(alg, typeSecret)
	if err != nil {
		return Key{}, err
	}
	if n := len(secret); n < a.hash.Size() || n > maxSecret {
		return Key{}, fmt.Errorf("%w: want a secret of %d to %d bytes for %s, got %d bytes", ErrKey, a.hash.Size(), maxSecret, alg, n)
	}
	if says := fault(secret); says != "" {
		return Key{}, fmt.Errorf("%w: secret %s", ErrKey, says)
	}
	secret = bytes.Clone(secret)
	return newKey(kid, &material{
		algorithm:  a,
		signer:     newHMACSigner(a.hash, secret),
		thumbprint: sha256.Sum256(append([]byte(typeSecret+":"), secret...)),
		signs:      true,
	})
}

// hmacSigner computes the same signatures as golang-jwt. It reuses the state of
// the key, which halves the work and avoids allocations.
type hmacSigner struct {
	hash crypto.Hash
	pool sync.Pool // holds *hmacState
}

type hmacState struct {
	hmac hash.Hash
	buf  []byte // avoids allocations for input and result
}

func newHMACSigner(h crypto.Hash, secret []byte) *hmacSigner {
	s := &hmacSigner{hash: h}
	s.pool.New = func() any { return &hmacState{hmac: hmac.New(h.New, secret)} }
	return s
}

func (s *hmacSigner) size() int { return s.hash.Size() }

func (s *hmacSigner) sign(input []byte) ([]byte, error) { return s.appendMAC(nil, input), nil }

// maxMAC is the length of the longest HMAC signature, in bytes.
const maxMAC = sha512.Size

// appendMAC appends the signature of input.
func (s *hmacSigner) appendMAC(to, input []byte) []byte {
	state := s.pool.Get().(*hmacState)
	defer s.pool.Put(state)
	return append(to, state.sum(append(state.buf[:0], input...))...)
}

func (s *hmacSigner) verify(input string, signature []byte) bool {
	state := s.pool.Get().(*hmacState)
	defer s.pool.Put(state)
	return hmac.Equal(signature, state.sum(append(state.buf[:0], input...)))
}

// sum returns the HMAC of input. It overwrites input. The result is valid until
// the next call.
func (s *hmacState) sum(input []byte) []byte {
	s.hmac.Reset()
	s.hmac.Write(input)
	s.buf = s.hmac.Sum(input[:0])
	return s.buf
}
