package hashing

import (
	"context"
	"fmt"
)

// limit admits a number of callers to run and a number to wait. Waiting callers
// are served in the order in which they came, because a channel serves blocked
// senders in order.
type limit struct {
	running  chan struct{}
	admitted chan struct{} // running or waiting
}

func newLimit(concurrency, queue int) limit {
	return limit{
		running:  make(chan struct{}, concurrency),
		admitted: make(chan struct{}, concurrency+queue),
	}
}

// enter waits until the caller may run. If it returns nil, the caller must call
// leave. It returns ErrBusy at once if too many callers are waiting, and an
// error that wraps the context's error if ctx ends first.
func (l limit) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return notHashed(err)
	}
	select {
	case l.admitted <- struct{}{}:
	default:
		return ErrBusy
	}
	select {
	case l.running <- struct{}{}:
	case <-ctx.Done():
		<-l.admitted
		return notHashed(ctx.Err())
	}
	// If both channels were ready, select chose at random.
	if err := ctx.Err(); err != nil {
		l.leave()
		return notHashed(err)
	}
	return nil
}

// leave lets the next caller in. It reads running first: a caller that is
// admitted by the second read must not see the place in running still taken.
func (l limit) leave() {
	<-l.running
	<-l.admitted
}

func notHashed(err error) error {
	return fmt.Errorf("ginauth: password was not hashed: %w", err)
}
