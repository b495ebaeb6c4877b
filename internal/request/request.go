// Package request holds what ginauth knows of one HTTP request beside its session:
// the client's address, the cookies to send, the first failure, and the hooks that
// run around the commit. It does not know Gin.
package request

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/dispatch"
)

// State is the state of one request. It is safe for concurrent use, except that the
// middlewares of the request, which run one after the other, may replace HTTP.
type State struct {
	*Env
	// HTTP is the request as the middlewares before the last one of ginauth left it.
	HTTP *http.Request
	// Remote is the text that the client's address is read from: an address, with
	// or without a port.
	Remote string
	Jar    cookies.Jar
	Budget deadline.Budget

	// Small fields of others that are here because they take no memory beside settled.
	//
	// Started says that the request has a session, and Answering that the application's
	// handler of errors runs: both are set by the middlewares, one after the other.
	// SessionCommitted says that the session cannot be changed any more; the session guards it.
	Started, Answering, SessionCommitted bool

	settled bool // committed or discarded
	// Private says that the response depends on a token that is not in the Authorization header.
	Private atomic.Bool
	mu      sync.Mutex
	// pending is nil as long as there is nothing to do at the commit, as usual.
	pending atomic.Pointer[pending]
}

// pending is what the commit of a request has to do beside storing the session.
type pending struct {
	// begun is the request that the state was made for, if a middleware replaced it since.
	begun          *http.Request
	look           bool // the state was made by Follow
	suspended      any  // a login that waits for a second factor
	enrolling      bool // a login that must enrol a second factor may be the request's
	mailbox        string
	failure        error
	cookies        []Cookie
	twins          []string // names that occur with several values
	beforeResponse []func(context.Context) error
	afterCommit    []func()
}

// Span opens a span of store calls that uses the request's budget. It warns of a *gin.Context, which Gin uses again for
// another request and which does not end when the client hangs up.
func (r *State) Span(ctx context.Context) (context.Context, *deadline.Span) {
	if _, gin := ctx.(interface{ FullPath() string }); gin {
		r.WarnOnce(r.HTTP.Context(), "ginauth: a *gin.Context was passed as a context: pass c.Request.Context()", "path", Cut(r.HTTP.URL.Path, 256))
	}
	return deadline.Begin(ctx, &r.Budget, r.StoreTimeout)
}

// Within returns a context for functions that know no State: their store calls use
// the request's budget.
func (r *State) Within(ctx context.Context) context.Context {
	return deadline.WithBudget(ctx, &r.Budget)
}

// EventContext is Within, and the events under the context describe the client. Of
// returns the State of such a context.
func (r *State) EventContext(ctx context.Context) context.Context {
	return r.WithClient(context.WithValue(r.Within(ctx), stateKey{}, r))
}

// WithClient returns a context that describes the client to events and mails.
func (r *State) WithClient(ctx context.Context) context.Context {
	return dispatch.WithClient(ctx, r.Meta("", ""), r.HTTP.Header.Get("Accept-Language"))
}

type stateKey struct{}

// Of returns the State of the request that a context from EventContext is about, or nil.
func Of(ctx context.Context) *State {
	r, _ := ctx.Value(stateKey{}).(*State)
	return r
}

// Sent records that the response has begun.
func (r *State) Sent() { r.Budget.Close() }

