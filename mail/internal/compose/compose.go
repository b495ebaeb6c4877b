// Package compose writes messages in the format that mail servers and .eml files
// have (RFC 5322, MIME).
package compose

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/ginauth/ginauth/mail"
)

// Compose checks a message and returns it as it is sent: a text, or a
// multipart/alternative of text and HTML. The errors are permanent.
func Compose(from mail.Address, m mail.Message, at time.Time) ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if err := from.Check(); err != nil {
		return nil, err
	}
	id := m.ID
	if id == "" {
		id = rand.Text()
	}
	msg := gomail.NewMsg(gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	// Encoded here: in names the library leaves backslashes as they are, which
	// net/mail cannot read, and in all it leaves what looks encoded already.
	msg.SetGenHeaderPreformatted("From", mailbox(from))
	msg.SetGenHeaderPreformatted("To", mailbox(m.To))
	msg.SetGenHeaderPreformatted("Subject", line(m.Subject))
	msg.SetDateWithValue(at)
	msg.SetMessageIDWithValue(id + "@" + from.Domain())
	// Keeps answering machines from answering (RFC 3834, 5).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("mail: compose: %w", err)
	}
	return b.Bytes(), nil
}
