// Package compose encodes messages in the internet message format (RFC 5322,
// MIME). Mail servers and .eml files use it.
package compose

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/ginauth/ginauth/mail"
)

// Compose checks a message and encodes it: as plain text, or as
// multipart/alternative with text and HTML. The errors are permanent.
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
	// These headers are encoded here. The library does not escape backslashes
	// in names, which net/mail cannot read then, and does not encode text that
	// looks encoded.
	msg.SetGenHeaderPreformatted("From", mailbox(from))
	msg.SetGenHeaderPreformatted("To", mailbox(m.To))
	msg.SetGenHeaderPreformatted("Subject", line(m.Subject))
	msg.SetDateWithValue(at)
	msg.SetMessageIDWithValue(id + "@" + from.Domain())
	// Keeps automatic responders from replying (RFC 3834, 5).
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
