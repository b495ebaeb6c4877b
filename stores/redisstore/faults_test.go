package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

// everyMethod returns a call to each method of the stores.
func everyMethod(set stores.Set) map[string]func(ctx context.Context) error {
	s, index, tokens, limiter := set.Sessions, set.Sessions.(stores.SessionIndex), set.Tokens, set.Limiter
	now, session, token, window := present(), newSession(), newToken(), windows(2)
	child := token
	child.ID = second
	return map[string]func(ctx context.Context) error{
		"Load":           func(ctx context.Context) error { _, _, err := s.Load(ctx, row); return err },
		"Create session": func(ctx context.Context) error { return s.Create(ctx, session) },
		"Update":         func(ctx context.Context) error { _, err := s.Update(ctx, row, stores.Delta{LastSeen: now}); return err },
		"Write": func(ctx context.Context) error {
			_, err := s.(stores.SessionWriter).Write(ctx, row, stores.Write{Digest: session.Digest, MaxValues: stores.MaxValues})
			return err
		},
		"Delete":           func(ctx context.Context) error { _, err := s.Delete(ctx, row); return err },
		"SessionsOf":       func(ctx context.Context) error { _, err := index.SessionsOf(ctx, "ann", 1000); return err },
		"DeleteSessionsOf": func(ctx context.Context) error { _, err := index.DeleteSessionsOf(ctx, "ann", ""); return err },
		"Create token":     func(ctx context.Context) error { _, err := tokens.Create(ctx, token); return err },
		"CreateLimited": func(ctx context.Context) error {
			_, _, err := tokens.(stores.TokenLimit).CreateLimited(ctx, now, token, stores.FamilyLimit{Families: 1})
			return err
		},
		"CreateLimited session": func(ctx context.Context) error {
			_, err := s.(stores.SessionLimit).CreateLimited(ctx, session, 1)
			return err
		},
		"Find":          func(ctx context.Context) error { _, _, err := tokens.Find(ctx, family, row); return err },
		"Consume":       func(ctx context.Context) error { _, err := tokens.Consume(ctx, now, family, row); return err },
		"Rotate":        func(ctx context.Context) error { _, err := tokens.Rotate(ctx, now, row, child); return err },
		"RevokeFamily":  func(ctx context.Context) error { _, err := tokens.RevokeFamily(ctx, now, family); return err },
		"RevokeOwner":   func(ctx context.Context) error { _, err := tokens.RevokeOwner(ctx, now, "ann", ""); return err },
		"TokensOf":      func(ctx context.Context) error { _, err := tokens.TokensOf(ctx, "ann", 10); return err },
		"Touch":         func(ctx context.Context) error { return tokens.Touch(ctx, now, family, row) },
		"MarkDelivered": func(ctx context.Context) error { return tokens.MarkDelivered(ctx, now, family, row) },
		"Reserve": func(ctx context.Context) error {
			grant, err := limiter.Reserve(ctx, now, window...)
			if err != nil && grant.OK() {
				return nil
			}
			return err
		},
		"Peek":   func(ctx context.Context) error { _, err := limiter.Peek(ctx, now, window...); return err },
		"Refund": func(ctx context.Context) error { return limiter.Refund(ctx, stores.Slot{Key: window[0].Key}) },
		"Reset":  func(ctx context.Context) error { return limiter.Reset(ctx, window[0].Key) },
		"Check":  func(ctx context.Context) error { _, err := s.(stores.Checker).Check(ctx); return err },
	}
}

// teach sends all scripts to the server and opens connections of the client.
func teach(t testing.TB, client redis.UniversalClient) {
	set, _ := fresh(t, client)
	for _, method := range everyMethod(set) {
		_ = method(t.Context()) // some return an error
	}
}

// TestFaults breaks the connection in several ways. Each method returns an error in time,
// and works again when the fault is over.
func TestFaults(t *testing.T) { // F06, EXP-15
	const deadline = 150 * time.Millisecond
	for name, mode := range map[string]int{"refuse": refuse, "reset": reset, "hang": hang} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, p := throughProxy(t, func(*redis.Options) {})
			set := behind(t, client)
			for name, method := range everyMethod(set) {
				_ = client.Ping(t.Context()).Err() // puts a connection into the pool
				p.set(mode)
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				start := time.Now()
				err := method(ctx)
				took := time.Since(start)
				cancel()
				if err == nil || took > deadline+500*time.Millisecond {
					t.Errorf("%s: error %v after %v", name, err, took)
				}
				if mode == hang && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: error %v, want one that wraps the context's", name, err)
				}
				p.set(forward)
				if err := method(t.Context()); err != nil && !errors.Is(err, stores.ErrExists) {
					t.Errorf("%s afterwards: %v", name, err)
				}
			}
		})
	}
}

