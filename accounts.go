package ginauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/models"
)

// Register makes an account: it checks the name, the form of the email address and the password, stores the user with
// a hash of the password, and sends a link to verify the address if there is a Mailer. It does not log the user in.
// Of parallel registrations of one address, however it is spelled, exactly one makes a user.
//
// A taken address returns an *InputError. With Config.Account.HideAccountExistence it returns a nil user and no
// error, as for a new user, in the same time.
//
// The errors are *InputError, ErrUnavailable, and one wrapping errors.ErrUnsupported if the provider makes no users
// or their type does not implement models.Registrable. Register panics if there is no guard of the name.
func (m *Manager) Register(ctx context.Context, r Registration) (models.Authenticatable, error) {
	settings.Default(&r.Guard, m.cfg.DefaultGuard)
	return m.accounts.Register(ctx, m.mustGuard(r.Guard).realm, r)
}

// VerificationURL returns the link that proves a user's current email address. It is signed, bound to the user, the address
// and this purpose, and works for Config.Account.VerifyLifetime. The error wraps errors.ErrUnsupported if there is no
// Mailer, or if the user has no address. It panics if there is no guard of the name; the default is the default guard.
func (m *Manager) VerificationURL(u models.Authenticatable, guard ...string) (string, error) {
	return m.accounts.VerificationURL(m.guardOr(guard).realm, u)
}

// VerifyEmail is Authenticator.VerifyEmail for a request whose user and password are not known: only a browser that
// registered keeps its logins, if the context is from EventContext. It returns the user.
func (m *Manager) VerifyEmail(ctx context.Context, link *url.URL, guard ...string) (models.Authenticatable, error) {
	g := m.guardOr(guard)
	done, err := m.accounts.VerifyEmail(ctx, g.realm, g.name, link, accounts.Opener{Request: request.Of(ctx)})
	return done.User, err
}

// VerifyEmail checks a link that VerificationURL made, given as the URL of the request for it, and records that the
// address is the user's. Call it for a POST: mail scanners open links with GET. The link verifies the user it was made
// for, also if another user is logged in. Opening it again returns no error and dispatches no second event.
//
// The account of an unverified address may have been registered by somebody else. Its password and logins continue if
// the client is logged in as the user, registered or logged in with this browser, or gives the password, which may be
// "". Otherwise the password, all logins and all tokens end before the address is verified, VerifyEmail returns true,
// and the user is sent a link to choose a password.
//
// The errors are ErrInvalidLink if the link was changed, has expired or is for an earlier address, *InputError and
// *ThrottledError for a wrong password, ErrUnavailable, and one wrapping errors.ErrUnsupported if the provider
// verifies no addresses.
func (a *Authenticator) VerifyEmail(ctx context.Context, link *url.URL, password string) (ended bool, err error) {
	u, err := a.User(ctx)
	if err != nil {
		return false, err
	}
	g := a.current()
	done, err := a.x.m.accounts.VerifyEmail(a.EventContext(ctx), g.realm, g.name, link,
		accounts.Opener{Request: &a.x.State, User: u, Password: password, Limits: a.x.limits})
	return done.Ended, err
}

// OwnsVerification reports whether VerifyEmail would keep the logins of the link's user without a password. A page that is
// opened with a link may then send the POST by a script. It uses nothing up. The error wraps ErrUnavailable.
func (a *Authenticator) OwnsVerification(ctx context.Context, link *url.URL) (bool, error) {
	u, err := a.User(ctx)
	if err != nil {
		return false, err
	}
	g := a.current()
	return a.x.m.accounts.OwnsLink(a.EventContext(ctx), g.realm, g.name, link, accounts.Opener{Request: &a.x.State, User: u})
}

// ResendVerification sends the link again to the user of an email address, if there is one and it is not verified. Its
// result and its time tell neither. Config.Account limits the mails. The errors are *InputError if the text is no email
// address, ErrUnavailable, and one wrapping errors.ErrUnsupported without a Mailer.
func (m *Manager) ResendVerification(ctx context.Context, email string, guard ...string) error {
	return m.ResendVerificationBy(ctx, "email", email, guard...)
}

// ResendVerificationBy is ResendVerification for a field by which the provider looks users up.
func (m *Manager) ResendVerificationBy(ctx context.Context, field, value string, guard ...string) error {
	return m.accounts.ResendVerification(ctx, m.guardOr(guard).realm, accounts.Identifier{Field: field, Value: value})
}

// Broker resets the passwords of the users of one guard. It is safe for concurrent use.
type Broker struct {
	m *Manager
	g *guardEntry
}

