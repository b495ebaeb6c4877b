package ginauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/stores"
)

// subject is what a try to log in is counted under.
type subject struct {
	account stores.Digest // names the account in keys and events
	address string        // IPv4, or the /64 of IPv6; "" if not known
	device  *knownDevice  // set if this device has logged into the account
}

// subject returns the subject of a try. The account is named by the canonical
// identifier that is looked up, so that every spelling that reaches one account
// shares one count, and none can be made to look like another's: keys are MACs
// over length-prefixed parts.
func (x *exchange) subject(g *namedGuard, field, canonical string) subject {
	parts := [][]byte{[]byte(g.realm), []byte(field), []byte(canonical)}
	s := subject{account: x.m.subkeys.account.MAC(parts...)}
	s.address, _ = clientaddr.Prefix(x.ip)
	s.device = x.deviceFor(parts)
	return s
}

// limitsOf returns the limits of the route.
func (x *exchange) limitsOf() *ThrottleConfig {
	if x.limits != nil {
		return x.limits
	}
	return &x.m.cfg.Throttle
}

func (m *Manager) window(kind string, l Limit, parts ...[]byte) stores.Window {
	key := m.subkeys.throttle.MAC(append([][]byte{[]byte(kind)}, parts...)...)
	return stores.Window{Key: key, Limit: l.Attempts, Period: l.Per}
}

// windows returns what a try takes a slot of. Where the address is not known,
// as on a Unix socket, all clients would share one: it is then not counted.
func (x *exchange) windows(s subject) []stores.Window {
	limits := x.limitsOf()
	var w []stores.Window
	if s.address != "" {
		w = append(w, x.m.window("address", limits.Address, []byte(s.address)))
	}
	if s.device != nil {
		return append(w, x.deviceWindow(*s.device))
	}
	return append(w, x.strangerWindows(s)...)
}

func (x *exchange) strangerWindows(s subject) []stores.Window {
	limits := x.limitsOf()
	w := []stores.Window{x.m.window("account", limits.Account, s.account[:])}
	if s.address != "" {
		w = append(w, x.m.window("account and address", limits.AccountAddress, s.account[:], []byte(s.address)))
	}
	return w
}

// take takes the slots of a try, or refuses it.
func (x *exchange) take(ctx context.Context, guard string, s subject) error {
	return x.takeWindows(ctx, guard, s, x.windows(s))
}

// takeAsStranger takes the slots that a device which turned out to be a
// stranger had been spared.
func (x *exchange) takeAsStranger(ctx context.Context, guard string, s subject) error {
	return x.takeWindows(ctx, guard, s, x.strangerWindows(s))
}

func (x *exchange) takeWindows(ctx context.Context, guard string, s subject, windows []stores.Window) error {
	if x.limitsOf().InsecureDisable {
		return nil
	}
	phase, cancel := x.m.phase(ctx)
	defer cancel()
	grant, err := x.m.stores.Limiter.Take(phase, x.m.now(), windows...)
	if err != nil {
		return unavailable("count attempts", err) // never unlimited tries
	}
	if !grant.OK() {
		x.m.Dispatch(ctx, events.Lockout{Meta: x.accountMeta(guard, "", s), RetryAfter: grant.RetryAfter})
		return &ThrottledError{RetryAfter: grant.RetryAfter}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.slots = append(x.slots, grant.Slots...)
	return nil
}

// settleSuccess forgets the account's tries and gives back the address's slot:
// the address keeps what others spent, and an office behind one address is not
// locked out by its own logins.
func (x *exchange) settleSuccess(ctx context.Context, s subject) error {
	if x.limitsOf().InsecureDisable {
		return nil
	}
	phase, cancel := x.m.phase(context.WithoutCancel(ctx))
	defer cancel()
	var keys []stores.Digest
	var address stores.Digest
	for i, w := range x.windows(s) {
		if i == 0 && s.address != "" {
			address = w.Key
			continue
		}
		keys = append(keys, w.Key)
	}
	if err := x.m.stores.Limiter.Reset(phase, keys...); err != nil {
		return unavailable("clear attempts", err)
	}
	return unavailable("return attempt", x.putBack(phase, func(slot stores.Slot) bool { return slot.Key == address }))
}

// putBack returns slots of this request.
func (x *exchange) putBack(ctx context.Context, which func(stores.Slot) bool) error {
	x.mu.Lock()
	var back []stores.Slot
	x.slots = slices.DeleteFunc(x.slots, func(s stores.Slot) bool {
		if which(s) {
			back = append(back, s)
			return true
		}
		return false
	})
	x.mu.Unlock()
	if len(back) == 0 {
		return nil
	}
	return x.m.stores.Limiter.PutBack(ctx, back...)
}

// spend makes the slots taken so far stay taken.
func (x *exchange) spend() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.slots = nil
}

