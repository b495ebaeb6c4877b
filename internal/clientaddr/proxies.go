package clientaddr

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

const (
	// maxHops is how many proxies a request may have passed. It bounds the work for
	// a header of many entries, of which only the last ones are read.
	maxHops = 32
	// maxForwarded is the longest Forwarded header that is read, in bytes. It has to
	// be read from its beginning, because a quoted string may contain commas.
	maxForwarded = 8 * 1024 // 8 KiB
	// unixPeer names the peers that have no address.
	unixPeer = "unix"
	// unknownClient is where clients are counted whose headers cannot be read, if the
	// peer has no address either. Otherwise they would not be counted at all.
	unknownClient = "0.0.0.0"
)

// Proxies are the addresses of proxies whose headers are believed. The zero Proxies
// believes none. It is safe for concurrent use.
type Proxies struct {
	prefixes []netip.Prefix
	unix     bool
}

// NewProxies parses prefixes such as "10.0.0.0/8", addresses, and "unix", which stands
// for peers on a Unix socket.
func NewProxies(texts []string) (*Proxies, error) {
	p := new(Proxies)
	for _, text := range texts {
		if text == unixPeer {
			p.unix = true
			continue
		}
		prefix, err := parsePrefix(text)
		if err != nil {
			return nil, err
		}
		p.prefixes = append(p.prefixes, prefix)
	}
	return p, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	none := netip.Prefix{}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return none, fmt.Errorf("%.64q is neither an address nor a prefix such as 10.0.0.0/8", text)
	}
	if prefix.Masked() != prefix {
		return none, fmt.Errorf("%v has bits behind the prefix: %v is meant, or a single address", prefix, prefix.Masked())
	}
	if prefix.Bits() == 0 {
		return none, fmt.Errorf("%v trusts every peer: addresses would be what clients claim", prefix)
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		return netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96), nil
	}
	return prefix, nil
}

func (p *Proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p.prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Client returns the text that the address of a request's client is read from, as
// Prefix accepts it. It is the address of the peer, or, if that is a trusted proxy, the
// last address in the Forwarded (RFC 7239) or X-Forwarded-For header that is not one of
// a trusted proxy.
//
// It is the address of the peer as well if the headers cannot be read, contradict each
// other, or name no address, such as "unknown". So a client that sends garbage is
// counted together with others that do, and never under an address of its choice. For a
// peer on a Unix socket it is then 0.0.0.0. No other header is believed.
func (p *Proxies) Client(r *http.Request) string {
	peer, isAddr := Parse(r.RemoteAddr)
	if isAddr && !p.trusts(peer) || !isAddr && !p.unix {
		return r.RemoteAddr
	}
	standard, other := r.Header["Forwarded"], r.Header["X-Forwarded-For"]
	var client netip.Addr
	ok := false
	switch {
	case len(other) > 0:
		client, ok = p.last(listed(other))
		if len(standard) > 0 && ok {
			// A proxy that writes one of them passes the client's other one on. So both
			// have to say the same.
			same, known := p.last(forwarded(standard))
			ok = known && same == client
		}
	case len(standard) > 0:
		client, ok = p.last(forwarded(standard))
	}
	switch {
	case ok:
		return client.String()
	case len(other)+len(standard) > 0 && !isAddr:
		return unknownClient
	}
	return r.RemoteAddr
}

// last returns the address of the last hop that is not a trusted proxy, or of the first
// hop if all are. The hops come in reverse order, and stop before one that cannot be
// read.
func (p *Proxies) last(hops func(func(netip.Addr) bool) bool) (client netip.Addr, ok bool) {
	n, found := 0, false
	whole := hops(func(addr netip.Addr) bool {
		n++
		client = addr
		found = !p.trusts(addr)
		return !found && n < maxHops
	})
	return client, found || whole && n > 0 && n < maxHops
}

// listed reads X-Forwarded-For from its end. It reports whether all entries that were
// asked for could be read.
func listed(lines []string) func(func(netip.Addr) bool) bool {
	return func(yield func(netip.Addr) bool) bool {
		for i := len(lines) - 1; i >= 0; i-- {
			for rest, more := lines[i], true; more; {
				entry := rest
				comma := strings.LastIndexByte(rest, ',')
				if more = comma >= 0; more {
					rest, entry = rest[:comma], rest[comma+1:]
				}
				addr, ok := node(strings.Trim(entry, " \t"))
				if !ok {
					return false
				}
				if !yield(addr) {
					return true
				}
			}
		}
		return true
	}
}

// node parses an address as proxies write it: IPv4, or IPv6 with or without brackets,
// each with or without a port.
func node(text string) (netip.Addr, bool) {
	if len(text) > 64 { // no address is as long
		return netip.Addr{}, false
	}
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		addr, ok := Parse(strings.TrimSuffix(inner, "]"))
		return addr, ok && strings.IndexByte(inner, ':') >= 0 && strings.IndexByte(inner, ']') == len(inner)-1
	}
	return Parse(text)
}
