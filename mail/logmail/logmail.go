// Package logmail logs that a message would have been sent, for development.
package logmail

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/ginauth/ginauth/mail"
)

// Options set up a Mailer.
type Options struct {
	// Logger is written to. Default slog.Default().
	Logger *slog.Logger
	// InsecureLogLinks adds the links in the text, so that a developer can
	// follow them. Whoever reads such a log gets into the accounts.
	InsecureLogLinks bool
}

// Mailer is a mail.Mailer that sends nothing. It is safe for concurrent use.
type Mailer struct{ options Options }

var _ mail.Mailer = (*Mailer)(nil)

// New returns a Mailer that logs the kind and the address of each message, and
// nothing of what is in it unless Options say so.
func New(options Options) *Mailer {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return &Mailer{options}
}

// link matches what begins like a link, up to what cannot be in one.
var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// Send logs a message.
func (m *Mailer) Send(ctx context.Context, message mail.Message) error {
	if err := message.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mail/logmail: %w", err)
	}
	attributes := []slog.Attr{slog.String("kind", message.Kind), slog.String("to", message.To.Email)}
	if m.options.InsecureLogLinks {
		attributes = append(attributes, slog.Any("links", link.FindAllString(message.Text, -1)))
	}
	m.options.Logger.LogAttrs(ctx, slog.LevelInfo, "mail: not sent, only logged", attributes...)
	return nil
}
