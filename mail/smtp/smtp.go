package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/internal/compose"
)

// Mailer is a mail.Mailer that sends by SMTP. It is safe for concurrent use. It
// has an open connection only while Send runs.
type Mailer struct {
	// options is a function because the options contain a password. fmt prints
	// only the address of a function.
	options func() *Options
}

var _ mail.Mailer = (*Mailer)(nil)

// New returns a Mailer. It opens no connection. The error wraps mail.ErrConfig
// and joins all faults of the options.
func New(options Options) (*Mailer, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	return &Mailer{options: func() *Options { return &options }}, nil
}

// Send sends a message over a new connection. The documentation of the package
// lists the permanent errors.
func (m *Mailer) Send(ctx context.Context, message mail.Message) error {
	o := m.options()
	message.To.Email = canon.ASCIIDomain(message.To.Email)
	data, err := compose.Compose(o.From, message, time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.Port)))
	if err != nil {
		return wrap(ctx, "connect", err)
	}
	defer conn.Close()
	// Interrupts all reads and writes in progress.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	s := session{options: o, ctx: ctx}
	if err := s.open(&limitedConn{Conn: conn, left: maxReplies}); err != nil {
		return err
	}
	if err := s.send(message.To.Email, data); err != nil {
		return err
	}
	// The server has accepted the message. Errors of QUIT do not matter.
	_ = conn.SetDeadline(time.Now().Add(maxQuit))
	_ = s.client.Quit()
	return nil
}

// session is one SMTP session.
type session struct {
	options *Options
	ctx     context.Context
	client  *smtp.Client
}

// open introduces the client, starts encryption and logs in.
func (s *session) open(conn net.Conn) error {
	o := s.options
	if o.TLS == ImplicitTLS {
		conn = tls.Client(conn, o.TLSConfig)
	}
	var err error
	if s.client, err = smtp.NewClient(conn, o.Host); err != nil {
		return wrap(s.ctx, "greeting", err)
	}
	if err := s.client.Hello(o.HELO); err != nil {
		return wrap(s.ctx, "EHLO", err)
	}
	if o.TLS == RequireSTARTTLS {
		if ok, _ := s.client.Extension("STARTTLS"); !ok {
			return errors.New("mail/smtp: server does not offer STARTTLS, nothing was sent")
		}
		if err := s.client.StartTLS(o.TLSConfig); err != nil {
			return wrap(s.ctx, "STARTTLS", err)
		}
	}
	return s.login()
}

func (s *session) login() error {
	o := s.options
	if o.Username == "" {
		return nil
	}
	_, offered := s.client.Extension("AUTH")
	if o.AccessToken != nil {
		return s.loginByToken(offered)
	}
	var auth smtp.Auth
	for _, mechanism := range strings.Fields(strings.ToUpper(offered)) {
		if mechanism == "PLAIN" {
			auth = smtp.PlainAuth("", o.Username, string(o.Password), o.Host, false)
			break
		}
		if mechanism == "LOGIN" {
			auth = smtp.LoginAuth(o.Username, string(o.Password), o.Host, false)
		}
	}
	if auth == nil {
		return errors.New("mail/smtp: server does not offer the AUTH mechanisms PLAIN and LOGIN")
	}
	if err := s.client.Auth(auth); err != nil {
		return wrap(s.ctx, "AUTH", err)
	}
	return nil
}

// loginByToken logs in by an access token. Its errors are temporary: the next try gets another
// token.
func (s *session) loginByToken(offered string) error {
	if !slices.Contains(strings.Fields(strings.ToUpper(offered)), "XOAUTH2") {
		return errors.New("mail/smtp: server does not offer the AUTH mechanism XOAUTH2")
	}
	token, err := s.options.AccessToken(s.ctx)
	if err != nil {
		return fmt.Errorf("mail/smtp: access token: %w", err)
	}
	if token == "" || strings.ContainsFunc(string(token), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("mail/smtp: access token is empty or has characters that no token has") // it would change the reply
	}
	if err := s.client.Auth(smtp.XOAuth2Auth(s.options.Username, string(token))); err != nil {
		return fmt.Errorf("mail/smtp: AUTH XOAUTH2: %v", err) // not wrapped: its code would make it permanent
	}
	return nil
}

// send sends one message.
func (s *session) send(to string, data []byte) error {
	from := s.options.From.Email
	// SMTPUTF8 is requested only if it is needed, because every later server
	// without SMTPUTF8 would refuse the message.
	international := !isASCII(from + to)
	if ok, _ := s.client.Extension("SMTPUTF8"); international && !ok {
		return mail.Permanent(errors.New("mail/smtp: server does not support addresses outside ASCII (SMTPUTF8)"))
	}
	s.client.SkipSMTPUTF8(!international)
	if err := s.client.Mail("<" + from + ">"); err != nil {
		return wrap(s.ctx, "MAIL", err)
	}
	if err := s.client.Rcpt("<" + to + ">"); err != nil {
		return wrap(s.ctx, "RCPT", err)
	}
	w, err := s.client.Data()
	if err != nil {
		return wrap(s.ctx, "DATA", err)
	}
	if _, err := w.Write(data); err != nil {
		return wrap(s.ctx, "message", err)
	}
	if err := w.Close(); err != nil {
		return wrap(s.ctx, "message", err)
	}
	return nil
}

// wrap returns an error that names the step at which err happened. It marks
// replies of 500 to 599 as permanent.
func wrap(ctx context.Context, step string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("mail/smtp: %s: %w", step, cause)
	}
	// The server's text can be of any length.
	if protocol, ok := errors.AsType[textproto.ProtocolError](err); ok {
		err = textproto.ProtocolError(cut(string(protocol)))
	}
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return fmt.Errorf("mail/smtp: %s: %w", step, err)
	}
	err = fmt.Errorf("mail/smtp: %s: %w", step, &textproto.Error{Code: reply.Code, Msg: cut(reply.Msg)})
	if reply.Code >= 500 && reply.Code <= 599 {
		return mail.Permanent(err)
	}
	return err
}

func cut(text string) string {
	if len(text) <= maxReply {
		return text
	}
	return strings.ToValidUTF8(text[:maxReply], "")
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

const (
	// maxReplies is the maximum number of bytes read from a server for one
	// message. A session takes a few kilobytes, including certificates.
	maxReplies = 1 << 20
	// maxReply is the maximum length of a server reply in an error, in bytes.
	maxReply = 512
	// maxQuit is the time limit for QUIT.
	maxQuit = time.Second
)

// limitedConn is a connection that limits the number of bytes read, so that a
// server cannot fill the memory.
type limitedConn struct {
	net.Conn
	left int
}

// Read returns an error if the limit is exceeded.
func (c *limitedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("server sent too much data")
	}
	n, err := c.Conn.Read(p)
	c.left -= n
	return n, err
}
