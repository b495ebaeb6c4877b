package ginauth

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/clientaddr"
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
	// started says that StartSession ran, so that there is a session.
	started bool
	// answering says that the application's ErrorHandler runs.
	answering bool

	session Session
	auth    Authenticator
	gate    Gate
	writer  ginwriter.Writer
	limits  *throttle.Limits // of the route, or nil

	// results is what each guard found out. It is asked once in a request.
	results request.Results[*guardEntry, authResult]
}

// authResult is what a guard found out: also a failure, so that a request waits for an outage
// once.
type authResult struct {
	user  models.Authenticatable
	token *TokenInfo
	err   error
}

// errForeign says that a request met middlewares of two managers. Each knows other
// users under the same identifiers, so neither accepts the other's request state.
var errForeign = errors.New("ginauth: middlewares of two managers on one route; " +
	"the package-level ones belong to the manager given to SetDefault")

// handle runs what a middleware decides about a request. The first middleware on a
// route also runs the rest of the request and completes the response.
func (m *Manager) handle(c *gin.Context, check func(*requestState) error) {
	x, known := stateOf(c)
	switch {
	case !known:
		x = m.begin(c)
		x.run(c, check)
		return
	case x.m != m:
		m.abort(c, errForeign)
		return
	}
	if x.HTTP != c.Request {
		x.HTTP = c.Request
	}
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

// begin makes the state of a request, puts its handles on the context and wraps the
// writer.
func (m *Manager) begin(c *gin.Context) *requestState {
	x := &requestState{m: m, State: request.State{
		Env: m.env, HTTP: c.Request, Remote: m.remote(c), Jar: cookies.NewJar(&m.cookies, plainCookies(c.Request)),
	}}
	x.session.s.Init(m.sessions, &x.State)
	x.auth.x = x
	m.gate.Bind(&x.gate, (*authenticatorSource)(&x.auth))
	x.setKeys(c)
	x.writer.Init(c, x)
	return x
}

// plainCookies reports whether cookies travel without Secure. Usually they do not,
// also without TLS, because TLS often ends at a proxy. Only a developer's own
// machine, talking to itself, gets plain ones.
func plainCookies(r *http.Request) bool {
	return r.TLS == nil && gin.Mode() != gin.ReleaseMode && cookies.FromOwnMachine(r)
}

// remote returns a text that begins with the client's address.
func (m *Manager) remote(c *gin.Context) string {
	if m.cfg.ClientIP != nil {
		// A text that is no address must not turn the limits off.
		if ip := clientaddr.Host(m.cfg.ClientIP(c)); ip != "" {
			return ip
		}
	}
	return c.Request.RemoteAddr
}

// setKeys puts the handles on the context. Usually they are the first keys, and the
// map is made here in its final size.
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
		if !completed {
			x.Discard()
			x.RunIfDisconnected(x.HTTP.Context())
			x.writer.Remove()
		}
	}()
	if err := check(x); err != nil {
		x.m.abort(c, err)
	} else {
		c.Next()
	}
	x.writer.Open() // for a response that has a status and no body
	completed = true
}

// startSession makes the session the request's.
func (x *requestState) startSession(c *gin.Context) {
	x.started = true
	c.Set(gincontrib.Key, (*gincontrib.Session)(&x.session.s))
}

// Discard drops the changes of the request.
func (x *requestState) Discard() {
	x.session.s.Discard()
	x.Settle()
	x.DropAfterCommit()
}

