package testapp

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
)

// patience is how long a test waits for what happens off the request.
const patience = 20 * time.Second

// Logs are the lines that an application logs, of every level.
type Logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds lines.
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all lines.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Outbox is a mailbox that also hands mails out in their order, each once.
type Outbox struct {
	ginauthtest.Mailbox
	queue   chan mail.Message
	waiting []mail.Message // taken from the queue, for a later Next of the test's goroutine

	mu     sync.Mutex
	broken error
}

func newOutbox() *Outbox { return &Outbox{queue: make(chan mail.Message, 4096)} }

// Send keeps the message.
func (o *Outbox) Send(ctx context.Context, m mail.Message) error {
	if err := o.brokenBy(); err != nil {
		return err
	}
	if err := o.Mailbox.Send(ctx, m); err != nil {
		return err
	}
	select {
	case o.queue <- m:
	default: // nobody asks for one among so many
	}
	return nil
}

// Break makes Send fail with err.
func (o *Outbox) Break(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = err
}

func (o *Outbox) brokenBy() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

// Next waits for a mail of a kind to an address that was not handed out yet. Mails of other kinds
// wait for their turn: which of two mails is sent first is left to chance.
func (o *Outbox) Next(t testing.TB, kind, to string) mail.Message {
	t.Helper()
	wanted := func(m mail.Message) bool { return m.Kind == kind && m.To.Email == to }
	if i := slices.IndexFunc(o.waiting, wanted); i >= 0 {
		m := o.waiting[i]
		o.waiting = slices.Delete(o.waiting, i, i+1)
		return m
	}
	for {
		select {
		case m := <-o.queue:
			if wanted(m) {
				return m
			}
			o.waiting = append(o.waiting, m)
		case <-time.After(patience):
			t.Fatalf("no mail %s to %s", kind, to)
		}
	}
}

// Await waits for the next mail of a kind that was not handed out yet, and leaves
// out those before it.
func (o *Outbox) Await(t testing.TB, kind string) mail.Message {
	t.Helper()
	for {
		if m := o.Any(t); m.Kind == kind {
			return m
		}
	}
}

// Any waits for the next mail that was not handed out yet.
func (o *Outbox) Any(t testing.TB) mail.Message {
	t.Helper()
	if len(o.waiting) > 0 {
		m := o.waiting[0]
		o.waiting = o.waiting[1:]
		return m
	}
	select {
	case m := <-o.queue:
		return m
	case <-time.After(patience):
		t.Fatal("no mail")
	}
	panic("not reached")
}

// Rest returns the kinds of the mails that were not handed out. Close the manager
// before, which waits for what it does in the background.
func (o *Outbox) Rest() []string {
	var kinds []string
	for _, m := range o.waiting {
		kinds = append(kinds, m.Kind)
	}
	o.waiting = nil
	for {
		select {
		case m := <-o.queue:
			kinds = append(kinds, m.Kind)
		default:
			return kinds
		}
	}
}

// Path waits for a mail of a kind and returns the path of its link, see PathOf.
func (o *Outbox) Path(t testing.TB, kind string) string {
	t.Helper()
	return strings.TrimPrefix(o.Link(t, kind), BaseURL)
}

var link = regexp.MustCompile(`https?://\S+`)

// PathOf returns the path of the one link in a mail, with query and fragment.
func PathOf(t testing.TB, m mail.Message) string {
	t.Helper()
	links := link.FindAllString(m.Text, -1)
	if len(links) != 1 || !strings.HasPrefix(links[0], BaseURL+"/") {
		t.Fatalf("links %q", links)
	}
	return strings.TrimPrefix(links[0], BaseURL)
}

// RestOfMails closes the manager, which waits for what it does in the background,
// and returns the kinds of the mails that no test has been handed.
func (a *App) RestOfMails() []string {
	a.Helper()
	if err := a.Close(context.Background()); err != nil && a.Outbox.brokenBy() == nil {
		a.Fatal(err)
	}
	return a.Outbox.Rest()
}

// EventsOf returns the events of a type, the oldest first.
func EventsOf[E events.Event](a *App) []E { return ginauthtest.Of[E](a.Events) }

// WantEvents asserts how many events of a type there were, and that each says
// when, and where from. It waits for those that come after a response.
func WantEvents[E events.Event](a *App, n int) []E {
	a.Helper()
	ginauthtest.AssertCount[E](a, a.Events, n)
	found := EventsOf[E](a)
	for _, e := range found {
		if meta := e.EventMeta(); meta.Time.IsZero() || meta.Address == "" {
			a.Errorf("%T has time %v and address %q", e, meta.Time, meta.Address)
		}
	}
	return found
}

// EventNames returns the names of all events, separated by spaces.
func (a *App) EventNames() string {
	var names []string
	for _, e := range a.Events.All() {
		names = append(names, e.EventName())
	}
	return strings.Join(names, " ")
}
