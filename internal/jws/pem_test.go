package jws_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string  { return block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }
func public(key any) string { return block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key))) }

// certificate returns a self-signed certificate.
func certificate(key crypto.Signer, usage x509.KeyUsage) string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), KeyUsage: usage}
	return block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)))
}

func TestParsePEM(t *testing.T) {
	for _, tt := range []struct {
		name, alg, text, want string
		signs                 bool
	}{
		{"PKCS #8 of RSA", "", pkcs8(rsaPair()), "RS256", true},
		{"PKCS #8 of RSA as RS384", "RS384", pkcs8(rsaPair()), "RS384", true},
		{"PKCS #8 of P-256", "", pkcs8(ecPair()), "ES256", true},
		{"PKCS #8 of Ed25519", "", pkcs8(edPair()), "EdDSA", true},
		{"PKCS #1", "", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPair())), "RS256", true},
		{"SEC 1", "", block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec521()))), "ES512", true},
		{"PKIX of RSA", "RS512", public(&rsaPair().PublicKey), "RS512", false},
		{"PKIX of P-384", "", public(&ec384().PublicKey), "ES384", false},
		{"PKIX of Ed25519", "", public(edPair().Public()), "EdDSA", false},
		{"PKCS #1 public", "", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaPair().PublicKey)), "RS256", false},
		{"certificate", "", certificate(ecPair(), x509.KeyUsageDigitalSignature), "ES256", false},
		{"certificate for anything", "", certificate(edPair(), 0), "EdDSA", false},
		{"white space around", "", "\n\t " + public(edPair().Public()) + " \r\n\n", "EdDSA", false},
		{"CRLF", "", strings.ReplaceAll(public(edPair().Public()), "\n", "\r\n"), "EdDSA", false},
		{"no line break at the end", "", strings.TrimSpace(public(edPair().Public())), "EdDSA", false},
	} {
		key, err := jws.ParsePEM("k", tt.alg, []byte(tt.text))
		if err != nil || key.Algorithm() != tt.want || key.CanSign() != tt.signs || key.ID() != "k" {
			t.Errorf("%s: %s, %t, %v", tt.name, key.Algorithm(), key.CanSign(), err)
		}
	}
}

func TestParsePEMRefuses(t *testing.T) {
	private := pkcs8(edPair())
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	encrypted := strings.Replace(block("RSA PRIVATE KEY", sample(600)), "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1)
	for _, tt := range []struct{ name, alg, text, says string }{
		{"nothing", "", "", "not PEM"},
		{"no PEM", "", "change me", "not PEM"},
		{"DER", "", string(must(x509.MarshalPKIXPublicKey(edPair().Public()))), "not PEM"},
		{"JWK", "", string(cryptoKey(t, "k", "", edPair()).PublicJWK()), "not PEM"},
		{"cut off", "", private[:len(private)-10], "not PEM"},
		{"not base64", "", strings.Replace(private, "M", "*", 1), "not PEM"},
		{"two blocks", "", private + private, "more than one"},
		{"parameters first", "", block("EC PARAMETERS", sample(10)) + block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecPair()))), "more than one"},
		{"broken block first", "", "-----BEGIN PRIVATE KEY-----\n*\n" + private, "more than one"},
		{"text before", "", "Key:\n" + private, "not PEM"},
		{"text behind", "", private + "Key", "more than one"},
		{"too long", "", private + strings.Repeat("\n", 32<<10), "longer than"},
		{"encrypted PKCS #8", "", block("ENCRYPTED PRIVATE KEY", sample(100)), "encrypted"},
		{"encrypted PKCS #1", "", encrypted, "encrypted"},
		{"SSH", "", block("OPENSSH PRIVATE KEY", sample(100)), "not supported"},
		{"request", "", block("CERTIFICATE REQUEST", sample(100)), "not supported"},
		{"no DER", "", block("PRIVATE KEY", sample(100)), "not a valid"},
		{"another type", "", strings.ReplaceAll(private, "PRIVATE", "PUBLIC"), "not a valid"},
		{"PKCS #8 as PKCS #1", "", strings.ReplaceAll(pkcs8(rsaPair()), "PRIVATE", "RSA PRIVATE"), "not a valid"},
		{"no certificate", "", block("CERTIFICATE", sample(100)), "certificate"},
		{"certificate for encryption", "", certificate(rsaPair(), x509.KeyUsageKeyEncipherment), "digital signatures"},
		{"certificate for certificates", "", certificate(rsaPair(), x509.KeyUsageCertSign), "digital signatures"},
		{"X25519", "", pkcs8(must(ecdh.X25519().GenerateKey(rand.Reader))), "not supported"},
		{"P-224", "", pkcs8(newEC(elliptic.P224())), "curve"},
		{"1024 bits", "", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey)), "1024"},
		{"e 1", "", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: rsaPair().N, E: 1})), "exponent"},
		{"as HS256", "HS256", public(&rsaPair().PublicKey), "not for keys"},
		{"as another curve", "ES512", pkcs8(ecPair()), "curve"},
	} {
		_, err := jws.ParsePEM("k", tt.alg, []byte(tt.text))
		if !errors.Is(err, jws.ErrKey) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want an error that says %q", tt.name, err, tt.says)
		}
	}
}