// Broker returns the broker for the users of a guard. It panics if there is no guard of that name.
func (m *Manager) Broker(guard string) *Broker { return &Broker{m, m.mustGuard(guard)} }

// SendResetLink mails a link to choose a new password to the user of an email address. It returns nil, after the same work,
// whether or not there is such a user. The link works once, for Config.Account.ResetLifetime, until a newer one is asked
// for and until the password or the email address changes. The errors are *InputError if the text is no email address,
// ErrUnavailable, and one wrapping errors.ErrUnsupported without a Mailer.
func (b *Broker) SendResetLink(ctx context.Context, email string) error {
	return b.SendResetLinkBy(ctx, "email", email)
}

// SendResetLinkBy is SendResetLink for a field by which the provider looks users up, such as "username".
func (b *Broker) SendResetLinkBy(ctx context.Context, field, value string) error {
	return b.m.accounts.SendResetLink(ctx, b.g.realm, b.g.name, accounts.Identifier{Field: field, Value: value})
}

// TokenExists reports whether a reset token would be accepted, and does not use it. A wrong one counts as a guess.
func (b *Broker) TokenExists(ctx context.Context, email, token string) (bool, error) {
	return b.m.accounts.ResetTokenExists(ctx, b.g.realm, email, token)
}

// Reset stores a new password. All logins of the user end, with remembered devices and with personal access tokens
// made to be revoked by a password change; the user is told by mail. The user is not logged in. A password that is
// not acceptable does not use the token up. The errors are *InputError, also for a wrong token or email address,
// *ThrottledError after too many of those from one IP address, and ErrUnavailable. The right token is never throttled.
//
// The token proves the email address, so it is verified. If it was not verified before, personal access tokens end as
// well, all of them.
func (b *Broker) Reset(ctx context.Context, r PasswordReset) error {
	return b.m.accounts.Reset(ctx, b.g.realm, b.g.name, accounts.PasswordReset(r))
}

// account returns the request's user as the accounts engine takes it.
func (a *Authenticator) account(u models.Authenticatable) accounts.User {
	g := a.current()
	return accounts.User{Authenticatable: u, Realm: g.realm, Guard: g.name}
}

// RequestEmailChange sends a link to a new address of the request's user. The address changes when the link is confirmed.
// If the address belongs to another user it returns nil too, and that user is told. Put the ConfirmPassword middleware
// before it. The errors are *InputError, ErrUnauthenticated, ErrForbidden for a request by a personal access token,
// ErrUnavailable, and one wrapping errors.ErrUnsupported without a Mailer or if the provider changes no addresses.
func (a *Authenticator) RequestEmailChange(ctx context.Context, email string) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	return a.x.m.accounts.RequestEmailChange(ctx, &a.x.State, a.account(u), email)
}

// ConfirmEmail takes the token of a link that RequestEmailChange sent, and makes the address the user's, verified.
// The former address is told. If the request is from that user, its login continues under a new id; all other logins
// end. It does not log the user in. The errors are ErrInvalidLink, an *InputError if the address was taken meanwhile,
// and ErrUnavailable.
func (a *Authenticator) ConfirmEmail(ctx context.Context, token string) error {
	m, g := a.x.m, a.current()
	change, err := m.accounts.OpenEmailChange(a.EventContext(ctx), g.realm, token)
	if err != nil {
		return err
	}
	own, err := a.User(ctx)
	if err != nil {
		return err
	}
	ctx, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	changed, err := m.accounts.ConfirmEmail(ctx, &a.x.State, g.realm, g.name, change)
	if err != nil {
		return err
	}
	if own != nil && own.AuthID() == changed.AuthID() {
		_, err = a.continueLogin(ctx, changed, func(p *factor.Proofs) { p.Password = time.Time{} }) // a link is none
		return err
	}
	m.accounts.DeleteRevoked(ctx, g.realm, changed.AuthID(), "")
	return nil
}

// ChangePassword stores a new password of the request's user, who gives the current one; that counts as an attempt to log
// in. This login continues under a new id, or with the tokens in the result. All others end, with remembered devices and
// with personal access tokens made to be revoked by a password change. A request that carries the password itself, as by
// HTTP Basic, begins no login. The errors are *InputError, *ThrottledError, ErrUnauthenticated, ErrForbidden for a request
// by a personal access token, ErrSessionEnded if the login ended meanwhile, ErrConflict if another change of the user was
// first, ErrUnavailable, and one wrapping errors.ErrUnsupported if the provider changes no passwords.
func (a *Authenticator) ChangePassword(ctx context.Context, current, password string) (*LoginResult, error) {
	u, err := a.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := a.x.m.accounts.ChangePassword(ctx, &a.x.State, a.account(u), current, password, a.x.limits)
	if err != nil {
		return nil, err
	}
	return a.continueLogin(ctx, changed, a.gavePassword)
}

