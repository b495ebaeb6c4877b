// Package remember holds logins in sessions, and the devices that are logged in again
// by a remember-me cookie.
package remember

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
)

// Config configures a Service.
type Config struct {
	// AbsoluteTimeout ends a login, however busy its session is.
	AbsoluteTimeout time.Duration
	// Lifetime is how long a device is remembered.
	Lifetime time.Duration
	// Absolute is how long a device is remembered at most. Each use begins the lifetime
	// again within it.
	Absolute time.Duration
}

// Service identifies users by the login in their session, and remembers devices. It is
// safe for concurrent use.
type Service struct {
	Env      *request.Env
	Sessions *session.Engine
	Tokens   *tokens.Service
	Config   Config
}

// Guard is a guard whose logins are in sessions.
type Guard struct {
	Name  string
	Realm *realm.Realm
	// abilities name the guard in its remember-me tokens: another guard of the same
	// users may check more than this one. The slice is shared and must not be
	// changed.
	abilities []string
}

// NewGuard returns a Guard.
func NewGuard(name string, rm *realm.Realm) Guard {
	return Guard{Name: name, Realm: rm, abilities: []string{name}}
}

// Door is what a login by a remember-me cookie has to pass.
type Door interface {
	// Admit returns how the user logs in, or an error if the user may not log in.
	Admit(ctx context.Context, u models.Authenticatable) (Admission, error)
	// LoggedIn is called after the login.
	LoggedIn(ctx context.Context, u models.Authenticatable, how Admission)
}

// Admission is how a remembered user logs in.
type Admission struct {
	Second    factor.Proof // the second factor that was proved in this request, or zero
	MustEnrol bool         // the login can do nothing but enrol a second factor
}

// Identify returns the user of the login in the session, or nil. It compares the
// fingerprint of the user's security stamp. If there is no login, a remembered device
// is logged in.
func (s *Service) Identify(ctx context.Context, r *request.State, sess *session.Session, g *Guard, door Door) (models.Authenticatable, error) {
	login, user, found, err := sess.LoginAndUser(ctx, g.Name)
	if err != nil {
		return nil, err
	}
	// Each login has its own end. A login by another guard does not prolong it.
	if found && s.Env.Now().Sub(login.At) >= s.Config.AbsoluteTimeout {
		if err := sess.InvalidateStale(ctx, g.Name); err != nil {
			return nil, err
		}
		found = false
	}
	if found {
		return s.userOf(ctx, sess, g, login, user)
	}
	return s.recall(ctx, r, sess, g, door)
}

// userOf returns the user of a login in the session, and loads the user unless the session came
// with one. A login that has ended is removed.
func (s *Service) userOf(
	ctx context.Context, sess *session.Session, g *Guard, login session.Login, user models.Authenticatable,
) (models.Authenticatable, error) {
	if g.Realm.Users == nil {
		return nil, realm.ErrNoProvider
	}
	if login.Remembered {
		// The series ends when a stolen remember-me cookie was found out.
		switch alive, err := s.Tokens.FamilyLives(ctx, login.Series); {
		case err != nil:
			return nil, err
		case !alive:
			return nil, sess.InvalidateStale(ctx, g.Name)
		}
	}
	if user == nil {
		var err error
		if user, err = g.Realm.ByID(ctx, login.UserID); err != nil {
			return nil, err
		}
	}
	if user == nil {
		return nil, sess.InvalidateStale(ctx, g.Name)
	}
	key, ok := g.Realm.Stamps.Check(stamp.Session, g.Realm.Name, login.UserID, user, login.Fingerprint[:])
	switch {
	case !ok:
		// Everything that was bound to the former stamp has ended.
		return nil, sess.InvalidateStale(ctx, g.Name)
	case realm.Disabled(user):
		return nil, nil
	case key > 0:
		login.Fingerprint = g.Realm.Sum(stamp.Session, user)
		sess.RenewLogin(g.Name, login)
	}
	return user, nil
}

// Login is how a user logs in.
type Login struct {
	Proofs     factor.Proofs // what was proved
	Remember   bool          // the device is to be remembered
	MustEnrol  bool          // the login can do nothing but enrol a second factor
	Remembered bool          // the login goes on from one that a remember-me token began
}

// LogIn logs a user into the session.
func (s *Service) LogIn(
	ctx context.Context, r *request.State, sess *session.Session, g *Guard, u models.Authenticatable, how Login,
) error {
	login := s.newLogin(g, u)
	login.Remembered, login.MustEnrol = how.Remembered, how.MustEnrol
	login.Confirmed, login.First, login.Second = how.Proofs.Password, how.Proofs.First, how.Proofs.Second
	if how.Remember {
		var err error
		if login.Series, err = s.remember(ctx, r, g, u); err != nil {
			return err
		}
	}
	return sess.LogIn(g.Name, login)
}

// newLogin returns a login that begins now.
func (s *Service) newLogin(g *Guard, u models.Authenticatable) session.Login {
	return session.Login{UserID: u.AuthID(), At: s.Env.Now(), Fingerprint: g.Realm.Sum(stamp.Session, u)}
}

// LogOut ends the guard's login and forgets the device.
func (s *Service) LogOut(ctx context.Context, r *request.State, sess *session.Session, g *Guard) error {
	login, _, err := sess.Login(ctx, g.Name)
	if err != nil {
		return err
	}
	if err := sess.MayEnd(); err != nil {
		return err
	}
	// The device comes first, because it could start another session. If it cannot be
	// forgotten, the session that names it is still there for another try.
	if err := s.forget(ctx, r, g, login.Series); err != nil {
		return err
	}
	return sess.LogOut(ctx, g.Name)
}
