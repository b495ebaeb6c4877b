package ginauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/models"
)

// StartSession gives the request a session and an Authenticator, under "auth",
// and its gate, under "gate". Nothing is loaded until it is used. The session
// is stored, and its cookie set, before the first byte of the response leaves;
// if that fails the client gets 503 and nothing of what the handler wrote. A
// panic discards the request's changes: put Recovery before StartSession.
//
// Requests with unsafe methods that a browser sends on behalf of another site
// are refused with 403, except those that carry an Authorization header and no
// session cookie: they are not the browser's doing.
func (m *Manager) StartSession() gin.HandlerFunc {
	return m.mark(kindNeutral, func(c *gin.Context) {
		x := m.require(c)
		if x == nil || x.started { // by an outer group
			return
		}
		x.startSession(c)
		completed := false
		defer func() {
			if !completed {
				x.session.discard()
				c.Writer = x.writer.ResponseWriter
			}
		}()
		if err := m.checkOrigin(x); err != nil {
			m.abort(c, err)
		} else {
			c.Next()
		}
		x.writer.open() // answers that are only a status, and no body
		x.settle(c.Writer.Status())
		completed = true
	})
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
		x := m.require(c)
		if x == nil {
			return
		}
		u, err := x.authenticate(c.Request.Context(), asked)
		if err == nil && u == nil {
			err = ErrUnauthenticated
		}
		if err != nil {
			m.abort(c, err)
		}
	})
}

// Guest lets only guests pass: those for whom none of the guards (default: the
// default guard) finds a user. Users get 403, or a redirect to Pages.Home for
// browsers. It panics as Auth does.
func (m *Manager) Guest(guards ...string) gin.HandlerFunc {
	asked := m.guardsNamed(guards)
	return m.mark(kindGuard, func(c *gin.Context) {
		x := m.require(c)
		if x == nil {
			return
		}
		u, err := x.authenticate(c.Request.Context(), asked)
		switch {
		case err != nil:
			m.abort(c, err)
		case u != nil && m.wantsPage(c):
			c.Redirect(http.StatusSeeOther, m.cfg.Pages.Home)
			c.Abort()
		case u != nil:
			m.abort(c, ErrForbidden)
		}
	})
}

// EnsureEmailVerified lets only users pass whose email address is verified. It
// comes after Auth. Nobody gets 401; a user whose address is not verified, or
// whose type does not know of addresses, 403, or a redirect to
// Pages.VerifyEmail for browsers.
func (m *Manager) EnsureEmailVerified() gin.HandlerFunc {
	m.usage.verifiesEmail()
	return m.mark(kindNeutral, func(c *gin.Context) {
		x := m.require(c)
		if x == nil {
			return
		}
		u, err := x.auth.User(c.Request.Context())
		if err == nil && u == nil {
			err = ErrUnauthenticated
		}
		if err == nil {
			if v, ok := u.(models.EmailVerifiable); !ok || !v.AuthEmailVerified() {
				err = ErrEmailNotVerified
			}
		}
		if err != nil {
			m.abort(c, err)
		}
	})
}

// Public marks a route that is open to everybody on purpose. It does nothing
// but keep Verify from reporting the route.
func Public() gin.HandlerFunc { return publicRoute }

func publicRoute(*gin.Context) {}

// errForeign says that a request met middlewares of two managers. Each knows
// other users under the same ids, so neither takes the other's word.
var errForeign = errors.New("ginauth: middlewares of two managers on one route; " +
	"the package-level ones belong to the manager given to SetDefault")

// require returns the request's exchange, and makes one if there is none. It
// returns nil, and answers 500, if the request is another manager's.
func (m *Manager) require(c *gin.Context) *exchange {
	v, ok := c.Get(contextAuth)
	if !ok {
		return m.begin(c)
	}
	if a, ok := v.(*Authenticator); ok && a.x != nil && a.x.m == m {
		return a.x
	}
	m.abort(c, errForeign)
	return nil
}

// Recovery answers 500 to a panic, and logs where it came from. Unlike
// gin.Recovery it never logs the request, whose Cookie header opens a session,
// nor the value of the panic, which may hold anything.
func (m *Manager) Recovery() gin.HandlerFunc {
	return gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, p any) {
		m.log.ErrorContext(c.Request.Context(), "ginauth: panic", "route", c.FullPath(),
			"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		m.abort(c, errPanic)
	})
}

var errPanic = errors.New("ginauth: a handler panicked")

func (m *Manager) guardsNamed(names []string) []*namedGuard {
	if len(names) == 0 {
		return []*namedGuard{m.guards[m.cfg.DefaultGuard]}
	}
	var guards []*namedGuard
	for _, name := range names {
		guards = append(guards, m.mustGuard(name))
	}
	return guards
}

// authenticate asks the guards in order, within one phase. A guard that cannot
// tell ends the search: a later one might take for a guest whom it would know.
func (x *exchange) authenticate(ctx context.Context, guards []*namedGuard) (models.Authenticatable, error) {
	ctx, cancel := x.m.phase(ctx)
	defer cancel()
	for _, g := range guards {
		a := Authenticator{x: x, guard: g}
		u, err := a.User(ctx)
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

// protection builds the check against other sites.
func (c *CrossOriginConfig) protection(f *faults) *http.CrossOriginProtection {
	if c.InsecureDisable {
		return nil
	}
	p := http.NewCrossOriginProtection()
	for _, origin := range c.TrustedOrigins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			f.add("CrossOrigin.TrustedOrigins", "%v", err)
		}
	}
	for _, pattern := range c.InsecureBypassPatterns {
		if err := addBypass(p, pattern); err != nil {
			f.add("CrossOrigin.InsecureBypassPatterns", "%v", err)
		}
	}
	return p
}

// addBypass turns the panic of http.ServeMux's patterns into an error.
func addBypass(p *http.CrossOriginProtection, pattern string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%q: %v", pattern, r)
		}
	}()
	p.AddInsecureBypassPattern(pattern)
	return nil
}

// checkOrigin refuses what another site makes a browser send.
func (m *Manager) checkOrigin(x *exchange) error {
	if m.origins == nil {
		return nil
	}
	if x.req.Header.Get("Authorization") != "" {
		// A browser adds cookies by itself, but no Authorization that a page
		// did not give it. With a cookie of ours the check applies: the cookie
		// might be what decides.
		if _, ok := x.jar.get(x.req.Header, m.cfg.Session.Cookie.Name); !ok && !x.anyCookie() {
			return nil
		}
	}
	if err := m.origins.Check(x.req); err != nil {
		return errors.Join(ErrCrossOrigin, err)
	}
	return nil
}

// anyCookie reports whether a cookie of ours is there at all, also twice.
func (x *exchange) anyCookie() bool {
	for _, c := range x.req.Cookies() {
		if c.Name == x.jar.name(x.m.cfg.Session.Cookie.Name) {
			return true
		}
	}
	return false
}
