package clientaddr

import (
	"net/netip"
	"strings"
)

// forwarded reads the Forwarded header (RFC 7239) from its end. It reports whether the
// header is well-formed and all elements that were asked for name an address.
func forwarded(lines []string) func(func(netip.Addr) bool) bool {
	return func(yield func(netip.Addr) bool) bool {
		elements, ok := split(strings.Join(lines, ","), ',')
		if !ok {
			return false
		}
		for i := len(elements) - 1; i >= 0; i-- {
			addr, ok := forwardedFor(elements[i])
			if !ok {
				return false
			}
			if !yield(addr) {
				return true
			}
		}
		return true
	}
}

// split splits a text at a separator that is not in a quoted string. It returns false if
// a quoted string does not end, or the text is too long.
func split(text string, separator byte) (parts []string, ok bool) {
	if len(text) > maxForwarded {
		return nil, false
	}
	begin, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			parts, begin = append(parts, text[begin:i]), i+1
		}
	}
	return append(parts, text[begin:]), !quoted
}

// forwardedFor returns the address of the parameter "for" of an element, which must occur
// once.
func forwardedFor(element string) (addr netip.Addr, ok bool) {
	pairs, ok := split(element, ';')
	if !ok {
		return addr, false
	}
	found := 0
	for _, pair := range pairs {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		found++
		if addr, ok = forwardedNode(value); !ok {
			return addr, false
		}
	}
	return addr, found == 1
}

// forwardedNode parses a node. An address of IPv6 is in brackets, and quoted as is one
// with a port, but proxies exist that do neither. An obfuscated or unknown port does not
// matter.
func forwardedNode(value string) (addr netip.Addr, ok bool) {
	if inner, quoted := strings.CutPrefix(value, `"`); quoted {
		if value, quoted = strings.CutSuffix(inner, `"`); !quoted {
			return addr, false
		}
	}
	if strings.ContainsAny(value, "\"\\ \t") {
		return addr, false // an address needs no escapes
	}
	if host, port, found := strings.Cut(value, ":_"); found && port != "" {
		value = host
	}
	return node(value)
}
