package ginauth

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// storeTime is how much of Config.StoreTimeout the store calls of one request
// have used up. They come in phases, between which the application runs, or a
// password is hashed: only the phases count, and phases that run at once count
// once. It reads the real clock, as deadlines of contexts do, and is used by any
// number of goroutines.
type storeTime struct {
	mu     sync.Mutex
	open   int32         // phases that run now
	waited bool          // one of them may have had to wait
	since  time.Time     // when the first of them began
	spent  time.Duration // by phases before that
	over   atomic.Bool   // the answer has begun
}

// begin begins a phase and returns what was used up before, or false if nobody
// waits for an answer any more.
func (t *storeTime) begin(now time.Time) (spent time.Duration, waiting bool) {
	if t.over.Load() {
		return 0, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == 0 {
		t.since = now
	}
	t.open++
	return t.spent + now.Sub(t.since), true
}

// end ends a phase. One in which nobody could have waited needs no look at the
// clock.
func (t *storeTime) end(waited bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waited = t.waited || waited
	if t.open--; t.open == 0 && t.waited {
		t.spent += time.Since(t.since)
		t.waited = false
	}
}

// close says that the answer has begun. What comes after it, as in a stream or
// under a context that outlives the request, holds nothing up.
func (t *storeTime) close() { t.over.Store(true) }

// used returns what phases have used up, of which none runs.
func (t *storeTime) used() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.spent
}

// storeTimeKey is where a context keeps the storeTime of its request.
type storeTimeKey struct{}

// requestContext is a context whose store calls are part of a request.
type requestContext struct {
	context.Context
	time *storeTime // nil if they are of none
}

func (c requestContext) Value(key any) any {
	if key == (storeTimeKey{}) {
		return c.time
	}
	return c.Context.Value(key)
}

// within returns a context for what methods of the Manager do for the request.
func (x *exchange) within(ctx context.Context) context.Context {
	return requestContext{ctx, &x.storeTime}
}

// afterwards returns a context for what a request does not wait for: it has the
// values of the request's, neither its end nor its deadline, and is no part of it.
func afterwards(ctx context.Context) context.Context {
	return requestContext{context.WithoutCancel(ctx), nil}
}
