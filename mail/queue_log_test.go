package mail_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginauth/ginauth/mail"
)

// TestLogContainsNoSecrets uses mailers whose errors contain the whole message.
func TestLogContainsNoSecrets(t *testing.T) { // W08, L01
	m := mail.Message{
		Kind: mail.ResetPassword, To: mail.Address{Name: "CANARY-NAME", Email: "CANARY-LOCAL@example.com"},
		Subject: "CANARY-SUBJECT of it", Text: "see https://example.com/reset?token=CANARY-TOKEN-0123456789abcdef0123456789abcdef",
		HTML: "<a href=\"https://example.com/reset?token=CANARY-TOKEN-0123456789abcdef0123456789abcdef\">",
	}
	for _, err := range []error{
		fmt.Errorf("550 5.1.1 <%s>: no such user", m.To.Email),
		fmt.Errorf("bad request: {\"to\":%q,\"subject\":%q,\"text\":%q,\"html\":%q}", m.To.Email, m.Subject, m.Text, m.HTML),
		fmt.Errorf("subject %s, name %s", m.Subject, m.To.Name),
		errors.New("token CANARY-TOKEN-0123456789abcdef0123456789abcdef is bad"),
		errors.New("see http://x/CANARY"),
		errors.New("cannot send\r\n" + m.Text + "\x00\x1b[31m"),
		fmt.Errorf("%v %+v %#v", m, m, m),
		errors.New(strings.Repeat("long ", 1<<20)),
	} {
		synctest.Test(t, func(t *testing.T) {
			q, log := newQueue(t, mail.MailerFunc(func(context.Context, mail.Message) error { return err }), mail.QueueOptions{})
			if err := q.Enqueue(m); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(log, "%v %+v", q, q.Stats())
			pass(time.Hour)
			fmt.Fprint(log, q.Close(t.Context()))
			text := log.String()
			if strings.Contains(text, "CANARY") || strings.Contains(text, "\x1b") || len(text) > 5000 {
				t.Errorf("%s", text)
			}
			if strings.Count(text, "\n") != 5 || !strings.Contains(text, "kind=reset_password") || !strings.Contains(text, "domain=example.com") || !strings.Contains(text, "attempt=5") {
				t.Errorf("%s", text)
			}
		})
	}
}
