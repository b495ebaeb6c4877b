package ginauth

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/gincontrib"
	"github.com/ginauth/ginauth/internal/ginwriter"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/models"
)

// The keys under which handlers find the handles of a request on its gin.Context.
const (
	contextAuth = "auth"
	contextGate = "gate"
)

// requestState is everything ginauth knows of one request, in one block of memory.
type requestState struct {
	request.State
	m *Manager

	session Session
	auth    Authenticator
	gate    Gate
	writer  ginwriter.Writer
	limits  *throttle.Limits // of the route, or nil

	// results is what each guard found out. It is asked once in a request.
	results request.Results[*guardEntry, authResult]
}

// authResult is what a guard found out: also a failure, so that a request waits for an outage once.
type authResult struct {
	user  models.Authenticatable
	token *TokenInfo
	err   error // ErrFactorRequired, with a user, for a login that can do nothing but enrol a second factor
}

// shown returns the result as the request may see it: a login that must enrol a second factor is none on other routes.
func (r authResult) shown(x *requestState) authResult {
	if r.err == ErrFactorRequired {
		if r.err = nil; !x.Enrolling() {
			return authResult{}
		}
	}
	return r
}

// errForeign says that a request met middlewares of two managers. Each knows other users under the same identifiers,
// so neither accepts the other's request state.
var errForeign = errors.New("ginauth: middlewares of two managers on one route; " +
	"the package-level ones belong to the manager given to SetDefault")

// handle runs what a middleware decides about a request. The first middleware on a route also runs the rest of the
// request and completes the response.
func (m *Manager) handle(c *gin.Context, check func(*requestState) error) {
	x, known := stateOf(c)
	switch {
	case !known:
		if x, known = m.resume(c); known {
			x.next(c, check)
			return
		}
		x = m.begin(c)
		x.run(c, check)
		return
	case x.m != m:
		m.abort(c, errForeign)
		return
	}
	x.SetHTTP(c.Request)
	if err := check(x); err != nil {
		m.abort(c, err)
	}
}

// stateOf returns the state of a request, of whichever manager.
func stateOf(c *gin.Context) (*requestState, bool) {
	if w, ours := c.Writer.(*ginwriter.Writer); ours { // no middleware wrapped it
		return w.Request().(*requestState), true
	}
	if c.Keys == nil {
		return nil, false
	}
	v, _ := c.Get(contextAuth)
	a, ok := v.(*Authenticator)
	if !ok || a == nil || a.x == nil {
		return nil, false
	}
	return a.x, true
}

// begin makes the state of a request, puts its handles on the context and wraps the writer.
func (m *Manager) begin(c *gin.Context) *requestState {
	x := &requestState{m: m, State: request.State{
		Env: m.env, HTTP: c.Request, Remote: c.Request.RemoteAddr,
		Jar: cookies.NewJar(&m.cookies, c.Request, gin.Mode() != gin.ReleaseMode),
	}}
	if m.cfg.ClientIP != nil {
		x.SetRemote(m.cfg.ClientIP(c))
	}
	x.session.s.Init(m.sessions, &x.State)
	x.auth.x = x
	m.gate.Bind(&x.gate, (*authenticatorSource)(&x.auth))
	x.setKeys(c)
	x.writer.Init(c, x)
	m.live.Add(&x.writer)
	return x
}

// resume returns the state of a request that gin.Engine.HandleContext routes again, which empties the context.
func (m *Manager) resume(c *gin.Context) (x *requestState, known bool) {
	if w := m.live.Find(c); w != nil {
		x, known = w.Request().(*requestState)
		x.SetHTTP(c.Request)
		x.setKeys(c)
		if x.Started {
			x.startSession(c)
		}
	}
	return x, known
}

// setKeys puts the handles on the context. Usually they are the first keys, and the map is made here in its final size.
func (x *requestState) setKeys(c *gin.Context) {
	if c.Keys == nil {
		keys := make(map[any]any, 3)
		keys[contextAuth], keys[contextGate] = &x.auth, &x.gate
		c.Keys = keys
		return
	}
	c.Set(contextAuth, &x.auth)
	c.Set(contextGate, &x.gate)
}

// run runs the rest of the request. A panic discards the request's changes.
func (x *requestState) run(c *gin.Context, check func(*requestState) error) {
	completed := false
	defer func() {
		x.Budget.Close()
		x.m.live.End(&x.writer)
		if !completed {
			x.Discard("a handler panicked")
			x.RunIfDisconnected(x.Context())
			x.writer.Remove()
		}
	}()
	x.next(c, check)
	completed = true
}

// next runs the rest of a chain of handlers, and commits.
func (x *requestState) next(c *gin.Context, check func(*requestState) error) {
	if err := check(x); err != nil {
		x.m.abort(c, err)
	} else {
		c.Next()
	}
	x.writer.Open() // for a response that has a status and no body
}

// startSession makes the session the request's.
func (x *requestState) startSession(c *gin.Context) {
	x.Started = true
	c.Set(gincontrib.Key, (*gincontrib.Session)(&x.session.s))
}

// Discard drops the changes of the request. The log says why, if there are any.
func (x *requestState) Discard(reason string) { x.session.s.DiscardAll(&x.State, reason) }

// Commit stores the session and completes the response's headers.
func (x *requestState) Commit(h http.Header, status int) error {
	return x.session.s.CommitTo(&x.State, h, status, x.m.cfg.Session.Cookie.MaxAge)
}

// NeedsCookie reports whether the commit will set or delete the session cookie.
func (x *requestState) NeedsCookie() bool { return x.session.s.NeedsCookie() }

// Respond writes the response to err.
func (x *requestState) Respond(c *gin.Context, err error) { x.m.respond(c, err) }

// handleOf returns the request's handle for a guard.
func (x *requestState) handleOf(g *guardEntry) *Authenticator {
	if x.auth.current() == g {
		return &x.auth
	}
	return newAuthenticator(x, g)
}

// StartSession gives the request a session, an Authenticator under "auth" and its gate under "gate". Nothing is
// loaded until it is used. The session is stored, and its cookie set, before the first byte of the response is sent.
// If that fails, the client gets 503 and nothing that the handler wrote. A panic discards the request's changes. Put
// Recovery before StartSession.
//
// Requests with unsafe methods that another site makes a browser send are refused with 403, except those that carry a
// bearer token and no session cookie: a browser does not add a bearer token by itself.
//
// Put a middleware that turns errors into responses after c.Next inside StartSession, where the session is not stored yet.
func (m *Manager) StartSession() gin.HandlerFunc {
	return func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			if x.Started { // by an outer group
				return nil
			}
			x.startSession(c)
			return x.CheckOrigin(m.origins, m.cfg.JWT.Source == nil)
		})
	}
}

// LogFormatter formats the access log, as in gin.LoggerWithFormatter(ginauth.LogFormatter), without the secrets in links
// of mails: it hides long parts of a path and all values of a query.
func LogFormatter(p gin.LogFormatterParams) string { return ginwriter.FormatLog(p) }

// Recovery responds with 500 to a panic and logs the stack. Unlike gin.Recovery it logs neither the request, whose
// Cookie header opens a session, nor the value of the panic, which may hold a secret. If the response has begun, the
// connection is closed, so that the client does not take the part it received for the whole.
func (m *Manager) Recovery() gin.HandlerFunc {
	return ginwriter.Recovery(m.env.Log, func(c *gin.Context) {
		if x, ok := stateOf(c); ok {
			x.Discard("a handler panicked") // if StartSession is outside Recovery
		}
	}, m.abort)
}
