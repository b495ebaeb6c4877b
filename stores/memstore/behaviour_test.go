package memstore_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestJanitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memstore.New(memstore.Options{PruneEvery: time.Minute})
		defer set.Close()
		now := time.Now()
		row, tok := session("", 0), token(newID())
		row.Expires, tok.Expires = now.Add(90*time.Second), now.Add(90*time.Second)
		if err := set.Sessions.Create(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		tok.FamilyExpires = now.Add(time.Hour)
		if _, err := set.Tokens.Create(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			want  bool
		}{{time.Minute, true}, {time.Minute, false}} {
			time.Sleep(step.after)
			synctest.Wait()
			_, sessionFound, _ := set.Sessions.Load(t.Context(), row.Row)
			_, tokenFound, _ := set.Tokens.Find(t.Context(), tok.Family, tok.ID)
			if sessionFound != step.want || tokenFound != step.want {
				t.Errorf("after another %v: session %v, token %v, want %v", step.after, sessionFound, tokenFound, step.want)
			}
		}
	})
}

// TestFirstTokenIsDropped deletes the first token of a family, which shares its
// memory with the family.
func TestFirstTokenIsDropped(t *testing.T) {
	s := memstore.NewTokens(quiet)
	first := token(newID())
	first.Abilities = []string{"api"}
	if ok, err := s.Create(t.Context(), first); err != nil || !ok {
		t.Fatal(ok, err)
	}
	held, _, _ := s.Find(t.Context(), first.Family, first.ID)
	child := token(first.Family)
	child.Expires = first.FamilyExpires
	if r, err := s.Rotate(t.Context(), noon, first.ID, child); err != nil || r != stores.RotateDone {
		t.Fatal(r, err)
	}
	there := func(wantFirst, wantChild bool) {
		t.Helper()
		_, gotFirst, _ := s.Find(t.Context(), first.Family, first.ID)
		_, gotChild, _ := s.Find(t.Context(), child.Family, child.ID)
		if gotFirst != wantFirst || gotChild != wantChild {
			t.Errorf("the first is there: %v, want %v; its child: %v, want %v", gotFirst, wantFirst, gotChild, wantChild)
		}
	}
	prune := func(now time.Time, want int) {
		t.Helper()
		if n, err := s.Prune(t.Context(), now); n != want || err != nil {
			t.Errorf("Prune = %d, %v; want %d", n, err, want)
		}
	}
	there(true, true)
	prune(first.Expires, 1)
	there(false, true)
	if held.Abilities[0] != "api" {
		t.Errorf("what was found before lost its abilities: %q", held.Abilities)
	}
	if r, err := s.Rotate(t.Context(), noon, first.ID, token(first.Family)); err != nil || r != stores.RotateDead {
		t.Errorf("Rotate of the dropped token = %v, %v", r, err)
	}
	if ok, err := s.Create(t.Context(), first); err != nil || !ok {
		t.Errorf("Create of the same name = %v, %v", ok, err)
	}
	if _, err := s.Create(t.Context(), first); !errors.Is(err, stores.ErrExists) {
		t.Errorf("Create of an existing name = %v", err)
	}
	there(true, true)
	prune(first.Expires, 1)
	there(false, true)
	prune(first.FamilyExpires, 2)
	there(false, false)
}

func TestJanitorUsesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memstore.NewLimiter(memstore.Options{Now: func() time.Time { return noon }})
		defer l.Close()
		for i, period := range []time.Duration{time.Minute, time.Hour} {
			if _, err := l.Reserve(t.Context(), noon.Add(-time.Minute), stores.Window{Key: key(i), Limit: 1, Period: period}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(memstore.DefaultPruneEvery)
		synctest.Wait()
		// The janitor has deleted one of the two.
		if n, err := l.Prune(t.Context(), noon.Add(2*time.Hour)); n != 1 || err != nil {
			t.Errorf("Prune = %d, %v; want 1", n, err)
		}
	})
}

