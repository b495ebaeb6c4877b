package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// ProvePassword checks the password of a request's user again. It shares the counts of
// the login. A wrong password returns an *autherr.InputError that names the field.
func (s *Service) ProvePassword(ctx context.Context, r *request.State, u User, field, password string, lim *throttle.Limits) error {
	if err := passwords.CheckShape(field, password); err != nil {
		return err
	}
	subject := s.Limiter.UserSubject(r, u.Realm, u.Authenticatable, canonicalEmail(u))
	a, err := s.Limiter.Reserve(ctx, r, u.Guard, subject, lim)
	if err != nil {
		return err
	}
	defer a.Done()
	ok, err := s.Passwords.Matches(passwords.For(ctx, r.Remote), u.Authenticatable, password)
	if errors.Is(err, hashing.ErrBusy) {
		err = errors.Join(err, a.Release(ctx)) // nothing was compared
	}
	if err != nil {
		return err
	}
	if !ok {
		s.Env.Dispatch(ctx, events.Failed{Meta: a.Meta(u.AuthID())})
		return autherr.Invalid(field, "is incorrect")
	}
	return a.Succeed(ctx)
}

// canonicalEmail returns the address that the user can log in with, or "".
func canonicalEmail(u User) string {
	to, ok := mailbox(u.Authenticatable)
	if !ok {
		return ""
	}
	canonical, err := u.Realm.Canonical(emailField, to.Email)
	if err != nil {
		return "" // users log in with another field
	}
	return canonical
}

// ChangePassword stores a new password of the user, who gives the current one, and
// returns the changed user. All logins of the user have ended then.
func (s *Service) ChangePassword(
	ctx context.Context, r *request.State, u User, current, password string, lim *throttle.Limits,
) (models.Authenticatable, error) {
	changer, ok := u.Realm.Users.(models.PasswordChanger)
	if !ok {
		return nil, unsupported("changes no password")
	}
	shape := autherr.AllInput(passwords.CheckShape("current_password", current), passwords.CheckShape("password", password))
	if shape != nil {
		return nil, shape
	}
	if err := s.ProvePassword(ctx, r, u, "current_password", current, lim); err != nil {
		return nil, err
	}
	if err := s.Passwords.CheckNew(ctx, "password", password, words(u.Authenticatable)...); err != nil {
		return nil, err
	}
	hash, err := s.Passwords.Hash(passwords.For(ctx, r.Remote), password)
	if err != nil {
		return nil, err
	}
	ctx, span := r.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err := u.Realm.StillSame(ctx, u.Authenticatable); err != nil {
		return nil, err
	}
	changed, err := changer.ChangePassword(ctx, u.AuthID(), stamp.Value(u.Authenticatable), hash, stamp.Next(u.Authenticatable))
	if err := realm.ChangeError("change password", changed, err); err != nil {
		return nil, err
	}
	s.Mails.send(r.WithClient(ctx), mail.PasswordChanged, changed, s.Mails.clientData(r))
	s.Env.Dispatch(ctx, events.PasswordChanged{Meta: r.Meta(u.Guard, u.AuthID())})
	return changed, nil
}

// ChangeStamp ends all logins of a user, who gives the password, and returns the
// changed user.
func (s *Service) ChangeStamp(ctx context.Context, r *request.State, u User, password string, lim *throttle.Limits) (models.Authenticatable, error) {
	if err := u.Realm.CanChangeStamp(u.Authenticatable); err != nil {
		return nil, err
	}
	if err := s.ProvePassword(ctx, r, u, "password", password, lim); err != nil {
		return nil, err
	}
	return s.EndOthers(ctx, r, u)
}

// EndOthers is ChangeStamp for a user who has proved enough already.
func (s *Service) EndOthers(ctx context.Context, r *request.State, u User) (models.Authenticatable, error) {
	ctx, span := r.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err := u.Realm.StillSame(ctx, u.Authenticatable); err != nil {
		return nil, err
	}
	changed, err := u.Realm.NewStamp(ctx, u.Authenticatable)
	if err == nil {
		s.Env.Dispatch(ctx, events.OtherDeviceLogout{Meta: r.Meta(u.Guard, u.AuthID())})
	}
	return changed, err
}

// Stamped returns a user who can log in. A user without a security stamp, as those of other
// programs are, gets one: to an empty stamp nothing can be bound.
func (s *Service) Stamped(ctx context.Context, rm *realm.Realm, u models.Authenticatable) (models.Authenticatable, error) {
	if stamp.Usable(u) {
		return u, nil
	}
	if rm.Users == nil || rm.CanChangeStamp(u) != nil {
		return nil, fmt.Errorf("%w: user %q has an empty security stamp, which nothing can be bound to, and the provider changes none",
			autherr.ErrConfig, request.Cut(u.AuthID(), 64))
	}
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	changed, err := rm.NewStamp(ctx, u)
	if errors.Is(err, autherr.ErrConflict) { // another login was first
		changed, err = rm.ByID(ctx, u.AuthID())
	}
	if err == nil && (realm.Present(changed) == nil || realm.Disabled(changed) || !stamp.Usable(changed)) {
		err = autherr.ErrInvalidCredentials
	}
	return changed, err
}
