package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// maxKeyText is the length of the longest encoded key, in bytes.
const maxKeyText = 32 << 10

// jwk is a JSON Web Key with undecoded members.
type jwk map[string]json.RawMessage

// ParseJWK parses a JSON Web Key (RFC 7517): a secret (oct), or a private or
// public key of type RSA, EC or Ed25519 (OKP, RFC 8037). The algorithm is the
// alg of the key, or the default of NewHMAC or NewCryptoKey. The keys that
// these functions refuse are refused. Members that do not concern signatures
// are ignored.
//
// A key with a use other than "sig", or with key_ops that contain neither
// "sign" nor "verify", is refused. A private key without "sign" in its key_ops
// only verifies.
func ParseJWK(data []byte) (Key, error) {
	if len(data) > maxKeyText {
		return Key{}, fmt.Errorf("%w: JWK is longer than %d bytes", ErrKey, maxKeyText)
	}
	if err := checkObject(string(data)); err != nil {
		return Key{}, fmt.Errorf("%w: JWK: %w", ErrKey, err)
	}
	var j jwk
	if json.Unmarshal(data, &j) != nil {
		return Key{}, fmt.Errorf("%w: JWK: %w", ErrKey, ErrSyntax)
	}
	p := jwkReader{jwk: j}
	p.names()
	return p.key()
}

// jwkReader decodes the members of a JWK and records the first error.
type jwkReader struct {
	jwk
	err error
}

func (p *jwkReader) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: JWK: "+format, append([]any{ErrKey}, args...)...)
	}
}

// names refuses names that a JSON parser could treat as equal to one that is
// used.
func (p *jwkReader) names() {
	for name := range p.jwk {
		for _, known := range [...]string{
			"kty", "kid", "alg", "use", "key_ops", "k", "n", "e", "d", "p", "q", "oth", "crv", "x", "y",
		} {
			if name != known && strings.EqualFold(name, known) {
				p.fail("%.32q: %w", name, ErrDuplicate)
			}
		}
	}
}

func (p *jwkReader) key() (Key, error) {
	kid, alg, signs := p.text("kid"), p.text("alg"), p.operations()
	if _, ok := p.jwk["kid"]; ok && kid == "" {
		p.fail("kid is empty")
	}
	if _, ok := p.jwk["alg"]; ok && alg == "" {
		p.fail("alg is empty")
	}
	var k Key
	var err error
	switch keyType := p.text("kty"); keyType {
	case typeSecret:
		secret := p.bytes("k")
		if p.err == nil {
			k, err = NewHMAC(kid, alg, secret)
		}
	case typeRSA, typeEC, typeOKP:
		if key := p.cryptoKey(keyType); p.err == nil {
			k, err = NewCryptoKey(kid, alg, key)
		}
	default:
		p.fail("kty %.32q is not supported", keyType)
	}
	switch {
	case p.err != nil:
		return Key{}, p.err
	case err != nil:
		return Key{}, err
	case !signs && k.CanSign():
		m := *k.material()
		m.signs = false
		return newKey(kid, &m)
	}
	return k, nil
}

// operations checks the use of the key, and reports whether it may sign.
func (p *jwkReader) operations() (signs bool) {
	if _, ok := p.jwk["use"]; ok && p.text("use") != "sig" {
		p.fail("use is not sig, the key is not for signatures")
	}
	raw, ok := p.jwk["key_ops"]
	if !ok {
		return true
	}
	var operations []string
	if json.Unmarshal(raw, &operations) != nil {
		p.fail("key_ops is not an array of strings")
	}
	for i, operation := range operations {
		if slices.Contains(operations[:i], operation) {
			p.fail("key_ops has an operation twice")
		}
	}
	signs, verifies := slices.Contains(operations, "sign"), slices.Contains(operations, "verify")
	_, private := p.jwk["d"]
	_, secret := p.jwk["k"]
	if !verifies && (!signs || !private && !secret) {
		p.fail("key_ops allows neither to sign nor to verify with the key")
	}
	return signs
}

