package settings

import (
	"time"

	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/remember"
	"github.com/ginauth/ginauth/internal/tokens"
)

// JWTDefaults fills in the defaults of signed tokens.
func JWTDefaults(c *config.JWT) {
	if !c.SigningKey.IsSet() {
		Default(&c.Issuer, "ginauth")
		Default(&c.Audience, c.Issuer)
	}
	Default(&c.Lifetime, 15*time.Minute)
	Default(&c.Leeway, 10*time.Second)
	c.Leeway = max(c.Leeway, 0)
}

// AccountDefaults fills in the defaults of accounts.
func AccountDefaults(c *config.Account) {
	Default(&c.VerifyLifetime, time.Hour)
	Default(&c.ResetLifetime, time.Hour)
	Default(&c.ConfirmLifetime, 15*time.Minute)
	Default(&c.RememberLifetime, 30*24*time.Hour)
	Default(&c.RememberAbsoluteTimeout, c.RememberLifetime)
	Default(&c.RememberGrace, Grace)
	Default(&c.MaxRememberedDevices, 30)
	Default(&c.MailPerMinute, 1)
	Default(&c.MailPerHour, 5)
}

// FactorDefaults fills in the defaults of second factors.
func FactorDefaults(c *config.Factors) { Default(&c.TrustLifetime, 30*24*time.Hour) }

// Factors checks who must have a second factor, given whether any feature adds one.
func Factors(f *faults.List, c *config.Factors, any bool) {
	if c.Required != nil && !any {
		f.Add("Factors.Required", "needs a feature with a second factor, which users could enrol")
	}
	if c.Required == nil && c.GraceUntil != nil {
		f.Add("Factors.GraceUntil", "is set without Factors.Required")
	}
	if c.TrustLifetime > 0 {
		f.AtLeast(time.Minute, map[string]time.Duration{"Factors.TrustLifetime": c.TrustLifetime})
	}
}

// Account checks the settings of accounts that their engine does not.
func Account(f *faults.List, c *config.Account) {
	f.AtLeast(time.Second, map[string]time.Duration{"Account.ConfirmLifetime": c.ConfirmLifetime})
	f.AtLeast(time.Minute, map[string]time.Duration{"Account.RememberLifetime": c.RememberLifetime})
	f.AtLeast(c.RememberLifetime, map[string]time.Duration{"Account.RememberAbsoluteTimeout": c.RememberAbsoluteTimeout})
}

// Tokens returns the configuration of the engine of tokens, without keys.
func Tokens(j *config.JWT, r *config.Refresh, p *config.PersonalTokens, a *config.Account) tokens.Config {
	return tokens.Config{
		Issuer: j.Issuer, Audiences: append([]string{j.Audience}, j.Audiences...), Lifetime: j.Lifetime, Leeway: j.Leeway,
		Claims: j.Claims, IgnoreRevocationOutage: j.InsecureIgnoreRevocationOutage,
		RefreshIdle: r.IdleTimeout, RefreshAbsolute: r.AbsoluteTimeout,
		RefreshGrace: r.Grace, RetryUnused: r.RetryUnused, RememberGrace: max(a.RememberGrace, 0),
		MaxRotations: r.Rotations.Attempts, RotationsPer: r.Rotations.Per,
		PersonalPrefix: p.Prefix, PersonalLifetime: p.Lifetime,
		MaxRefresh: r.MaxPerUser, MaxRemember: a.MaxRememberedDevices, MaxPersonal: p.MaxPerUser,
	}
}

// Remember returns the configuration of the engine of remembered devices.
func Remember(s *config.Session, a *config.Account) remember.Config {
	return remember.Config{
		AbsoluteTimeout: s.AbsoluteTimeout, Lifetime: a.RememberLifetime, Absolute: a.RememberAbsoluteTimeout,
	}
}

// Accounts returns the configuration of the engine of accounts, without keys.
func Accounts(a *config.Account, m *config.Mail) accounts.Config {
	return accounts.Config{
		HideAccountExistence: a.HideAccountExistence, Prepare: a.Prepare,
		VerifyLifetime: a.VerifyLifetime, ResetLifetime: a.ResetLifetime,
		MailPerMinute: a.MailPerMinute, MailPerHour: a.MailPerHour,
		Mail: accounts.MailConfig{
			BaseURL: m.BaseURL, AppName: m.AppName, Language: m.Language, VerifyPath: m.VerifyPath,
			ResetPath: m.ResetPath, ForgotPath: m.ForgotPath, ConfirmPath: m.ConfirmPath,
			ResetTokenInQuery: m.ResetTokenInQuery,
		},
	}
}
