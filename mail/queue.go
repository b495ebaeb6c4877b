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

// QueueOptions configure a Queue. The zero value suits most applications.
type QueueOptions struct {
	// Size is the maximum number of messages in the queue. It includes messages
	// that wait for a retry or are being sent. Default 256.
	Size int
	// Workers is the maximum number of messages that are sent at the same time.
	// Default 2.
	Workers int
	// Attempts is the maximum number of attempts to send a message. Default 5.
	Attempts int
	// Backoff is the wait after the first attempt. It doubles with each further
	// attempt. Each wait is shortened by a random part of up to a half, so that
	// messages that failed together are not retried together. Default 1 s.
	Backoff time.Duration
	// MaxBackoff is the longest wait between two attempts. Default 1 min, or
	// Backoff if that is longer.
	MaxBackoff time.Duration
	// Timeout is the time limit of one attempt. Default 30 s.
	Timeout time.Duration
	// Logger receives a record for each failed attempt and each message that is
	// dropped. Default slog.Default().
	Logger *slog.Logger
	// AfterFunc calls f after d, unless stop is called before. It returns at
	// once. Tests set it to control time. Default time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
}

// Queue sends messages outside the request. It is safe for concurrent use.
//
// The queue is kept in memory. Unsent messages are lost if the process ends
// without Close. The application must therefore let users request every link
// again.
type Queue struct {
	mailer  Mailer
	options QueueOptions
	log     *slog.Logger
	// base is the parent context of all attempts. abort cancels it.
	base  context.Context
	abort context.CancelFunc
	// ready has capacity for every message in the queue, so sending to it never
	// blocks.
	ready chan *job
	// done is closed when the last worker ends.
	done chan struct{}

	mu      sync.Mutex
	closed  bool
	workers int
	kept    int
	waiting map[*job]func() bool // stops the timer of the message
	stats   QueueStats
	lost    int // messages that failed after Close was called
}

// QueueStats are the counters of a Queue.
type QueueStats struct {
	// Pending is the number of messages that wait or are being sent.
	Pending int
	// Sent is the number of messages that the Mailer accepted.
	Sent uint64
	// Failed is the number of messages that were dropped after an error.
	Failed uint64
	// Refused is the number of messages that Enqueue refused because the queue
	// was full or closed.
	Refused uint64
}

// job is a message in the queue. It is used only through pointers, of which fmt
// prints only the address.
type job struct {
	message Message
	tries   int
	// final says that the last attempt began after Close was called.
	final bool
}

// NewQueue returns a queue that sends through mailer. It starts the workers,
// which run until Close. The error wraps ErrConfig and joins all faults.
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

// complete checks the options and sets the defaults.
func (o *QueueOptions) complete() error {
	var faults []error
	number := func(name string, n *int, fallback int) {
		if *n < 0 {
			faults = append(faults, fmt.Errorf("%w: %s: %d is negative", ErrConfig, name, *n))
		} else if *n == 0 {
			*n = fallback
		}
	}
	duration := func(name string, d *time.Duration, fallback time.Duration) {
		if *d < 0 {
			faults = append(faults, fmt.Errorf("%w: %s: %v is negative", ErrConfig, name, *d))
		} else if *d == 0 {
			*d = fallback
		}
	}
	number("Size", &o.Size, 256)
	number("Workers", &o.Workers, 2)
	number("Attempts", &o.Attempts, 5)
	duration("Backoff", &o.Backoff, time.Second)
	duration("MaxBackoff", &o.MaxBackoff, max(time.Minute, o.Backoff))
	duration("Timeout", &o.Timeout, 30*time.Second)
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

// Enqueue adds a message to the queue. It never blocks. The error wraps
// ErrMessage if Message.Check fails, ErrQueueFull if the queue is full, or
// ErrQueueClosed. A full queue is also logged and counted in QueueStats.
func (q *Queue) Enqueue(m Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	if m.ID == "" {
		m.ID = rand.Text()
	}
	refused, err := q.add(&job{message: m})
	// Log only the refusals that are a power of two, so that many refusals do
	// not flood the log.
	if errors.Is(err, ErrQueueFull) && bits.OnesCount64(refused) == 1 {
		q.log.Error("mail: queue is full, message refused", "refused", refused, "kind", m.Kind)
	}
	return err
}

// add puts a job in the queue. If it refuses the job, it returns the number of
// all refused messages.
func (q *Queue) add(j *job) (refused uint64, err error) {
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

// Format writes only the name of the type. Otherwise fmt would print the fields
// of the Mailer, and read fields that other goroutines write.
func (*Queue) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("mail.Queue")) }

// Stats returns the current counters.
func (q *Queue) Stats() QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	stats := q.stats
	stats.Pending = q.kept
	return stats
}

// Close refuses new messages and tries each pending message once more, at once.
// It returns when all of them were tried, or when ctx ends. If ctx ends, Close
// also cancels the attempts in progress. The error is an *UnsentError if a
// message was not sent. Further calls of Close wait in the same way and return
// the same error.
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

// unsent returns an *UnsentError if messages were lost since Close was called.
func (q *Queue) unsent(cause error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := q.lost + q.kept; n > 0 {
		return &UnsentError{Messages: n, Cause: cause}
	}
	return nil
}

// closeIfEmpty ends the workers if the queue is closed and empty. The caller
// holds mu.
func (q *Queue) closeIfEmpty() {
	if q.closed && q.kept == 0 {
		close(q.ready)
	}
}

// backoff returns the wait after the given number of attempts.
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
