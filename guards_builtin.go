package ginauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/ginauth/ginauth/internal/pending"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/remember"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
)

var (
	_ StatefulGuard = (*sessionGuard)(nil)
	_ interface {
		StatefulGuard
		Refresher
		Challenger
	} = (*jwtGuard)(nil)
	_ Challenger = (*tokenGuard)(nil)
)

// errNoSession says that StartSession is missing on a route.
var errNoSession = errors.New("ginauth: the session guard needs StartSession before it")

// sessionGuard keeps the login in the session.
type sessionGuard struct {
	m *Manager
	g remember.Guard
}

func newSessionGuard(s GuardSetup) (Guard, error) {
	return &sessionGuard{s.Manager, remember.NewGuard(s.Name, s.users())}, nil
}

// Identify returns the user of the login in the session.
func (g *sessionGuard) Identify(ctx context.Context, a *Authenticator) (Identity, error) {
	s := a.Session()
	if s == nil {
		return Identity{}, errNoSession
	}
	u, err := g.m.remember.Identify(ctx, &a.x.State, &s.s, &g.g, (*rememberDoor)(a))
	id := Identity{User: u}
	if u != nil && g.m.cfg.Factors.Required != nil {
		login, _, loginErr := s.s.Login(ctx, g.g.Name)
		id.mustEnrol, err = login.MustEnrol, cmp.Or(err, loginErr)
	}
	return id, err
}

// rememberDoor asks the checks and runs the hooks of a login by a remember-me cookie.
type rememberDoor Authenticator

// Admit asks whether the login is complete. A cookie proves no second factor: such a login waits until the middleware
// Auth asks for a user. A check that asks for the user is told that there is none yet.
func (d *rememberDoor) Admit(ctx context.Context, u models.Authenticatable) (remember.Admission, error) {
	a := (*Authenticator)(d)
	d.x.results.Put(a.current(), authResult{})
	p := &proof{request: LoginRequest{User: u, Remember: true, remembered: true}, recalled: a}
	if proved, ok := d.x.Suspended().(*proof); ok && proved.guard == a.GuardName() && proved.request.User.AuthID() == u.AuthID() {
		p.request.proofs.Second = proved.request.proofs.Second
	}
	err := a.admit(ctx, p)
	if errors.Is(err, ErrSecondFactor) {
		d.x.Suspend(p)
	}
	return remember.Admission{Second: p.request.proofs.Second, MustEnrol: p.request.mustEnrol}, err
}

// LoggedIn runs the hooks of features.
func (d *rememberDoor) LoggedIn(ctx context.Context, u models.Authenticatable, how remember.Admission) {
	a := (*Authenticator)(d)
	a.x.results.Put(a.current(), authResult{user: u, err: pending.Enrols(how.MustEnrol)})
	a.afterLogin(ctx, &proof{request: LoginRequest{User: u, Remember: true}}, &LoginResult{User: u, MustEnrol: how.MustEnrol})
}

// Login logs the user into the session, which gets a new id.
func (g *sessionGuard) Login(ctx context.Context, a *Authenticator, r LoginRequest) (*LoginResult, error) {
	s := a.Session()
	if s == nil {
		return nil, errNoSession
	}
	how := remember.Login{Proofs: r.proofs, Remember: r.Remember, Remembered: r.remembered, MustEnrol: r.mustEnrol}
	if err := g.m.remember.LogIn(ctx, &a.x.State, &s.s, &g.g, r.User, how); err != nil {
		return nil, err
	}
	return &LoginResult{User: r.User}, nil
}

// Logout ends the session, or this guard's login in it if another guard has one too.
func (g *sessionGuard) Logout(ctx context.Context, a *Authenticator) error {
	s := a.Session()
	if s == nil {
		return errNoSession
	}
	return g.m.remember.LogOut(ctx, &a.x.State, &s.s, &g.g)
}

// JWTGuard makes a guard that reads signed access tokens. A login by it issues an access token and a refresh token.
// Use it as GuardConfig.New.
func JWTGuard(s GuardSetup) (Guard, error) {
	return &jwtGuard{s.Manager, tokens.NewGuard(s.Name, s.users())}, nil
}

// jwtGuard keeps the login in tokens that the client holds.
type jwtGuard struct {
	m *Manager
	g tokens.Guard
}

