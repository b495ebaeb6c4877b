package jws_test

import (
	"crypto/elliptic"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/jws"
)

// TestPublicKeyIsNotHMACSecret uses the public key as an HMAC secret, in every
// encoding in which it may be stored.
func TestPublicKeyIsNotHMACSecret(t *testing.T) { // J02
	for _, pair := range []struct {
		alg    string
		key    any
		public any
	}{
		{"RS256", rsaPair(), &rsaPair().PublicKey},
		{"ES256", ecPair(), &ecPair().PublicKey},
		{"EdDSA", edPair(), edPair().Public()},
	} {
		key := cryptoKey(t, "k", "", pair.key)
		set := newSet(t, key)
		der := must(x509.MarshalPKIXPublicKey(pair.public))
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := map[string][]byte{
			"nothing": nil, "PKIX": der, "PEM": text, "PEM without its last newline": text[:len(text)-1],
			"PEM with CRLF":          []byte(strings.ReplaceAll(string(text), "\n", "\r\n")),
			"base64 of DER":          []byte(base64.StdEncoding.EncodeToString(der)),
			"JWK":                    key.PublicJWK(),
			"JWK set":                set.JWKS(),
			"last 32 bytes":          der[len(der)-32:],
			"last 65 bytes or all":   der[max(0, len(der)-65):],
			"RSA modulus":            rsaPair().N.Bytes(),
			"PKCS #1":                x509.MarshalPKCS1PublicKey(&rsaPair().PublicKey),
			"PEM of PKCS #1":         pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&rsaPair().PublicKey)}),
			"signature of something": eddsa(edPair())("x"),
		}
		for name, secret := range secrets {
			for _, alg := range []string{"HS256", pair.alg} {
				token := forge(headerOf(alg, "k"), string(payload()), hs256(secret))
				want := jws.ErrAlgorithm
				if alg == pair.alg {
					want = jws.ErrSignature
				}
				if _, _, err := set.Verify(typ, token); !errors.Is(err, want) {
					t.Errorf("%s as secret, %s for %s: %v, want %v", name, alg, pair.alg, err, want)
				}
			}
		}
	}
}

// TestTokenOfOtherKeyIsRefused signs with other keys and writes any algorithm
// into the header.
func TestTokenOfOtherKeyIsRefused(t *testing.T) { // J02
	other := map[string]signature{
		"HMAC": hs256(sample(32)), "RSA": rs256(otherRSA()), "EC": es256(newEC(elliptic.P256())),
		"none": unsigned, "zeros": func(string) []byte { return make([]byte, 64) }, "PSS": ps256(otherRSA()),
	}
	for _, key := range everyKey(t, "k") {
		set := newSet(t, key)
		for name, sign := range other {
			for _, alg := range []string{
				"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
				"PS256", "PS384", "PS512", "ES256K", "Ed25519", "none", "RSA1_5", "dir",
			} {
				if _, _, err := set.Verify(typ, forge(headerOf(alg, "k"), string(payload()), sign)); err == nil {
					t.Errorf("key for %s accepts %s signed as %s", key.Algorithm(), alg, name)
				}
			}
		}
	}
}

// TestPSSIsRefused signs with the same RSA key and PSS padding.
func TestPSSIsRefused(t *testing.T) {
	set := newSet(t, cryptoKey(t, "k", "", rsaPair()))
	for alg, want := range map[string]error{"RS256": jws.ErrSignature, "PS256": jws.ErrAlgorithm} {
		if _, _, err := set.Verify(typ, forge(headerOf(alg, "k"), string(payload()), ps256(rsaPair()))); !errors.Is(err, want) {
			t.Errorf("PSS as %s: %v, want %v", alg, err, want)
		}
	}
	for _, alg := range []string{"PS256", "PS384", "PS512"} {
		if _, err := jws.NewCryptoKey("k", alg, rsaPair()); !errors.Is(err, jws.ErrKey) {
			t.Errorf("key for %s: %v", alg, err)
		}
	}
}

