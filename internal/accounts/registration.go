package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/emailaddr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// maxName is the longest name of a user, in characters.
const maxName = 100

// Registration is what a person who wants an account sends.
type Registration struct {
	Name, Email, Password string
	Guard                 string
	Fields                map[string]string
}

// Register makes an account. With HideAccountExistence it returns nil for a new user
// as well as for an address that is taken, and both take the same time.
func (s *Service) Register(ctx context.Context, rm *realm.Realm, in Registration) (models.Authenticatable, error) {
	u, err := NewUser(rm)
	if err != nil {
		return nil, err
	}
	if err := s.checkRegistration(ctx, rm, in); err != nil {
		return nil, err
	}
	tell, err := s.ownerToTell(ctx, rm, in.Email)
	if err != nil {
		return nil, err
	}
	hash, err := s.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	u.(models.Registrable).AuthRegister(in.Name, in.Email, hash)
	if s.Config.Prepare != nil {
		if err := s.Config.Prepare(ctx, u, in); err != nil {
			return nil, err
		}
	}
	spanned, span := s.Env.Span(ctx)
	defer span.End()
	switch err := rm.Users.(models.Registrar).CreateUser(spanned, u); {
	case errors.Is(err, models.ErrTaken):
		return nil, s.taken(ctx, tell)
	case err != nil:
		return nil, autherr.Unavailable("create user", err)
	}
	s.Env.Dispatch(ctx, events.Registered{Meta: s.Env.Meta(ctx, in.Guard, u.AuthID())})
	if v, ok := u.(models.EmailVerifiable); ok && s.Mails != nil && !v.AuthEmailVerified() {
		s.sendVerification(ctx, rm, u)
	}
	if s.Config.HideAccountExistence {
		return nil, nil
	}
	return u, nil
}

// Unproved reports whether a user may not log in before the address is verified. Where
// registrations hide which accounts exist, a login with the new password would tell.
func (s *Service) Unproved(u models.Authenticatable) bool {
	v, ok := u.(models.EmailVerifiable)
	return s.Config.HideAccountExistence && ok && !v.AuthEmailVerified()
}

// NewUser returns an empty user of a provider. The error wraps errors.ErrUnsupported
// if the provider makes no users.
func NewUser(rm *realm.Realm) (models.Authenticatable, error) {
	if rm.Users == nil {
		return nil, realm.ErrNoProvider
	}
	_, registrar := rm.Users.(models.Registrar)
	maker, makes := rm.Users.(models.Prototype)
	if !registrar || !makes {
		return nil, unsupported("makes no users")
	}
	u := maker.PrototypeUser()
	if _, ok := u.(models.Registrable); !ok {
		return nil, fmt.Errorf("ginauth: %T does not implement models.Registrable: %w", u, errors.ErrUnsupported)
	}
	return u, nil
}

func (s *Service) checkRegistration(ctx context.Context, rm *realm.Realm, in Registration) error {
	if n := utf8.RuneCountInString(in.Name); strings.TrimSpace(in.Name) == "" || n > maxName ||
		!utf8.ValidString(in.Name) || strings.ContainsFunc(in.Name, unicode.IsControl) {
		return autherr.Invalid("name", fmt.Sprintf("must be 1 to %d characters that can be shown", maxName))
	}
	if err := checkAddress(in.Email); err != nil {
		return err
	}
	if _, err := rm.Canonical(emailField, in.Email); err != nil {
		return err
	}
	return s.Passwords.CheckNew(ctx, "password", in.Password, in.Name, in.Email)
}

// checkAddress refuses a text that cannot be an email address.
func checkAddress(email string) error {
	var fault *emailaddr.Error
	if errors.As(emailaddr.Check(email), &fault) {
		return autherr.Invalid(emailField, fault.Reason)
	}
	return nil
}

func isOneAddress(canonical string) bool { return strings.Count(canonical, "@") == 1 }

// ownerToTell returns the user who is told that a registration used the address, or
// nil. It is asked at every registration, before the hash, so that one with a free
// address makes the same calls. A user who did not exist then and exists afterwards
// was made by a parallel request, which sends a mail already.
func (s *Service) ownerToTell(ctx context.Context, rm *realm.Realm, email string) (models.Authenticatable, error) {
	if !s.Config.HideAccountExistence {
		return nil, nil
	}
	owner, ok, err := s.mailable(ctx, rm, mail.AlreadyRegistered, email)
	if !ok {
		return nil, err
	}
	return owner, nil
}

// taken answers a registration with an address that is taken.
func (s *Service) taken(ctx context.Context, tell models.Authenticatable) error {
	if !s.Config.HideAccountExistence {
		return autherr.Invalid(emailField, "is taken")
	}
	if tell != nil {
		s.Mails.send(ctx, mail.AlreadyRegistered, tell, mail.Data{URL: s.Mails.forgotPage()})
	}
	return nil
}
