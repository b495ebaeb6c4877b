package ginauth

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/settings"
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
	settings.JWTDefaults(&c.JWT)
	settings.AccountDefaults(&c.Account)
	settings.FactorDefaults(&c.Factors)
	c.setGuardDefaults()
	return c
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

// check finds the faults that a Config shows by itself. Keys, hashing, guards and features report theirs.
func (c *Config) check(f *faults.List) {
	f.AtLeast(0, map[string]time.Duration{"StoreTimeout": c.StoreTimeout, "EventQueue": time.Duration(c.EventQueue)})
	settings.Stores(f, c.Stores)
	settings.Session(f, &c.Session)
	settings.Throttle(f, &c.Throttle)
	settings.Pages(f, &c.Pages, c.BasePath)
	tokens := settings.Tokens(&c.JWT, &c.Refresh, &c.PersonalTokens, &c.Account)
	tokens.Check(f)
	accounts := settings.Accounts(&c.Account, &c.Mail)
	accounts.Check(f, c.Mail.Mailer != nil)
	settings.Account(f, &c.Account)
}
