package ginauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/useragent"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// ChangePassword stores a new password for the request's user, who has to give
// the current one; that is counted as a login is. This login goes on under a new
// id, or with the tokens in the result; all others end, and so do remembered
// devices and personal access tokens made to end with the password. A request
// that brings the user itself, as by HTTP Basic, begins no login. The errors
// are *InputError, *ThrottledError, ErrUnauthenticated, ErrForbidden for a
// request by a personal access token, ErrSessionEnded if the login ended while
// the request came in, ErrConflict if another change of the user was first,
// ErrUnavailable, and one wrapping errors.ErrUnsupported if the provider changes
// no passwords.
func (a *Authenticator) ChangePassword(ctx context.Context, current, password string) (*LoginResult, error) {
	u, err := a.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	g := a.current()
	changer, ok := g.users.(models.PasswordChanger)
	if !ok {
		return nil, fmt.Errorf("ginauth: the user provider changes no password: %w", errors.ErrUnsupported)
	}
	if err := checkPassword("password", password); err != nil {
		return nil, err
	}
	if err := a.provePassword(ctx, u, "current_password", current); err != nil {
		return nil, err
	}
	if err := a.x.m.checkNewPassword(ctx, "password", password, words(u)...); err != nil {
		return nil, err
	}
	hash, err := a.x.m.hasher.Hash(ctx, password)
	if err != nil {
		return nil, hashingError(err)
	}
	phase, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err := a.stillSame(phase, u); err != nil {
		return nil, err
	}
	_, stamp := stampOf(u)
	changed, err := changer.ChangePassword(phase, u.AuthID(), stamp, hash, rand.Text())
	if err := changeError("change password", changed, err); err != nil {
		return nil, err
	}
	a.x.m.send(ctx, mail.PasswordChanged, changed, mail.Data{URL: a.x.m.resetPage(), Address: a.x.IP(), Device: useragent.Name(a.x.HTTP.UserAgent())})
	a.x.m.Dispatch(ctx, events.PasswordChanged{Meta: a.x.Meta(g.name, u.AuthID())})
	return a.goOnAs(phase, changed, true)
}

// stillSame loads the request's user once more, before something is changed in
// its name: a request that came in slowly must not outlive a reset, a revocation
// or the disabling of the user, who was loaded when it began.
func (a *Authenticator) stillSame(ctx context.Context, u models.Authenticatable) error {
	now, err := a.current().userByID(ctx, u.AuthID())
	if err == nil && (now == nil || disabled(now) || !sameStamp(u, now)) {
		err = ErrSessionEnded
	}
	return err
}

// changeError returns why a user is not changed, by what a provider returned: its
// error, or that another change came first, of which the user as loaded knows
// nothing.
func changeError(doing string, changed models.Authenticatable, err error) error {
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("ginauth: %s: %w", doing, err) // no try will do
	case err != nil:
		return autherr.Unavailable(doing, err)
	case present(changed) == nil:
		return ErrConflict
	}
	return nil
}

// sameStamp reports whether nothing that was issued to a user has ended between
// two loads.
func sameStamp(before, now models.Authenticatable) bool {
	kind, stamp := stampOf(before)
	kindNow, stampNow := stampOf(now)
	return kind == kindNow && subtle.ConstantTimeCompare([]byte(stamp), []byte(stampNow)) == 1
}

// goOnAs keeps this login after the user's stamp has changed, and ends all
// others. Confirmed says that the password was given just now.
func (a *Authenticator) goOnAs(ctx context.Context, changed models.Authenticatable, confirmed bool) (*LoginResult, error) {
	g := a.current()
	if changed = present(changed); changed == nil || disabled(changed) {
		return nil, ErrUnauthenticated
	}
	login, loggedIn, err := a.ownLogin(ctx)
	if err != nil {
		return nil, err
	}
	row := ""
	if loggedIn {
		row = a.x.session.s.Row()
	}
	a.x.m.endAll(ctx, g, changed.AuthID(), row)
	stateful, ok := g.Guard.(StatefulGuard)
	if _, session := g.Guard.(*sessionGuard); !ok || session && !loggedIn {
		a.x.setUser(authResult{guard: g, user: changed})
		return &LoginResult{User: changed}, nil // no login is there to go on
	}
	res, err := stateful.Login(ctx, a, LoginRequest{
		User: changed, Confirmed: confirmed, Remember: login.Series != "",
	})
	if err != nil {
		return nil, err
	}
	a.x.setUser(authResult{guard: g, user: changed})
	return res, nil
}

