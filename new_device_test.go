package ginauth_test

import (
	"context"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

func TestNewDeviceMail(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		sent := make(chan mail.Message, 16)
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Mail = ginauth.MailConfig{BaseURL: "https://app.example", NotifyNewDevice: true, Mailer: mail.MailerFunc(
				func(_ context.Context, m mail.Message) error { sent <- m; return nil })}
		}))
		c := a.Client()
		c.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		c.LogIn(testapp.Alice, "wrong").Want(t, 401)
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if m := <-sent; m.Kind != mail.NewDevice || m.To.Email != testapp.Alice {
			t.Errorf("%s to %s", m.Kind, m.To.Email)
		}
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200) // from a device that is known by now
		if err := a.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := len(sent); n != 0 {
			t.Errorf("%d more mails", n)
		}
	})
}