// TestTokenHasOneText checks that no changed text of a token is accepted.
func TestTokenHasOneText(t *testing.T) { // J17
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, key := range everyKey(t, "k") {
		set := newSet(t, key)
		token := must(set.Sign(typ, payload()))
		refused := func(what, changed string) {
			t.Helper()
			if _, _, err := set.Verify(typ, changed); err == nil && changed != token {
				t.Errorf("%s: %s accepted: %q", key.Algorithm(), what, changed)
			}
		}
		step := 1 // every byte; takes seconds
		if os.Getenv("GINAUTH_LONG") != "1" && key.Algorithm() != "HS256" {
			step = 23
		}
		for i := 0; i < len(token); i += step {
			for bit := range 8 {
				changed := []byte(token)
				changed[i] ^= 1 << bit
				refused("flipped bit", string(changed))
			}
			refused("byte removed", token[:i]+token[i+1:])
			for _, extra := range []string{"\n", "\r", "\r\n", " ", "=", "\t", "\x00", ".", "A"} {
				refused("insertion", token[:i]+extra+token[i:])
			}
		}
		segments := strings.Split(token, ".")
		for i, segment := range segments {
			for _, c := range alphabet {
				changed := slices.Clone(segments)
				changed[i] = segment[:len(segment)-1] + string(c)
				refused("last character", strings.Join(changed, "."))
			}
			for _, padding := range []string{"=", "==", "\n", "A", "AA", "AAA", "AAAA"} {
				changed := slices.Clone(segments)
				changed[i] += padding
				refused("padding", strings.Join(changed, "."))
			}
			changed := slices.Clone(segments)
			changed[i] = ""
			if _, _, err := set.Verify(typ, strings.Join(changed, ".")); !errors.Is(err, jws.ErrFormat) {
				t.Errorf("%s: empty segment: %v", key.Algorithm(), err)
			}
		}
		for _, changed := range []string{
			"", ".", "..", "...", segments[0], segments[0] + "." + segments[1], "." + token, token + ".", token + "." + segments[2],
			strings.Join([]string{segments[1], segments[0], segments[2]}, "."), token + token, "Bearer " + token,
		} {
			refused("other segments", changed)
		}
	}
}

// TestStandardAlphabetIsRefused encodes a signature with the standard alphabet
// of base64.
func TestStandardAlphabetIsRefused(t *testing.T) {
	set := newSet(t, hmacKey(t, "k", "", sample(32)))
	for i := 0; ; i++ {
		token := must(set.Sign(typ, must(validClaims().Payload([]byte(`{"i":"`+strings.Repeat("x", i)+`"}`)))))
		if changed := strings.NewReplacer("-", "+", "_", "/").Replace(token); changed != token {
			if _, _, err := set.Verify(typ, changed); !errors.Is(err, jws.ErrFormat) {
				t.Errorf("standard alphabet: %v", err)
			}
			return
		}
	}
}

