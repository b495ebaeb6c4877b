package ginauth

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/models"
)

// The keys under which handlers find what middlewares put on a gin.Context.
const (
	contextAuth = "auth"
	contextGate = "gate"
)

// exchange is everything ginauth knows of one request, in one block of memory.
type exchange struct {
	m   *Manager
	req *http.Request
	// remote is where the client's address is read from.
	remote string
	// started says that StartSession ran, so there is a session.
	started bool
	// plainCookies says that cookies travel without TLS.
	plainCookies bool
	// answering says that the application's ErrorHandler runs.
	answering bool
	// response is how far the answer has got.
	response responseState

	storeTime storeTime
	session   Session
	auth      Authenticator
	gate      Gate
	writer    commitWriter
	limits    *ThrottleConfig // of the route, or nil

	mu    sync.Mutex                // held by who changes these
	users atomic.Pointer[guardUser] // who the guards found, each asked once
	end   atomic.Pointer[ending]    // nil if there is nothing to say
}

// ending is what a response has to say beside its session.
type ending struct {
	fault   error // met by a call that returns no error
	cookies []pendingCookie
}

// guardUser is what one guard answered. It does not change once it is one of the
// exchange's.
type guardUser struct {
	guard *namedGuard
	user  models.Authenticatable
	token *TokenInfo
	err   error
	next  *guardUser // what another one did, or this one before
}

// pendingCookie is set when the session is stored, and not if it is not.
type pendingCookie struct {
	name, value string
	lifetime    time.Duration
}

// errForeign says that a request met middlewares of two managers. Each knows
// other users under the same ids, so neither takes the other's word.
var errForeign = errors.New("ginauth: middlewares of two managers on one route; " +
	"the package-level ones belong to the manager given to SetDefault")

// handle runs what a middleware has to say about a request. The first one on a
// route also runs the rest of the request, and completes the response.
func (m *Manager) handle(c *gin.Context, check func(*exchange) error) {
	x, known := exchangeOf(c)
	switch {
	case !known:
		x = m.begin(c)
		x.run(c, check)
		return
	case x.m != m:
		m.abort(c, errForeign)
		return
	}
	if x.req != c.Request {
		x.req = c.Request
	}
	if err := check(x); err != nil {
		m.abort(c, err)
	}
}

