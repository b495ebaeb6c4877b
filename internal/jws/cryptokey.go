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

// The limits for the RSA modulus in bits. The minimum is that of RFC 7518, 3.3.
// The maximum keeps verifying a signature well below a millisecond.
const (
	minModulus = 2048
	maxModulus = 8192
)

// maxExponent is the largest public exponent of RSA that Go supports.
const maxExponent = 1<<31 - 1

// NewCryptoKey returns a key made from a *rsa.PrivateKey, *rsa.PublicKey,
// *ecdsa.PrivateKey, *ecdsa.PublicKey, ed25519.PrivateKey, ed25519.PublicKey,
// or any other crypto.Signer with such a public key. Such a signer may use a
// key management service and must be safe for concurrent use. NewCryptoKey
// copies all other keys.
//
// The algorithm is RS256, RS384 or RS512 for RSA; ES256, ES384 or ES512, which
// must fit the curve, for EC; and EdDSA or Ed25519 (RFC 9864), two names of one
// algorithm, for Ed25519. A key has one of the names. The empty name means RS256,
// the algorithm of the curve, or EdDSA. RSA-PSS is not supported.
//
// The error wraps ErrKey. Refused are RSA keys of less than 2048 or more than
// 8192 bits, with an even modulus, with an exponent that is even or less than
// 3, with more than two primes, and of the form of CVE-2017-15361; points that are not on their curve; Ed25519
// points of small order; and private keys that do not match their public key.
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

// split checks a key and returns copies of its parts. The private part is nil
// for a public key, and a foreignSigner for a crypto.Signer that is not one of
// Go's key types.
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
		err = fmt.Errorf("%w: a byte slice is not a key: use NewHMAC for secrets", ErrKey)
	default:
		err = fmt.Errorf("%w: key type %T is not supported", ErrKey, key)
	}
	if err != nil {
		return nil, nil, err
	}
	return public, private, nil
}

// algorithmOf returns the algorithm with a name, or the default algorithm, for
// a key.
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
		err = fmt.Errorf("%w: algorithm %s does not fit the curve", ErrKey, name)
	}
	return a, err
}

func copyRSAPublic(key *rsa.PublicKey) (*rsa.PublicKey, error) {
	if key == nil || key.N == nil || key.N.Sign() <= 0 {
		return nil, fmt.Errorf("%w: RSA modulus is missing", ErrKey)
	}
	switch bits := key.N.BitLen(); {
	case bits < minModulus || bits > maxModulus:
		return nil, fmt.Errorf("%w: RSA modulus has %d bits, want %d to %d", ErrKey, bits, minModulus, maxModulus)
	case key.N.Bit(0) == 0:
		return nil, fmt.Errorf("%w: RSA modulus is even", ErrKey)
	case key.E < 3 || key.E%2 == 0 || key.E > maxExponent:
		return nil, fmt.Errorf("%w: RSA exponent is %d, want an odd number from 3 to %d", ErrKey, key.E, maxExponent)
	case isROCA(key.N):
		return nil, fmt.Errorf("%w: RSA modulus is of the weak form of CVE-2017-15361 (ROCA) and can be factored: make a new key", ErrKey)
	}
	return &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}, nil
}

func copyRSA(key *rsa.PrivateKey) (*rsa.PrivateKey, *rsa.PublicKey, error) {
	if key == nil {
		return nil, nil, fmt.Errorf("%w: key is nil", ErrKey)
	}
	public, err := copyRSAPublic(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	if key.D == nil || len(key.Primes) != 2 || slices.Contains(key.Primes, nil) {
		return nil, nil, fmt.Errorf("%w: RSA private key does not have two primes", ErrKey)
	}
	private := &rsa.PrivateKey{PublicKey: *public, D: new(big.Int).Set(key.D)}
	for _, prime := range key.Primes {
		private.Primes = append(private.Primes, new(big.Int).Set(prime))
	}
	private.Precompute()
	if private.Validate() != nil {
		return nil, nil, fmt.Errorf("%w: parts of the RSA private key do not belong together", ErrKey)
	}
	return private, public, nil
}

func copyECPublic(key *ecdsa.PublicKey) (*ecdsa.PublicKey, error) {
	//lint:ignore SA1019 Bytes panics if a number is missing
	if key == nil || key.X == nil || key.Y == nil {
		return nil, fmt.Errorf("%w: EC point is missing", ErrKey)
	}
	if _, err := defaultFor(typeEC, key.Curve); err != nil {
		return nil, err
	}
	point, err := key.Bytes()
	if err == nil {
		key, err = ecdsa.ParseUncompressedPublicKey(key.Curve, point)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: EC point is not on the curve", ErrKey)
	}
	return key, nil
}

func copyEC(key *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *ecdsa.PublicKey, error) {
	//lint:ignore SA1019 Bytes panics if a number is missing
	if key == nil || key.D == nil {
		return nil, nil, fmt.Errorf("%w: EC scalar is missing", ErrKey)
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
		return nil, nil, fmt.Errorf("%w: parts of the EC private key do not belong together", ErrKey)
	}
	return private, public, nil
}

func copyEdPublic(key ed25519.PublicKey) (ed25519.PublicKey, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: want an Ed25519 public key of %d bytes, got %d", ErrKey, ed25519.PublicKeySize, len(key))
	}
	if !isSoundPoint(key) {
		return nil, fmt.Errorf("%w: Ed25519 point is not on the curve or has small order", ErrKey)
	}
	return slices.Clone(key), nil
}

func copyEd(key ed25519.PrivateKey) (ed25519.PrivateKey, ed25519.PublicKey, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, nil, fmt.Errorf("%w: want an Ed25519 private key of %d bytes, got %d", ErrKey, ed25519.PrivateKeySize, len(key))
	}
	// The second half is the public key. A signature made with a wrong public
	// key reveals the private key.
	private := ed25519.NewKeyFromSeed(key.Seed())
	if !private.Equal(key) {
		return nil, nil, fmt.Errorf("%w: parts of the Ed25519 private key do not belong together", ErrKey)
	}
	return private, private.Public().(ed25519.PublicKey), nil
}
