package settings

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/internal/throttle"
)

// Grace is for how long a token that was replaced is answered with its successor again.
const Grace = 10 * time.Second

// Default sets a field that is zero.
func Default[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// SessionDefaults fills in the defaults of sessions and their cookie.
func SessionDefaults(s *config.Session) {
	Default(&s.IdleTimeout, 2*time.Hour)
	Default(&s.AbsoluteTimeout, 24*time.Hour)
	Default(&s.TouchInterval, min(time.Minute, s.IdleTimeout/10))
	Default(&s.PruneInterval, 10*time.Minute)
	if !s.DisableMaxPerUser {
		Default(&s.MaxPerUser, 100)
	}
	Default(&s.Cookie.Name, cookies.DefaultName)
	Default(&s.Cookie.Path, "/")
	Default(&s.Cookie.SameSite, http.SameSiteLaxMode)
	Default(&s.WatchInterval, 15*time.Second)
	s.Cookie.Domain = cookies.Domain(s.Cookie.Domain)
}

// ThrottleDefaults fills in the default limits.
func ThrottleDefaults(t *config.Throttle) {
	Default(&t.AccountAddress, config.Limit{Attempts: 5, Per: time.Minute})
	Default(&t.Address, config.Limit{Attempts: 30, Per: time.Minute})
	Default(&t.Account, config.Limit{Attempts: 50, Per: 15 * time.Minute})
	Default(&t.Device, config.Limit{Attempts: 10, Per: 15 * time.Minute})
	Default(&t.Passwords, config.Limit(throttle.Limit(t.Address).Times(10)))
	Default(&t.Network, config.Limit(throttle.Limit(t.Address).Times(20)))
	Default(&t.Register, config.Limit{Attempts: 100, Per: 15 * time.Minute})
}

// TokenDefaults fills in the defaults of refresh tokens and personal access tokens.
func TokenDefaults(r *config.Refresh, p *config.PersonalTokens) {
	Default(&r.IdleTimeout, 7*24*time.Hour)
	Default(&r.AbsoluteTimeout, 30*24*time.Hour)
	Default(&r.Grace, Grace)
	r.Grace = max(r.Grace, 0)
	Default(&r.Rotations, config.Limit{Attempts: 60, Per: time.Hour})
	Default(&r.MaxPerUser, 100)
	Default(&p.MaxPerUser, 100)
	Default(&p.Prefix, "gat")
	Default(&p.Lifetime, 365*24*time.Hour)
}

// MailDefaults fills in the defaults of mails.
func MailDefaults(m *config.Mail, log *slog.Logger) {
	Default(&m.VerifyPath, "/verify-email")
	Default(&m.ResetPath, "/reset-password")
	Default(&m.ForgotPath, "/forgot-password")
	Default(&m.ConfirmPath, "/confirm-email")
	if base, err := url.Parse(m.BaseURL); err == nil {
		Default(&m.AppName, base.Hostname())
	}
	Default(&m.Queue.Logger, log)
}

// Session checks the settings of sessions and their cookie.
func Session(f *faults.List, s *config.Session) {
	f.AtLeast(0, map[string]time.Duration{
		"Session.IdleTimeout": s.IdleTimeout, "Session.AbsoluteTimeout": s.AbsoluteTimeout,
		"Session.TouchInterval": s.TouchInterval, "Session.Cookie.MaxAge": s.Cookie.MaxAge,
		"Session.WatchInterval": s.WatchInterval,
	})
	if max := s.Cookie.MaxAge; max > 0 && max < s.AbsoluteTimeout {
		// The cookie is not sent again at each use, because a response that arrives late would
		// overwrite the cookie of a parallel login.
		f.Add("Session.Cookie.MaxAge", "%v is shorter than AbsoluteTimeout, %v: browsers would delete the cookie of a session in use; "+
			"write %v or more, or 0 for a cookie that ends with the browser. IdleTimeout ends sessions that are not used",
			max, s.AbsoluteTimeout, s.AbsoluteTimeout)
	}
	if s.TouchInterval >= s.IdleTimeout && s.IdleTimeout > 0 {
		f.Add("Session.TouchInterval", "%v is not shorter than IdleTimeout, %v: a session in use would end",
			s.TouchInterval, s.IdleTimeout)
	}
	switch {
	case s.MaxPerUser < 0:
		f.Add("Session.MaxPerUser", "%d is negative: set Session.DisableMaxPerUser to allow any number", s.MaxPerUser)
	case s.DisableMaxPerUser && s.MaxPerUser > 0:
		f.Add("Session.MaxPerUser", "is %d, and Session.DisableMaxPerUser allows any number: set one of the two", s.MaxPerUser)
	}
	cookie := Cookie(&s.Cookie)
	cookie.Check(f)
}

// Throttle checks the limits.
func Throttle(f *faults.List, t *config.Throttle) {
	limits := Limits(t)
	limits.CheckLimits("Throttle.", f)
	if err := throttle.Limit(t.Register).Check(); err != nil {
		f.Add("Throttle.Register", "%v", err)
	}
}

// TrustedProxies returns how the address of a client is found behind proxies, or nil if
// none are named. Another says that the application finds it by a function of its own.
func TrustedProxies(f *faults.List, texts []string, another bool) *clientaddr.Proxies {
	if len(texts) == 0 {
		return nil
	}
	if another {
		f.Add("TrustedProxies", "is set beside ClientIP: only one of them can say what a client's IP address is")
	}
	proxies, err := clientaddr.NewProxies(texts)
	if err != nil {
		f.Add("TrustedProxies", "%v", err)
	}
	return proxies
}

// Pages checks the paths of pages, and what comes before them.
func Pages(f *faults.List, p *config.Pages, base string) {
	Paths(f, map[string]string{
		"Pages.Login": p.Login, "Pages.Home": p.Home, "Pages.VerifyEmail": p.VerifyEmail,
		"Pages.ConfirmPassword": p.ConfirmPassword, "Pages.SecondFactor": p.SecondFactor, "Pages.EnrolFactor": p.EnrolFactor,
		"BasePath": base,
	})
	if strings.HasSuffix(base, "/") || strings.Contains(base, "?") {
		f.Add("BasePath", "%q is not like \"/app\": it ends without a slash and has no query", base)
	}
	Prefixes(f, "Pages.APIPrefixes", p.APIPrefixes)
}

// OutsideBase reports whether links that begin with a URL lead outside the base path.
func OutsideBase(baseURL, basePath string) bool {
	u, err := url.Parse(baseURL)
	return baseURL != "" && err == nil && strings.TrimSuffix(u.Path, "/") != basePath
}

// HasPages reports whether any page is named.
func HasPages(p *config.Pages) bool {
	return p.Login != "" || p.ConfirmPassword != "" || p.SecondFactor != "" || p.EnrolFactor != "" || p.VerifyEmail != "" || p.Error != nil
}

// Cookie returns the attributes that all cookies share.
func Cookie(c *config.Cookie) cookies.Config {
	return cookies.Config{Name: c.Name, Path: c.Path, Domain: c.Domain, SameSite: c.SameSite,
		Insecure: c.InsecureAllowHTTP, Partitioned: c.Partitioned}
}

// Limits returns the limits as the engine has them.
func Limits(t *config.Throttle) throttle.Limits {
	return throttle.Limits{
		AccountAddress: throttle.Limit(t.AccountAddress), Address: throttle.Limit(t.Address),
		Account: throttle.Limit(t.Account), Device: throttle.Limit(t.Device),
		Passwords: throttle.Limit(t.Passwords), Network: throttle.Limit(t.Network), Disabled: t.InsecureDisable,
	}
}

// Limiter returns the configuration of the engine that counts attempts.
func Limiter(t *config.Throttle, ring *keys.Ring) throttle.Config {
	return throttle.Config{
		Limits: Limits(t), Keys: ring.Derive("throttle"), Accounts: ring.Derive("event account"),
		Devices: seal.New(ring.Derive("known device")),
	}
}
