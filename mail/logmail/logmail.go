// Package logmail writes a log record for each message instead of sending it,
// for development.
package logmail

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/ginauth/ginauth/mail"
)

// Options configure a Mailer.
type Options struct {
	// Logger receives the records. Default slog.Default().
	Logger *slog.Logger
	// InsecureLogLinks adds the links in the text to the log, so that a
	// developer can open them. Everyone who can read the log then gets access
	// to the accounts.
	InsecureLogLinks bool
}

// Mailer is a mail.Mailer that sends nothing. It is safe for concurrent use.
type Mailer struct{ options Options }

var _ mail.Mailer = (*Mailer)(nil)

// New returns a Mailer that logs the kind and the recipient of each message. It
// logs no content, except the links if InsecureLogLinks is set.
func New(options Options) *Mailer {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return &Mailer{options}
}

// link matches a URL up to the first character that cannot be part of one.
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
	m.options.Logger.LogAttrs(ctx, slog.LevelInfo, "mail: message logged, not sent", attributes...)
	return nil
}