// TestECDSASignatureForms checks the forms of an ES256 signature (RFC 7518,
// 3.4).
func TestECDSASignatureForms(t *testing.T) {
	set := newSet(t, cryptoKey(t, "k", "", ecPair()))
	n := elliptic.P256().Params().N
	valid := es256(ecPair())
	for _, tt := range []struct {
		name   string
		change func(r, s *big.Int, fixed []byte) []byte
		ok     bool
	}{
		{"as it is", func(_, _ *big.Int, fixed []byte) []byte { return fixed }, true},
		// A property of ECDSA, which golang-jwt and crypto/ecdsa do not
		// prevent. See the documentation of the package.
		{"counterpart", func(_, s *big.Int, fixed []byte) []byte {
			return append(fixed[:32:32], new(big.Int).Sub(n, s).FillBytes(make([]byte, 32))...)
		}, true},
		{"63 bytes", func(_, _ *big.Int, fixed []byte) []byte { return fixed[:63] }, false},
		{"65 bytes", func(_, _ *big.Int, fixed []byte) []byte { return append(fixed, 0) }, false},
		{"65 bytes, zero first", func(_, _ *big.Int, fixed []byte) []byte { return append([]byte{0}, fixed...) }, false},
		{"66 byte numbers", func(r, s *big.Int, _ []byte) []byte {
			return append(r.FillBytes(make([]byte, 66)), s.FillBytes(make([]byte, 66))...)
		}, false},
		{"zeros", func(_, _ *big.Int, _ []byte) []byte { return make([]byte, 64) }, false},
		{"r and s of n", func(_, _ *big.Int, _ []byte) []byte { return append(n.Bytes(), n.Bytes()...) }, false},
		{"r zero", func(_, _ *big.Int, fixed []byte) []byte { return append(make([]byte, 32), fixed[32:]...) }, false},
		{"swapped", func(_, _ *big.Int, fixed []byte) []byte { return slices.Concat(fixed[32:], fixed[:32]) }, false},
	} {
		token := forge(headerOf("ES256", "k"), string(payload()), func(input string) []byte {
			fixed := valid(input)
			return tt.change(new(big.Int).SetBytes(fixed[:32]), new(big.Int).SetBytes(fixed[32:]), fixed)
		})
		if _, _, err := set.Verify(typ, token); (err == nil) != tt.ok || err != nil && !errors.Is(err, jws.ErrSignature) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestEdDSASignatureIsReduced checks that S + L is refused. A verifier that
// does not reduce treats it as the same number as S (RFC 8032, 8.4).
func TestEdDSASignatureIsReduced(t *testing.T) {
	set := newSet(t, cryptoKey(t, "k", "", edPair()))
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	token := forge(headerOf("EdDSA", "k"), string(payload()), func(input string) []byte {
		signed := eddsa(edPair())(input)
		slices.Reverse(signed[32:])
		s := new(big.Int).SetBytes(signed[32:])
		s.Add(s, order).FillBytes(signed[32:])
		slices.Reverse(signed[32:])
		return signed
	})
	if _, _, err := set.Verify(typ, token); !errors.Is(err, jws.ErrSignature) {
		t.Errorf("S + L: %v", err)
	}
}

// TestOtherHashIsRefused signs with the right key and another hash of the same
// family.
func TestOtherHashIsRefused(t *testing.T) {
	set := newSet(t, hmacKey(t, "k", "", sample(64)))
	long := func(input string) []byte {
		sum := sha512.Sum512([]byte(input))
		return sum[:32]
	}
	signed := must(newSet(t, hmacKey(t, "k", "HS512", sample(64))).Sign(typ, payload()))
	changed := b64(headerOf("HS256", "k")) + signed[strings.IndexByte(signed, '.'):]
	for _, token := range []string{forge(headerOf("HS256", "k"), string(payload()), long), changed} {
		if _, _, err := set.Verify(typ, token); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("another hash: %v", err)
		}
	}
}

// TestSignatureIsCheckedFirst checks that a payload is not parsed before its
// signature is verified.
func TestSignatureIsCheckedFirst(t *testing.T) { // J16
	set := newSet(t, hmacKey(t, "k", "", sample(32)))
	expired := validClaims()
	expired.Expiry = now.Add(-time.Hour)
	for _, content := range []string{string(must(expired.Payload(nil))), `{"exp":1}`, `{"exp":null}`, `not JSON`, `{"a":1,"a":2}`} {
		_, _, _, err := set.VerifyClaims(typ, forge(headerOf("HS256", "k"), content, hs256(sample(33))))
		if !errors.Is(err, jws.ErrSignature) || errors.Is(err, jws.ErrExpired) || errors.Is(err, jws.ErrPayload) {
			t.Errorf("%s: %v", content, err)
		}
	}
}
