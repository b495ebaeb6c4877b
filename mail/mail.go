package mail

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Mailer hands messages over to a delivery service.
//
// Send is safe for concurrent use. It first calls Message.Check, and contacts
// no server if that fails. It returns soon after ctx ends, and no goroutine
// continues to send after it returned. It keeps no part of the message.
//
// If the error is nil, another system such as a mail server has accepted the
// message. That does not mean that the message was delivered. An error that
// wraps ErrPermanent says that the same message will never be accepted, so the
// caller should not retry. All other errors, including those of ctx, are
// temporary: the caller may retry. After a temporary error the message may have
// been sent, if only the server's reply was lost. Both copies then have the
// same ID.
//
// Errors and logs never contain Subject, Text or HTML.
type Mailer interface {
	Send(ctx context.Context, m Message) error
}

// MailerFunc is a function that implements Mailer.
type MailerFunc func(ctx context.Context, m Message) error

// Send calls f.
func (f MailerFunc) Send(ctx context.Context, m Message) error { return f(ctx, m) }

// Message is a message to one address. It prints as a placeholder in fmt, slog
// and JSON. Code that stores a message must copy its fields.
type Message struct {
	// Kind is the kind of the message, such as VerifyEmail: 1 to 64 lower case
	// letters, digits and underscores. It appears in logs and file names and is
	// not sent.
	Kind string
	// ID is the local part of the Message-ID: up to 64 letters, digits and
	// hyphens. Retries of a message keep its ID. If ID is empty, Queue.Enqueue
	// sets a random one, and a transport that is called directly uses a random
	// one.
	ID string
	// To is the recipient.
	To Address
	// Subject is one line of at most 255 bytes. It is required.
	Subject string
	// Text is the message as plain text, at most 256 KiB. It is required.
	Text string
	// HTML is the message as HTML, at most 256 KiB. If it is "", the message
	// has only text.
	HTML string
}

// Address is a mailbox.
type Address struct {
	// Name is the display name, or "". It is one line of at most 255 bytes.
	Name string
	// Email is the address without a name, such as "ann@example.com". It has at
	// most 254 bytes.
	Email string
}

// Domain returns the part after the last "@" of the address, or "". Logs should
// contain only this part.
func (a Address) Domain() string {
	at := strings.LastIndexByte(a.Email, '@')
	if at < 0 {
		return ""
	}
	return a.Email[at+1:]
}

const redacted = "[REDACTED]"

// Format writes a placeholder, for every verb.
func (Message) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Message) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder. Package encoding/json uses it too.
func (Message) MarshalText() ([]byte, error) { return []byte(redacted), nil }
