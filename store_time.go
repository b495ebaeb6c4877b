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
	mu    sync.Mutex
	open  int32 // phases that run now
	flags atomic.Uint32
	since time.Duration // when the first of them began, after processStart
	spent time.Duration // by phases before that
}

// The flags of a storeTime.
const (
	storeTimeOver   = 1 << iota // the answer has begun
	storeTimeWaited             // an open phase may have had to wait
)

// processStart is what times of phases count from. A Time takes three times the
// room of a Duration.
var processStart = time.Now()

func sinceStart() time.Duration { return time.Since(processStart) }

// begin begins a phase and returns what was used up before, or false if nobody
// waits for an answer any more.
func (t *storeTime) begin(now time.Duration) (spent time.Duration, waiting bool) {
	if t.flags.Load()&storeTimeOver != 0 {
		return 0, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == 0 {
		t.since = now
	}
	t.open++
	return t.spent + now - t.since, true
}

// end ends a phase. One in which nobody could have waited needs no look at the
// clock.
func (t *storeTime) end(waited bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if waited {
		t.flags.Or(storeTimeWaited)
	}
	if t.open--; t.open == 0 && t.flags.Load()&storeTimeWaited != 0 {
		t.spent += sinceStart() - t.since
		t.flags.And(^uint32(storeTimeWaited))
	}
}

// close says that the answer has begun. What comes after it, as in a stream or
// under a context that outlives the request, holds nothing up.
func (t *storeTime) close() {
	if t.flags.Load()&storeTimeOver == 0 {
		t.flags.Or(storeTimeOver)
	}
}

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
