// Package background runs what no request waits for. One Runner serves a whole
// application: it bounds how many jobs run at once, turns their panics into log
// lines, and ends with Close.
package background

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"
)

// MaxJobs is how many jobs may run at once. Each job has to end by itself, by the
// deadline of its store calls.
const MaxJobs = 256

// hiddenDelay is how long a hidden job waits, so that the response is on its way.
const hiddenDelay = 25 * time.Millisecond

// Runner runs jobs on goroutines. It is safe for concurrent use.
type Runner struct {
	log  *slog.Logger
	ctx  context.Context // ends with Close
	stop context.CancelFunc

	started chan struct{} // is closed by Start

	mu      sync.Mutex
	n       int
	watches int
	closed  bool
	done    sync.WaitGroup
	looks   chan struct{} // bounds how many watches look at once
}

// New returns a Runner.
func New(log *slog.Logger) *Runner {
	r := &Runner{log: log, started: make(chan struct{}), looks: make(chan struct{}, maxLooks)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Run runs a job. It drops and logs the job if MaxJobs run already.
func (r *Runner) Run(job func()) {
	if !r.TryRun(job) {
		r.log.Error("ginauth: background job dropped: too many are running")
	}
}

// TryRun runs a job, or returns false if MaxJobs run already.
func (r *Runner) TryRun(job func()) bool { return r.tryRun(MaxJobs, job) }

// RunHidden is Run for work whose presence the time of a response must not tell.
// The job starts a moment later, when the response is on its way: while both run
// they compete for the processor. A nil job starts as much as one that does
// something.
func (r *Runner) RunHidden(job func()) {
	if job == nil {
		// At most half of the places: the others are for jobs that do something.
		r.tryRun(MaxJobs/2, func() { time.Sleep(hiddenDelay) })
		return
	}
	r.Run(func() {
		time.Sleep(hiddenDelay)
		job()
	})
}

// Start starts the jobs of Every. It is called once, when all they may use is complete.
func (r *Runner) Start() { close(r.started) }

// Every runs a job at intervals from Start until Close, which ends the job's context. An
// error is logged with the name. An interval that is not positive runs nothing.
func (r *Runner) Every(interval time.Duration, name string, job func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || interval <= 0 {
		return
	}
	r.done.Go(func() { r.repeat(interval, name, job) })
}

func (r *Runner) repeat(interval time.Duration, name string, job func(context.Context) error) {
	select {
	case <-r.ctx.Done():
		return
	case <-r.started:
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
			r.runOnce(name, job)
		}
	}
}

func (r *Runner) runOnce(name string, job func(context.Context) error) {
	defer r.logPanic()
	if err := job(r.ctx); err != nil && r.ctx.Err() == nil {
		r.log.Warn("ginauth: background job failed", "job", name, "error", err)
	}
}

// Close refuses further jobs, ends the context of Every and waits for the jobs that
// run.
func (r *Runner) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.done.Wait()
}

func (r *Runner) tryRun(places int, job func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.n >= places {
		return false
	}
	r.n++
	r.done.Go(func() {
		defer r.leave()
		defer r.logPanic()
		job()
	})
	return true
}

func (r *Runner) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n--
}

// logPanic logs a panic's type. Its value may hold a secret.
func (r *Runner) logPanic() {
	if p := recover(); p != nil {
		r.log.Error("ginauth: panic in a background job", "type", reflect.TypeOf(p).String())
	}
}
