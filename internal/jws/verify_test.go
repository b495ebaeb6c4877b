package jws_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

func TestRoundTrip(t *testing.T) {
	for _, kid := range []string{"", "k", "schlüssel \"1\"\\", strings.Repeat("k", jws.MaxKeyID)} {
		for _, key := range everyKey(t, kid) {
			set := newSet(t, key)
			for _, typ := range []string{"JWT", "at+jwt", "x", strings.Repeat("t", 64)} {
				token, err := set.Sign(typ, payload())
				if err != nil {
					t.Fatalf("%s %q %q: %v", key.Algorithm(), kid, typ, err)
				}
				got, index, err := set.Verify(typ, token)
				if err != nil || index != 0 || !bytes.Equal(got, payload()) {
					t.Errorf("%s %q %q: %s, %d, %v", key.Algorithm(), kid, typ, got, index, err)
				}
				if _, _, err := set.Verify(typ+"x", token); !errors.Is(err, jws.ErrType) {
					t.Errorf("%s %q: type %q taken for another: %v", key.Algorithm(), kid, typ, err)
				}
			}
		}
	}
}

// TestHeader covers J01, J02 and J04 to J07: headers that are signed with the
// right key, but must be refused.
func TestHeader(t *testing.T) {
	secret := sample(32)
	set := newSet(t, hmacKey(t, "k", "", secret), hmacKey(t, "old", "", sample(40)))
	nameless := newSet(t, hmacKey(t, "", "", secret))
	long := strings.Repeat("k", 4000)
	for _, tt := range []struct {
		name, header string
		want         error
	}{
		{"as Sign writes it", `{"alg":"HS256","kid":"k","typ":"at+jwt"}`, nil},
		{"other order and space", "{ \"typ\" : \"at+jwt\",\r\n\t\"kid\":\"k\", \"alg\":\"HS256\"} ", nil},
		{"escapes in values", `{"alg":"HS\u003256","kid":"\u006b","typ":"at\u002bjwt"}`, nil},
		{"members without a meaning", `{"alg":"HS256","kid":"k","typ":"at+jwt","cty":"x","n":{"a":[1,{"a":null}]},"x5t":"y"}`, nil},

		{"alg none", `{"alg":"none","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg None", `{"alg":"None","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg NONE", `{"alg":"NONE","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg nOnE", `{"alg":"nOnE","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg none and space", `{"alg":"none ","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg none in escapes", `{"alg":"\u006eone","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg empty", `{"alg":"","kid":"k","typ":"at+jwt"}`, jws.ErrHeader},
		{"alg null", `{"alg":null,"kid":"k","typ":"at+jwt"}`, jws.ErrHeader},
		{"alg false", `{"alg":false,"kid":"k","typ":"at+jwt"}`, jws.ErrHeader},
		{"alg array", `{"alg":["HS256"],"kid":"k","typ":"at+jwt"}`, jws.ErrHeader},
		{"alg missing", `{"kid":"k","typ":"at+jwt"}`, jws.ErrHeader},
		{"alg in lower case", `{"alg":"hs256","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg of the same family", `{"alg":"HS512","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},
		{"alg of another family", `{"alg":"RS256","kid":"k","typ":"at+jwt"}`, jws.ErrAlgorithm},

		{"kid missing", `{"alg":"HS256","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid empty", `{"alg":"HS256","kid":"","typ":"at+jwt"}`, jws.ErrHeader},
		{"kid of another key", `{"alg":"HS256","kid":"old","typ":"at+jwt"}`, jws.ErrSignature},
		{"kid in upper case", `{"alg":"HS256","kid":"K","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid as Kelvin", `{"alg":"HS256","kid":"` + "\u212a" + `","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid and space", `{"alg":"HS256","kid":"k ","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid and NUL", `{"alg":"HS256","kid":"k\u0000","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid a path", `{"alg":"HS256","kid":"../../../../dev/null","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid SQL", `{"alg":"HS256","kid":"x' UNION SELECT 'secret' --","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid a command", `{"alg":"HS256","kid":"|id","typ":"at+jwt"}`, jws.ErrUnknownKey},
		{"kid a number", `{"alg":"HS256","kid":0,"typ":"at+jwt"}`, jws.ErrHeader},
		{"kid null", `{"alg":"HS256","kid":null,"typ":"at+jwt"}`, jws.ErrHeader},
		{"kid an object", `{"alg":"HS256","kid":{"k":"k"},"typ":"at+jwt"}`, jws.ErrHeader},
		{"kid an array", `{"alg":"HS256","kid":["k"],"typ":"at+jwt"}`, jws.ErrHeader},
		{"kid of 4000 bytes", `{"alg":"HS256","kid":"` + long + `","typ":"at+jwt"}`, jws.ErrHeader},

		{"typ missing", `{"alg":"HS256","kid":"k"}`, jws.ErrType},
		{"typ empty", `{"alg":"HS256","kid":"k","typ":""}`, jws.ErrHeader},
		{"typ in upper case", `{"alg":"HS256","kid":"k","typ":"AT+JWT"}`, jws.ErrType},
		{"typ with its prefix", `{"alg":"HS256","kid":"k","typ":"application/at+jwt"}`, jws.ErrType},
		{"typ a number", `{"alg":"HS256","kid":"k","typ":1}`, jws.ErrHeader},

		{"crit unknown", `{"alg":"HS256","kid":"k","typ":"at+jwt","crit":["x"],"x":1}`, jws.ErrCritical},
		{"crit b64", `{"alg":"HS256","kid":"k","typ":"at+jwt","crit":["b64"],"b64":false}`, jws.ErrCritical},
		{"crit empty", `{"alg":"HS256","kid":"k","typ":"at+jwt","crit":[]}`, jws.ErrCritical},
		{"crit null", `{"alg":"HS256","kid":"k","typ":"at+jwt","crit":null}`, jws.ErrCritical},
		{"crit a string", `{"alg":"HS256","kid":"k","typ":"at+jwt","crit":"exp"}`, jws.ErrCritical},
		{"crit known", `{"alg":"HS256","kid":"k","typ":"at+jwt","crit":["alg"]}`, jws.ErrCritical},
		{"b64 false", `{"alg":"HS256","kid":"k","typ":"at+jwt","b64":false}`, jws.ErrCritical},
		{"b64 true", `{"alg":"HS256","kid":"k","typ":"at+jwt","b64":true}`, jws.ErrCritical},
		{"Crit", `{"alg":"HS256","kid":"k","typ":"at+jwt","Crit":["x"]}`, jws.ErrDuplicate},

		{"alg twice", `{"alg":"HS256","kid":"k","typ":"at+jwt","alg":"HS256"}`, jws.ErrDuplicate},
		{"alg twice, none first", `{"alg":"none","alg":"HS256","kid":"k","typ":"at+jwt"}`, jws.ErrDuplicate},
		{"alg and ALG", `{"alg":"HS256","kid":"k","typ":"at+jwt","ALG":"none"}`, jws.ErrDuplicate},
		{"ALG alone", `{"ALG":"HS256","kid":"k","typ":"at+jwt"}`, jws.ErrDuplicate},
		{"alg in escapes", `{"\u0061lg":"HS256","kid":"k","typ":"at+jwt"}`, jws.ErrDuplicate},
		{"kid and Kid", `{"alg":"HS256","kid":"k","typ":"at+jwt","Kid":"k"}`, jws.ErrDuplicate},
		{"kid with Kelvin", `{"alg":"HS256","kid":"k","typ":"at+jwt","` + "\u212a" + `id":"x"}`, jws.ErrDuplicate},
		{"kid with escaped Kelvin", `{"alg":"HS256","typ":"at+jwt","\u212aid":"k"}`, jws.ErrDuplicate},
		{"others with long s", `{"alg":"HS256","kid":"k","typ":"at+jwt","as":1,"a` + "\u017f" + `":2}`, jws.ErrDuplicate},
		{"nested twice", `{"alg":"HS256","kid":"k","typ":"at+jwt","x":{"a":1,"a":1}}`, jws.ErrDuplicate},
		{"nested in case", `{"alg":"HS256","kid":"k","typ":"at+jwt","x":[{"a":1,"A":1}]}`, jws.ErrDuplicate},

		{"not JSON", `alg=HS256`, jws.ErrHeader},
		{"an array", `[{"alg":"HS256","kid":"k","typ":"at+jwt"}]`, jws.ErrHeader},
		{"two objects", `{"alg":"HS256","kid":"k","typ":"at+jwt"}{}`, jws.ErrHeader},
		{"NUL behind", `{"alg":"HS256","kid":"k","typ":"at+jwt"}` + "\x00", jws.ErrHeader},
		{"mark before", "\ufeff" + `{"alg":"HS256","kid":"k","typ":"at+jwt"}`, jws.ErrHeader},
		{"comma behind", `{"alg":"HS256","kid":"k","typ":"at+jwt",}`, jws.ErrHeader},
		{"single quotes", `{'alg':'HS256','kid':'k','typ':'at+jwt'}`, jws.ErrHeader},
		{"not UTF-8", `{"alg":"HS256","kid":"k","typ":"at+jwt","x":"` + "\xff" + `"}`, jws.ErrText},
		{"half a surrogate pair", `{"alg":"HS256","kid":"k\ud800","typ":"at+jwt"}`, jws.ErrText},
		{"nested 33 deep", `{"alg":"HS256","kid":"k","typ":"at+jwt","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, jws.ErrDepth},
		{"129 members", `{"alg":"HS256","kid":"k","typ":"at+jwt"` + manyMembers(126) + `}`, jws.ErrMembers},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := forge(tt.header, string(payload()), hs256(secret))
			got, index, err := set.Verify(typ, token)
			if tt.want == nil && err == nil {
				return
			}
			if !errors.Is(err, tt.want) || tt.want == nil || got != nil || index != -1 {
				t.Errorf("Verify = %s, %d, %v; want %v", got, index, err, tt.want)
			}
			for _, sign := range []signature{unsigned, hs256(nil)} {
				if _, _, err := set.Verify(typ, forge(tt.header, string(payload()), sign)); err == nil {
					t.Error("accepted without the signature")
				}
			}
		})
	}
	t.Run("key without a kid", func(t *testing.T) {
		token := forge(`{"typ":"at+jwt","alg":"HS256"}`, string(payload()), hs256(secret))
		if _, _, err := nameless.Verify(typ, token); err != nil {
			t.Error(err)
		}
		for _, kid := range []string{"k", "null", " "} {
			token := forge(headerOf("HS256", kid), string(payload()), hs256(secret))
			if _, _, err := nameless.Verify(typ, token); !errors.Is(err, jws.ErrUnknownKey) {
				t.Errorf("kid %q: %v", kid, err)
			}
		}
	})
}

// manyMembers returns n members, each after a comma.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `_":1`)
	}
	return b.String()
}

// TestKeyInTokenIsIgnored verifies tokens that contain a key or the URL of one.
// A server counts the requests to the URL.
func TestKeyInTokenIsIgnored(t *testing.T) { // J05
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	attacker := cryptoKey(t, "k", "", otherRSA())
	set := newSet(t, cryptoKey(t, "k", "", rsaPair()))
	for _, tt := range []struct{ name, member string }{
		{"jwk", `"jwk":` + string(attacker.PublicJWK())},
		{"jku", `"jku":"` + server.URL + `"`},
		{"x5u", `"x5u":"` + server.URL + `"`},
		{"x5c", `"x5c":["MIIB"]`},
		{"x5u as a file", `"x5u":"file:///etc/passwd"`},
		{"kid as an address", `"x":1`},
	} {
		kid := "k"
		if tt.name == "kid as an address" {
			kid = server.URL
		}
		header := `{"alg":"RS256","kid":"` + kid + `","typ":"at+jwt",` + tt.member + `}`
		for _, sign := range []signature{rs256(otherRSA()), rs256(rsaPair())} {
			if _, _, err := set.Verify(typ, forge(header, string(payload()), sign)); err == nil {
				t.Errorf("%s: accepted", tt.name)
			}
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests to an address from a token", n)
	}
}

func TestLongTokensAreRefusedCheaply(t *testing.T) { // J12
	set := newSet(t, hmacKey(t, "k", "", sample(32)))
	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"8 KiB and 1 byte", strings.Repeat("A", jws.MaxToken+1), jws.ErrTooLong},
		{"9 KiB", strings.Repeat("A", 9<<10), jws.ErrTooLong},
		{"64 KiB of dots", strings.Repeat(".", 64<<10), jws.ErrTooLong},
		{"900 KiB", forge(headerOf("HS256", "k"), `{"a":"`+strings.Repeat("a", 900<<10)+`"}`, hs256(sample(32))), jws.ErrTooLong},
		{"1 MiB", strings.Repeat("e30.", 1<<18), jws.ErrTooLong},
		{"header of 8 KiB", strings.Repeat("A", jws.MaxToken-4) + ".e.e", jws.ErrFormat},
		{"8 KiB of header", b64(strings.Repeat("[", 6000)) + ".AA.AA", jws.ErrHeader},
		{"8 KiB of payload", b64(headerOf("HS256", "k")) + "." + b64(strings.Repeat("[", 5900)) + ".AA", jws.ErrSignature},
		{"8 KiB of signature", b64(headerOf("HS256", "k")) + ".AA." + strings.Repeat("AA", 4000), jws.ErrSignature},
		{"8 KiB of dots", strings.Repeat(".", jws.MaxToken), jws.ErrFormat},
	} {
		const rounds = 20
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			if _, _, err := set.Verify(typ, tt.token); !errors.Is(err, tt.want) {
				t.Fatalf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / rounds; each > 64<<10 {
			t.Errorf("%s: %d bytes allocated", tt.name, each)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	set := newSet(t, hmacKey(t, "k", "", sample(32)))
	for _, tt := range []struct {
		name, typ, payload string
		want               error
	}{
		{"no type", "", `{}`, jws.ErrType},
		{"quote in the type", `a"b`, `{}`, jws.ErrType},
		{"line break in the type", "a\nb", `{}`, jws.ErrType},
		{"long type", strings.Repeat("t", 65), `{}`, jws.ErrType},
		{"no payload", typ, ``, jws.ErrSyntax},
		{"array", typ, `[]`, jws.ErrSyntax},
		{"two members", typ, `{"a":1,"a":2}`, jws.ErrDuplicate},
		{"long payload", typ, `{"a":"` + strings.Repeat("a", 6100) + `"}`, jws.ErrTooLong},
	} {
		token, err := set.Sign(tt.typ, []byte(tt.payload))
		if token != "" || !errors.Is(err, tt.want) || !errors.Is(err, jws.ErrInput) {
			t.Errorf("%s: Sign = %q, %v; want %v", tt.name, token, err, tt.want)
		}
	}
	if _, _, err := set.Verify("", forge(`{"alg":"HS256","kid":"k"}`, `{}`, hs256(sample(32)))); !errors.Is(err, jws.ErrType) {
		t.Errorf("Verify without a type: %v", err)
	}
	if _, err := set.Sign(typ, []byte(`{"a":"`+strings.Repeat("a", 6000)+`"}`)); err != nil {
		t.Errorf("6000 bytes: %v", err)
	}
}
