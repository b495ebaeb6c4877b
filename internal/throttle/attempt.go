package throttle

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Attempt is one attempt to prove a secret, with the slots it has reserved. It is used
// by one goroutine.
type Attempt struct {
	Subject Subject

	l      *Limiter
	r      *request.State
	limits *Limits
	guard  string
	held   []held
	// Room for the windows of most attempts.
	windows [maxWindows]stores.Window
	fates   [maxWindows]fate
	room    [maxWindows]held
}

// maxWindows is how many windows an attempt asks at once: three of the address and two of
// the account.
const maxWindows = 5

// fate says what a success does to a window.
type fate uint8

const (
	// shared windows also count the attempts of others, so a success returns its own slot
	// and no other. Otherwise somebody who logs in again and again would give new attempts
	// to those who guess from elsewhere.
	shared fate = iota
	// own windows count the attempts of one address or device at one account. A success
	// clears them.
	own
	// spent windows count successes too.
	spent
)

// held is a slot that an attempt has reserved.
type held struct {
	slot  stores.Slot
	limit int
	fate  fate
	seat  seat
}

// Reserve counts an attempt, or refuses it with an *autherr.ThrottledError. It waits for
// attempts in flight that have the last slots. A nil lim stands for the manager's limits.
// The caller calls Done.
func (l *Limiter) Reserve(ctx context.Context, r *request.State, guard string, s Subject, lim *Limits) (*Attempt, error) {
	a := new(Attempt)
	return a, l.ReserveIn(ctx, a, r, guard, s, lim)
}

// ReserveIn is Reserve with an Attempt that the caller has made.
func (l *Limiter) ReserveIn(ctx context.Context, a *Attempt, r *request.State, guard string, s Subject, lim *Limits) error {
	*a = Attempt{Subject: s, l: l, r: r, limits: l.limits(lim), guard: guard}
	a.held = a.room[:0]
	return a.reserve(ctx, a.accountWindows(a.addressWindows(0)))
}

// ReserveFor is ReserveIn for the account of an identifier, which it looks up if the counts depend on
// the user. The attempt is done: nobody knows when the caller will have compared the secret.
func (l *Limiter) ReserveFor(
	ctx context.Context, a *Attempt, r *request.State, guard string, rm *realm.Realm, field, identifier string, lim *Limits,
) error {
	canonical, err := rm.Canonical(field, identifier)
	if err != nil {
		return err
	}
	defer a.Done()
	if err := l.ReserveIn(ctx, a, r, guard, l.Subject(r, rm, field, canonical, ""), lim); err != nil {
		return err
	}
	if a.NeedsUser(rm) {
		_, err = a.LookUp(ctx, rm, field, canonical)
	}
	return err
}

// NeedsUser reports whether LookUp may count the attempt differently.
func (a *Attempt) NeedsUser(rm *realm.Realm) bool {
	return a.Subject.Device != nil || countedByUser(rm, a.Subject.field)
}

// LookUp finds the user whom the identifier names, and counts the attempt as what it
// turns out to be. An unknown identifier costs the same work.
func (a *Attempt) LookUp(ctx context.Context, rm *realm.Realm, field, canonical string) (models.Authenticatable, error) {
	within, span := a.r.Span(ctx)
	u, err := rm.ByIdentifier(within, field, canonical)
	span.End()
	if err != nil {
		return nil, err
	}
	return u, a.settle(ctx, rm, u)
}

// settle counts an attempt at an identifier also as one of the user, who may have other
// identifiers, and as one of a stranger if the device turns out not to fit.
func (a *Attempt) settle(ctx context.Context, rm *realm.Realm, u models.Authenticatable) error {
	s := &a.Subject
	if s.Device != nil && (u == nil || !s.Device.fits(rm, u)) {
		s.Device = nil
		if err := a.reserve(ctx, a.accountWindows(0)); err != nil {
			return err
		}
	}
	if !countedByUser(rm, s.field) {
		return nil
	}
	*s = a.l.userSubject(a.r, rm, u, *s)
	return a.reserve(ctx, a.accountWindows(0))
}

// addressWindows names the windows of the address, behind n others, and returns how many
// there are. Where the address is not known, as on a Unix socket, all clients would share
// them. It is not counted then.
func (a *Attempt) addressWindows(n int) int {
	s := &a.Subject
	if s.address == "" {
		return n
	}
	// The first one, because it is no use to wait for its slots.
	passwords, _ := a.l.addressWindow(a.r, "passwords", a.limits.Passwords)
	n = a.add(n, spent, passwords)
	address, _ := a.l.addressWindow(a.r, attempts, a.limits.Address)
	n = a.add(n, shared, address)
	if s.site != "" {
		n = a.add(n, shared, a.l.Window("network", a.limits.Network, []byte(s.site)))
	}
	return n
}

