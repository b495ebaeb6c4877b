package ginauth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/models"
)

// Guard authenticates requests in one way. A Guard that is not a StatefulGuard reads what each request carries and
// keeps no logins. A Guard is safe for concurrent use.
//
// The Authenticator that its methods are given is the request's: Request returns the HTTP request, and Session the
// session if there is one. A Guard does not call the Authenticator's User.
type Guard interface {
	// Identify returns who the request is from. The zero Identity stands for an anonymous request. An error means
	// that this could not be found out: the response is 503. Identify is called once in a request.
	Identify(ctx context.Context, a *Authenticator) (Identity, error)
}

// Identity is what a guard finds out about a request.
type Identity struct {
	// User is the user, or nil. A user that is disabled or has no identifier counts as nil.
	User models.Authenticatable
	// Token is the token that authenticated the request, or nil.
	Token *TokenInfo
	// mustEnrol says that the login can do nothing but enrol a second factor.
	mustEnrol bool
}

// StatefulGuard is a Guard that logs users in and out.
type StatefulGuard interface {
	Guard
	// Login authenticates the client's later requests as the user.
	Login(ctx context.Context, a *Authenticator, r LoginRequest) (*LoginResult, error)
	// Logout ends the login. It returns nil if no user is logged in.
	Logout(ctx context.Context, a *Authenticator) error
}

// Refresher is the optional capability of a StatefulGuard that prolongs logins by refresh tokens.
type Refresher interface {
	// Refresh consumes a refresh token and returns the next pair. The error wraps ErrInvalidToken if the token is not
	// accepted.
	Refresh(ctx context.Context, a *Authenticator, refreshToken string) (*LoginResult, error)
}

// Challenger is the optional capability of a Guard that has a challenge for the WWW-Authenticate header of a 401 (RFC
// 9110, 11.6.1). Default: `Session realm="<name of the guard>"`.
type Challenger interface {
	// Challenge returns the challenge for the response to a request.
	Challenge(r *http.Request) string
}

// GuardConfig configures one guard.
type GuardConfig struct {
	// Users loads the guard's users. Default Config.Users.
	Users models.UserProvider
	// Realm names the guard's users. Guards of one realm share the counts of the throttle. What is issued to a user
	// of one realm is not valid in another. Default: "users" for Config.Users, otherwise derived from the name of the
	// first guard with the same provider. Set it if guards may be added or renamed later.
	Realm string
	// LoginPage and Home are the guard's pages in place of Pages.Login and Pages.Home.
	LoginPage, Home string
	// New makes the guard: JWTGuard, TokenGuard, or one of the application's own. Default: a guard that reads the session.
	New func(GuardSetup) (Guard, error)
}

// GuardSetup is what a guard is made from.
type GuardSetup struct {
	// Name is the guard's name, the key in Config.Guards.
	Name string
	// Manager is the manager that the guard will belong to. It is not complete yet: use it only when requests come.
	Manager *Manager
	// Users loads the guard's users. It may be nil.
	Users models.UserProvider
	// Realm names the guard's users, as in GuardConfig.
	Realm string
}

// users returns the guard's users as its New was given them, which may be fewer than the configured ones.
func (s *GuardSetup) users() *realm.Realm {
	return &realm.Realm{Name: s.Realm, Users: s.Users, Stamps: s.Manager.stamps}
}

// guardEntry is a guard with what belongs to it.
type guardEntry struct {
	Guard
	name  string
	realm *realm.Realm
	// own says that the guard is one of this package, which checks its users itself.
	own         bool
	login, home string // its pages
}

// usable returns a guard's user, or nil if the user is disabled or has no identifier.
func (g *guardEntry) usable(u models.Authenticatable) models.Authenticatable {
	if u == nil || g.own {
		return u
	}
	if u = realm.Present(u); u == nil || realm.Disabled(u) {
		return nil
	}
	return u
}

// challengeTo returns the guard's challenge for the 401 of a request.
func (g *guardEntry) challengeTo(r *http.Request) string {
	if c, ok := g.Guard.(Challenger); ok {
		return c.Challenge(r)
	}
	return fmt.Sprintf("Session realm=%q", g.name)
}

// challengeOf returns the challenge of the first of the guards, or of the first that reads tokens if the request
// carries one.
func challengeOf(guards []*guardEntry, r *http.Request) string {
	_, presented := request.Authorization(r.Header, request.Bearer)
	for _, g := range guards {
		if c, ok := g.Guard.(Challenger); ok && presented && g.own {
			return c.Challenge(r)
		}
	}
	return guards[0].challengeTo(r)
}

