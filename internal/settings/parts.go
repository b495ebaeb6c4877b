package settings

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/faults"
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
	Default(&s.Cookie.Name, cookies.HostPrefix+"ginauth")
	Default(&s.Cookie.Path, "/")
	Default(&s.Cookie.SameSite, http.SameSiteLaxMode)
}

// ThrottleDefaults fills in the default limits.
func ThrottleDefaults(t *config.Throttle) {
	Default(&t.AccountAddress, config.Limit{Attempts: 5, Per: time.Minute})
	Default(&t.Address, config.Limit{Attempts: 30, Per: time.Minute})
	Default(&t.Account, config.Limit{Attempts: 50, Per: 15 * time.Minute})
	Default(&t.Device, config.Limit{Attempts: 10, Per: 15 * time.Minute})
}

// TokenDefaults fills in the defaults of refresh tokens and personal access tokens.
func TokenDefaults(r *config.Refresh, p *config.PersonalTokens) {
	Default(&r.IdleTimeout, 7*24*time.Hour)
	Default(&r.AbsoluteTimeout, 30*24*time.Hour)
	Default(&r.Grace, Grace)
	r.Grace = max(r.Grace, 0)
	Default(&r.Rotations, config.Limit{Attempts: 60, Per: time.Hour})
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
	})
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
}

// Pages checks the paths of pages, and what comes before them.
func Pages(f *faults.List, p *config.Pages, base string) {
	Paths(f, map[string]string{
		"Pages.Login": p.Login, "Pages.Home": p.Home, "Pages.VerifyEmail": p.VerifyEmail,
		"Pages.ConfirmPassword": p.ConfirmPassword, "BasePath": base,
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
	return p.Login != "" || p.ConfirmPassword != "" || p.VerifyEmail != "" || p.Error != nil
}

// Cookie returns the attributes that all cookies share.
func Cookie(c *config.Cookie) cookies.Config {
	return cookies.Config{Name: c.Name, Path: c.Path, Domain: c.Domain, SameSite: c.SameSite, Insecure: c.InsecureAllowHTTP}
}

// Limits returns the limits as the engine has them.
func Limits(t *config.Throttle) throttle.Limits {
	return throttle.Limits{
		AccountAddress: throttle.Limit(t.AccountAddress), Address: throttle.Limit(t.Address),
		Account: throttle.Limit(t.Account), Device: throttle.Limit(t.Device), Disabled: t.InsecureDisable,
	}
}
