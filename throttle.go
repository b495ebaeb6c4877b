package ginauth

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// subject is what a try to log in is counted under.
type subject struct {
	account stores.Digest // names the account in keys and events
	address string        // IPv4, or the /64 of IPv6; "" if not known
	device  *knownDevice  // set if this device has logged into the account
}

// accountMeta is Meta for a try to log into an account.
func (x *requestState) accountMeta(guard, userID string, s subject) events.Meta {
	meta := x.Meta(guard, userID)
	meta.Account = s.account.String()[:32]
	return meta
}

// subject returns the subject of a try. The account is named by the canonical
// identifier that is looked up, so that every spelling that reaches one account
// shares one count, and none can be made to look like another's: keys are MACs
// over length-prefixed parts.
func (x *requestState) subject(g *guardEntry, field, canonical string) subject {
	parts := [][]byte{[]byte(g.realm), []byte(field), []byte(canonical)}
	s := subject{account: x.m.subkeys.account.MAC(parts...)}
	s.address, _ = clientaddr.Prefix(x.Remote)
	s.device = x.deviceFor(parts)
	return s
}

// window returns the window that counts something. Its name has the period in
// it: a route that counts by the hour does not share a window of a minute.
func (m *Manager) window(kind string, l Limit, parts ...[]byte) stores.Window {
	var room [64]byte
	name := append(append(room[:0], kind...), 0)
	name = strconv.AppendInt(name, int64(l.Per), 10)
	return stores.Window{Key: m.subkeys.throttle.MACOf(name, parts), Limit: l.Attempts, Period: l.Per}
}

// addressLimit is what a window of an address is found by.
type addressLimit struct {
	host string
	Limit
}

// knownAddresses is how many windows of addresses are remembered.
const knownAddresses = 1024

// addressWindow returns the window that counts tries from the request's address,
// if that is known. Naming it takes longer than looking it up, so the latest are
// remembered.
func (x *requestState) addressWindow(l Limit) (w stores.Window, ok bool) {
	key := addressLimit{clientaddr.WithoutPort(x.Remote), l}
	if w, ok = x.m.windows.Get(key); ok {
		return w, true
	}
	address, ok := clientaddr.Prefix(x.Remote)
	if !ok {
		return w, false
	}
	w = x.m.window("address", l, []byte(address))
	key.host = strings.Clone(key.host) // without the port behind it
	x.m.windows.Put(key, w)
	return w, true
}

// try is one try to log in, with the slots it took.
type try struct {
	x        *requestState
	limits   *ThrottleConfig
	guard    string
	subject  subject
	address  []stores.Slot   // of the address's window
	accounts []stores.Slot   // of the account's windows
	keys     []stores.Digest // of the account's windows
}

// take counts a try, or refuses it.
func (x *requestState) take(ctx context.Context, guard string, s subject) (*try, error) {
	t := &try{x: x, limits: x.limitsOfRoute(), guard: guard, subject: s}
	var windows []stores.Window
	// Where the address is not known, as on a Unix socket, all clients would
	// share one: it is then not counted.
	if s.address != "" {
		window, _ := x.addressWindow(t.limits.Address)
		windows = append(windows, window)
	}
	if s.device != nil {
		windows = append(windows, x.m.window("device", t.limits.Device, s.account[:], s.device.id[:]))
	} else {
		windows = append(windows, t.strangerWindows()...)
	}
	slots, err := t.takeSlots(ctx, windows)
	if err != nil || slots == nil {
		return t, err
	}
	if s.address != "" {
		t.address, slots, windows = slots[:1], slots[1:], windows[1:]
	}
	t.note(slots, windows)
	return t, nil
}

// takeAsStranger takes the slots that a device which turned out to be a
// stranger had been spared.
func (t *try) takeAsStranger(ctx context.Context) error {
	return t.takeAlso(ctx, t.strangerWindows())
}

