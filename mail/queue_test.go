package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginauth/ginauth/mail"
)

var errTemporary = errors.New("try later")

// post is a Mailer that records the times of its calls and returns the errors
// of answer.
type post struct {
	answer func(ctx context.Context, try int, m mail.Message) error

	mu    sync.Mutex
	tries []time.Time
	sent  []mail.Message
}

func (p *post) Send(ctx context.Context, m mail.Message) error {
	p.mu.Lock()
	p.tries = append(p.tries, time.Now())
	try := len(p.tries)
	p.mu.Unlock()
	if p.answer != nil {
		if err := p.answer(ctx, try, m); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return nil
}

func (p *post) counts() (tries, sent int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.tries), len(p.sent)
}

// logBuffer is a log that is safe for concurrent use.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func newQueue(t *testing.T, mailer mail.Mailer, options mail.QueueOptions) (*mail.Queue, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	options.Logger = log.logger()
	q, err := mail.NewQueue(mailer, options)
	if err != nil {
		t.Fatal(err)
	}
	return q, log
}

// enqueue adds n messages to a queue. Their texts are the numbers 0 to n-1.
func enqueue(t *testing.T, q *mail.Queue, n int) {
	t.Helper()
	for i := range n {
		m := valid()
		m.Text = fmt.Sprint(i)
		if err := q.Enqueue(m); err != nil {
			t.Fatal(err)
		}
	}
}

// pass advances the clock of the synctest bubble and waits until all goroutines
// are blocked.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestQueueSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{}
		q, log := newQueue(t, p, mail.QueueOptions{Workers: 1})
		enqueue(t, q, 100)
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for i, m := range p.sent {
			if m.Text != fmt.Sprint(i) || m.ID == "" || ids[m.ID] {
				t.Errorf("message %d is %s, id %s", i, m.Text, m.ID)
			}
			ids[m.ID] = true
		}
		if stats := q.Stats(); stats != (mail.QueueStats{Sent: 100}) {
			t.Errorf("%+v", stats)
		}
		if !strings.Contains(log.String(), "domain=example.com") || strings.Contains(log.String(), "ann@") {
			t.Errorf("%s", log)
		}
		if err := q.Enqueue(valid()); !errors.Is(err, mail.ErrQueueClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestQueueRetriesTemporaryErrors(t *testing.T) {
	for _, c := range []struct {
		name         string
		answer       func(ctx context.Context, try int, m mail.Message) error
		tries        int
		sent, failed uint64
	}{
		{"temporary, then accepted", func(_ context.Context, try int, _ mail.Message) error {
			if try < 4 {
				return errTemporary
			}
			return nil
		}, 4, 1, 0},
		{"temporary every time", func(context.Context, int, mail.Message) error { return errTemporary }, 5, 0, 1},
		{"panic every time", func(context.Context, int, mail.Message) error { panic("CANARY") }, 5, 0, 1},
		{"permanent", func(context.Context, int, mail.Message) error { return mail.Permanent(errTemporary) }, 1, 0, 1},
		{"permanent, wrapped", func(context.Context, int, mail.Message) error {
			return fmt.Errorf("x: %w", mail.Permanent(errTemporary))
		}, 1, 0, 1},
		{"permanent after temporary", func(_ context.Context, try int, _ mail.Message) error {
			if try < 3 {
				return errTemporary
			}
			return mail.ErrPermanent
		}, 3, 0, 1},
		{"slow", func(ctx context.Context, _ int, _ mail.Message) error { <-ctx.Done(); return ctx.Err() }, 5, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &post{answer: c.answer}
				timeout := time.Duration(0)
				if c.name == "slow" {
					timeout = 7 * time.Second
				}
				q, log := newQueue(t, p, mail.QueueOptions{Timeout: timeout})
				enqueue(t, q, 1)
				pass(time.Hour)
				if stats := q.Stats(); stats != (mail.QueueStats{Sent: c.sent, Failed: c.failed}) || len(p.tries) != c.tries {
					t.Errorf("%+v, %d tries", stats, len(p.tries))
				}
				for i, wait := 1, time.Second; i < len(p.tries); i, wait = i+1, 2*wait {
					if d := p.tries[i].Sub(p.tries[i-1]) - timeout; d < wait/2 || d > wait {
						t.Errorf("wait %d is %v, not about %v", i, d, wait)
					}
				}
				if strings.Contains(log.String(), "CANARY") || c.failed > 0 != strings.Contains(log.String(), "level=ERROR") {
					t.Errorf("%s", log)
				}
				if err := q.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestBackoffIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{answer: func(context.Context, int, mail.Message) error { return errTemporary }}
		q, _ := newQueue(t, p, mail.QueueOptions{Attempts: 80})
		enqueue(t, q, 1)
		pass(3 * time.Hour)
		if len(p.tries) != 80 {
			t.Fatalf("%d tries", len(p.tries))
		}
		spread := map[time.Duration]bool{}
		for i := 10; i < 80; i++ {
			d := p.tries[i].Sub(p.tries[i-1])
			if d < 30*time.Second || d > time.Minute {
				t.Errorf("wait %d is %v", i, d)
			}
			spread[d] = true
		}
		if len(spread) < 60 {
			t.Errorf("waits are not spread: %d different ones", len(spread))
		}
		_ = q.Close(t.Context())
	})
}

// TestQueueIsBounded fills a queue whose mailer blocks.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &post{answer: func(context.Context, int, mail.Message) error { <-release; return nil }}
		q, log := newQueue(t, p, mail.QueueOptions{Size: 5, Workers: 2})
		enqueue(t, q, 5)
		for range 1000 {
			if err := q.Enqueue(valid()); !errors.Is(err, mail.ErrQueueFull) {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if tries, _ := p.counts(); tries != 2 {
			t.Errorf("%d are being sent", tries)
		}
		if stats := q.Stats(); stats != (mail.QueueStats{Pending: 5, Refused: 1000}) {
			t.Errorf("%+v", stats)
		}
		if n := strings.Count(log.String(), "full"); n != 10 { // 1, 2, 4 … 512
			t.Errorf("%d lines", n)
		}
		close(release)
		synctest.Wait()
		enqueue(t, q, 5)
		if err := q.Close(t.Context()); err != nil || len(p.sent) != 10 {
			t.Errorf("%v, %d sent", err, len(p.sent))
		}
	})
}

