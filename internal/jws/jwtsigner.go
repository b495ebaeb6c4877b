package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// jwtSigner signs and verifies with a method of golang-jwt.
type jwtSigner struct {
	method  jwt.SigningMethod
	private any // nil for a key that only verifies
	public  crypto.PublicKey
	length  int
}

func (s *jwtSigner) size() int { return s.length }

func (s *jwtSigner) sign(input []byte) ([]byte, error) {
	if foreign, ok := s.private.(foreignSigner); ok {
		return foreign.sign(input)
	}
	return s.method.Sign(string(input), s.private)
}

func (s *jwtSigner) verify(input string, signature []byte) bool {
	return s.method.Verify(input, signature, s.public) == nil
}

// signatureSize returns the length of a signature in bytes.
func signatureSize(public crypto.PublicKey) int {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return public.Size()
	case *ecdsa.PublicKey:
		return 2 * scalarSize(public)
	}
	return ed25519.SignatureSize
}

// scalarSize returns the length of a coordinate on the key's curve, in bytes.
func scalarSize(public *ecdsa.PublicKey) int { return (public.Params().BitSize + 7) / 8 }

// foreignSigner signs with a crypto.Signer whose private key is not accessible.
type foreignSigner struct {
	algorithm
	signer crypto.Signer
	public crypto.PublicKey
}

func (s foreignSigner) sign(input []byte) ([]byte, error) {
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(input)
		input = h.Sum(nil)
	}
	signature, err := s.signer.Sign(rand.Reader, input, s.hash)
	if err != nil {
		return nil, err
	}
	if public, ok := s.public.(*ecdsa.PublicKey); ok {
		return fixedSize(signature, scalarSize(public))
	}
	return signature, nil
}

// fixedSize converts an ECDSA signature from ASN.1 to two numbers of size bytes
// each (RFC 7518, 3.4).
func fixedSize(der []byte, size int) ([]byte, error) {
	var inner cryptobyte.String
	var r, s big.Int
	outer := cryptobyte.String(der)
	if !outer.ReadASN1(&inner, asn1.SEQUENCE) || !outer.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() {
		return nil, errors.New("signer did not return an ECDSA signature")
	}
	for _, n := range []*big.Int{&r, &s} {
		if n.Sign() <= 0 || n.BitLen() > size*8 {
			return nil, errors.New("signer returned an ECDSA signature for another curve")
		}
	}
	fixed := make([]byte, 2*size)
	r.FillBytes(fixed[:size])
	s.FillBytes(fixed[size:])
	return fixed, nil
}