// TestLostAnswers loses the answers to calls, which go-redis then sends again.
func TestLostAnswers(t *testing.T) { // R08
	client, p := throughProxy(t, func(*redis.Options) {})
	teach(t, openSingle(t))
	set := behind(t, client)
	ctx, now := t.Context(), present()
	losing := func(name string, want any, call func() (any, error)) {
		t.Helper()
		p.arm()
		if got, err := call(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, error %v; want %v", name, got, err, want)
		}
		if p.is(lose) {
			t.Errorf("%s: no answer was lost", name)
		}
	}
	s := newSession()
	s.Owners, s.Generation = nil, 7
	losing("Create session", true, func() (any, error) { return true, set.Sessions.Create(ctx, s) })
	write := stores.Write{
		Digest: s.Digest, MaxValues: stores.MaxValues, Set: map[string][]byte{"a": []byte("1")}, LastSeen: now, Expires: s.Expires,
	}
	losing("Write", true, func() (any, error) {
		got, err := set.Sessions.(stores.SessionWriter).Write(ctx, row, write)
		return got.Done, err
	})
	rename := stores.Delta{Generation: 7, Rename: &stores.Rename{Old: s.Digest, New: stores.DigestOf([]byte("2")), At: now}}
	losing("rename", stores.Updated, func() (any, error) { return set.Sessions.Update(ctx, row, rename) })
	if got, err := set.Sessions.Update(ctx, row, rename); err != nil || got != stores.Stale {
		t.Errorf("the same rename as another call: %v, error %v; want stale", got, err)
	}

	logout := stores.Delta{
		Generation: 7, Principals: &stores.Principals{Generation: 8},
		Rename: &stores.Rename{Old: rename.Rename.New, New: rename.Rename.New, At: now},
	}
	losing("logout", stores.Updated, func() (any, error) { return set.Sessions.Update(ctx, row, logout) })
	if got, err := set.Sessions.Update(ctx, row, logout); err != nil || got != stores.Replaced {
		t.Errorf("the same logout as another call: %v, error %v; want replaced", got, err)
	}

	first := newToken()
	first.Owner = ""
	losing("Create token", true, func() (any, error) { return set.Tokens.Create(ctx, first) })
	child := first
	child.ID = second
	losing("Rotate", stores.RotateDone, func() (any, error) { return set.Tokens.Rotate(ctx, now, row, child) })
	losing("Consume", true, func() (any, error) { return set.Tokens.Consume(ctx, now, family, second) })
	if got, err := set.Tokens.Rotate(ctx, now, row, child); err != nil || got != stores.RotateUsed {
		t.Errorf("another rotation: %v, error %v; want used", got, err)
	}
	if got, err := set.Tokens.Consume(ctx, now, family, second); err != nil || got {
		t.Errorf("another Consume: %v, error %v; want false", got, err)
	}
	losing("RevokeFamily", true, func() (any, error) { return set.Tokens.RevokeFamily(ctx, now, family) })
	losing("Delete", false, func() (any, error) { return set.Sessions.Delete(ctx, row) })
	losing("Write after it", true, func() (any, error) {
		got, err := set.Sessions.(stores.SessionWriter).Write(ctx, row, write)
		return got.Deleted, err
	})
}

// TestLostSlots loses the answers to a Reserve and to a Refund. Neither may be sent again: a
// second Reserve would reserve another slot, and a second Refund would free a slot of
// somebody else.
func TestLostSlots(t *testing.T) {
	client, p := throughProxy(t, func(*redis.Options) {})
	teach(t, openSingle(t))
	set := behind(t, client)
	ctx, now, w := t.Context(), present(), windows(1)[0]
	w.Limit = 3
	var slots []stores.Slot
	for range 2 {
		g, err := set.Limiter.Reserve(ctx, now, w)
		if err != nil || !g.OK() {
			t.Fatalf("Reserve: %+v, error %v", g, err)
		}
		slots = append(slots, g.Slots...)
	}
	p.arm()
	if g, err := set.Limiter.Reserve(ctx, now, w); err == nil || g.OK() {
		t.Errorf("a Reserve without answer: %+v, error %v", g, err)
	}
	if g, err := set.Limiter.Reserve(ctx, now, w); err != nil || g.OK() {
		t.Errorf("a fourth Reserve: %+v, error %v; want none left", g, err)
	}
	p.arm()
	if err := set.Limiter.Refund(ctx, slots[0]); err == nil {
		t.Error("a Refund without answer reports no error")
	}
	for i, want := range []bool{true, false} {
		if g, err := set.Limiter.Reserve(ctx, now, w); err != nil || g.OK() != want {
			t.Errorf("Reserve %d after one slot came back: %+v, error %v; want %v", i, g, err, want)
		}
	}
}

// TestScriptsAreForgotten flushes the scripts of the server before each call.
func TestScriptsAreForgotten(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		set, _ := fresh(t, client)
		for name, method := range everyMethod(set) {
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := method(t.Context()); err != nil && !errors.Is(err, stores.ErrExists) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
