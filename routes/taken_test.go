package routes_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// refusing is a provider that refuses new users.
type refusing struct {
	testapp.Users
	err error
}

func (p *refusing) CreateUser(ctx context.Context, u models.Authenticatable) error {
	if p.err != nil {
		return p.err
	}
	return p.Users.CreateUser(ctx, u)
}

// Bad input is never an outage: what a provider or a hook refuses is 422 with the field.
func TestRefusedRegistrationNamesField(t *testing.T) {
	b := testapp.Memory(t)
	p := &refusing{Users: b.Users}
	b.Users = p
	a := newApp(t, b, setup{options: routes.Options{RegisterFields: []string{"company"}}})
	for field, err := range map[string]error{
		"nickname": fmt.Errorf("create user: %w", &models.FieldError{Field: "nickname", Err: models.ErrTaken}),
		"username": &models.FieldError{Field: "username", Err: models.ErrBadIdentifier},
		"email":    fmt.Errorf("create user: %w", models.ErrTaken),
		"company":  fmt.Errorf("hook: %w", &ginauth.InputError{Field: "company", Reason: "is not one"}),
	} {
		p.err = err
		a.Client().Post("/register", registration("ann@example.com")).WantField(t, field)
	}
	p.err = nil
	a.Client().Post("/register", `{"name":"Ann","email":"ann@example.com","password":"`+testapp.NewPassword+`","company":"a\u0000b"}`).WantField(t, "company")
	a.Client().Post("/register", registration(" ann@example.com ")).Want(t, 201)
	a.Client().LogIn("ann@example.com", testapp.NewPassword).Want(t, 200)
	if u := a.User("3"); u.Email != "ann@example.com" {
		t.Errorf("stored %q", u.Email)
	}
}

// A registration that makes no user tells somebody, also where the response hides it.
func TestHiddenRegistrationIsTold(t *testing.T) {
	b := testapp.Memory(t)
	p := &refusing{Users: b.Users}
	b.Users = p
	a := newApp(t, b, setup{config: hideTaken})
	fresh := a.Client().Post("/register", registration("free@example.com")).Want(t, 202)
	a.Outbox.Next(t, mail.VerifyEmail, "free@example.com")
	p.err = &models.FieldError{Field: "nickname", Err: models.ErrTaken}
	testapp.Same(t, a.Client().Post("/register", registration("ann@example.com")), fresh)
	a.Outbox.Next(t, mail.RegistrationFailed, "ann@example.com")
	testapp.Same(t, a.Client().Post("/register", registration("ann@example.com")), fresh)
	if rest := a.RestOfMails(); len(rest) != 0 {
		t.Errorf("a second mail within the minute: %v", rest)
	}
}
