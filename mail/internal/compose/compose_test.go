package compose_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/internal/compose"
)

var (
	from = mail.Address{Name: "Söhne & Co.", Email: "no-reply@example.org"}
	at   = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

// read is a decoded message, as a mail program reads it.
type read struct {
	header netmail.Header
	parts  map[string]string // by media type
	order  []string
}

func parse(t *testing.T, data []byte) read {
	t.Helper()
	for line := range bytes.SplitSeq(data, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line is over its limit or broken: %.80q", line)
		}
	}
	msg, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	r := read{header: msg.Header, parts: map[string]string{}}
	mediaType, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if mediaType != "multipart/alternative" {
		// A multipart reader decodes quoted-printable.
		part := "--x\r\nContent-Transfer-Encoding: " + msg.Header.Get("Content-Transfer-Encoding") + "\r\nContent-Type: " + msg.Header.Get("Content-Type") + "\r\n\r\n"
		msg.Body, params = io.MultiReader(strings.NewReader(part), msg.Body, strings.NewReader("\r\n--x--\r\n")), map[string]string{"boundary": "x"}
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return r
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		body, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(params["charset"], "utf-8") {
			t.Errorf("%v %v", part.Header, err)
		}
		r.parts[kind] = strings.ReplaceAll(string(body), "\r\n", "\n")
		r.order = append(r.order, kind)
	}
}

func TestCompose(t *testing.T) {
	m := mail.Message{
		Kind: "kind", ID: "abc", To: mail.Address{Name: `Änne "the" Müller, Jr.`, Email: "ann@example.com"},
		Subject: "Grüße aus 東京 " + strings.Repeat("🎉", 20) + strings.Repeat("ü", 30),
		Text:    "Grüße\n.\n..\nFrom here\n" + strings.Repeat("long ", 100) + "\nhttps://example.com/?a=1&b=%3D\n",
		HTML:    "<p>Grüße &amp; <a href=\"https://example.com/?a=1&amp;b=%3D\">x</a></p>\n",
	}
	data, err := compose.Compose(from, m, at)
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, data)
	to, err := r.header.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Name != m.To.Name || to[0].Address != m.To.Email {
		t.Errorf("To is %v, %v", to, err)
	}
	sender, err := r.header.AddressList("From")
	if err != nil || len(sender) != 1 || sender[0].Name != from.Name || sender[0].Address != from.Email {
		t.Errorf("From is %v, %v", sender, err)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(r.header.Get("Subject")); err != nil || subject != m.Subject {
		t.Errorf("subject is %q, %v", subject, err)
	}
	for _, word := range strings.Fields(r.header.Get("Subject")) {
		// Encoded words must not split a character (RFC 2047, 5).
		if text, err := new(mime.WordDecoder).Decode(word); err != nil || !utf8.ValidString(text) || len(word) > 75 {
			t.Errorf("%s is %q, %v", word, text, err)
		}
	}
	if date, err := r.header.Date(); err != nil || !date.Equal(at) {
		t.Errorf("date is %v, %v", date, err)
	}
	if id := r.header.Get("Message-Id"); id != "<abc@example.org>" {
		t.Errorf("id is %s", id)
	}
	if r.parts["text/plain"] != m.Text || r.parts["text/html"] != m.HTML || strings.Join(r.order, " ") != "text/plain text/html" {
		t.Errorf("%q", r.parts)
	}
	if len(r.header) != 8 || r.header.Get("Auto-Submitted") != "auto-generated" || r.header.Get("Mime-Version") != "1.0" {
		t.Errorf("%v", r.header)
	}
	m.HTML, m.ID = "", ""
	data, err = compose.Compose(from, m, at)
	if err != nil {
		t.Fatal(err)
	}
	if r := parse(t, data); r.parts["text/plain"] != m.Text || len(r.parts) != 1 || len(r.header.Get("Message-Id")) < 20 {
		t.Errorf("%v", r)
	}
}

func TestComposeChecks(t *testing.T) {
	m := mail.Message{Kind: "kind", To: mail.Address{Email: "ann@example.com"}, Subject: "x", Text: "x"}
	if _, err := compose.Compose(mail.Address{Email: "a@x,b@x"}, m, at); !errors.Is(err, mail.ErrMessage) {
		t.Errorf("sender: %v", err)
	}
	m.To.Name = "Ann\r\nBcc: evil@example.com"
	if _, err := compose.Compose(from, m, at); !errors.Is(err, mail.ErrMessage) {
		t.Errorf("message: %v", err)
	}
}

// FuzzCompose searches for names, addresses and subjects that pass the check
// and change their meaning when they are encoded.
func FuzzCompose(f *testing.F) { // W12, X08
	for _, s := range []string{"Ann", "Ann\r\nBcc: e@x", "\"Ann\"", "a, b", "<a@x>", "(a)", "=?utf-8?q?=0D=0ABcc:_e@x?=", "ä", "a\\", "  ", "a:b;", strings.Repeat("=?x", 80)} {
		f.Add(s, "ann@example.com", s)
		f.Add("ä"+s, "ann@example.com", s+"ä")
		f.Add("", s, "subject")
		f.Add("", s+"@example.com", "subject")
	}
	f.Fuzz(func(t *testing.T, name, email, subject string) {
		m := mail.Message{Kind: "kind", ID: "id", To: mail.Address{Name: name, Email: email}, Subject: subject, Text: "text", HTML: "html"}
		data, err := compose.Compose(from, m, at)
		if err != nil {
			if !errors.Is(err, mail.ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		r := parse(t, data)
		to, err := r.header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != email || to[0].Name != name {
			t.Fatalf("To is %v, %v\n%s", to, err, data)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(r.header.Get("Subject")); err != nil || got != subject {
			t.Fatalf("subject is %q, %v\n%s", got, err, data)
		}
		if len(r.header) != 8 || r.parts["text/plain"] != "text" || r.parts["text/html"] != "html" {
			t.Fatalf("%s", data)
		}
	})
}
