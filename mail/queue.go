package mail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// QueueOptions set up a Queue. The zero value is good.
type QueueOptions struct {
	// Size is how many messages are kept at most, counting those that wait, that
	// wait to be tried again and that are being sent. Default 256.
	Size int
	// Workers is how many messages are sent at the same time. Default 2.
	Workers int
	// Attempts is how often a message is tried in all. Default 5.
	Attempts int
	// Backoff is the wait after the first try. It doubles with each further one.
	// Of each wait a random part of up to a half is left out, so that
	// messages that failed together are not tried together. Default 1 s.
	Backoff time.Duration
	// MaxBackoff is the longest wait. Default 1 min.
	MaxBackoff time.Duration
	// Timeout is how long one try may take. Default 30 s.
	Timeout time.Duration
	// Logger hears of every failure and of messages that are given up. Default
	// slog.Default().
	Logger *slog.Logger
	// AfterFunc returns at once and calls f after d, unless stop is called
	// before. It is for tests, which do not want to wait. Default
	// time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
}

// Queue sends messages off the request. It is kept in memory: what has not been
// sent when the process dies is lost, so every link in a message has to be one
// that the user can ask for again. All methods are safe for concurrent use.
type Queue struct {
	mailer  Mailer
	options QueueOptions
	log     *slog.Logger
	// base is the context of all tries; abort ends it.
	base  context.Context
	abort context.CancelFunc
	// ready has room for every message that is kept, so that sending to it
	// never blocks.
	ready chan *job
	// done is closed by the last worker.
	done chan struct{}

	mu      sync.Mutex
	closed  bool
	workers int
	kept    int
	waiting map[*job]func() bool // by message what stops its timer
	stats   QueueStats
	lost    int // messages that failed after Close was called
}

// QueueStats say what a queue has done.
type QueueStats struct {
	// Pending messages wait or are being sent.
	Pending int
	// Sent messages were accepted by the Mailer.
	Sent uint64
	// Failed messages were given up.
	Failed uint64
	// Refused messages found the queue full or closed.
	Refused uint64
}

// job is a message on its way. It is kept behind pointers alone, of which fmt
// prints no more than the address.
type job struct {
	message Message
	tries   int
	// final says that the last try began after Close was called.
	final bool
}

// NewQueue returns a queue that sends by mailer, with its workers running until
// Close. The error wraps ErrConfig and tells of all faults at once.
func NewQueue(mailer Mailer, options QueueOptions) (*Queue, error) {
	if err := options.complete(); err != nil || mailer == nil {
		if mailer == nil {
			err = errors.Join(fmt.Errorf("%w: Mailer is nil", ErrConfig), err)
		}
		return nil, err
	}
	q := &Queue{
		mailer: mailer, options: options, log: options.Logger, workers: options.Workers,
		ready: make(chan *job, options.Size), done: make(chan struct{}), waiting: map[*job]func() bool{},
	}
	q.base, q.abort = context.WithCancel(context.Background())
	for range options.Workers {
		go q.work()
	}
	return q, nil
}

// complete checks options and fills in defaults.
func (o *QueueOptions) complete() error {
	var faults []error
	number := func(name string, n *int, otherwise int) {
		if *n < 0 {
			faults = append(faults, fmt.Errorf("%w: %s: %d is negative", ErrConfig, name, *n))
		} else if *n == 0 {
			*n = otherwise
		}
	}
	span := func(name string, d *time.Duration, otherwise time.Duration) {
		if *d < 0 {
			faults = append(faults, fmt.Errorf("%w: %s: %v is negative", ErrConfig, name, *d))
		} else if *d == 0 {
			*d = otherwise
		}
	}
	number("Size", &o.Size, 256)
	number("Workers", &o.Workers, 2)
	number("Attempts", &o.Attempts, 5)
	span("Backoff", &o.Backoff, time.Second)
	span("MaxBackoff", &o.MaxBackoff, max(time.Minute, o.Backoff))
	span("Timeout", &o.Timeout, 30*time.Second)
	if len(faults) == 0 && o.MaxBackoff < o.Backoff {
		faults = append(faults, fmt.Errorf("%w: MaxBackoff: %v is less than Backoff, %v", ErrConfig, o.MaxBackoff, o.Backoff))
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.AfterFunc == nil {
		o.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	return errors.Join(faults...)
}

// Enqueue takes over a message, and never blocks. The error wraps ErrMessage if
// the message fails its Check, ErrQueueFull if there is no room, which is counted
// and logged too, or ErrQueueClosed.
func (q *Queue) Enqueue(m Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	if m.ID == "" {
		m.ID = rand.Text()
	}
	refused, err := q.take(&job{message: m})
	// One line for each power of two: a flood of messages is no flood of lines.
	if errors.Is(err, ErrQueueFull) && bits.OnesCount64(refused) == 1 {
		q.log.Error("mail: queue is full, messages are refused", "refused", refused, "kind", m.Kind)
	}
	return err
}

// take puts a job in the queue, or returns how many have been refused.
func (q *Queue) take(j *job) (refused uint64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		err = ErrQueueClosed
	case q.kept == q.options.Size:
		err = ErrQueueFull
	default:
		q.kept++
		q.ready <- j
		return 0, nil
	}
	q.stats.Refused++
	return q.stats.Refused, err
}

// Format writes the name of the type alone: fmt would show the Mailer with all
// that is in it, and read what other goroutines write.
func (*Queue) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("mail.Queue")) }

// Stats returns what the queue has done so far.
func (q *Queue) Stats() QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	stats := q.stats
	stats.Pending = q.kept
	return stats
}

// Close refuses new messages and waits until those that are left were tried, each
// once more and at once, whatever its backoff. It stops waiting when ctx ends,
// which also ends the context of the tries that run. The error is an
// *UnsentError if a message was not sent. Close may be called again, and
// returns the same as soon as the first call could.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		for j, stop := range q.waiting {
			stop()
			delete(q.waiting, j)
			q.ready <- j
		}
		q.closeIfEmpty()
	}
	q.mu.Unlock()

	select {
	case <-q.done:
	default:
		select {
		case <-q.done:
		case <-ctx.Done():
			q.abort()
			return q.unsent(context.Cause(ctx))
		}
	}
	q.abort() // releases the context
	return q.unsent(nil)
}

// unsent returns what was lost since Close was called as an error.
func (q *Queue) unsent(cause error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := q.lost + q.kept; n > 0 {
		return &UnsentError{Messages: n, Cause: cause}
	}
	return nil
}

// closeIfEmpty lets the workers go when nothing can come any more. The caller
// holds mu.
func (q *Queue) closeIfEmpty() {
	if q.closed && q.kept == 0 {
		close(q.ready)
	}
}

// backoff returns the wait after a number of tries.
func (o *QueueOptions) backoff(tries int) time.Duration {
	d := o.Backoff
	for range tries - 1 {
		if d >= o.MaxBackoff/2 {
			d = o.MaxBackoff
			break
		}
		d *= 2
	}
	return d - mathrand.N(d/2+1)
}
