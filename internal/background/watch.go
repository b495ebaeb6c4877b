package background

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ginauth/ginauth/autherr"
)

const (
	// maxWatches is how many watches there are at once. Each belongs to an open connection.
	maxWatches = 1 << 16
	// maxLooks is how many of them look at once, so that they leave the stores to the requests.
	maxLooks = 16
	// maxOutages is how many looks in a row may fail. Then what is watched counts as ended:
	// access is not kept for as long as a store is away.
	maxOutages = 4
)

var (
	errWatches = errors.New("ginauth: too many logins are watched")
	errClosed  = errors.New("ginauth: the manager is closed")
	errPanic   = errors.New("ginauth: panic in a watch")
)

// Watch returns a context that ends with ctx, with the Runner, and when look, which is called at
// intervals, returns an error that wraps autherr.ErrSessionEnded, or any error several times in a
// row. The cause of the context is that error. If there is an error from the start, the context
// has ended.
func (r *Runner) Watch(ctx context.Context, interval time.Duration, start error, look func(context.Context) error) context.Context {
	watched, end := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case start != nil:
		end(start)
	case r.closed:
		end(errClosed)
	case r.watches >= maxWatches:
		end(errWatches)
	default:
		r.watches++
		r.done.Go(func() {
			cause := errPanic
			defer func() {
				r.unwatch()
				end(cause)
			}()
			defer r.logPanic()
			cause = r.watch(watched, interval, look)
		})
	}
	return watched
}

// watch looks until there is a reason to end, and returns it.
func (r *Runner) watch(ctx context.Context, interval time.Duration, look func(context.Context) error) error {
	timer := time.NewTimer(rand.N(interval) + 1) // clients that connect together do not look together
	defer timer.Stop()
	for outages := 0; ; timer.Reset(interval) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.ctx.Done():
			return errClosed
		case <-timer.C:
		}
		err := r.look(ctx, look)
		switch {
		case err == nil:
			outages = 0
		case errors.Is(err, autherr.ErrSessionEnded):
			return err
		default:
			if outages++; outages >= maxOutages {
				return err
			}
		}
	}
}

// look waits for its turn.
func (r *Runner) look(ctx context.Context, look func(context.Context) error) error {
	select {
	case r.looks <- struct{}{}:
		defer func() { <-r.looks }()
		return look(ctx)
	case <-ctx.Done():
		return nil
	case <-r.ctx.Done():
		return nil
	}
}

func (r *Runner) unwatch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches--
}
