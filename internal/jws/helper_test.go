package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/jws"
)

const (
	typ      = "at+jwt"
	issuer   = "https://issuer.example"
	audience = "https://api.example"
	kind     = "access"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// sample returns n bytes that pass the checks for weak secrets.
func sample(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(251 - 7*i)
	}
	return data
}

// The key pairs of all tests. They are created once.
var (
	rsaPair    = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecPair     = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	ec384      = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P384()) })
	ec521      = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P521()) })
	edPair     = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(sample(32)) })
	claimsOnce = sync.OnceValue(func() []byte { return must(validClaims().Payload(nil)) })
)

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(curve, rand.Reader))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// validClaims returns claims that are acceptable now.
func validClaims() *jws.Claims {
	return &jws.Claims{
		Issuer: issuer, Subject: "42", Audience: []string{audience}, ID: "id-1", Kind: kind,
		IssuedAt: now.Add(-time.Minute), Expiry: now.Add(time.Minute),
	}
}

// payload returns the JSON of validClaims.
func payload() []byte { return claimsOnce() }

// newSet returns a set with one key.
func newSet(t testing.TB, keys ...jws.Key) *jws.Set {
	t.Helper()
	set, err := jws.NewSet(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func hmacKey(t testing.TB, kid, alg string, secret []byte) jws.Key {
	t.Helper()
	key, err := jws.NewHMAC(kid, alg, secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func cryptoKey(t testing.TB, kid, alg string, key any) jws.Key {
	t.Helper()
	k, err := jws.NewCryptoKey(kid, alg, key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// everyKey returns a key of each algorithm with a kid.
func everyKey(t testing.TB, kid string) []jws.Key {
	t.Helper()
	return []jws.Key{
		hmacKey(t, kid, "HS256", sample(64)), hmacKey(t, kid, "HS384", sample(64)), hmacKey(t, kid, "HS512", sample(64)),
		cryptoKey(t, kid, "RS256", rsaPair()), cryptoKey(t, kid, "RS384", rsaPair()), cryptoKey(t, kid, "RS512", rsaPair()),
		cryptoKey(t, kid, "ES256", ecPair()), cryptoKey(t, kid, "ES384", ec384()), cryptoKey(t, kid, "ES512", ec521()),
		cryptoKey(t, kid, "EdDSA", edPair()),
		cryptoKey(t, kid, "Ed25519", edPair()),
	}
}

// A signature creates the last segment of a token. The implementations do not
// use package jws, so they can sign what it refuses to sign.
type signature func(input string) []byte

func hs256(secret []byte) signature {
	return func(input string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
}

func rs256(key *rsa.PrivateKey) signature {
	return func(input string) []byte {
		digest := sha256.Sum256([]byte(input))
		return must(rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]))
	}
}

func ps256(key *rsa.PrivateKey) signature {
	return func(input string) []byte {
		digest := sha256.Sum256([]byte(input))
		return must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil))
	}
}

func es256(key *ecdsa.PrivateKey) signature {
	return func(input string) []byte {
		digest := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			panic(err)
		}
		fixed := make([]byte, 64)
		r.FillBytes(fixed[:32])
		s.FillBytes(fixed[32:])
		return fixed
	}
}

func eddsa(key ed25519.PrivateKey) signature {
	return func(input string) []byte { return ed25519.Sign(key, []byte(input)) }
}

func unsigned(string) []byte { return nil }

var rawURL = base64.RawURLEncoding

func b64(data string) string { return rawURL.EncodeToString([]byte(data)) }

// forge returns a token with any header and payload.
func forge(header, payload string, sign signature) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(string(sign(input)))
}

// headerOf returns a header with an algorithm, a kid and the type of the tests.
func headerOf(alg, kid string) string {
	return fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"%s"}`, alg, kid, typ)
}