// cryptoKey returns the key as a type of package crypto. NewCryptoKey checks
// it.
func (p *jwkReader) cryptoKey(keyType string) any {
	_, private := p.jwk["d"]
	switch keyType {
	case typeRSA:
		return p.rsaKey(private)
	case typeEC:
		return p.ecKey(private)
	}
	if p.text("crv") != "Ed25519" {
		p.fail("crv is not Ed25519")
	}
	x := p.bytes("x")
	if !private {
		return ed25519.PublicKey(x)
	}
	seed := p.bytes("d")
	if len(seed) != ed25519.SeedSize {
		p.fail("d does not have %d bytes", ed25519.SeedSize)
	}
	return ed25519.PrivateKey(append(seed, x...))
}

// rsaKey decodes an RSA key. The values that can be computed from the primes
// are not read.
func (p *jwkReader) rsaKey(private bool) any {
	n, e := p.number("n"), p.number("e")
	if !e.IsInt64() || e.Int64() > maxExponent {
		p.fail("e is too large")
		return nil
	}
	public := rsa.PublicKey{N: n, E: int(e.Int64())}
	if !private {
		return &public
	}
	if _, ok := p.jwk["oth"]; ok {
		p.fail("more than two primes are not supported")
	}
	return &rsa.PrivateKey{PublicKey: public, D: p.number("d"), Primes: []*big.Int{p.number("p"), p.number("q")}}
}

// ecKey decodes an EC key. Its numbers must have the full length (RFC 7518,
// 6.2).
func (p *jwkReader) ecKey(private bool) any {
	var curve elliptic.Curve
	switch name := p.text("crv"); name {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	case "P-521":
		curve = elliptic.P521()
	default:
		p.fail("crv %.32q is not supported", name)
		return nil
	}
	point := slices.Concat([]byte{4}, p.bytes("x"), p.bytes("y"))
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		p.fail("x and y are not a point of the curve")
		return nil
	}
	if !private {
		return public
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, p.bytes("d"))
	if err != nil || !key.PublicKey.Equal(public) {
		p.fail("d does not belong to x and y")
		return nil
	}
	return key
}

// text returns a string member, or "" if the member is missing or null.
func (p *jwkReader) text(name string) (text string) {
	raw, ok := p.jwk[name]
	if ok && json.Unmarshal(raw, &text) != nil {
		p.fail("%s is not a string", name)
	}
	return text
}

// bytes returns a required member in base64url.
func (p *jwkReader) bytes(name string) []byte {
	text := p.text(name)
	data, ok := decode(make([]byte, encoding.DecodedLen(len(text))), text)
	if !ok || len(data) == 0 {
		p.fail("%s is missing or not base64url", name)
	}
	return data
}

// number returns a required number without leading zeros.
func (p *jwkReader) number(name string) *big.Int {
	data := p.bytes(name)
	if len(data) > 0 && data[0] == 0 {
		p.fail("%s begins with a zero", name)
	}
	return new(big.Int).SetBytes(data)
}

// PublicJWK returns the public key as a JSON Web Key, or nil if the key is a
// secret.
func (k Key) PublicJWK() []byte {
	if k.material == nil || k.material().public == nil {
		return nil
	}
	m := k.material()
	to := append([]byte{'{'}, publicMembers(m.public)...)
	if k.id != "" {
		to = appendString(append(to, `,"kid":`...), k.id)
	}
	to = append(to, `,"use":"sig","alg":"`...)
	to = append(to, m.name...)
	return append(to, `"}`...)
}

// publicMembers returns the members of a public key, in the order of a
// thumbprint (RFC 7638, 3.2).
func publicMembers(public crypto.PublicKey) []byte {
	b64 := encoding.EncodeToString
	switch public := public.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(public.E)).Bytes()
		return fmt.Appendf(nil, `"e":"%s","kty":"RSA","n":"%s"`, b64(e), b64(public.N.Bytes()))
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic("jws: " + err.Error()) // cannot happen: copyECPublic checked the point
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		return fmt.Appendf(nil, `"crv":"%s","kty":"EC","x":"%s","y":"%s"`, public.Params().Name, b64(x), b64(y))
	case ed25519.PublicKey:
		return fmt.Appendf(nil, `"crv":"Ed25519","kty":"OKP","x":"%s"`, b64(public))
	}
	panic(fmt.Sprintf("jws: public key of type %T", public))
}

// thumbprint returns the SHA-256 thumbprint of a public key (RFC 7638).
func thumbprint(public crypto.PublicKey) [sha256.Size]byte {
	return sha256.Sum256(slices.Concat([]byte{'{'}, publicMembers(public), []byte{'}'}))
}
