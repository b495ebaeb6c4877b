package jws_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/jws"
)

func TestPayload(t *testing.T) {
	c := validClaims()
	c.NotBefore = now.Add(-time.Second + 999)
	got, err := c.Payload([]byte(" {\"role\" : \"admin\", \"n\":[1,{\"a\":null}] }\n"))
	const want = `{"iss":"https://issuer.example","sub":"42","aud":"https://api.example","exp":1893553505,"nbf":1893553444,` +
		`"iat":1893553385,"jti":"id-1","kind":"access","role" : "admin", "n":[1,{"a":null}]}`
	if err != nil || string(got) != want {
		t.Errorf("Payload = %s, %v; want %s", got, err, want)
	}
	for _, application := range []string{"", "{}", " { } "} {
		if got, err := validClaims().Payload([]byte(application)); err != nil || string(got) != string(payload()) {
			t.Errorf("application %q: %s, %v", application, got, err)
		}
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	long := strings.Repeat("ü", jws.MaxText/2)
	for _, c := range []jws.Claims{
		*validClaims(),
		{Subject: long, ID: long, Kind: long, Issuer: long, Audience: []string{long, "b", `"\/<>&`}, Expiry: now, IssuedAt: now, NotBefore: now},
		{Subject: "\u2028\x7f😀", ID: `\"`, Kind: "k", Expiry: time.Unix(0, 0).UTC(), IssuedAt: time.Unix(253370764799, 0).UTC()},
	} {
		text, err := c.Payload([]byte(`{"x":1}`))
		if err != nil || !json.Valid(text) {
			t.Fatalf("%+v: %s, %v", c, text, err)
		}
		if got, err := jws.ParseClaims(text); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s read as %+v, %v; want %+v", text, got, err, c)
		}
	}
}

// Payload and ParseClaims have the same limit for the number of members, also
// of enclosing objects.
func TestPayloadMembers(t *testing.T) {
	full := validClaims()
	full.NotBefore, full.Family, full.Fingerprint = now, "f", "p"
	bare := &jws.Claims{Subject: "s", ID: "i", Kind: "k", Expiry: now, IssuedAt: now}
	for _, c := range []*jws.Claims{full, bare, validClaims()} {
		for n := 110; n <= 126; n++ {
			for _, application := range []string{
				"{" + manyMembers(n)[1:] + "}",
				`{"x":{` + manyMembers(n)[1:] + "}}",
				`{"x":[{"y":{` + manyMembers(n - 1)[1:] + "}}]}",
			} {
				ours := string(must(c.Payload(nil)))
				readErr := jws.CheckObject(strings.TrimSuffix(ours, "}") + "," + application[1:])
				text, err := c.Payload([]byte(application))
				if (err == nil) != (readErr == nil) || err != nil && !errors.Is(err, jws.ErrMembers) {
					t.Errorf("%d members: Payload = %v, CheckObject = %v", n, err, readErr)
				}
				if _, readErr := jws.ParseClaims(text); err == nil && readErr != nil {
					t.Errorf("Payload accepts %d members, but ParseClaims does not: %v", n, readErr)
				}
			}
		}
	}
}

func TestPayloadRefuses(t *testing.T) {
	for _, tt := range []struct {
		name        string
		change      func(c *jws.Claims)
		application string
		want        error
	}{
		{"sub missing", func(c *jws.Claims) { c.Subject = "" }, ``, jws.ErrClaim},
		{"jti missing", func(c *jws.Claims) { c.ID = "" }, ``, jws.ErrClaim},
		{"kind missing", func(c *jws.Claims) { c.Kind = "" }, ``, jws.ErrClaim},
		{"exp missing", func(c *jws.Claims) { c.Expiry = time.Time{} }, ``, jws.ErrClaim},
		{"iat missing", func(c *jws.Claims) { c.IssuedAt = time.Time{} }, ``, jws.ErrClaim},
		{"exp before 1970", func(c *jws.Claims) { c.Expiry = time.Unix(-1, 0) }, ``, jws.ErrClaim},
		{"exp in the year 9999", func(c *jws.Claims) { c.Expiry = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }, ``, jws.ErrClaim},
		{"sub too long", func(c *jws.Claims) { c.Subject = strings.Repeat("a", 256) }, ``, jws.ErrClaim},
		{"sub with a line break", func(c *jws.Claims) { c.Subject = "4\n2" }, ``, jws.ErrClaim},
		{"sub not UTF-8", func(c *jws.Claims) { c.Subject = "\xff" }, ``, jws.ErrText},
		{"one audience empty", func(c *jws.Claims) { c.Audience = []string{"a", ""} }, ``, jws.ErrClaim},
		{"17 audiences", func(c *jws.Claims) { c.Audience = strings.Split(strings.Repeat("a,", 16)+"a", ",") }, ``, jws.ErrClaim},
		{"nothing at all", func(c *jws.Claims) { *c = jws.Claims{} }, ``, jws.ErrClaim},
		{"sub by the application", func(*jws.Claims) {}, `{"sub":"1"}`, jws.ErrDuplicate},
		{"SUB by the application", func(*jws.Claims) {}, `{"SUB":"1"}`, jws.ErrDuplicate},
		{"long s by the application", func(*jws.Claims) {}, `{"i` + "\u017f\u017f" + `":"1"}`, jws.ErrDuplicate},
		{"escapes by the application", func(*jws.Claims) {}, `{"\u006bind":"1"}`, jws.ErrDuplicate},
		{"nbf by the application", func(*jws.Claims) {}, `{"nbf":1}`, jws.ErrDuplicate},
		{"aud by the application", func(c *jws.Claims) { c.Audience = nil }, `{"aud":"x"}`, jws.ErrDuplicate},
		{"its own twice", func(*jws.Claims) {}, `{"a":1,"A":1}`, jws.ErrDuplicate},
		{"an array", func(*jws.Claims) {}, `[1]`, jws.ErrSyntax},
		{"null", func(*jws.Claims) {}, `null`, jws.ErrSyntax},
		{"two objects", func(*jws.Claims) {}, `{"a":1}{"b":1}`, jws.ErrSyntax},
		{"end of the object", func(*jws.Claims) {}, `{"a":1},"sub":"1"}`, jws.ErrSyntax},
		{"too many", func(*jws.Claims) {}, "{" + manyMembers(122)[1:] + "}", jws.ErrMembers},
		{"too long", func(*jws.Claims) {}, `{"a":"` + strings.Repeat("a", jws.MaxToken) + `"}`, jws.ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := validClaims()
			tt.change(c)
			got, err := c.Payload([]byte(tt.application))
			if got != nil || !errors.Is(err, tt.want) || !errors.Is(err, jws.ErrInput) {
				t.Errorf("Payload = %s, %v; want %v", got, err, tt.want)
			}
		})
	}
}
