package accounts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/emailaddr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// maxName is the longest name of a user, in characters.
const maxName = 100

// Register makes an account. With HideAccountExistence it returns nil for a new user
// as well as for an address that is taken, and both take the same time.
func (s *Service) Register(ctx context.Context, rm *realm.Realm, in config.Registration) (models.Authenticatable, error) {
	u, err := NewUser(rm)
	if err != nil {
		return nil, err
	}
	in.Email = canon.ASCIIDomain(strings.TrimSpace(in.Email)) // as a login does
	if in.Passwordless {
		return s.registerPasswordless(ctx, rm, in, u)
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
	if err := rm.Users.(models.Registrar).CreateUser(spanned, u); err != nil {
		return nil, s.notCreated(spanned, rm, in, tell, err)
	}
	s.knowDevice(ctx, rm, in, u)
	s.Env.Dispatch(ctx, events.Registered{Meta: s.Env.Meta(ctx, in.Guard, u.AuthID())})
	if err := s.verifyNew(ctx, rm, in, u); err != nil {
		return nil, err
	}
	if s.Config.HideAccountExistence {
		return nil, nil
	}
	return u, nil
}

// verifyNew sends a new user a link to verify the address, unless the request has proved to read mail there.
func (s *Service) verifyNew(ctx context.Context, rm *realm.Realm, in config.Registration, u models.Authenticatable) error {
	v, ok := u.(models.EmailVerifiable)
	if !ok || s.Mails == nil || v.AuthEmailVerified() {
		return nil
	}
	verifier, can := rm.Users.(models.EmailVerifier)
	if r := request.Of(ctx); can && r != nil && r.ProvedMailbox() != "" && r.ProvedMailbox() == in.Email {
		return s.recordVerified(ctx, rm, verifier, in.Guard, u)
	}
	s.sendVerification(ctx, rm, u)
	return nil
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

// checkRegistration returns all faults of the input at once.
func (s *Service) checkRegistration(ctx context.Context, rm *realm.Realm, in config.Registration) error {
	faults := []error{
		CheckName(in.Name), s.checkEmail(rm, in.Email), s.Passwords.CheckNew(ctx, "password", in.Password, in.Name, in.Email),
		checkFields(in.Fields), s.checkIdentifiers(rm, in.Fields),
	}
	return autherr.AllInput(faults...)
}

// checkEmail refuses an email address that a user cannot register with. If users are not looked up
// by it, they need none, unless only a mail may tell that something is taken.
func (s *Service) checkEmail(rm *realm.Realm, email string) error {
	if _, identifies, _ := rm.Email(email); email == "" && !identifies && !s.Config.HideAccountExistence {
		return nil
	}
	if err := checkAddress(email); err != nil {
		return err
	}
	_, _, err := rm.Email(email)
	return err
}

// identifiersOf returns the fields of a registration that the provider stores as identifiers.
func identifiersOf(rm *realm.Realm, fields map[string]string) (setter models.IdentifierSetter, names []string) {
	setter, ok := rm.Users.(models.IdentifierSetter)
	if !ok {
		return nil, nil
	}
	for _, name := range setter.Identifiers() {
		if fields[name] != "" && name != emailField {
			names = append(names, name)
		}
	}
	return setter, names
}

// checkIdentifiers refuses identifiers that no user can have. Where Prepare may set one that is
// needed and missing, it is found when the user is stored.
func (s *Service) checkIdentifiers(rm *realm.Realm, fields map[string]string) error {
	var faults []error
	setter, names := identifiersOf(rm, fields)
	for _, name := range names {
		_, err := rm.Canonical(name, fields[name])
		faults = append(faults, err)
	}
	if setter == nil || s.Config.Prepare != nil {
		return autherr.AllInput(faults...)
	}
	for _, name := range setter.Identifiers() {
		if name != emailField && fields[name] == "" && setter.NeedsIdentifier(name) {
			faults = append(faults, autherr.Invalid(name, "is required"))
		}
	}
	return autherr.AllInput(faults...)
}

// setIdentifiers sets the identifiers of a registration in the new user.
func setIdentifiers(rm *realm.Realm, u models.Authenticatable, fields map[string]string) error {
	setter, names := identifiersOf(rm, fields)
	for _, name := range names {
		if err := setter.SetIdentifier(u, name, strings.TrimSpace(fields[name])); err != nil {
			return autherr.Unavailable("set "+name, err)
		}
	}
	return nil
}

// checkFields refuses values that some databases do not store.
func checkFields(values map[string]string) error {
	var faults []error
	for _, field := range slices.Sorted(maps.Keys(values)) {
		if value := values[field]; strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
			faults = append(faults, autherr.Invalid(request.Cut(field, 64), "is not a text"))
		}
	}
	return autherr.AllInput(faults...)
}

// CheckName refuses a text that cannot be the name of a user.
func CheckName(name string) error {
	if n := utf8.RuneCountInString(name); strings.TrimSpace(name) == "" || n > maxName ||
		!utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return autherr.Invalid("name", fmt.Sprintf("must be 1 to %d characters that can be shown", maxName))
	}
	return nil
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
	if _, identifies, _ := rm.Email(email); !identifies {
		return nil, nil // nobody else's
	}
	owner, ok, err := s.mailable(ctx, rm, mail.AlreadyRegistered, ByEmail(email))
	if !ok {
		return nil, err
	}
	return owner, nil
}

