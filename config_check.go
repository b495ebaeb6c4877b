package ginauth

import (
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/internal/tokens"
)

// Defaults of Config that more than one place needs.
const (
	defaultGuard = "web"
	defaultGrace = 10 * time.Second
)

// withDefaults returns a copy of c with defaults in place of zero values. Faulty values stay, for check to find.
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
	if !c.JWT.SigningKey.key.IsSet() {
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
	if c.DefaultGuard == "" {
		c.DefaultGuard = defaultGuard
		if names := slices.Collect(maps.Keys(c.Guards)); len(names) == 1 {
			c.DefaultGuard = names[0]
		}
	}
}

// check finds the faults that a Config shows by itself. Keys, hashing, guards and features report theirs when they
// are made.
func (c *Config) check(f *faults.List) {
	f.AtLeast(0, map[string]time.Duration{
		"StoreTimeout": c.StoreTimeout, "Session.IdleTimeout": c.Session.IdleTimeout,
		"Session.AbsoluteTimeout": c.Session.AbsoluteTimeout, "Session.TouchInterval": c.Session.TouchInterval,
		"Session.Cookie.MaxAge": c.Session.Cookie.MaxAge, "EventQueue": time.Duration(c.EventQueue),
	})
	if c.Session.TouchInterval >= c.Session.IdleTimeout && c.Session.IdleTimeout > 0 {
		f.Add("Session.TouchInterval", "%v is not shorter than IdleTimeout, %v: a session in use would end",
			c.Session.TouchInterval, c.Session.IdleTimeout)
	}
	settings.Stores(f, c.Stores)
	settings.Paths(f, map[string]string{
		"Pages.Login": c.Pages.Login, "Pages.Home": c.Pages.Home, "Pages.VerifyEmail": c.Pages.VerifyEmail,
		"Pages.ConfirmPassword": c.Pages.ConfirmPassword,
	})
	settings.Prefixes(f, "Pages.APIPrefixes", c.Pages.APIPrefixes)
	cookie, limits, tokens := c.Session.Cookie.attributes(), c.Throttle.limits(), c.tokens()
	cookie.Check(f)
	limits.CheckLimits("Throttle.", f)
	tokens.Check(f)
	accounts := c.accounts()
	accounts.Check(f, c.Mail.Mailer != nil)
	f.AtLeast(time.Second, map[string]time.Duration{"Account.ConfirmLifetime": c.Account.ConfirmLifetime})
	f.AtLeast(time.Minute, map[string]time.Duration{"Account.RememberLifetime": c.Account.RememberLifetime})
}

// attributes returns the attributes that all cookies share.
func (c *CookieConfig) attributes() cookies.Config {
	return cookies.Config{Name: c.Name, Path: c.Path, Domain: c.Domain, SameSite: c.SameSite, Insecure: c.InsecureAllowHTTP}
}

// limits returns the limits as the engine has them.
func (c *ThrottleConfig) limits() throttle.Limits {
	return throttle.Limits{
		AccountAddress: throttle.Limit(c.AccountAddress), Address: throttle.Limit(c.Address),
		Account: throttle.Limit(c.Account), Device: throttle.Limit(c.Device), Disabled: c.InsecureDisable,
	}
}

// tokens returns the configuration of the engine of tokens, without keys.
func (c *Config) tokens() tokens.Config {
	return tokens.Config{
		Issuer: c.JWT.Issuer, Audience: c.JWT.Audience, Lifetime: c.JWT.Lifetime, Leeway: c.JWT.Leeway,
		Claims: c.JWT.Claims, IgnoreRevocationOutage: c.JWT.InsecureIgnoreRevocationOutage,
		RefreshIdle: c.Refresh.IdleTimeout, RefreshAbsolute: c.Refresh.AbsoluteTimeout,
		RefreshGrace: c.Refresh.Grace, RememberGrace: defaultGrace,
		PersonalPrefix: c.PersonalTokens.Prefix, PersonalLifetime: c.PersonalTokens.Lifetime, MaxPersonal: maxPersonalTokens,
	}
}

// accounts returns the configuration of the engine of accounts, without keys.
func (c *Config) accounts() accounts.Config {
	return accounts.Config{
		HideAccountExistence: c.Account.HideAccountExistence, Prepare: c.Account.prepare(),
		VerifyLifetime: c.Account.VerifyLifetime, ResetLifetime: c.Account.ResetLifetime,
		MailPerMinute: c.Account.MailPerMinute, MailPerHour: c.Account.MailPerHour,
		Mail: accounts.MailConfig{
			BaseURL: c.Mail.BaseURL, AppName: c.Mail.AppName, Language: c.Mail.Language, VerifyPath: c.Mail.VerifyPath,
			ResetPath: c.Mail.ResetPath, ForgotPath: c.Mail.ForgotPath, ConfirmPath: c.Mail.ConfirmPath,
		},
	}
}
