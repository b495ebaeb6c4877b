package ginauth

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// Defaults of Config that more than one place needs.
const (
	defaultGuard = "web"
	defaultGrace = 10 * time.Second
	maxLeeway    = time.Minute
	maxLinkTime  = 24 * time.Hour
)

// withDefaults returns a copy of c with defaults in place of zero values. Faulty values
// stay, for check to find.
func (c Config) withDefaults() Config {
	c.Guards = maps.Clone(c.Guards)
	c.Features = slices.Clone(c.Features)
	c.Pages.APIPrefixes = slices.Clone(c.Pages.APIPrefixes)
	c.JWT.VerifyingKeys = slices.Clone(c.JWT.VerifyingKeys)
	setDefault(&c.StoreTimeout, time.Second)
	setDefault(&c.EventQueue, 1024)
	setDefault(&c.Pages.Home, "/")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.setSessionDefaults()
	c.setThrottleDefaults()
	c.setTokenDefaults()
	c.setAccountDefaults()
	c.setGuardDefaults()
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) setSessionDefaults() {
	setDefault(&c.Session.IdleTimeout, 2*time.Hour)
	setDefault(&c.Session.AbsoluteTimeout, 24*time.Hour)
	setDefault(&c.Session.TouchInterval, min(time.Minute, c.Session.IdleTimeout/10))
	setDefault(&c.Session.PruneInterval, 10*time.Minute)
	setDefault(&c.Session.Cookie.Name, cookies.HostPrefix+"ginauth")
	setDefault(&c.Session.Cookie.Path, "/")
	setDefault(&c.Session.Cookie.SameSite, http.SameSiteLaxMode)
}

func (c *Config) setThrottleDefaults() {
	setDefault(&c.Throttle.AccountAddress, Limit{5, time.Minute})
	setDefault(&c.Throttle.Address, Limit{30, time.Minute})
	setDefault(&c.Throttle.Account, Limit{50, 15 * time.Minute})
	setDefault(&c.Throttle.Device, Limit{10, 15 * time.Minute})
}

func (c *Config) setTokenDefaults() {
	if c.JWT.SigningKey.unset() {
		setDefault(&c.JWT.Issuer, "ginauth")
		setDefault(&c.JWT.Audience, c.JWT.Issuer)
	}
	setDefault(&c.JWT.Lifetime, 15*time.Minute)
	setDefault(&c.JWT.Leeway, 10*time.Second)
	setDefault(&c.Refresh.IdleTimeout, 7*24*time.Hour)
	setDefault(&c.Refresh.AbsoluteTimeout, 30*24*time.Hour)
	setDefault(&c.Refresh.Grace, defaultGrace)
	setDefault(&c.PersonalTokens.Prefix, "gat")
	setDefault(&c.PersonalTokens.Lifetime, 365*24*time.Hour)
	c.JWT.Leeway, c.Refresh.Grace = max(c.JWT.Leeway, 0), max(c.Refresh.Grace, 0)
}

func (c *Config) setAccountDefaults() {
	setDefault(&c.Account.VerifyLifetime, time.Hour)
	setDefault(&c.Account.ResetLifetime, time.Hour)
	setDefault(&c.Account.ConfirmLifetime, 15*time.Minute)
	setDefault(&c.Account.RememberLifetime, 30*24*time.Hour)
	setDefault(&c.Account.MailPerMinute, 1)
	setDefault(&c.Account.MailPerHour, 5)
	setDefault(&c.Mail.VerifyPath, "/verify-email")
	setDefault(&c.Mail.ResetPath, "/reset-password")
	setDefault(&c.Mail.ForgotPath, "/forgot-password")
	setDefault(&c.Mail.ConfirmPath, "/confirm-email")
	if base, err := url.Parse(c.Mail.BaseURL); err == nil {
		setDefault(&c.Mail.AppName, base.Hostname())
	}
	setDefault(&c.Mail.Queue.Logger, c.Logger)
}

