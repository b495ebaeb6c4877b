package ginauth

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// Guard is one way to find out who a request is from. A Guard that has nothing
// else is stateless: it reads what each request carries. It is safe for
// concurrent use.
//
// The Authenticator it is given is the request's: Request returns the HTTP
// request, and Session the session where there is one. A Guard does not call
// the Authenticator's User.
type Guard interface {
	// Identify returns who the request is from, or nil if it is from nobody
	// that this guard knows. An error means that this could not be found out;
	// the request gets 503. Each request asks once.
	Identify(ctx context.Context, a *Authenticator) (*Identity, error)
}

// Identity is what a guard found out about a request.
type Identity struct {
	// User is who the request is from.
	User models.Authenticatable
	// Token is the token that says so, or nil if it is none.
	Token *TokenInfo
}

// identifier is what the guards of this package are beside a Guard: each returns
// what Identify does without a block of memory for it. The user has an identifier
// and is not disabled, or is nil.
type identifier interface {
	identify(ctx context.Context, a *Authenticator) (models.Authenticatable, *TokenInfo, error)
}

// identityOf makes the answer of Identify from that of identify.
func identityOf(u models.Authenticatable, token *TokenInfo, err error) (*Identity, error) {
	if u == nil {
		return nil, err
	}
	return &Identity{User: u, Token: token}, err
}

// identify asks a guard who a request is from.
func (g *guardEntry) identify(ctx context.Context, a *Authenticator) (models.Authenticatable, *TokenInfo, error) {
	if own, ok := g.Guard.(identifier); ok {
		return own.identify(ctx, a)
	}
	identity, err := g.Identify(ctx, a)
	if err != nil || identity == nil {
		return nil, nil, err
	}
	u := present(identity.User)
	if u == nil || disabled(u) {
		return nil, nil, nil
	}
	return u, identity.Token, nil
}

// LoginRequest is what a guard is asked to make a login of.
type LoginRequest struct {
	// User is who is to be logged in. It was checked: it is not nil, has an id
	// and is not disabled.
	User models.Authenticatable
	// Confirmed says that the user's password was checked just now.
	Confirmed bool
	// Remember asks for a login that lasts over the end of the session.
	Remember bool
}

// StatefulGuard is a Guard that can log users in and out.
type StatefulGuard interface {
	Guard
	// Login makes later requests be from the user.
	Login(ctx context.Context, a *Authenticator, r LoginRequest) (*LoginResult, error)
	// Logout ends that. It succeeds if nobody is logged in.
	Logout(ctx context.Context, a *Authenticator) error
}

// Challenger is the optional capability of a Guard that has a challenge for the
// WWW-Authenticate header of a 401 (RFC 9110, 11.6.1). The default is
// `Session realm="<name of the guard>"`.
type Challenger interface {
	Challenge() string
}

// GuardConfig configures one guard.
type GuardConfig struct {
	// Users loads the guard's users. Default Config.Users.
	Users models.UserProvider
	// Realm names the users: guards of one realm share the throttle's counts,
	// and what is issued to a user in one realm is nothing in another. The
	// default is "users" for Config.Users, and otherwise derived from the name
	// of the first guard that has the same provider; set it where guards may be
	// added or renamed later.
	Realm string
	// New makes the guard: JWTGuard, TokenGuard, or one of the application's own.
	// Default: the session guard.
	New func(GuardSetup) (Guard, error)
}

// GuardSetup is what a guard is made from.
type GuardSetup struct {
	// Name is the guard's name, the key in Config.Guards.
	Name string
	// Manager is the manager that the guard will belong to. It is not complete
	// yet: keep it, use it later.
	Manager *Manager
	// Users loads the guard's users. It may be nil.
	Users models.UserProvider
	// Realm names the users, as in GuardConfig.
	Realm string
}

// LoginResult is what a login led to.
type LoginResult struct {
	// User is who is logged in.
	User models.Authenticatable
	// Tokens are what the client shows from now on, or nil if the guard issues
	// none.
	Tokens *TokenPair
}

// guardEntry is a guard with what belongs to it.
type guardEntry struct {
	Guard
	name  string
	users models.UserProvider
	// realm names the provider: guards with the same users share it, and with
	// it the counts of the throttle and the owners in stores.
	realm     string
	challenge string
}

// challenger is a Guard whose challenge depends on the request.
type challenger interface {
	challenge(r *http.Request) string
}

// challengeTo returns the challenge for the 401 of a request.
func (g *guardEntry) challengeTo(r *http.Request) string {
	if c, ok := g.Guard.(challenger); ok {
		return c.challenge(r)
	}
	return g.challenge
}

// challengeOf returns the challenge of the first of the guards, or of the first
// that reads tokens where the request has brought one.
func challengeOf(guards []*guardEntry, r *http.Request) string {
	if _, presented := authorization(r.Header, schemeBearer); presented {
		for _, g := range guards {
			if c, ok := g.Guard.(challenger); ok {
				return c.challenge(r)
			}
		}
	}
	return guards[0].challengeTo(r)
}

// defaultRealm is the realm of Config.Users.
const defaultRealm = "users"

