package jws_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/jws"
)

// FuzzChangedToken signs claims, changes one to three bytes of the token or of
// its decoded segments, and expects an error.
func FuzzChangedToken(f *testing.F) {
	f.Add("42", uint8(0), uint16(3), uint8(1), uint16(0), uint8(0), uint16(0), uint8(0))
	f.Add("a@example.com", uint8(6), uint16(300), uint8(0x20), uint16(60), uint8(0x80), uint16(1), uint8(255))
	f.Add("\u017f\u212a\"\\", uint8(9), uint16(0xffff), uint8(7), uint16(4), uint8(0), uint16(80), uint8(1))
	var sets []*jws.Set
	for _, key := range everyKey(f, "k") {
		sets = append(sets, newSet(f, key))
	}
	f.Fuzz(func(t *testing.T, subject string, which uint8, at1 uint16, x1 uint8, at2 uint16, x2 uint8, at3 uint16, x3 uint8) {
		set := sets[int(which)%len(sets)]
		c := validClaims()
		c.Subject = subject
		content, err := c.Payload(nil)
		if err != nil {
			return
		}
		token := must(set.Sign(typ, content))
		if got, _, _, err := set.VerifyClaims(typ, token); err != nil || got.Subject != subject {
			t.Fatalf("own token: %+v, %v", got, err)
		}
		change := func(text string) string {
			changed := []byte(text)
			changed[int(at1)%len(changed)] ^= x1
			changed[int(at2)%len(changed)] ^= x2
			changed[int(at3)%len(changed)] ^= x3
			return string(changed)
		}
		segments := strings.Split(token, ".")
		candidates := []string{change(token)}
		for i, segment := range segments {
			decoded := string(must(rawURL.DecodeString(segment)))
			changed := append([]string(nil), segments...)
			changed[i] = b64(change(decoded))
			candidates = append(candidates, strings.Join(changed, "."))
		}
		for _, candidate := range candidates {
			if candidate == token {
				continue
			}
			if _, _, err := set.Verify(typ, candidate); err == nil {
				t.Errorf("accepted %q, which is not %q", candidate, token)
			}
		}
	})
}

// FuzzVerify expects that no text is accepted as a token and that none causes a
// panic.
func FuzzVerify(f *testing.F) {
	set := newSet(f, hmacKey(f, "", "", sample(32)), hmacKey(f, "k", "HS512", sample(64)))
	f.Add("a.b.c")
	f.Add(forge(headerOf("HS256", "k"), string(payload()), hs256(nil)))
	f.Add(forge(`{"alg":"none","typ":"at+jwt"}`, `{"sub":"1"}`, unsigned))
	f.Add(forge(`{"\u0061lg":"\ud83d\ude00","x":[{"a":-1.5e+3}]}`, ``, hs256(nil)))
	f.Add(forge(strings.Repeat("[", 40), strings.Repeat(`{"a":`, 40), hs256(nil)))
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		for _, token := range []string{text, forge(text, string(payload()), hs256(sample(33)))} {
			if content, _, err := set.Verify(typ, token); err == nil || content != nil {
				t.Errorf("accepted %q", token)
			}
		}
	})
}

// FuzzHeader signs any header. It expects that encoding/json reads an accepted
// header in the same way.
func FuzzHeader(f *testing.F) {
	set := newSet(f, hmacKey(f, "k", "", sample(32)))
	f.Add(headerOf("HS256", "k"))
	f.Add(`{"alg":"HS256","kid":"k","typ":"at+jwt","ALG":"none","x":{"x":[]}}`)
	f.Add(`{"alg":"HS256","\u212aid":"k","typ":"at+jwt"}`)
	f.Fuzz(func(t *testing.T, header string) {
		if _, _, err := set.Verify(typ, forge(header, string(payload()), hs256(sample(32)))); err != nil {
			return
		}
		var got struct{ Alg, Kid, Typ string }
		if err := json.Unmarshal([]byte(header), &got); err != nil || got.Alg != "HS256" || got.Kid != "k" || got.Typ != typ {
			t.Errorf("%q accepted and read as %+v, %v", header, got, err)
		}
	})
}

