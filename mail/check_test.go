package mail_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/mail"
)

func valid() mail.Message {
	return mail.Message{
		Kind: mail.VerifyEmail, To: mail.Address{Name: "Ann", Email: "ann@example.com"},
		Subject: "Subject", Text: "Text", HTML: "<p>Text</p>",
	}
}

func TestAddresses(t *testing.T) { // W12
	for email, want := range map[string]bool{
		"ann@example.com":                         true,
		"ann+tag@example.com":                     true,
		"o'hara@example.com":                      true,
		"root@localhost":                          true,
		"jürgen@bücher.example":                   true,
		"用户@例子.广告":                                true,
		"a_b%c@sub-1.example.com":                 true,
		"":                                        false,
		"ann":                                     false,
		"@example.com":                            false,
		"ann@":                                    false,
		"a@x,b@x":                                 false,
		"a@x, b@x":                                false,
		"a@x;b@x":                                 false,
		"a@x b@x":                                 false,
		"a@x@y":                                   false,
		"Ann <ann@example.com>":                   false,
		"<ann@example.com>":                       false,
		"ann@example.com (Ann)":                   false,
		"friends:ann@example.com;":                false,
		`"ann b"@example.com`:                     false,
		`"ann"@example.com`:                       false,
		"@relay:ann@example.com":                  false,
		"ann@[127.0.0.1]":                         false,
		"ann@example.com\r\nBcc: e":               false,
		"a@x\r\nBcc: e@x":                         false,
		"ann@example.com\n":                       false,
		"ann\x00@example.com":                     false,
		"ann@exam\x7fple.com":                     false,
		" ann@example.com":                        false,
		"ann @example.com":                        false,
		"ann\u200b@example.com":                   false,
		"ann\u202e@example.com":                   false,
		"ann\u010a":                               false,
		"ann@ex\u2028ample.com":                   false,
		"ann@exam\xffple.com":                     false,
		"ann@\ufffd.com":                          false,
		"ann@example..com":                        false,
		"ann@.example.com":                        false,
		"ann@example.com.":                        false,
		"ann@-example.com":                        false,
		"ann@example-.com":                        false,
		"ann@exa_mple.com":                        false,
		".ann@example.com":                        false,
		"an..n@example.com":                       false,
		strings.Repeat("a", 64) + "@example.com":  true,
		strings.Repeat("a", 65) + "@example.com":  false,
		"ann@" + strings.Repeat("a", 64) + ".com": false,
		"ann@" + strings.Repeat("abcdefghi.", 25) + "com":    false, // 257 bytes
		"ann@" + strings.Repeat("abcdefghi.", 24) + "abcdef": true,  // 250 bytes
	} {
		err := mail.Address{Email: email}.Check()
		if (err == nil) != want {
			t.Errorf("%q: %v", email, err)
		}
		if err != nil && (!errors.Is(err, mail.ErrMessage) || !errors.Is(err, mail.ErrPermanent)) {
			t.Errorf("%q: %v is not a permanent ErrMessage", email, err)
		}
		m := valid()
		m.To.Email = email
		if (m.Check() == nil) != want {
			t.Errorf("message to %q: %v", email, m.Check())
		}
	}
}

