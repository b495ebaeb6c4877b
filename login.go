package ginauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/pending"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/models"
)

// LoginRequest is what a guard is asked to make a login of.
type LoginRequest struct {
	// User is the user to log in. It is not nil, has an identifier and is not disabled.
	User models.Authenticatable
	// Confirmed says that the user's password was checked in this request.
	Confirmed bool
	// Remember asks for a login that outlasts the session.
	Remember bool
	// proofs are what was proved.
	proofs factor.Proofs
	// trust is the token of a trusted device, or "".
	trust string
	// mustEnrol says that the login can do nothing but enrol a second factor.
	mustEnrol bool
	// remembered says that the login goes on from one that a remember-me cookie began, and no password was given.
	remembered bool
}

// LoginOption changes a login.
type LoginOption func(*LoginRequest)

// Remember makes a login outlast the browser and the session: the device gets a cookie that logs it in again, for
// Config.Account.RememberLifetime. The cookie is replaced each time it is used. Guards without sessions ignore this option.
func Remember() LoginOption { return func(r *LoginRequest) { r.Remember = true } }

// ProvedBy says what the application or a feature has checked in place of a password, for Login and LoginUsingID; see
// factor.NewProof. A proof of LevelOne, such as a mailed link, makes the login of a user with a second factor pending. One
// of LevelTwo, such as a passkey with user verification, completes it. Authentication tells what was proved, and
// RequireLevel counts it. The other methods ignore this option: what they check is the password.
func ProvedBy(p factor.Proof) LoginOption { return func(r *LoginRequest) { r.proofs.First = p } }

// TrustToken presents the TokenPair.TrustToken of a former login, which skips the second factor. Browsers have a cookie.
func TrustToken(text string) LoginOption { return func(r *LoginRequest) { r.trust = text } }

// CanonicalIdentifier returns the canonical form of an email address or user name: trimmed, NFKC-normalized and
// case-folded. All spellings of one identifier share it. User providers look it up; that of gormstore does. The error
// wraps models.ErrBadIdentifier if the value is empty, longer than 254 bytes, not valid UTF-8, or has spaces or
// invisible characters inside.
func CanonicalIdentifier(value string) (string, error) {
	canonical, err := canon.Identifier(value)
	if err != nil {
		return "", fmt.Errorf("%w: %w", models.ErrBadIdentifier, err)
	}
	return canonical, nil
}

// Attempt logs in the user to whom the credentials belong. The errors, each of which Abort answers with the right status:
//
//   - *InputError: the credentials do not have the right form. Nothing was counted.
//   - *ThrottledError: too many attempts. No password was checked.
//   - ErrInvalidCredentials: no such user, a wrong password, or a user who may not log in. Its time does not tell which.
//   - ErrUnavailable: a store or the user provider failed, or too many passwords are being hashed.
//
// A login gives the session a new id and replaces an outdated password hash. If the user has a second factor, the
// result is pending.
func (a *Authenticator) Attempt(ctx context.Context, credentials Credentials, options ...LoginOption) (*LoginResult, error) {
	return a.AttemptWhen(ctx, credentials, nil, options...)
}

// AttemptWhen is Attempt with a condition, which is asked once the password was found to be right. A user who does
// not meet it gets ErrInvalidCredentials, like a wrong password.
func (a *Authenticator) AttemptWhen(
	ctx context.Context, credentials Credentials, condition func(models.Authenticatable) bool, options ...LoginOption,
) (*LoginResult, error) {
	p, err := a.prove(ctx, credentials, condition)
	if err != nil {
		return nil, err
	}
	defer p.password.Attempt.Done()
	p.apply(options, false)
	return a.logIn(ctx, p)
}

// Once makes the user to whom the credentials belong the user of this request only. The errors are those of Validate.
func (a *Authenticator) Once(ctx context.Context, credentials Credentials) (*LoginResult, error) {
	u, err := a.Validate(ctx, credentials)
	if err != nil {
		return nil, err
	}
	a.x.results.Put(a.current(), authResult{user: u})
	return &LoginResult{User: u}, nil
}

// Validate returns the user to whom the credentials belong, and does not log the user in. It counts as an attempt.
// The errors are those of Attempt, ErrSecondFactor if the user has a second factor, which credentials do not prove, and
// ErrFactorRequired if the user must have one.
func (a *Authenticator) Validate(ctx context.Context, credentials Credentials) (models.Authenticatable, error) {
	p, err := a.prove(ctx, credentials, nil)
	if err != nil {
		return nil, err
	}
	defer p.password.Attempt.Done()
	p.once = true
	if err := a.admit(ctx, p); err != nil {
		return nil, err
	}
	if p.request.mustEnrol {
		return nil, ErrFactorRequired
	}
	return p.request.User, nil
}

