package testapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Fault is what a store or a provider does in place of its work.
type Fault int

const (
	// NoFault is to work as always.
	NoFault Fault = iota
	// Refuse is to fail at once with ErrRefused.
	Refuse
	// Hang is to wait until the caller's context ends.
	Hang
	// Slow is to do the work 2 s late, or as late as Delay says.
	Slow
	// Corrupt is to fail at once with stores.ErrCorrupt.
	Corrupt
	// Panic is to panic.
	Panic
)

// String returns the name of the fault.
func (f Fault) String() string {
	return [...]string{"none", "refuse", "hang", "slow", "corrupt", "panic"}[f]
}

// Op is a call that can be made to fail.
type Op string

// The calls of stores and of the user provider.
//
// Sessions in their cookies are in no store. What stands for LoadSession is each
// question to stores.Tokens whether a session has ended, for UpdateSession each
// question after the first since Set was called, for DeleteSession the record of
// an end, and for CreateSession the sealing of the cookie.
const (
	LoadSession   Op = "load session"
	CreateSession Op = "create session"
	UpdateSession Op = "update session"
	DeleteSession Op = "delete session"
	SessionsOf    Op = "sessions of owner" // both calls of stores.SessionIndex

	CreateToken   Op = "create token"
	FindToken     Op = "find token"
	Lives         Op = "lives"
	ConsumeToken  Op = "consume token"
	RotateToken   Op = "rotate token"
	RotatedToken  Op = "rotated token" // after it was done: the answer is lost
	RevokeFamily  Op = "revoke family"
	RevokeOwner   Op = "revoke owner"
	TokensOf      Op = "tokens of owner"
	TouchToken    Op = "touch token"
	MarkDelivered Op = "mark token as delivered"

	ReserveSlots Op = "reserve slots" // of a limiter
	PeekSlots    Op = "peek slots"
	RefundSlots  Op = "refund slots"
	ResetSlots   Op = "reset slots"

	UserByID         Op = "user by id"
	UserByIdentifier Op = "user by identifier"

	anyOp Op = ""
)

// TokenOps returns the calls of stores.Tokens.
func TokenOps() []Op {
	return []Op{CreateToken, FindToken, Lives, ConsumeToken, RotateToken, RotatedToken, RevokeFamily, RevokeOwner, TokensOf, TouchToken, MarkDelivered}
}

// Outages returns the ways in which a store fails. To hang takes its time, so that
// where tests are to be short only stores in memory do.
func Outages(b *Backend) []Fault {
	if testing.Short() && b.Name != "memory" {
		return []Fault{Refuse, Corrupt}
	}
	return []Fault{Refuse, Hang, Corrupt}
}

// ErrRefused is how a call fails that is refused. It looks like the error of a
// driver, which tells more than a client may learn.
var ErrRefused = errors.New("dial tcp 10.1.2.3:5432: connect: connection refused (CANARY-dsn)")

// Faults decides which calls fail, and counts calls. It is safe for concurrent
// use.
type Faults struct {
	mu    sync.Mutex
	modes map[Op]Fault
	late  time.Duration
	calls map[Op]int
	asked bool // whether a session in its cookie has ended, since Set was called
}

// Faulty returns a backend on the same stores and users, whose calls fail as the
// returned Faults say. At first none does. Of the optional capabilities of a
// store of sessions it has stores.SessionLimit and stores.SessionWriter alone.
func (b *Backend) Faulty() (*Backend, *Faults) {
	f := &Faults{modes: map[Op]Fault{}, calls: map[Op]int{}}
	wrapped := *b
	wrapped.Users = faultyUsers{b.Users, f}
	wrapped.Set = stores.Set{Limiter: faultyLimiter{b.Set.Limiter, f}, Tokens: faultyTokens{b.Set.Tokens, f}, Factors: b.Set.Factors, Identities: b.Set.Identities}
	writer, writes := b.Set.Sessions.(stores.SessionWriter)
	switch index, ok := b.Set.Sessions.(stores.SessionLimit); {
	case b.Set.ClientSessions != nil:
		wrapped.Set.ClientSessions = faultyClientSessions{b.Set.ClientSessions, f}
		wrapped.Set.Tokens = faultyEnds{faultyTokens{b.Set.Tokens, f}}
	case ok && writes:
		wrapped.Set.Sessions = faultyWriter{faultyIndex{faultySessions{b.Set.Sessions, f}, index}, writer}
	case ok:
		wrapped.Set.Sessions = faultyIndex{faultySessions{b.Set.Sessions, f}, index}
	default:
		wrapped.Set.Sessions = faultySessions{b.Set.Sessions, f}
	}
	return &wrapped, f
}

// Set makes these calls fail in this way, or all if none is named. The others
// work.
func (f *Faults) Set(mode Fault, ops ...Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.modes, f.late, f.asked = map[Op]Fault{}, 2*time.Second, false
	if len(ops) == 0 {
		ops = []Op{anyOp}
	}
	for _, op := range ops {
		f.modes[op] = mode
	}
}

// Clear lets all calls work.
func (f *Faults) Clear() { f.Set(NoFault) }

// Delay makes these calls late. The others work.
func (f *Faults) Delay(late time.Duration, ops ...Op) {
	f.Set(Slow, ops...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late = late
}

// Count returns how many of these calls there were, or of all if none is named,
// whether or not they failed.
func (f *Faults) Count(ops ...Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ops) == 0 {
		return f.calls[anyOp]
	}
	n := 0
	for _, op := range ops {
		n += f.calls[op]
	}
	return n
}

// askedBefore reports whether it was called since Set was.
func (f *Faults) askedBefore() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.asked
	f.asked = true
	return before
}

// meet counts a call and does what it is to do first.
func (f *Faults) meet(ctx context.Context, op Op) error {
	f.mu.Lock()
	f.calls[op]++
	f.calls[anyOp]++
	mode, late := cmp.Or(f.modes[op], f.modes[anyOp]), f.late
	f.mu.Unlock()
	switch mode {
	case Refuse:
		return ErrRefused
	case Hang:
		<-ctx.Done()
		return ctx.Err()
	case Slow:
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(late):
			return nil
		}
	case Corrupt:
		return fmt.Errorf("%w: row", stores.ErrCorrupt)
	case Panic:
		panic("store panic CANARY-panic")
	}
	return nil
}
