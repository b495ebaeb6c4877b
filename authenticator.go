package ginauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/gintree"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/models"
)

// Authenticator is the handle of one request: it tells who the user is, and logs users in and out. StartSession and
// Auth put it on the gin.Context under "auth"; From returns it. It belongs to one guard: the default guard, or the
// guard by which Auth found the user. Guard returns the handle for another guard.
//
// An Authenticator is safe for concurrent use while the request runs. Do not use it afterwards. Its methods take
// c.Request.Context(), not the gin.Context itself.
//
// Errors wrap ErrUnavailable if a store or the user provider failed. Methods that return no error (Check, Guest, Can,
// Cannot, ViaRemember) then return false, and the response becomes 503 whatever the handler writes.
type Authenticator struct {
	x *requestState
	// guard is nil for the default guard. The guard of the request's own handle changes.
	guard atomic.Pointer[guardEntry]
}

func newAuthenticator(x *requestState, g *guardEntry) *Authenticator {
	a := &Authenticator{x: x}
	a.guard.Store(g)
	return a
}

// Format writes the type's name: an Authenticator leads to secrets.
func (*Authenticator) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("ginauth.Authenticator")) }

// From returns the request's Authenticator. It panics if neither StartSession nor Auth ran before.
func From(c *gin.Context) *Authenticator { return gintree.Must[*Authenticator](c, contextAuth) }

// UserAs returns the request's user as the application's own type, as in UserAs[*models.User](c). It returns false if
// the request has no user, if the user is of another type, or if the user could not be loaded.
func UserAs[U models.Authenticatable](c *gin.Context) (U, bool) {
	var none U
	x, ok := stateOf(c)
	if !ok {
		return none, false
	}
	u, err := x.auth.User(x.Context())
	if err != nil {
		x.Fail(err)
		return none, false
	}
	typed, ok := u.(U)
	return typed, ok
}

// Request returns the HTTP request.
func (a *Authenticator) Request() *http.Request { return a.x.HTTP }

// Session returns the request's session, or nil if StartSession did not run.
func (a *Authenticator) Session() *Session {
	if !a.x.Started {
		return nil
	}
	return &a.x.session
}

// GuardName returns the name of the guard that a belongs to.
func (a *Authenticator) GuardName() string { return a.current().name }

// Guard returns the handle of the same request for another guard. It panics if there is no guard of that name.
func (a *Authenticator) Guard(name string) *Authenticator {
	return newAuthenticator(a.x, a.x.m.mustGuard(name))
}

// Use makes the guard of that name the request's guard: From, the gate and later middlewares then use it. It panics
// if there is no guard of that name.
func (a *Authenticator) Use(name string) { a.use(a.x.m.mustGuard(name)) }

func (a *Authenticator) use(g *guardEntry) { a.x.auth.guard.Store(g) }

// current returns the guard of a.
func (a *Authenticator) current() *guardEntry {
	if g := a.guard.Load(); g != nil {
		return g
	}
	return a.x.m.defaultGuard
}

// User returns the request's user, or nil if the request is anonymous. The guard is asked once in a request.
func (a *Authenticator) User(ctx context.Context) (models.Authenticatable, error) {
	g := a.current()
	if r, ok := a.x.results.Get(g); ok {
		r = r.shown(a.x)
		return r.user, r.err
	}
	return a.identify(ctx, g)
}

// identify asks the guard for the request's user and records the result.
func (a *Authenticator) identify(ctx context.Context, g *guardEntry) (models.Authenticatable, error) {
	ctx, span := a.x.Span(ctx)
	defer span.End()
	id, err := g.Identify(ctx, a)
	u := g.usable(id.User)
	if err != nil {
		u = nil
		if !hasStatus(err) {
			err = autherr.Unavailable("authenticate", err) // an unknown failure is not an anonymous request
		}
	}
	r := authResult{user: u, err: err, mustEnrol: id.mustEnrol}
	if u != nil {
		r.token = id.Token
	}
	a.x.results.Put(g, r)
	return r.shown(a.x).user, err
}

// hasStatus reports whether a guard's error has a status of its own.
func hasStatus(err error) bool {
	return slices.ContainsFunc([]error{ErrUnavailable, ErrConflict, ErrSessionEnded, ErrThrottled, errNoSession, ErrConfig},
		func(known error) bool { return errors.Is(err, known) })
}

