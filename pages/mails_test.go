package pages_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// A mail has the language of the page that caused it, unless the user has one.
func TestMailsAreInTheLanguageOfThePage(t *testing.T) {
	a := newApp(t, setup{config: func(c *ginauth.Config) {
		c.Mail.NotifyNewDevice = true
		c.Mail.Language = func(u models.Authenticatable) string {
			return map[string]string{"bob@example.com": "fr"}[u.(*models.User).Email]
		}
	}})
	for accept, want := range map[string]string{"": "Confirm", "de-AT,en;q=0.5": "Bestätigen", "ko": "Confirm", "ar": "أكّد"} {
		c := a.Browser()
		c.Header.Set("Accept-Language", accept)
		email := "carol" + accept[:min(2, len(accept))] + "@example.com"
		c.Form("/register", form("name", "Carol", "email", email, "password", testapp.NewPassword)).WantRedirect(t, "/verify-email")
		if got := a.Outbox.Next(t, mail.VerifyEmail, email).Subject; !strings.HasPrefix(got, want) {
			t.Errorf("for %q the mail is %q, want %q", accept, got, want)
		}
	}
	c := a.Browser()
	c.Header.Set("Accept-Language", "es")
	for _, email := range []string{testapp.Alice, testapp.Bob} {
		c.Form("/forgot-password", form("email", email)).WantRedirect(t, "/forgot-password")
	}
	c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).Want(t, 303)
	c.Form("/password", form("current_password", testapp.Password, "password", testapp.NewPassword)).WantRedirect(t, "/profile")
	c.Form("/email", form("email", "alice2@example.com")).WantRedirect(t, "/profile")
	for _, m := range []struct{ kind, to, want string }{
		{mail.ResetPassword, testapp.Alice, "Elija una"},
		{mail.ResetPassword, testapp.Bob, "Choisissez"}, // whose language is known
		{mail.NewDevice, testapp.Alice, "Nuevo inicio"},
		{mail.PasswordChanged, testapp.Alice, "Su contraseña"},
		{mail.EmailChange, "alice2@example.com", "Confirme su nueva"},
	} {
		if got := a.Outbox.Next(t, m.kind, m.to).Subject; !strings.HasPrefix(got, m.want) {
			t.Errorf("%s to %s: %q, want %q", m.kind, m.to, got, m.want)
		}
	}
}
