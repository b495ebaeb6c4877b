package logmail_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/logmail"
)

var message = mail.Message{
	Kind: mail.ResetPassword, To: mail.Address{Name: "Ann", Email: "ann@example.com"},
	Subject: "CANARY", Text: "Go to\n\n    https://example.com/reset?token=CANARY&x=1\n\nor <http://localhost/CANARY>.", HTML: "CANARY",
}

func TestLogs(t *testing.T) { // W08, L01
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	if err := logmail.New(logmail.Options{Logger: log}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "CANARY") || !strings.Contains(text, `"kind":"reset_password","to":"ann@example.com"`) {
		t.Error(text)
	}
	b.Reset()
	if err := logmail.New(logmail.Options{Logger: log, InsecureLogLinks: true}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Count(text, "CANARY") != 2 || !strings.Contains(text, `"links":["https://example.com/reset?token=CANARY&x=1","http://localhost/CANARY"]`) {
		t.Error(text)
	}
}

func TestRefuses(t *testing.T) {
	var b bytes.Buffer
	mailer := logmail.New(logmail.Options{Logger: slog.New(slog.NewTextHandler(&b, nil))})
	bad := message
	bad.To.Email = "a@x,b@x"
	if err := mailer.Send(t.Context(), bad); !errors.Is(err, mail.ErrMessage) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := mailer.Send(ctx, message); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if b.Len() > 0 {
		t.Errorf("%s", &b)
	}
}