func (c *Config) setGuardDefaults() {
	if len(c.Guards) == 0 {
		c.Guards = map[string]GuardConfig{defaultGuard: {}, "api": {New: JWTGuard}, "token": {New: TokenGuard}}
	}
	if c.DefaultGuard != "" {
		return
	}
	c.DefaultGuard = defaultGuard
	if _, ok := c.Guards[defaultGuard]; !ok && len(c.Guards) == 1 {
		for name := range c.Guards {
			c.DefaultGuard = name
		}
	}
}

// faults collects what is wrong with a Config, so that New reports all of it at once.
type faults []error

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%w: %s: %s", ErrConfig, field, fmt.Sprintf(format, args...)))
}

func (f faults) err() error { return errors.Join(f...) }

// check finds the faults that a Config shows by itself. Keys, hashing, guards and
// features report theirs when they are made.
func (c *Config) check(f *faults) {
	for field, d := range map[string]time.Duration{
		"StoreTimeout": c.StoreTimeout, "Session.IdleTimeout": c.Session.IdleTimeout,
		"Session.AbsoluteTimeout": c.Session.AbsoluteTimeout, "Session.TouchInterval": c.Session.TouchInterval,
	} {
		if d < 0 {
			f.add(field, "%v is negative", d)
		}
	}
	if c.Session.TouchInterval >= c.Session.IdleTimeout && c.Session.IdleTimeout > 0 {
		f.add("Session.TouchInterval", "%v is not shorter than IdleTimeout, %v: a session in use would end",
			c.Session.TouchInterval, c.Session.IdleTimeout)
	}
	if c.EventQueue < 0 {
		f.add("EventQueue", "%d is negative", c.EventQueue)
	}
	if _, ok := c.Guards[c.DefaultGuard]; !ok {
		f.add("DefaultGuard", "no guard is named %q", c.DefaultGuard)
	}
	c.Session.Cookie.check(f)
	c.Throttle.check(f)
	c.Pages.check(f)
	c.checkTokens(f)
	c.checkAccounts(f)
	c.checkMail(f)
	c.checkStores(f)
}

