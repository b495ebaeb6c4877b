package ginauth

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/internal/tokens"
)

// defaultGuard is the name of the default guard, unless there is only one of another name.
const defaultGuard = "web"

// withDefaults returns a copy of c with defaults in place of zero values. Faulty values stay, for check to find.
func (c Config) withDefaults() Config {
	c.Guards = maps.Clone(c.Guards)
	c.Features = slices.Clone(c.Features)
	c.Pages.APIPrefixes = slices.Clone(c.Pages.APIPrefixes)
	c.JWT.VerifyingKeys = slices.Clone(c.JWT.VerifyingKeys)
	settings.Default(&c.StoreTimeout, time.Second)
	settings.Default(&c.EventQueue, 1024)
	settings.Default(&c.Pages.Home, "/")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	settings.SessionDefaults(&c.Session)
	settings.ThrottleDefaults(&c.Throttle)
	settings.TokenDefaults(&c.Refresh, &c.PersonalTokens)
	settings.MailDefaults(&c.Mail, c.Logger)
	c.setJWTDefaults()
	c.setAccountDefaults()
	c.setGuardDefaults()
	return c
}

func (c *Config) setJWTDefaults() {
	if !c.JWT.SigningKey.IsSet() {
		settings.Default(&c.JWT.Issuer, "ginauth")
		settings.Default(&c.JWT.Audience, c.JWT.Issuer)
	}
	settings.Default(&c.JWT.Lifetime, 15*time.Minute)
	settings.Default(&c.JWT.Leeway, 10*time.Second)
	c.JWT.Leeway = max(c.JWT.Leeway, 0)
}

func (c *Config) setAccountDefaults() {
	settings.Default(&c.Account.VerifyLifetime, time.Hour)
	settings.Default(&c.Account.ResetLifetime, time.Hour)
	settings.Default(&c.Account.ConfirmLifetime, 15*time.Minute)
	settings.Default(&c.Account.RememberLifetime, 30*24*time.Hour)
	settings.Default(&c.Account.RememberAbsoluteTimeout, c.Account.RememberLifetime)
	settings.Default(&c.Account.RememberGrace, settings.Grace)
	settings.Default(&c.Account.MaxRememberedDevices, 30)
	settings.Default(&c.Account.MailPerMinute, 1)
	settings.Default(&c.Account.MailPerHour, 5)
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
	f.AtLeast(0, map[string]time.Duration{"StoreTimeout": c.StoreTimeout, "EventQueue": time.Duration(c.EventQueue)})
	settings.Stores(f, c.Stores)
	settings.Session(f, &c.Session)
	settings.Throttle(f, &c.Throttle)
	settings.Pages(f, &c.Pages, c.BasePath)
	tokens := c.tokens()
	tokens.Check(f)
	accounts := c.accounts()
	accounts.Check(f, c.Mail.Mailer != nil)
	f.AtLeast(time.Second, map[string]time.Duration{"Account.ConfirmLifetime": c.Account.ConfirmLifetime})
	f.AtLeast(time.Minute, map[string]time.Duration{"Account.RememberLifetime": c.Account.RememberLifetime})
	f.AtLeast(c.Account.RememberLifetime, map[string]time.Duration{"Account.RememberAbsoluteTimeout": c.Account.RememberAbsoluteTimeout})
}

// tokens returns the configuration of the engine of tokens, without keys.
func (c *Config) tokens() tokens.Config {
	return tokens.Config{
		Issuer: c.JWT.Issuer, Audiences: append([]string{c.JWT.Audience}, c.JWT.Audiences...), Lifetime: c.JWT.Lifetime, Leeway: c.JWT.Leeway,
		Claims: c.JWT.Claims, IgnoreRevocationOutage: c.JWT.InsecureIgnoreRevocationOutage,
		RefreshIdle: c.Refresh.IdleTimeout, RefreshAbsolute: c.Refresh.AbsoluteTimeout,
		RefreshGrace: c.Refresh.Grace, RememberGrace: max(c.Account.RememberGrace, 0),
		MaxRotations: c.Refresh.Rotations.Attempts, RotationsPer: c.Refresh.Rotations.Per,
		PersonalPrefix: c.PersonalTokens.Prefix, PersonalLifetime: c.PersonalTokens.Lifetime,
		MaxRefresh: c.Refresh.MaxPerUser, MaxRemember: c.Account.MaxRememberedDevices, MaxPersonal: c.PersonalTokens.MaxPerUser,
	}
}

// accounts returns the configuration of the engine of accounts, without keys.
func (c *Config) accounts() accounts.Config {
	return accounts.Config{
		HideAccountExistence: c.Account.HideAccountExistence, Prepare: c.Account.Prepare,
		VerifyLifetime: c.Account.VerifyLifetime, ResetLifetime: c.Account.ResetLifetime,
		MailPerMinute: c.Account.MailPerMinute, MailPerHour: c.Account.MailPerHour,
		Mail: accounts.MailConfig{
			BaseURL: c.Mail.BaseURL, AppName: c.Mail.AppName, Language: c.Mail.Language, VerifyPath: c.Mail.VerifyPath,
			ResetPath: c.Mail.ResetPath, ForgotPath: c.Mail.ForgotPath, ConfirmPath: c.Mail.ConfirmPath,
		},
	}
}
