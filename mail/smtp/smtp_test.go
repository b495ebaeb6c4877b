package smtp_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/smtp"
)

var message = mail.Message{
	Kind: mail.VerifyEmail, ID: "id-1", To: mail.Address{Name: "Ann", Email: "ann@example.com"},
	Subject: "Subject", Text: "Text\n.\nend", HTML: "<p>Text</p>",
}

func TestEncryption(t *testing.T) {
	type set func(o *smtp.Options)
	login := func(o *smtp.Options) { o.Username, o.Password = "app", testPassword }
	for _, c := range []struct {
		name       string
		server     serverOptions
		mechanisms []string
		set        []set
		steps      string
		says       string
	}{
		{"STARTTLS", serverOptions{}, nil, nil, "MAIL tls,RCPT tls,DATA tls", ""},
		{"STARTTLS and PLAIN", serverOptions{}, []string{"LOGIN", "PLAIN"}, []set{login},
			"AUTH PLAIN tls,MAIL tls,RCPT tls,DATA tls", ""},
		{"STARTTLS and LOGIN", serverOptions{}, []string{"LOGIN"}, []set{login},
			"AUTH LOGIN tls,MAIL tls,RCPT tls,DATA tls", ""},
		{"implicit TLS", serverOptions{implicitTLS: true}, []string{"PLAIN"},
			[]set{login, func(o *smtp.Options) { o.TLS = smtp.ImplicitTLS }}, "AUTH PLAIN tls,MAIL tls,RCPT tls,DATA tls", ""},
		{"plaintext with InsecurePlaintext", serverOptions{withoutTLS: true}, nil,
			[]set{func(o *smtp.Options) { o.TLS = smtp.InsecurePlaintext }}, "MAIL plain,RCPT plain,DATA plain", ""},
		{"no STARTTLS", serverOptions{withoutTLS: true}, nil, nil, "", "STARTTLS"},
		{"no STARTTLS, login offered", serverOptions{withoutTLS: true, insecureAuth: true}, []string{"PLAIN"}, []set{login}, "", "STARTTLS"},
		{"login offered before STARTTLS", serverOptions{insecureAuth: true}, []string{"PLAIN"}, []set{login},
			"AUTH PLAIN tls,MAIL tls,RCPT tls,DATA tls", ""},
		{"unknown certificate", serverOptions{}, []string{"PLAIN"},
			[]set{login, func(o *smtp.Options) { o.TLSConfig.RootCAs = x509.NewCertPool() }}, "", "certificate"},
		{"certificate of another host", serverOptions{}, []string{"PLAIN"},
			[]set{login, func(o *smtp.Options) { o.TLSConfig.ServerName = "smtp.example.com" }}, "", "certificate"},
		{"unknown certificate, implicit", serverOptions{implicitTLS: true}, []string{"PLAIN"},
			[]set{login, func(o *smtp.Options) { o.TLS, o.TLSConfig = smtp.ImplicitTLS, nil }}, "", "certificate"},
		{"no login offered", serverOptions{}, nil, []set{login}, "", "PLAIN and LOGIN"},
		{"no supported mechanism", serverOptions{}, []string{"XOAUTH2"}, []set{login}, "", "PLAIN and LOGIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, &server{mechanisms: c.mechanisms}, c.server)
			o := s.options()
			for _, f := range c.set {
				f(&o)
			}
			err := newMailer(t, o).Send(t.Context(), message)
			if got := strings.Join(s.noted(), ","); got != c.steps {
				t.Errorf("server saw %s, want %s", got, c.steps)
			}
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) || errors.Is(err, mail.ErrPermanent) {
				t.Errorf("%v", err)
			}
			if want := c.says == ""; want != (len(s.received()) == 1) {
				t.Errorf("%d messages", len(s.received()))
			}
		})
	}
}

