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

// errPanicked stands for a Mailer that panicked. The value may hold anything the
// Mailer knew, so its type is all that is told of it.
var errPanicked = errors.New("mailer panicked")

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

// settle decides what becomes of a message after a try.
func (q *Queue) settle(j *job, err error) {
	if err == nil {
		q.finish(true)
		q.report(slog.LevelDebug, "mail: sent", j, nil, 0)
		return
	}
	wait, again := q.again(j, err)
	if !again {
		q.finish(false)
		q.report(slog.LevelError, "mail: given up", j, err, 0)
		return
	}
	q.report(slog.LevelWarn, "mail: not sent, will be tried again", j, err, wait)
	q.postpone(j, wait)
}

// again reports whether a message that failed is tried once more, and when.
func (q *Queue) again(j *job, err error) (time.Duration, bool) {
	if errors.Is(err, ErrPermanent) || j.tries >= q.options.Attempts || j.final || q.base.Err() != nil {
		return 0, false
	}
	return q.options.backoff(j.tries), true
}

// finish forgets a message.
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

// resume ends the wait of a message, if it still waits.
func (q *Queue) resume(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, waits := q.waiting[j]; waits {
		delete(q.waiting, j)
		q.ready <- j
	}
}

// report logs what may be known of a message: neither its address nor anything
// in it.
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
	// maxError is how much of an error is logged, in bytes.
	maxError = 300
	// maxWord is the longest word of an error that is logged, in bytes. Secrets
	// are longer.
	maxWord = 32
)

// describe returns the text of an error without what it may quote of the message:
// servers repeat the address they refuse, and services the whole request.
func describe(err error, m *Message) string {
	text := cut(err.Error(), 1<<14)
	for _, quoted := range []string{m.Subject, m.To.Name} {
		if len(quoted) > 2 { // what is shorter is in every text
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
