package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
	"github.com/ginauth/ginauth/stores/storetest"
)

// broken names a store that breaks a rule, and the rule. Each is a store that
// works, with one fault that somebody has made.
var broken = []struct {
	name, rule string
	run        func(t *testing.T)
}{
	{"whole session is written back", "race-keys", sessionsOf(func(s *memSessions) stores.Sessions { return writeBack{s} })},
	{"writing back loses a login", "race-keys-rename", sessionsOf(func(s *memSessions) stores.Sessions { return writeBack{s} })},
	{"update creates", "update-gone", sessionsOf(func(s *memSessions) stores.Sessions { return upsert{s} })},
	{"update revives", "race-delete", sessionsOf(func(s *memSessions) stores.Sessions { return upsert{s} })},
	{"changed rows are counted", "update-nothing", sessionsOf(func(s *memSessions) stores.Sessions { return changedRows{s} })},
	{"any digest is renamed", "rename-stale", sessionsOf(func(s *memSessions) stores.Sessions { return anyDigest{s} })},
	{"digest is checked, then written", "race-rename", sessionsOf(func(s *memSessions) stores.Sessions { return checkedDigest{s} })},
	{"contexts are ignored", "context", sessionsOf(func(s *memSessions) stores.Sessions { return noContext{s} })},
	{"owners are folded", "index-owners", sessionsOf(func(s *memSessions) stores.Sessions { return foldedOwners{s} })},
	{"prune takes the living", "prune", sessionsOf(func(s *memSessions) stores.Sessions { return eagerPrune{s} })},

	{"token is checked, then consumed", "race-consume", tokensOf(func(s *memTokens) stores.Tokens { return checkedConsume{s} })},
	{"consumed, then created", "rotate-taken", tokensOf(func(s *memTokens) stores.Tokens { return twoSteps{s} })},
	{"consumed, then created, in a race", "race-consume-rotate", tokensOf(func(s *memTokens) stores.Tokens { return twoSteps{s} })},
	{"last moment counts", "consume-expired", tokensOf(func(s *memTokens) stores.Tokens { return lateConsume{s} })},
	{"kinds are ignored", "owner-revoke-kinds", tokensOf(func(s *memTokens) stores.Tokens { return anyKind{s} })},

	{"limit is checked, then taken", "race-limit", limiterOf(func(l *memLimiter) stores.Limiter { return checkedTake{l} })},
	{"refused take keeps slots", "windows-all", limiterOf(func(l *memLimiter) stores.Limiter { return oneByOne{l} })},
	{"taken and put back", "windows-refused", limiterOf(func(l *memLimiter) stores.Limiter { return rollback{l} })},
	{"window ends late", "end", limiterOf(func(l *memLimiter) stores.Limiter { return lateEnd{l} })},
	{"receipts are for the key", "refund-late", limiterOf(func(l *memLimiter) stores.Limiter {
		return anyReceipt{l, map[stores.Digest]int64{}}
	})},

	{"cookie's name is not sealed in", "other-cookie", carrierOf(anyCookie{})},
	{"expiry is for the client", "expired", carrierOf(noExpiry{})},
	{"clocks that step back log out", "expired", carrierOf(issuedNow{})},
	{"size is not looked at", "too-large", carrierOf(anySize{})},
	{"room is the whole cookie", "room", carrierOf(allRoom{})},
	{"old keys are not told", "keys", carrierOf(anyKey{})},
	{"first bytes are not looked at", "tampered", carrierOf(looseText{})},
}

// TestBroken runs the suite on each broken store in a process of its own, and
// checks that the rule is found broken.
func TestBroken(t *testing.T) {
	if name := os.Getenv("STORETEST_BROKEN"); name != "" {
		for _, b := range broken {
			if b.name == name {
				b.run(t)
			}
		}
		return
	}
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$/^"+b.rule+"$")
			cmd.Env = append(os.Environ(), "STORETEST_BROKEN="+b.name, "STORETEST_ROUNDS=5")
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), "--- FAIL: TestBroken/"+b.rule) || !strings.Contains(string(out), "the rule: ") {
				t.Errorf("the rule %q did not find the fault:\n%s", b.rule, out)
			}
		})
	}
}

type (
	memSessions = memstore.Sessions
	memTokens   = memstore.Tokens
	memLimiter  = memstore.Limiter
)

var options = memstore.Options{PruneEvery: -1}

func carrierOf(c stores.ClientSessions) func(*testing.T) {
	return func(t *testing.T) {
		storetest.ClientSessions(t, func(*testing.T) stores.ClientSessions { return c })
	}
}

func sessionsOf(f func(*memSessions) stores.Sessions) func(*testing.T) {
	return func(t *testing.T) {
		storetest.Sessions(t, func(*testing.T) stores.Sessions { return f(memstore.NewSessions(options)) })
	}
}

func tokensOf(f func(*memTokens) stores.Tokens) func(*testing.T) {
	return func(t *testing.T) {
		storetest.Tokens(t, func(*testing.T) stores.Tokens { return f(memstore.NewTokens(options)) })
	}
}

func limiterOf(f func(*memLimiter) stores.Limiter) func(*testing.T) {
	return func(t *testing.T) {
		storetest.Limiter(t, func(*testing.T) stores.Limiter { return f(memstore.NewLimiter(options)) })
	}
}

// pause lets other goroutines come between a check and what depends on it.
func pause() { runtime.Gosched() }

type writeBack struct{ *memSessions }

func (s writeBack) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	got, found, err := s.Load(ctx, row)
	if err != nil || !found {
		return stores.Gone, err
	}
	pause()
	d.Set = map[string][]byte{}
	for key, value := range got.Values.With(d).All() {
		d.Set[key] = []byte(value)
	}
	if d.Owner == nil {
		d.Owner = &got.Owner
	}
	for key := range got.Values.All() {
		if _, kept := d.Set[key]; !kept {
			d.Remove = append(d.Remove, key)
		}
	}
	return s.memSessions.Update(ctx, row, d)
}

