package cookies

import (
	"net/http"
	"strings"

	"github.com/ginauth/ginauth/internal/faults"
)

// Check adds what is wrong with the configuration of the session cookie.
func (c *Config) Check(f *faults.List) {
	host := strings.HasPrefix(c.Name, HostPrefix)
	switch {
	case !faults.IsToken(c.Name):
		f.Add("Session.Cookie.Name", "%q is not a cookie name (RFC 6265, 4.1.1)", c.Name)
	case host && c.Domain != "":
		f.Add("Session.Cookie.Domain", "a cookie named %s… has no domain", HostPrefix)
	case host && c.Path != "/":
		f.Add("Session.Cookie.Path", "a cookie named %s… has the path /", HostPrefix)
	}
	if c.Insecure && (host || strings.HasPrefix(c.Name, SecurePrefix)) {
		f.Add("Session.Cookie.InsecureAllowHTTP", "a cookie named %q is never sent without TLS", c.Name)
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsFunc(c.Path, notCookieAttribute) {
		f.Add("Session.Cookie.Path", "%q is not a path", c.Path)
	}
	if fault := domainFault(c.Domain); c.Domain != "" && fault != "" {
		f.Add("Session.Cookie.Domain", "%q %s", c.Domain, fault)
	}
	if c.Partitioned && (c.Insecure || c.SameSite != http.SameSiteNoneMode) {
		f.Add("Session.Cookie.Partitioned", "needs a Secure cookie with SameSite None: no other is sent to a page in a frame of another site")
	}
	switch c.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if c.Insecure {
			f.Add("Session.Cookie.SameSite", "None needs a Secure cookie")
		}
	default:
		f.Add("Session.Cookie.SameSite", "%d is not Lax, Strict or None", c.SameSite)
	}
}

// notCookieAttribute reports whether a character cannot be in a cookie's attribute.
func notCookieAttribute(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }
