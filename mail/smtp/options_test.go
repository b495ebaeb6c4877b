package smtp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/smtp"
)

func TestOptions(t *testing.T) {
	from := mail.Address{Email: "a@example.org"}
	good := smtp.Options{Host: "smtp.example.com", From: from}
	for _, c := range []struct {
		name  string
		set   func(o *smtp.Options)
		fault string // the field that is refused, or ""
	}{
		{"good", func(*smtp.Options) {}, ""},
		{"IPv6", func(o *smtp.Options) { o.Host = "::1" }, ""},
		{"HELO literal", func(o *smtp.Options) { o.HELO = "[192.0.2.1]" }, ""},
		{"no host", func(o *smtp.Options) { o.Host = "" }, "Host"},
		{"host with port", func(o *smtp.Options) { o.Host = "smtp.example.com:25" }, "Host"},
		{"host with line break", func(o *smtp.Options) { o.Host = "smtp\r\n" }, "Host"},
		{"port", func(o *smtp.Options) { o.Port = 65536 }, "Port"},
		{"negative port", func(o *smtp.Options) { o.Port = -1 }, "Port"},
		{"HELO with line break", func(o *smtp.Options) { o.HELO = "a\r\nMAIL FROM:<b>" }, "HELO"},
		{"two senders", func(o *smtp.Options) { o.From.Email = "a@x,b@x" }, "From"},
		{"name of the sender", func(o *smtp.Options) { o.From.Name = "a\r\nBcc: b" }, "From"},
		{"no password", func(o *smtp.Options) { o.Username = "app" }, "Password"},
		{"no username", func(o *smtp.Options) { o.Password = "CANARY" }, "Username"},
		{"token without username", func(o *smtp.Options) { o.AccessToken = noToken }, "Username"},
		{"token and password", func(o *smtp.Options) { o.Username, o.Password, o.AccessToken = "app", "CANARY", noToken }, "AccessToken"},
		{"token without TLS", func(o *smtp.Options) { o.Username, o.AccessToken, o.TLS = "app", noToken, smtp.InsecurePlaintext }, "TLS"},
		{"separator of XOAUTH2", func(o *smtp.Options) { o.Username, o.AccessToken = "a\x01b", noToken }, "Username"},
		{"zero byte", func(o *smtp.Options) { o.Username, o.Password = "a\x00b", "CANARY" }, "Username"},
		{"password without TLS", func(o *smtp.Options) { o.Username, o.Password, o.TLS = "app", "CANARY", smtp.InsecurePlaintext }, "TLS"},
		{"mode", func(o *smtp.Options) { o.TLS = 3 }, "TLS"},
		{"timeout", func(o *smtp.Options) { o.Timeout = -1 }, "Timeout"},
	} {
		o := good
		c.set(&o)
		_, err := smtp.New(o)
		if (err == nil) != (c.fault == "") || err != nil && (!errors.Is(err, mail.ErrConfig) || !strings.Contains(err.Error(), c.fault+":") && c.name != "zero byte" || strings.Contains(err.Error(), "CANARY")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := smtp.New(smtp.Options{Port: -1, HELO: " ", Timeout: -1, Username: "app", TLS: smtp.InsecurePlaintext})
	for _, field := range []string{"Host:", "Port:", "HELO:", "Timeout:", "From:", "Password:", "TLS:"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}

func noToken(context.Context) (smtp.Password, error) { return "", nil }

func TestPasswordIsHidden(t *testing.T) { // L01
	o := smtp.Options{Host: "smtp.example.com", From: mail.Address{Email: "a@example.org"}, Username: "app", Password: testPassword}
	mailer := newMailer(t, o)
	var b bytes.Buffer
	for _, v := range []any{o.Password, o, &o, mailer, *mailer, []any{o}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	}
	if err := json.NewEncoder(&b).Encode(map[string]any{"p": o.Password}); err != nil {
		t.Error(err)
	}
	if strings.Contains(b.String(), "CANARY") || !strings.Contains(b.String(), "[REDACTED]") {
		t.Errorf("%s", &b)
	}
}
