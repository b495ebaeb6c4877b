package ginauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/models"
)

// sessionGuard keeps the login in the session.
type sessionGuard struct {
	tokenUsers
	name string
}

var (
	_ StatefulGuard = (*sessionGuard)(nil)
	_ identifier    = (*sessionGuard)(nil)
)

var errNoSession = errors.New("ginauth: the session guard needs StartSession before it")
var errNoProvider = fmt.Errorf("%w: the guard has no user provider: set Config.Users", ErrConfig)

// Identify reads the login from the session, loads the user and compares the
// fingerprint of the security stamp. A device that is remembered is logged in.
func (g *sessionGuard) Identify(ctx context.Context, a *Authenticator) (*Identity, error) {
	return identityOf(g.identify(ctx, a))
}

func (g *sessionGuard) identify(ctx context.Context, a *Authenticator) (models.Authenticatable, *TokenInfo, error) {
	s := a.Session()
	if s == nil {
		return nil, nil, errNoSession
	}
	login, there, err := s.login(ctx, g.name)
	if err != nil {
		return nil, nil, err
	}
	// Each login has its own end: one by another guard does not prolong it.
	if there && g.m.now().Sub(login.at) >= g.m.cfg.Session.AbsoluteTimeout {
		if err := s.dropDead(ctx, g.name); err != nil {
			return nil, nil, err
		}
		there = false
	}
	var user models.Authenticatable
	if there {
		user, err = g.userOf(ctx, s, login)
	} else {
		user, err = g.recall(ctx, a)
	}
	return user, nil, err
}

// userOf loads the user of a login in the session. A login that has ended is
// dropped.
func (g *sessionGuard) userOf(ctx context.Context, s *Session, login loginRecord) (models.Authenticatable, error) {
	if g.users == nil {
		return nil, errNoProvider
	}
	switch alive, err := g.seriesLives(ctx, login); {
	case err != nil:
		return nil, err
	case !alive:
		return nil, s.dropDead(ctx, g.name)
	}
	user, err := g.users.UserByID(ctx, login.id)
	if err != nil {
		return nil, autherr.Unavailable("load user", err)
	}
	if models.IsNil(user) || user.AuthID() != login.id { // which is not empty
		return nil, s.dropDead(ctx, g.name)
	}
	key, ok := g.m.checkFingerprintOf(login.id, login.fingerprint[:], sessionCredential, g.realm, user)
	switch {
	case !ok:
		// Everything bound to the old stamp ends, this session among it.
		return nil, s.dropDead(ctx, g.name)
	case disabled(user):
		return nil, nil
	case key > 0:
		login.fingerprint = g.m.fingerprint(sessionCredential, g.realm, user)
		err = s.renewLogin(g.name, login)
	}
	return user, err
}

// Login gives the session a new id and notes the user in it.
func (g *sessionGuard) Login(ctx context.Context, a *Authenticator, r LoginRequest) (*LoginResult, error) {
	s, u := a.Session(), r.User
	if s == nil {
		return nil, errNoSession
	}
	record := g.newLogin(u)
	if r.Confirmed {
		record.confirmed = record.at
	}
	if r.Remember {
		var err error
		if record.series, err = g.remember(ctx, a, u); err != nil {
			return nil, err
		}
	}
	if err := s.logIn(g.name, record); err != nil {
		return nil, err
	}
	return &LoginResult{User: u}, nil
}

// Logout ends the session, or this guard's part of it if another guard has a
// user in the same session.
func (g *sessionGuard) Logout(ctx context.Context, a *Authenticator) error {
	s := a.Session()
	if s == nil {
		return errNoSession
	}
	login, _, err := s.login(ctx, g.name)
	if err != nil {
		return err
	}
	if err := s.endable(); err != nil {
		return err
	}
	// What would begin another session comes first: if it cannot be ended, the
	// session that names it is still there for another try.
	if err := g.endSeries(ctx, a, login.series); err != nil {
		return err
	}
	return s.dropLogin(ctx, g.name)
}
