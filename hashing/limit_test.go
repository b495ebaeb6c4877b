package hashing_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ginauth/ginauth/hashing"
)

// If many callers start at the same time, Concurrency of them run, Queue of
// them wait, and the others are refused while the first are still running.
func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		name                      string
		concurrency, queue, waits int
	}{
		{"one at a time", 1, 1, 1},
		{"several", 2, 3, 3},
		{"no queue", 4, hashing.NoQueue, 0},
		{"default queue", 2, 0, 64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testLimit(t, tt.concurrency, tt.queue, tt.waits)
		})
	}
}

func testLimit(t *testing.T, concurrency, queue, waits int) {
	const callers = 200
	g := newGate()
	m := must(t, hashing.Config{Driver: g, Concurrency: concurrency, Queue: queue})
	results, admitted := releaseAtOnce(t, m, callers), concurrency+waits
	for range callers - admitted {
		if err := <-results; !errors.Is(err, hashing.ErrBusy) {
			t.Fatalf("error %v, want ErrBusy", err)
		}
	}
	for range concurrency {
		<-g.started
	}
	if err := m.VerifyDummy(t.Context(), "secret"); !errors.Is(err, hashing.ErrBusy) {
		t.Errorf("VerifyDummy: error %v, want ErrBusy", err)
	}
	if _, err := m.Hash(t.Context(), "secret"); !errors.Is(err, hashing.ErrBusy) {
		t.Errorf("Hash: error %v, want ErrBusy", err)
	}
	close(g.open)
	for range admitted {
		if err := <-results; err != nil {
			t.Errorf("error %v of an admitted caller", err)
		}
	}
	if peak, n := g.peak.Load(), m.Computations(); peak != int64(concurrency) || n != uint64(admitted) {
		t.Errorf("%d computed, %d at the same time; want %d and %d", n, peak, admitted, concurrency)
	}
	if !verify(t, m, "secret", "$gate$secret") {
		t.Error("the manager is still busy after all calls returned")
	}
}

// releaseAtOnce starts callers that all verify the right password at the same
// time, and returns a channel of their errors.
func releaseAtOnce(t *testing.T, m *hashing.Manager, callers int) <-chan error {
	start, results := make(chan struct{}), make(chan error, callers)
	for range callers {
		go func() {
			<-start
			ok, err := m.Verify(t.Context(), "secret", "$gate$secret")
			if err == nil && !ok {
				err = errors.New("the right password does not match")
			}
			results <- err
		}()
	}
	close(start)
	return results
}

func TestDefaultConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		m := must(t, hashing.Config{Driver: g})
		for range runtime.GOMAXPROCS(0) + 10 {
			go m.VerifyDummy(t.Context(), "secret")
		}
		synctest.Wait()
		if got, want := g.running.Load(), int64(max(1, runtime.GOMAXPROCS(0)-1)); got != want {
			t.Errorf("%d running, want %d", got, want)
		}
		close(g.open)
	})
}

// A caller whose context ends while it waits gets the context's error, computes
// nothing, and makes room for others.
func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		m := must(t, hashing.Config{Driver: g, Concurrency: 1, Queue: 2})
		var all sync.WaitGroup
		call := func(ctx context.Context, want error) {
			all.Go(func() {
				if _, err := m.Verify(ctx, "secret", "$gate$secret"); !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		call(t.Context(), nil) // runs
		call(ctx, context.Canceled)
		call(ctx, context.Canceled)
		call(t.Context(), hashing.ErrBusy)
		cancel(errors.New("client went away"))
		synctest.Wait()
		call(t.Context(), nil) // waits in the place of a canceled call
		call(t.Context(), nil)
		call(t.Context(), hashing.ErrBusy)
		close(g.open)
		all.Wait()
		if n := m.Computations(); n != 3 {
			t.Errorf("Computations = %d, want 3", n)
		}
	})
}

// Waiting callers are served in the order in which they came.
func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.open = make(chan struct{})
		m := must(t, hashing.Config{Driver: g, Concurrency: 1, Queue: 5})
		var (
			all   sync.WaitGroup
			order []int
		)
		for i := range 6 {
			all.Go(func() {
				if err := m.VerifyDummy(t.Context(), "secret"); err != nil {
					t.Error(err)
				}
				order = append(order, i) // no race: the test lets one call continue and waits for it
			})
			synctest.Wait()
		}
		for range 6 {
			g.open <- struct{}{}
			synctest.Wait()
		}
		all.Wait()
		for i, caller := range order {
			if i != caller {
				t.Fatalf("served in order %v", order)
			}
		}
	})
}

