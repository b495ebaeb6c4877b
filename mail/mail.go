package mail

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Mailer hands messages to whatever delivers them.
//
// Send is safe for concurrent use. It calls Message.Check before anything else
// and contacts nobody for a message that fails it. It returns soon after ctx has
// ended, and does not outlive its return: no goroutine of its own goes on
// sending. It keeps no part of the message.
//
// A nil error says that somebody else, as a mail server, has taken over the
// message; it does not say that it arrived. An error that wraps ErrPermanent
// says that the same message will never be accepted, so that sending it again is
// of no use. Every other error, those of ctx among them, is temporary: the message
// may be sent again. After a temporary error it may have been sent nevertheless,
// if only the answer was lost; ID tells the two copies apart from two messages.
//
// Errors and logs hold neither Subject, Text nor HTML.
type Mailer interface {
	Send(ctx context.Context, m Message) error
}

// MailerFunc is a function that is a Mailer.
type MailerFunc func(ctx context.Context, m Message) error

// Send calls f.
func (f MailerFunc) Send(ctx context.Context, m Message) error { return f(ctx, m) }

// Message is one message to one address. It hides itself in fmt, slog and JSON;
// who has to store one copies its fields.
type Message struct {
	// Kind says what the message is about, as VerifyEmail does: 1 to 64 lower
	// case letters, digits and underscores. It is for logs and names of files,
	// and no part of what is sent.
	Kind string
	// ID names the message in its Message-ID, the same for each time that
	// sending it is tried: up to 64 letters, digits and hyphens. A Queue fills
	// it in, and transports make one up where it is empty.
	ID string
	// To is who gets the message.
	To Address
	// Subject is one line of at most 255 bytes. It is required.
	Subject string
	// Text is the message as plain text, of at most 256 KiB. It is required.
	Text string
	// HTML is the same as HTML, of at most 256 KiB, or "" for a message of text
	// alone.
	HTML string
}

// Address is a mailbox.
type Address struct {
	// Name is shown in place of the address, or "": one line of at most 255
	// bytes.
	Name string
	// Email is the address alone, as in "ann@example.com", of at most 254
	// bytes.
	Email string
}

// Domain returns what follows the last "@" of the address, or "". It is all that
// belongs into a log.
func (a Address) Domain() string {
	at := strings.LastIndexByte(a.Email, '@')
	if at < 0 {
		return ""
	}
	return a.Email[at+1:]
}

const redacted = "[REDACTED]"

// Format writes a placeholder, whatever the verb.
func (Message) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Message) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, which is also what JSON gets.
func (Message) MarshalText() ([]byte, error) { return []byte(redacted), nil }