// settle gives back the slots of a request that was refused for its form: 413,
// 415 or 422. Everything else was a try.
func (x *exchange) settle(status int) {
	if status != 413 && status != 415 && status != 422 {
		return
	}
	ctx, cancel := x.m.phase(context.WithoutCancel(x.req.Context()))
	defer cancel()
	if err := x.putBack(ctx, func(stores.Slot) bool { return true }); err != nil {
		x.m.log.Warn("ginauth: slots of a malformed attempt not returned", "error", err)
	}
}

// Attempts is a try that Throttle has counted.
type Attempts struct {
	x *exchange
	s subject
}

// Throttle counts a try to prove a secret of the account that field and
// identifier name, for handlers that check one themselves. It counts in the
// same windows as Attempt. The errors are *InputError, *ThrottledError and
// ErrUnavailable; after none, the handler calls Succeeded if the secret was
// right.
func (a *Authenticator) Throttle(ctx context.Context, field, identifier string) (*Attempts, error) {
	g := a.current()
	if g.users == nil {
		return nil, errNoProvider
	}
	canonical, err := canonicalIdentifier(g.users, field, identifier)
	if err != nil {
		return nil, err
	}
	t := &Attempts{a.x, a.x.subject(g, field, canonical)}
	// Whether the device's stamp still fits is not known here, so it counts as
	// a stranger's.
	t.s.device = nil
	if err := a.x.take(ctx, g.name, t.s); err != nil {
		return nil, err
	}
	return t, nil
}

// Succeeded forgets the account's tries, as a login does.
func (t *Attempts) Succeeded(ctx context.Context) error { return t.x.settleSuccess(ctx, t.s) }

// Release gives the slots of this try back: it was none.
func (t *Attempts) Release(ctx context.Context) error {
	ctx, cancel := t.x.m.phase(ctx)
	defer cancel()
	return unavailable("return attempt", t.x.putBack(ctx, func(stores.Slot) bool { return true }))
}

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
// its handler reads the body, and can give the route limits of its own. The
// tries themselves are counted by Attempt, also without this middleware. It
// panics if a limit is none. It is ginauth.ThrottleLogins for this manager.
func (m *Manager) ThrottleLogins(options ...ThrottleOption) gin.HandlerFunc {
	limits := m.cfg.Throttle
	for _, option := range options {
		option(&limits)
	}
	var f faults
	if limits.check(&f); len(f) > 0 {
		panic(f.err().Error())
	}
	return func(c *gin.Context) {
		x := m.require(c)
		if x == nil {
			return
		}
		x.limits = &limits
		if err := x.peek(); err != nil {
			m.abort(c, err)
		}
	}
}

// peek refuses a request whose address is locked already, or whose device is
// for every account that it knows.
func (x *exchange) peek() error {
	limits := x.limitsOf()
	if limits.InsecureDisable {
		return nil
	}
	if address, ok := clientaddr.Prefix(x.ip); ok {
		if err := x.peekWindow(x.m.window("address", limits.Address, []byte(address))); err != nil {
			return err
		}
	}
	var err error
	for _, d := range x.knownDevices() {
		if err = x.peekWindow(x.deviceWindow(d)); !errors.Is(err, ErrThrottled) {
			return err
		}
	}
	return err
}

func (x *exchange) peekWindow(w stores.Window) error {
	ctx, cancel := x.m.phase(x.req.Context())
	defer cancel()
	grant, err := x.m.stores.Limiter.Peek(ctx, x.m.now(), w)
	if err != nil {
		return unavailable("count attempts", err)
	}
	if grant.OK() {
		return nil
	}
	x.m.Dispatch(ctx, events.Lockout{Meta: x.meta("", ""), RetryAfter: grant.RetryAfter})
	return &ThrottledError{RetryAfter: grant.RetryAfter}
}

func (x *exchange) deviceWindow(d knownDevice) stores.Window {
	return x.m.window("device", x.limitsOf().Device, d.account[:], d.id[:])
}
