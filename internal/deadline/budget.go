package deadline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Budget is the time that the store calls of one request have used. Spans that
// overlap are counted once. It reads the real clock, as deadlines of contexts do.
// The zero Budget is ready to use. It is safe for concurrent use and must not be
// copied.
type Budget struct {
	mu    sync.Mutex
	open  int32 // number of open spans
	flags atomic.Uint32
	since time.Duration // when the first open span began, since processStart
	spent time.Duration // by spans that have ended
}

// The flags of a Budget.
const (
	flagClosed = 1 << iota // the response has begun
	flagWaited             // an open span may have waited for a store
)

// processStart is the origin of all times in this package: a Duration needs a
// third of the memory of a Time.
var processStart = time.Now()

func sinceStart() time.Duration { return time.Since(processStart) }

// begin opens a span and returns the time used before it. It returns false if the
// budget is closed.
func (b *Budget) begin(now time.Duration) (spent time.Duration, open bool) {
	if b.flags.Load()&flagClosed != 0 {
		return 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == 0 {
		b.since = now
	}
	b.open++
	return b.spent + now - b.since, true
}

// end closes a span. A span that cannot have waited needs no look at the clock.
func (b *Budget) end(waited bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if waited {
		b.flags.Or(flagWaited)
	}
	if b.open--; b.open == 0 && b.flags.Load()&flagWaited != 0 {
		b.spent += sinceStart() - b.since
		b.flags.And(^uint32(flagWaited))
	}
}

// Close says that the response has begun. Spans that begin later, as in a stream,
// each have the whole limit.
func (b *Budget) Close() {
	if b.flags.Load()&flagClosed == 0 {
		b.flags.Or(flagClosed)
	}
}

// Used returns the time that ended spans have used.
func (b *Budget) Used() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spent
}

// budgetKey is the key of a context's Budget.
type budgetKey struct{}

// budgetContext is a context whose store calls belong to a request, or to none if
// budget is nil.
type budgetContext struct {
	context.Context
	budget *Budget
}

func (c budgetContext) Value(key any) any {
	if key == (budgetKey{}) {
		return c.budget
	}
	return c.Context.Value(key)
}

// WithBudget returns a context whose spans use the budget.
func WithBudget(ctx context.Context, b *Budget) context.Context { return budgetContext{ctx, b} }

// Detach returns a context for work that the request does not wait for. It keeps
// the values of ctx, but neither its cancellation, its deadline nor its budget.
func Detach(ctx context.Context) context.Context {
	return budgetContext{context.WithoutCancel(ctx), nil}
}