// takeAlso takes further slots of the account.
func (t *try) takeAlso(ctx context.Context, windows []stores.Window) error {
	slots, err := t.takeSlots(ctx, windows)
	if err == nil && slots != nil {
		t.note(slots, windows)
	}
	return err
}

func (t *try) strangerWindows() []stores.Window {
	m, s := t.x.m, &t.subject
	w := []stores.Window{m.window("account", t.limits.Account, s.account[:])}
	if s.address != "" {
		w = append(w, m.window("account and address", t.limits.AccountAddress, s.account[:], []byte(s.address)))
	}
	return w
}

// takeForUser counts the try under the user whom the identifier named, who may
// have others. Where it named nobody the same work is done.
func (t *try) takeForUser(ctx context.Context, realm string, u models.Authenticatable) error {
	who := t.subject.account[:]
	if u != nil {
		who = []byte(u.AuthID())
	}
	windows := []stores.Window{t.x.m.window("user", t.limits.Account, []byte(realm), who)}
	if address := t.subject.address; address != "" {
		windows = append(windows, t.x.m.window("user and address", t.limits.AccountAddress, []byte(realm), who, []byte(address)))
	}
	return t.takeAlso(ctx, windows)
}

func (t *try) note(slots []stores.Slot, windows []stores.Window) {
	t.accounts = append(t.accounts, slots...)
	for _, w := range windows {
		t.keys = append(t.keys, w.Key)
	}
}

// takeSlots takes a slot in each window. It returns none if nothing is limited.
func (t *try) takeSlots(ctx context.Context, windows []stores.Window) ([]stores.Slot, error) {
	if t.limits.InsecureDisable {
		return nil, nil
	}
	x := t.x
	phase, span := x.Span(ctx)
	defer span.End()
	grant, err := x.m.stores.Limiter.Reserve(phase, x.m.env.Now(), windows...)
	if err != nil {
		return nil, autherr.Unavailable("count attempts", err) // never unlimited tries
	}
	if !grant.OK() || len(grant.Slots) != len(windows) {
		x.m.Dispatch(ctx, events.Lockout{Meta: x.accountMeta(t.guard, "", t.subject), RetryAfter: grant.RetryAfter})
		return nil, &ThrottledError{RetryAfter: grant.RetryAfter}
	}
	return grant.Slots, nil
}

// succeed forgets the account's tries and gives back the address's own slot:
// the address keeps what others spent, and an office behind one address is not
// locked out by its own logins.
func (t *try) succeed(ctx context.Context) error {
	if len(t.keys) == 0 {
		return nil
	}
	phase, span := t.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err := t.x.m.stores.Limiter.Reset(phase, t.keys...); err != nil {
		return autherr.Unavailable("clear attempts", err)
	}
	t.keys, t.accounts = nil, nil
	return t.putBack(phase, t.address)
}

// release gives the slots of this try back: no secret was compared.
func (t *try) release(ctx context.Context) error {
	phase, span := t.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	slots := append(t.address, t.accounts...)
	t.accounts, t.keys = nil, nil
	return t.putBack(phase, slots)
}

func (t *try) putBack(ctx context.Context, slots []stores.Slot) error {
	t.address = nil
	if len(slots) == 0 {
		return nil
	}
	return autherr.Unavailable("return attempt", t.x.m.stores.Limiter.Refund(ctx, slots...))
}

// LoginAttempt is a try that Authenticator.Throttle has counted. It is used by one
// goroutine.
type LoginAttempt struct{ t *try }

// Throttle counts a try to prove a secret of the account that field and
// identifier name, for handlers that check one themselves. It counts in the
// same windows as Attempt. The errors are *InputError, *ThrottledError and
// ErrUnavailable; after none, the handler calls Succeed if the secret was
// right, and Release if none was compared.
func (a *Authenticator) Throttle(ctx context.Context, field, identifier string) (*LoginAttempt, error) {
	g := a.current()
	if g.users == nil {
		return nil, errNoProvider
	}
	canonical, err := canonicalIdentifier(g.users, field, identifier)
	if err != nil {
		return nil, err
	}
	s := a.x.subject(g, field, canonical)
	// Whether the device's stamp still fits is not known here, so it counts as
	// a stranger's.
	s.device = nil
	t, err := a.x.take(ctx, g.name, s)
	if err != nil {
		return nil, err
	}
	return &LoginAttempt{t}, nil
}

