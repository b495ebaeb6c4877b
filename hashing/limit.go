package hashing

import (
	"context"
	"fmt"
)

// limit lets a number of callers run and a number wait. The one who leaves lets
// in the one who has waited longest, since blocked sends on a channel proceed
// in order.
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

// enter returns when the caller may run, and it must leave afterwards. It
// returns ErrBusy at once if there is no room to wait, and an error that wraps
// the context's if that ended first.
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
	// With both ready, select chooses at random.
	if err := ctx.Err(); err != nil {
		l.leave()
		return notHashed(err)
	}
	return nil
}

// leave makes room. The order matters: whoever is admitted because of it finds
// what ran gone.
func (l limit) leave() {
	<-l.running
	<-l.admitted
}

func notHashed(err error) error {
	return fmt.Errorf("ginauth: no password was hashed: %w", err)
}