// A client with many callers neither fills the queue for others nor delays them
// by more than one hash for each client.
func TestClientsShareTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.open = make(chan struct{})
		m := must(t, hashing.Config{Driver: g, Concurrency: 1, Queue: 6})
		var (
			all   sync.WaitGroup
			order []string
			busy  = map[string]int{}
		)
		call := func(ctx context.Context, client string) {
			all.Go(func() {
				switch err := m.VerifyDummy(hashing.WithClient(ctx, client), "secret"); {
				case err == nil:
					order = append(order, client)
				case errors.Is(err, hashing.ErrBusy):
					busy[client]++
				}
			})
			synctest.Wait()
		}
		for range 10 { // one runs, six wait
			call(t.Context(), "a")
		}
		if busy["a"] != 3 {
			t.Errorf("%d callers of the only client were refused, want 3", busy["a"])
		}
		gone, cancel := context.WithCancel(t.Context())
		call(gone, "b")
		for range 3 {
			call(t.Context(), "b")
		}
		call(t.Context(), "c")
		cancel() // its place is free
		synctest.Wait()
		call(t.Context(), "c")
		for len(order) < 7 {
			g.open <- struct{}{}
			synctest.Wait()
		}
		all.Wait()
		if got := strings.Join(order, ""); got != "aabcabc" {
			t.Errorf("served in order %s", got)
		}
		if busy["a"] != 7 || busy["b"] != 1 || busy["c"] != 0 {
			t.Errorf("refused: %v", busy)
		}
	})
}

// However many clients and callers come and go, all get an answer and nothing is
// left behind.
func TestManyClientsComeAndGo(t *testing.T) {
	m := must(t, hashing.Config{Driver: cheapArgon2id, Concurrency: 2, Queue: 8, InsecureAllowWeakParameters: true})
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(hashing.WithClient(t.Context(), strings.Repeat("x", i%20)))
			if i%3 == 0 {
				go cancel()
			}
			defer cancel()
			if err := m.VerifyDummy(ctx, "secret"); err != nil && !errors.Is(err, hashing.ErrBusy) && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if running, waiting, clients := hashing.InUse(m); running+waiting+clients != 0 {
		t.Errorf("%d run, %d wait, %d clients are known", running, waiting, clients)
	}
}

func TestEndedContext(t *testing.T) {
	m := cheap(t, cheapArgon2id)
	stored := hash(t, m, "secret")
	before := m.Computations()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // repeated, because select chooses at random
		_, hashErr := m.Hash(ctx, "secret")
		ok, verifyErr := m.Verify(ctx, "secret", stored)
		dummyErr := m.VerifyDummy(ctx, "secret")
		for _, err := range []error{hashErr, verifyErr, dummyErr} {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("error %v, want context.Canceled", err)
			}
		}
		if ok {
			t.Fatal("password matches although the context has ended")
		}
	}
	if n := m.Computations() - before; n != 0 {
		t.Errorf("%d hashes computed", n)
	}
	if !verify(t, m, "secret", stored) {
		t.Error("the right password does not match afterwards")
	}
}

// A driver that panics does not keep its place.
func TestPanicFreesSlot(t *testing.T) {
	g := newGate()
	m := must(t, hashing.Config{Driver: g, Concurrency: 1, Queue: hashing.NoQueue})
	g.fault = "broken"
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			m.VerifyDummy(t.Context(), "secret")
		}()
	}
	g.fault = nil
	close(g.open)
	if err := m.VerifyDummy(t.Context(), "secret"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Errors that need no computation are returned also while all places are taken.
func TestRefusedInputDoesNotWait(t *testing.T) {
	g := newGate()
	m := must(t, hashing.Config{Driver: g, Concurrency: 1, Queue: hashing.NoQueue})
	var all sync.WaitGroup
	all.Go(func() { m.VerifyDummy(t.Context(), "secret") })
	<-g.started
	if _, err := m.Hash(t.Context(), ""); !errors.Is(err, hashing.ErrPasswordEmpty) {
		t.Errorf("Hash: %v", err)
	}
	if _, err := m.Verify(t.Context(), "secret", "$gate$bad"); !errors.Is(err, hashing.ErrBadHash) {
		t.Errorf("Verify: %v", err)
	}
	if err := m.VerifyDummy(t.Context(), strings.Repeat("a", 5000)); !errors.Is(err, hashing.ErrPasswordTooLong) {
		t.Errorf("VerifyDummy: %v", err)
	}
	close(g.open)
	all.Wait()
}

// VerifyDummy computes as many hashes as Verify, with every driver.
func TestDummyCostsTheSame(t *testing.T) {
	for _, driver := range []hashing.Driver{cheapArgon2id, cheapBcrypt, cheapScrypt} {
		m := cheap(t, driver)
		if n := m.Computations(); n != 0 {
			t.Errorf("%T: Computations of a new manager = %d", driver, n)
		}
		stored := hash(t, m, "secret")
		for _, password := range []string{"secret", "wrong", strings.Repeat("a", 100), "a\x00b"} {
			start := m.Computations()
			verify(t, m, password, stored)
			known := m.Computations() - start
			if err := m.VerifyDummy(t.Context(), password); err != nil {
				t.Errorf("%T: VerifyDummy: %v", driver, err)
			}
			if unknown := m.Computations() - start - known; known != 1 || unknown != 1 {
				t.Errorf("%T: %d hashes for a known user, %d for an unknown", driver, known, unknown)
			}
		}
	}
}
