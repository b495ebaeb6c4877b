package settings

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"

	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/request"
)

// CrossOrigin returns the check against requests from other sites.
func CrossOrigin(f *faults.List, c *config.CrossOrigin) *request.Origins {
	p := http.NewCrossOriginProtection()
	for _, text := range c.TrustedOrigins {
		origin, err := origin(text)
		if err == nil {
			err = p.AddTrustedOrigin(origin)
		}
		if err != nil {
			f.Add("CrossOrigin.TrustedOrigins", "%q: %v", request.Cut(text, 256), err)
		}
	}
	for _, pattern := range c.InsecureBypassPatterns {
		if err := (&request.Origins{Check: p}).Bypass(pattern); err != nil {
			f.Add("CrossOrigin.InsecureBypassPatterns", "%v", err)
		}
	}
	if c.InsecureDisable {
		return nil
	}
	return &request.Origins{Check: p, Trust: c.TrustOrigin}
}

// defaultPorts are the ports that browsers leave out of an origin.
var defaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}

// origin returns an origin as browsers write it (RFC 6454, 6.2): in lower case, with A-labels and
// without a default port. The error says what to write instead.
func origin(text string) (string, error) {
	switch {
	case strings.Contains(text, "*"):
		return "", fmt.Errorf("has a wildcard: name each origin, or decide in CrossOrigin.TrustOrigin")
	case strings.EqualFold(text, "null"):
		return "", fmt.Errorf("is the origin of every sandboxed page, also of an attacker's: name an origin as in \"https://admin.example\"")
	case !strings.Contains(text, "://"):
		return "", fmt.Errorf("has no scheme: write %q", "https://"+strings.ToLower(text))
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("is not an origin: write one as in \"https://admin.example\"")
	case u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", fmt.Errorf("has more than scheme, host and port: write %q", u.Scheme+"://"+strings.ToLower(u.Host))
	}
	host, err := originHost(u.Hostname())
	if err != nil {
		return "", err
	}
	if port := u.Port(); port != "" && port != defaultPorts[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host, nil
}

// originHost returns a host as it is in an origin.
func originHost(name string) (string, error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Is6() {
			return "[" + addr.String() + "]", nil
		}
		return addr.String(), nil
	}
	name = strings.ToLower(name)
	if name == "" {
		return "", fmt.Errorf("has no host")
	}
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return ascii, nil
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", fmt.Errorf("has no host that a browser would name")
	}
	return name, nil // such as an extension's identifier
}
