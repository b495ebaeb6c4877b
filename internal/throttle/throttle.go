// Package throttle counts attempts to prove a secret and requests of an address. It is
// the only place that makes the windows of an account, so that every way to prove a
// secret of one account shares one count.
package throttle

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/recent"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// Limit is a number of attempts within a time.
type Limit struct {
	Attempts int
	Per      time.Duration
}

// networkShare is how many times the limit of a /64 is that of its /48. Somebody who has
// 65,536 networks of /64 has that many attempts, and fills that many windows.
const networkShare = 20

// Times returns n times the attempts in the same time.
func (l Limit) Times(n int) Limit {
	return Limit{Attempts: n * min(l.Attempts, math.MaxInt32/n), Per: l.Per}
}

// Check returns an error if the limit is none.
func (l Limit) Check() error {
	if l.Attempts < 1 || l.Per < time.Second {
		return fmt.Errorf("%d per %v is not a limit: at least 1 attempt in at least 1 s", l.Attempts, l.Per)
	}
	return nil
}

// Limits are the limits of attempts to log in. The root package documents them.
type Limits struct {
	AccountAddress, Address, Account, Device, Passwords, Network Limit
	// Disabled turns all limits off.
	Disabled bool
}

// CheckLimits adds what is wrong with limits, whose fields are named after prefix.
func (l *Limits) CheckLimits(prefix string, f *faults.List) {
	for field, limit := range map[string]Limit{
		"AccountAddress": l.AccountAddress, "Address": l.Address, "Account": l.Account, "Device": l.Device,
		"Passwords": l.Passwords, "Network": l.Network,
	} {
		if err := limit.Check(); err != nil {
			f.Add(prefix+field, "%v", err)
		}
	}
}

// Config configures a Limiter.
type Config struct {
	// Limits hold for routes without limits of their own.
	Limits Limits
	// Keys name windows, and Accounts names accounts.
	Keys, Accounts keys.Subkeys
	// Devices seals the cookies of known devices.
	Devices stores.Sealer
}

// Limiter counts attempts. It is safe for concurrent use.
type Limiter struct {
	env     *request.Env
	store   stores.Limiter
	cfg     Config
	windows *recent.Results[addressLimit, stores.Window]
	// full holds when windows of addresses end that were full when this process asked last.
	full    *recent.Results[stores.Digest, time.Time]
	flights flights
}

// New returns a Limiter that counts in a store.
func New(env *request.Env, store stores.Limiter, cfg Config) *Limiter {
	return &Limiter{
		env: env, store: store, cfg: cfg,
		windows: recent.New[addressLimit, stores.Window](2 * knownAddresses),
		full:    recent.New[stores.Digest, time.Time](knownAddresses),
	}
}

// Window returns the window that counts something. Its name contains the period: a
// route that counts by the hour does not share a window of a minute.
func (l *Limiter) Window(kind string, limit Limit, parts ...[]byte) stores.Window {
	var room [64]byte
	name := append(append(room[:0], kind...), 0)
	name = strconv.AppendInt(name, int64(limit.Per), 10)
	return stores.Window{Key: l.cfg.Keys.MACOf(name, parts), Limit: limit.Attempts, Period: limit.Per}
}

// addressLimit is the key of a remembered window.
type addressLimit struct {
	kind, host string
	Limit
}

// knownAddresses is how many addresses are remembered, with two windows each, and how many full windows.
const knownAddresses = 1024

// attempts is the kind of the window that counts attempts from an address.
const attempts = "address"

// addressWindow returns the window of a kind of the request's address, if the address is
// known. To name it takes longer than to look it up, so the latest are remembered.
func (l *Limiter) addressWindow(r *request.State, kind string, limit Limit) (w stores.Window, ok bool) {
	key := addressLimit{kind, clientaddr.WithoutPort(r.Remote), limit}
	if w, ok = l.windows.Get(key); ok {
		return w, true
	}
	address, ok := clientaddr.Prefix(r.Remote)
	if !ok {
		return w, false
	}
	w = l.Window(kind, limit, []byte(address))
	key.host = strings.Clone(key.host) // not the port behind it
	l.windows.Put(key, w)
	return w, true
}

// subject describes in events what was refused. It is not a function, so that passing
// one costs no memory.
type subject interface{ lockout() events.Meta }

// aRequest is the subject of a request that names no account.
type aRequest struct{ r *request.State }

func (a aRequest) lockout() events.Meta { return a.r.Meta("", "") }

// reserve reserves a slot in each window. If one is full it reserves none, dispatches
// a Lockout of the subject, if there is one, and returns an *autherr.ThrottledError.
func (l *Limiter) reserve(ctx context.Context, doing string, of subject, windows ...stores.Window) ([]stores.Slot, error) {
	grant, err := l.store.Reserve(ctx, l.env.Now(), windows...)
	if err != nil {
		return nil, autherr.Unavailable(doing, err) // never unlimited attempts
	}
	if !grant.OK() || len(grant.Slots) != len(windows) {
		return nil, l.refuse(ctx, grant, of)
	}
	return grant.Slots, nil
}

