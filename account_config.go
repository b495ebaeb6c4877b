package ginauth

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/passpolicy"
	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// MailConfig configures the mails that account flows send. Without a Mailer
// those flows return an error that wraps errors.ErrUnsupported.
type MailConfig struct {
	// Mailer sends. Package mail/smtp has one for SMTP, mail/filemail and
	// mail/logmail are for development.
	Mailer mail.Mailer
	// BaseURL is where the application is reached, as in "https://app.example":
	// links are made of it and of nothing that a request says. Required with a
	// Mailer.
	BaseURL string
	// AppName is the application's name in mails. Default: BaseURL's host.
	AppName string
	// VerifyPath, ResetPath and ConfirmPath begin the paths of the links to
	// verify an address, choose a new password and confirm a new address.
	// Default "/verify-email", "/reset-password" and "/confirm-email". The second
	// is a page of the application's own, with a form.
	VerifyPath  string
	ResetPath   string
	ConfirmPath string
	// Templates are the texts. Default: English ones.
	Templates *mail.Templates
	// Language returns the language of a user's mails, as in "de". Default: the
	// templates' default.
	Language func(u models.Authenticatable) string
	// Queue configures sending, which happens off the request.
	Queue mail.QueueOptions
	// NotifyNewDevice sends a mail at a login from a device that was not used
	// for the account before.
	NotifyNewDevice bool
}

// PasswordConfig says which new passwords are accepted. There are no rules of
// composition: they make passwords no better (NIST SP 800-63B-4, 3.1.1.2).
type PasswordConfig struct {
	// MinLength is the least length, in characters. Default 15, what NIST SP
	// 800-63B-4 asks for where a password is the only factor. At least 8.
	MinLength int
	// Breached reports whether a password is known to be leaked. Package breach
	// has one that asks a service. It is asked when a password is set, never at
	// login, and if it fails the password is not set: 503.
	Breached func(ctx context.Context, password string) (bool, error)
}

// AccountConfig configures registration and the flows by mail.
type AccountConfig struct {
	// HideAccountExistence answers the registration of an address that is taken as any
	// other, and tells its owner by mail, so that nobody finds out who has an
	// account. Users then log in with a password only once their address is
	// verified; before, the password is refused as a wrong one. It needs a
	// Mailer. The default is an *InputError.
	HideAccountExistence bool
	// Prepare completes a new user before it is stored, from fields that the
	// application has declared itself.
	Prepare func(ctx context.Context, u models.Authenticatable, r Registration) error
	// VerifyLifetime and ResetLifetime are how long links work. Default 60 min
	// each, at most 24 h.
	VerifyLifetime time.Duration
	ResetLifetime  time.Duration
	// ConfirmLifetime is how long a password that was asked for again lets a
	// user do what ConfirmPassword guards. Default 15 min.
	ConfirmLifetime time.Duration
	// RememberLifetime is how long a device is remembered. Default 30 days.
	RememberLifetime time.Duration
	// PerMinute and PerHour limit the mails of one kind to one account. Default
	// 1 per minute and 5 per hour.
	MailPerMinute, MailPerHour int
}

const (
	defaultLinkLifetime     = time.Hour
	maxLinkLifetime         = 24 * time.Hour
	defaultConfirmLifetime  = 15 * time.Minute
	defaultRememberLifetime = 30 * 24 * time.Hour
)

func (c *Config) setAccountDefaults() {
	setDefault(&c.Account.VerifyLifetime, defaultLinkLifetime)
	setDefault(&c.Account.ResetLifetime, defaultLinkLifetime)
	setDefault(&c.Account.ConfirmLifetime, defaultConfirmLifetime)
	setDefault(&c.Account.RememberLifetime, defaultRememberLifetime)
	setDefault(&c.Account.MailPerMinute, 1)
	setDefault(&c.Account.MailPerHour, 5)
	setDefault(&c.Mail.VerifyPath, "/verify-email")
	setDefault(&c.Mail.ResetPath, "/reset-password")
	setDefault(&c.Mail.ConfirmPath, "/confirm-email")
	if base, err := url.Parse(c.Mail.BaseURL); err == nil {
		setDefault(&c.Mail.AppName, base.Hostname())
	}
	setDefault(&c.Mail.Queue.Logger, c.Logger)
}

func (c *Config) checkAccounts(f *faults) {
	for field, d := range map[string]time.Duration{"Account.VerifyLifetime": c.Account.VerifyLifetime, "Account.ResetLifetime": c.Account.ResetLifetime} {
		if d < time.Minute || d > maxLinkLifetime {
			f.add(field, "%v is not between 1 min and %v", d, maxLinkLifetime)
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
	if c.Mail.Mailer == nil {
		return
	}
	if err := checkBaseURL(c.Mail.BaseURL); err != nil {
		f.add("Mail.BaseURL", "%v", err)
	}
	for field, path := range map[string]string{
		"Mail.VerifyPath": c.Mail.VerifyPath, "Mail.ResetPath": c.Mail.ResetPath, "Mail.ConfirmPath": c.Mail.ConfirmPath,
	} {
		if clean, ok := redirect.Clean(path); !ok || clean != path || strings.ContainsAny(path, "?#") {
			f.add(field, "%q is not a path on this site", path)
		}
	}
}

// checkBaseURL refuses what a link cannot be made of. A guess from a request's
// Host would let whoever sends it choose where a user's secret goes.
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

// passwordPolicy builds the rules for new passwords.
func (c *Config) passwordPolicy(f *faults) *passpolicy.Policy {
	p, err := passpolicy.New(passpolicy.Config{MinLength: c.Passwords.MinLength, Breached: c.Passwords.Breached})
	if err != nil {
		f.add("Passwords", "%v", err)
	}
	return p
}
