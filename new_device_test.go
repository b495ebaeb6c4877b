package ginauth_test

import (
	"context"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
)

func TestNewDeviceMail(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		sent := make(chan mail.Message, 16)
		a := newApp(t, b, func(c *ginauth.Config) {
			c.Mail = ginauth.MailConfig{BaseURL: "https://app.example", NotifyNewDevice: true, Mailer: mail.MailerFunc(
				func(_ context.Context, m mail.Message) error { sent <- m; return nil })}
		}, nil)
		c := a.client()
		c.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		c.login(aliceEmail, "wrong").want(t, 401)
		c.login(aliceEmail, goodPass).want(t, 200)
		if m := <-sent; m.Kind != mail.NewDevice || m.To.Email != aliceEmail {
			t.Errorf("%s to %s", m.Kind, m.To.Email)
		}
		c.login(aliceEmail, goodPass).want(t, 200) // from a device that is known by now
		if err := a.m.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := len(sent); n != 0 {
			t.Errorf("%d more mails", n)
		}
	})
}