// Login logs a user in without asking for a password. A nil user, one without an identifier and a disabled one return
// ErrInvalidCredentials. The other errors are those of the guard, and of the checks of features. If the user has a
// second factor, the result is pending.
func (a *Authenticator) Login(ctx context.Context, u models.Authenticatable, options ...LoginOption) (*LoginResult, error) {
	p := &proof{request: LoginRequest{User: u}}
	p.apply(options, true)
	if err := p.request.proofs.First.Check(a.x.Now()); err != nil {
		return nil, err
	}
	return a.logIn(ctx, p)
}

// LoginUsingID loads a user by the identifier and logs the user in. An unknown identifier returns
// ErrInvalidCredentials. The other errors are those of Login.
func (a *Authenticator) LoginUsingID(ctx context.Context, id string, options ...LoginOption) (*LoginResult, error) {
	ctx, span := a.x.Span(ctx) // one for both
	defer span.End()
	u, err := a.current().realm.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.Login(ctx, u, options...)
}

// proof is what a client has proved before a login.
type proof struct {
	request LoginRequest
	// password is the password that was right, or nil if none was checked.
	password *accounts.Proof
	// once says that the proof leads to no login.
	once bool
	// recalled is the handle for the guard whose remember-me cookie was the first proof, or nil.
	recalled *Authenticator
	guard    string // of the pending login that was completed, or ""
}

// prove checks credentials.
func (a *Authenticator) prove(
	ctx context.Context, credentials Credentials, condition func(models.Authenticatable) bool,
) (*proof, error) {
	g := a.current()
	if g.realm.Users == nil {
		return nil, realm.ErrNoProvider
	}
	proved, err := a.x.m.accounts.Prove(ctx, &a.x.State, g.realm, g.name, credentials, condition, a.x.limits)
	if err != nil {
		return nil, err
	}
	return &proof{request: LoginRequest{
		User: proved.User, Confirmed: true, proofs: factor.Proofs{Password: a.x.Now()},
	}, password: proved}, nil
}

// apply applies options, which decide neither who the user is nor what was proved, but for ProvedBy where it counts.
func (p *proof) apply(options []LoginOption, provedBy bool) {
	proved := p.request
	for _, option := range options {
		option(&p.request)
	}
	if provedBy {
		proved.proofs.First = p.request.proofs.First
	}
	p.restore(proved)
}

// restore undoes changes of who the user is and what was proved.
func (p *proof) restore(proved LoginRequest) {
	p.request.User, p.request.Confirmed, p.request.proofs = proved.User, proved.Confirmed, proved.proofs
}

// admit lets a proof count that leads to no login which could be pending.
func (a *Authenticator) admit(ctx context.Context, p *proof) error {
	switch missing, err := a.decide(ctx, p); {
	case err != nil:
		return err
	case len(missing) > 0:
		return ErrSecondFactor
	}
	return p.succeed(ctx)
}

// succeed ends the attempt, if one was counted.
func (p *proof) succeed(ctx context.Context) error {
	if p.password == nil {
		return nil
	}
	return p.password.Succeed(ctx)
}

// check asks the checks of features whether the user may log in.
func (a *Authenticator) check(ctx context.Context, p *proof) error {
	proved := p.request
	for _, check := range a.x.m.features.before {
		err := check(ctx, a, &p.request)
		p.restore(proved)
		switch {
		case err == nil:
		case p.password != nil && errors.Is(err, ErrInvalidCredentials) && !errors.Is(err, ErrUnavailable):
			return p.password.Refuse(ctx)
		default:
			return err
		}
	}
	return nil
}

// logIn is the one way into an account. Every login by a password, and every login of a user whom the application or
// a feature knows by other means, ends here.
func (a *Authenticator) logIn(ctx context.Context, p *proof) (*LoginResult, error) {
	g, m := a.current(), a.x.m
	u := realm.Present(p.request.User)
	if u == nil || realm.Disabled(u) {
		return nil, ErrInvalidCredentials
	}
	u, err := m.accounts.Stamped(ctx, g.realm, u)
	if err != nil {
		return nil, err
	}
	p.request.User = u
	stateful, ok := g.Guard.(StatefulGuard)
	if !ok {
		return nil, fmt.Errorf("ginauth: guard %q cannot log users in: %w", g.name, errors.ErrUnsupported)
	}
	missing, err := a.decide(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case len(missing) > 0:
		return a.suspend(ctx, p, missing)
	case p.request.mustEnrol && !g.own:
		return nil, ErrFactorRequired // another guard does not know such logins
	}
	if err := p.succeed(ctx); err != nil {
		return nil, err
	}
	ctx, span := a.x.Span(ctx)
	defer span.End()
	res, err := stateful.Login(ctx, a, p.request)
	if err != nil {
		return nil, err
	}
	res.MustEnrol = p.request.mustEnrol
	a.x.results.Put(g, authResult{user: u, err: pending.Enrols(res.MustEnrol)})
	if m.env.Events.Heard() {
		a.x.Emit(events.Login{Meta: a.x.Meta(g.name, u.AuthID())})
	}
	a.afterLogin(ctx, p, res)
	return res, nil
}

