// Package clientaddr parses the addresses of clients and reduces them to the
// key under which a client is counted.
package clientaddr

import (
	"net/netip"
	"strings"
)

// prefixBits is the length of the part of an IPv6 address that a provider
// assigns to one client. The client can choose the remaining bits freely.
const prefixBits = 64

// Prefix returns the key under which a client is counted. For IPv4, also mapped
// to IPv6, the key is the address. For IPv6 it is the /64 network without zone.
// Remote is an address, or an address with a port as in
// http.Request.RemoteAddr. Prefix returns false for any other text, such as the
// address of a Unix socket.
func Prefix(remote string) (key string, ok bool) {
	addr, ok := Parse(remote)
	if !ok {
		return "", false
	}
	if addr.Is4() {
		return addr.String(), true
	}
	prefix, err := addr.Prefix(prefixBits)
	if err != nil {
		return "", false
	}
	return prefix.String(), true
}

// siteBits is the length of the part of an IPv6 address that a site is assigned
// at most. A site can choose among 65,536 networks of prefixBits.
const siteBits = 48

// Site returns the /48 network of an IPv6 address, and "" for IPv4 and for texts
// that Prefix does not accept.
func Site(remote string) string {
	addr, ok := Parse(remote)
	if !ok || addr.Is4() {
		return ""
	}
	prefix, err := addr.Prefix(siteBits)
	if err != nil {
		return ""
	}
	return prefix.String()
}

// Client names the client that something is done for: an IPv4 address, or the
// /48 of IPv6. It returns "" for texts that Prefix does not accept.
func Client(remote string) string {
	if site := Site(remote); site != "" {
		return site
	}
	return Host(remote)
}

// Parse returns the address in remote, without zone and port. Addresses that
// are mapped to IPv6 are returned as IPv4. Remote has the forms that Prefix
// accepts.
func Parse(remote string) (netip.Addr, bool) {
	withPort, err := netip.ParseAddrPort(remote)
	addr := withPort.Addr()
	if err != nil {
		addr, err = netip.ParseAddr(remote)
	}
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.WithZone("").Unmap(), true
}

// WithoutPort returns remote without its port, if it has one. Prefix returns
// the same key for both.
func WithoutPort(remote string) string {
	i := strings.LastIndexByte(remote, ':')
	if i > 0 && (remote[i-1] == ']' || strings.IndexByte(remote, ':') == i) {
		return remote[:i]
	}
	return remote // an address without a port
}

// Host returns the address in remote as Parse returns it, or "" if there is
// none.
func Host(remote string) string {
	addr, ok := Parse(remote)
	if !ok {
		return ""
	}
	return addr.String()
}

// Loopback reports whether addr is a loopback address: 127.0.0.0/8, also mapped
// to IPv6, or ::1. It returns false for the zero Addr.
func Loopback(addr netip.Addr) bool { return addr.Unmap().IsLoopback() }