func (c *CookieConfig) check(f *faults) {
	host := strings.HasPrefix(c.Name, cookies.HostPrefix)
	switch {
	case !request.IsToken(c.Name):
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

// notCookieAttribute reports whether a character cannot be in a cookie's attribute.
func notCookieAttribute(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }

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

func (l Limit) check() error { return throttle.Limit(l).Check() }

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

// checkStores refuses a Set with gaps. Memory in place of a forgotten database would lose
// data silently.
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

func (c *Config) checkTokens(f *faults) {
	for field, text := range map[string]string{"JWT.Issuer": c.JWT.Issuer, "JWT.Audience": c.JWT.Audience} {
		// An empty one would check nothing.
		if text == "" {
			f.add(field, "is required with JWT.SigningKey")
		} else if len(text) > 255 {
			f.add(field, "is longer than 255 bytes")
		}
	}
	if c.JWT.Leeway > maxLeeway {
		f.add("JWT.Leeway", "%v is over %v", c.JWT.Leeway, maxLeeway)
	}
	for field, d := range map[string]time.Duration{
		"JWT.Lifetime": c.JWT.Lifetime, "Refresh.IdleTimeout": c.Refresh.IdleTimeout,
		"Refresh.AbsoluteTimeout": c.Refresh.AbsoluteTimeout, "PersonalTokens.Lifetime": c.PersonalTokens.Lifetime,
	} {
		if d < time.Second {
			f.add(field, "%v is under 1 s", d)
		}
	}
	if !validPrefix(c.PersonalTokens.Prefix) {
		f.add("PersonalTokens.Prefix", "%q is not 1 to 16 letters and digits", request.Cut(c.PersonalTokens.Prefix, 32))
	}
}

func validPrefix(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 16
}

func (c *Config) checkAccounts(f *faults) {
	for field, d := range map[string]time.Duration{"Account.VerifyLifetime": c.Account.VerifyLifetime, "Account.ResetLifetime": c.Account.ResetLifetime} {
		if d < time.Minute || d > maxLinkTime {
			f.add(field, "%v is not between 1 min and %v", d, maxLinkTime)
		}
	}
	if d := c.Account.ConfirmLifetime; d < time.Second {
		f.add("Account.ConfirmLifetime", "%v is under 1 s", d)
	}
	if d := c.Account.RememberLifetime; d < time.Minute {
		f.add("Account.RememberLifetime", "%v is under 1 min", d)
	}
	if c.Account.MailPerMinute < 1 || c.Account.MailPerHour < 1 {
		f.add("Account", "MailPerMinute and MailPerHour are at least 1")
	}
	if c.Account.HideAccountExistence && c.Mail.Mailer == nil {
		f.add("Account.HideAccountExistence", "needs a Mail.Mailer: the owner of a taken address hears of it by mail")
	}
}

func (c *Config) checkMail(f *faults) {
	if c.Mail.Mailer == nil {
		return
	}
	if err := checkBaseURL(c.Mail.BaseURL); err != nil {
		f.add("Mail.BaseURL", "%v", err)
	}
	for field, path := range map[string]string{
		"Mail.VerifyPath": c.Mail.VerifyPath, "Mail.ResetPath": c.Mail.ResetPath,
		"Mail.ForgotPath": c.Mail.ForgotPath, "Mail.ConfirmPath": c.Mail.ConfirmPath,
	} {
		if clean, ok := redirect.Clean(path); !ok || clean != path || strings.ContainsAny(path, "?#") {
			f.add(field, "%q is not a path on this site", path)
		}
	}
}

// checkBaseURL refuses a text that links cannot be made of. Links are never made of a
// request's Host header: its sender would choose where a user's secret goes.
func checkBaseURL(text string) error {
	base, err := url.Parse(text)
	switch {
	case text == "":
		return fmt.Errorf("is required with a Mailer: links are made of it")
	case err != nil, base.Scheme != "https" && base.Scheme != "http", base.Host == "",
		base.User != nil, base.RawQuery != "", base.Fragment != "", strings.HasSuffix(base.Path, "/"):
		return fmt.Errorf("%q is not of the form https://app.example", request.Cut(text, 128))
	}
	return nil
}

// inMemory reports whether no store outlives the process. ClientSessions store nothing:
// what they seal under a key that was generated for this process opens in no other.
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
		// What this process issues ends with the process, as its stores do.
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

// keySet builds the keys of signed tokens.
func (c *JWTConfig) keySet(ring *keys.Ring, f *faults) *jws.Set {
	var verifying []jws.Key
	signing := c.SigningKey
	if signing.unset() && ring != nil {
		derived := ring.Derive("jwt")
		signing = derivedKey(derived, 0)
		for i := 1; i < derived.Len(); i++ {
			verifying = append(verifying, derivedKey(derived, i).key)
		}
	}
	if signing.err != nil {
		f.add("JWT.SigningKey", "%v", signing.err)
	}
	for i, key := range c.VerifyingKeys {
		if key.err != nil || key.unset() {
			f.add("JWT.VerifyingKeys", "key %d: %v", i, key.fault())
			continue
		}
		verifying = append(verifying, key.key)
	}
	if len(*f) > 0 {
		return nil
	}
	set, err := jws.NewSet(signing.key, verifying...)
	if err != nil {
		f.add("JWT", "%v", err)
	}
	return set
}

// derivedKey returns the key that stands for application key i.
func derivedKey(derived keys.Subkeys, i int) JWTKey {
	mac := derived.MACUnder(i, []byte("kid"))
	return JWTSecret(hex.EncodeToString(mac[:4]), "HS256", derived.Bytes(i))
}

// protection returns the check against requests from other sites.
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
