package clientaddr_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/clientaddr"
)

func newProxies(t testing.TB, texts ...string) *clientaddr.Proxies {
	t.Helper()
	p, err := clientaddr.NewProxies(texts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const peer = "10.0.0.1:4711"

// many is a header of 10,000 entries, all of which a client could have written.
var many = strings.Repeat("192.0.2.66, ", 10_000)

func TestClientBehindProxies(t *testing.T) {
	p := newProxies(t, "10.0.0.0/8", "2001:db8:ffff::/48", "192.0.2.200", "::ffff:172.16.0.0/108", "unix")
	xff := func(lines ...string) http.Header { return http.Header{"X-Forwarded-For": lines} }
	std := func(lines ...string) http.Header { return http.Header{"Forwarded": lines} }
	both := func(x, s string) http.Header { return http.Header{"X-Forwarded-For": {x}, "Forwarded": {s}} }
	for _, tt := range []struct {
		name, peer string
		header     http.Header
		want       string
	}{
		{"no header", peer, nil, peer},
		{"untrusted peer", "192.0.2.1:1", xff("203.0.113.9"), "192.0.2.1:1"},
		{"untrusted peer, Forwarded", "192.0.2.1:1", std("for=203.0.113.9"), "192.0.2.1:1"},
		{"untrusted peer of IPv6", "[2001:db8::1]:1", xff("203.0.113.9"), "[2001:db8::1]:1"},
		{"one entry", peer, xff("203.0.113.9"), "203.0.113.9"},
		{"mapped peer", "[::ffff:10.0.0.1]:1", xff("203.0.113.9"), "203.0.113.9"},
		{"mapped prefix", "172.16.5.5:1", xff("203.0.113.9"), "203.0.113.9"},
		{"peer of IPv6", "[2001:db8:ffff::1]:1", xff("203.0.113.9"), "203.0.113.9"},
		{"single trusted address", "192.0.2.200:1", xff("203.0.113.9"), "203.0.113.9"},
		{"neighbour of the single address", "192.0.2.201:1", xff("203.0.113.9"), "192.0.2.201:1"},
		{"what the client wrote", peer, xff("192.0.2.66, 203.0.113.9"), "203.0.113.9"},
		{"several proxies", peer, xff("192.0.2.66, 203.0.113.9, 10.1.1.1,192.0.2.200"), "203.0.113.9"},
		{"all trusted", peer, xff("10.3.3.3, 10.2.2.2"), "10.3.3.3"},
		{"several lines", peer, xff("192.0.2.66", "203.0.113.9", "10.2.2.2"), "203.0.113.9"},
		{"10,000 entries", peer, xff(many + "203.0.113.9"), "203.0.113.9"},
		{"10,000 lines", peer, xff(append(strings.Split(many, ","), "203.0.113.9")...), "203.0.113.9"},
		{"10,000 proxies", peer, xff("203.0.113.9" + strings.Repeat(",10.0.0.2", 10_000)), peer},
		{"port", peer, xff("203.0.113.9:51234"), "203.0.113.9"},
		{"brackets", peer, xff("[2001:db8::1]"), "2001:db8::1"},
		{"brackets and port", peer, xff("[2001:db8::1]:443"), "2001:db8::1"},
		{"no brackets", peer, xff("2001:DB8::1"), "2001:db8::1"},
		{"zone", peer, xff("fe80::1%eth0"), "fe80::1"},
		{"mapped", peer, xff("::ffff:203.0.113.9"), "203.0.113.9"},
		{"mapped trusted", peer, xff("203.0.113.9, ::ffff:10.2.2.2"), "203.0.113.9"},
		{"white space", peer, xff("192.0.2.66 ,\t203.0.113.9 "), "203.0.113.9"},
		{"unknown", peer, xff("192.0.2.66, unknown"), peer},
		{"unknown before a proxy", peer, xff("192.0.2.66, unknown, 10.2.2.2"), peer},
		{"hidden", peer, xff("192.0.2.66, _hidden"), peer},
		{"empty entry at the end", peer, xff("192.0.2.66, "), peer},
		{"empty line at the end", peer, xff("192.0.2.66", ""), peer},
		{"empty entry before a proxy", peer, xff("192.0.2.66,, 10.2.2.2"), peer},
		{"empty", peer, xff(""), peer},
		{"port out of range", peer, xff("203.0.113.9:99999"), peer},
		{"host name", peer, xff("client.example"), peer},
		{"IPv4 in brackets with rubbish", peer, xff("[203.0.113.9"), peer},
		{"two brackets", peer, xff("[[2001:db8::1]]"), peer},
		{"long", peer, xff(strings.Repeat("1", 1<<16)), peer},
		{"quoted is no address there", peer, xff(`"203.0.113.9"`), peer},

		{"Forwarded", peer, std("for=203.0.113.9;proto=https;by=10.0.0.1"), "203.0.113.9"},
		{"Forwarded in upper case", peer, std("Proto=https;FOR=203.0.113.9"), "203.0.113.9"},
		{"Forwarded, several", peer, std("for=192.0.2.66, for=203.0.113.9;by=x , for=10.2.2.2"), "203.0.113.9"},
		{"Forwarded, several lines", peer, std("for=192.0.2.66", "for=203.0.113.9"), "203.0.113.9"},
		{"Forwarded, quoted", peer, std(`for="203.0.113.9:51234"`), "203.0.113.9"},
		{"Forwarded, IPv6", peer, std(`for="[2001:db8::1]"`), "2001:db8::1"},
		{"Forwarded, IPv6 and port", peer, std(`for="[2001:db8::1]:443"`), "2001:db8::1"},
		{"Forwarded, hidden port", peer, std(`for="203.0.113.9:_x"`), "203.0.113.9"},
		{"Forwarded, hidden port of IPv6", peer, std(`for="[2001:db8::1]:_x"`), "2001:db8::1"},
		{"Forwarded, quoted separators", peer, std(`for=203.0.113.9;host="a,b;for=192.0.2.66\",for=192.0.2.66"`), "203.0.113.9"},
		{"Forwarded, unknown", peer, std("for=192.0.2.66, for=unknown"), peer},
		{"Forwarded, hidden", peer, std("for=192.0.2.66, for=_gazonk"), peer},
		{"Forwarded, no for", peer, std("for=192.0.2.66, proto=https"), peer},
		{"Forwarded, two for", peer, std("for=203.0.113.9;for=192.0.2.66"), peer},
		{"Forwarded, empty for", peer, std(`for=`), peer},
		{"Forwarded, empty quotes", peer, std(`for=""`), peer},
		{"Forwarded, empty element", peer, std("for=192.0.2.66,"), peer},
		{"Forwarded, open quotes", peer, std(`for="192.0.2.66, for=203.0.113.9`), peer},
		{"Forwarded, open quotes in another line", peer, std(`host="x`, `for=203.0.113.9`), peer},
		{"Forwarded, escapes", peer, std(`for="203.0.113.\9"`), peer},
		{"Forwarded, space", peer, std(`for= 203.0.113.9`), peer},
		{"Forwarded, 10,000 entries", peer, std(strings.Repeat("for=192.0.2.66,", 10_000) + "for=203.0.113.9"), peer},

		{"both say the same", peer, both("192.0.2.66, 203.0.113.9", "for=203.0.113.9"), "203.0.113.9"},
		{"the client wrote Forwarded", peer, both("203.0.113.9", "for=192.0.2.66"), peer},
		{"the client wrote X-Forwarded-For", peer, both("192.0.2.66", "for=203.0.113.9"), peer},
		{"the client wrote rubbish", peer, both("203.0.113.9", `for="`), peer},

		{"X-Real-Ip", peer, http.Header{"X-Real-Ip": {"192.0.2.66"}}, peer},
		{"X-Real-Ip beside unknown", peer, http.Header{"X-Real-Ip": {"192.0.2.66"}, "X-Forwarded-For": {"unknown"}}, peer},
		{"Unix socket", "@", xff("192.0.2.66, 203.0.113.9"), "203.0.113.9"},
		{"Unix socket without a header", "@", nil, "@"},
		{"Unix socket and rubbish", "@", xff("unknown"), "0.0.0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.Client(&http.Request{RemoteAddr: tt.peer, Header: tt.header}); got != tt.want {
				t.Errorf("client %q, want %q", got, tt.want)
			}
		})
	}
	none := newProxies(t)
	if got := none.Client(&http.Request{RemoteAddr: "@", Header: xff("203.0.113.9")}); got != "@" {
		t.Errorf("a Unix socket that is not trusted: client %q", got)
	}
}

func TestProxiesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "neither", "10.0.0.0/33": "neither", "10.0.0.1:80": "neither", "proxy.example": "neither", "fe80::1%eth0": "neither",
		"10.0.0.1/8": "10.0.0.0/8 is meant", "0.0.0.0/0": "every peer", "::/0": "every peer",
	} {
		if _, err := clientaddr.NewProxies([]string{"::1", text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}

func FuzzClientBehindProxies(f *testing.F) {
	f.Add("203.0.113.9", "for=203.0.113.9")
	f.Add(`"[::1]:_x"`, `for="\"`)
	p := newProxies(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, xff, std string) {
		for _, header := range []http.Header{
			{"X-Forwarded-For": {xff}}, {"Forwarded": {std}}, {"X-Forwarded-For": {xff}, "Forwarded": {std}},
		} {
			if _, ok := clientaddr.Prefix(p.Client(&http.Request{RemoteAddr: peer, Header: header})); !ok {
				t.Errorf("%q: the client is not counted", header)
			}
		}
		// What a client wrote never changes what a proxy added.
		header := http.Header{"X-Forwarded-For": {xff, "203.0.113.9"}}
		if got := p.Client(&http.Request{RemoteAddr: peer, Header: header}); got != "203.0.113.9" {
			t.Errorf("%q: client %q", header, got)
		}
	})
}