// knowDevice makes the browser that registers a known device of the account, or nothing if
// there is no user. The response looks the same.
func (s *Service) knowDevice(ctx context.Context, rm *realm.Realm, in config.Registration, u models.Authenticatable) {
	r := request.Of(ctx)
	if r == nil {
		return
	}
	if u != nil {
		s.Limiter.RememberDevice(r, rm, s.Limiter.UserSubject(r, rm, u, canonicalEmail(User{Authenticatable: u, Realm: rm})), u)
		return
	}
	field, value := emailField, in.Email
	if _, names := identifiersOf(rm, in.Fields); value == "" && len(names) > 0 {
		field, value = names[0], in.Fields[names[0]]
	}
	canonical, err := rm.Canonical(field, value)
	if err != nil {
		canonical = value // users are not looked up by it: any subject looks the same
	}
	s.Limiter.RememberNothing(r, s.Limiter.Subject(r, rm, field, canonical, ""))
}

// notCreated returns the answer to a registration whose user the provider refused.
func (s *Service) notCreated(ctx context.Context, rm *realm.Realm, in config.Registration, tell models.Authenticatable, err error) error {
	var input *autherr.InputError
	field := &models.FieldError{Field: emailField}
	errors.As(err, &field)
	switch {
	case errors.Is(err, autherr.ErrUnavailable):
		return err
	case errors.As(err, &input): // of a hook
		return err
	case errors.Is(err, models.ErrBadIdentifier):
		return autherr.Invalid(field.Field, "is missing or not acceptable")
	case !errors.Is(err, models.ErrTaken):
		return autherr.Unavailable("create user", err)
	case !s.Config.HideAccountExistence:
		return autherr.Invalid(field.Field, "is taken")
	}
	s.knowDevice(ctx, rm, in, nil)
	return s.tellTaken(ctx, rm, in, tell, field.Field)
}

// tellTaken tells by mail that a registration made no user: the owner of a taken email
// address, or the person who registers if something else is taken. Only the mailbox learns it.
func (s *Service) tellTaken(ctx context.Context, rm *realm.Realm, in config.Registration, tell models.Authenticatable, field string) error {
	if tell != nil {
		s.Mails.send(ctx, mail.AlreadyRegistered, tell, mail.Data{URL: s.Mails.forgotPage()})
		return nil
	}
	canonical, identifies, err := rm.Email(in.Email)
	if err != nil {
		return err
	}
	if identifies {
		if owner, err := rm.ByIdentifier(ctx, emailField, canonical); err != nil || owner != nil {
			return err // a parallel request made this user, and sends a mail
		}
	}
	account := s.Limiter.Account(rm.Name, emailField, canonical)
	if allowed, err := s.mayMail(ctx, mail.RegistrationFailed, account[:]); err != nil || !allowed {
		return err
	}
	u, err := NewUser(rm)
	if err != nil {
		return err
	}
	s.Mails.sendTo(ctx, mail.RegistrationFailed, u, mail.Address{Name: in.Name, Email: in.Email}, mail.Data{Field: field, URL: s.Mails.link("/")})
	return nil
}
