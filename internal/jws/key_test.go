//lint:file-ignore SA1019 invalid keys are made number by number
package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

func TestNewCryptoKey(t *testing.T) {
	for _, tt := range []struct {
		name, alg string
		key       any
		want      string
		signs     bool
	}{
		{"RSA", "", rsaPair(), "RS256", true},
		{"RSA public", "", &rsaPair().PublicKey, "RS256", false},
		{"RSA as RS512", "RS512", rsaPair(), "RS512", true},
		{"P-256", "", ecPair(), "ES256", true},
		{"P-256 public", "ES256", &ecPair().PublicKey, "ES256", false},
		{"P-384", "", ec384(), "ES384", true},
		{"P-521", "", ec521(), "ES512", true},
		{"Ed25519", "", edPair(), "EdDSA", true},
		{"Ed25519 public", "EdDSA", edPair().Public(), "EdDSA", false},
		{"signer of RSA", "RS384", elsewhere{rsaPair()}, "RS384", true},
		{"signer of P-521", "", elsewhere{ec521()}, "ES512", true},
		{"signer of Ed25519", "", elsewhere{edPair()}, "EdDSA", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := jws.NewCryptoKey("k", tt.alg, tt.key)
			if err != nil || key.Algorithm() != tt.want || key.CanSign() != tt.signs {
				t.Fatalf("NewCryptoKey = %s, %t, %v", key.Algorithm(), key.CanSign(), err)
			}
			public, err := jws.ParseJWK(key.PublicJWK())
			if err != nil || public.CanSign() || public.ID() != "k" || public.Algorithm() != tt.want {
				t.Fatalf("%s: %v", key.PublicJWK(), err)
			}
			if !tt.signs {
				return
			}
			token := must(newSet(t, key).Sign(typ, payload()))
			verifier := newSet(t, cryptoKey(t, "other", "", edPair()), public)
			if _, index, err := verifier.Verify(typ, token); err != nil || index != 1 {
				t.Errorf("the public JWK does not verify: %v", err)
			}
		})
	}
}

// elsewhere is a crypto.Signer whose private key is not accessible.
type elsewhere struct{ signer crypto.Signer }

func (e elsewhere) Public() crypto.PublicKey { return e.signer.Public() }

func (e elsewhere) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return e.signer.Sign(r, digest, opts)
}

func TestNewCryptoKeyRefuses(t *testing.T) { // J03
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	exponent := func(e int) *rsa.PublicKey { return &rsa.PublicKey{N: rsaPair().N, E: e} }
	mixed := *rsaPair()
	mixed.PublicKey = otherRSA().PublicKey
	mixed.Precomputed = rsa.PrecomputedValues{}
	pointless := *rsaPair()
	pointless.Primes = nil
	moved := func(curve elliptic.Curve, x, y int64) *ecdsa.PublicKey {
		return &ecdsa.PublicKey{Curve: curve, X: big.NewInt(x), Y: big.NewInt(y)}
	}
	mixedEC := *ecPair()
	mixedEC.PublicKey = newEC(elliptic.P256()).PublicKey
	mixedEd := slices.Clone(edPair())
	mixedEd[40] ^= 1
	for _, tt := range []struct {
		name, alg string
		key       any
		says      string
	}{
		{"nil", "", nil, "not supported"},
		{"bytes", "", sample(32), "NewHMAC"},
		{"bytes for HS256", "HS256", sample(32), "NewHMAC"},
		{"string", "", "key", "not supported"},
		{"by value", "", rsaPair().PublicKey, "not supported"},
		{"RSA nil", "", (*rsa.PrivateKey)(nil), "nil"},
		{"RSA public nil", "", (*rsa.PublicKey)(nil), "missing"},
		{"RSA empty", "", &rsa.PrivateKey{}, "missing"},
		{"RSA of 1024 bits", "", small, "1024 bits"},
		{"RSA public of 1024 bits", "", &small.PublicKey, "1024 bits"},
		{"RSA of 2047 bits", "", &rsa.PublicKey{N: new(big.Int).Rsh(rsaPair().N, 1), E: 65537}, "2047 bits"},
		{"RSA of 8193 bits", "", &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}, "8193 bits"},
		{"RSA even", "", &rsa.PublicKey{N: new(big.Int).Add(rsaPair().N, big.NewInt(1)), E: 65537}, "even"},
		{"RSA negative", "", &rsa.PublicKey{N: new(big.Int).Neg(rsaPair().N), E: 65537}, "missing"},
		{"RSA e 0", "", exponent(0), "exponent"},
		{"RSA e 1", "", exponent(1), "exponent"},
		{"RSA e 2", "", exponent(2), "exponent"},
		{"RSA e even", "", exponent(65536), "exponent"},
		{"RSA e negative", "", exponent(-3), "exponent"},
		{"RSA e of 32 bits", "", exponent(1<<31 + 1), "exponent"},
		{"RSA of two keys", "", &mixed, "belong"},
		{"RSA without primes", "", &pointless, "two primes"},
		{"RSA as ES256", "ES256", rsaPair(), "not for keys"},
		{"RSA as PS256", "PS256", rsaPair(), "not supported"},
		{"RSA as HS256", "HS256", rsaPair(), "not for keys"},
		{"RSA as none", "none", rsaPair(), "not supported"},
		{"EC nil", "", (*ecdsa.PrivateKey)(nil), "missing"},
		{"EC public nil", "", (*ecdsa.PublicKey)(nil), "missing"},
		{"EC empty", "", &ecdsa.PrivateKey{}, "missing"},
		{"EC without a curve", "", moved(nil, 1, 1), "curve"},
		{"EC on P-224", "", newEC(elliptic.P224()), "curve"},
		{"EC not on the curve", "", moved(elliptic.P256(), 1, 1), "not on the curve"},
		{"EC negative", "", moved(elliptic.P256(), -1, 1), "not on the curve"},
		{"EC at infinity", "", moved(elliptic.P256(), 0, 0), "not on the curve"},
		{"EC on a foreign curve", "", &ecdsa.PublicKey{Curve: elliptic.P256().Params(), X: ecPair().X, Y: ecPair().Y}, "curve"},
		{"EC of two keys", "", &mixedEC, "belong"},
		{"P-256 as ES384", "ES384", ecPair(), "curve"},
		{"P-521 as ES256", "ES256", ec521(), "curve"},
		{"P-256 as EdDSA", "EdDSA", ecPair(), "not for keys"},
		{"Ed25519 short", "", ed25519.PublicKey(sample(31)), "31"},
		{"Ed25519 private short", "", ed25519.PrivateKey(sample(63)), "63"},
		{"Ed25519 of two keys", "", mixedEd, "belong"},
		{"Ed25519 as Ed448", "Ed448", edPair(), "not supported"},
		{"signer of a small key", "", elsewhere{small}, "1024 bits"},
		{"signer of P-224", "", elsewhere{newEC(elliptic.P224())}, "curve"},
		{"signer of nothing", "", nobody{}, "not supported"},
		{"signer of itself", "", itself{}, "private key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := jws.NewCryptoKey("k", tt.alg, tt.key)
			if !errors.Is(err, jws.ErrKey) || !strings.Contains(err.Error(), tt.says) || key.CanSign() {
				t.Errorf("NewCryptoKey = %v, want an error that says %q", err, tt.says)
			}
		})
	}
}

