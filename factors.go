package ginauth

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/pending"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
)

// What logins are proved by, and what they lead to; see package factor for the fields.
type (
	// Credentials are what a client claims.
	Credentials = factor.Credentials
	// LoginResult is what a login led to.
	LoginResult = factor.Result
	// Challenge is a second factor that a feature adds to every login, see Setup.Challenge.
	Challenge = factor.Challenge
	// PendingLogin is a login that waits for a second factor.
	PendingLogin = factor.Pending
)

// decide says for every door whether a login is complete. It returns the factors of which one is missing, or none.
func (a *Authenticator) decide(ctx context.Context, p *proof) ([]string, error) {
	if err := a.check(ctx, p); err != nil || p.request.proofs.Complete() {
		return nil, err
	}
	missing, mustEnrol, err := a.x.m.pending.Missing(ctx, &a.x.State, a.by(), p.request.User, p.request.trust, p.once)
	p.request.mustEnrol = mustEnrol
	return missing, err
}

// AllowEnrolment lets a login that must enrol a second factor, see Config.Factors, be the user of requests to a route. Put
// it before Auth, on routes that enrol a factor, confirm the password or log out, and do nothing else.
func (m *Manager) AllowEnrolment() gin.HandlerFunc {
	return func(c *gin.Context) {
		m.handle(c, func(x *requestState) error { x.AllowEnrolling(); return nil })
	}
}

// Factors returns the second factors that a user of the guard has. The error wraps ErrUnavailable.
func (a *Authenticator) Factors(ctx context.Context, u models.Authenticatable) ([]string, error) {
	return a.x.m.pending.Factors(ctx, &a.x.State, a.current().realm, u)
}

// by returns the guard of a as the engine of pending logins takes it.
func (a *Authenticator) by() pending.Guard {
	g := a.current()
	_, sessions := g.Guard.(*sessionGuard)
	return pending.Guard{Name: g.name, Realm: g.realm, Sessions: sessions}
}

// suspend keeps a login until one of the factors is proved.
func (a *Authenticator) suspend(ctx context.Context, p *proof, factors []string) (*LoginResult, error) {
	g, m := a.current(), a.x.m
	l := pending.Login{User: p.request.User, By: a.by(), Facts: pending.Facts{
		Confirmed: p.request.Confirmed, Remember: p.request.Remember, Recalled: p.request.remembered,
		First: p.request.proofs.First,
	}}
	sess, err := a.sessionOf(g)
	if err != nil {
		return nil, err
	}
	if p.password != nil {
		p.password.Rehash(ctx)
		receipt := p.password.Attempt.Receipt()
		l.Attempt = &receipt
	}
	ctx, span := a.x.Span(ctx)
	defer span.End()
	token, err := m.pending.Begin(ctx, sess, l)
	if err != nil {
		return nil, err
	}
	a.x.Emit(events.LoginPending{Meta: a.x.Meta(g.name, l.User.AuthID()), Factors: factors})
	return &LoginResult{Pending: m.pending.Show(token, factors, pending.Lifetime)}, nil
}

// sessionOf returns the session that logins by a guard are kept in, or nil.
func (a *Authenticator) sessionOf(g *guardEntry) (*session.Session, error) {
	if _, ok := g.Guard.(*sessionGuard); !ok {
		return nil, nil
	}
	if !a.x.Started {
		return nil, errNoSession
	}
	return &a.x.session.s, nil
}

// PendingLogin returns the pending login of the request's session, without its token, or nil. The error wraps ErrUnavailable.
func (a *Authenticator) PendingLogin(ctx context.Context) (*PendingLogin, error) {
	f, err := a.findPending(ctx, "")
	if err != nil {
		return nil, pending.IgnoreMissing(err)
	}
	factors, err := a.Guard(f.By.Name).Factors(ctx, f.User)
	return a.x.m.pending.Show("", factors, f.Expires.Sub(a.x.Now())), err
}

func (a *Authenticator) findPending(ctx context.Context, token string) (*pending.Found, error) {
	var sess *session.Session
	if a.x.Started {
		sess = &a.x.session.s
	}
	ctx, span := a.x.Span(ctx)
	defer span.End()
	return a.x.m.pending.Find(ctx, sess, token)
}

