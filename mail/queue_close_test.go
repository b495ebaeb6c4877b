package mail_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginauth/ginauth/mail"
)

func TestCloseTriesWaitingMessages(t *testing.T) {
	for _, c := range []struct {
		name        string
		fails       int // number of attempts after Close was called that fail
		err         error
		tries, sent int
	}{
		{"accepted", 0, nil, 20, 10},
		{"some fail", 3, mail.ErrUnsent, 20, 7},
		{"all fail", 10, mail.ErrUnsent, 20, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &post{answer: func(_ context.Context, try int, _ mail.Message) error {
					if try <= 10+c.fails {
						return errTemporary
					}
					return nil
				}}
				q, _ := newQueue(t, p, mail.QueueOptions{Backoff: time.Hour, MaxBackoff: time.Hour})
				enqueue(t, q, 10)
				synctest.Wait()
				before := time.Now()
				err := q.Close(t.Context())
				if !errors.Is(err, c.err) || time.Since(before) != 0 {
					t.Errorf("%v, after %v", err, time.Since(before))
				}
				if unsent, ok := errors.AsType[*mail.UnsentError](err); ok && (unsent.Messages != c.fails || unsent.Cause != nil) {
					t.Errorf("%+v", unsent)
				}
				if tries, sent := p.counts(); tries != c.tries || sent != c.sent {
					t.Errorf("%d tries, %d sent", tries, sent)
				}
				pass(2 * time.Hour)
				if tries, _ := p.counts(); tries != c.tries {
					t.Errorf("%d tries after Close", tries-c.tries)
				}
			})
		})
	}
}

// TestCloseTriesOnceMore calls Close while an attempt is in progress that then
// fails.
func TestCloseTriesOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &post{answer: func(_ context.Context, try int, _ mail.Message) error {
			if try == 1 {
				<-release
			}
			return errTemporary
		}}
		q, _ := newQueue(t, p, mail.QueueOptions{})
		enqueue(t, q, 1)
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- q.Close(t.Context()) }()
		synctest.Wait()
		before := time.Now()
		close(release)
		if err := <-done; !errors.Is(err, mail.ErrUnsent) || len(p.tries) != 2 || time.Since(before) != 0 {
			t.Errorf("%v, %d tries, after %v", err, len(p.tries), time.Since(before))
		}
	})
}

// TestCloseEndsWithContext uses a mailer that blocks until its context ends.
func TestCloseEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{answer: func(ctx context.Context, _ int, _ mail.Message) error { <-ctx.Done(); return context.Cause(ctx) }}
		q, log := newQueue(t, p, mail.QueueOptions{Timeout: time.Hour})
		enqueue(t, q, 10)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		before := time.Now()
		err := q.Close(ctx)
		unsent, ok := errors.AsType[*mail.UnsentError](err)
		if !ok || unsent.Messages != 10 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, mail.ErrUnsent) || time.Since(before) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(before))
		}
		// synctest.Test would fail if a worker were still running.
		synctest.Wait()
		if tries, sent := p.counts(); tries != 2 || sent != 0 {
			t.Errorf("%d tries, %d sent", tries, sent)
		}
		if stats := q.Stats(); stats != (mail.QueueStats{Failed: 10}) || strings.Contains(log.String(), "retry") || strings.Count(log.String(), "attempt=0") != 8 {
			t.Errorf("%+v\n%s", stats, log)
		}
		if err := q.Close(t.Context()); !errors.Is(err, mail.ErrUnsent) {
			t.Errorf("second Close: %v", err)
		}
	})
}

// TestEnqueueWhileClosing enqueues from many goroutines while Close runs. Every
// accepted message must be sent.
func TestEnqueueWhileClosing(t *testing.T) {
	for range 20 {
		p := &post{answer: func(_ context.Context, try int, _ mail.Message) error {
			if try%3 == 0 {
				return errTemporary
			}
			return nil
		}}
		q, _ := newQueue(t, p, mail.QueueOptions{Size: 50, Workers: 4, Attempts: 100, Backoff: time.Microsecond})
		var accepted, refused int
		var mu sync.Mutex
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 64 {
			wg.Go(func() {
				<-start
				for range 5 {
					err := q.Enqueue(valid())
					mu.Lock()
					if err == nil {
						accepted++
					} else if refused++; !errors.Is(err, mail.ErrQueueFull) && !errors.Is(err, mail.ErrQueueClosed) {
						t.Error(err)
					}
					mu.Unlock()
				}
			})
		}
		var err error
		for range 2 {
			wg.Go(func() {
				<-start
				e := q.Close(t.Context())
				mu.Lock()
				defer mu.Unlock()
				err = errors.Join(err, e)
			})
		}
		close(start)
		wg.Wait()
		lost := 0
		if unsent, ok := errors.AsType[*mail.UnsentError](err); ok {
			lost = unsent.Messages
		}
		stats := q.Stats()
		if _, sent := p.counts(); sent+lost != accepted || accepted+refused != 320 || int(stats.Sent) != sent || int(stats.Failed) != lost || int(stats.Refused) != refused || stats.Pending != 0 {
			t.Errorf("%d accepted, %d refused, %d sent, %d lost, %+v", accepted, refused, sent, lost, stats)
		}
	}
}
