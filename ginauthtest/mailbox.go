package ginauthtest

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/mail"
)

// patience is how long the package waits for events and mails.
const patience = 10 * time.Second

// Mailbox is a mail.Mailer that keeps all messages in memory. The manager sends
// mails outside the request, so they may arrive after the response. WaitFor,
// Link and Token wait for a message. The other methods return what has arrived.
// Mailbox is safe for concurrent use. Its zero value is empty and ready to use.
type Mailbox struct {
	mu       sync.Mutex
	messages []mail.Message
	arrived  signal
}

var _ mail.Mailer = (*Mailbox)(nil)

// Send stores the message. It returns the error of Message.Check or of ctx, if
// any.
func (b *Mailbox) Send(ctx context.Context, m mail.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, m)
	b.arrived.send()
	return nil
}

// Messages returns all messages, oldest first. To be sure that no further
// messages arrive, close the manager first.
func (b *Mailbox) Messages() []mail.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages)
}

// Last returns the newest message. It returns false if there is none.
func (b *Mailbox) Last() (mail.Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) == 0 {
		return mail.Message{}, false
	}
	return b.messages[len(b.messages)-1], true
}

// To returns the messages to an address, oldest first. The spelling must be the
// one that the user wrote.
func (b *Mailbox) To(address string) []mail.Message {
	return slices.DeleteFunc(b.Messages(), func(m mail.Message) bool { return m.To.Email != address })
}

// Clear removes all messages.
func (b *Mailbox) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = nil
}

// WaitFor returns the newest message for which match returns true. It waits
// until there is one. If ctx ends first, the error wraps the cause of ctx.
func (b *Mailbox) WaitFor(ctx context.Context, match func(mail.Message) bool) (mail.Message, error) {
	for {
		b.mu.Lock()
		messages, arrived := slices.Clone(b.messages), b.arrived.wait()
		b.mu.Unlock()
		for _, m := range slices.Backward(messages) {
			if match(m) {
				return m, nil
			}
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return mail.Message{}, fmt.Errorf("ginauthtest: none of %d messages matches: %w", len(messages), context.Cause(ctx))
		}
	}
}

// Link returns the first link in the text of the newest message of a kind, such
// as mail.VerifyEmail. It waits up to 10 s for the message. The test fails if
// there is no message or if it has no link.
func (b *Mailbox) Link(t testing.TB, kind string) string {
	t.Helper()
	link := firstLink(b.newest(t, kind).Text)
	if link == "" {
		t.Fatalf("the mail of kind %q has no link", kind)
	}
	return link
}

// newest waits for the newest message of a kind.
func (b *Mailbox) newest(t testing.TB, kind string) mail.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := b.WaitFor(ctx, func(m mail.Message) bool { return m.Kind == kind })
	if err != nil {
		t.Fatalf("no mail of kind %q: %v", kind, err)
	}
	return m
}

// code matches the codes in mails.
var code = regexp.MustCompile(`\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b`)

// Code returns the code, as in "ABCD-EFGH", in the newest message of a kind, such as mail.LoginCode. It waits and fails
// as Link does.
func (b *Mailbox) Code(t testing.TB, kind string) string {
	t.Helper()
	found := code.FindString(b.newest(t, kind).Text)
	if found == "" {
		t.Fatalf("the mail of kind %q has no code", kind)
	}
	return found
}

// Token returns the token in the fragment, or in the query, of the link in the newest message of a
// kind, such as mail.ResetPassword. It waits and fails as Link does.
func (b *Mailbox) Token(t testing.TB, kind string) string {
	t.Helper()
	link := b.Link(t, kind)
	if u, err := url.Parse(link); err == nil {
		fragment, _ := url.ParseQuery(u.EscapedFragment())
		if token := cmp.Or(fragment.Get("token"), u.Query().Get("token")); token != "" {
			return token
		}
	}
	t.Fatalf("the link of the mail of kind %q has no token", kind)
	return ""
}

// firstLink returns the first http or https link in a text, or "".
func firstLink(text string) string {
	for word := range strings.FieldsSeq(text) {
		for _, scheme := range []string{"https://", "http://"} {
			if _, rest, ok := strings.Cut(word, scheme); ok {
				return strings.TrimRight(scheme+rest, `.,;:!?)>"'`)
			}
		}
	}
	return ""
}
