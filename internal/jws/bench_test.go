package jws_test

import (
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

// benchKeys are one key of each algorithm family.
func benchKeys(b *testing.B) []jws.Key {
	return []jws.Key{
		hmacKey(b, "k1", "HS256", sample(32)), cryptoKey(b, "k1", "RS256", rsaPair()),
		cryptoKey(b, "k1", "ES256", ecPair()), cryptoKey(b, "k1", "EdDSA", edPair()),
	}
}

// benchPayload has the length of a typical access token's payload.
func benchPayload(b *testing.B) []byte {
	c := validClaims()
	c.ID = "0123456789abcdefghijkl"
	content, err := c.Payload([]byte(`{"family":"0123456789abcdefghijkl","stamp":"0123456789abcdefghijkl"}`))
	if err != nil {
		b.Fatal(err)
	}
	return content
}

func BenchmarkSign(b *testing.B) {
	content := benchPayload(b)
	for _, key := range benchKeys(b) {
		set := newSet(b, key)
		b.Run(key.Algorithm(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Sign(typ, content); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPayload(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		benchPayload(b)
	}
}

// BenchmarkVerify verifies a token and checks its claims, as the first request
// with that token does.
func BenchmarkVerify(b *testing.B) {
	content := benchPayload(b)
	for _, key := range benchKeys(b) {
		set := newSet(b, key)
		token := must(set.Sign(typ, content))
		foreign := b64(`{"typ":"at+jwt","alg":"`+key.Algorithm()+`","kid":"k1"}`) + "." + b64(string(content))
		foreign += "." + b64(string(must(jws.SignInput(key, foreign))))
		for name, token := range map[string]string{"own": token, "other header": foreign} {
			if name != "own" && key.Algorithm() != "HS256" {
				continue
			}
			b.Run(key.Algorithm()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c, _, _, err := set.VerifyClaims(typ, token)
					if err == nil {
						err = c.Check(now, 0, issuer, audience, kind)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkRefuse measures the cost of a forged token.
func BenchmarkRefuse(b *testing.B) {
	set := newSet(b, hmacKey(b, "k1", "HS256", sample(32)))
	for name, token := range map[string]string{
		"signature": forge(headerOf("HS256", "k1"), string(payload()), hs256(sample(33))),
		"none":      forge(`{"alg":"none","typ":"at+jwt"}`, string(payload()), hs256(nil)),
		"8 KiB":     b64(headerOf("HS256", "k1")) + "." + b64(string(sample(6000))) + ".AAAA",
		"1 MiB":     string(make([]byte, 1<<20)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := set.Verify(typ, token); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
