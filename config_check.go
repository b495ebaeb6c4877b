package ginauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// faults collects what is wrong with a Config, so that all of it is reported
// at once.
type faults []error

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%w: %s: %s", ErrConfig, field, fmt.Sprintf(format, args...)))
}

func (f faults) err() error { return errors.Join(f...) }

// check reports every fault that can be seen in a Config by itself. Keys,
// hashing and guards report theirs when they are made.
func (c *Config) check(f *faults) {
	positive := func(field string, d time.Duration) {
		if d < 0 {
			f.add(field, "%v is negative", d)
		}
	}
	positive("StoreTimeout", c.StoreTimeout)
	positive("Session.IdleTimeout", c.Session.IdleTimeout)
	positive("Session.AbsoluteTimeout", c.Session.AbsoluteTimeout)
	positive("Session.TouchInterval", c.Session.TouchInterval)
	if c.Session.TouchInterval >= c.Session.IdleTimeout && c.Session.IdleTimeout > 0 {
		f.add("Session.TouchInterval", "%v is not shorter than IdleTimeout, %v: a session in use would end",
			c.Session.TouchInterval, c.Session.IdleTimeout)
	}
	if c.EventQueue < 0 {
		f.add("EventQueue", "%d is negative", c.EventQueue)
	}
	c.Session.Cookie.check(f)
	c.Throttle.check(f)
	c.Pages.check(f)
	c.checkTokens(f)
	c.checkAccounts(f)
	c.checkStores(f)
	if _, ok := c.Guards[c.DefaultGuard]; !ok {
		f.add("DefaultGuard", "no guard is named %q", c.DefaultGuard)
	}
}

func (c *CookieConfig) check(f *faults) {
	host := strings.HasPrefix(c.Name, cookies.HostPrefix)
	switch {
	case !validToken(c.Name):
		f.add("Session.Cookie.Name", "%q is not a cookie name (RFC 6265, 4.1.1)", c.Name)
	case host && c.Domain != "":
		f.add("Session.Cookie.Domain", "a cookie named %s… has no domain", cookies.HostPrefix)
	case host && c.Path != "/":
		f.add("Session.Cookie.Path", "a cookie named %s… has the path /", cookies.HostPrefix)
	}
	if c.InsecureAllowHTTP && (host || strings.HasPrefix(c.Name, cookies.SecurePrefix)) {
		f.add("Session.Cookie.InsecureAllowHTTP", "a cookie named %q is never sent without TLS", c.Name)
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsFunc(c.Path, notCookieAttribute) {
		f.add("Session.Cookie.Path", "%q is not a path", c.Path)
	}
	if strings.ContainsFunc(c.Domain, notCookieAttribute) {
		f.add("Session.Cookie.Domain", "%q is not a domain", c.Domain)
	}
	if c.MaxAge < 0 {
		f.add("Session.Cookie.MaxAge", "%v is negative", c.MaxAge)
	}
	switch c.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if c.InsecureAllowHTTP {
			f.add("Session.Cookie.SameSite", "None needs a Secure cookie")
		}
	default:
		f.add("Session.Cookie.SameSite", "%d is not Lax, Strict or None", c.SameSite)
	}
}

func (c *ThrottleConfig) check(f *faults) {
	for field, limit := range map[string]Limit{
		"Throttle.AccountAddress": c.AccountAddress, "Throttle.Address": c.Address,
		"Throttle.Account": c.Account, "Throttle.Device": c.Device,
	} {
		if err := limit.check(); err != nil {
			f.add(field, "%v", err)
		}
	}
}

func (l Limit) check() error {
	if l.Attempts < 1 || l.Per < time.Second {
		return fmt.Errorf("%d per %v is not a limit: at least 1 attempt in at least 1 s", l.Attempts, l.Per)
	}
	return nil
}

func (c *PagesConfig) check(f *faults) {
	for field, path := range map[string]string{
		"Pages.Login": c.Login, "Pages.Home": c.Home, "Pages.VerifyEmail": c.VerifyEmail, "Pages.ConfirmPassword": c.ConfirmPassword,
	} {
		if clean, ok := redirect.Clean(path); path != "" && (!ok || clean != path) {
			f.add(field, "%q is not a path on this site", path)
		}
	}
	for _, prefix := range c.APIPrefixes {
		if !strings.HasPrefix(prefix, "/") {
			f.add("Pages.APIPrefixes", "%q does not begin with a slash", prefix)
		}
	}
}