// AnswerChallenge completes a pending login, that of the session if the token is "". Prove reports whether the client
// proved the factor of that name; it is called once the guess is counted: 5 for a pending login, and 10 for a user
// within 15 minutes, over all factors. The errors are ErrInvalidToken if there is no such pending login, ErrInvalidCode
// if the answer is not right, *ThrottledError, ErrUnavailable, and those of Login. See factor.TrustDevice for an option.
func (a *Authenticator) AnswerChallenge(
	ctx context.Context, token, name string, prove factor.Prove, options ...factor.AnswerOption,
) (*LoginResult, error) {
	m := a.x.m
	f, err := a.findPending(ctx, token)
	if err != nil {
		return nil, err
	}
	at := a.Guard(f.By.Name)
	factors, err := at.Factors(ctx, f.User)
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(factors, name):
		return nil, &InputError{Field: "factor", Reason: "is not one of the pending login's"}
	}
	if err := m.pending.Prove(ctx, &a.x.State, f.By, f.User, name, f.Name(), prove); err != nil {
		return nil, err
	}
	ctx, span := a.x.Span(context.WithoutCancel(ctx)) // the answer is used up
	defer span.End()
	trust, err := m.pending.TrustIf(ctx, &a.x.State, f, options)
	if err == nil {
		err = m.pending.Use(ctx, f)
	}
	if err != nil {
		return nil, err
	}
	res, err := at.completePending(ctx, f, factor.ProofOf(m.features.challenges, name, a.x.Now()))
	if err == nil {
		m.pending.HandTrust(&a.x.State, f.By, trust, res)
	}
	return res, err
}

// EndOtherLogins ends all logins of the request's user but this one, for a feature that changed what secures the account, after
// a fresh proof. Proved names the factor that was enrolled, and so proved, just now. The errors are those of LogoutOtherDevices.
func (a *Authenticator) EndOtherLogins(ctx context.Context, proved ...string) (*LoginResult, error) {
	u, err := a.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := a.x.m.accounts.EndOthers(ctx, &a.x.State, a.account(u))
	if err != nil {
		return nil, err
	}
	return a.continueLogin(ctx, changed, func(p *factor.Proofs) {
		for _, name := range proved {
			p.Second = factor.ProofOf(a.x.m.features.challenges, name, a.x.Now())
		}
	})
}

// StillSame returns ErrSessionEnded if the request's user has another security stamp by now, or is disabled or gone. A feature
// asks after it has stored something for the user, and deletes it then. The other errors are those of LogoutOtherDevices.
func (a *Authenticator) StillSame(ctx context.Context) error {
	ctx, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	u, err := a.ownUser(ctx)
	if err == nil {
		err = a.current().realm.StillSame(ctx, u)
	}
	return err
}

// TellFactor sends the user a mail of the kind mail.FactorChanged, if there is a Mailer. What is one of its constants.
func (a *Authenticator) TellFactor(ctx context.Context, u models.Authenticatable, what string) {
	a.x.m.mails.TellFactor(ctx, &a.x.State, u, what)
}

// OneTime returns links and codes that are sent to the guard's users, for features that log users in by them.
func (a *Authenticator) OneTime() factor.OneTime {
	g := a.current()
	return a.x.m.accounts.OneTime(&a.x.State, g.realm, g.name, a.User)
}

// Tell sends the user a mail of a kind that needs no link, such as mail.AccountDeleted, if there is a Mailer.
func (a *Authenticator) Tell(ctx context.Context, u models.Authenticatable, kind string) {
	a.x.m.mails.Tell(ctx, &a.x.State, u, kind)
}

// Owner returns the name of a user of the guard in stores.
func (a *Authenticator) Owner(u models.Authenticatable) string {
	return a.current().realm.Owner(u.AuthID())
}

// Owner returns the name of a guard's user in stores. It panics if there is no guard of the name.
func (m *Manager) Owner(guard, userID string) string { return m.mustGuard(guard).realm.Owner(userID) }

// suspendRecalled keeps a login that a remember-me cookie began, if the session does not, and returns ErrSecondFactor.
func (a *Authenticator) suspendRecalled(ctx context.Context, p *proof) error {
	f, err := a.findPending(ctx, "")
	if err == nil && f.Is(a.GuardName(), p.request.User) {
		return ErrSecondFactor
	}
	if err = pending.IgnoreMissing(err); err != nil {
		return err
	}
	factors, err := a.Factors(ctx, p.request.User)
	if err == nil {
		_, err = a.suspend(ctx, p, factors)
	}
	return cmp.Or(err, ErrSecondFactor)
}

// completePending makes the login of a pending login that was used up. The handle is that of its guard.
func (a *Authenticator) completePending(ctx context.Context, f *pending.Found, second factor.Proof) (*LoginResult, error) {
	sess, err := a.sessionOf(a.current())
	if err != nil {
		return nil, err
	}
	if err := a.x.m.pending.Forget(sess); err != nil {
		return nil, err
	}
	p := &proof{request: LoginRequest{User: f.User, Confirmed: f.Confirmed, Remember: f.Remember, proofs: f.Proofs()}}
	p.request.proofs.Second = second
	if f.Recalled {
		p.guard = a.GuardName()
		a.x.Suspend(p) // for the door of remembered devices, which is asked again
		u, err := a.identify(ctx, a.current())
		if err == nil && u == nil {
			err = ErrInvalidToken
		}
		return &LoginResult{User: u}, err
	}
	if f.Attempt != nil {
		p.password = a.x.m.accounts.Resume(&a.x.State, a.current().realm, a.current().name, f.User, *f.Attempt)
	}
	return a.logIn(ctx, p)
}

