package redirect_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/redirect"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ name, target, want string }{
		{"root", "/", "/"},
		{"path", "/posts/7", "/posts/7"},
		{"trailing slash", "/posts/", "/posts/"},
		{"query", "/posts?page=2&q=a%20b", "/posts?page=2&q=a%20b"},
		{"empty query", "/posts?", "/posts?"},
		{"address in the query", `/go?to=https://e.x/\\..//`, `/go?to=https://e.x/\\..//`},
		{"line break in the query", "/notes?text=a%0d%0ab", "/notes?text=a%0d%0ab"},
		{"fragment", "/posts#top", "/posts"},
		{"fragment with a query", "/posts#a?b", "/posts"},
		{"fragment after the query", "/posts?a#b", "/posts?a"},
		{"at sign", "/@e.x", "/@e.x"},
		{"colon", "/a:b", "/a:b"},
		{"looks like user information", "/good@e.x/", "/good@e.x/"},
		{"slashes inside", "/proxy/https://e.x/", "/proxy/https://e.x/"},
		{"encoded slash inside", "/a%2fb", "/a%2fb"},
		{"dots inside names", "/a..b/.well-known/...", "/a..b/.well-known/..."},
		{"letters", "/caf\u00e9/\u010a", "/caf\u00e9/\u010a"},
		{"encoded letters", "/caf%C3%A9", "/caf%C3%A9"},
		{"escape of an escape", "/%255c", "/%255c"},
		{"longest", "/" + strings.Repeat("a", 2047), "/" + strings.Repeat("a", 2047)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := redirect.Clean(tt.target); !ok || got != tt.want {
				t.Errorf("Clean(%q) = %q, %t; want %q", tt.target, got, ok, tt.want)
			}
			if origin := resolve(tt.want); origin != ownOrigin {
				t.Errorf("%q resolves to %q", tt.want, origin)
			}
		})
	}
}

// refused are targets that lead, or could be interpreted to lead, to another
// site.
var refused = []struct{ name, target string }{
	{"nothing", ""},
	{"fragment alone", "#top"},
	{"query alone", "?a=b"},
	{"relative path", "posts"},
	{"scheme-relative", "//e.x"},
	{"three slashes", "///e.x"},
	{"slash and backslash", `/\e.x`},
	{"two backslashes", `\\e.x`},
	{"backslash and slash", `\/e.x`},
	{"backslash inside", `/a\b`},
	{"tab", "/\t/e.x"},
	{"tab before a backslash", "/\t\\e.x"},
	{"leading tab", "\t//e.x"},
	{"line break", "/\n/e.x"},
	{"carriage return", "/\r/e.x"},
	{"NUL", "/\x00/e.x"},
	{"delete", "/\x7f/e.x"},
	{"C1 control", "/a\u0085b"},
	{"control in the query", "/a?b\r\nSet-Cookie: x"},
	{"control in the fragment", "/a#b\n"},
	{"leading space", " //e.x"},
	{"leading space before one slash", " /a"},
	{"encoded tab", "/%09/e.x"},
	{"encoded backslash", "/%5ce.x"},
	{"encoded backslash in upper case", "/%5Ce.x"},
	{"encoded slash", "/%2fe.x"},
	{"encoded slash first", "%2f/e.x"},
	{"encoded header", "/ok%0d%0aSet-Cookie:x"},
	{"encoded NUL", "/ok%00"},
	{"dot segment", "/.//e.x"},
	{"dot dot segment", "/..//e.x"},
	{"dot dot segment further in", "/a/..//e.x"},
	{"encoded dot segments", "/%2e%2E//e.x"},
	{"encoded dot and slash", "/.%2f/e.x"},
	{"last dot segment", "/a/.."},
	{"https and host", "https://e.x/"},
	{"own origin written out", "https://app.example/"},
	{"user information", "http://good@e.x"},
	{"good prefix", "http://good.e.x"},
	{"https without slashes", "https:e.x"},
	{"https with one slash", "https:/e.x"},
	{"javascript", "javascript:alert(1)"},
	{"javascript behind a slash and a line break", "/\njavascript:alert(1)"},
	{"data", "data:text/html,x"},
	{"invalid UTF-8", "/\xff"},
	{"encoded invalid UTF-8", "/%ff"},
	{"broken escape", "/%zz"},
	{"cut escape", "/%2"},
	{"one over the limit", "/" + strings.Repeat("a", 2048)},
	{"8 KiB", "/" + strings.Repeat("a", 8191)},
	{"too long with its fragment", "/a#" + strings.Repeat("a", 2048)},
}

func TestCleanRefuses(t *testing.T) {
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := redirect.Clean(tt.target); ok || got != "" {
				t.Errorf("Clean(%.80q) = %q, %t", tt.target, got, ok)
			}
		})
	}
}

// TestResolve checks that the resolver of the tests detects common tricks.
func TestResolve(t *testing.T) {
	for _, tt := range []struct{ target, want string }{
		{"", ownOrigin},
		{"a/b", ownOrigin},
		{"/a", ownOrigin},
		{"?//e.x", ownOrigin},
		{"https:e", ownOrigin},
		{"https:/e.x", ownOrigin},
		{"//e.x", "https://e.x"},
		{"///e.x", "https://e.x"},
		{`/\e.x`, "https://e.x"},
		{"/\t/e.x?q", "https://e.x"},
		{"\x01 //e.x", "https://e.x"},
		{`\\good@e.x/`, "https://good@e.x"},
		{"HTTPS://e.x", "https://e.x"},
		{"http:e.x", "http://e.x"},
		{"java\nscript:alert(1)", "javascript:"},
		{"data:x", "data:"},
		{"//app.example/", ownOrigin},
	} {
		if got := resolve(tt.target); got != tt.want {
			t.Errorf("resolve(%q) = %q, want %q", tt.target, got, tt.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, tt := range refused {
		if len(tt.target) < 100 {
			f.Add(tt.target)
		}
	}
	for _, seed := range []string{"/", "/a?b#c", "/@e.x", "/a%2fb//c", "/?//e.x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got, ok := redirect.Clean(target)
		if !ok {
			return
		}
		if origin := resolve(got); origin != ownOrigin {
			t.Errorf("Clean(%q) = %q, which leads to %q", target, got, origin)
		}
		if again, ok := redirect.Clean(got); !ok || again != got || !strings.HasPrefix(target, got) {
			t.Errorf("Clean(%q) = %q, which Clean changes to %q, %t", target, got, again, ok)
		}
	})
}