func TestMessages(t *testing.T) {
	change := func(f func(m *mail.Message)) mail.Message {
		m := valid()
		f(&m)
		return m
	}
	long := strings.Repeat("x", 256<<10+1)
	for _, c := range []struct {
		name string
		m    mail.Message
		ok   bool
	}{
		{"valid", valid(), true},
		{"no HTML", change(func(m *mail.Message) { m.HTML = "" }), true},
		{"no name", change(func(m *mail.Message) { m.To.Name = "" }), true},
		{"names and subjects in other scripts", change(func(m *mail.Message) {
			m.To.Name, m.Subject = "Ünal 陳 👩\u200d👧 نام\u200cه", "Grüße 🎉"
		}), true},
		{"line that looks like a header in the text", change(func(m *mail.Message) { m.Text = "a\r\nBcc: e@x\n\nb" }), true},
		{"an id", change(func(m *mail.Message) { m.ID = "Ab-19" }), true},
		{"no kind", change(func(m *mail.Message) { m.Kind = "" }), false},
		{"kind that is a path", change(func(m *mail.Message) { m.Kind = "../x" }), false},
		{"kind in upper case", change(func(m *mail.Message) { m.Kind = "Verify" }), false},
		{"long kind", change(func(m *mail.Message) { m.Kind = strings.Repeat("k", 65) }), false},
		{"id that ends the header", change(func(m *mail.Message) { m.ID = "a>\r\nBcc: e" }), false},
		{"id that is a path", change(func(m *mail.Message) { m.ID = "../a" }), false},
		{"long id", change(func(m *mail.Message) { m.ID = strings.Repeat("a", 65) }), false},
		{"no subject", change(func(m *mail.Message) { m.Subject = "" }), false},
		{"no text", change(func(m *mail.Message) { m.Text = "" }), false},
		{"CR in the subject", change(func(m *mail.Message) { m.Subject = "a\rBcc: e@x" }), false},
		{"LF in the subject", change(func(m *mail.Message) { m.Subject = "a\nBcc: e@x" }), false},
		{"NUL in the subject", change(func(m *mail.Message) { m.Subject = "a\x00" }), false},
		{"NEL in the subject", change(func(m *mail.Message) { m.Subject = "a\u0085b" }), false},
		{"line separator in the subject", change(func(m *mail.Message) { m.Subject = "a\u2028b" }), false},
		{"bad UTF-8 in the subject", change(func(m *mail.Message) { m.Subject = "a\xff" }), false},
		{"long subject", change(func(m *mail.Message) { m.Subject = strings.Repeat("a", 256) }), false},
		{"CRLF in the name", change(func(m *mail.Message) { m.To.Name = "Ann\r\nBcc: e@x" }), false},
		{"tab in the name", change(func(m *mail.Message) { m.To.Name = "Ann\tB" }), false},
		{"direction in the name", change(func(m *mail.Message) { m.To.Name = "Ann\u202eB" }), false},
		{"long name", change(func(m *mail.Message) { m.To.Name = strings.Repeat("a", 256) }), false},
		{"NUL in the text", change(func(m *mail.Message) { m.Text = "a\x00" }), false},
		{"bad UTF-8 in the HTML", change(func(m *mail.Message) { m.HTML = "a\xff" }), false},
		{"long text", change(func(m *mail.Message) { m.Text = long }), false},
		{"long HTML", change(func(m *mail.Message) { m.HTML = long }), false},
	} {
		err := c.m.Check()
		if (err == nil) != c.ok || err != nil && !errors.Is(err, mail.ErrMessage) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestMessagePrintsPlaceholder prints messages and data in all ways.
func TestMessagePrintsPlaceholder(t *testing.T) { // L01
	const canary = "CANARY-1"
	m := mail.Message{
		Kind: "kind", ID: canary, To: mail.Address{Name: canary, Email: canary + "@example.com"},
		Subject: canary, Text: canary, HTML: canary,
	}
	d := mail.Data{AppName: canary, Name: canary, Email: canary, URL: canary, Address: canary, Device: canary}
	var b bytes.Buffer
	for _, v := range []any{m, &m, d, &d, []any{m, d}, map[string]any{"m": m, "d": d}, struct{ M mail.Message }{m}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			t.Error(err)
		}
		slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	}
	m.To.Email = canary + "\n"
	fmt.Fprintln(&b, m.Check())
	m.Subject += "\n"
	fmt.Fprintln(&b, m.Check())
	if strings.Contains(b.String(), "CANARY") || strings.Count(b.String(), "[REDACTED]") < 20 {
		t.Errorf("%s", b.String())
	}
}
