package ginauth_test

import (
	"errors"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// TestRegisterPasswordless registers users whom something else than a password identifies.
func TestRegisterPasswordless(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Account.HideAccountExistence = true }))
		register := func(r ginauth.Registration) (models.Authenticatable, error) {
			r.Passwordless = true
			return a.Register(t.Context(), r)
		}
		u, err := register(ginauth.Registration{Name: "Carol", Email: "Carol@example.com", EmailVerified: true, Password: testapp.Password})
		if err != nil || u.AuthPassword() != "" || !u.(*models.User).AuthEmailVerified() {
			t.Fatalf("%v, %v", u, err)
		}
		a.Client().LogIn("carol@example.com", testapp.Password).Want(t, 401)
		a.Client().LogIn("carol@example.com", "").Want(t, 422)
		// The address is taken: the caller, who has its proof, gets the user who has it.
		for _, email := range []string{testapp.Alice, testapp.Bob, "CAROL@example.com"} {
			owner, err := register(ginauth.Registration{Name: "Mallory", Email: email, EmailVerified: true})
			var fault *ginauth.InputError
			if owner == nil || !errors.As(err, &fault) || fault.Field != "email" {
				t.Errorf("%s: %v, %v", email, owner, err)
			}
			owner, err = register(ginauth.Registration{Name: "Mallory", Email: email})
			if owner != nil || !errors.As(err, &fault) {
				t.Errorf("%s without proof: %v, %v", email, owner, err)
			}
		}
		for range 2 {
			if u, err := register(ginauth.Registration{Name: "Dave"}); err != nil || u.(*models.User).AuthEmail() != "" {
				t.Errorf("without an address: %v, %v", u, err)
			}
		}
		if _, err := register(ginauth.Registration{Name: "Erin", Email: "erin@example.com"}); err != nil {
			t.Error(err)
		}
		a.Outbox.Next(t, mail.VerifyEmail, "erin@example.com")
		for _, r := range []ginauth.Registration{{}, {Name: "a\x00"}, {Name: "x", Email: "no address"}, {Name: "x", Fields: map[string]string{"a": "\x00"}}} {
			if _, err := register(r); !errors.Is(err, ginauth.ErrInvalidInput) {
				t.Errorf("%+v: %v", r.Name, err)
			}
		}
	})
}