// proofs returns what the request's login was proved by, then and later; for an access token later only, unless atLogin is set.
func (a *Authenticator) proofs(ctx context.Context, u models.Authenticatable, atLogin bool) (factor.Proofs, error) {
	token, err := a.Token(ctx)
	if err != nil || token == nil || token.family == "" {
		login, _, loginErr := a.ownLogin(ctx)
		return login.Proofs(), cmp.Or(err, loginErr)
	}
	var first factor.Proof
	if atLogin {
		first = tokens.Proved(token.claims)
	}
	return a.x.m.tokens.Proofs(ctx, a.Owner(u), token.family, first, len(a.x.m.features.challenges) > 0)
}

// Authentication returns what the request's user has proved, at the login or later. Its Level is 0 for an anonymous
// request and for a personal access token, which proves nothing about a person. The error wraps ErrUnavailable.
func (a *Authenticator) Authentication(ctx context.Context) (factor.Authentication, error) {
	u, err := a.User(ctx)
	if err != nil || u == nil {
		return factor.Authentication{}, err
	}
	if token, err := a.Token(ctx); err != nil || token != nil && token.family == "" {
		return factor.Authentication{}, err
	}
	proofs, err := a.proofs(ctx, u, true)
	return proofs.Authentication(), err
}

// MayChangeFactors returns nil if the user's login may add, replace or remove a factor: within the last 15 minutes it was
// proved by two factors, or by one if the user has no second one. Otherwise it returns an *autherr.StepUpError. A trusted
// device proves one. The other errors are ErrUnauthenticated, ErrForbidden and ErrUnavailable.
func (a *Authenticator) MayChangeFactors(ctx context.Context) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	factors, err := a.Factors(ctx, u)
	proofs, proofsErr := a.proofs(ctx, u, true)
	if err != nil || proofsErr != nil {
		return cmp.Or(err, proofsErr)
	}
	return proofs.Authentication().Meets(factor.LevelOf(factors), factor.Fresh, a.x.Now())
}

// RequireLevel requires that the user has proved a level: LevelOne by the password, what ProvedBy named or a second factor,
// LevelTwo by two factors, and not longer ago than within, unless that is 0. Put it after Auth. It responds with 401 to anonymous
// requests, otherwise with 403 and the code step_up_required, with the challenge of RFC 9470 for bearer tokens, or
// redirects browsers to Pages.SecondFactor.
func (m *Manager) RequireLevel(level factor.Level, within time.Duration) gin.HandlerFunc {
	return m.requireUser(func(ctx context.Context, x *requestState, _ models.Authenticatable) error {
		return x.auth.proved(ctx, level, within)
	})
}

// proved returns nil if the request's user has proved a level within a time, and otherwise an *autherr.StepUpError.
func (a *Authenticator) proved(ctx context.Context, level factor.Level, within time.Duration) error {
	t, err := a.Token(ctx)
	if err == nil && t != nil && t.family != "" && tokens.Proved(t.claims).Meets(level, within, a.x.Now()) {
		return nil // whatever was proved later
	}
	all, err := a.Authentication(ctx)
	return cmp.Or(err, all.Meets(level, within, a.x.Now()))
}

// ConfirmFactor asks the request's user for a second factor again, as AnswerChallenge does at a login, and records it
// for RequireLevel: in the session, which gets a new id, or for the login of an access token. The errors are those of
// AnswerChallenge, ErrUnauthenticated and ErrForbidden.
func (a *Authenticator) ConfirmFactor(ctx context.Context, name string, prove factor.Prove) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	t, _ := a.Token(ctx) // known since ownUser
	m, g := a.x.m, a.current()
	if t == nil {
		if _, loggedIn, err := a.ownLogin(ctx); err != nil || !loggedIn {
			return cmp.Or(err, error(ErrForbidden))
		}
	}
	if err := m.pending.Prove(ctx, &a.x.State, a.by(), u, name, "", prove); err != nil {
		return err
	}
	second := factor.ProofOf(m.features.challenges, name, a.x.Now())
	if t != nil {
		return m.tokens.ConfirmSecond(ctx, a.Owner(u), t.family, second.Methods)
	}
	return a.x.session.s.ConfirmSecond(ctx, g.name, u.AuthID(), second)
}
