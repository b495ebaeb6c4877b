package ginauth

import (
	"errors"

	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/keys"
)

// JWTKey is a key of signed tokens with its identifier (kid) and algorithm. The
// algorithm belongs to the key: what a token's header says is only compared with
// it. A key that cannot be used is reported by New. It hides itself in fmt, slog
// and JSON.
type JWTKey struct {
	keys.Redacted
	key jws.Key
	set bool
	err error
}

// JWTSecret returns a symmetric key, for HS256 (the default), HS384 or HS512,
// of at least 32, 48 or 64 random bytes.
func JWTSecret(kid, algorithm string, secret []byte) JWTKey {
	return newJWTKey(jws.NewHMAC(kid, algorithm, secret))
}

// JWTPEM returns the key of a PEM block: a private key, or for verifying a
// public key or certificate. The algorithm may be left empty where the key's
// type says it: RS256 for RSA, ES256, ES384 or ES512 for the curves, EdDSA for
// Ed25519.
func JWTPEM(kid, algorithm string, pem []byte) JWTKey {
	return newJWTKey(jws.ParsePEM(kid, algorithm, pem))
}

// JWTJWK returns the key of a JSON Web Key (RFC 7517), which names its kid and
// algorithm itself. One that is marked for encryption is refused.
func JWTJWK(data []byte) JWTKey { return newJWTKey(jws.ParseJWK(data)) }

// JWTCryptoKey returns a key of the standard library's types: *rsa.PrivateKey,
// *ecdsa.PrivateKey, ed25519.PrivateKey, or for verifying their public halves.
// The algorithm may be left empty as for JWTPEM.
func JWTCryptoKey(kid, algorithm string, key any) JWTKey {
	return newJWTKey(jws.NewCryptoKey(kid, algorithm, key))
}

func newJWTKey(key jws.Key, err error) JWTKey { return JWTKey{key: key, set: true, err: err} }

func (k JWTKey) unset() bool { return !k.set }

var errNoKey = errors.New("is not set")

func (k JWTKey) fault() error {
	if k.unset() {
		return errNoKey
	}
	return k.err
}
