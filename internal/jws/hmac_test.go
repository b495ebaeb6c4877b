package jws_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

func TestNewHMAC(t *testing.T) {
	for alg, size := range map[string]int{"": 32, "HS256": 32, "HS384": 48, "HS512": 64} {
		for _, n := range []int{size, size + 1, 128, 1024} {
			secret := make([]byte, n)
			rand.Read(secret)
			key, err := jws.NewHMAC("k", alg, secret)
			if want := max(alg, "HS256"); err != nil || key.Algorithm() != want || key.ID() != "k" || !key.CanSign() || key.PublicJWK() != nil {
				t.Errorf("%q, %d bytes: %s, %v", alg, n, key.Algorithm(), err)
			}
		}
	}
	for _, text := range []string{
		hex.EncodeToString(sample(32)), base64.StdEncoding.EncodeToString(sample(33)), base64.RawURLEncoding.EncodeToString(sample(40)),
		"{" + string(sample(40)), "\x30\x82" + string(sample(40)), "a long text that somebody thought out 7!",
	} {
		if _, err := jws.NewHMAC("k", "", []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	secret := sample(32)
	key := hmacKey(t, "k", "", secret)
	clear(secret)
	set := newSet(t, key)
	first := must(jws.SignInput(key, "first"))
	if second := must(jws.SignInput(key, "second")); !bytes.Equal(first, hs256(sample(32))("first")) || !bytes.Equal(second, hs256(sample(32))("second")) {
		t.Error("a signature overwrote another")
	}
	if _, _, err := set.Verify(typ, forge(headerOf("HS256", "k"), string(payload()), hs256(sample(32)))); err != nil {
		t.Errorf("changing a slice changed the key: %v", err)
	}
}

func TestNewHMACRefuses(t *testing.T) { // J03
	pkix := must(x509.MarshalPKIXPublicKey(rsaPair().Public()))
	short := must(x509.MarshalPKIXPublicKey(edPair().Public()))
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(ecPair()))
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: short})
	b64 := base64.StdEncoding.EncodeToString
	for _, tt := range []struct {
		name, alg, secret, says string
	}{
		{"nothing", "", "", "bytes"},
		{"31 bytes", "HS256", string(sample(31)), "31"},
		{"47 bytes", "HS384", string(sample(47)), "47"},
		{"63 bytes", "HS512", string(sample(63)), "63"},
		{"1025 bytes", "", string(sample(1025)), "1025"},
		{"white space", "", strings.Repeat(" \n\t", 20), "pattern"},
		{"zeros", "", strings.Repeat("\x00", 32), "pattern"},
		{"letters", "", strings.Repeat("abcdefghij", 4), "pattern"},
		{"seven different bytes", "", "aabacabadabacabaeabacabadabacabaf" + "bacabadabacabaeabacabadabacabag", "pattern"},
		{"20 bytes twice", "", string(sample(20)) + string(sample(20)), "pattern"},
		{"20 bytes twice and a half", "", string(sample(20)) + string(sample(20)) + string(sample(10)), "pattern"},
		{"digits", "", strings.Repeat("0123456789", 5) + "01", "pattern"},
		{"alphabet", "", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "pattern"},
		{"bytes that count down", "", "zyxwvutsrqponmlkjihgfedcba`_^]\\[ZYX", "pattern"},
		{"change me", "", "change-me-in-production-min-32-chars!!", "placeholder"},
		{"Change Me", "", "Please CHANGE_ME before you deploy this", "placeholder"},
		{"your secret", "", "your-256-bit-secret-goes-here-000000", "placeholder"},
		{"jwt.io", "", "a-string-secret-at-least-256-bits-long", "placeholder"},
		{"super secret", "", "my super secret jwt signing key 12345", "placeholder"},
		{"password", "", "P.a.s.s.w.o.r.d 0987654321 poiuytrewq", "placeholder"},
		{"PEM", "", string(text), "another type"},
		{"PEM without its last line", "", string(text[:len(text)-26]), "another type"},
		{"DER", "", string(short), "another type"},
		{"DER of RSA", "", string(pkix), "another type"},
		{"PKCS #1", "", string(x509.MarshalPKCS1PublicKey(&rsaPair().PublicKey)), "another type"},
		{"PKCS #8", "", string(pkcs8), "another type"},
		{"SEC 1", "", string(must(x509.MarshalECPrivateKey(ecPair()))), "another type"},
		{"base64 of DER", "", b64(pkix), "another type"},
		{"base64 of DER in lines", "", b64(pkix)[:64] + "\n" + b64(pkix)[64:] + "\n", "another type"},
		{"base64url of DER", "", base64.RawURLEncoding.EncodeToString(pkix), "another type"},
		{"hexadecimal of DER", "", hex.EncodeToString(short), "another type"},
		{"JWK", "", string(cryptoKey(t, "k", "", edPair()).PublicJWK()), "another type"},
		{"SSH", "", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "another type"},
		{"RS256", "RS256", string(sample(32)), "not for keys"},
		{"none", "none", string(sample(32)), "not supported"},
		{"hs256", "hs256", string(sample(32)), "not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := jws.NewHMAC("k", tt.alg, []byte(tt.secret))
			if !errors.Is(err, jws.ErrKey) || !strings.Contains(err.Error(), tt.says) || key.Algorithm() != "" {
				t.Fatalf("NewHMAC = %v, want an error that says %q", err, tt.says)
			}
			if len(tt.secret) > 8 && strings.Contains(err.Error(), tt.secret[:8]) {
				t.Errorf("error quotes the secret: %v", err)
			}
		})
	}
	for _, kid := range []string{strings.Repeat("k", 256), "a\nb", "\xff", "a\x00"} {
		if _, err := jws.NewHMAC(kid, "", sample(32)); !errors.Is(err, jws.ErrKey) {
			t.Errorf("kid %q: %v", kid, err)
		}
	}
}

// TestInsecureHMAC accepts what is published, and nothing else that NewHMAC refuses.
func TestInsecureHMAC(t *testing.T) {
	counting := make([]byte, 32)
	for i := range counting {
		counting[i] = byte(i)
	}
	for _, tt := range []struct {
		name, secret string
		ok           bool
	}{
		{"00 01 02", string(counting), true},
		{"zeros", strings.Repeat("\x00", 32), true},
		{"jwt.io", "your-256-bit-secret-goes-here-000000", true},
		{"too short", "secret", false},
		{"SSH", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", false},
	} {
		if _, err := jws.NewInsecureHMAC("k", "", []byte(tt.secret)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := jws.NewHMAC("k", "", []byte(tt.secret)); err == nil {
			t.Errorf("%s: NewHMAC accepts it", tt.name)
		}
	}
}

// TestEmptyPayloadIsNoJWT signs an empty payload, which is valid in a JWS that is not a JWT.
func TestEmptyPayloadIsNoJWT(t *testing.T) {
	secret := sample(32)
	set := newSet(t, hmacKey(t, "k", "", secret))
	for payload, want := range map[string]error{"": jws.ErrFormat, "{}": nil} {
		token := forge(headerOf("HS256", "k"), payload, hs256(secret))
		if _, _, err := set.Verify(typ, token); !errors.Is(err, want) {
			t.Errorf("payload %q: %v, want %v", payload, err, want)
		}
	}
}
