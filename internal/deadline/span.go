package deadline

import (
	"context"
	"sync"
	"time"
)

// Span is the context of one group of store calls. It behaves like the result of
// context.WithTimeout, but makes a timer only when a caller waits on Done: a
// store in memory never waits.
type Span struct {
	parent context.Context
	limit  time.Duration

	mu       sync.Mutex
	budget   *Budget       // nil outside a request
	deadline time.Duration // since processStart; 0 until it is needed
	asked    bool          // Err was called before the deadline was set
	counted  bool          // by budget
	waited   bool          // a caller may have waited
	over     bool
	timed    *timedContext // set by Done
}

// timedContext is a context with a timer.
type timedContext struct {
	context.Context
	cancel context.CancelFunc
}

var _ context.Context = (*Span)(nil)

// Begin returns the context of one span of store calls, which the caller ends with
// End. The span ends after limit, less what the budget has used. A nil b stands for
// the budget of ctx, if it has one. Inside a span Begin returns ctx and nil: the
// calls belong to the outer span. After the budget was closed a span has the whole
// limit.
//
// The limit also holds for work that must not stop when the client disconnects,
// such as a logout. If it does not finish in time it is answered with 503 and the
// client has to repeat it.
func Begin(ctx context.Context, b *Budget, limit time.Duration) (context.Context, *Span) {
	if _, inside := ctx.(*Span); inside {
		return ctx, nil
	}
	if b == nil {
		b, _ = ctx.Value(budgetKey{}).(*Budget)
	}
	s := &Span{parent: ctx, limit: limit, budget: b}
	return s, s
}

// End ends the span. On a nil Span it does nothing.
func (s *Span) End() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.timed != nil {
		s.timed.cancel()
	}
	if s.counted {
		s.counted = false
		s.budget.end(s.waited)
	}
}

// Deadline implements context.Context.
func (s *Span) Deadline() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(sinceStart())
	s.waited = true
	return processStart.Add(s.deadline), true
}

// begin sets the deadline when a callee first looks at it, which every callee does
// before it waits.
func (s *Span) begin(now time.Duration) {
	if s.deadline != 0 {
		return
	}
	left := s.limit
	if s.budget != nil && !s.over {
		var spent time.Duration
		spent, s.counted = s.budget.begin(now)
		left -= spent
	}
	s.deadline = now + left
	if sooner, ok := s.parent.Deadline(); ok {
		s.deadline = min(s.deadline, now+time.Until(sooner))
	}
}

// Done implements context.Context.
func (s *Span) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timed == nil {
		s.begin(sinceStart())
		s.waited = true
		ctx, cancel := context.WithDeadline(s.parent, processStart.Add(s.deadline))
		s.timed = &timedContext{ctx, cancel}
		if s.over {
			cancel()
		}
	}
	return s.timed.Done()
}

// Err implements context.Context.
func (s *Span) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.timed != nil:
		return s.timed.Err()
	case s.parent.Err() != nil:
		return s.parent.Err()
	case s.over:
		return context.Canceled
	}
	if !s.asked {
		// A callee that asks once, before work that does not wait, needs no clock.
		s.asked = true
		return nil
	}
	now := sinceStart()
	if s.begin(now); now >= s.deadline {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. Once there is a timer it is asked, by which
// package context recognizes its own type and derives contexts without a goroutine.
func (s *Span) Value(key any) any {
	if key == (budgetKey{}) {
		return s.budget
	}
	s.mu.Lock()
	from := s.parent
	if s.timed != nil {
		from = s.timed
	}
	s.mu.Unlock()
	return from.Value(key)
}
