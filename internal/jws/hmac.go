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

// maxSecret is the longest secret in bytes.
const maxSecret = 1024

// NewHMAC returns a key for an algorithm of HMAC: HS256, which is also that of
// the empty name, HS384 or HS512. It keeps a copy of the secret.
//
// The secret must be at least as long as the algorithm's hash, which is 32, 48
// or 64 bytes (RFC 7518, 3.2), and at most 1024 bytes. Refused with an error
// that wraps ErrKey are also secrets that are not secret: a placeholder from
// somebody's documentation, a simple pattern, or a text that is a key of another
// type in PEM, DER, base64 of DER or JSON, for a verifier that takes a public
// key for a secret accepts what anybody signed.
func NewHMAC(kid, alg string, secret []byte) (Key, error) {
	if alg == "" {
		alg = "HS256"
	}
	a, err := find(alg, typeSecret)
	if err != nil {
		return Key{}, err
	}
	if n := len(secret); n < a.hash.Size() || n > maxSecret {
		return Key{}, fmt.Errorf("%w: a secret for %s has %d to %d bytes, not %d", ErrKey, alg, a.hash.Size(), maxSecret, n)
	}
	if says := weakness(secret); says != "" {
		return Key{}, fmt.Errorf("%w: its secret %s", ErrKey, says)
	}
	secret = bytes.Clone(secret)
	return newKey(kid, &material{
		algorithm:  a,
		signer:     newHMACSigner(a.hash, secret),
		thumbprint: sha256.Sum256(append([]byte(typeSecret+":"), secret...)),
		signs:      true,
	})
}

// hmacSigner computes what golang-jwt's HMAC does, with the state of the key
// remembered, which halves the work and allocates nothing.
type hmacSigner struct {
	hash crypto.Hash
	pool sync.Pool // of *hmacState
}

type hmacState struct {
	hmac hash.Hash
	buf  []byte // keeps input and result off the heap
}

func newHMACSigner(h crypto.Hash, secret []byte) *hmacSigner {
	s := &hmacSigner{hash: h}
	s.pool.New = func() any { return &hmacState{hmac: hmac.New(h.New, secret)} }
	return s
}

func (s *hmacSigner) size() int { return s.hash.Size() }

func (s *hmacSigner) sign(input []byte) ([]byte, error) { return s.appendMAC(nil, input), nil }

// maxMAC is the longest signature under a secret, in bytes.
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

// sum returns the HMAC of input, which it overwrites. The result is valid until
// the next call.
func (s *hmacState) sum(input []byte) []byte {
	s.hmac.Reset()
	s.hmac.Write(input)
	s.buf = s.hmac.Sum(input[:0])
	return s.buf
}
