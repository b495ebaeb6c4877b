package jws_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

func b64Int(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// The keys of the tests as the members of JWKs.
var (
	octMembers = `"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString(sample(64)) + `"`
	edX        = base64.RawURLEncoding.EncodeToString(edPair()[32:])
	edMembers  = `"kty":"OKP","crv":"Ed25519","x":"` + edX + `"`
	edSeed     = `,"d":"` + base64.RawURLEncoding.EncodeToString(edPair().Seed()) + `"`
	ecMembers  = func() string {
		point := must(ecPair().PublicKey.Bytes())
		return `"kty":"EC","crv":"P-256","x":"` + base64.RawURLEncoding.EncodeToString(point[1:33]) +
			`","y":"` + base64.RawURLEncoding.EncodeToString(point[33:]) + `"`
	}()
	ecScalar   = `,"d":"` + base64.RawURLEncoding.EncodeToString(must(ecPair().Bytes())) + `"`
	rsaMembers = `"kty":"RSA","n":"` + b64Int(rsaPair().N) + `","e":"AQAB"`
	rsaSecrets = `,"d":"` + b64Int(rsaPair().D) + `","p":"` + b64Int(rsaPair().Primes[0]) + `","q":"` + b64Int(rsaPair().Primes[1]) + `"`
)

func TestParseJWK(t *testing.T) {
	for _, tt := range []struct {
		name, members, want string
		signs               bool
	}{
		{"oct", octMembers, "HS256", true},
		{"oct for HS512", octMembers + `,"alg":"HS512"`, "HS512", true},
		{"oct to verify", octMembers + `,"key_ops":["verify"]`, "HS256", false},
		{"oct to sign", octMembers + `,"key_ops":["sign"]`, "HS256", true},
		{"RSA", rsaMembers + rsaSecrets, "RS256", true},
		{"RSA with more numbers", rsaMembers + rsaSecrets + `,"dp":"AA","dq":"AA","qi":"AA"`, "RS256", true},
		{"RSA public", rsaMembers + `,"alg":"RS384","use":"sig"`, "RS384", false},
		{"EC", ecMembers + ecScalar, "ES256", true},
		{"EC public", ecMembers + `,"alg":"ES256"`, "ES256", false},
		{"OKP", edMembers + edSeed, "EdDSA", true},
		{"OKP by the new name", edMembers + edSeed + `,"alg":"Ed25519"`, "Ed25519", true},
		{"OKP public by the new name", edMembers + `,"alg":"Ed25519"`, "Ed25519", false},
		{"OKP by the old name", edMembers + `,"alg":"EdDSA"`, "EdDSA", false},
		{"OKP to sign", edMembers + edSeed + `,"key_ops":["sign"]`, "EdDSA", true},
		{"OKP to sign and verify", edMembers + edSeed + `,"key_ops":["verify","sign"],"use":"sig"`, "EdDSA", true},
		{"OKP to verify", edMembers + edSeed + `,"key_ops":["verify"]`, "EdDSA", false},
		{"OKP public", edMembers + `,"key_ops":["verify"],"x5c":["MIIB"],"nbf":1`, "EdDSA", false},
		{"escapes", strings.Replace(edMembers, `"OKP"`, `"\u004fKP"`, 1), "EdDSA", false},
	} {
		key, err := jws.ParseJWK([]byte(`{"kid":"k",` + tt.members + `}`))
		if err != nil || key.Algorithm() != tt.want || key.CanSign() != tt.signs || key.ID() != "k" {
			t.Errorf("%s: %s, %t, %v", tt.name, key.Algorithm(), key.CanSign(), err)
		}
	}
	if key, err := jws.ParseJWK([]byte(`{` + edMembers + `}`)); err != nil || key.ID() != "" {
		t.Errorf("no kid: %q, %v", key.ID(), err)
	}
}

func TestParseJWKRefuses(t *testing.T) { // J03
	replaced := func(members, old, new string) string { return strings.Replace(members, old, new, 1) }
	rsaWith := func(n, e string) string { return `"kty":"RSA","n":"` + n + `","e":"` + e + `"` }
	n := b64Int(rsaPair().N)
	for _, tt := range []struct{ name, members, says string }{
		{"no type", `"k":"AAAA"`, "kty"},
		{"type in lower case", replaced(rsaMembers, "RSA", "rsa"), "kty"},
		{"type a number", `"kty":1`, "kty"},
		{"type null", `"kty":null`, "kty"},
		{"kid a number", octMembers + `,"kid":1`, "kid"},
		{"kid empty", octMembers + `,"kid":""`, "kid"},
		{"kid too long", octMembers + `,"kid":"` + strings.Repeat("k", 256) + `"`, "kid"},
		{"alg empty", octMembers + `,"alg":""`, "alg"},
		{"alg null", octMembers + `,"alg":null`, "alg"},
		{"alg none", octMembers + `,"alg":"none"`, "not supported"},
		{"alg for encryption", rsaMembers + `,"alg":"RSA-OAEP"`, "not supported"},
		{"alg of PSS", rsaMembers + `,"alg":"PS256"`, "not supported"},
		{"alg of another type", rsaMembers + `,"alg":"HS256"`, "not for keys"},
		{"alg of another curve", ecMembers + `,"alg":"ES384"`, "curve"},
		{"use enc", octMembers + `,"use":"enc"`, "use"},
		{"use another", rsaMembers + `,"use":"SIG"`, "use"},
		{"use null", rsaMembers + `,"use":null`, "use"},
		{"key_ops for encryption", octMembers + `,"key_ops":["encrypt","decrypt"]`, "key_ops"},
		{"key_ops empty", octMembers + `,"key_ops":[]`, "key_ops"},
		{"key_ops null", octMembers + `,"key_ops":null`, "key_ops"},
		{"key_ops a string", octMembers + `,"key_ops":"sign"`, "key_ops"},
		{"key_ops twice", octMembers + `,"key_ops":["sign","sign"]`, "twice"},
		{"key_ops sign of a public key", edMembers + `,"key_ops":["sign"]`, "key_ops"},

		{"k missing", `"kty":"oct"`, "k is missing"},
		{"k empty", `"kty":"oct","k":""`, "k is missing"},
		{"k a number", `"kty":"oct","k":1`, "not a string"},
		{"k short", `"kty":"oct","k":"` + b64(string(sample(31))) + `"`, "31"},
		{"k padded", `"kty":"oct","k":"` + b64(string(sample(32))) + `="`, "base64url"},
		{"k with a line break", `"kty":"oct","k":"` + b64(string(sample(32))) + `\n"`, "base64url"},
		{"k with stray bits", `"kty":"oct","k":"` + strings.Repeat("A", 42) + `B"`, "base64url"},
		{"k a placeholder", `"kty":"oct","k":"` + b64("change-me-in-production-min-32-chars") + `"`, "placeholder"},

		{"n missing", `"kty":"RSA","e":"AQAB"`, "n is missing"},
		{"n of 1024 bits", rsaWith(b64Int(rsaPair().Primes[0]), "AQAB"), "1024"},
		{"n even", rsaWith(b64Int(new(big.Int).Add(rsaPair().N, big.NewInt(1))), "AQAB"), "even"},
		{"n with a leading zero", rsaWith(b64("\x00"+string(rsaPair().N.Bytes())), "AQAB"), "zero"},
		{"e missing", `"kty":"RSA","n":"` + n + `"`, "e is missing"},
		{"e 0", rsaWith(n, "AA"), "zero"},
		{"e 1", rsaWith(n, "AQ"), "exponent"},
		{"e 2", rsaWith(n, "Ag"), "exponent"},
		{"e of 33 bits", rsaWith(n, b64("\x01\x00\x00\x00\x01")), "too large"},
		{"e of 65 bits", rsaWith(n, b64("\x01\x00\x00\x00\x00\x00\x00\x00\x01")), "too large"},
		{"p missing", rsaMembers + `,"d":"AQAB"`, "p is missing"},
		{"d of another key", rsaMembers + `,"d":"` + b64Int(otherRSA().D) + rsaSecrets[strings.Index(rsaSecrets, `","p"`):], "belong"},
		{"more primes", rsaMembers + rsaSecrets + `,"oth":[]`, "two primes"},

		{"crv missing", `"kty":"EC","x":"AA","y":"AA"`, "crv"},
		{"crv secp256k1", replaced(ecMembers, "P-256", "secp256k1"), "not supported"},
		{"crv of another size", replaced(ecMembers, "P-256", "P-384"), "point"},
		{"y missing", ecMembers[:strings.Index(ecMembers, `,"y"`)], "y is missing"},
		{"x and y swapped", strings.NewReplacer(`"x"`, `"y"`, `"y"`, `"x"`).Replace(ecMembers), "point"},
		{"not on the curve", `"kty":"EC","crv":"P-256","x":"` + b64(string(sample(32))) + `","y":"` + b64(string(sample(32))) + `"`, "point"},
		{"d of another EC key", ecMembers + `,"d":"` + b64(string(must(newEC(ecPair().Curve).Bytes()))) + `"`, "belong"},
		{"d short", ecMembers + `,"d":"AQ"`, "belong"},
		{"crv X25519", replaced(edMembers, "Ed25519", "X25519"), "crv"},
		{"x missing", `"kty":"OKP","crv":"Ed25519"`, "x is missing"},
		{"x short", `"kty":"OKP","crv":"Ed25519","x":"` + b64(string(sample(31))) + `"`, "31"},
		{"x neutral", `"kty":"OKP","crv":"Ed25519","x":"` + b64("\x01"+strings.Repeat("\x00", 31)) + `"`, "small order"},
		{"seed of another key", edMembers + `,"d":"` + b64(string(sample(64)[32:])) + `"`, "belong"},
		{"seed short", edMembers + `,"d":"AQ"`, "32 bytes"},

		{"kty twice", octMembers + `,"kty":"oct"`, "ambiguous"},
		{"k and K", octMembers + `,"K":"AAAA"`, "ambiguous"},
		{"KID alone", octMembers + `,"KID":"k"`, "ambiguous"},
		{"use with long s", octMembers + ",\"u\u017fe\":\"enc\"", "ambiguous"},
		{"comma behind", octMembers + `,`, "not a JSON object"},
		{"too long", octMembers + `,"z":"` + strings.Repeat("z", 32<<10) + `"`, "longer than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := jws.ParseJWK([]byte("{" + tt.members + "}"))
			if !errors.Is(err, jws.ErrKey) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("ParseJWK = %v, want an error that says %q", err, tt.says)
			}
			if i := strings.Index(tt.members, `"k":"`); i >= 0 && len(tt.members) > i+16 && strings.Contains(err.Error(), tt.members[i+5:i+13]) {
				t.Errorf("error quotes the key: %v", err)
			}
		})
	}
	for _, text := range []string{"", "null", "[]", `{"keys":[{` + edMembers + `}]}`, `"{}"`, `{` + edMembers + `}{}`} {
		if _, err := jws.ParseJWK([]byte(text)); !errors.Is(err, jws.ErrKey) {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}

func TestPublicJWK(t *testing.T) {
	private := []string{edSeed, ecScalar, rsaSecrets, `"d":`, `"k":`, `"p":`}
	for _, members := range []string{octMembers, rsaMembers + rsaSecrets, ecMembers + ecScalar, edMembers + edSeed} {
		for _, kid := range []string{`"k"`, `"a\"b\\ü"`} {
			key, err := jws.ParseJWK([]byte(`{"kid":` + kid + `,` + members + `}`))
			if err != nil {
				t.Fatal(err)
			}
			text := key.PublicJWK()
			if strings.Contains(members, "oct") {
				if text != nil {
					t.Errorf("public JWK of a secret: %s", text)
				}
				continue
			}
			var got map[string]string
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if got["kid"] != key.ID() || got["alg"] != key.Algorithm() || got["use"] != "sig" {
				t.Errorf("%s", text)
			}
			for _, secret := range private {
				if strings.Contains(string(text), strings.TrimPrefix(secret, ",")) {
					t.Errorf("%s in %s", secret, text)
				}
			}
		}
	}
	if (jws.Key{}).PublicJWK() != nil {
		t.Error("the zero key has a public part")
	}
}
