package ginauth

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/gincontrib"
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
	response  responseState

	session Session
	auth    Authenticator
	gate    Gate
	writer  commitWriter
	limits  *throttle.Limits // of the route, or nil

	mu      sync.Mutex
	result  authResult   // of the first guard that was asked
	results []authResult // of the others
}

// authResult is what one guard found out. Each guard is asked once in a request.
type authResult struct {
	guard *guardEntry
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
	if w, ours := c.Writer.(*commitWriter); ours { // no middleware wrapped it
		return w.x, true
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
	x.writer.ResponseWriter, x.writer.x, x.writer.c = c.Writer, x, c
	if h := c.Writer.Header(); len(h) > 0 {
		x.writer.before = maps.Clone(h)
	}
	if c.Writer.Written() {
		x.discard() // no header can carry an id any more
	}
	c.Writer = &x.writer
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
			x.discard()
			x.RunIfDisconnected(x.HTTP.Context())
			c.Writer = x.writer.ResponseWriter
		}
	}()
	if err := check(x); err != nil {
		x.m.abort(c, err)
	} else {
		c.Next()
	}
	x.writer.open() // for a response that has a status and no body
	completed = true
}

// startSession makes the session the request's.
func (x *requestState) startSession(c *gin.Context) {
	x.started = true
	c.Set(gincontrib.Key, (*gincontrib.Session)(&x.session.s))
}

// discard drops the changes of the request.
func (x *requestState) discard() {
	x.session.s.Discard()
	x.Settle()
	x.DropAfterCommit()
}

// commit stores the session and completes the response's headers.
func (x *requestState) commit(h http.Header, status int) error {
	ctx := x.HTTP.Context()
	defer x.RunIfDisconnected(ctx)
	pending, failure := x.Outcome()
	if failure != nil {
		x.discard()
		return failure
	}
	if status == http.StatusServiceUnavailable {
		// A request that failed has changed nothing, and a 503 sets no cookie.
		x.discard()
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

// known returns what a guard found out earlier in this request.
func (x *requestState) known(guard *guardEntry) (authResult, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.result.guard == guard {
		return x.result, true
	}
	for _, r := range x.results {
		if r.guard == guard {
			return r, true
		}
	}
	return authResult{}, false
}

// setUser records what a guard found out, for the rest of the request. A failure is
// recorded too, so that a request waits for an outage once.
func (x *requestState) setUser(r authResult) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.result.guard == nil || x.result.guard == r.guard {
		x.result = r
		return
	}
	for i := range x.results {
		if x.results[i].guard == r.guard {
			x.results[i] = r
			return
		}
	}
	x.results = append(x.results, r)
}

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
			x.discard() // if StartSession is outside Recovery
		}
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		m.abort(c, errPanic)
	})
}

var errPanic = errors.New("ginauth: a handler panicked")

// commitWriter stores the session before the first byte of a response is sent. If
// that fails, the client gets the failure and nothing that the handler wrote.
type commitWriter struct {
	gin.ResponseWriter
	x *requestState
	c *gin.Context // of this request; not used after it
	// before holds the headers that were there when the request came in.
	before http.Header
}

type responseState uint8

const (
	responseWaiting responseState = iota // nothing was sent
	responseOpen                         // the session is stored
	responseFailed                       // it could not be stored, and the client was told
)

var _ gin.ResponseWriter = (*commitWriter)(nil)

// errNotStored is the error of a handler's writes after the commit failed.
var errNotStored = errors.New("ginauth: response replaced: the session could not be stored")

// open commits, once, and reports whether the handler's bytes may be sent.
func (w *commitWriter) open() bool {
	if w.x.response == responseWaiting {
		w.x.response = responseOpen
		defer w.x.Budget.Close()
		if w.Written() { // by an outer middleware: no header can be added any more
			w.x.discard()
			return true
		}
		if err := w.x.commit(w.ResponseWriter.Header(), w.Status()); err != nil {
			w.x.response = responseFailed
			w.replace(err)
		}
	}
	return w.x.response == responseOpen
}

// replace responds with err in place of the handler.
func (w *commitWriter) replace(err error) {
	header := w.ResponseWriter.Header()
	clear(header)
	for name, values := range w.before {
		header[name] = values
	}
	// A compressing writer may wrap this one. The response goes to the writer
	// below.
	outer := w.c.Writer
	w.c.Writer = w.ResponseWriter
	w.x.m.respond(w.c, err)
	w.c.Writer.Flush() // the handler may run for long
	w.c.Writer = outer
}

// Write commits, then writes.
func (w *commitWriter) Write(b []byte) (int, error) {
	if !w.open() {
		return 0, errNotStored
	}
	return w.ResponseWriter.Write(b)
}

// WriteString commits, then writes.
func (w *commitWriter) WriteString(s string) (int, error) {
	if !w.open() {
		return 0, errNotStored
	}
	return w.ResponseWriter.WriteString(s)
}

// WriteHeader sets the status, unless the response was replaced.
func (w *commitWriter) WriteHeader(code int) {
	if w.x.response == responseFailed {
		return
	}
	if w.x.response == responseOpen && code == http.StatusServiceUnavailable && !w.Written() {
		w.x.Jar.Drop(w.Header()) // an outer middleware turned the response into a failure
	}
	w.ResponseWriter.WriteHeader(code)
}

// WriteHeaderNow commits, then sends the header.
func (w *commitWriter) WriteHeaderNow() {
	if w.open() {
		w.ResponseWriter.WriteHeaderNow()
	}
}

// Flush commits, then flushes.
func (w *commitWriter) Flush() {
	if w.open() {
		w.ResponseWriter.Flush()
	}
}

// Hijack commits, then hands over the connection. If the session's id changed in this
// request, a header must carry the new id, which a hijacked connection cannot: Hijack
// then fails before anything is stored.
func (w *commitWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.x.response == responseWaiting && w.x.session.s.NeedsCookie() {
		return nil, nil, errors.New("ginauth: a new session id cannot be sent over a hijacked connection")
	}
	if !w.open() {
		return nil, nil, errNotStored
	}
	return w.ResponseWriter.Hijack()
}

// Unwrap lets http.ResponseController set deadlines on the writer below. It finds
// Flush and Hijack here first.
func (w *commitWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