// checkStores refuses a Set with gaps: memory in place of a database that was
// forgotten would lose data without a word.
func (c *Config) checkStores(f *faults) {
	s := c.Stores
	if s == (stores.Set{}) {
		return
	}
	const missing = "is missing beside the others; name one, of package memstore if memory is meant"
	switch {
	case s.Sessions == nil && s.ClientSessions == nil:
		f.add("Stores.Sessions", missing)
	case s.Sessions != nil && s.ClientSessions != nil:
		f.add("Stores.ClientSessions", "is named beside Stores.Sessions: sessions are in a store or in their cookies, so one of the two is nil")
	}
	switch {
	case s.Tokens == nil && s.ClientSessions != nil:
		f.add("Stores.Tokens", "is missing: nothing else remembers that a session in a cookie has ended, and a logout would not hold")
	case s.Tokens == nil:
		f.add("Stores.Tokens", missing)
	}
	if s.Limiter == nil {
		f.add("Stores.Limiter", missing)
	}
}

// inMemory reports whether no store outlives the process. A carrier keeps
// nothing, and what it seals under a key made up for this process opens in no
// other.
func inMemory(s stores.Set) bool {
	_, sessions := s.Sessions.(*memstore.Sessions)
	_, tokens := s.Tokens.(*memstore.Tokens)
	_, limiter := s.Limiter.(*memstore.Limiter)
	return (sessions || s.ClientSessions != nil) && tokens && limiter
}

// ring parses the application's keys.
func (c *Config) ring(memory bool, f *faults) *keys.Ring {
	if c.Key == "" {
		if !memory {
			f.add("Key", "is empty, which is accepted only while all stores are in memory: set one, as NewKey makes")
		}
		if len(c.PreviousKeys) > 0 {
			f.add("PreviousKeys", "are set, and Key is not")
		}
		// What this process issues ends with it, as its stores do.
		generated, err := keys.Parse(keys.Generate())
		if err != nil {
			f.add("Key", "%v", err)
		}
		return keys.NewRing(generated)
	}
	current, err := keys.Parse(string(c.Key))
	if err != nil {
		f.add("Key", "%v", err)
	}
	var previous [][]byte
	for i, key := range c.PreviousKeys {
		old, err := keys.Parse(string(key))
		if err != nil {
			f.add(fmt.Sprintf("PreviousKeys[%d]", i), "%v", err)
			continue
		}
		previous = append(previous, old)
	}
	if len(*f) > 0 {
		return nil
	}
	return keys.NewRing(current, previous...)
}

// validToken reports whether s is a token of RFC 9110, as names of cookies are.
func validToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return textproto.TrimString(s) == s
}

func notCookieAttribute(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }

// protection builds the check against other sites.
func (c *CrossOriginConfig) protection(f *faults) *http.CrossOriginProtection {
	if c.InsecureDisable {
		return nil
	}
	p := http.NewCrossOriginProtection()
	for _, origin := range c.TrustedOrigins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			f.add("CrossOrigin.TrustedOrigins", "%v", err)
		}
	}
	for _, pattern := range c.InsecureBypassPatterns {
		if err := addBypass(p, pattern); err != nil {
			f.add("CrossOrigin.InsecureBypassPatterns", "%v", err)
		}
	}
	return p
}

// addBypass turns the panic of http.ServeMux's patterns into an error.
func addBypass(p *http.CrossOriginProtection, pattern string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%q: %v", pattern, r)
		}
	}()
	p.AddInsecureBypassPattern(pattern)
	return nil
}

// attributes returns how all cookies of the application travel.
func (c *CookieConfig) attributes() cookies.Config {
	return cookies.Config{Name: c.Name, Path: c.Path, Domain: c.Domain, SameSite: c.SameSite, Insecure: c.InsecureAllowHTTP}
}
