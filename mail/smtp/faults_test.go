package smtp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/smtp"
)

func TestErrorRepliesArePermanentOrTemporary(t *testing.T) {
	reply := func(code int) error {
		return &gosmtp.SMTPError{Code: code, EnhancedCode: gosmtp.EnhancedCode{code / 100, 1, 2}, Message: "says the server"}
	}
	for _, step := range []string{"AUTH PLAIN", "MAIL", "RCPT", "DATA"} {
		for code, permanent := range map[int]bool{421: false, 450: false, 451: false, 452: false, 535: true, 550: true, 552: true, 554: true} {
			s := startServer(t, &server{mechanisms: []string{"PLAIN"}, answer: func(at string) error {
				if at == step {
					return reply(code)
				}
				return nil
			}}, serverOptions{})
			o := s.options()
			o.Username, o.Password = "app", testPassword
			err := newMailer(t, o).Send(t.Context(), message)
			if err == nil || errors.Is(err, mail.ErrPermanent) != permanent || !strings.Contains(err.Error(), fmt.Sprint(code)) || !strings.Contains(err.Error(), "says the server") {
				t.Errorf("%s, %d: %v", step, code, err)
			}
			if err != nil && strings.Contains(err.Error(), testPassword) || len(s.received()) != 0 {
				t.Errorf("%s, %d: %v", step, code, err)
			}
			<-s.ended // the connection must be closed also after an error
		}
	}
}

func TestWrongPassword(t *testing.T) { // L01
	s := startServer(t, &server{mechanisms: []string{"PLAIN"}}, serverOptions{})
	o := s.options()
	o.Username, o.Password = "app", "CANARY-WRONG"
	if err := newMailer(t, o).Send(t.Context(), message); !errors.Is(err, mail.ErrPermanent) || strings.Contains(err.Error(), "CANARY") {
		t.Error(err)
	}
}

// goOn is the reply to DATA.
const goOn = "354 go on"

// script starts a server that sends fixed lines: the first as its greeting,
// each of the others after it read a line. After the last line it keeps the
// connection open without sending, until the client disconnects. It returns the
// port, a channel that is closed when all lines were sent, and a channel that
// is closed when the client disconnected.
func script(t *testing.T, lines ...string) (port int, said, gone <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		if speak(conn, r, lines) {
			close(silent)
			_, _ = io.Copy(io.Discard, r)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().(*net.TCPAddr).Port, silent, ended
}

// speak sends the lines of script. It reports whether the connection stays
// open.
func speak(conn net.Conn, r *bufio.Reader, lines []string) bool {
	for i, line := range lines {
		// The line after goOn replies to the message, which was read already.
		if i > 0 && lines[i-1] != goOn {
			if _, err := r.ReadString('\n'); err != nil {
				return false
			}
		}
		if line == "hang up" {
			return false
		}
		fmt.Fprint(conn, line+"\r\n")
		for text := ""; line == goOn && text != ".\r\n"; {
			var err error
			if text, err = r.ReadString('\n'); err != nil {
				return false
			}
		}
	}
	return true
}

// TestServersThatHang uses servers that stop sending at each step.
func TestServersThatHang(t *testing.T) {
	steps := []string{"220 here", "250 hello", "250 ok", "250 ok", goOn}
	for n := range len(steps) + 1 {
		for _, how := range []string{"cancel", "timeout"} {
			port, said, gone := script(t, steps[:n]...)
			ctx, cancel := context.WithCancel(t.Context())
			o := smtp.Options{Host: "127.0.0.1", Port: port, From: mail.Address{Email: "a@example.org"}, TLS: smtp.InsecurePlaintext}
			want := context.Canceled
			if how == "timeout" {
				o.Timeout, want = 50*time.Millisecond, context.DeadlineExceeded
			} else {
				go func() {
					select {
					case <-said:
					case <-gone:
					}
					cancel()
				}()
			}
			err := newMailer(t, o).Send(ctx, message)
			if !errors.Is(err, want) || errors.Is(err, mail.ErrPermanent) {
				t.Errorf("%s at step %d: %v", how, n, err)
			}
			<-gone
			cancel()
		}
	}
}

func TestServersThatBreak(t *testing.T) {
	accepted := []string{"220 here", "250 hello", "250 ok", "250 ok", goOn, "250 accepted"}
	for _, c := range []struct {
		name  string
		lines []string
		ok    bool
		says  string
	}{
		{"hangs up after accepting the message", append(slices.Clone(accepted), "hang up"), true, ""},
		{"sends an error after accepting the message", append(slices.Clone(accepted), "500 what"), true, ""},
		{"never replies to QUIT", accepted, true, ""},
		{"hangs up before replying to the message", append(slices.Clone(accepted[:5]), "hang up"), false, ""},
		{"hangs up at once", []string{"hang up"}, false, ""},
		{"speaks another protocol", []string{"HTTP/1.1 400 Bad Request"}, false, ""},
		{"sends a long invalid line", []string{strings.Repeat("x", 500<<10)}, false, ""},
		{"refuses with a long reply", []string{"450-" + strings.Repeat("x", 500<<10) + "\r\n450 x"}, false, "450"},
		{"sends endless lines", []string{strings.Repeat("220-x\r\n", 1<<18)}, false, "too much data"},
		{"sends an endless line", []string{strings.Repeat("x", 2<<20)}, false, "too much data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			port, _, gone := script(t, c.lines...)
			o := smtp.Options{Host: "127.0.0.1", Port: port, From: mail.Address{Email: "a@example.org"}, TLS: smtp.InsecurePlaintext}
			err := newMailer(t, o).Send(t.Context(), message)
			if (err == nil) != c.ok || errors.Is(err, mail.ErrPermanent) || err != nil && (len(err.Error()) > 4096 || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%.200v", err)
			}
			<-gone
		})
	}
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused.Close()
	o := smtp.Options{Host: "127.0.0.1", Port: refused.Addr().(*net.TCPAddr).Port, From: mail.Address{Email: "a@example.org"}}
	if err := newMailer(t, o).Send(t.Context(), message); err == nil || errors.Is(err, mail.ErrPermanent) {
		t.Errorf("no server: %v", err)
	}
}
