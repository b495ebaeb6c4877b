// Package accounts holds what users do with their accounts: registration, proof and
// change of the email address, password change and reset, and the list of devices. It
// is an engine over those of sessions, tokens and limits, and sends the mails.
package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// emailField is the identifier that accounts are registered and mailed by.
const emailField = "email"

// Config configures a Service. The root package documents the fields.
type Config struct {
	HideAccountExistence          bool
	Prepare                       func(ctx context.Context, u models.Authenticatable, in config.Registration) error
	VerifyLifetime, ResetLifetime time.Duration
	MailPerMinute, MailPerHour    int
	Mail                          MailConfig
	// VerifyKeys sign the links that prove an address, and EmailSealer seals those
	// that change one.
	VerifyKeys  keys.Subkeys
	EmailSealer stores.Sealer
	// CodeKeys make MACs of one-time codes and what they are bound to, and RequestSealer seals what a
	// client keeps until it has one.
	CodeKeys      keys.Subkeys
	RequestSealer stores.Sealer
}

// WithKeys returns the configuration with keys of a ring.
func (c Config) WithKeys(ring *keys.Ring) Config {
	c.VerifyKeys, c.EmailSealer = ring.Derive("verify email"), seal.New(ring.Derive("email change"))
	c.CodeKeys, c.RequestSealer = ring.Derive("one-time code"), seal.New(ring.Derive("one-time request"))
	return c
}

// maxLinkLifetime is the longest time that a link may work.
const maxLinkLifetime = 24 * time.Hour

// Check adds what is wrong with the configuration. Mailer says that mail can be sent.
func (c *Config) Check(f *faults.List, mailer bool) {
	for field, d := range map[string]time.Duration{"Account.VerifyLifetime": c.VerifyLifetime, "Account.ResetLifetime": c.ResetLifetime} {
		if d < time.Minute || d > maxLinkLifetime {
			f.Add(field, "%v is not between 1 min and %v", d, maxLinkLifetime)
		}
	}
	if c.MailPerMinute < 1 || c.MailPerHour < 1 {
		f.Add("Account", "MailPerMinute and MailPerHour are at least 1")
	}
	if !mailer {
		if c.HideAccountExistence {
			f.Add("Account.HideAccountExistence", "needs a Mail.Mailer: the owner of a taken address is told by mail")
		}
		return
	}
	checkBaseURL(f, "Mail.BaseURL", c.Mail.BaseURL)
	for field, path := range map[string]string{
		"Mail.VerifyPath": c.Mail.VerifyPath, "Mail.ResetPath": c.Mail.ResetPath,
		"Mail.ForgotPath": c.Mail.ForgotPath, "Mail.ConfirmPath": c.Mail.ConfirmPath,
	} {
		if clean, ok := redirect.Clean(path); !ok || clean != path || strings.ContainsAny(path, "?#") {
			f.Add(field, "%q is not a path on this site", path)
		}
	}
}

// Service runs the flows of accounts. It is safe for concurrent use.
type Service struct {
	Env       *request.Env
	Config    Config
	Sessions  *session.Engine
	Tokens    *tokens.Service
	Limiter   *throttle.Limiter
	Passwords *passwords.Service
	Mails     *Mails
	// OnRevoke ends what features issued to a user, or is nil.
	OnRevoke func(ctx context.Context, realm, userID string) error
}

// User is the user of a request that a flow is about, with the guard that found it.
type User struct {
	models.Authenticatable
	Realm *realm.Realm
	Guard string
}

// DeleteRevoked removes from the stores what has ended through the user's stamp, so
// that no list shows it. The row of the session that continues is left out. A failure
// is only logged: each of them is refused already. Reset tokens, which no list shows,
// stay: one that a parallel request has just mailed is bound to a newer stamp.
func (s *Service) DeleteRevoked(ctx context.Context, rm *realm.Realm, userID, exceptRow string) {
	owner := rm.Owner(userID)
	var errTokens, errSessions error
	deadline.Both(func() {
		errTokens = s.Tokens.RevokeOwner(ctx, owner, stores.Refresh, stores.Remember, stores.Trusted)
	}, func() { errSessions = s.Sessions.EndOf(ctx, owner, exceptRow) })
	if err := errors.Join(errTokens, errSessions); err != nil {
		s.Env.Log.WarnContext(ctx, "ginauth: ended logins are still listed", "error", request.Cut(err.Error(), 256))
	}
}

// RevokeTokens ends a user's logins by tokens and personal access tokens.
func (s *Service) RevokeTokens(ctx context.Context, rm *realm.Realm, userID string) error {
	if userID == "" {
		return errors.Join(autherr.ErrInvalidInput, realm.ErrNoUser) // "" owns no token
	}
	ctx, span := s.Env.Span(context.WithoutCancel(ctx))
	defer span.End()
	return s.Tokens.RevokeOwner(ctx, rm.Owner(userID), stores.Refresh, stores.Personal)
}

// RevokeUser ends everything that was issued to a user. It takes effect whatever
// changes the user at the same time.
func (s *Service) RevokeUser(ctx context.Context, rm *realm.Realm, userID string) error {
	if err := rm.CanChangeStamp(nil); err != nil {
		return err
	}
	ctx, span := s.Env.Span(context.WithoutCancel(ctx))
	defer span.End()
	u, err := rm.ByID(ctx, userID)
	if err != nil {
		return err
	}
	if u != nil { // tokens may outlive their user
		// The stamp comes first: a request that makes a token meanwhile looks at it
		// afterwards.
		if _, err := rm.RetryOnConflict(ctx, u, func(now models.Authenticatable) (models.Authenticatable, error) {
			return rm.NewStamp(ctx, now)
		}); err != nil {
			return err
		}
	}
	if err := s.RevokeTokens(ctx, rm, userID); err != nil {
		return err
	}
	s.DeleteRevoked(ctx, rm, userID, "")
	return nil
}

func unsupported(what string) error {
	return fmt.Errorf("ginauth: the user provider %s: %w", what, errors.ErrUnsupported)
}

// checkBaseURL refuses a text that links cannot be made of. Links are never made of a
// request's Host header: its sender would choose where a user's secret goes.
func checkBaseURL(f *faults.List, field, text string) {
	base, err := url.Parse(text)
	switch {
	case text == "":
		f.Add(field, "is required with a Mailer: links are made of it")
	case err != nil, base.Scheme != "https" && base.Scheme != "http", base.Host == "",
		base.User != nil, base.RawQuery != "", base.Fragment != "", strings.HasSuffix(base.Path, "/"):
		f.Add(field, "%.128q is not of the form https://app.example", text)
	}
}