// ConfirmPassword checks the password of the request's user again and records that it was given, for the
// ConfirmPassword middleware: in the session, which gets a new id, or for the login of an access token with all its
// later tokens. Other requests, such as by HTTP Basic, have no login to confirm: the error wraps ErrForbidden and
// errors.ErrUnsupported. The other errors are those of ChangePassword.
func (a *Authenticator) ConfirmPassword(ctx context.Context, password string) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	t, _ := a.Token(ctx) // known since ownUser
	g, byToken := a.current(), t != nil && t.family != ""
	if _, ok := g.Guard.(*sessionGuard); !byToken && (!ok || !a.x.Started) {
		return fmt.Errorf("%w: guard %q found no login to confirm: %w", ErrForbidden, g.name, errors.ErrUnsupported)
	}
	err = a.x.m.accounts.ProvePassword(ctx, &a.x.State, a.account(u), "password", password, a.x.limits)
	switch {
	case err != nil:
		return err
	case byToken:
		return a.x.m.tokens.Confirm(ctx, g.realm.Owner(u.AuthID()), t.family)
	}
	return a.x.session.s.Confirm(ctx, g.name, u.AuthID(), a.x.Now())
}

// PasswordConfirmed returns for how much longer the ConfirmPassword middleware accepts the request's user, or
// 0. The error wraps ErrUnavailable.
func (a *Authenticator) PasswordConfirmed(ctx context.Context) (time.Duration, error) {
	u, err := a.User(ctx)
	if err != nil || u == nil {
		return 0, err
	}
	proofs, err := a.proofs(ctx, u, false)
	last := proofs.Authentication().Last()
	if err != nil || last.IsZero() {
		return 0, err
	}
	return max(0, a.x.m.cfg.Account.ConfirmLifetime-a.x.Now().Sub(last)), nil
}

// requireUser makes a middleware that responds with 401 to anonymous requests and otherwise asks check.
func (m *Manager) requireUser(check func(context.Context, *requestState, models.Authenticatable) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			ctx := c.Request.Context()
			u, err := x.auth.User(ctx)
			if err != nil || u == nil {
				return cmp.Or(err, ErrUnauthenticated)
			}
			return check(ctx, x, u)
		})
	}
}

// ConfirmPassword requires that the user confirmed the password within Config.Account.ConfirmLifetime, at the login or
// later. A second factor and what ProvedBy named are as good. Put it after Auth. A login by a remember-me cookie has not,
// nor has one by tokens until Authenticator.ConfirmPassword or ConfirmFactor. It responds with 401 to anonymous requests,
// otherwise with 403 and password_confirmation_required, or redirects browsers to Pages.ConfirmPassword.
func (m *Manager) ConfirmPassword() gin.HandlerFunc {
	return m.requireUser(func(ctx context.Context, x *requestState, _ models.Authenticatable) error {
		left, err := x.auth.PasswordConfirmed(ctx)
		if err == nil && left <= 0 {
			err = ErrPasswordConfirmation
		}
		return err
	})
}

// EnsureEmailVerified requires that the user's email address is verified. Put it after Auth. It responds with 401 to
// anonymous requests, and with 403, or by redirecting browsers to Pages.VerifyEmail, if the address is not verified
// or the user's type does not implement models.EmailVerifiable.
func (m *Manager) EnsureEmailVerified() gin.HandlerFunc {
	m.usage.VerifiesEmail()
	return m.requireUser(func(_ context.Context, _ *requestState, u models.Authenticatable) error {
		if v, ok := u.(models.EmailVerifiable); !ok || !v.AuthEmailVerified() {
			return ErrEmailNotVerified
		}
		return nil
	})
}

// Capabilities returns what a guard can do. It returns false if there is no guard of that name.
func (m *Manager) Capabilities(guard string) (can Capabilities, ok bool) {
	g, ok := m.guards[guard]
	if !ok {
		return can, false
	}
	can = accounts.Capabilities(g.realm)
	_, can.Sessions = g.Guard.(*sessionGuard)
	_, can.AccessTokens = g.Guard.(*jwtGuard)
	_, can.PersonalTokens = g.Guard.(*tokenGuard)
	for _, f := range m.cfg.Features {
		can.Features = append(can.Features, f.Name())
	}
	return can, true
}

// MailConfig returns the configuration of mails with defaults filled in. Its Mailer is nil if no mail can be sent.
func (m *Manager) MailConfig() MailConfig { return m.cfg.Mail }
