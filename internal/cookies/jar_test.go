package cookies_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/testsize"
)

// crowd returns n cookies of others.
func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "c%d=v; ", i)
	}
	return b.String()
}

// TestSentReadsWhatReadReads checks that there is one opinion on which cookies a request has,
// however many others it has.
func TestSentReadsWhatReadReads(t *testing.T) {
	for _, c := range []struct {
		name, header string
		sent, read   bool
	}{
		{"none", "", false, false},
		{"another", "other=1", false, false},
		{"session", "__Host-s=1", true, true},
		{"session among many", crowd(4000) + "__Host-s=1", true, true},
		{"sibling among many", crowd(4000) + "__Host-s_remember=1", true, false},
		{"many others", crowd(4000) + "__Host-sx=1", false, false},
		{"twice", "__Host-s=1; __Host-s=2", true, false},
		{"space after the name", "__Host-s =1", true, false},
		{"no value", "__Host-s", true, false},
		{"empty parts", ";; ;__Host-s=1;", true, true},
	} {
		r := httptest.NewRequest(http.MethodPost, "https://app.example/", nil)
		r.Header["Cookie"] = []string{c.header}
		jar := cookies.NewJar(&cookies.Config{Name: "__Host-s", Path: "/"}, r, false)
		_, read := jar.Get(r.Header, "__Host-s")
		if sent := jar.Sent(r); sent != c.sent || read != c.read {
			t.Errorf("%s: sent %v, read %v; want %v, %v", c.name, sent, read, c.sent, c.read)
		}
	}
}

func TestManyCookies(t *testing.T) {
	for name, read := range map[string]func(cookies.Jar, *http.Request){
		"Get":  func(j cookies.Jar, r *http.Request) { j.Get(r.Header, "__Host-s") },
		"Sent": func(j cookies.Jar, r *http.Request) { j.Sent(r) },
	} {
		t.Run(name, func(t *testing.T) {
			testsize.Linear(t, 1000, func(n int) func() {
				r := httptest.NewRequest(http.MethodPost, "https://app.example/", nil)
				r.Header["Cookie"] = []string{crowd(n)}
				jar := cookies.NewJar(&cookies.Config{Name: "__Host-s", Path: "/"}, r, false)
				return func() { read(jar, r) }
			})
		})
	}
}
