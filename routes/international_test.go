package routes_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

// A mailbox is one account, however its domain is written, and is stored and written to in ASCII.
func TestInternationalizedDomains(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		register := func(email string, status int) *testapp.Response {
			t.Helper()
			return a.Client().Post("/register", fields{"name": "Ann", "email": email, "password": testapp.NewPassword}).Want(t, status)
		}
		for _, row := range []struct{ email, stored, other string }{
			{"Ann@Bücher.example", "Ann@xn--bcher-kva.example", "ann@xn--bcher-kva.EXAMPLE"},
			{"ann@faß.example", "ann@xn--fa-hia.example", "ANN@FAß.example"},
			{"ann@fass.example", "ann@fass.example", "ann@FASS.example"}, // of somebody else
		} {
			if r := register(row.email, 201); !strings.Contains(r.Text, `"`+row.stored+`"`) {
				t.Errorf("%s: %s", row.email, r.Text)
			}
			if m := a.Outbox.Next(a, mail.VerifyEmail, row.stored); m.To.Email != row.stored {
				t.Errorf("mail to %s", m.To.Email)
			}
			register(row.other, 422).WantField(t, "email")
			c := a.Client()
			if r := c.LogIn(row.other, testapp.NewPassword).Want(t, 200); !strings.Contains(r.Text, `"`+row.stored+`"`) {
				t.Errorf("%s logs in %s", row.other, r.Text)
			}
			a.Client().LogIn(row.email, testapp.NewPassword).Want(t, 200)
		}
		c := a.LoggedIn(testapp.Alice)
		c.Call("PUT", "/email", fields{"email": "alice@Käse.example"}).Want(t, 202)
		link := testapp.PathOf(t, a.Outbox.Next(a, mail.EmailChange, "alice@xn--kse-qla.example"))
		c.Post(link, "{}").Want(t, 200)
		if r := c.Get("/me").Want(t, 200); !strings.Contains(r.Text, `"alice@xn--kse-qla.example"`) {
			t.Errorf("changed to %s", r.Text)
		}
		a.Client().LogIn("Alice@käse.example", testapp.Password).Want(t, 200)
	})
}