// makeGuards makes the guards of the configuration.
func (m *Manager) makeGuards(f *faults) {
	m.guards = make(map[string]*guardEntry, len(m.cfg.Guards))
	for name, cfg := range m.cfg.Guards {
		field := fmt.Sprintf("Guards[%q]", name)
		if !validToken(name) {
			f.add(field, "is not a name: use letters, digits, hyphens")
			continue
		}
		g := &guardEntry{name: name, users: cfg.Users, challenge: fmt.Sprintf("Session realm=%q", name)}
		if models.IsNilProvider(g.users) {
			g.users = m.cfg.Users
		}
		if models.IsNilProvider(g.users) {
			g.users = nil
		}
		if g.realm = cfg.Realm; g.realm == "" {
			g.realm = m.realmOf(name, cfg.Users)
		} else if !validToken(g.realm) {
			f.add(field+".Realm", "%q is not a name: use letters, digits, hyphens", request.Cut(g.realm, 64))
		}
		if cfg.New == nil {
			g.Guard = &sessionGuard{tokenUsers{m, g.realm, g.users}, name}
		} else if made, err := cfg.New(GuardSetup{name, m, g.users, g.realm}); err != nil {
			f.add(field, "%v", err)
			continue
		} else if made == nil {
			f.add(field, "New returned no guard")
			continue
		} else {
			g.Guard = made
		}
		if c, ok := g.Guard.(Challenger); ok {
			g.challenge = c.Challenge()
		}
		m.guards[name] = g
	}
}

// realmOf returns the realm of a guard's users: that of Config.Users, or of the
// first guard, by name, that has the same provider. No name of a guard has a
// slash, so none can be taken for another realm.
func (m *Manager) realmOf(name string, users models.UserProvider) string {
	if models.IsNilProvider(users) || sameProvider(users, m.cfg.Users) {
		return defaultRealm
	}
	for _, other := range slices.Sorted(maps.Keys(m.cfg.Guards)) {
		if other == name {
			break
		}
		if sameProvider(users, m.cfg.Guards[other].Users) {
			return other + "/"
		}
	}
	return name + "/"
}

// sameProvider compares pointers. Providers of other kinds are each their own.
func sameProvider(a, b models.UserProvider) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	return v.Kind() == reflect.Pointer && w.Kind() == reflect.Pointer &&
		v.Type() == w.Type() && v.Pointer() == w.Pointer()
}

// present returns u, or a nil interface if u is a typed nil or has no id: a
// user that was never stored must not share the id "" with others like it.
func present(u models.Authenticatable) models.Authenticatable {
	if models.IsNil(u) || u.AuthID() == "" {
		return nil
	}
	return u
}

func disabled(u models.Authenticatable) bool {
	d, ok := u.(models.Disableable)
	return ok && d.AuthDisabled()
}

// Auth lets only users pass. It asks the guards in order, or the default guard
// if none is named; the first that finds a user is the request's guard from
// then on. Nobody: 401, or a redirect to the login page for browsers. It panics
// if there is no guard of a name, or if a guard cannot know any users.
func (m *Manager) Auth(guards ...string) gin.HandlerFunc {
	asked := m.guardsNamed(guards)
	for _, g := range asked {
		if _, session := g.Guard.(*sessionGuard); session && g.users == nil {
			panic(fmt.Sprintf("ginauth: Auth: guard %q has no user provider: set Config.Users", g.name))
		}
	}
	return m.mark(kindGuard, func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			u, err := x.authenticate(c.Request.Context(), asked)
			if err == nil && u == nil {
				c.Header("WWW-Authenticate", challengeOf(asked, c.Request))
				err = ErrUnauthenticated
			}
			return err
		})
	})
}

// Guest lets only guests pass: those for whom none of the guards (default: the
// default guard) finds a user. Users get 403, or a redirect to Pages.Home for
// browsers. It panics as Auth does.
func (m *Manager) Guest(guards ...string) gin.HandlerFunc {
	asked := m.guardsNamed(guards)
	return m.mark(kindGuard, func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			u, err := x.authenticate(c.Request.Context(), asked)
			if err != nil || u == nil {
				return err
			}
			if !m.wantsPage(c) {
				return ErrForbidden
			}
			c.Redirect(http.StatusSeeOther, m.cfg.Pages.Home)
			c.Abort()
			return nil
		})
	})
}

func (m *Manager) guardsNamed(names []string) []*guardEntry {
	if len(names) == 0 {
		return []*guardEntry{m.defaultGuard}
	}
	var guards []*guardEntry
	for _, name := range names {
		guards = append(guards, m.mustGuard(name))
	}
	return guards
}

// authenticate asks the guards in order, within one phase. A guard that cannot
// tell ends the search: a later one might take for a guest whom it would know.
func (x *requestState) authenticate(ctx context.Context, guards []*guardEntry) (models.Authenticatable, error) {
	ctx, span := x.Span(ctx)
	defer span.End()
	for _, g := range guards {
		u, err := x.handleOf(g).User(ctx)
		if err != nil {
			return nil, err
		}
		if u != nil {
			x.auth.use(g)
			return u, nil
		}
	}
	// Whoever asks next is told of the guards that were asked, and a 401 carries
	// the first one's challenge.
	x.auth.use(guards[0])
	return nil, nil
}