// makeGuards makes the guards of the configuration.
func (m *Manager) makeGuards(f *faults.List) {
	if _, ok := m.cfg.Guards[m.cfg.DefaultGuard]; !ok {
		f.Add("DefaultGuard", "no guard is named %q", m.cfg.DefaultGuard)
	}
	m.guards = make(map[string]*guardEntry, len(m.cfg.Guards))
	providers := make(map[string]models.UserProvider, len(m.cfg.Guards))
	for name, cfg := range m.cfg.Guards {
		providers[name] = cfg.Users
	}
	for name, cfg := range m.cfg.Guards {
		if g := m.makeGuard(name, cfg, providers, f); g != nil {
			m.guards[name] = g
		}
	}
	m.defaultGuard = m.guards[m.cfg.DefaultGuard]
}

func (m *Manager) makeGuard(name string, cfg GuardConfig, providers map[string]models.UserProvider, f *faults.List) *guardEntry {
	field := fmt.Sprintf("Guards[%q]", name)
	if !faults.IsToken(name) {
		f.Add(field, "is not a name: use letters, digits, hyphens")
		return nil
	}
	rm := realm.New(name, cfg.Realm, cfg.Users, m.cfg.Users, providers)
	rm.Stamps = m.stamps
	if cfg.Realm != "" && !faults.IsToken(cfg.Realm) {
		f.Add(field+".Realm", "%q is not a name: use letters, digits, hyphens", request.Cut(rm.Name, 64))
	}
	if cfg.New == nil {
		cfg.New = newSessionGuard
	}
	made, err := cfg.New(GuardSetup{name, m, rm.Users, rm.Name})
	switch {
	case err != nil:
		f.Add(field, "%v", err)
		return nil
	case made == nil:
		f.Add(field, "New returned no guard")
		return nil
	}
	settings.Paths(f, map[string]string{field + ".LoginPage": cfg.LoginPage, field + ".Home": cfg.Home})
	g := &guardEntry{Guard: made, name: name, realm: rm}
	g.login, g.home = cmp.Or(cfg.LoginPage, m.cfg.Pages.Login), cmp.Or(cfg.Home, m.cfg.Pages.Home)
	m.pages = m.pages || g.login != ""
	switch made.(type) {
	case *sessionGuard, *jwtGuard, *tokenGuard:
		g.own = true
	}
	return g
}

// Auth requires an authenticated user. It asks the guards in order, or the default guard if none is named; the first
// that finds a user becomes the request's guard. Otherwise it responds with 401, or redirects browsers to the login
// page. It panics if there is no guard of a name, or if a session guard has no user provider.
func (m *Manager) Auth(guards ...string) gin.HandlerFunc {
	asked := m.guardsNamed(guards)
	for _, g := range asked {
		if _, session := g.Guard.(*sessionGuard); session && g.realm.Users == nil {
			panic(fmt.Sprintf("ginauth: Auth: guard %q has no user provider: set Config.Users", g.name))
		}
	}
	return m.guarding(func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			u, err := x.authenticate(c.Request.Context(), asked)
			if err == nil && u == nil {
				c.Header("WWW-Authenticate", challengeOf(asked, c.Request))
				err = x.unauthenticated(c.Request.Context(), asked...)
			}
			return err
		})
	})
}

// unauthenticated returns the error of a request without a user: ErrConflict if the session got another id moments ago
// and the login goes on under it, so that a client does not take a race for the end of its login.
func (x *requestState) unauthenticated(ctx context.Context, guards ...*guardEntry) error {
	if p, ok := x.Suspended().(*proof); ok && p.recalled != nil && slices.Contains(guards, p.recalled.current()) {
		return p.recalled.suspendRecalled(ctx, p)
	}
	if slices.ContainsFunc(guards, func(g *guardEntry) bool { r, _ := x.results.Get(g); return r.err == ErrFactorRequired }) {
		return ErrFactorRequired
	}
	if x.Started && slices.ContainsFunc(guards, func(g *guardEntry) bool { return x.session.s.Superseded(g.name) }) {
		return ErrConflict
	}
	return ErrUnauthenticated
}

// Guest requires that no user is logged in by any of the guards, or by the default guard if none is named. Otherwise
// it responds with 403, or redirects browsers as Intended says. It panics if there is no guard of a name.
func (m *Manager) Guest(guards ...string) gin.HandlerFunc {
	asked := m.guardsNamed(guards)
	return m.guarding(func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			u, err := x.authenticate(c.Request.Context(), asked)
			if err != nil || u == nil {
				return err
			}
			if !m.wantsHTML(c) {
				return ErrForbidden
			}
			c.Redirect(http.StatusSeeOther, x.auth.Intended())
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

// authenticate asks the guards in order, within one span. A guard that fails ends the search: a later guard might
// take the request of a logged-in user for an anonymous one.
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
	// Later middlewares use the first of these guards, whose challenge a 401 carries.
	x.auth.use(guards[0])
	return nil, nil
}
