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
	"os/exec"
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

// What tools write around keys: OpenSSL for "ecparam -genkey" and "pkcs12 -nodes", and for
// environment variables whoever copies a key there.
var (
	ecParameters  = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
	sec1          = block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecPair())))
	bagAttributes = "Bag Attributes\n    friendlyName: api\n    localKeyID: 54 69 6D 65 20 31 \nKey Attributes: <No Attributes>\n"
)

func escaped(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }

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
		{"parameters first", "", ecParameters + sec1, "ES256", true},
		{"parameters last", "", sec1 + ecParameters, "ES256", true},
		{"bag attributes", "", bagAttributes + pkcs8(ecPair()), "ES256", true},
		{"text before and behind", "", "Key of the API:\n" + public(edPair().Public()) + "keep it", "EdDSA", false},
		{"line breaks as two characters", "", escaped(pkcs8(rsaPair())), "RS256", true},
		{"line breaks as four characters", "", strings.ReplaceAll(pkcs8(edPair()), "\n", `\r\n`), "EdDSA", true},
		{"in double quotes", "", `"` + escaped(ecParameters+sec1) + `"`, "ES256", true},
		{"in single quotes", "", "'" + pkcs8(edPair()) + "'\n", "EdDSA", true},
		{"byte order mark", "", "\ufeff" + pkcs8(edPair()), "EdDSA", true},
		{"by the new name", "Ed25519", pkcs8(edPair()), "Ed25519", true},
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
		{"key and certificate", "", private + certificate(edPair(), 0), `"PRIVATE KEY" and "CERTIFICATE"`},
		{"parameters alone", "", ecParameters, "no key"},
		{"broken block first", "", "-----BEGIN PRIVATE KEY-----\n*\n" + private, "damaged"},
		{"broken block last", "", private + "-----BEGIN PRIVATE KEY-----\n*\n", "damaged"},
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

// TestParsePEMOfOpenSSL reads keys as OpenSSL writes them.
func TestParsePEMOfOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	for _, tt := range []struct{ want, command string }{
		{"ES256", "ecparam -name prime256v1 -genkey"}, {"ES384", "ecparam -name secp384r1 -genkey"},
		{"RS256", "genrsa 2048"}, {"RS256", "genrsa -traditional 2048"}, {"EdDSA", "genpkey -algorithm ED25519"},
		{"ES256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"},
		{"EdDSA", "genpkey -algorithm ED25519 -text"},
	} {
		text, err := exec.Command(openssl, strings.Fields(tt.command)...).Output()
		if err != nil {
			t.Errorf("openssl %s: %v", tt.command, err)
			continue
		}
		for _, text := range []string{string(text), escaped(string(text))} {
			if key, err := jws.ParsePEM("k", "", []byte(text)); err != nil || key.Algorithm() != tt.want || !key.CanSign() {
				t.Errorf("openssl %s: %s, %v", tt.command, key.Algorithm(), err)
			}
		}
	}
}