type upsert struct{ *memSessions }

func (s upsert) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if o, err := s.memSessions.Update(ctx, row, d); err != nil || o != stores.Gone {
		return o, err
	}
	return stores.Updated, s.Create(ctx, stores.Session{Row: row, Values: stores.NewValues(d.Set), Expires: time.Now()})
}

type changedRows struct{ *memSessions }

func (s changedRows) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	before, _, _ := s.Load(ctx, row)
	o, err := s.memSessions.Update(ctx, row, d)
	if after, _, _ := s.Load(ctx, row); after == before {
		return stores.Gone, err
	}
	return o, err
}

type anyDigest struct{ *memSessions }

func (s anyDigest) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if got, _, _ := s.Load(ctx, row); d.Rename != nil {
		d.Rename = &stores.Rename{Old: got.Digest, New: d.Rename.New, At: d.Rename.At}
	}
	return s.memSessions.Update(ctx, row, d)
}

type checkedDigest struct{ *memSessions }

func (s checkedDigest) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if d.Rename == nil {
		return s.memSessions.Update(ctx, row, d)
	}
	if got, found, _ := s.Load(ctx, row); found && got.Digest != d.Rename.Old {
		return stores.Stale, nil
	}
	pause()
	return anyDigest(s).Update(ctx, row, d)
}

type noContext struct{ *memSessions }

func (s noContext) Delete(_ context.Context, row string) (bool, error) {
	return s.memSessions.Delete(context.Background(), row)
}

type foldedOwners struct{ *memSessions }

func (s foldedOwners) SessionsOf(ctx context.Context, owner string) ([]stores.Session, error) {
	return s.memSessions.SessionsOf(ctx, strings.ToLower(owner))
}

type eagerPrune struct{ *memSessions }

func (s eagerPrune) Prune(ctx context.Context, now time.Time) (int, error) {
	return s.memSessions.Prune(ctx, now.Add(time.Microsecond))
}

type checkedConsume struct{ *memTokens }

func (s checkedConsume) Consume(ctx context.Context, now time.Time, family, id string) (bool, error) {
	t, found, err := s.Find(ctx, family, id)
	if err != nil || !found || !t.Consumed.IsZero() {
		return false, err
	}
	pause()
	_, err = s.memTokens.Consume(ctx, now, family, id)
	return true, err
}

type twoSteps struct{ *memTokens }

func (s twoSteps) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (stores.Rotated, error) {
	t, found, err := s.Find(ctx, child.Family, parent)
	if err != nil || !found || !t.FamilyRevoked.IsZero() || !now.Before(t.Expires) || !now.Before(t.FamilyExpires) {
		return stores.RotateDead, err
	}
	if !t.Consumed.IsZero() {
		return stores.RotateUsed, nil
	}
	pause()
	if _, err := s.Consume(ctx, now, child.Family, parent); err != nil {
		return stores.RotateDead, err
	}
	_, err = s.Create(ctx, child)
	return stores.RotateDone, err
}

type lateConsume struct{ *memTokens }

func (s lateConsume) Consume(ctx context.Context, now time.Time, family, id string) (bool, error) {
	return s.memTokens.Consume(ctx, now.Add(-time.Microsecond), family, id)
}

type anyKind struct{ *memTokens }

func (s anyKind) RevokeOwner(ctx context.Context, now time.Time, owner, except string, _ ...stores.Kind) (int, error) {
	return s.memTokens.RevokeOwner(ctx, now, owner, except)
}

type checkedTake struct{ *memLimiter }

func (l checkedTake) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	if g, err := l.Peek(ctx, now, windows...); err != nil || !g.OK() {
		return g, err
	}
	pause()
	for i := range windows {
		windows[i].Limit = 1 << 30
	}
	return l.memLimiter.Reserve(ctx, now, windows...)
}

type oneByOne struct{ *memLimiter }

func (l oneByOne) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	all := stores.Grant{Full: -1}
	for i, w := range windows {
		g, err := l.memLimiter.Reserve(ctx, now, w)
		if err != nil || !g.OK() {
			return stores.Grant{Full: i, RetryAfter: g.RetryAfter}, err
		}
		all.Slots = append(all.Slots, g.Slots...)
	}
	return all, nil
}

type rollback struct{ *memLimiter }

func (l rollback) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	var taken []stores.Slot
	for i, w := range windows {
		g, err := l.memLimiter.Reserve(ctx, now, w)
		if err != nil || !g.OK() {
			l.Refund(ctx, taken...)
			return stores.Grant{Full: i, RetryAfter: g.RetryAfter}, err
		}
		taken = append(taken, g.Slots...)
	}
	return stores.Grant{Full: -1, Slots: taken}, nil
}

type lateEnd struct{ *memLimiter }

func (l lateEnd) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	for i := range windows {
		windows[i].Period += time.Microsecond
	}
	return l.memLimiter.Reserve(ctx, now, windows...)
}

type anyReceipt struct {
	*memLimiter
	last map[stores.Digest]int64
}

func (l anyReceipt) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	g, err := l.memLimiter.Reserve(ctx, now, windows...)
	for _, slot := range g.Slots {
		l.last[slot.Key] = slot.Opened
	}
	return g, err
}

func (l anyReceipt) Refund(ctx context.Context, slots ...stores.Slot) error {
	for _, slot := range slots {
		if err := l.memLimiter.Refund(ctx, stores.Slot{Key: slot.Key, Opened: l.last[slot.Key]}); err != nil {
			return err
		}
	}
	return nil
}