// exchangeOf returns the exchange of a request, whichever manager's it is.
func exchangeOf(c *gin.Context) (*exchange, bool) {
	if w, ours := c.Writer.(*commitWriter); ours { // and nobody has wrapped it
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

// begin makes the exchange of a request, puts its handles on the context and
// wraps the writer.
func (m *Manager) begin(c *gin.Context) *exchange {
	x := &exchange{m: m, req: c.Request, plainCookies: m.plainCookies(c.Request), remote: m.remote(c)}
	x.session.m, x.session.x = m, x
	x.auth.x = x
	m.gate.Bind(&x.gate, (*authenticatorSource)(&x.auth))
	x.setKeys(c)
	x.writer.ResponseWriter, x.writer.x, x.writer.c = c.Writer, x, c
	if h := c.Writer.Header(); len(h) > 0 {
		x.writer.before = maps.Clone(h)
	}
	if c.Writer.Written() {
		x.session.discard() // no header can carry an id any more
	}
	c.Writer = &x.writer
	return x
}

// setKeys puts the handles on the context. Usually they are the first that is put
// there, and the map is theirs to make, of the size that it will have.
func (x *exchange) setKeys(c *gin.Context) {
	if c.Keys == nil {
		keys := make(map[any]any, 3)
		keys[contextAuth], keys[contextGate] = &x.auth, &x.gate
		c.Keys = keys
		return
	}
	c.Set(contextAuth, &x.auth)
	c.Set(contextGate, &x.gate)
}

// run runs the rest of the request. What it panics with discards its changes.
func (x *exchange) run(c *gin.Context, check func(*exchange) error) {
	completed := false
	defer func() {
		x.storeTime.close()
		if !completed {
			x.session.discard()
			x.session.notesOfHungUp(x.req.Context())
			c.Writer = x.writer.ResponseWriter
		}
	}()
	if err := check(x); err != nil {
		x.m.abort(c, err)
	} else {
		c.Next()
	}
	x.writer.open() // answers that are only a status, and no body
	completed = true
}

// startSession makes the session the request's.
func (x *exchange) startSession(c *gin.Context) {
	x.started = true
	c.Set(contribKey, (*contribSession)(&x.session))
}

// commit stores the session and completes the response's headers.
func (x *exchange) commit(h http.Header, status int) error {
	defer x.session.notesOfHungUp(x.req.Context())
	cookies, fault := x.outcome()
	if fault != nil {
		x.session.discard()
		return fault
	}
	if status == http.StatusServiceUnavailable {
		// A request that failed has changed nothing, and a 503 sets no cookie.
		x.session.discard()
		return nil
	}
	// The request's own context: a client that hung up takes its changes with
	// it. What had to end, ended when it was asked for.
	change, err := x.session.commit(x.req.Context())
	if err != nil {
		return err
	}
	name := x.m.cfg.Session.Cookie.Name
	switch {
	case change.set != "":
		x.jar().set(h, name, change.set, x.m.cfg.Session.Cookie.MaxAge)
	case change.clear:
		x.jar().clear(h, name)
	}
	for _, c := range cookies {
		x.jar().set(h, c.name, c.value, c.lifetime)
	}
	cookie := change.set != "" || change.clear || len(cookies) > 0
	if cookie || change.consulted {
		privateResponse(h, cookie)
	}
	return nil
}

// privateResponse keeps caches from showing one user's answer to another.
// OWASP ASVS 5.0, 14.3.2. A handler may say otherwise of what it shows, but not
// of a response that sets a cookie or refuses somebody.
func privateResponse(h http.Header, force bool) {
	if h["Cache-Control"] == nil && h["Vary"] == nil { // as usual: one block for both
		values := [...]string{"no-store", "Cookie"}
		h["Cache-Control"], h["Vary"] = values[:1:1], values[1:]
		return
	}
	control := h.Get("Cache-Control")
	private := headerListHas(control, "no-store") || headerListHas(control, "private")
	if control == "" || (force && !private) {
		h.Set("Cache-Control", "no-store")
	}
	for _, line := range h["Vary"] {
		if headerListHas(line, "Cookie") || headerListHas(line, "*") {
			return
		}
	}
	h.Add("Vary", "Cookie")
}

// dropCookies takes our cookies off a response.
func (x *exchange) dropCookies(h http.Header) {
	own := x.jar().name(x.m.cfg.Session.Cookie.Name)
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, own) })
	if len(h["Set-Cookie"]) == 0 {
		delete(h, "Set-Cookie")
	}
}

// stick makes the request answer with err, whatever its handler writes.
func (x *exchange) stick(err error) {
	if err == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if end := x.ending(); end.fault == nil {
		end.fault = err
	}
}

func (x *exchange) ending() *ending {
	end := x.end.Load()
	if end == nil {
		end = new(ending)
		x.end.Store(end)
	}
	return end
}

// outcome returns the cookies to set, and the first fault.
func (x *exchange) outcome() ([]pendingCookie, error) {
	end := x.end.Load()
	if end == nil {
		return nil, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return end.cookies, end.fault
}

// addCookie sets a cookie once the session is stored.
func (x *exchange) addCookie(name, value string, lifetime time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	end := x.ending()
	end.cookies = append(end.cookies, pendingCookie{name, value, lifetime})
}

// meta describes this request in an event.
func (x *exchange) meta(guard, userID string) events.Meta {
	return events.Meta{
		Time: x.m.now(), Guard: guard, UserID: userID,
		Address: x.ip(), UserAgent: x.userAgent(),
	}
}

// accountMeta is meta for a try to log into an account.
func (x *exchange) accountMeta(guard, userID string, s subject) events.Meta {
	meta := x.meta(guard, userID)
	meta.Account = s.account.String()[:32]
	return meta
}

// remote returns a text that begins with the client's address.
func (m *Manager) remote(c *gin.Context) string {
	if m.cfg.ClientIP != nil {
		// What is no address must not switch the limits off.
		if ip := clientaddr.Host(m.cfg.ClientIP(c)); ip != "" {
			return ip
		}
	}
	return c.Request.RemoteAddr
}

// ip returns the client's address without a port, or "". It is read when it is
// asked for: most requests never need it.
func (x *exchange) ip() string { return clientaddr.Host(x.remote) }

func (x *exchange) userAgent() string { return cut(x.req.UserAgent(), 255) }
