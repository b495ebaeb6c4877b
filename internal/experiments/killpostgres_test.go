package experiments_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
)

// TestKilledPostgres kills a process of a PostgreSQL server, or all of it, amid
// rotations, uses of tokens that can be used once, and revocations.
func TestKilledPostgres(t *testing.T) { // EXP-14
	if testing.Short() {
		t.Skip("makes a cluster")
	}
	cluster := testservers.NewPostgresCluster(t)
	s := spec{Postgres: cluster.DSN}
	if err := s.prepare(0); err != nil {
		t.Fatal(err)
	}
	b, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	cycles := testsize.Rounds(50, 2)
	all := new(tokenLoad)
	for cycle := range cycles {
		l := &tokenLoad{tokens: b.set.Tokens, progress: make(chan struct{}, 1)}
		f := &families{tokens: b.set.Tokens}
		stopRevoking, stop := f.revoke(t), l.start(t)
		l.wait(t, 1+rand.IntN(300))
		if cycle%2 == 0 {
			if err := cluster.KillBackend(); err != nil {
				t.Fatal(err)
			}
		} else {
			cluster.Kill()
			cluster.Start(t)
		}
		l.wait(t, int(l.done.Load())+100) // through the recovery
		stop()
		stopRevoking()
		f.check(t)
		l.check(t)
		all.add(l, len(f.revoked))
	}
	t.Logf("%d cycles: %d rotations, %d uses by four, %d acknowledged revocations; %d calls without an answer, of which %d were carried out",
		cycles, len(all.rotations), len(all.uses), all.revoked, all.unanswered, all.carriedOut)
}

// A rotation is one call of Rotate, and whether it was acknowledged.
type rotation struct {
	parent, child stores.Token
	known         bool
}

// A use is one token that was consumed by several callers at once.
type use struct {
	token        stores.Token
	done, failed int
}

// tokenLoad rotates and uses tokens.
type tokenLoad struct {
	tokens   stores.Tokens
	progress chan struct{}
	done     atomic.Int64

	mu        sync.Mutex
	rotations []rotation
	uses      []use

	revoked, unanswered, carriedOut int
}

// wait waits until n calls were acknowledged in all.
func (l *tokenLoad) wait(t *testing.T, n int) {
	t.Helper()
	limit := time.After(time.Minute)
	for l.done.Load() < int64(n) {
		select {
		case <-l.progress:
		case <-limit:
			t.Fatalf("only %d of %d calls were acknowledged in a minute", l.done.Load(), n)
		}
	}
}

func (l *tokenLoad) acknowledged() {
	l.done.Add(1)
	select {
	case l.progress <- struct{}{}:
	default:
	}
}

// start starts the load, which goes on until it is stopped.
func (l *tokenLoad) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for i := range 12 {
		work := l.rotate
		if i%3 == 0 {
			work = l.use
		}
		group.Go(func() {
			for ctx.Err() == nil {
				work(t)
			}
		})
	}
	return func() { cancel(); group.Wait() }
}

// call calls f with a deadline of its own.
func call[R any](f func(ctx context.Context) (R, error)) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return f(ctx)
}

// rotate rotates one family until a call has no answer.
func (l *tokenLoad) rotate(t *testing.T) {
	parent := newToken(stores.Refresh)
	if _, err := call(func(ctx context.Context) (bool, error) { return l.tokens.Create(ctx, parent) }); err != nil {
		return
	}
	for range 10 {
		child := newToken(stores.Refresh)
		child.Family, child.FamilyExpires = parent.Family, parent.FamilyExpires
		what, err := call(func(ctx context.Context) (stores.Rotated, error) {
			return l.tokens.Rotate(ctx, time.Now(), parent.ID, child)
		})
		if err == nil && what != stores.RotateDone {
			t.Errorf("a rotation of a fresh token: %v", what)
		}
		l.mu.Lock()
		l.rotations = append(l.rotations, rotation{parent, child, err == nil})
		l.mu.Unlock()
		if err != nil {
			return
		}
		l.acknowledged()
		parent = child
	}
}

// use lets four callers use one token.
func (l *tokenLoad) use(t *testing.T) {
	token := newToken(stores.Reset)
	if _, err := call(func(ctx context.Context) (bool, error) { return l.tokens.Create(ctx, token) }); err != nil {
		return
	}
	var done, failed atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			ok, err := l.consume(token)
			switch {
			case err != nil:
				failed.Add(1)
			case ok:
				done.Add(1)
			}
		})
	}
	group.Wait()
	l.mu.Lock()
	l.uses = append(l.uses, use{token, int(done.Load()), int(failed.Load())})
	l.mu.Unlock()
	if failed.Load() == 0 {
		l.acknowledged()
	}
}

func (l *tokenLoad) consume(token stores.Token) (bool, error) {
	return call(func(ctx context.Context) (bool, error) {
		return l.tokens.Consume(ctx, time.Now(), token.Family, token.ID)
	})
}

// check asks for all that was done, now that the server is up.
func (l *tokenLoad) check(t *testing.T) {
	t.Helper()
	rotated := make(map[string]bool) // parents, by id
	for _, r := range l.rotations {
		rotated[r.parent.ID] = true
	}
	for _, r := range l.rotations {
		l.checkRotation(t, r, rotated[r.child.ID])
	}
	for _, u := range l.uses {
		again, err := l.consume(u.token)
		if err != nil {
			t.Fatal(err)
		}
		if u.failed > 0 {
			l.unanswered += u.failed
		}
		switch {
		case again:
			u.done++
		case u.done == 0:
			l.carriedOut++ // by a call that has no answer
		}
		if u.done > 1 || u.done == 0 && u.failed == 0 {
			t.Errorf("a token that can be used once was used %d times", u.done)
		}
	}
}

// checkRotation checks one rotation. Once its child was rotated as well, the store may have
// deleted the parent, and later the child.
func (l *tokenLoad) checkRotation(t *testing.T, r rotation, further bool) {
	t.Helper()
	parent, found, err := l.tokens.Find(t.Context(), r.parent.Family, r.parent.ID)
	_, childFound, err2 := l.tokens.Find(t.Context(), r.child.Family, r.child.ID)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	consumed := !parent.Consumed.IsZero()
	switch {
	case further && (!found || consumed):
		consumed = true
	case !found || consumed != childFound || r.known && !consumed:
		t.Errorf("a rotation, acknowledged: %v; parent found: %v, consumed: %v; child found: %v", r.known, found, consumed, childFound)
	}
	if !r.known {
		l.unanswered++
		if consumed {
			l.carriedOut++
		}
		return
	}
	another := r.child
	another.ID = newID()
	if what, err := l.tokens.Rotate(t.Context(), time.Now(), r.parent.ID, another); what != stores.RotateUsed && (found || what != stores.RotateDead) || err != nil {
		t.Errorf("a second rotation of a parent: %v, error %v", what, err)
	}
}

// add adds up what loads have done.
func (l *tokenLoad) add(other *tokenLoad, revoked int) {
	l.rotations = append(l.rotations, other.rotations...)
	l.uses = append(l.uses, other.uses...)
	l.unanswered += other.unanswered
	l.carriedOut += other.carriedOut
	l.revoked += revoked
}
