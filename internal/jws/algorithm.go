package jws

import (
	"crypto"
	"crypto/elliptic"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// The key types (RFC 7518, 6.1; RFC 8037, 2).
const (
	typeSecret = "oct"
	typeRSA    = "RSA"
	typeEC     = "EC"
	typeOKP    = "OKP"
)

// algorithm is a signature algorithm (RFC 7518, 3.1; RFC 9864, 2.2).
type algorithm struct {
	name    string
	keyType string
	hash    crypto.Hash
	curve   elliptic.Curve    // for EC keys
	method  jwt.SigningMethod // nil for HMAC
}

// find returns the algorithm with a name. It must support the key type.
func find(name, keyType string) (algorithm, error) {
	for _, a := range algorithms() {
		if a.name != name {
			continue
		}
		if a.keyType != keyType {
			return algorithm{}, fmt.Errorf("%w: algorithm %s is not for keys of type %s", ErrKey, name, keyType)
		}
		return a, nil
	}
	return algorithm{}, fmt.Errorf("%w: algorithm %.32q is not supported", ErrKey, name)
}

// defaultFor returns the default algorithm for a key type and, for EC keys, a
// curve.
func defaultFor(keyType string, curve elliptic.Curve) (algorithm, error) {
	for _, a := range algorithms() {
		if a.keyType == keyType && a.curve == curve {
			return a, nil
		}
	}
	return algorithm{}, fmt.Errorf("%w: curve is not P-256, P-384 or P-521", ErrKey)
}

// algorithms returns all algorithms. The first one of a key type and curve is
// its default.
func algorithms() []algorithm {
	return []algorithm{
		{"HS256", typeSecret, crypto.SHA256, nil, nil},
		{"HS384", typeSecret, crypto.SHA384, nil, nil},
		{"HS512", typeSecret, crypto.SHA512, nil, nil},
		{"RS256", typeRSA, crypto.SHA256, nil, jwt.SigningMethodRS256},
		{"RS384", typeRSA, crypto.SHA384, nil, jwt.SigningMethodRS384},
		{"RS512", typeRSA, crypto.SHA512, nil, jwt.SigningMethodRS512},
		{"ES256", typeEC, crypto.SHA256, elliptic.P256(), jwt.SigningMethodES256},
		{"ES384", typeEC, crypto.SHA384, elliptic.P384(), jwt.SigningMethodES384},
		{"ES512", typeEC, crypto.SHA512, elliptic.P521(), jwt.SigningMethodES512},
		{"EdDSA", typeOKP, 0, nil, jwt.SigningMethodEdDSA},
		{"Ed25519", typeOKP, 0, nil, jwt.SigningMethodEdDSA}, // the same by its fully specified name
	}
}
