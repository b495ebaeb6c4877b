package gintree

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// claimed is an address that only a client names.
const claimed = "198.51.100.66"

// peers are addresses that proxies have, and the last two ones that only strangers have.
var peers = []string{
	"127.0.0.1:1", "[::1]:1", "10.0.0.1:1", "172.16.0.1:1", "172.17.0.1:1", "172.18.0.1:1", "192.168.0.1:1", "192.168.1.1:1",
	"100.64.0.1:1", "169.254.1.1:1", "[fd00::1]:1", "[fe80::1]:1", "@",
	"203.0.113.1:1", "[2001:db8::1]:1",
}

// hostile are headers that proxies write about a client at 203.0.113.9 or 2001:db8::9, or
// about one that they do not name. The client wrote the other headers.
var hostile = []string{"203.0.113.9:51234", "[2001:db8::9]:443", "2001:db8::9", "unknown", "_hidden", ""}

// CheckClientIP calls a function that returns the address of a client with requests that
// carry hostile headers. It returns what is wrong with the function, or "".
func CheckClientIP(engine *gin.Engine, clientIP func(*gin.Context) string) (problem string) {
	defer func() {
		if recover() != nil {
			problem = "panics for a request without a URL, or with headers that clients can send"
		}
	}()
	ask := func(peer string, header http.Header) string {
		c := gin.CreateTestContextOnly(nil, engine)
		c.Request = (&http.Request{Method: http.MethodGet, RemoteAddr: peer, Header: header}).WithContext(c)
		return clientIP(c)
	}
	strangers := peers[len(peers)-2:]
	if ask(strangers[0], forwardedFor(claimed)) == claimed && ask(strangers[1], forwardedFor(claimed)) == claimed {
		return "accepts an IP address from every peer, so addresses are what clients claim: use TrustedProxies, or call SetTrustedProxies"
	}
	for _, peer := range peers {
		switch ask(peer, forwardedFor("192.0.2.7, "+claimed)) {
		case "192.0.2.7":
			return "returns the first IP address in X-Forwarded-For, which clients write"
		case claimed:
		default:
			continue // not a trusted proxy
		}
		for _, entry := range hostile {
			header := forwardedFor(entry)
			header.Set("X-Real-Ip", claimed)
			if ask(peer, header) == claimed {
				return "returns what a client sends in X-Real-Ip if X-Forwarded-For ends in \"" + entry + "\""
			}
			header = forwardedFor(claimed + ", " + entry)
			if ask(peer, header) == claimed {
				return "returns an IP address that a client put into X-Forwarded-For if that ends in \"" + entry + "\""
			}
		}
	}
	return ""
}

func forwardedFor(value string) http.Header { return http.Header{"X-Forwarded-For": {value}} }
