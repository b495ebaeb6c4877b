package jws_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/jws"
)

// with returns a payload of valid claims with additional members.
func with(members string) string {
	return strings.TrimSuffix(string(payload()), "}") + "," + members + "}"
}

// claim returns a payload of valid claims in which one claim has another value,
// or is missing if the value is empty.
func claim(name, value string) string {
	values := map[string]string{
		"iss": `"` + issuer + `"`, "sub": `"42"`, "aud": `"` + audience + `"`, "jti": `"id"`, "kind": `"access"`,
		"exp": "1893553500", "iat": "1893553400",
	}
	values[name] = value
	var members []string
	for _, name := range []string{"exp", "iat", "nbf", "iss", "sub", "aud", "jti", "kind"} {
		if values[name] != "" {
			members = append(members, `"`+name+`":`+values[name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestParseClaims(t *testing.T) { // J07, J08, J11
	text := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	list := func(n int) string { return "[" + strings.Repeat(`"a",`, n-1) + `"a"]` }
	for _, tt := range []struct {
		name, payload string
		want          error
	}{
		{"all", claim("", ""), nil},
		{"with others", with(`"role":"admin","n":{"a":[1,2.5e3,true,null,{}]},"ü":"\ud83d\ude00"`), nil},
		{"space", " {\r\n\t" + claim("", "")[1:] + "\n", nil},

		{"sub missing", claim("sub", ""), jws.ErrClaim},
		{"sub empty", claim("sub", `""`), jws.ErrClaim},
		{"sub null", claim("sub", `null`), jws.ErrClaim},
		{"sub a number", claim("sub", `42`), jws.ErrClaim},
		{"sub false", claim("sub", `false`), jws.ErrClaim},
		{"sub an array", claim("sub", `["42"]`), jws.ErrClaim},
		{"sub an object", claim("sub", `{"$ne":""}`), jws.ErrClaim},
		{"sub of 255 bytes", claim("sub", text(255)), nil},
		{"sub of 256 bytes", claim("sub", text(256)), jws.ErrClaim},
		{"sub of 255 bytes in escapes", claim("sub", `"`+strings.Repeat(`\u0061`, 255)+`"`), nil},
		{"sub with NUL", claim("sub", `"42\u0000"`), jws.ErrClaim},
		{"sub with a line break", claim("sub", `"42\n"`), jws.ErrClaim},
		{"sub with half a surrogate pair", claim("sub", `"\udc00"`), jws.ErrText},
		{"sub not UTF-8", claim("sub", "\"\xc3\""), jws.ErrText},
		{"sub with a bad escape", claim("sub", `"\x41"`), jws.ErrPayload},
		{"sub not closed", claim("sub", `"42`), jws.ErrPayload},
		{"jti missing", claim("jti", ""), jws.ErrClaim},
		{"jti empty", claim("jti", `""`), jws.ErrClaim},
		{"jti of 256 bytes", claim("jti", text(256)), jws.ErrClaim},
		{"jti a number", claim("jti", `1`), jws.ErrClaim},
		{"kind missing", claim("kind", ""), jws.ErrClaim},
		{"kind empty", claim("kind", `""`), jws.ErrClaim},
		{"kind an array", claim("kind", `["access"]`), jws.ErrClaim},
		{"iss missing", claim("iss", ""), nil},
		{"iss empty", claim("iss", `""`), jws.ErrClaim},
		{"iss an array", claim("iss", `["`+issuer+`"]`), jws.ErrClaim},
		{"aud missing", claim("aud", ""), nil},
		{"aud empty", claim("aud", `""`), jws.ErrClaim},
		{"aud an array", claim("aud", list(16)), nil},
		{"aud an empty array", claim("aud", `[]`), nil},
		{"aud of 17", claim("aud", list(17)), jws.ErrClaim},
		{"aud with a number", claim("aud", `["a",1]`), jws.ErrClaim},
		{"aud with null", claim("aud", `[null]`), jws.ErrClaim},
		{"aud null", claim("aud", `null`), jws.ErrClaim},
		{"aud an object", claim("aud", `{"a":1}`), jws.ErrClaim},
		{"aud nested", claim("aud", `[["a"]]`), jws.ErrClaim},
		{"aud with a comma", claim("aud", `["a",]`), jws.ErrPayload},

		{"exp missing", claim("exp", ""), jws.ErrClaim},
		{"exp null", claim("exp", `null`), jws.ErrClaim},
		{"exp a string", claim("exp", `"1893553500"`), jws.ErrClaim},
		{"exp true", claim("exp", `true`), jws.ErrClaim},
		{"exp an array", claim("exp", `[1893553500]`), jws.ErrClaim},
		{"exp an object", claim("exp", `{}`), jws.ErrClaim},
		{"exp zero", claim("exp", `0`), nil},
		{"exp a fraction", claim("exp", `1893553500.25`), nil},
		{"exp negative", claim("exp", `-1`), jws.ErrClaim},
		{"exp negative zero", claim("exp", `-0`), jws.ErrClaim},
		{"exp with an exponent", claim("exp", `1.9e9`), jws.ErrClaim},
		{"exp 1e300", claim("exp", `1e300`), jws.ErrClaim},
		{"exp in the year 9998", claim("exp", `253370764799.999999999`), nil},
		{"exp in the year 9999", claim("exp", `253370764800`), jws.ErrClaim},
		{"exp over 64 bits", claim("exp", `18446744073709551617`), jws.ErrClaim},
		{"exp of 400 digits", claim("exp", strings.Repeat("9", 400)), jws.ErrClaim},
		{"exp of 400 zeros behind the point", claim("exp", "1893553500."+strings.Repeat("0", 400)), nil},
		{"exp with a leading zero", claim("exp", `01893553500`), jws.ErrPayload},
		{"exp with a plus", claim("exp", `+1893553500`), jws.ErrClaim},
		{"exp without a fraction", claim("exp", `1893553500.`), jws.ErrPayload},
		{"exp without a whole", claim("exp", `.5`), jws.ErrClaim},
		{"exp hexadecimal", claim("exp", `0x7fffffff`), jws.ErrPayload},
		{"exp NaN", claim("exp", `NaN`), jws.ErrClaim},
		{"exp Infinity", claim("exp", `Infinity`), jws.ErrClaim},
		{"iat missing", claim("iat", ""), jws.ErrClaim},
		{"iat a string", claim("iat", `"1"`), jws.ErrClaim},
		{"nbf there", claim("nbf", `1893553400`), nil},
		{"nbf null", claim("nbf", `null`), jws.ErrClaim},
		{"nbf a string", claim("nbf", `"1"`), jws.ErrClaim},

		{"sub twice", with(`"sub":"1"`), jws.ErrDuplicate},
		{"SUB too", with(`"SUB":"1"`), jws.ErrDuplicate},
		{"sub with long s", with("\"\u017fub\":\"1\""), jws.ErrDuplicate},
		{"sub with escaped long s", with(`"\u017fub":"1"`), jws.ErrDuplicate},
		{"sub in escapes", with(`"\u0073\u0075\u0062":"1"`), jws.ErrDuplicate},
		{"exp twice", with(`"exp":4102444800`), jws.ErrDuplicate},
		{"EXP too", with(`"EXP":4102444800`), jws.ErrDuplicate},
		{"kind with Kelvin", with("\"\u212aind\":\"refresh\""), jws.ErrDuplicate},
		{"SUB alone", strings.Replace(claim("", ""), `"sub"`, `"SUB"`, 1), jws.ErrDuplicate},
		{"sub alone in escapes", strings.Replace(claim("", ""), `"sub"`, `"\u0073ub"`, 1), jws.ErrDuplicate},
		{"Nbf alone", with(`"Nbf":1`), jws.ErrDuplicate},
		{"others twice", with(`"a":1,"a":1`), jws.ErrDuplicate},
		{"others in case", with(`"role":1,"ROLE":1`), jws.ErrDuplicate},
		{"others in other letters", with(`"ä":1,"Ä":1`), jws.ErrDuplicate},
		{"nested twice", with(`"x":[[{"y":{"a":1,"b":2,"a":3}}]]`), jws.ErrDuplicate},
		{"nested in case", with(`"x":{"a":1,"A":1}`), jws.ErrDuplicate},
		{"nested like outside", with(`"x":{"sub":"1","x":{"sub":1,"x":[{"x":1},{"x":1}]}}`), nil},

		{"nothing", ``, jws.ErrPayload},
		{"an array", `[]`, jws.ErrPayload},
		{"null", `null`, jws.ErrPayload},
		{"a string", `"{}"`, jws.ErrPayload},
		{"two objects", claim("", "") + `{}`, jws.ErrPayload},
		{"something behind", claim("", "") + `x`, jws.ErrPayload},
		{"mark before", "\ufeff" + claim("", ""), jws.ErrPayload},
		{"not closed", strings.TrimSuffix(claim("", ""), "}"), jws.ErrPayload},
		{"comma behind", with(`"a":1,`), jws.ErrPayload},
		{"comma before", "{," + claim("", "")[1:], jws.ErrPayload},
		{"no colon", with(`"a" 1`), jws.ErrPayload},
		{"no value", with(`"a":`), jws.ErrPayload},
		{"comment", with(`"a":1/**/`), jws.ErrPayload},
		{"a word", with(`"a":nil`), jws.ErrPayload},
		{"half a word", with(`"a":tru`), jws.ErrPayload},
		{"control character", with("\"a\":\"\x01\""), jws.ErrPayload},
		{"tab in a string", with("\"a\":\"\t\""), jws.ErrPayload},
		{"line break in a string", with("\"a\":\"\n\""), jws.ErrPayload},
		{"last control character", with("\"a\":\"\x1f\""), jws.ErrPayload},
		{"other space", with("\"a\":\u00a01"), jws.ErrPayload},
		{"array closed as an object", with(`"a":[1}`), jws.ErrPayload},
		{"array with a comma", with(`"a":[1,]`), jws.ErrPayload},
		{"array of a comma", with(`"a":[,1]`), jws.ErrPayload},
		{"array without a comma", with(`"a":[1 2]`), jws.ErrPayload},
		{"minus alone", with(`"a":-`), jws.ErrPayload},
		{"exponent without digits", with(`"a":1e+`), jws.ErrPayload},
		{"half a surrogate pair in a name", with(`"\ud800":1`), jws.ErrText},
		{"surrogates the wrong way round", with(`"a":"\udc00\ud800"`), jws.ErrText},
		{"escape cut off", with(`"a":"\u00"`), jws.ErrPayload},
		{"nested 32 deep", with(`"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31)), nil},
		{"nested 33 deep", with(`"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32)), jws.ErrDepth},
		{"objects nested 33 deep", with(`"a":` + strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32)), jws.ErrDepth},
		{"128 members", with(manyMembers(121)[1:]), nil},
		{"129 members", with(manyMembers(122)[1:]), jws.ErrMembers},
		{"many small objects", with(`"a":[` + strings.Repeat(`{"a":1},`, 500) + `1]`), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims, err := jws.ParseClaims([]byte(tt.payload))
			if tt.want == nil && err != nil || !errors.Is(err, tt.want) {
				t.Fatalf("ParseClaims = %v, want %v", err, tt.want)
			}
			if err != nil && !reflect.ValueOf(claims).IsZero() {
				t.Errorf("claims returned with an error: %+v", claims)
			}
			if err != nil && errors.Is(err, jws.ErrClaim) == errors.Is(err, jws.ErrPayload) {
				t.Errorf("%v does not wrap one of ErrClaim and ErrPayload", err)
			}
			verifyAlike(t, tt.payload, err)
		})
	}
}

// verifyAlike checks that Verify and VerifyClaims treat a signed payload as
// ParseClaims does.
func verifyAlike(t *testing.T, payload string, parseErr error) {
	t.Helper()
	secret := sample(32)
	set := newSet(t, hmacKey(t, "k", "", secret))
	token := forge(headerOf("HS256", "k"), payload, hs256(secret))
	if payload == "" {
		if _, _, err := set.Verify(typ, token); !errors.Is(err, jws.ErrFormat) {
			t.Errorf("Verify = %v for an empty payload", err)
		}
		return
	}
	_, _, _, err := set.VerifyClaims(typ, token)
	if (err == nil) != (parseErr == nil) || err != nil && err.Error() != parseErr.Error() {
		t.Errorf("VerifyClaims = %v, ParseClaims = %v", err, parseErr)
	}
	if _, _, err := set.Verify(typ, token); errors.Is(parseErr, jws.ErrSyntax) && !errors.Is(err, jws.ErrPayload) {
		t.Errorf("Verify = %v, ParseClaims = %v", err, parseErr)
	}
}

func TestClaimValues(t *testing.T) {
	payload := `{"exp":1893553500.1234567899,"iat":0,"nbf":7.5,"iss":"i\"\/\u00e9","sub":"é\ud83d\ude00","aud":["a","b\\"],"jti":"j","kind":"k"}`
	got, err := jws.ParseClaims([]byte(payload))
	want := jws.Claims{
		Issuer: `i"/é`, Subject: "é😀", Audience: []string{"a", `b\`}, ID: "j", Kind: "k",
		Expiry: time.Unix(1893553500, 123456789).UTC(), IssuedAt: time.Unix(0, 0).UTC(), NotBefore: time.Unix(7, 5e8).UTC(),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseClaims = %+v, %v; want %+v", got, err, want)
	}
}

func TestCheck(t *testing.T) { // J08, J09
	const second, leeway = time.Second, 30 * time.Second
	for _, tt := range []struct {
		name                   string
		change                 func(c *jws.Claims)
		issuer, audience, kind string
		want                   error
	}{
		{"valid", func(*jws.Claims) {}, issuer, audience, kind, nil},
		{"a moment before the end", func(c *jws.Claims) { c.Expiry = now.Add(-leeway + 1) }, issuer, audience, kind, nil},
		{"at the end", func(c *jws.Claims) { c.Expiry = now.Add(-leeway) }, issuer, audience, kind, jws.ErrExpired},
		{"after the end", func(c *jws.Claims) { c.Expiry = now.Add(-leeway - second) }, issuer, audience, kind, jws.ErrExpired},
		{"from 1970", func(c *jws.Claims) { c.Expiry = time.Unix(0, 0) }, issuer, audience, kind, jws.ErrExpired},
		{"issued now", func(c *jws.Claims) { c.IssuedAt = now }, issuer, audience, kind, nil},
		{"issued in the future, within leeway", func(c *jws.Claims) { c.IssuedAt = now.Add(leeway) }, issuer, audience, kind, nil},
		{"issued in the future, beyond leeway", func(c *jws.Claims) { c.IssuedAt = now.Add(leeway + 1) }, issuer, audience, kind, jws.ErrNotYet},
		{"valid from now on", func(c *jws.Claims) { c.NotBefore = now }, issuer, audience, kind, nil},
		{"valid soon enough", func(c *jws.Claims) { c.NotBefore = now.Add(leeway) }, issuer, audience, kind, nil},
		{"not valid yet", func(c *jws.Claims) { c.NotBefore = now.Add(leeway + 1) }, issuer, audience, kind, jws.ErrNotYet},
		{"no times", func(c *jws.Claims) { c.Expiry = time.Time{} }, issuer, audience, kind, jws.ErrExpired},

		{"issuer missing", func(c *jws.Claims) { c.Issuer = "" }, issuer, audience, kind, jws.ErrIssuer},
		{"no issuer wanted", func(c *jws.Claims) { c.Issuer = "" }, "", audience, kind, jws.ErrIssuer},
		{"issuer longer", func(c *jws.Claims) { c.Issuer += "/" }, issuer, audience, kind, jws.ErrIssuer},
		{"issuer shorter", func(*jws.Claims) {}, issuer + "/", audience, kind, jws.ErrIssuer},
		{"issuer in upper case", func(c *jws.Claims) { c.Issuer = strings.ToUpper(issuer) }, issuer, audience, kind, jws.ErrIssuer},
		{"audience missing", func(c *jws.Claims) { c.Audience = nil }, issuer, audience, kind, jws.ErrAudience},
		{"no audience wanted", func(c *jws.Claims) { c.Audience = []string{""} }, issuer, "", kind, jws.ErrAudience},
		{"audience with a slash", func(c *jws.Claims) { c.Audience = []string{audience + "/"} }, issuer, audience, kind, jws.ErrAudience},
		{"audience of the beginning", func(c *jws.Claims) { c.Audience = []string{audience[:8]} }, issuer, audience, kind, jws.ErrAudience},
		{"one audience of several", func(c *jws.Claims) { c.Audience = []string{"a", audience, "b"} }, issuer, audience, kind, nil},
		{"another kind", func(c *jws.Claims) { c.Kind = "refresh" }, issuer, audience, kind, jws.ErrKind},
		{"kind missing", func(c *jws.Claims) { c.Kind = "" }, issuer, audience, "", jws.ErrKind},
		{"another kind, and expired", func(c *jws.Claims) { c.Kind, c.Expiry = "refresh", now.Add(-time.Hour) }, issuer, audience, kind, jws.ErrKind},
		{"another issuer, and expired", func(c *jws.Claims) { c.Issuer, c.Expiry = "x", now.Add(-time.Hour) }, issuer, audience, kind, jws.ErrIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := validClaims()
			tt.change(c)
			if err := c.Check(now, leeway, tt.issuer, tt.audience, tt.kind); err != tt.want {
				t.Errorf("Check = %v, want %v", err, tt.want)
			}
		})
	}
	c := validClaims()
	if err := c.Check(c.Expiry, 0, issuer, audience, kind); err != jws.ErrExpired {
		t.Errorf("at exp without leeway: %v", err)
	}
}
