package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
)

// errPanicked says that a Mailer panicked. The log contains only the type of
// the panic value, because the value may contain parts of the message.
var errPanicked = errors.New("Mailer panicked")

// work sends messages until the queue is closed and empty.
func (q *Queue) work() {
	defer q.leave()
	for j := range q.ready {
		err := q.base.Err()
		if err == nil {
			q.begin(j)
			err = q.try(j.message)
		}
		q.settle(j, err)
	}
}

// leave closes done after the last worker.
func (q *Queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.workers--; q.workers == 0 {
		close(q.done)
	}
}

func (q *Queue) begin(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.tries++
	j.final = q.closed
}

func (q *Queue) try(m Message) (err error) {
	ctx, cancel := context.WithTimeout(q.base, q.options.Timeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %T", errPanicked, r)
		}
	}()
	return q.mailer.Send(ctx, m)
}

// settle drops a message after an attempt or schedules a retry.
func (q *Queue) settle(j *job, err error) {
	if err == nil {
		q.finish(true)
		q.report(slog.LevelDebug, "mail: message sent", j, nil, 0)
		return
	}
	wait, again := q.again(j, err)
	if !again {
		q.finish(false)
		q.report(slog.LevelError, "mail: message dropped", j, err, 0)
		return
	}
	q.report(slog.LevelWarn, "mail: message not sent, will retry", j, err, wait)
	q.postpone(j, wait)
}

// again reports whether a failed message is retried, and after which wait.
func (q *Queue) again(j *job, err error) (time.Duration, bool) {
	if errors.Is(err, ErrPermanent) || j.tries >= q.options.Attempts || j.final || q.base.Err() != nil {
		return 0, false
	}
	return q.options.backoff(j.tries), true
}

// finish removes a message from the queue.
func (q *Queue) finish(sent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.kept--
	if sent {
		q.stats.Sent++
	} else {
		q.stats.Failed++
		if q.closed {
			q.lost++
		}
	}
	q.closeIfEmpty()
}

// postpone puts a message back into the queue after a wait, or at once if the
// queue is closed.
func (q *Queue) postpone(j *job, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.ready <- j
		return
	}
	q.waiting[j] = q.options.AfterFunc(wait, func() { q.resume(j) })
}

// resume puts a message back into the queue if it still waits for its retry.
func (q *Queue) resume(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, waits := q.waiting[j]; waits {
		delete(q.waiting, j)
		q.ready <- j
	}
}

// report logs the outcome of an attempt. The log contains neither the content
// of the message nor its address, only the domain.
func (q *Queue) report(level slog.Level, text string, j *job, err error, wait time.Duration) {
	m := &j.message
	attributes := []slog.Attr{
		slog.String("kind", m.Kind), slog.String("id", m.ID), slog.String("domain", m.To.Domain()),
		slog.Int("attempt", j.tries),
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", describe(err, m)))
	}
	if wait > 0 {
		attributes = append(attributes, slog.Duration("wait", wait))
	}
	q.log.LogAttrs(context.Background(), level, text, attributes...)
}

const (
	// maxError is the maximum length of a logged error, in bytes.
	maxError = 300
	// maxWord is the length of the longest word of an error that is logged, in
	// bytes. Secrets are longer.
	maxWord = 32
)

// describe returns the text of an error without the parts that may quote the
// message. Servers repeat the address that they refuse, and some services
// repeat the whole request.
func describe(err error, m *Message) string {
	text := cut(err.Error(), 1<<14)
	for _, quoted := range []string{m.Subject, m.To.Name} {
		if len(quoted) > 2 { // shorter text occurs everywhere
			text = strings.ReplaceAll(text, quoted, redacted)
		}
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	for i, word := range words {
		if len(word) > maxWord || strings.ContainsRune(word, '@') || strings.Contains(word, "://") {
			words[i] = redacted
		}
	}
	return cut(strings.Join(words, " "), maxError)
}