func (a *Authenticator) afterLogin(ctx context.Context, p *proof, res *LoginResult) {
	for _, hook := range a.x.m.features.after {
		hook(ctx, a, p, res)
	}
}

// gavePassword adds that the password was given in this request.
func (a *Authenticator) gavePassword(p *factor.Proofs) { p.Password = a.x.Now() }

// continueLogin keeps this login after the user's stamp has changed, and ends all others. Prove changes what it was proved
// by.
func (a *Authenticator) continueLogin(ctx context.Context, changed models.Authenticatable, prove func(*factor.Proofs)) (*LoginResult, error) {
	g := a.current()
	ctx, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	if changed = realm.Present(changed); changed == nil || realm.Disabled(changed) {
		return nil, ErrUnauthenticated
	}
	login, loggedIn, err := a.ownLogin(ctx)
	if err != nil {
		return nil, err
	}
	proofs, err := a.proofs(ctx, changed, true)
	if err != nil {
		return nil, err
	}
	prove(&proofs)
	password := !proofs.Password.IsZero()
	enrol, err := a.x.m.pending.EnrolsStill(ctx, &a.x.State, a.by(), changed, proofs)
	if err != nil {
		return nil, err
	}
	row := ""
	if loggedIn {
		row = a.x.session.s.Row()
	}
	a.x.m.accounts.DeleteRevoked(ctx, g.realm, changed.AuthID(), row)
	res := &LoginResult{User: changed}
	stateful, ok := g.Guard.(StatefulGuard)
	if _, session := g.Guard.(*sessionGuard); ok && (!session || loggedIn) {
		res, err = stateful.Login(ctx, a, LoginRequest{
			User: changed, Confirmed: password, Remember: login.Series != "", proofs: proofs,
			remembered: login.Remembered && !password, mustEnrol: enrol,
		})
		if err != nil {
			return nil, err
		}
	}
	res.MustEnrol = enrol
	a.x.results.Put(g, authResult{user: changed, err: pending.Enrols(enrol)})
	return res, nil
}

// Logout logs the guard's user out. When it returns nil the login has ended, also if the client has disconnected. It
// returns nil if no user is logged in.
func (a *Authenticator) Logout(ctx context.Context) error {
	g := a.current()
	stateful, ok := g.Guard.(StatefulGuard)
	if !ok {
		return fmt.Errorf("ginauth: guard %q cannot log users out: %w", g.name, errors.ErrUnsupported)
	}
	ctx, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	id := a.leavingUser(ctx)
	if err := stateful.Logout(ctx, a); err != nil {
		return err
	}
	a.x.results.Put(g, authResult{})
	a.x.DropIntended()
	e := events.Logout{Meta: a.x.Meta(g.name, id)}
	switch s := a.Session(); {
	case id == "": // nobody was logged in
	case s != nil && s.s.Pending():
		a.x.Emit(e)
	default:
		a.x.m.Dispatch(ctx, e) // the login has ended, whatever the response
	}
	return nil
}

// leavingUser returns the identifier for the event of a logout. A failure to find it must not keep the user logged in.
func (a *Authenticator) leavingUser(ctx context.Context) string {
	g := a.current()
	if _, ok := g.Guard.(*sessionGuard); ok && a.x.Started {
		login, _, _ := a.x.session.s.Login(ctx, g.name) // also while users cannot be loaded
		return login.UserID
	}
	id, _ := a.ID(ctx)
	return id
}

// Refresh consumes a refresh token and returns a new pair of tokens. A client that lost the response may send the
// token again within Config.Refresh.Grace and gets the same refresh token, as long as that is unused. Otherwise a
// token that was used before is considered stolen: the login ends with all its tokens. The errors are
// ErrInvalidToken, ErrUnavailable, and one wrapping errors.ErrUnsupported if the guard has no refresh tokens.
func (a *Authenticator) Refresh(ctx context.Context, refreshToken string) (*LoginResult, error) {
	g := a.current()
	refresher, ok := g.Guard.(Refresher)
	if !ok {
		return nil, fmt.Errorf("ginauth: guard %q has no refresh tokens: %w", g.name, errors.ErrUnsupported)
	}
	ctx, span := a.x.Span(ctx)
	defer span.End()
	return refresher.Refresh(ctx, a, refreshToken)
}
