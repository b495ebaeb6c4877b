package jws

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"math/big"
	"slices"
)

// isSoundPoint reports whether an Ed25519 public key is a point of the curve
// (RFC 8032, 5.1.3) that does not have small order. With a key of small order,
// some signatures are valid for every message.
func isSoundPoint(key ed25519.PublicKey) bool {
	one := big.NewInt(1)
	p := new(big.Int).Lsh(one, 255)
	p.Sub(p, big.NewInt(19))

	littleEndian := slices.Clone(key)
	littleEndian[31] &= 0x7f // the sign of x
	y := bigFromLittle(littleEndian)
	if y.Cmp(p) >= 0 {
		return false
	}

	// With d = -121665/121666, x² = (y²-1) / (dy²+1) must be a square. This
	// holds if and only if (y²-1) (dy²+1) is a square. Both factors are
	// multiplied by 121666 to avoid fractions.
	y2 := new(big.Int).Mul(y, y)
	numerator := new(big.Int).Sub(y2, one)
	denominator := new(big.Int).Mul(y2, big.NewInt(-121665))
	denominator.Add(denominator, big.NewInt(121666))
	x2 := numerator.Mul(numerator, denominator)
	x2.Mul(x2, big.NewInt(121666))
	if big.Jacobi(x2.Mod(x2, p), p) < 0 {
		return false
	}

	// The same point on Curve25519 has u = (1+y) / (1-y). X25519 multiplies it
	// by a multiple of eight and refuses points of small order, for which the
	// result is zero.
	inverse := new(big.Int).Sub(one, y)
	if inverse.Mod(inverse, p).Sign() == 0 {
		return false // the neutral element
	}
	inverse.ModInverse(inverse, p)
	u := new(big.Int).Add(one, y)
	u.Mod(u.Mul(u, inverse), p)
	point, err := ecdh.X25519().NewPublicKey(reversed(u.FillBytes(make([]byte, 32))))
	if err != nil {
		return false
	}
	scalar, err := ecdh.X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		return false
	}
	_, err = scalar.ECDH(point)
	return err == nil
}

func bigFromLittle(data []byte) *big.Int { return new(big.Int).SetBytes(reversed(data)) }

func reversed(data []byte) []byte {
	data = slices.Clone(data)
	slices.Reverse(data)
	return data
}
