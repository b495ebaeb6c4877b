package ginauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

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
// are refused with 403, except those that carry a bearer token and no session
// cookie: they are not the browser's doing.
//
// A middleware that turns errors into responses after c.Next belongs inside
// StartSession, where the session is not stored yet.
func (m *Manager) StartSession() gin.HandlerFunc {
	return m.mark(kindNeutral, func(c *gin.Context) {
		m.handle(c, func(x *exchange) error {
			if x.started { // by an outer group
				return nil
			}
			x.startSession(c)
			return m.checkOrigin(x)
		})
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
		m.handle(c, func(x *exchange) error {
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
		m.handle(c, func(x *exchange) error {
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

// EnsureEmailVerified lets only users pass whose email address is verified. It
// comes after Auth. Nobody gets 401; a user whose address is not verified, or
// whose type does not know of addresses, 403, or a redirect to
// Pages.VerifyEmail for browsers.
func (m *Manager) EnsureEmailVerified() gin.HandlerFunc {
	m.usage.verifiesEmail()
	return m.mark(kindNeutral, func(c *gin.Context) {
		m.handle(c, func(x *exchange) error {
			u, err := x.auth.User(c.Request.Context())
			if err != nil {
				return err
			}
			if u == nil {
				return ErrUnauthenticated
			}
			if v, ok := u.(models.EmailVerifiable); !ok || !v.AuthEmailVerified() {
				return ErrEmailNotVerified
			}
			return nil
		})
	})
}

// Public marks a route that is open to everybody on purpose. It does nothing
// but keep Preflight from reporting the route.
func Public() gin.HandlerFunc { return publicRoute }

func publicRoute(*gin.Context) {}

// Recovery answers 500 to a panic, and logs where it came from. Unlike
// gin.Recovery it never logs the request, whose Cookie header opens a session,
// nor the value of the panic, which may hold anything. A response that has
// begun is broken off, so that nobody takes the half of it for all.
func (m *Manager) Recovery() gin.HandlerFunc {
	return gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, p any) {
		m.log.ErrorContext(c.Request.Context(), "ginauth: panic", "route", c.FullPath(),
			"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		if x, ok := exchangeOf(c); ok {
			x.session.discard() // where StartSession is outside
		}
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		m.abort(c, errPanic)
	})
}

var errPanic = errors.New("ginauth: a handler panicked")

func (m *Manager) guardsNamed(names []string) []*namedGuard {
	if len(names) == 0 {
		return []*namedGuard{m.defaultGuard}
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
	ctx, span := x.phase(ctx)
	defer span.end()
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
	err := m.origins.Check(x.req)
	if err == nil {
		return nil
	}
	// A browser adds cookies by itself, and passwords that it was told once
	// (Basic, Digest, Negotiate), but no bearer token that a page did not give
	// it. With a cookie of ours the check applies: it might be what decides.
	scheme, _, _ := strings.Cut(x.req.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, schemeBearer) && !x.sentCookie() && m.cfg.JWT.Source == nil {
		return nil
	}
	return errors.Join(ErrCrossOrigin, err)
}

// sentCookie reports whether a cookie of ours is there at all, also twice: the
// session's, or one that can begin a session.
func (x *exchange) sentCookie() bool {
	own := x.jar().name(x.m.cfg.Session.Cookie.Name)
	return slices.ContainsFunc(x.req.Cookies(), func(c *http.Cookie) bool {
		return c.Name == own || strings.HasPrefix(c.Name, own+"_")
	})
}