func (l *Limiter) refuse(ctx context.Context, grant stores.Grant, of subject) error {
	if of != nil {
		l.env.Dispatch(ctx, events.Lockout{Meta: of.lockout(), RetryAfter: grant.RetryAfter})
	}
	return &autherr.ThrottledError{RetryAfter: grant.RetryAfter}
}

// limits returns the limits of a route, or the manager's if lim is nil.
func (l *Limiter) limits(lim *Limits) *Limits {
	if lim != nil {
		return lim
	}
	return &l.cfg.Limits
}

// Peek refuses a request whose address has no attempt left, if this process has refused the
// address before: to ask the store about each request would cost every login a round trip, and
// the attempt itself is counted in any case. It counts nothing. It lets a request pass that may
// wait for attempts in flight.
func (l *Limiter) Peek(ctx context.Context, r *request.State, lim *Limits) error {
	lim = l.limits(lim)
	window, ok := l.addressWindow(r, attempts, lim.Address)
	if !ok || lim.Disabled {
		return nil
	}
	if until, ok := l.full.Get(window.Key); !ok || !until.After(l.env.Now()) {
		return nil
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	grant, err := l.store.Peek(ctx, l.env.Now(), window)
	if err != nil {
		return autherr.Unavailable("count attempts", err)
	}
	if grant.OK() || l.flights.busy(window.Key) {
		return nil
	}
	return l.refuse(ctx, grant, aRequest{r})
}

// recordFull remembers that the window of an attempt's address is full, for Peek. Nothing asks for the others.
func (l *Limiter) recordFull(a *Attempt, grant stores.Grant, asked time.Time) {
	key := a.windows[grant.Full].Key
	if address, ok := l.addressWindow(a.r, attempts, a.limits.Address); ok && address.Key == key {
		l.full.Put(key, asked.Add(grant.RetryAfter))
	}
}

// CountGuess counts a guess at a token by the request's address. Tokens are too long
// to be guessed; a client that tries nevertheless is told to wait.
func (l *Limiter) CountGuess(ctx context.Context, r *request.State, lim *Limits) error {
	_, err := l.countAddress(ctx, r, "token guess", l.limits(lim), nil)
	return err
}

// ReserveRequest counts a request of an address to the routes of a name. The slots are
// nil if the address is not known or limits are turned off.
func (l *Limiter) ReserveRequest(ctx context.Context, r *request.State, name string, limit Limit) ([]stores.Slot, error) {
	lim := Limits{Address: limit, Network: limit.Times(networkShare), Disabled: l.cfg.Limits.Disabled}
	return l.countAddress(ctx, r, "requests", &lim, []byte(name))
}

func (l *Limiter) countAddress(ctx context.Context, r *request.State, kind string, lim *Limits, name []byte) ([]stores.Slot, error) {
	address, ok := clientaddr.Prefix(r.Remote)
	if !ok || lim.Disabled {
		return nil, nil
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	windows := []stores.Window{l.Window(kind, lim.Address, named(name, address)...)}
	if site := clientaddr.Site(r.Remote); site != "" {
		windows = append(windows, l.Window(kind+" of network", lim.Network, named(name, site)...))
	}
	return l.reserve(ctx, "count "+kind, aRequest{r}, windows...)
}

func named(name []byte, address string) [][]byte {
	if name == nil {
		return [][]byte{[]byte(address)}
	}
	return [][]byte{name, []byte(address)}
}

// Count reserves a slot in windows that are about no request. The error is an
// *autherr.ThrottledError if one is full. The slots are nil if limits are turned off.
func (l *Limiter) Count(ctx context.Context, doing string, windows ...stores.Window) ([]stores.Slot, error) {
	if l.cfg.Limits.Disabled {
		return nil, nil
	}
	ctx, span := l.env.Span(ctx)
	defer span.End()
	return l.reserve(ctx, doing, nil, windows...)
}

// Refund returns slots to their windows.
func (l *Limiter) Refund(ctx context.Context, slots ...stores.Slot) error {
	if len(slots) == 0 {
		return nil
	}
	return autherr.Unavailable("return attempt", l.store.Refund(ctx, slots...))
}

// RefundRequest returns the slots of a request. The response may wait in a buffer for this, so it has
// what is left of the request's store time. A failure is only logged: the request stays counted.
func (l *Limiter) RefundRequest(ctx context.Context, r *request.State, slots []stores.Slot) {
	left := r.StoreTimeout - r.Budget.Used()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	if err := l.Refund(within, slots...); err != nil {
		r.Log.WarnContext(ctx, "ginauth: request stays counted", "error", request.Cut(err.Error(), 256))
	}
}

// Account names an account, for windows and events.
func (l *Limiter) Account(realm, field, canonical string) stores.Digest {
	return l.cfg.Accounts.MAC([]byte(realm), []byte(field), []byte(canonical))
}
