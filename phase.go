package ginauth

import (
	"context"
	"sync"
	"time"
)

// phaseContext is the context of the store calls of one phase of a request. It
// is what context.WithTimeout returns, except that there is no timer before
// somebody waits for it: a store in memory never does.
type phaseContext struct {
	parent  context.Context
	timeout time.Duration

	mu       sync.Mutex
	deadline time.Time // once it was looked at, which is when it begins to count
	over     bool
	timed    context.Context // once Done was called
	cancel   context.CancelFunc
}

var _ context.Context = (*phaseContext)(nil)

// enter returns the context of the store calls of one phase. Within a phase it
// returns the phase's own, so that its calls share one deadline, and nil.
func (m *Manager) enter(ctx context.Context) (context.Context, *phaseContext) {
	if _, inside := ctx.(*phaseContext); inside {
		return ctx, nil
	}
	p := &phaseContext{parent: ctx, timeout: m.cfg.StoreTimeout}
	return p, p
}

// phase is enter for where an allocation does not matter.
func (m *Manager) phase(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, p := m.enter(ctx)
	return ctx, p.end
}

// end ends the phase. A nil one belongs to somebody else.
func (p *phaseContext) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.cancel != nil {
		p.cancel()
	}
}

// Deadline implements context.Context.
func (p *phaseContext) Deadline() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
	return p.deadline, true
}

// begin sets the deadline, and reports whether it was set already. Whoever is
// given the context looks at it before it does anything that takes time.
func (p *phaseContext) begin() (begun bool) {
	if !p.deadline.IsZero() {
		return true
	}
	p.deadline = time.Now().Add(p.timeout)
	if sooner, ok := p.parent.Deadline(); ok && sooner.Before(p.deadline) {
		p.deadline = sooner
	}
	return false
}

// Done implements context.Context.
func (p *phaseContext) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timed == nil {
		p.begin()
		p.timed, p.cancel = context.WithDeadline(p.parent, p.deadline)
		if p.over {
			p.cancel()
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
	case p.begin() && !time.Now().Before(p.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. Once there is a timer this is its context's
// Value, by which package context knows it and derives others without a
// goroutine for each.
func (p *phaseContext) Value(key any) any {
	p.mu.Lock()
	from := p.parent
	if p.timed != nil {
		from = p.timed
	}
	p.mu.Unlock()
	return from.Value(key)
}
