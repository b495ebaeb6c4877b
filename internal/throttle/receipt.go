package throttle

import (
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Receipt is what a later request needs to end an attempt as a success. It holds no secret.
type Receipt struct {
	// Account names the account in events.
	Account []byte
	// Clear are windows that a success clears, and Refund those to which it returns the attempt's
	// slot.
	Clear  [][]byte
	Refund []Slot
}

// Slot is a stores.Slot of a Receipt.
type Slot struct {
	Key    []byte
	Opened int64
}

// Receipt returns the receipt of an attempt that stays counted until it is resumed.
func (a *Attempt) Receipt() Receipt {
	r := Receipt{Account: a.Subject.Account[:]}
	for _, h := range a.held {
		switch h.fate {
		case own:
			r.Clear = append(r.Clear, h.slot.Key[:])
		case shared:
			r.Refund = append(r.Refund, Slot{h.slot.Key[:], h.slot.Opened})
		}
	}
	return r
}

// Resume returns the attempt of a receipt, by a user who has been found meanwhile.
func (l *Limiter) Resume(r *request.State, guard string, rm *realm.Realm, u models.Authenticatable, from Receipt) *Attempt {
	a := &Attempt{l: l, r: r, limits: &l.cfg.Limits, guard: guard}
	copy(a.Subject.Account[:], from.Account)
	a.Subject.Device = l.deviceFor(r, "", func(d *Device) bool { return d.account == a.Subject.Account && d.fits(rm, u) })
	for _, key := range from.Clear {
		h := held{fate: own}
		copy(h.slot.Key[:], key)
		a.held = append(a.held, h)
	}
	for _, slot := range from.Refund {
		h := held{fate: shared, slot: stores.Slot{Opened: slot.Opened}}
		copy(h.slot.Key[:], slot.Key)
		a.held = append(a.held, h)
	}
	return a
}