// FuzzClaims compares ParseClaims with encoding/json.
func FuzzClaims(f *testing.F) {
	f.Add(payload())
	f.Add([]byte(`{"exp":1893553500.125,"iat":0,"nbf":7.5,"iss":"i\"\u00e9","sub":"\ud83d\ude00","aud":["a","b"],"jti":"j","kind":"k","x":{"a":[1e5,null]}}`))
	f.Add([]byte(`{"exp":1,"iat":1,"sub":"a","SUB":"b","jti":"j","kind":"k"}`))
	f.Add([]byte("{\"exp\":1,\"iat\":1,\"sub\":\"\xff\",\"jti\":\"j\",\"kind\":\"k\"} "))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := jws.ParseClaims(text)
		if err != nil {
			return
		}
		var want struct {
			Iss, Sub, Jti, Kind string
			Aud                 json.RawMessage
			Exp, Iat, Nbf       json.Number
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q accepted: %v", text, err)
		}
		if got.Issuer != want.Iss || got.Subject != want.Sub || got.ID != want.Jti || got.Kind != want.Kind {
			t.Errorf("%q read as %+v, by encoding/json as %+v", text, got, want)
		}
		if !sameTime(got.Expiry, want.Exp) || !sameTime(got.IssuedAt, want.Iat) || !sameTime(got.NotBefore, want.Nbf) {
			t.Errorf("%q has the times %+v, by encoding/json %+v", text, got, want)
		}
		var audiences []string
		if len(want.Aud) > 0 && json.Unmarshal(want.Aud, &audiences) != nil {
			audiences = []string{""}
			if err := json.Unmarshal(want.Aud, &audiences[0]); err != nil {
				t.Errorf("%q accepted: %v", text, err)
			}
		}
		if strings.Join(audiences, "\n") != strings.Join(got.Audience, "\n") {
			t.Errorf("%q has the audience %q, by encoding/json %q", text, got.Audience, audiences)
		}
	})
}

// sameTime reports whether a time equals a number, rounded down to nanoseconds.
func sameTime(t time.Time, number json.Number) bool {
	if number == "" || t.IsZero() {
		return number == "" && t.IsZero()
	}
	exact, ok := new(big.Rat).SetString(string(number))
	if !ok {
		return false
	}
	exact.Mul(exact, big.NewRat(1e9, 1))
	nanoseconds := new(big.Int).Quo(exact.Num(), exact.Denom())
	want := new(big.Int).Mul(big.NewInt(t.Unix()), big.NewInt(1e9))
	return want.Add(want, big.NewInt(int64(t.Nanosecond()))).Cmp(nanoseconds) == 0
}

// FuzzObject expects that the scanner accepts only valid JSON.
func FuzzObject(f *testing.F) {
	for _, text := range []string{`{}`, ` {"a":[1,-0.5e+3,true,false,null,"\u00e9\n"],"b":{}} `, `{"a":01}`, `{"a":"\ud800"}`, `{"a":1,}`, "{\"\x00\":1}", `[]`, `{"a":.5}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := jws.CheckObject(text)
		object := json.Valid([]byte(text)) && bytes.HasPrefix(bytes.TrimLeft([]byte(text), " \t\r\n"), []byte("{"))
		if err == nil && !object || errors.Is(err, jws.ErrSyntax) && object {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzKeys expects that no text causes a panic and that every parsed key is
// usable.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{` + edMembers + edSeed + `}`))
	f.Add([]byte(`{` + ecMembers + ecScalar + `}`))
	f.Add([]byte(`{` + rsaMembers + rsaSecrets + `}`))
	f.Add([]byte(`{` + octMembers + `}`))
	f.Add([]byte(pkcs8(ecPair())))
	f.Add([]byte(public(edPair().Public())))
	f.Add(sample(40))
	f.Fuzz(func(t *testing.T, text []byte) {
		var keys []jws.Key
		for _, parse := range []func() (jws.Key, error){
			func() (jws.Key, error) { return jws.ParseJWK(text) },
			func() (jws.Key, error) { return jws.ParsePEM("k", "", text) },
			func() (jws.Key, error) { return jws.NewHMAC("k", "", text) },
		} {
			if key, err := parse(); err == nil {
				keys = append(keys, key)
			} else if !errors.Is(err, jws.ErrKey) {
				t.Errorf("%v does not wrap ErrKey", err)
			}
		}
		for _, key := range keys {
			if set, err := jws.NewSet(key); key.CanSign() && err != nil || !key.CanSign() && set != nil {
				t.Errorf("NewSet = %v for %q", err, text)
			}
		}
	})
}
