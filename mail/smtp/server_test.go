package smtp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/smtp"
)

// server is an SMTP server on the loopback interface. It records the commands
// it receives and whether the connection was encrypted.
type server struct {
	port  int
	roots *x509.CertPool

	// Set before the server starts.
	mechanisms []string
	answer     func(step string) error // reply to MAIL, RCPT and DATA

	mu    sync.Mutex
	steps []string // "AUTH PLAIN tls", "MAIL tls" …
	mails []envelope
	ended chan struct{} // receives a value for each connection that has ended
}

type envelope struct {
	from, to string
	utf8     bool
	data     []byte
}

type serverOptions struct {
	withoutTLS, implicitTLS, insecureAuth, utf8 bool
}

func startServer(t *testing.T, s *server, options serverOptions) *server {
	t.Helper()
	certificate, roots := newCertificate(t)
	s.roots, s.ended = roots, make(chan struct{}, 1000)
	g := gosmtp.NewServer(gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		return &conversation{server: s, conn: c}, nil
	}))
	g.Domain, g.AllowInsecureAuth, g.EnableSMTPUTF8 = "localhost", options.insecureAuth, options.utf8
	g.ErrorLog = log.New(io.Discard, "", 0)
	g.ReadTimeout, g.WriteTimeout = time.Minute, time.Minute
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	switch {
	case options.implicitTLS:
		l = tls.NewListener(l, config)
	case !options.withoutTLS:
		g.TLSConfig = config
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := g.Serve(l); err != nil && !errors.Is(err, gosmtp.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		_ = g.Close()
		<-done
	})
	return s
}

func (s *server) note(step string) error {
	s.mu.Lock()
	s.steps = append(s.steps, step)
	s.mu.Unlock()
	return nil
}

func (s *server) noted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.steps)
}

func (s *server) received() []envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// conversation is one session of the server.
type conversation struct {
	server *server
	conn   *gosmtp.Conn
	now    envelope
}

func (c *conversation) step(name string) error {
	over := name + " plain"
	if _, ok := c.conn.TLSConnectionState(); ok {
		over = name + " tls"
	}
	_ = c.server.note(over)
	if c.server.answer != nil {
		return c.server.answer(name)
	}
	return nil
}

func (c *conversation) AuthMechanisms() []string { return c.server.mechanisms }

func (c *conversation) Auth(mechanism string) (sasl.Server, error) {
	check := func(username, password string) error {
		if err := c.step("AUTH " + mechanism); err != nil {
			return err
		}
		if username != "app" || password != testPassword {
			return gosmtp.ErrAuthFailed
		}
		return nil
	}
	switch mechanism {
	case "LOGIN":
		return &loginServer{check: check}, nil
	case "XOAUTH2":
		return &tokenServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, username, password string) error { return check(username, password) }), nil
}

func (c *conversation) Mail(from string, options *gosmtp.MailOptions) error {
	c.now = envelope{from: from, utf8: options.UTF8}
	return c.step("MAIL")
}

func (c *conversation) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	c.now.to += to
	return c.step("RCPT")
}

func (c *conversation) Data(r io.Reader) error {
	var err error
	if c.now.data, err = io.ReadAll(r); err != nil {
		return err
	}
	if err := c.step("DATA"); err != nil {
		return err
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.mails = append(c.server.mails, c.now)
	return nil
}

func (c *conversation) Reset() {}

func (c *conversation) Logout() error {
	c.server.ended <- struct{}{}
	return nil
}

// loginServer is the server side of the mechanism LOGIN.
type loginServer struct {
	check    func(username, password string) error
	step     int
	username string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.username = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.username, string(response))
}

// newCertificate returns a self-signed certificate for 127.0.0.1.
func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

const testPassword = "CANARY-PASSWORD"

// options returns the options of a mailer that uses the server.
func (s *server) options() smtp.Options {
	return smtp.Options{
		Host: "127.0.0.1", Port: s.port, From: mail.Address{Name: "Söhne & Co.", Email: "no-reply@example.org"},
		TLSConfig: &tls.Config{RootCAs: s.roots}, Timeout: time.Minute,
	}
}

func newMailer(t *testing.T, options smtp.Options) *smtp.Mailer {
	t.Helper()
	mailer, err := smtp.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return mailer
}

// tokenServer is the server's side of XOAUTH2. It tells a fault in a challenge, as Google and
// Microsoft do, and refuses after the client's empty response.
type tokenServer struct {
	check func(username, token string) error
	fault error
}

func (s *tokenServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if s.fault != nil {
		return nil, true, s.fault
	}
	user, rest, _ := strings.Cut(string(response), "\x01")
	token, end, _ := strings.Cut(rest, "\x01")
	if end != "\x01" {
		return nil, true, gosmtp.ErrAuthFailed
	}
	s.fault = s.check(strings.TrimPrefix(user, "user="), strings.TrimPrefix(token, "auth=Bearer "))
	if s.fault != nil {
		return []byte(`{"status":"401","schemes":"Bearer"}`), false, nil
	}
	return nil, true, nil
}
