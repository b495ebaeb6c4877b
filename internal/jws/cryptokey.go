package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
)

// The sizes of an RSA modulus in bits: the smallest of RFC 7518, 3.3, and a
// largest, so that a signature is checked in well under a millisecond.
const (
	minModulus = 2048
	maxModulus = 8192
)

// maxExponent is the largest public exponent of RSA that Go works with.
const maxExponent = 1<<31 - 1

// NewCryptoKey returns a key of type *rsa.PrivateKey, *rsa.PublicKey,
// *ecdsa.PrivateKey, *ecdsa.PublicKey, ed25519.PrivateKey, ed25519.PublicKey or
// any crypto.Signer with such a public key, as one in a key management service,
// which must be safe for concurrent use. It keeps a copy of all but the last.
//
// The algorithm is RS256, RS384 or RS512; ES256, ES384 or ES512, which is the
// one of the key's curve; or EdDSA. The empty name means that of the curve,
// RS256 or EdDSA. RSA-PSS is not supported.
//
// Refused with an error that wraps ErrKey are RSA keys under 2048 or over 8192
// bits, with an even modulus or an exponent that is even or under 3, and
// multi-prime ones; points that are not on their curve, and of Ed25519 those of
// small order; private keys whose parts do not belong together.
func NewCryptoKey(kid, alg string, key any) (Key, error) {
	public, private, err := split(key)
	if err != nil {
		return Key{}, err
	}
	a, err := algorithmOf(alg, public)
	if err != nil {
		return Key{}, err
	}
	if foreign, ok := private.(foreignSigner); ok {
		foreign.algorithm, foreign.public = a, public
		private = foreign
	}
	return newKey(kid, &material{
		algorithm:  a,
		signer:     &jwtSigner{a.method, private, public, signatureSize(public)},
		public:     public,
		thumbprint: thumbprint(public),
		signs:      private != nil,
	})
}

// split checks a key and returns copies of its parts. The private part is nil if
// the key is a public one, and a foreignSigner if it is none of Go's own.
func split(key any) (public crypto.PublicKey, private any, err error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		public, err = copyRSAPublic(key)
	case *rsa.PrivateKey:
		private, public, err = copyRSA(key)
	case *ecdsa.PublicKey:
		public, err = copyECPublic(key)
	case *ecdsa.PrivateKey:
		private, public, err = copyEC(key)
	case ed25519.PublicKey:
		public, err = copyEdPublic(key)
	case ed25519.PrivateKey:
		private, public, err = copyEd(key)
	case crypto.Signer:
		if _, again := key.Public().(crypto.Signer); !again {
			private = foreignSigner{signer: key}
			public, _, err = split(key.Public())
		} else {
			err = fmt.Errorf("%w: the public part of a %T is a private key", ErrKey, key)
		}
	case []byte:
		err = fmt.Errorf("%w: bytes are not a key; secrets are for NewHMAC", ErrKey)
	default:
		err = fmt.Errorf("%w: keys of type %T are not supported", ErrKey, key)
	}
	if err != nil {
		return nil, nil, err
	}
	return public, private, nil
}

// algorithmOf returns the algorithm of a name, or the default, that fits a key.
func algorithmOf(name string, public crypto.PublicKey) (algorithm, error) {
	keyType, curve := typeOKP, elliptic.Curve(nil)
	switch public := public.(type) {
	case *rsa.PublicKey:
		keyType = typeRSA
	case *ecdsa.PublicKey:
		keyType, curve = typeEC, public.Curve
	}
	if name == "" {
		return defaultFor(keyType, curve)
	}
	a, err := find(name, keyType)
	if err == nil && a.curve != curve {
		err = fmt.Errorf("%w: algorithm %s is not for its curve", ErrKey, name)
	}
	return a, err
}

