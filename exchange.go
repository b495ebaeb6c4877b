package ginauth

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// The keys under which a gin.Context holds what middlewares put there.
const (
	contextAuth   = "auth"
	contextGate   = "gate"
	contextLoaded = "ginauth.loaded"
)

// exchange is everything ginauth knows of one request, in one block of memory.
type exchange struct {
	m   *Manager
	req *http.Request
	jar cookieJar
	ip  string // the client's address, as configured
	// started says that StartSession ran, so there is a session.
	started bool

	session Session
	auth    Authenticator
	gate    Gate
	compat  contribSession
	writer  sessionWriter

	mu      sync.Mutex
	fault   error         // met by a call that returns no error
	users   []guardUser   // who the guards found, each asked once
	slots   []stores.Slot // taken from the throttle by this request
	limits  *ThrottleConfig
	cookies []pendingCookie
}

// guardUser is what one guard answered.
type guardUser struct {
	guard string
	user  models.Authenticatable
}

// pendingCookie is set when the session is stored, and not if it is not.
type pendingCookie struct {
	name, value string
	lifetime    time.Duration
}

// begin makes the exchange of a request and puts its handles on the context.
func (m *Manager) begin(c *gin.Context) *exchange {
	x := &exchange{m: m, req: c.Request, jar: m.jarFor(c.Request), ip: m.clientIP(c)}
	x.session = Session{m: m, ctx: c.Request.Context(), ofRequest: true}
	x.auth = Authenticator{x: x, guard: m.guards[m.cfg.DefaultGuard]}
	m.gate.bind(&x.gate, &x.auth)
	c.Set(contextAuth, &x.auth)
	c.Set(contextGate, &x.gate)
	return x
}

// exchangeOf returns the manager's exchange of a request, or nil. A handle of
// another manager is none: it knows other users under the same ids.
func (m *Manager) exchangeOf(c *gin.Context) *exchange {
	if v, ok := c.Get(contextAuth); ok {
		if a, ok := v.(*Authenticator); ok && a.x != nil && a.x.m == m {
			return a.x
		}
	}
	return nil
}

// startSession reads the session's cookie and wraps the writer.
func (x *exchange) startSession(c *gin.Context) {
	x.started = true
	x.session.address, x.session.userAgent = cut(x.ip, 64), cut(x.req.UserAgent(), 255)
	if text, ok := x.jar.get(x.req.Header, x.m.cfg.Session.Cookie.Name); ok {
		if id, ok := parseSessionID(text); ok {
			x.session.presented = &id
		} else {
			x.session.clearing = true
		}
	}
	x.writer = sessionWriter{ResponseWriter: c.Writer, x: x, c: c}
	if h := c.Writer.Header(); len(h) > 0 {
		x.writer.before = maps.Clone(h)
	}
	c.Writer = &x.writer
	x.compat = contribSession{&x.session}
	c.Set(contribKey, &x.compat)
}

// commit stores the session and completes the response's headers.
func (x *exchange) commit(h http.Header, status int) error {
	if err := x.firstFault(); err != nil {
		return err
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
		x.jar.set(h, name, change.set, x.m.cfg.Session.Cookie.MaxAge)
	case change.clear:
		x.jar.clear(h, name)
	}
	x.mu.Lock()
	cookies := x.cookies
	x.mu.Unlock()
	for _, c := range cookies {
		x.jar.set(h, c.name, c.value, c.lifetime)
	}
	if x.session.wasConsulted() {
		privateResponse(h)
	}
	return nil
}

// privateResponse keeps caches from showing one user's answer to another.
// OWASP ASVS 5.0, 14.3.2.
func privateResponse(h http.Header) {
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	for _, line := range h["Vary"] {
		if headerListHas(line, "Cookie") || headerListHas(line, "*") {
			return
		}
	}
	h.Add("Vary", "Cookie")
}

// stick makes the request answer with err, whatever its handler writes.
func (x *exchange) stick(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fault == nil && err != nil {
		x.fault = err
	}
}

func (x *exchange) firstFault() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.fault
}

// addCookie sets a cookie once the session is stored.
func (x *exchange) addCookie(name, value string, lifetime time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cookies = append(x.cookies, pendingCookie{name, value, lifetime})
}

// meta describes this request in an event.
func (x *exchange) meta(guard, userID string) events.Meta {
	return events.Meta{
		Time: x.m.now(), Guard: guard, UserID: userID,
		Address: x.ip, UserAgent: cut(x.req.UserAgent(), 255),
	}
}

// accountMeta is meta for a try to log into an account.
func (x *exchange) accountMeta(guard, userID string, s subject) events.Meta {
	meta := x.meta(guard, userID)
	meta.Account = s.account.String()[:32]
	return meta
}

// clientIP returns the client's address without a port, or "".
func (m *Manager) clientIP(c *gin.Context) string {
	if m.cfg.ClientIP != nil {
		return m.cfg.ClientIP(c)
	}
	return clientaddr.Host(c.Request.RemoteAddr)
}

// phaseContext is a context with the deadline of one phase of a request.
type phaseContext struct{ context.Context }

// phase returns the context of the store calls of one phase. Within a phase it
// returns the phase's own, so that its calls share one deadline.
func (m *Manager) phase(ctx context.Context) (context.Context, context.CancelFunc) {
	if p, ok := ctx.(phaseContext); ok {
		return p, func() {}
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StoreTimeout)
	return phaseContext{ctx}, cancel
}
