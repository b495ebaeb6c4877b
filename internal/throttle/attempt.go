package throttle

import (
	"context"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Subject is what an attempt to prove a secret is counted under.
type Subject struct {
	Account stores.Digest // names the account in keys and events
	Device  *Device       // set if this device has logged into the account
	address string        // IPv4, or the /64 of IPv6; "" if not known
}

// Subject returns the subject of an attempt. The account is named by the canonical
// identifier that is looked up, so all spellings of one account share one count. The
// parts are length-prefixed and keyed, so no account can be made to look like another.
func (l *Limiter) Subject(r *request.State, rm *realm.Realm, field, canonical string) Subject {
	s := Subject{Account: l.Account(rm.Name, field, canonical)}
	s.address, _ = clientaddr.Prefix(r.Remote)
	s.Device = l.deviceFor(r, rm.Name, field, canonical)
	return s
}

// Attempt is one attempt to prove a secret, with the slots it has reserved. It is used
// by one goroutine.
type Attempt struct {
	Subject Subject

	l        *Limiter
	r        *request.State
	limits   *Limits
	guard    string
	address  []stores.Slot   // of the address's window
	accounts []stores.Slot   // of the account's windows
	keys     []stores.Digest // of the account's windows
}

// Reserve counts an attempt, or refuses it with an *autherr.ThrottledError. A nil lim
// stands for the manager's limits.
func (l *Limiter) Reserve(ctx context.Context, r *request.State, guard string, s Subject, lim *Limits) (*Attempt, error) {
	a := new(Attempt)
	return a, l.ReserveIn(ctx, a, r, guard, s, lim)
}

// ReserveIn is Reserve with an Attempt that the caller has made.
func (l *Limiter) ReserveIn(ctx context.Context, a *Attempt, r *request.State, guard string, s Subject, lim *Limits) error {
	*a = Attempt{Subject: s, l: l, r: r, limits: l.limits(lim), guard: guard}
	var windows []stores.Window
	// Where the address is not known, as on a Unix socket, all clients would share
	// one window. It is not counted then.
	if s.address != "" {
		window, _ := l.addressWindow(r, a.limits.Address)
		windows = append(windows, window)
	}
	if s.Device != nil {
		windows = append(windows, l.Window("device", a.limits.Device, s.Account[:], s.Device.id[:]))
	} else {
		windows = append(windows, a.strangerWindows()...)
	}
	slots, err := a.reserve(ctx, windows)
	if err != nil || slots == nil {
		return err
	}
	if s.address != "" {
		a.address, slots, windows = slots[:1], slots[1:], windows[1:]
	}
	a.record(slots, windows)
	return nil
}

// AsStranger counts the attempt as one of a device that has not logged into the
// account, because the device turned out not to fit.
func (a *Attempt) AsStranger(ctx context.Context) error {
	a.Subject.Device = nil
	return a.also(ctx, a.strangerWindows())
}

// ForUser also counts the attempt under the user whom the identifier named, because
// the user may have other identifiers. If u is nil it does the same work.
func (a *Attempt) ForUser(ctx context.Context, rm *realm.Realm, u models.Authenticatable) error {
	who := a.Subject.Account[:]
	if u != nil {
		who = []byte(u.AuthID())
	}
	windows := []stores.Window{a.l.Window("user", a.limits.Account, []byte(rm.Name), who)}
	if address := a.Subject.address; address != "" {
		windows = append(windows, a.l.Window("user and address", a.limits.AccountAddress, []byte(rm.Name), who, []byte(address)))
	}
	return a.also(ctx, windows)
}

// Settle counts the attempt as what it turned out to be once the user was looked up: a
// known device whose stamp does not fit is a stranger, and a user of a provider with
// several identifiers is counted under the user as well.
func (a *Attempt) Settle(ctx context.Context, rm *realm.Realm, u models.Authenticatable) error {
	if d := a.Subject.Device; d != nil && (u == nil || !d.Fits(rm, u)) {
		if err := a.AsStranger(ctx); err != nil {
			return err
		}
	}
	if many, ok := rm.Users.(models.ManyIdentifiers); ok && many.ManyIdentifiers() && a.Subject.Device == nil {
		return a.ForUser(ctx, rm, u)
	}
	return nil
}

func (a *Attempt) strangerWindows() []stores.Window {
	s := &a.Subject
	w := []stores.Window{a.l.Window("account", a.limits.Account, s.Account[:])}
	if s.address != "" {
		w = append(w, a.l.Window("account and address", a.limits.AccountAddress, s.Account[:], []byte(s.address)))
	}
	return w
}

func (a *Attempt) also(ctx context.Context, windows []stores.Window) error {
	slots, err := a.reserve(ctx, windows)
	if err == nil && slots != nil {
		a.record(slots, windows)
	}
	return err
}

// reserve returns no slots if nothing is limited.
func (a *Attempt) reserve(ctx context.Context, windows []stores.Window) ([]stores.Slot, error) {
	if a.limits.Disabled {
		return nil, nil
	}
	ctx, span := a.r.Span(ctx)
	defer span.End()
	return a.l.reserve(ctx, "count attempts", a, windows...)
}

func (a *Attempt) lockout() events.Meta { return a.Meta("") }

// Meta describes the attempt in an event. The user is the one concerned, or "".
func (a *Attempt) Meta(userID string) events.Meta {
	meta := a.r.Meta(a.guard, userID)
	meta.Account = a.Subject.Account.String()[:32]
	return meta
}

func (a *Attempt) record(slots []stores.Slot, windows []stores.Window) {
	a.accounts = append(a.accounts, slots...)
	for _, w := range windows {
		a.keys = append(a.keys, w.Key)
	}
}

// Succeed forgets the account's attempts and refunds the slot of the address. The
// address keeps the slots of others, and an office behind one address is not locked
// out by its own logins.
func (a *Attempt) Succeed(ctx context.Context) error {
	if len(a.keys) == 0 {
		return nil
	}
	ctx, span := a.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err := a.l.store.Reset(ctx, a.keys...); err != nil {
		return autherr.Unavailable("clear attempts", err)
	}
	slots := a.address
	a.keys, a.accounts, a.address = nil, nil, nil
	return a.l.Refund(ctx, slots...)
}

// Release refunds all slots of this attempt: no secret was compared.
func (a *Attempt) Release(ctx context.Context) error {
	ctx, span := a.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	slots := append(a.address, a.accounts...)
	a.keys, a.accounts, a.address = nil, nil, nil
	return a.l.Refund(ctx, slots...)
}

// Fits reports whether the account's security stamp is the one of the login that made
// the device known.
func (d *Device) Fits(rm *realm.Realm, u models.Authenticatable) bool {
	return rm.Fits(stamp.Device, u, d.fingerprint)
}