func TestClose(t *testing.T) {
	// synctest fails the test if a goroutine is left.
	synctest.Test(t, func(t *testing.T) {
		for _, every := range []time.Duration{0, -1, time.Second} {
			set := memstore.New(memstore.Options{PruneEvery: every})
			for range 2 {
				if err := set.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			if err := set.Sessions.Create(t.Context(), session("", 0)); err != nil {
				t.Errorf("Create after Close: %v", err)
			}
		}
	})
}

func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pruning := true
		s := memstore.NewSessions(memstore.Options{PruneEvery: time.Minute, Now: func() time.Time {
			time.Sleep(time.Second)
			pruning = false
			return noon
		}})
		time.Sleep(time.Minute + time.Millisecond)
		s.Close()
		if pruning {
			t.Error("Close returned while the store was being pruned")
		}
	})
}

func TestTokensEndWithTheirFamily(t *testing.T) {
	s := memstore.NewTokens(bounded(1))
	for range 2 {
		tok := token(newID())
		tok.Expires = tok.FamilyExpires.Add(time.Hour)
		if ok, err := s.Create(t.Context(), tok); !ok || err != nil {
			t.Fatalf("Create = %v, %v", ok, err)
		}
		if n, err := s.Prune(t.Context(), tok.FamilyExpires); n != 2 || err != nil {
			t.Errorf("Prune = %d, %v; want a token and its family", n, err)
		}
		if _, found, _ := s.Find(t.Context(), tok.Family, tok.ID); found {
			t.Error("the token is there after its family was pruned")
		}
	}
}

func TestNamesAreRefused(t *testing.T) {
	set := memstore.New(quiet)
	good := newID()
	for _, name := range []string{"", "r1", strings.ToUpper("a" + good[1:]), good[1:] + "g", good + "0"} {
		row, tok, member := session("", 0), token(good), token(good)
		row.Row, tok.ID, member.Family = name, name, name
		if err := set.Sessions.Create(t.Context(), row); err == nil {
			t.Errorf("Create of session row %q succeeds", name)
		}
		for _, tok := range []stores.Token{tok, member} {
			if ok, err := set.Tokens.Create(t.Context(), tok); ok || err == nil {
				t.Errorf("Create of token %q of family %q succeeds", tok.ID, tok.Family)
			}
		}
	}
}

type entry struct {
	reserved int
	ends     time.Time
}

// TestWindowsOfOneShard compares a shard with many windows with a model.
func TestWindowsOfOneShard(t *testing.T) {
	l, model := memstore.NewLimiter(quiet), make(map[int]entry)
	random, now := rand.New(rand.NewPCG(3, 4)), noon
	for range 30_000 {
		n := random.IntN(400)
		w := stores.Window{Key: key(n), Limit: 3, Period: time.Duration(1+random.IntN(200)) * time.Millisecond}
		w.Key[0] = 7
		now = now.Add(time.Duration(random.IntN(300)) * time.Microsecond)
		switch random.IntN(40) {
		case 0:
			delete(model, n)
			if err := l.Reset(t.Context(), w.Key); err != nil {
				t.Fatal(err)
			}
			continue
		case 1:
			before := len(model)
			maps.DeleteFunc(model, func(_ int, e entry) bool { return !e.ends.After(now) })
			if got, err := l.Prune(t.Context(), now); err != nil || got != before-len(model) {
				t.Fatalf("Prune = %d, %v; want %d", got, err, before-len(model))
			}
			continue
		}
		e := model[n]
		if !e.ends.After(now) {
			e = entry{ends: now.Add(w.Period)}
		}
		g, err := l.Reserve(t.Context(), now, w)
		if err != nil || g.OK() != (e.reserved < w.Limit) {
			t.Fatalf("Reserve: full %d, %v, with %d of %d slots reserved", g.Full, err, e.reserved, w.Limit)
		}
		if !g.OK() && g.RetryAfter != e.ends.Sub(now) {
			t.Fatalf("retry after %v, want %v", g.RetryAfter, e.ends.Sub(now))
		}
		e.reserved = min(e.reserved+1, w.Limit)
		model[n] = e
	}
}
