package ginauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
)

// Authenticator is the handle of one request: who it is from, and how to log
// somebody in and out. StartSession and Auth put it on the context under
// "auth"; From returns it. It belongs to one guard, the default one or the one
// by which Auth found the user; Guard returns it for another.
//
// It is safe for concurrent use while the request runs, and not used after it.
// The contexts that its methods take carry deadlines and cancellation, as
// c.Request.Context() does; pass that, not the gin.Context itself.
//
// Errors wrap ErrUnavailable where the answer could not be found out. Methods
// that return none (Check, Guest, Can, Cannot) then say no, and the request is
// answered with 503 whatever its handler writes.
type Authenticator struct {
	x *exchange
	// guard is nil for the default one. That of the request's own handle changes.
	guard atomic.Pointer[namedGuard]
}

func newAuthenticator(x *exchange, g *namedGuard) *Authenticator {
	a := &Authenticator{x: x}
	a.guard.Store(g)
	return a
}

// Format writes the type's name: an Authenticator leads to secrets.
func (*Authenticator) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("ginauth.Authenticator")) }

// From returns the request's Authenticator. It panics if no StartSession or
// Auth ran before, as c.MustGet("auth") does.
func From(c *gin.Context) *Authenticator {
	return c.MustGet(contextAuth).(*Authenticator)
}

// UserAs returns the request's user as the application's own type, as in
// UserAs[*models.User](c). It returns the zero U and false if the request has
// no user, if the user is of another type, or if it could not be loaded.
func UserAs[U models.Authenticatable](c *gin.Context) (U, bool) {
	var none U
	x, ok := exchangeOf(c)
	if !ok {
		return none, false
	}
	u, err := x.auth.User(c.Request.Context())
	if err != nil {
		x.stick(err)
		return none, false
	}
	typed, ok := u.(U)
	return typed, ok
}

// Request returns the HTTP request.
func (a *Authenticator) Request() *http.Request { return a.x.req }

// Session returns the request's session, or nil where StartSession did not run.
func (a *Authenticator) Session() *Session {
	if !a.x.started {
		return nil
	}
	return &a.x.session
}

// EventMeta returns the Meta of an event about this request, for events that
// the application dispatches. The user is the one concerned, or "".
func (a *Authenticator) EventMeta(userID string) events.Meta {
	return a.x.meta(a.current().name, userID)
}

// GuardName returns the name of the guard that a belongs to.
func (a *Authenticator) GuardName() string { return a.current().name }

// Guard returns the handle of the same request for another guard. It panics if
// there is no guard of that name.
func (a *Authenticator) Guard(name string) *Authenticator {
	return newAuthenticator(a.x, a.x.m.mustGuard(name))
}

// Use makes the guard of that name the request's: From, the gate and later
// middlewares then speak of its user. It panics if there is no such guard.
func (a *Authenticator) Use(name string) { a.use(a.x.m.mustGuard(name)) }

func (a *Authenticator) use(g *namedGuard) {
	if own := &a.x.auth; own.current() != g {
		own.guard.Store(g)
	}
}

// handleOf returns a handle of the request for a guard.
func (x *exchange) handleOf(g *namedGuard) *Authenticator {
	if x.auth.current() == g {
		return &x.auth
	}
	return newAuthenticator(x, g)
}

// current returns the guard of a.
func (a *Authenticator) current() *namedGuard {
	if g := a.guard.Load(); g != nil {
		return g
	}
	return a.x.m.defaultGuard
}

// User returns the request's user, or nil if it is from nobody. The guard is
// asked once in a request.
func (a *Authenticator) User(ctx context.Context) (models.Authenticatable, error) {
	g := a.current()
	if answer := a.x.known(g); answer != nil {
		return answer.user, answer.err
	}
	return a.identify(ctx, g)
}

// identify asks the guard g for the request's user and keeps the answer.
func (a *Authenticator) identify(ctx context.Context, g *namedGuard) (models.Authenticatable, error) {
	ctx, span := a.x.phase(ctx)
	defer span.end()
	u, token, err := g.identify(ctx, a)
	if err != nil {
		u, token = nil, nil
		if !hasAnswer(err) {
			// A guard that cannot say who this is has not said that it is nobody.
			err = autherr.Unavailable("authenticate", err)
		}
	}
	a.x.setUser(guardUser{guard: g, user: u, token: token, err: err})
	return u, err
}