// Challenge returns the challenge of RFC 6750, 3.
func (g *jwtGuard) Challenge(r *http.Request) string { return request.BearerChallenge(r) }

// Identify returns the user of the request's access token. A request with another kind of token is anonymous.
func (g *jwtGuard) Identify(ctx context.Context, a *Authenticator) (Identity, error) {
	text := a.x.bearer()
	if !tokens.IsSigned(text) {
		return Identity{}, nil
	}
	found := &struct { // one block of memory
		TokenInfo
		tokens.Scratch
	}{}
	u, info, err := g.m.tokens.Access(ctx, &g.g, text, &found.Scratch)
	if err != nil || u == nil {
		return Identity{}, err
	}
	found.TokenInfo = TokenInfo{Kind: tokens.AccessKind, ID: info.ID, claims: info.Claims, family: info.Family}
	return Identity{User: u, Token: &found.TokenInfo, mustEnrol: info.MustEnrol}, nil
}

// Login issues the first pair of a login.
func (g *jwtGuard) Login(ctx context.Context, a *Authenticator, r LoginRequest) (*LoginResult, error) {
	pair, err := g.m.tokens.Issue(ctx, &a.x.State, &g.g, r.User, tokens.Login{Proof: r.proofs.Strongest(), MustEnrol: r.mustEnrol})
	if err != nil {
		return nil, err
	}
	return pairResult(r.User, pair), nil
}

// Refresh consumes a refresh token and issues the next pair.
func (g *jwtGuard) Refresh(ctx context.Context, a *Authenticator, refreshToken string) (*LoginResult, error) {
	u, pair, err := g.m.tokens.Refresh(ctx, &a.x.State, &g.g, refreshToken)
	if err != nil {
		return nil, err
	}
	return pairResult(u, pair), nil
}

// Logout ends the login that the request's access token is of, with all its tokens.
func (g *jwtGuard) Logout(ctx context.Context, a *Authenticator) error {
	return g.m.tokens.LogOut(ctx, a.x.bearer())
}

func pairResult(u models.Authenticatable, p tokens.Pair) *LoginResult {
	both := &struct { // one block of memory for what lives equally long
		LoginResult
		TokenPair
	}{LoginResult{User: u, MustEnrol: p.MustEnrol}, TokenPair{
		AccessToken: p.Access, TokenType: request.Bearer, ExpiresIn: p.ExpiresIn,
		RefreshToken: p.Refresh, RefreshExpiresIn: p.RefreshExpiresIn, MustEnrol: p.MustEnrol,
	}}
	both.Tokens = &both.TokenPair
	return &both.LoginResult
}

// TokenGuard makes a guard that reads personal access tokens. Use it as GuardConfig.New.
func TokenGuard(s GuardSetup) (Guard, error) { return &tokenGuard{s.Manager, s.users()}, nil }

// tokenGuard finds users by personal access tokens.
type tokenGuard struct {
	m     *Manager
	realm *realm.Realm
}

// Challenge returns the challenge of RFC 6750, 3.
func (g *tokenGuard) Challenge(r *http.Request) string { return request.BearerChallenge(r) }

// Identify returns the user of the request's personal access token. A wrong token with a right checksum is counted,
// because it was not mistyped.
func (g *tokenGuard) Identify(ctx context.Context, a *Authenticator) (Identity, error) {
	text := a.x.bearer()
	if !g.m.tokens.LooksPersonal(text) {
		return Identity{}, nil
	}
	u, found, guessed, err := g.m.tokens.Personal(ctx, g.realm, text)
	switch {
	case err != nil:
		return Identity{}, err
	case guessed:
		return Identity{}, g.m.limiter.CountGuess(ctx, &a.x.State, a.x.limits)
	case u == nil:
		return Identity{}, nil
	}
	info := &struct { // one block of memory, unless there are many abilities
		TokenInfo
		abilities [4]string
	}{TokenInfo: TokenInfo{Kind: personalKind, ID: found.ID, Scoped: true}}
	// A copy: the store may keep its slice, and handlers may change this one.
	info.Abilities = append(info.abilities[:0], found.Abilities...)
	return Identity{User: u, Token: &info.TokenInfo}, nil
}
