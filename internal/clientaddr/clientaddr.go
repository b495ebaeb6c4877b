// Package clientaddr reduces the address of a peer to what is counted as one
// client.
package clientaddr

import (
	"net/netip"
	"strings"
)

// prefixBits is the part of an IPv6 address that a provider gives to one
// client, who chooses the rest freely.
const prefixBits = 64

// Prefix returns the key under which a peer is counted: an IPv4 address as it
// is, also one mapped to IPv6, and otherwise the /64 network without its zone.
// remote is an address, or an address and a port as in
// http.Request.RemoteAddr. It reports false for anything else, such as the
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

// Parse returns the address in remote, which has the forms that Prefix
// accepts: without its zone, and IPv4 if it is mapped to IPv6.
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

// WithoutPort returns the part of remote that decides what Prefix returns: that
// before the port, where there is one.
func WithoutPort(remote string) string {
	i := strings.LastIndexByte(remote, ':')
	if i > 0 && (remote[i-1] == ']' || strings.IndexByte(remote, ':') == i) {
		return remote[:i]
	}
	return remote // IPv6, or nothing but an address
}

// Host returns the address in remote as Parse reads it, or "" if there is none.
func Host(remote string) string {
	addr, ok := Parse(remote)
	if !ok {
		return ""
	}
	return addr.String()
}

// Loopback reports whether addr is one by which a machine talks to itself:
// 127.0.0.0/8, also mapped to IPv6, or ::1. The zero Addr is none.
func Loopback(addr netip.Addr) bool { return addr.Unmap().IsLoopback() }
