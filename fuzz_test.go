package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
)

// FuzzReadCookie holds the reader to what the standard library reads, except
// that it knows nothing of quotes and takes no cookie that comes twice.
func FuzzReadCookie(f *testing.F) {
	for _, seed := range []string{
		"s=abc", "a=b; s=abc", "s=a; s=b", "s=a; s=a", "s=a\r", "s =b; s=a", "=", ";;;", "s", "s=", `s="x"`, "s==", " s = x ", "s=%zz", "S=x", "s=a\x00b", "x=1;s=2;y=3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, ok := ginauth.ReadCookieForTest(http.Header{"Cookie": {header}}, "s")
		if strings.ContainsAny(got, ";") {
			t.Errorf("%q: value %q", header, got)
		}
		if strings.Count(header, ";") > 2000 || !ok {
			return
		}
		parsed, err := (&http.Request{Header: http.Header{"Cookie": {header}}}).Cookie("s")
		if err == nil && !parsed.Quoted && parsed.Value != got {
			t.Errorf("%q: read %q, net/http reads %q", header, got, parsed.Value)
		}
	})
}

// FuzzSessionID finds two texts for one id, or an id that is none.
func FuzzSessionID(f *testing.F) {
	f.Add(strings.Repeat("A", 64))
	f.Add(strings.Repeat("A", 63))
	f.Add(strings.Repeat("-_", 32))
	f.Add("\n" + strings.Repeat("A", 63))
	f.Fuzz(func(t *testing.T, text string) {
		row, _, ok := ginauth.ParseSessionIDForTest(text)
		if !ok {
			return
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(raw) != 48 || hex.EncodeToString(raw[:16]) != row || base64.RawURLEncoding.EncodeToString(raw) != text {
			t.Errorf("%q is read as an id", text)
		}
	})
}

// FuzzThrottleKey finds two different things that are counted as one.
func FuzzThrottleKey(f *testing.F) {
	m, err := ginauth.New(ginauth.Config{Hashing: ginauthtest.CheapHashing()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = m.Close(context.Background()) })
	f.Add("account", "a|b", "c", "account", "a", "b|c")
	f.Add("account", "a:b", "", "account", "a", ":b")
	f.Add("a", "b", "c", "a", "b", "c")
	f.Fuzz(func(t *testing.T, k1, a1, b1, k2, a2, b2 string) {
		first, second := m.ThrottleKeyForTest(k1, []byte(a1), []byte(b1)), m.ThrottleKeyForTest(k2, []byte(a2), []byte(b2))
		if equal := k1 == k2 && a1 == a2 && b1 == b2; (first == second) != equal {
			t.Errorf("%q %q %q and %q %q %q", k1, a1, b1, k2, a2, b2)
		}
		if first == m.ThrottleKeyForTest(k1, []byte(a1+b1)) {
			t.Error("two parts are counted as one")
		}
	})
}