// provePassword checks a user's own password again. It shares the counts of the
// login.
func (a *Authenticator) provePassword(ctx context.Context, u models.Authenticatable, field, password string) error {
	if err := checkPassword(field, password); err != nil {
		return err
	}
	m, g := a.x.m, a.current()
	s := a.x.subject(g, "id", u.AuthID())
	if to, ok := mailbox(u); ok {
		if canonical, err := canonicalIdentifier(g.users, emailField, to.Email); err == nil {
			s = a.x.subject(g, emailField, canonical)
		}
	}
	if s.device != nil && !m.deviceFits(*s.device, g.realm, u) {
		s.device = nil
	}
	t, err := a.x.take(ctx, g.name, s)
	if err != nil {
		return err
	}
	ok, err := m.checkHash(ctx, u, password)
	if errors.Is(err, hashing.ErrBusy) {
		err = errors.Join(err, t.release(ctx))
	}
	if err != nil {
		return err
	}
	if !ok {
		m.Dispatch(ctx, events.Failed{Meta: a.x.accountMeta(g.name, u.AuthID(), t.subject)})
		return autherr.Invalid(field, "is not right")
	}
	return t.succeed(ctx)
}

// ConfirmPassword checks the password of the request's user once more and notes
// in the session that it was given, for what the ConfirmPassword middleware
// guards. The session gets a new id. A login that is no session, as one by tokens
// or HTTP Basic, cannot be confirmed: the error wraps ErrForbidden and
// errors.ErrUnsupported. The other errors are those of ChangePassword.
func (a *Authenticator) ConfirmPassword(ctx context.Context, password string) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	g, ok := a.current().Guard.(*sessionGuard)
	if !ok || !a.x.started {
		return fmt.Errorf("%w: the login by guard %q is no session to note a password in: %w",
			ErrForbidden, a.current().name, errors.ErrUnsupported)
	}
	if err := a.provePassword(ctx, u, "password", password); err != nil {
		return err
	}
	return a.x.session.s.Confirm(ctx, g.name, u.AuthID(), g.m.env.Now())
}

// PasswordConfirmed returns for how much longer the ConfirmPassword middleware
// lets the request's user pass, or 0 if it does not. The error wraps
// ErrUnavailable.
func (a *Authenticator) PasswordConfirmed(ctx context.Context) (time.Duration, error) {
	login, _, err := a.ownLogin(ctx)
	if err != nil || login.Confirmed.IsZero() {
		return 0, err
	}
	return max(0, a.x.m.cfg.Account.ConfirmLifetime-a.x.m.env.Now().Sub(login.Confirmed)), nil
}

// ConfirmPassword lets only users pass who gave their password within
// Config.Account.ConfirmLifetime, at the login or since. It comes after Auth. A
// session begun by a remember-me cookie, and a login by tokens, has given none.
// Nobody: 401. Otherwise 403 with the code password_confirmation_required, or a
// redirect to Pages.ConfirmPassword for browsers.
func (m *Manager) ConfirmPassword() gin.HandlerFunc {
	return m.mark(kindNeutral, func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			ctx := c.Request.Context()
			u, err := x.auth.User(ctx)
			if err != nil {
				return err
			}
			if u == nil {
				return ErrUnauthenticated
			}
			left, err := x.auth.PasswordConfirmed(ctx)
			if err == nil && left <= 0 {
				err = ErrPasswordConfirmation
			}
			return err
		})
	})
}

// LogoutOtherDevices ends all of the user's logins but this one, remembered
// devices with them, for a user who gives the password. Personal access tokens
// stay, unless made to end with the password. The errors are those of
// ChangePassword.
func (a *Authenticator) LogoutOtherDevices(ctx context.Context, password string) (*LoginResult, error) {
	u, err := a.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	g := a.current()
	if _, err := g.stampChanger(u); err != nil {
		return nil, err
	}
	if err := a.provePassword(ctx, u, "password", password); err != nil {
		return nil, err
	}
	phase, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err := a.stillSame(phase, u); err != nil {
		return nil, err
	}
	changed, err := g.newStamp(phase, u)
	if err != nil {
		return nil, err
	}
	a.x.m.Dispatch(ctx, events.OtherDeviceLogout{Meta: a.x.Meta(g.name, u.AuthID())})
	return a.goOnAs(phase, changed, true)
}

func (m *Manager) resetPage() string {
	if m.mails == nil {
		return ""
	}
	return m.cfg.Mail.BaseURL + m.cfg.Mail.ResetPath
}