func copyRSAPublic(key *rsa.PublicKey) (*rsa.PublicKey, error) {
	if key == nil || key.N == nil || key.N.Sign() <= 0 {
		return nil, fmt.Errorf("%w: its RSA modulus is missing", ErrKey)
	}
	switch bits := key.N.BitLen(); {
	case bits < minModulus || bits > maxModulus:
		return nil, fmt.Errorf("%w: its RSA modulus has %d bits, not %d to %d", ErrKey, bits, minModulus, maxModulus)
	case key.N.Bit(0) == 0:
		return nil, fmt.Errorf("%w: its RSA modulus is even", ErrKey)
	case key.E < 3 || key.E%2 == 0 || key.E > maxExponent:
		return nil, fmt.Errorf("%w: its RSA exponent is %d, not an odd number from 3 to %d", ErrKey, key.E, maxExponent)
	}
	return &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}, nil
}

func copyRSA(key *rsa.PrivateKey) (*rsa.PrivateKey, *rsa.PublicKey, error) {
	if key == nil {
		return nil, nil, fmt.Errorf("%w: it is nil", ErrKey)
	}
	public, err := copyRSAPublic(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	if key.D == nil || len(key.Primes) != 2 || slices.Contains(key.Primes, nil) {
		return nil, nil, fmt.Errorf("%w: its RSA private key is not one of two primes", ErrKey)
	}
	private := &rsa.PrivateKey{PublicKey: *public, D: new(big.Int).Set(key.D)}
	for _, prime := range key.Primes {
		private.Primes = append(private.Primes, new(big.Int).Set(prime))
	}
	private.Precompute()
	if private.Validate() != nil {
		return nil, nil, fmt.Errorf("%w: the parts of its RSA private key do not belong together", ErrKey)
	}
	return private, public, nil
}

func copyECPublic(key *ecdsa.PublicKey) (*ecdsa.PublicKey, error) {
	//lint:ignore SA1019 Bytes panics where a number is missing
	if key == nil || key.X == nil || key.Y == nil {
		return nil, fmt.Errorf("%w: its point is missing", ErrKey)
	}
	if _, err := defaultFor(typeEC, key.Curve); err != nil {
		return nil, err
	}
	point, err := key.Bytes()
	if err == nil {
		key, err = ecdsa.ParseUncompressedPublicKey(key.Curve, point)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its point is not on the curve", ErrKey)
	}
	return key, nil
}

func copyEC(key *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *ecdsa.PublicKey, error) {
	//lint:ignore SA1019 Bytes panics where a number is missing
	if key == nil || key.D == nil {
		return nil, nil, fmt.Errorf("%w: its scalar is missing", ErrKey)
	}
	public, err := copyECPublic(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	var private *ecdsa.PrivateKey
	scalar, err := key.Bytes()
	if err == nil {
		private, err = ecdsa.ParseRawPrivateKey(key.Curve, scalar)
	}
	if err != nil || !private.PublicKey.Equal(public) {
		return nil, nil, fmt.Errorf("%w: the parts of its EC private key do not belong together", ErrKey)
	}
	return private, public, nil
}

func copyEdPublic(key ed25519.PublicKey) (ed25519.PublicKey, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: an Ed25519 public key has %d bytes, not %d", ErrKey, ed25519.PublicKeySize, len(key))
	}
	if !isSoundPoint(key) {
		return nil, fmt.Errorf("%w: its point is not on the curve or of small order", ErrKey)
	}
	return slices.Clone(key), nil
}

func copyEd(key ed25519.PrivateKey) (ed25519.PrivateKey, ed25519.PublicKey, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, nil, fmt.Errorf("%w: an Ed25519 private key has %d bytes, not %d", ErrKey, ed25519.PrivateKeySize, len(key))
	}
	// The second half is the public key. Signing with a wrong one gives the
	// private key away.
	private := ed25519.NewKeyFromSeed(key.Seed())
	if !private.Equal(key) {
		return nil, nil, fmt.Errorf("%w: the parts of its Ed25519 private key do not belong together", ErrKey)
	}
	return private, private.Public().(ed25519.PublicKey), nil
}