// Commit stores the session and completes the response's headers.
func (x *requestState) Commit(h http.Header, status int) error {
	ctx := x.HTTP.Context()
	defer x.RunIfDisconnected(ctx)
	pending, failure := x.Outcome()
	if failure != nil {
		x.Discard()
		return failure
	}
	if status == http.StatusServiceUnavailable {
		// A request that failed has changed nothing, and a 503 sets no cookie.
		x.Discard()
		return nil
	}
	// The request's own context: if the client disconnected, its changes are
	// dropped. What had to end ended when the handler asked for it.
	x.Settle()
	change, err := x.session.s.Commit(ctx)
	if err == nil {
		err = x.RunBeforeResponse(ctx)
	}
	if err != nil {
		x.session.s.Fail(err)
		return err
	}
	x.RunAfterCommit()
	switch {
	case change.Set != "":
		x.Jar.Set(h, x.Jar.Session(), change.Set, x.m.cfg.Session.Cookie.MaxAge)
	case change.Clear:
		x.Jar.Clear(h, x.Jar.Session())
	}
	for _, c := range pending {
		x.Jar.Set(h, c.Name, c.Value, c.Lifetime)
	}
	cookie := change.Set != "" || change.Clear || len(pending) > 0
	if cookie || change.Consulted {
		request.KeepPrivate(h, cookie)
	}
	return nil
}

// NeedsCookie reports whether the commit will set or delete the session cookie.
func (x *requestState) NeedsCookie() bool { return x.session.s.NeedsCookie() }

// DropCookies removes our cookies from a response that an outer middleware made a failure.
func (x *requestState) DropCookies(h http.Header) { x.Jar.Drop(h) }

// Respond writes the response to err.
func (x *requestState) Respond(c *gin.Context, err error) { x.m.respond(c, err) }

// Sent records that the response has begun.
func (x *requestState) Sent() { x.Budget.Close() }

// handleOf returns the request's handle for a guard.
func (x *requestState) handleOf(g *guardEntry) *Authenticator {
	if x.auth.current() == g {
		return &x.auth
	}
	return newAuthenticator(x, g)
}

// StartSession gives the request a session, an Authenticator under "auth" and its
// gate under "gate". Nothing is loaded until it is used. The session is stored, and
// its cookie set, before the first byte of the response is sent. If that fails, the
// client gets 503 and nothing that the handler wrote. A panic discards the request's
// changes. Put Recovery before StartSession.
//
// Requests with unsafe methods that another site makes a browser send are refused
// with 403, except those that carry a bearer token and no session cookie: a browser
// does not add a bearer token by itself.
//
// Put a middleware that turns errors into responses after c.Next inside
// StartSession, where the session is not stored yet.
func (m *Manager) StartSession() gin.HandlerFunc {
	return func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			if x.started { // by an outer group
				return nil
			}
			x.startSession(c)
			return m.checkOrigin(x)
		})
	}
}

// checkOrigin refuses requests that another site makes a browser send.
func (m *Manager) checkOrigin(x *requestState) error {
	if m.origins == nil {
		return nil
	}
	err := m.origins.Check(x.HTTP)
	if err == nil {
		return nil
	}
	// A browser adds cookies by itself, and passwords that it was told once (Basic,
	// Digest, Negotiate), but no bearer token. With a cookie of ours the check
	// applies, because the cookie may be what authenticates the request.
	scheme, _, _ := strings.Cut(x.HTTP.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, request.Bearer) && !x.Jar.Sent(x.HTTP) && m.cfg.JWT.Source == nil {
		return nil
	}
	return errors.Join(ErrCrossOrigin, err)
}

// Recovery responds with 500 to a panic and logs the stack. Unlike gin.Recovery it
// logs neither the request, whose Cookie header opens a session, nor the value of the
// panic, which may hold a secret. If the response has begun, the connection is closed,
// so that the client does not take the part it received for the whole.
func (m *Manager) Recovery() gin.HandlerFunc {
	return gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, p any) {
		m.env.Log.ErrorContext(c.Request.Context(), "ginauth: panic", "route", c.FullPath(),
			"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		if x, ok := stateOf(c); ok {
			x.Discard() // if StartSession is outside Recovery
		}
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		m.abort(c, errPanic)
	})
}

var errPanic = errors.New("ginauth: a handler panicked")