// accountWindows names the windows of the account, behind n others, and returns how many
// there are. It is the only place that makes them.
func (a *Attempt) accountWindows(n int) int {
	s, l := &a.Subject, a.l
	if d := s.Device; d != nil {
		return a.add(n, own, l.Window(s.kind+" and device", a.limits.Device, s.name[:], d.id[:]))
	}
	n = a.add(n, shared, l.Window(s.kind, a.limits.Account, s.name[:]))
	if s.address != "" {
		n = a.add(n, own, l.Window(s.kind+" and address", a.limits.AccountAddress, s.name[:], []byte(s.address)))
	}
	return n
}

func (a *Attempt) add(n int, f fate, w stores.Window) int {
	a.windows[n], a.fates[n] = w, f
	return n + 1
}

// reserve reserves a slot in each of the first n windows, or none.
func (a *Attempt) reserve(ctx context.Context, n int) error {
	if a.limits.Disabled {
		return nil
	}
	until := time.Now().Add(maxWait)
	for {
		var seats [maxWindows]seat
		asked := a.l.env.Now()
		grant, err := a.ask(ctx, n, &seats)
		if err != nil {
			return err
		}
		if !grant.OK() {
			a.l.recordFull(a, grant, asked)
		}
		if len(grant.Slots) > 0 {
			for i, slot := range grant.Slots {
				a.held = append(a.held, held{slot, a.windows[i].Limit, a.fates[i], seats[i]})
			}
			return nil
		}
		again, inFlight := a.l.flights.wait(ctx, until, &seats[grant.Full])
		if again {
			continue
		}
		if grant.RetryAfter -= a.l.env.Now().Sub(asked); inFlight {
			// They may succeed, so this is no lock.
			return &autherr.ThrottledError{RetryAfter: min(grant.RetryAfter, retrySoon)}
		}
		return a.l.refuse(ctx, grant, a)
	}
}

// ask asks for the slots once. The attempt keeps its seats if it gets them. Otherwise it
// keeps the one of the full window.
func (a *Attempt) ask(ctx context.Context, n int, seats *[maxWindows]seat) (stores.Grant, error) {
	for i := range n {
		// A success returns no slot of a spent window, so nobody waits for it.
		if a.fates[i] != spent {
			seats[i] = a.l.flights.enter(a.windows[i].Key)
		}
	}
	within, span := a.r.Span(ctx)
	defer span.End()
	grant, err := a.l.store.Reserve(within, a.l.env.Now(), a.windows[:n]...)
	if err == nil && grant.OK() && len(grant.Slots) == n {
		return grant, nil
	}
	grant.Slots, grant.Full = nil, min(max(grant.Full, 0), n-1)
	for i := range n {
		if err != nil || i != grant.Full {
			a.l.flights.leave(&seats[i], 0)
		}
	}
	// An error never means unlimited attempts.
	return grant, autherr.Unavailable("count attempts", err)
}

func (a *Attempt) lockout() events.Meta { return a.Meta("") }

// Meta describes the attempt in an event. The user is the one concerned, or "".
func (a *Attempt) Meta(userID string) events.Meta {
	meta := a.r.Meta(a.guard, userID)
	meta.Account = a.Subject.Account.String()[:32]
	return meta
}

// Succeed forgets the attempts of this address or device at the account, and refunds the
// other slots. The account keeps the attempts of other addresses, and the address those at
// other accounts, but an office behind one address is not locked out by its own logins.
func (a *Attempt) Succeed(ctx context.Context) error {
	var cleared []stores.Digest
	var refunded []stores.Slot
	for _, h := range a.held {
		switch h.fate {
		case own:
			cleared = append(cleared, h.slot.Key)
		case shared:
			refunded = append(refunded, h.slot)
		}
	}
	if len(cleared)+len(refunded) == 0 {
		return nil
	}
	ctx, span := a.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	err := autherr.Unavailable("clear attempts", stores.Settle(ctx, a.l.store, refunded, cleared))
	a.end()
	return err
}

// Release refunds all slots of this attempt: no secret was compared.
func (a *Attempt) Release(ctx context.Context) error {
	ctx, span := a.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	var slots []stores.Slot
	for i := range a.held {
		slots = append(slots, a.held[i].slot)
		a.held[i].fate = shared // one slot came back
	}
	err := a.l.Refund(ctx, slots...)
	a.end()
	return err
}

// Done says that the attempt is not in flight any more. Unless it succeeded or was
// released, it stays counted as a failure.
func (a *Attempt) Done() {
	for i := range a.held {
		a.l.flights.leave(&a.held[i].seat, 0)
	}
}

// end ends an attempt whose slots came back.
func (a *Attempt) end() {
	for i := range a.held {
		switch h := &a.held[i]; h.fate {
		case own:
			a.l.flights.leave(&h.seat, h.limit)
		default:
			a.l.flights.leave(&h.seat, 1)
		}
	}
	a.held = nil
}