// TestRetriesCountAgainstSize fills a queue with messages that wait for a
// retry.
func TestRetriesCountAgainstSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &post{answer: func(_ context.Context, try int, _ mail.Message) error {
			if try <= 3 {
				return errTemporary
			}
			return nil
		}}
		q, _ := newQueue(t, p, mail.QueueOptions{Size: 3})
		enqueue(t, q, 3)
		synctest.Wait()
		if err := q.Enqueue(valid()); !errors.Is(err, mail.ErrQueueFull) {
			t.Error(err)
		}
		pass(time.Minute)
		enqueue(t, q, 3)
		if err := q.Close(t.Context()); err != nil || len(p.sent) != 6 {
			t.Errorf("%v, %d sent", err, len(p.sent))
		}
	})
}

// TestAfterFuncReplacesTimers uses an AfterFunc that only records its
// arguments.
func TestAfterFuncReplacesTimers(t *testing.T) {
	type timer struct {
		d time.Duration
		f func()
	}
	timers := make(chan timer, 1)
	stopped := false
	p := &post{answer: func(_ context.Context, try int, _ mail.Message) error {
		if try < 3 {
			return errTemporary
		}
		return nil
	}}
	q, _ := newQueue(t, p, mail.QueueOptions{
		Backoff: time.Hour, MaxBackoff: 2 * time.Hour,
		AfterFunc: func(d time.Duration, f func()) func() bool {
			timers <- timer{d, f}
			return func() bool { stopped = true; return true }
		},
	})
	enqueue(t, q, 1)
	first := <-timers
	if first.d < 30*time.Minute || first.d > time.Hour {
		t.Errorf("%v", first.d)
	}
	first.f()
	second := <-timers
	if second.d < time.Hour || second.d > 2*time.Hour {
		t.Errorf("%v", second.d)
	}
	if err := q.Close(t.Context()); err != nil || len(p.tries) != 3 {
		t.Errorf("%v, %d tries", err, len(p.tries))
	}
	if !stopped {
		t.Error("Close left a timer running")
	}
	second.f() // like a timer that fired while it was being stopped
}

func TestQueueRefuses(t *testing.T) {
	p := &post{}
	q, _ := newQueue(t, p, mail.QueueOptions{})
	m := valid()
	m.To.Email = "a@x,b@x"
	if err := q.Enqueue(m); !errors.Is(err, mail.ErrMessage) {
		t.Error(err)
	}
	if err := q.Close(t.Context()); err != nil || len(p.tries) != 0 {
		t.Errorf("%v, %d tries", err, len(p.tries))
	}
	_, err := mail.NewQueue(nil, mail.QueueOptions{Size: -1, Workers: -1, Attempts: -1, Backoff: -1, MaxBackoff: -1, Timeout: -1})
	for _, field := range []string{"Mailer", "Size", "Workers", "Attempts", "Backoff", "MaxBackoff", "Timeout"} {
		if !errors.Is(err, mail.ErrConfig) || !strings.Contains(err.Error(), field+":") && !strings.Contains(err.Error(), field+" is") {
			t.Errorf("%s is not in %v", field, err)
		}
	}
	if _, err := mail.NewQueue(p, mail.QueueOptions{Backoff: 2, MaxBackoff: 1}); !errors.Is(err, mail.ErrConfig) {
		t.Error(err)
	}
}

func BenchmarkEnqueue(b *testing.B) {
	q, err := mail.NewQueue(mail.MailerFunc(func(context.Context, mail.Message) error { return nil }),
		mail.QueueOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	m := valid()
	for b.Loop() {
		_ = q.Enqueue(m)
	}
	_ = q.Close(b.Context())
}
