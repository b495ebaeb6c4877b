package cookies

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Domain returns a cookie's domain in the form that browsers compare: lower case, A-labels, and
// without the leading dot of older standards. A text that is no domain is returned as it is; see
// domainFault.
func Domain(text string) string {
	if domainFault(text) != "" {
		return text
	}
	ascii, _ := idna.Lookup.ToASCII(strings.TrimPrefix(text, "."))
	return ascii
}

// domainFault returns why a text is no domain of a cookie and what to write instead, or "".
func domainFault(text string) string {
	name := strings.TrimPrefix(text, ".")
	host := name
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		return "names a scheme: write only the domain, as in " + quoteDomain(u.Hostname())
	}
	if cut := strings.IndexAny(host, ":/"); cut >= 0 {
		if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err != nil {
			return "names a port or a path: cookies have no ports, and a path is Cookie.Path; write " + quoteDomain(host[:cut])
		}
	}
	switch {
	case strings.Contains(host, "*"):
		return "has a wildcard: a cookie's domain includes all subdomains; write " + quoteDomain(strings.TrimLeft(host, "*."))
	case strings.Contains(host, "_"):
		return "has an underscore, which is in no host name that a browser accepts a domain for; rename the host, or leave Domain empty"
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return "is an address: browsers accept a domain only for names; leave Domain empty"
	}
	ascii, err := idna.Lookup.ToASCII(host)
	switch {
	case err != nil || ascii == "":
		return "is not a domain; write one as in \"example.com\", or leave Domain empty for this host alone"
	case !strings.Contains(strings.TrimSuffix(ascii, "."), "."):
		return "is a single label, for which browsers accept no domain; leave Domain empty"
	case strings.HasSuffix(ascii, "."):
		return "ends with a dot; write " + quoteDomain(strings.TrimSuffix(ascii, "."))
	}
	return ""
}

func quoteDomain(name string) string { return `"` + strings.ToLower(name) + `"` }

// maxParents is how many domains above the host may have a cookie that is cleared.
const maxParents = 4

// scopes returns the domains and paths, other than those of the Config, under which a browser may
// keep another cookie of ours that it sends with a request: of the host and the domains above it,
// of the requested path and those above it.
func (c *Config) scopes(host, path string) [][2]string {
	domains := []string{""}
	for name := strings.ToLower(host); len(domains) <= maxParents && domainFault(name) == ""; {
		domains = append(domains, name)
		_, name, _ = strings.Cut(name, ".")
	}
	if !slices.Contains(domains, c.Domain) {
		domains = append(domains, c.Domain)
	}
	paths := []string{"/"}
	if first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); first != "" && len(first) <= 64 && !strings.ContainsFunc(first, notCookieAttribute) {
		paths = append(paths, "/"+first)
	}
	if !slices.Contains(paths, c.Path) {
		paths = append(paths, c.Path)
	}
	var scopes [][2]string
	for _, d := range domains {
		for _, p := range paths {
			if d != c.Domain || p != c.Path {
				scopes = append(scopes, [2]string{d, p})
			}
		}
	}
	return scopes
}

// like reports whether a scope differs from the Config's in nothing but whether the host is named,
// which older clients do not tell apart (RFC 6265, 5.3).
func (c *Config) like(scope [2]string, host string) bool {
	return scope[1] == c.Path && cmp.Or(scope[0], host) == cmp.Or(c.Domain, host)
}