type nobody struct{ elsewhere }

func (nobody) Public() crypto.PublicKey { return nil }

type itself struct{ elsewhere }

func (itself) Public() crypto.PublicKey { return edPair() }

// TestSmallOrderPointsAreRefused tests all encodings of the points with which
// trivial signatures are valid for some or all messages, and points that are
// not on the curve.
func TestSmallOrderPointsAreRefused(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	eight, _ := new(big.Int).SetString("55188659117513257062467267217118295137698188065244968500265048394206261417927", 10)
	one := big.NewInt(1)
	for i := range int64(19) {
		key := new(big.Int).Add(p, big.NewInt(i)).FillBytes(make([]byte, 32))
		slices.Reverse(key)
		if _, err := jws.NewCryptoKey("k", "", ed25519.PublicKey(key)); !errors.Is(err, jws.ErrKey) {
			t.Errorf("p + %d: %v", i, err)
		}
	}
	for name, y := range map[string]*big.Int{
		"order 4": new(big.Int), "neutral": one, "order 2": new(big.Int).Sub(p, one), "order 8": eight,
		"order 8, negative": new(big.Int).Sub(p, eight), "order 4, not reduced": p, "neutral, not reduced": new(big.Int).Add(p, one),
		"no point": big.NewInt(2),
	} {
		for _, sign := range []byte{0, 0x80} {
			key := y.FillBytes(make([]byte, 32))
			slices.Reverse(key)
			key[31] |= sign
			if _, err := jws.NewCryptoKey("k", "", ed25519.PublicKey(key)); !errors.Is(err, jws.ErrKey) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for i := range 50 {
		public := ed25519.NewKeyFromSeed(sample(32 + i)[i:]).Public()
		if _, err := jws.NewCryptoKey("k", "", public); err != nil {
			t.Errorf("a good key: %v", err)
		}
	}
}

// TestKeyIsCopied changes a key after NewCryptoKey.
func TestKeyIsCopied(t *testing.T) {
	own := must(rsa.GenerateKey(rand.Reader, 2048))
	ec := newEC(elliptic.P256())
	ed := slices.Clone(edPair())
	for _, tt := range []struct {
		key   any
		spoil func()
	}{
		{own, func() {
			own.N.SetInt64(15)
			own.D.SetInt64(3)
			own.Primes[0].SetInt64(3)
			own.Precomputed.Dp.SetInt64(1)
		}},
		{ec, func() { ec.X.SetInt64(1); ec.D.SetInt64(1) }},
		{ed, func() { clear(ed) }},
	} {
		key, err := jws.NewCryptoKey("k", "", tt.key)
		if err != nil {
			t.Fatal(err)
		}
		set := newSet(t, key)
		token := must(set.Sign(typ, payload()))
		tt.spoil()
		if _, _, err := set.Verify(typ, token); err != nil {
			t.Errorf("%T: %v", tt.key, err)
		}
		if again, err := set.Sign(typ, payload()); err != nil || key.Algorithm() != "ES256" && again != token {
			t.Errorf("%T: %v", tt.key, err)
		}
	}
}
