package jwt

import (
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/tokens"
)

// Key is a key of signed tokens with its identifier (kid) and algorithm. The algorithm belongs to the key: that in a
// token's header must equal it. New of package ginauth reports a key that cannot be used. A Key is redacted in fmt,
// slog and JSON.
type Key struct {
	keys.Redacted
	key tokens.Key
}

// Secret returns a symmetric key for HS256 (the default), HS384 or HS512, of at least 32, 48 or 64 random bytes.
func Secret(kid, algorithm string, secret []byte) Key {
	return newKey(jws.NewHMAC(kid, algorithm, secret))
}

// InsecureSecret is Secret for tests with published keys, such as the bytes 00 01 02…: it accepts simple patterns and
// placeholders. Everyone can sign tokens with such a key.
func InsecureSecret(kid, algorithm string, secret []byte) Key {
	return newKey(jws.NewInsecureHMAC(kid, algorithm, secret))
}

// PEM returns the key in a PEM file, also with line breaks as the two characters \n: a private key, or for verifying a
// public key or a certificate. The algorithm may be empty if the key's type determines it: RS256 for RSA, ES256, ES384 or
// ES512 for the curves, EdDSA for Ed25519. The name Ed25519 (RFC 9864) has to be asked for.
func PEM(kid, algorithm string, pem []byte) Key {
	return newKey(jws.ParsePEM(kid, algorithm, pem))
}

// JWK returns the key of a JSON Web Key (RFC 7517), which names its kid and algorithm. A key for encryption is refused.
func JWK(data []byte) Key { return newKey(jws.ParseJWK(data)) }

// CryptoKey returns the key of a crypto.Signer, such as an *ecdsa.PrivateKey or a key in a key management service (RSA,
// ECDSA or Ed25519), or for verifying a public key. The algorithm may be empty as for PEM.
func CryptoKey(kid, algorithm string, key any) Key {
	return newKey(jws.NewCryptoKey(kid, algorithm, key))
}

func newKey(key jws.Key, err error) Key { return Key{key: tokens.NewKey(key, err)} }

// IsSet reports whether the key was made by a constructor. The zero Key is not.
func (k Key) IsSet() bool { return k.key.IsSet() }

// Set returns the keys of a manager. Only package ginauth can call it.
func Set(ring *keys.Ring, signing Key, verifying []Key, f *faults.List) *jws.Set {
	var others []tokens.Key
	for _, k := range verifying {
		others = append(others, k.key)
	}
	return tokens.KeySet(ring, signing.key, others, f)
}
