package ginauth

import (
	"context"
	"sync"
	"time"
)

// phaseContext is the context of the store calls of one phase. It is what
// context.WithTimeout returns, except that there is no timer before somebody
// waits for it: a store in memory never does.
type phaseContext struct {
	parent  context.Context
	timeout time.Duration

	mu       sync.Mutex
	time     *storeTime    // nil if it is no part of a request
	deadline time.Duration // after processStart, once it was looked at, which is when it begins to count
	asked    bool          // Err was, and the deadline was not looked at
	counted  bool          // by time
	waited   bool          // somebody may wait for it
	over     bool
	timed    *timedContext // once Done was called
}

// timedContext is a context that has a timer.
type timedContext struct {
	context.Context
	cancel context.CancelFunc
}

var _ context.Context = (*phaseContext)(nil)

// phase returns the context of the store calls of one phase of the request. They
// have what earlier phases left of Config.StoreTimeout, which may be nothing.
// Within a phase it returns the phase's own, and after the answer has begun one
// with a deadline of its own.
//
// This holds for a logout and a revocation too, whose context does not end with
// the client's: one that does not fit is answered with 503, and asked for again.
func (x *exchange) phase(ctx context.Context) (context.Context, *phaseContext) {
	return x.m.phaseOf(ctx, &x.storeTime)
}

// phase is the exchange's, of a session that has one.
func (s *Session) phase(ctx context.Context) (context.Context, *phaseContext) {
	if s.x == nil {
		return s.m.phase(ctx)
	}
	return s.x.phase(ctx)
}

// phase is the exchange's where the context is part of a request. Elsewhere each
// phase has a deadline of its own.
func (m *Manager) phase(ctx context.Context) (context.Context, *phaseContext) {
	t, _ := ctx.Value(storeTimeKey{}).(*storeTime)
	return m.phaseOf(ctx, t)
}

func (m *Manager) phaseOf(ctx context.Context, t *storeTime) (context.Context, *phaseContext) {
	if _, inside := ctx.(*phaseContext); inside {
		return ctx, nil
	}
	p := &phaseContext{parent: ctx, timeout: m.cfg.StoreTimeout, time: t}
	return p, p
}

// end ends the phase. A nil one belongs to somebody else.
func (p *phaseContext) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.timed != nil {
		p.timed.cancel()
	}
	if p.counted {
		p.counted = false
		p.time.end(p.waited)
	}
}

// Deadline implements context.Context.
func (p *phaseContext) Deadline() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin(sinceStart())
	p.waited = true
	return processStart.Add(p.deadline), true
}

// begin sets the deadline. Whoever is given the context looks at it before it
// does anything that takes time.
func (p *phaseContext) begin(now time.Duration) {
	if p.deadline != 0 {
		return
	}
	left := p.timeout
	if p.time != nil && !p.over {
		var spent time.Duration
		spent, p.counted = p.time.begin(now)
		left -= spent
	}
	p.deadline = now + left
	if sooner, ok := p.parent.Deadline(); ok {
		p.deadline = min(p.deadline, now+time.Until(sooner))
	}
}

// Done implements context.Context.
func (p *phaseContext) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timed == nil {
		p.begin(sinceStart())
		p.waited = true
		ctx, cancel := context.WithDeadline(p.parent, processStart.Add(p.deadline))
		p.timed = &timedContext{ctx, cancel}
		if p.over {
			cancel()
		}
	}
	return p.timed.Done()
}

// Err implements context.Context.
func (p *phaseContext) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.timed != nil:
		return p.timed.Err()
	case p.parent.Err() != nil:
		return p.parent.Err()
	case p.over:
		return context.Canceled
	}
	if !p.asked {
		// Whoever asks once, before a work that waits for nothing, needs no clock.
		p.asked = true
		return nil
	}
	now := sinceStart()
	if p.begin(now); now >= p.deadline {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. Once there is a timer this is its context's
// Value, by which package context knows it and derives others without a
// goroutine for each.
func (p *phaseContext) Value(key any) any {
	if key == (storeTimeKey{}) {
		return p.time
	}
	p.mu.Lock()
	from := p.parent
	if p.timed != nil {
		from = p.timed
	}
	p.mu.Unlock()
	return from.Value(key)
}
