package cookies

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/ginauth/ginauth/internal/clientaddr"
)

// FromOwnMachine reports whether a request comes from this machine, names it as its
// host, and was not forwarded. It checks all three because a proxy on this machine
// connects from a loopback address too, and any DNS name may point to one.
func FromOwnMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !clientaddr.Loopback(peer.Addr()) || !localHost(r.Host) {
		return false
	}
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			return false
		}
	}
	return !rewritten(r)
}

// rewritten reports whether a proxy put this machine's name in place of the host that the browser
// asked for: the page that sent the request is of the same origin and yet of another host. Before
// Sec-Fetch-Site, browsers only named the origin of unsafe requests.
func rewritten(r *http.Request) bool {
	page := r.Header.Get("Origin")
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		if page == "" {
			page = r.Header.Get("Referer")
		}
	case "":
	default:
		return false // another site sent the request, as an identity provider sends a browser back
	}
	if page == "" || page == "null" {
		return false
	}
	u, err := url.Parse(page)
	return err == nil && u.Host != "" && !localHost(u.Host)
}

// localHost reports whether a host is this machine. Browsers resolve localhost and all names
// below it to the loopback address without asking (RFC 6761, 6.3).
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && clientaddr.Loopback(addr)
}

// localPort returns the port of a host, or 0. Browsers send the cookies of one port of a machine to
// all others.
func localPort(host string) uint16 {
	_, text, err := net.SplitHostPort(host)
	if err != nil {
		return 0
	}
	port, _ := strconv.ParseUint(text, 10, 16)
	return uint16(port)
}

// OverTLS reports whether a browser sent a request by HTTPS, as far as the request tells: to this
// process or to a proxy before it.
func OverTLS(r *http.Request) bool {
	h := r.Header
	return r.TLS != nil || strings.EqualFold(h.Get("X-Forwarded-Proto"), "https") ||
		strings.Contains(strings.ToLower(h.Get("Forwarded")), "proto=https") ||
		strings.HasPrefix(h.Get("Origin"), "https:") || strings.HasPrefix(h.Get("Referer"), "https:")
}
