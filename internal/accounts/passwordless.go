package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/models"
)

// registerPasswordless makes an account without a password. Everything that is issued to the user is bound to the
// security stamp, which the user therefore needs.
func (s *Service) registerPasswordless(
	ctx context.Context, rm *realm.Realm, in config.Registration, u models.Authenticatable,
) (models.Authenticatable, error) {
	create, err := s.creator(rm, in, u)
	if err != nil {
		return nil, err
	}
	if owner, err := s.provedOwner(ctx, rm, in); err != nil {
		return owner, err
	}
	in.Password = ""
	u.(models.Registrable).AuthRegister(in.Name, in.Email, "")
	if err := setIdentifiers(rm, u, in.Fields); err != nil {
		return nil, err
	}
	if s.Config.Prepare != nil {
		if err := s.Config.Prepare(ctx, u, in); err != nil {
			return nil, err
		}
	}
	spanned, span := s.Env.Span(ctx)
	defer span.End()
	if err := create(spanned, u); err != nil {
		if owner, taken := s.provedOwner(spanned, rm, in); taken != nil {
			return owner, taken
		}
		return nil, notCreatedPasswordless(err)
	}
	s.Env.Dispatch(ctx, events.Registered{Meta: s.Env.Meta(ctx, in.Guard, u.AuthID())})
	switch v, ok := u.(models.EmailVerifiable); {
	case !ok || in.Email == "" || v.AuthEmailVerified():
	case in.EmailVerified:
		return s.verified(spanned, rm, in.Guard, u)
	case s.Mails != nil:
		s.sendVerification(ctx, rm, u)
	}
	return u, nil
}

// provedOwner returns the user who has the address already, with the error that says so. It returns nil if the address
// is free or not proved.
func (s *Service) provedOwner(ctx context.Context, rm *realm.Realm, in config.Registration) (models.Authenticatable, error) {
	if in.Email == "" || !in.EmailVerified {
		return nil, nil
	}
	canonical, identifies, err := rm.Email(in.Email)
	if err != nil || !identifies {
		return nil, err
	}
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	owner, err := rm.ByIdentifier(ctx, emailField, canonical)
	if err == nil && owner != nil {
		err = autherr.Invalid(emailField, "is taken")
	}
	return owner, err
}

// creator checks the input and returns how the user is stored.
func (s *Service) creator(
	rm *realm.Realm, in config.Registration, u models.Authenticatable,
) (func(context.Context, models.Authenticatable) error, error) {
	if _, ok := u.(models.Stamped); !ok {
		return nil, fmt.Errorf("ginauth: %T has no security stamp, which a user without a password needs: %w", u, errors.ErrUnsupported)
	}
	faults := []error{CheckName(in.Name), checkFields(in.Fields), s.checkIdentifiers(rm, in.Fields)}
	if in.Email == "" {
		addressless, ok := rm.Users.(models.AddresslessRegistrar)
		if !ok {
			return nil, unsupported("makes no users without an address")
		}
		return addressless.CreateAddresslessUser, autherr.AllInput(faults...)
	}
	address := checkAddress(in.Email)
	if address == nil {
		_, _, address = rm.Email(in.Email)
	}
	return rm.Users.(models.Registrar).CreateUser, autherr.AllInput(append(faults, address)...)
}

// verified records that the address of a new user is proved, and returns the user as stored.
func (s *Service) verified(ctx context.Context, rm *realm.Realm, guard string, u models.Authenticatable) (models.Authenticatable, error) {
	verifier, ok := rm.Users.(models.EmailVerifier)
	if !ok {
		return u, nil
	}
	if err := s.recordVerified(ctx, rm, verifier, guard, u); err != nil {
		return nil, err
	}
	now, err := rm.ByID(ctx, u.AuthID())
	if err == nil && now == nil {
		err = autherr.Unavailable("load user", errors.New("the new user is gone"))
	}
	return now, err
}

// notCreatedPasswordless explains an error of the provider.
func notCreatedPasswordless(err error) error {
	var input *autherr.InputError
	field := &models.FieldError{Field: emailField}
	errors.As(err, &field)
	switch {
	case errors.Is(err, autherr.ErrUnavailable), errors.Is(err, errors.ErrUnsupported), errors.As(err, &input):
		return err
	case errors.Is(err, models.ErrTaken):
		return autherr.Invalid(field.Field, "is taken")
	case errors.Is(err, models.ErrBadIdentifier):
		return autherr.Invalid(field.Field, "is missing or not acceptable")
	}
	return autherr.Unavailable("create user", err)
}