// SetHTTP makes the request as a middleware left it the state's. The first one stays the one whose
// end is the client's.
func (r *State) SetHTTP(now *http.Request) {
	if now == r.HTTP { // the usual case
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.todo(); p.begun == nil {
		p.begun = r.HTTP
	}
	r.HTTP = now
}

// begun returns the request that the state was made for. Its context ends when the client
// disconnects; that of HTTP may end when an inner middleware returns.
func (r *State) begun() *http.Request {
	if r.pending.Load() == nil {
		return r.HTTP
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.todo(); p.begun != nil {
		return p.begun
	}
	return r.HTTP
}

// Context returns the context of what the request does on its own account: it loads sessions,
// commits and runs hooks. It ends with the request that the state was made for, and has the values
// of the context that a later middleware may have put in its place.
func (r *State) Context() context.Context {
	begun := r.begun()
	if r.HTTP == begun {
		return begun.Context()
	}
	return &outerContext{begun.Context(), context.WithoutCancel(r.HTTP.Context())}
}

// outerContext has the end of one context and the values of another.
type outerContext struct {
	context.Context
	values context.Context
}

// Value implements context.Context.
func (c *outerContext) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// Disconnected reports whether the client has disconnected.
func (r *State) Disconnected() bool {
	return errors.Is(r.begun().Context().Err(), context.Canceled)
}

// LogDisconnected logs that changes are lost because the client has disconnected, so that no
// response says so.
func (r *State) LogDisconnected(changed bool) {
	if changed && r.Disconnected() {
		r.Log.InfoContext(r.Context(), "ginauth: changes discarded", "reason", "the client disconnected")
	}
}

// Fail records the request's first failure: the response reports it, whatever the
// handler writes. A nil err is ignored.
func (r *State) Fail(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.todo()
	if p.failure == nil {
		p.failure = err
	}
	if r.settled && !p.look { // no response can report it
		r.Log.ErrorContext(r.HTTP.Context(), "ginauth: failed after the response began", "error", Cut(err.Error(), 256))
	}
}

// Outcome returns the recorded failure, or nil.
func (r *State) Outcome() error {
	p := r.pending.Load()
	if p == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.failure
}

// AllowEnrolling lets a login that must enrol a second factor be the request's.
func (r *State) AllowEnrolling() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.todo().enrolling = true
}

// Enrolling reports whether AllowEnrolling was called.
func (r *State) Enrolling() bool {
	if r.pending.Load() == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.todo().enrolling
}

// Suspend keeps a login that waits for a second factor, and Suspended returns it, or nil.
func (r *State) Suspend(login any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.todo().suspended = login
}

// Suspended returns what Suspend kept, or nil.
func (r *State) Suspended() any {
	if r.pending.Load() == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.todo().suspended
}

// ProveMailbox records that the client proved to read mail at an address, and ProvedMailbox returns the
// address, or "".
func (r *State) ProveMailbox(email string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.todo().mailbox = email
}

// ProvedMailbox returns the address that ProveMailbox recorded, or "".
func (r *State) ProvedMailbox() string {
	if r.pending.Load() == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.todo().mailbox
}

// BeforeResponse adds a hook that runs once the session is stored, before the
// response begins. Its error fails the request. The hook also runs when the client
// disconnected, because the client may still have the cookie of a former response.
func (r *State) BeforeResponse(hook func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.todo()
	p.beforeResponse = append(p.beforeResponse, hook)
}

// AfterCommit adds a hook that runs once everything is stored. It never runs if the
// request fails.
func (r *State) AfterCommit(hook func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settled {
		return
	}
	p := r.todo()
	p.afterCommit = append(p.afterCommit, hook)
}

// Emit dispatches an event once what it tells of is stored.
func (r *State) Emit(e events.Event) {
	ctx := context.WithoutCancel(r.HTTP.Context())
	r.AfterCommit(func() { r.Dispatch(ctx, e) })
}

// Settle ends the request's changes: no further cookie or AfterCommit hook is accepted.
func (r *State) Settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled = true
}

// Discard drops the cookies and the AfterCommit hooks, unless the request is settled, and settles
// it. It reports whether there were any.
func (r *State) Discard() (lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.pending.Load(); p != nil {
		lost = !r.settled && len(p.cookies)+len(p.afterCommit) > 0
		p.afterCommit = nil
	}
	r.settled = true
	return lost
}

// RunBeforeResponse runs the before-response hooks, each once.
func (r *State) RunBeforeResponse(ctx context.Context) error {
	for _, hook := range r.takeBeforeResponse() {
		if err := hook(ctx); err != nil {
			return err
		}
	}
	return nil
}

// RunIfDisconnected runs the before-response hooks if the client disconnected, and
// logs what fails: there is no response to report it.
func (r *State) RunIfDisconnected(ctx context.Context) {
	if ctx.Err() == nil {
		return
	}
	if err := r.RunBeforeResponse(context.WithoutCancel(ctx)); err != nil {
		r.Log.ErrorContext(ctx, "ginauth: before-response hook failed after the client disconnected", "error", Cut(err.Error(), 256))
	}
}

func (r *State) takeBeforeResponse() []func(context.Context) error {
	if r.pending.Load() == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.todo()
	hooks := p.beforeResponse
	p.beforeResponse = nil
	return hooks
}

// RunAfterCommit runs the AfterCommit hooks. It holds no lock: they call the
// application's code.
func (r *State) RunAfterCommit() {
	for _, hook := range r.takeAfterCommit() {
		hook()
	}
}

// DropAfterCommit forgets the AfterCommit hooks, because what they tell of did not
// happen or has ended again.
func (r *State) DropAfterCommit() { r.takeAfterCommit() }

func (r *State) takeAfterCommit() []func() {
	if r.pending.Load() == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.todo()
	hooks := p.afterCommit
	p.afterCommit = nil
	return hooks
}

// todo returns what the commit has to do. The caller holds the lock.
func (r *State) todo() *pending {
	p := r.pending.Load()
	if p == nil {
		p = new(pending)
		r.pending.Store(p)
	}
	return p
}

// SetRemote sets the text that the client's address is read from. A text without an address is
// ignored: it must not turn the limits off.
func (r *State) SetRemote(text string) {
	if ip := clientaddr.Host(text); ip != "" {
		r.Remote = ip
	}
}

// Meta describes this request in an event. The user is the one concerned, or "".
func (r *State) Meta(guard, userID string) events.Meta {
	return events.Meta{
		Time: r.Now(), Guard: guard, UserID: userID,
		Address: r.IP(), UserAgent: r.UserAgent(),
	}
}

// IP returns the client's address without a port, or "". It is parsed on demand:
// most requests do not need it.
func (r *State) IP() string { return clientaddr.Host(r.Remote) }

// UserAgent returns at most 255 bytes of the client's User-Agent header.
func (r *State) UserAgent() string { return Cut(r.HTTP.UserAgent(), 255) }
