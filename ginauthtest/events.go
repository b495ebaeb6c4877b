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

// Events is a record of events. It is safe for concurrent use. Its zero value
// is empty and ready to use.
type Events struct {
	mu       sync.Mutex
	all      []events.Event
	recorded signal
}

// Record adds an event. Use the method value as Config.Audit.
func (r *Events) Record(_ context.Context, e events.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
	r.recorded.send()
}

// All returns all events, oldest first.
func (r *Events) All() []events.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// Clear removes all events.
func (r *Events) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = nil
}

// Of returns the events of type E, oldest first. If E is events.Event, it
// returns all events.
func Of[E events.Event](r *Events) []E {
	var found []E
	for _, e := range r.All() {
		if typed, ok := e.(E); ok {
			found = append(found, typed)
		}
	}
	return found
}

// AssertDispatched fails the test unless an event of type E was dispatched for
// which all conditions return true. It returns the first such event. Some
// events are dispatched after the response, for example when a reset link is
// sent. AssertDispatched therefore waits up to 10 s for the event.
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
		t.Fatalf("no event %s matches; dispatched: %s", nameOf[E](), r.names())
	}
	return found[0]
}

// AssertNotDispatched fails the test if an event of type E was dispatched for
// which all conditions return true. It does not wait.
func AssertNotDispatched[E events.Event](t testing.TB, r *Events, conditions ...func(E) bool) {
	t.Helper()
	for _, e := range Of[E](r) {
		if !slices.ContainsFunc(conditions, func(holds func(E) bool) bool { return !holds(e) }) {
			t.Errorf("event %s was dispatched, of user %q", nameOf[E](), e.EventMeta().UserID)
			return
		}
	}
}

// AssertCount fails the test unless exactly n events of type E were dispatched.
// It waits up to 10 s while there are fewer.
func AssertCount[E events.Event](t testing.TB, r *Events, n int) {
	t.Helper()
	r.await(func() bool { return len(Of[E](r)) >= n })
	if got := len(Of[E](r)); got != n {
		t.Errorf("%d events %s, want %d; dispatched: %s", got, nameOf[E](), n, r.names())
	}
}

// await waits until enough returns true, up to 10 s.
func (r *Events) await(enough func() bool) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		recorded := r.recorded.wait()
		r.mu.Unlock()
		if enough() {
			return
		}
		select {
		case <-recorded:
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