// ID returns the identifier of the request's user, or "" if the request is anonymous.
func (a *Authenticator) ID(ctx context.Context) (string, error) {
	u, err := a.User(ctx)
	if err != nil || u == nil {
		return "", err
	}
	return u.AuthID(), nil
}

// Check reports whether the request has a user.
func (a *Authenticator) Check(ctx context.Context) bool {
	u, err := a.User(ctx)
	a.x.Fail(err)
	return err == nil && u != nil
}

// Guest reports whether the request is anonymous. It is false if that could not be found out.
func (a *Authenticator) Guest(ctx context.Context) bool {
	u, err := a.User(ctx)
	a.x.Fail(err)
	return err == nil && u == nil
}

// Token returns the token that authenticated the request, or nil if there was none. The error is that of User.
func (a *Authenticator) Token(ctx context.Context) (*TokenInfo, error) {
	if _, err := a.User(ctx); err != nil {
		return nil, err
	}
	r, _ := a.x.results.Get(a.current())
	return r.shown(a.x).token, nil
}

// ViaRemember reports whether a remember-me cookie, and not a password, began the login of the request's session.
func (a *Authenticator) ViaRemember(ctx context.Context) bool {
	login, _, err := a.ownLogin(ctx)
	a.x.Fail(err)
	return login.Remembered
}

// Watch returns a context that ends with ctx and when the request's login ends: by a logout, a revocation, a timeout of
// the session or the expiry of the token. Use it for WebSockets and server-sent events, which outlive what User found
// out. The login is looked at every Session.WatchInterval, which does not count as its use. The context also ends if
// that fails four times in a row; context.Cause tells why. A user that Once or Basic set has no login.
func (a *Authenticator) Watch(ctx context.Context) context.Context {
	id, err := a.ID(ctx)
	if err == nil && id == "" {
		err = ErrUnauthenticated
	}
	x, g := a.x, a.current()
	return x.m.env.Background.Watch(ctx, x.m.cfg.Session.WatchInterval, err, func(ctx context.Context) error {
		now := &requestState{m: x.m}
		now.Follow(ctx, &x.State)
		now.session.s.Follow(ctx, &now.State, &x.session.s)
		now.auth.x = now
		if again, err := newAuthenticator(now, g).ID(ctx); err != nil || again == id {
			return err
		}
		return ErrSessionEnded
	})
}

// ownLogin returns the login of the request's user in the session, if there is one.
func (a *Authenticator) ownLogin(ctx context.Context) (l session.Login, ok bool, err error) {
	g := a.current()
	if _, ok := g.Guard.(*sessionGuard); !ok || !a.x.Started {
		return session.Login{}, false, nil
	}
	u, err := a.User(ctx)
	if err != nil || u == nil {
		return session.Login{}, false, err
	}
	l, ok, err = a.x.session.s.Login(ctx, g.name)
	if err != nil || !ok || l.UserID != u.AuthID() {
		return session.Login{}, false, err // Once or Basic set another user
	}
	return l, true, nil
}

// ownUser returns the request's user for what only the person may do. It refuses a request by a personal access
// token, which was made for a program.
func (a *Authenticator) ownUser(ctx context.Context) (models.Authenticatable, error) {
	u, err := a.User(ctx)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, a.x.unauthenticated(ctx, a.current())
	}
	if token, err := a.Token(ctx); err != nil || (token != nil && token.Scoped) {
		return nil, errors.Join(ErrForbidden, err)
	}
	return u, nil
}

// Can reports whether the request's user has an ability, on the resource if one is given. See Gate.
func (a *Authenticator) Can(ctx context.Context, ability string, resource ...any) bool {
	return a.gate().Allows(ctx, ability, resource...)
}

// Cannot is the opposite of Can.
func (a *Authenticator) Cannot(ctx context.Context, ability string, resource ...any) bool {
	return !a.Can(ctx, ability, resource...)
}

// Authorize returns nil if the request's user has the ability, and otherwise an error for Abort.
func (a *Authenticator) Authorize(ctx context.Context, ability string, resource ...any) error {
	// A handler may ask about any number of resources, and its rules do the application's work. Each call has the
	// limit of its own, outside the budget.
	ctx, cancel := context.WithTimeout(ctx, a.x.m.cfg.StoreTimeout)
	defer cancel()
	return a.gate().Authorize(ctx, ability, resource...)
}
