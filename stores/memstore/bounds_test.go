package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

func bounded(n int) memstore.Options {
	o := quiet
	o.MaxSessions, o.MaxTokens, o.MaxWindows = n, n, n
	return o
}

// found returns the indexes of the rows that still exist.
func found(t *testing.T, s stores.Sessions, rows []stores.Session) (numbers []int) {
	t.Helper()
	for i, row := range rows {
		if _, ok, err := s.Load(t.Context(), row.Row); err != nil {
			t.Fatal(err)
		} else if ok {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

func TestFullSessionsDropInOrder(t *testing.T) {
	s := memstore.NewSessions(bounded(5))
	expired := session("u1", 0)
	expired.Expires = noon
	rows := []stores.Session{
		session("u1", 9*time.Hour),  // 0: stays, because it has an owner
		session("", 2*time.Minute),  // 1: is deleted third
		session("", 30*time.Minute), // 2: is touched, so it is deleted last
		expired,                     // 3: has expired, so it is deleted first, although it has an owner
		session("", 3*time.Minute),  // 4: is deleted second
	}
	for _, row := range rows {
		if err := s.Create(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Update(t.Context(), rows[2].Row, stores.Delta{LastSeen: noon}); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), rows[1]); !errors.Is(err, stores.ErrExists) {
		t.Errorf("Create of an existing row in a full store: %v, want ErrExists", err)
	}
	for _, want := range [][]int{{0, 1, 2, 4}, {0, 1, 2}, {0, 2}, {0}} {
		if err := s.Create(t.Context(), session("u2", 0)); err != nil {
			t.Fatal(err)
		}
		if got := found(t, s, rows); !slices.Equal(got, want) {
			t.Fatalf("rows %v are left, want %v", got, want)
		}
	}
	if err := s.Create(t.Context(), session("u3", 0)); !errors.Is(err, stores.ErrFull) {
		t.Errorf("Create beside owned sessions: %v, want ErrFull", err)
	}
	if got := found(t, s, rows); !slices.Equal(got, []int{0}) {
		t.Errorf("rows %v are left after ErrFull, want row 0", got)
	}
}

// TestFullSessionsFollowChanges compares the order in which a full store deletes
// rows with a model, after random changes of the rows.
func TestFullSessionsFollowChanges(t *testing.T) {
	const n = 400
	s := memstore.NewSessions(bounded(n))
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([]stores.Session, n)
	for i := range rows {
		rows[i] = session("", time.Duration(random.IntN(1e6))*time.Microsecond)
		if err := s.Create(t.Context(), rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 * n {
		row := &rows[random.IntN(n)]
		if _, err := s.Update(t.Context(), row.Row, change(random, row)); err != nil {
			t.Fatal(err)
		}
	}
	going := inOrder(rows)
	for i, row := range going {
		if err := s.Create(t.Context(), session("u3", 0)); err != nil {
			t.Fatal(err)
		}
		if _, ok, _ := s.Load(t.Context(), row.Row); ok {
			t.Fatalf("row %d of %d should be deleted and is there", i, len(going))
		}
	}
	if err := s.Create(t.Context(), session("u3", 0)); !errors.Is(err, stores.ErrFull) {
		t.Errorf("Create beside owned sessions: %v, want ErrFull", err)
	}
}

// change applies a random change to the row and returns it as a delta.
func change(random *rand.Rand, row *stores.Session) stores.Delta {
	switch random.IntN(3) {
	case 0:
		row.LastSeen = noon.Add(-time.Duration(random.IntN(1e6)) * time.Microsecond)
		return stores.Delta{LastSeen: row.LastSeen}
	case 1:
		row.Owners = [][]string{nil, {"u1"}, {"u2", "u1"}}[random.IntN(3)]
		same := &stores.Rename{Old: row.Digest, New: row.Digest}
		return stores.Delta{Principals: &stores.Principals{Owners: row.Owners}, Rename: same}
	}
	row.Expires = noon.Add(time.Duration(random.IntN(1e9)-1e8) * time.Microsecond)
	return stores.Delta{Expires: row.Expires}
}

// inOrder returns the rows that a full store may delete, in the order in which it
// deletes them.
func inOrder(rows []stores.Session) []stores.Session {
	var expired, idle []stores.Session
	for _, row := range rows {
		switch {
		case !row.Expires.After(noon):
			expired = append(expired, row)
		case len(row.Owners) == 0:
			idle = append(idle, row)
		}
	}
	slices.SortFunc(expired, func(a, b stores.Session) int { return a.Expires.Compare(b.Expires) })
	slices.SortFunc(idle, func(a, b stores.Session) int { return a.LastSeen.Compare(b.LastSeen) })
	return append(expired, idle...)
}

func TestFullSessionsInParallel(t *testing.T) {
	const most, workers, each = 50, 8, 500
	s := memstore.NewSessions(bounded(most))
	rows := make([][]stores.Session, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for range each {
				row := session("", 0)
				rows[w] = append(rows[w], row)
				if err := s.Create(context.Background(), row); err != nil {
					t.Errorf("Create: %v", err)
				}
			}
		})
	}
	group.Wait()
	if got := found(t, s, slices.Concat(rows...)); len(got) != most {
		t.Errorf("%d sessions are left, want %d", len(got), most)
	}
}

func TestFullTokens(t *testing.T) {
	s := memstore.NewTokens(bounded(3))
	parent := token(newID())
	short := token(newID())
	short.Expires = noon
	for _, tok := range []stores.Token{parent, short, token(newID())} {
		if ok, err := s.Create(t.Context(), tok); err != nil || !ok {
			t.Fatalf("Create = %v, %v", ok, err)
		}
	}
	// A fourth family is one too many, also if there is room for its token.
	if _, err := s.Create(t.Context(), token(newID())); !errors.Is(err, stores.ErrFull) {
		t.Errorf("Create of a fourth family: %v, want ErrFull", err)
	}
	child := token(parent.Family)
	if r, err := s.Rotate(t.Context(), noon, parent.ID, child); err != nil || r != stores.RotateDone {
		t.Fatalf("Rotate into the place of an expired token = %v, %v", r, err)
	}
	if _, ok, _ := s.Find(t.Context(), short.Family, short.ID); ok {
		t.Error("the expired token is still there")
	}
	if r, err := s.Rotate(t.Context(), noon, child.ID, token(parent.Family)); !errors.Is(err, stores.ErrFull) {
		t.Errorf("Rotate in a full store = %v, %v, want ErrFull", r, err)
	}
	if ok, err := s.Consume(t.Context(), noon, child.Family, child.ID); err != nil || !ok {
		t.Errorf("Consume of the parent of a failed rotation = %v, %v, want true", ok, err)
	}
}

// TestFullTokensTakeRevocations ends sessions and signed tokens while the store is full of logins.
func TestFullTokensTakeRevocations(t *testing.T) {
	s := memstore.NewTokens(bounded(8))
	for i := range 20 {
		kind := stores.Refresh
		if i >= 10 {
			kind = stores.Revoked
		}
		made := token(newID())
		made.Kind = kind
		ok, err := s.Create(t.Context(), made)
		if want := i < 8 || i == 10 || i == 11; ok != want || errors.Is(err, stores.ErrFull) == want {
			t.Errorf("Create number %d, of kind %s = %v, %v", i+1, kind, ok, err)
		}
	}
}

// TestFullTokensDropRevokedFamilies fills a store with logins and logouts. They must not keep
// others from logging in. What lives stays.
func TestFullTokensDropRevokedFamilies(t *testing.T) {
	s := memstore.NewTokens(bounded(2))
	living := token(newID())
	if ok, err := s.Create(t.Context(), living); !ok || err != nil {
		t.Fatalf("Create = %v, %v", ok, err)
	}
	for i := range 5 {
		other := token(newID())
		if ok, err := s.Create(t.Context(), other); !ok || err != nil {
			t.Fatalf("Create number %d = %v, %v", i+1, ok, err)
		}
		if ok, err := s.Create(t.Context(), token(newID())); ok || !errors.Is(err, stores.ErrFull) {
			t.Fatalf("Create among living families = %v, %v, want ErrFull", ok, err)
		}
		if alive, err := s.RevokeFamily(t.Context(), noon, other.Family); !alive || err != nil {
			t.Fatalf("RevokeFamily = %v, %v", alive, err)
		}
	}
	if lives, err := s.Lives(t.Context(), noon, living.Family); err != nil || lives[0] != stores.Alive {
		t.Errorf("the living family is %v, %v", lives, err)
	}
}

func TestFullLimiterFailsClosed(t *testing.T) {
	const most = 100
	l := memstore.NewLimiter(bounded(most))
	victim := stores.Window{Key: key(-1), Limit: 3, Period: time.Hour}
	flood := func(n int) stores.Window { return stores.Window{Key: key(n), Limit: 1, Period: time.Minute} }
	outcome(t, l, noon, victim)
	outcome(t, l, noon, victim)
	for i := range most - 1 {
		if got := outcome(t, l, noon, flood(i)); got != "ok" {
			t.Fatalf("window %d: %s", i, got)
		}
	}
	later := noon.Add(time.Minute)
	for _, step := range []struct {
		name    string
		now     time.Time
		windows []stores.Window
		want    string
	}{
		{"a new window", noon, []stores.Window{flood(1000)}, "store full"},
		{"beside one that is there", noon, []stores.Window{victim, flood(1000)}, "store full"},
		{"what is there still counts", noon, []stores.Window{victim}, "ok"},
		{"to its limit", noon, []stores.Window{victim}, "window 0"},
		{"a full window refuses before", noon, []stores.Window{flood(1000), victim}, "window 1"},
		{"more than can ever be held", noon, manyWindows(most + 1), "store full"},
		{"ended windows make room", later, []stores.Window{flood(1000), flood(1001)}, "ok"},
		{"the victim is not forgotten", later, []stores.Window{victim}, "window 0"},
		{"room for as many as ended", later, manyWindows(most - 3), "ok"},
		{"and no more", later, []stores.Window{flood(2000)}, "store full"},
	} {
		if got := outcome(t, l, step.now, step.windows...); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

func TestResetMakesRoom(t *testing.T) {
	l := memstore.NewLimiter(bounded(2))
	windows := manyWindows(4)
	outcome(t, l, noon, windows[:2]...)
	if err := l.Reset(t.Context(), windows[1].Key, windows[2].Key); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"ok", "store full"} {
		if got := outcome(t, l, noon, windows[2+i]); got != want {
			t.Errorf("new window %d after the Reset of one: %s, want %s", i+1, got, want)
		}
	}
}

// outcome returns the result of a Reserve in words.
func outcome(t *testing.T, l stores.Limiter, now time.Time, windows ...stores.Window) string {
	t.Helper()
	g, err := l.Reserve(t.Context(), now, windows...)
	switch {
	case errors.Is(err, stores.ErrFull) && !g.OK():
		return "store full"
	case err != nil:
		t.Fatal(err)
	case !g.OK():
		return fmt.Sprint("window ", g.Full)
	}
	return "ok"
}

// manyWindows returns n new windows, the first three of them twice.
func manyWindows(n int) []stores.Window {
	windows := make([]stores.Window, n)
	for i := range windows {
		windows[i] = stores.Window{Key: key(5000 + i), Limit: 2, Period: time.Minute}
	}
	return append(windows, windows[:3]...)
}
