package jws_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

// rocaPrime returns a prime of 1024 bits of the form k·M + (65537^a mod M).
func rocaPrime(t *testing.T) *big.Int {
	t.Helper()
	m, small := big.NewInt(2), big.NewInt(3)
	for ; m.BitLen() < 970; small.Add(small, big.NewInt(2)) {
		if small.ProbablyPrime(20) {
			m.Mul(m, small)
		}
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 1024)
	for {
		a, err := rand.Int(rand.Reader, m)
		if err != nil {
			t.Fatal(err)
		}
		k, err := rand.Int(rand.Reader, new(big.Int).Div(limit, m))
		if err != nil {
			t.Fatal(err)
		}
		p := new(big.Int).Exp(big.NewInt(65537), a, m)
		p.Add(p, k.Mul(k, m))
		if p.BitLen() == 1024 && p.Bit(1022) == 1 && p.ProbablyPrime(20) {
			return p
		}
	}
}

// TestROCAKeysAreRefused makes a key in the way of CVE-2017-15361.
func TestROCAKeysAreRefused(t *testing.T) {
	p, q := rocaPrime(t), rocaPrime(t)
	one := big.NewInt(1)
	order := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	weak := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), order),
		Primes:    []*big.Int{p, q},
	}
	if weak.D == nil {
		t.Skip("the exponent has no inverse, by chance")
	}
	if err := weak.Validate(); err != nil {
		t.Fatal("the key is not valid:", err)
	}
	for name, key := range map[string]any{"public": &weak.PublicKey, "private": weak} {
		if _, err := jws.NewCryptoKey("", "", key); !errors.Is(err, jws.ErrKey) || !strings.Contains(err.Error(), "CVE-2017-15361") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 3 {
		sound, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.NewCryptoKey("", "", sound); err != nil {
			t.Error(err)
		}
	}
}