// hasAnswer reports whether a guard's error has an answer of its own: the session
// ended or was replaced under the request, there were too many guesses, or the
// program is at fault.
func hasAnswer(err error) bool {
	for _, known := range []error{ErrUnavailable, ErrConflict, ErrSessionEnded, ErrThrottled, errNoSession, ErrConfig} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// ID returns the identifier of the request's user, or "" if it is from nobody.
func (a *Authenticator) ID(ctx context.Context) (string, error) {
	u, err := a.User(ctx)
	if err != nil || u == nil {
		return "", err
	}
	return u.AuthID(), nil
}

// Check reports whether the request is from a user.
func (a *Authenticator) Check(ctx context.Context) bool {
	u, err := a.User(ctx)
	a.fault(err)
	return err == nil && u != nil
}

// Guest reports whether the request is from nobody. It too is false if that
// could not be found out.
func (a *Authenticator) Guest(ctx context.Context) bool {
	u, err := a.User(ctx)
	a.fault(err)
	return err == nil && u == nil
}

// Login logs a user in without asking for a password. A nil user, one without
// an identifier and a disabled one are refused with ErrInvalidCredentials. The
// errors are otherwise those of the guard.
func (a *Authenticator) Login(ctx context.Context, u models.Authenticatable, options ...LoginOption) (*LoginResult, error) {
	return a.logIn(ctx, u, false, options)
}

// LoginUsingID loads a user by its identifier and logs it in. The errors are
// those of Login; an unknown identifier is ErrInvalidCredentials.
func (a *Authenticator) LoginUsingID(ctx context.Context, id string, options ...LoginOption) (*LoginResult, error) {
	g := a.current()
	if g.users == nil {
		return nil, errNoProvider
	}
	phase, span := a.x.phase(ctx)
	defer span.end()
	u, err := g.users.UserByID(phase, id)
	if err != nil {
		return nil, autherr.Unavailable("load user", err)
	}
	return a.logIn(phase, u, false, options) // one phase for both
}

func (a *Authenticator) logIn(
	ctx context.Context, u models.Authenticatable, confirmed bool, options []LoginOption,
) (*LoginResult, error) {
	g := a.current()
	if u = present(u); u == nil || disabled(u) {
		return nil, ErrInvalidCredentials
	}
	if kind, stamp := stampOf(u); kind == stampKind && stamp == "" {
		return nil, fmt.Errorf("%w: user %q has an empty security stamp, which nothing can be bound to", ErrConfig, cut(u.AuthID(), 64))
	}
	stateful, ok := g.Guard.(StatefulGuard)
	if !ok {
		return nil, fmt.Errorf("ginauth: guard %q logs nobody in: %w", g.name, errors.ErrUnsupported)
	}
	ctx, span := a.x.phase(ctx)
	defer span.end()
	r := requestOf(options)
	r.User, r.Confirmed = u, confirmed
	res, err := stateful.Login(ctx, a, r)
	if err != nil {
		return nil, err
	}
	a.x.setUser(guardUser{guard: g, user: u})
	if a.x.m.heard() {
		a.x.emit(events.Login{Meta: a.x.meta(g.name, u.AuthID())})
	}
	return res, nil
}

// requestOf returns what the options ask for, which is usually nothing.
func requestOf(options []LoginOption) LoginRequest {
	if len(options) == 0 {
		return LoginRequest{}
	}
	r := new(LoginRequest)
	for _, option := range options {
		option(r)
	}
	return *r
}

// Logout logs the guard's user out. When it returns nil the session has ended,
// also if the client hung up meanwhile. It succeeds if nobody is logged in.
func (a *Authenticator) Logout(ctx context.Context) error {
	g := a.current()
	stateful, ok := g.Guard.(StatefulGuard)
	if !ok {
		return fmt.Errorf("ginauth: guard %q logs nobody out: %w", g.name, errors.ErrUnsupported)
	}
	ctx, span := a.x.phase(context.WithoutCancel(ctx))
	defer span.end()
	id := a.whoLeaves(ctx, g)
	if err := stateful.Logout(ctx, a); err != nil {
		return err
	}
	a.x.setUser(guardUser{guard: g})
	a.x.dropIntended()
	e := events.Logout{Meta: a.x.meta(g.name, id)}
	switch s := a.Session(); {
	case id == "": // nobody was logged in
	case s != nil && s.pending():
		a.x.emit(e)
	default:
		a.x.m.Dispatch(ctx, e) // it has ended already, whatever the answer
	}
	return nil
}

// whoLeaves returns the identifier for the event of a logout. Not knowing it
// must not keep a user in.
func (a *Authenticator) whoLeaves(ctx context.Context, g *namedGuard) string {
	if _, ok := g.Guard.(*sessionGuard); ok && a.x.started {
		login, _, _ := a.x.session.login(ctx, g.name) // also while users cannot be loaded
		return login.id
	}
	id, _ := a.ID(ctx)
	return id
}

// Can reports whether the request's user has an ability, on the resource if one
// is given. See Gate.
func (a *Authenticator) Can(ctx context.Context, ability string, resource ...any) bool {
	return a.gate().Allows(ctx, ability, resource...)
}

// Cannot is the opposite of Can.
func (a *Authenticator) Cannot(ctx context.Context, ability string, resource ...any) bool {
	return !a.Can(ctx, ability, resource...)
}

// Authorize returns nil if the request's user has the ability, and otherwise
// an error that Abort answers with the right status.
func (a *Authenticator) Authorize(ctx context.Context, ability string, resource ...any) error {
	// A handler may ask about any number of resources, and what its rules do is
	// its own: they have a deadline, and are not counted.
	ctx, cancel := context.WithTimeout(ctx, a.x.m.cfg.StoreTimeout)
	defer cancel()
	return a.gate().Authorize(ctx, ability, resource...)
}

// fault makes the request answer with err, if there is one.
func (a *Authenticator) fault(err error) { a.x.stick(err) }

// known returns what a guard answered earlier in this request, or nil.
func (x *exchange) known(guard *namedGuard) *guardUser {
	for answer := x.users.Load(); answer != nil; answer = answer.next {
		if answer.guard == guard {
			return answer
		}
	}
	return nil
}

// setUser notes who a guard's user is, or why that is not known, for the rest
// of the request: an outage is waited for once.
func (x *exchange) setUser(answer guardUser) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.users.Load()
	if before == nil && answer.user == nil && answer.err == nil {
		x.users.Store(&answer.guard.nobody) // one for all guests
		return
	}
	added := answer
	added.next = before
	x.users.Store(&added)
}

// emit dispatches an event once what it tells of is stored.
func (x *exchange) emit(e events.Event) {
	ctx := context.WithoutCancel(x.req.Context())
	x.session.afterCommit(func() { x.m.Dispatch(ctx, e) })
}
