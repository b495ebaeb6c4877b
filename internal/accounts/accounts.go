// Package accounts holds what users do with their accounts: registration, proof and
// change of the email address, password change and reset, and the list of devices. It
// is an engine over those of sessions, tokens and limits, and sends the mails.
package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
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
	Prepare                       func(ctx context.Context, u models.Authenticatable, in Registration) error
	VerifyLifetime, ResetLifetime time.Duration
	MailPerMinute, MailPerHour    int
	Mail                          MailConfig
	// VerifyKeys sign the links that prove an address, and EmailSealer seals those
	// that change one.
	VerifyKeys  keys.Subkeys
	EmailSealer stores.Sealer
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
}

// User is the user of a request that a flow is about, with the guard that found it.
type User struct {
	models.Authenticatable
	Realm *realm.Realm
	Guard string
}

// DeleteRevoked removes from the stores what has ended through the user's stamp, so
// that no list shows it. The row of the session that continues is left out. A failure
// is only logged: each of them is refused already.
func (s *Service) DeleteRevoked(ctx context.Context, rm *realm.Realm, userID, exceptRow string) {
	owner := rm.Owner(userID)
	err := errors.Join(
		s.Tokens.RevokeOwner(ctx, owner, stores.Refresh, stores.Remember, stores.Reset),
		s.Sessions.DeleteOf(ctx, owner, exceptRow),
	)
	if err != nil {
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
