package ginauthtest

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
)

// Events is a record of events. It is safe for concurrent use. The zero Events
// is empty and ready.
type Events struct {
	mu    sync.Mutex
	all   []events.Event
	noted signal
}

// Record notes an event. It is what Config.Audit takes.
func (r *Events) Record(_ context.Context, e events.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
	r.noted.send()
}

// All returns all events, the oldest first.
func (r *Events) All() []events.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// Clear forgets all events.
func (r *Events) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = nil
}

// Of returns the events of type E, the oldest first. With events.Event as E it
// returns all.
func Of[E events.Event](r *Events) []E {
	var found []E
	for _, e := range r.All() {
		if typed, ok := e.(E); ok {
			found = append(found, typed)
		}
	}
	return found
}

// AssertDispatched fails the test unless there was an event of type E for which
// all of the conditions hold, and returns the first. Events of what runs off
// the request, as sending a link for a new password, may come a moment later:
// it waits for up to 10 s before it fails.
func AssertDispatched[E events.Event](t testing.TB, r *Events, conditions ...func(E) bool) E {
	t.Helper()
	fits := func(e E) bool {
		return !slices.ContainsFunc(conditions, func(holds func(E) bool) bool { return !holds(e) })
	}
	var found []E
	r.await(func() bool {
		found = slices.DeleteFunc(Of[E](r), func(e E) bool { return !fits(e) })
		return len(found) > 0
	})
	if len(found) == 0 {
		t.Fatalf("no event %s that fits; there were: %s", nameOf[E](), r.names())
	}
	return found[0]
}

// AssertNotDispatched fails the test if there was an event of type E for which
// all of the conditions hold.
func AssertNotDispatched[E events.Event](t testing.TB, r *Events, conditions ...func(E) bool) {
	t.Helper()
	for _, e := range Of[E](r) {
		if !slices.ContainsFunc(conditions, func(holds func(E) bool) bool { return !holds(e) }) {
			t.Errorf("there was an event %s, of user %q", nameOf[E](), e.EventMeta().UserID)
			return
		}
	}
}

// AssertCount fails the test unless there were n events of type E. It waits as
// AssertDispatched does if there are fewer.
func AssertCount[E events.Event](t testing.TB, r *Events, n int) {
	t.Helper()
	r.await(func() bool { return len(Of[E](r)) >= n })
	if got := len(Of[E](r)); got != n {
		t.Errorf("%d events %s, want %d; there were: %s", got, nameOf[E](), n, r.names())
	}
}

// await returns once enough is true, or when there is no patience left.
func (r *Events) await(enough func() bool) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		noted := r.noted.wait()
		r.mu.Unlock()
		if enough() {
			return
		}
		select {
		case <-noted:
		case <-deadline.C:
			return
		}
	}
}

func (r *Events) names() string {
	var names []string
	for _, e := range r.All() {
		names = append(names, e.EventName())
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func nameOf[E events.Event]() string { return reflect.TypeFor[E]().String() }