// Succeed forgets the account's tries, as a login does. The error wraps
// ErrUnavailable.
func (a *LoginAttempt) Succeed(ctx context.Context) error { return a.t.succeed(ctx) }

// Release gives the slots of this try back, as if it had not been. The error
// wraps ErrUnavailable.
func (a *LoginAttempt) Release(ctx context.Context) error { return a.t.release(ctx) }

// ThrottleOption changes the limits of one route.
type ThrottleOption func(*ThrottleConfig)

// LimitAccountAddress sets the limit of one account from one address.
func LimitAccountAddress(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.AccountAddress = Limit{attempts, per} }
}

// LimitAddress sets the limit of one address.
func LimitAddress(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.Address = Limit{attempts, per} }
}

// LimitAccount sets the limit of one account from anywhere.
func LimitAccount(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.Account = Limit{attempts, per} }
}

// LimitDevice sets the limit of one account from a device known to it.
func LimitDevice(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.Device = Limit{attempts, per} }
}

// ThrottleLogins refuses a request from an address that has no try left before
// its handler reads the body, and can give the route limits of its own: limits
// with the manager's period share its count, others have one of their own. The
// tries themselves are counted by Attempt, also without this middleware. It
// panics if a limit is none.
func (m *Manager) ThrottleLogins(options ...ThrottleOption) gin.HandlerFunc {
	limits := m.cfg.Throttle
	for _, option := range options {
		option(&limits)
	}
	var f faults
	if limits.check(&f); len(f) > 0 {
		panic(fmt.Sprintf("ginauth: ThrottleLogins: %v", f.err()))
	}
	return func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			x.limits = &limits
			return x.peek(c.Request.Context())
		})
	}
}

// countGuess counts a guess at a token. Tokens are too long to be guessed;
// whoever tries nevertheless is told to wait.
func (x *requestState) countGuess(ctx context.Context) error {
	limits := x.limitsOfRoute()
	address, ok := clientaddr.Prefix(x.Remote)
	if !ok || limits.InsecureDisable {
		return nil
	}
	grant, err := x.m.stores.Limiter.Reserve(ctx, x.m.env.Now(), x.m.window("token guess", limits.Address, []byte(address)))
	if err != nil {
		return autherr.Unavailable("count attempts", err)
	}
	if grant.OK() {
		return nil
	}
	x.m.Dispatch(ctx, events.Lockout{Meta: x.Meta("", ""), RetryAfter: grant.RetryAfter})
	return &ThrottledError{RetryAfter: grant.RetryAfter}
}

// limitsOfRoute returns the limits that the route has.
func (x *requestState) limitsOfRoute() *ThrottleConfig {
	if x.limits != nil {
		return x.limits
	}
	return &x.m.cfg.Throttle
}

// peek refuses a request whose address is locked already.
func (x *requestState) peek(ctx context.Context) error {
	limits := x.limitsOfRoute()
	window, ok := x.addressWindow(limits.Address)
	if !ok || limits.InsecureDisable {
		return nil
	}
	phase, span := x.Span(ctx)
	defer span.End()
	grant, err := x.m.stores.Limiter.Peek(phase, x.m.env.Now(), window)
	if err != nil {
		return autherr.Unavailable("count attempts", err)
	}
	if grant.OK() {
		return nil
	}
	x.m.Dispatch(ctx, events.Lockout{Meta: x.Meta("", ""), RetryAfter: grant.RetryAfter})
	return &ThrottledError{RetryAfter: grant.RetryAfter}
}