// TestSentMessageCanBeRead sends messages made from the templates through a
// queue, decodes them as a mail program does, and follows the links.
func TestSentMessageCanBeRead(t *testing.T) {
	var followed []string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed = append(followed, r.URL.Query().Get("token")+r.URL.Query().Get("more"))
	}))
	defer site.Close()
	s := startServer(t, &server{}, serverOptions{})
	templates, err := mail.NewTemplates(mail.TemplateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := mail.NewQueue(newMailer(t, s.options()), mail.QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	to := mail.Address{Name: "Änne Müller", Email: "anne@example.com"}
	for _, kind := range mail.Kinds() {
		m, err := templates.Message(kind, "", to, mail.Data{
			AppName: "Söhne & Co.", Name: to.Name, URL: site.URL + "/verify?token=" + kind + "-0123456789_=&more=%2B%3D",
			Expires: time.Hour, At: time.Now(), Device: "Firefox on Linux", Code: "ABCD-2345",
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := queue.Enqueue(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := queue.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	mails := s.received()
	if len(mails) != len(mail.Kinds()) {
		t.Fatalf("%d messages", len(mails))
	}
	for _, m := range mails {
		header, text, page := read(t, m.data)
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if err != nil || !strings.Contains(subject, "Söhne & Co.") {
			t.Errorf("subject is %q, %v", subject, err)
		}
		list, err := header.AddressList("To")
		if err != nil || len(list) != 1 || list[0].Name != to.Name || list[0].Address != to.Email || m.to != to.Email || m.from != "no-reply@example.org" || m.utf8 {
			t.Errorf("%v, %+v, %v", list, m, err)
		}
		if !strings.Contains(text, "Hello Änne Müller,") || !strings.Contains(page, "Hello Änne Müller,") {
			t.Errorf("%s\n%s", text, page)
		}
		href := regexp.MustCompile(`href="([^"]*)"`).FindStringSubmatch(page)
		for _, link := range []string{regexp.MustCompile(`http\S+`).FindString(text), html.UnescapeString(href[1])} {
			response, err := http.Get(link)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
	}
	slices.Sort(followed)
	var want []string
	for _, kind := range mail.Kinds() {
		want = append(want, kind+"-0123456789_=+=", kind+"-0123456789_=+=")
	}
	slices.Sort(want)
	if !slices.Equal(followed, want) {
		t.Errorf("%q", followed)
	}
}

// read returns the header and both parts of a message, decoded.
func read(t *testing.T, data []byte) (header netmail.Header, text, page string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	mediaType, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/alternative" {
		t.Fatalf("%s, %v", mediaType, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, kind := range []string{"text/plain", "text/html"} {
		part, err := parts.NextRawPart()
		if err != nil || part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" || !strings.HasPrefix(part.Header.Get("Content-Type"), kind) {
			t.Fatalf("%v, %v", part, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if text == "" {
			text = string(body)
		}
		page = string(body)
	}
	if _, err := parts.NextPart(); !errors.Is(err, io.EOF) {
		t.Error("there are more than two parts")
	}
	return m.Header, text, page
}

// TestHostileHeaders sends names and subjects that attempt header injection.
func TestHostileHeaders(t *testing.T) { // W12, X08
	s := startServer(t, &server{}, serverOptions{})
	mailer := newMailer(t, s.options())
	for _, c := range []struct {
		name, in string
		sent     bool
	}{
		{"CRLF", "Ann\r\nBcc: evil@example.com", false},
		{"CR", "Ann\rBcc: evil@example.com", false},
		{"LF", "Ann\nBcc: evil@example.com", false},
		{"end of the header", "Ann\r\n\r\nbody", false},
		{"NUL", "Ann\x00", false},
		{"end of the message", "Ann\r\n.\r\nMAIL FROM:<evil@example.com>", false},
		{"code points that end in the byte of CR or LF", "Ann\u010aBcc: evil@example.com\u010d", true},
		{"encoded CRLF", "=?utf-8?q?Ann=0D=0ABcc:_evil@example.com?=", true},
		{"quotes", `Ann" <evil@example.com>, "`, true},
		{"brackets", "Ann <evil@example.com>,", true},
		{"a group", "evil: evil@example.com;", true},
		{"a comment", `Ann (\`, true},
		{"a header", "Bcc: evil@example.com", true},
		{"long", strings.Repeat("Änne ", 40), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := message
			m.To.Name, m.Subject = c.in, c.in
			before := len(s.received())
			err := mailer.Send(t.Context(), m)
			if (err == nil) != c.sent || err != nil && !errors.Is(err, mail.ErrMessage) {
				t.Fatal(err)
			}
			received := s.received()[before:]
			if !c.sent {
				if len(received) > 0 {
					t.Errorf("%+v", received)
				}
				return
			}
			header, text, _ := read(t, received[0].data)
			to, err := header.AddressList("To")
			if len(received) != 1 || received[0].to != "ann@example.com" || err != nil || len(to) != 1 || to[0].Address != "ann@example.com" || to[0].Name != c.in {
				t.Errorf("%v, %v\n%s", to, err, received[0].data)
			}
			if subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); err != nil || subject != strings.TrimSpace(c.in) && subject != c.in {
				t.Errorf("subject is %q, %v", subject, err)
			}
			// The test server adds Received.
			if header.Get("Bcc") != "" || len(header) != 8 || text != "Text\r\n.\r\nend" {
				t.Errorf("%v\n%q", header, text)
			}
		})
	}
}

func TestAddressesOutsideASCII(t *testing.T) {
	m := message
	m.To.Email = "änne@bücher.example"
	s := startServer(t, &server{}, serverOptions{})
	if err := newMailer(t, s.options()).Send(t.Context(), m); !errors.Is(err, mail.ErrPermanent) || len(s.noted()) != 0 {
		t.Errorf("%v, %v", err, s.noted())
	}
	s = startServer(t, &server{}, serverOptions{utf8: true})
	mailer := newMailer(t, s.options())
	for _, to := range []string{m.To.Email, "ann@example.com", "ann@bücher.example"} {
		m.To.Email = to
		if err := mailer.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	mails := s.received()
	if mails[0].to != "änne@xn--bcher-kva.example" || !mails[0].utf8 || mails[1].utf8 {
		t.Errorf("to %q, to %q", mails[0].to, mails[1].to)
	}
	if mails[2].to != "ann@xn--bcher-kva.example" || mails[2].utf8 { // needs nothing of the server
		t.Errorf("to %q, SMTPUTF8 %v", mails[2].to, mails[2].utf8)
	}
}

// TestLoginByAccessToken sends with tokens, the first of which has expired.
func TestLoginByAccessToken(t *testing.T) {
	s := startServer(t, &server{mechanisms: []string{"PLAIN", "XOAUTH2"}}, serverOptions{})
	var tokens []smtp.Password
	var broken error
	o := s.options()
	o.Username = "app"
	o.AccessToken = func(ctx context.Context) (smtp.Password, error) {
		if broken != nil {
			return "", broken
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("no deadline")
		}
		token := tokens[0]
		tokens = tokens[1:]
		return token, nil
	}
	mailer := newMailer(t, o)
	tokens = []smtp.Password{"expired", testPassword, "", "a\x01b", "a b"}
	send := func(says string) {
		t.Helper()
		err := mailer.Send(t.Context(), message)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) || errors.Is(err, mail.ErrPermanent) {
			t.Errorf("%v, want %q", err, says)
		}
		if err != nil && strings.Contains(err.Error(), "expired") {
			t.Errorf("the error shows the token: %v", err)
		}
	}
	send("AUTH XOAUTH2")
	send("")
	for range 3 {
		send("characters")
	}
	broken = errors.New("no network")
	send("no network")
	if got := strings.Join(s.noted(), ","); got != "AUTH XOAUTH2 tls,AUTH XOAUTH2 tls,MAIL tls,RCPT tls,DATA tls" || len(s.received()) != 1 {
		t.Errorf("server saw %s", got)
	}

	s = startServer(t, &server{mechanisms: []string{"PLAIN"}}, serverOptions{})
	o.Port, o.TLSConfig = s.options().Port, s.options().TLSConfig
	mailer = newMailer(t, o)
	send("does not offer the AUTH mechanism XOAUTH2")
}

func TestSendIsSafeForConcurrentUse(t *testing.T) {
	s := startServer(t, &server{mechanisms: []string{"PLAIN"}}, serverOptions{})
	o := s.options()
	o.Username, o.Password = "app", testPassword
	mailer := newMailer(t, o)
	const n = 30
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			m := message
			m.To.Email = fmt.Sprintf("user%d@example.com", i)
			m.Text = m.To.Email
			if err := mailer.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	for _, m := range s.received() {
		if _, text, _ := read(t, m.data); text != m.to {
			t.Errorf("%s received the message for %s", m.to, text)
		}
	}
	for range n {
		<-s.ended
	}
}
