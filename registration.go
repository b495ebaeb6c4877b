package ginauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/emailaddr"
	"github.com/ginauth/ginauth/internal/passpolicy"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// emailField is the credential that accounts are registered and mailed by.
const emailField = "email"

// maxName is the longest name of a user, in characters.
const maxName = 100

// Registration is what somebody who wants an account says. Nothing else of a
// request reaches the new user.
type Registration struct {
	Name     string
	Email    string
	Password string
	// Guard names the guard whose provider stores the user. Default: the default
	// guard.
	Guard string
	// Fields are further ones for Config.Account.Prepare.
	Fields map[string]string
}

// Format writes a placeholder, whatever the verb.
func (Registration) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Registration) LogValue() slog.Value { return slog.StringValue(redacted) }

// Register makes an account: it checks the name, the shape of the address and
// the password, stores the user with a hash, and sends a link to verify the
// address if mail is configured. Of any number of parallel registrations of one
// address, however it is spelled, one makes a user.
//
// With Config.Account.HideAccountExistence an address that is taken is no error: the user
// returned is nil, as it is for a new one, and both take as long. Otherwise it
// is an *InputError.
//
// The errors are *InputError, ErrUnavailable, and one wrapping
// errors.ErrUnsupported if the provider makes no users or their type is not
// models.Registrable. It panics if there is no such guard.
func (m *Manager) Register(ctx context.Context, r Registration) (models.Authenticatable, error) {
	var names []string
	if r.Guard != "" {
		names = []string{r.Guard}
	}
	g := m.guardOr(names)
	u, err := newUser(g)
	if err != nil {
		return nil, err
	}
	if err := m.checkRegistration(ctx, g, r); err != nil {
		return nil, err
	}
	tell, err := m.ownerToTell(ctx, g, r.Email)
	if err != nil {
		return nil, err
	}
	hash, err := m.hasher.Hash(ctx, r.Password)
	if err != nil {
		return nil, hashingError(err)
	}
	u.(models.Registrable).AuthRegister(r.Name, r.Email, hash)
	if m.cfg.Account.Prepare != nil {
		if err := m.cfg.Account.Prepare(ctx, u, r); err != nil {
			return nil, err
		}
	}
	phase, span := m.env.Span(ctx)
	defer span.End()
	switch err := g.users.(models.Registrar).CreateUser(phase, u); {
	case errors.Is(err, models.ErrTaken):
		return nil, m.taken(ctx, tell)
	case err != nil:
		return nil, autherr.Unavailable("create user", err)
	}
	m.Dispatch(ctx, events.Registered{Meta: m.env.Meta(ctx, g.name, u.AuthID())})
	if v, ok := u.(models.EmailVerifiable); ok && m.mails != nil && !v.AuthEmailVerified() {
		m.sendVerification(ctx, g, u)
	}
	if m.cfg.Account.HideAccountExistence {
		return nil, nil
	}
	return u, nil
}

// unproved reports whether a user may not log in before the address is verified:
// where registrations hide who has an account, a login with the new password
// would tell.
func (m *Manager) unproved(u models.Authenticatable) bool {
	v, ok := u.(models.EmailVerifiable)
	return m.cfg.Account.HideAccountExistence && ok && !v.AuthEmailVerified()
}

// newUser returns an empty user of a guard's provider.
func newUser(g *guardEntry) (models.Authenticatable, error) {
	if g.users == nil {
		return nil, errNoProvider
	}
	_, registrar := g.users.(models.Registrar)
	maker, makes := g.users.(models.Prototype)
	if !registrar || !makes {
		return nil, fmt.Errorf("ginauth: the provider of guard %q makes no users: %w", g.name, errors.ErrUnsupported)
	}
	u := maker.PrototypeUser()
	if _, ok := u.(models.Registrable); !ok {
		return nil, fmt.Errorf("ginauth: %T is no models.Registrable: %w", u, errors.ErrUnsupported)
	}
	return u, nil
}

func (m *Manager) checkRegistration(ctx context.Context, g *guardEntry, r Registration) error {
	if n := utf8.RuneCountInString(r.Name); strings.TrimSpace(r.Name) == "" || n > maxName ||
		!utf8.ValidString(r.Name) || strings.ContainsFunc(r.Name, unicode.IsControl) {
		return autherr.Invalid("name", fmt.Sprintf("must be 1 to %d characters that can be shown", maxName))
	}
	if err := checkAddress(r.Email); err != nil {
		return err
	}
	if _, err := canonicalIdentifier(g.users, emailField, r.Email); err != nil {
		return err
	}
	return m.checkNewPassword(ctx, "password", r.Password, r.Name, r.Email)
}

// checkAddress refuses what can be nobody's email address.
func checkAddress(email string) error {
	var fault *emailaddr.Error
	if errors.As(emailaddr.Check(email), &fault) {
		return autherr.Invalid(emailField, fault.Reason)
	}
	return nil
}

// checkNewPassword applies the rules for new passwords. Words are what the
// password must not be made of.
func (m *Manager) checkNewPassword(ctx context.Context, field, password string, words ...string) error {
	if err := checkPassword(field, password); err != nil {
		return err
	}
	// Who is asked may be no store: that is no part of the request's store time.
	ctx, cancel := context.WithTimeout(ctx, m.cfg.StoreTimeout)
	defer cancel()
	err := m.passwords.Check(ctx, password, append(words, m.cfg.Mail.AppName)...)
	var v *passpolicy.Violation
	switch {
	case errors.As(err, &v):
		return autherr.Invalid(field, v.Reason)
	case err != nil:
		return autherr.Unavailable("check password", err)
	}
	return nil
}

// words are what the password of an existing user must not be made of.
func words(u models.Authenticatable) []string {
	to, _ := mailbox(u)
	return []string{to.Name, to.Email}
}

// ownerToTell returns who is to be told that the address is tried once more, or
// nil. It is asked for every registration, before the hash, so that one of an
// address that is free makes the same calls. Who had no account then and has one
// now made it a moment ago by a parallel request, which sends a mail already.
func (m *Manager) ownerToTell(ctx context.Context, g *guardEntry, email string) (models.Authenticatable, error) {
	if !m.cfg.Account.HideAccountExistence {
		return nil, nil
	}
	owner, ok, err := m.mailable(ctx, g, mail.AlreadyRegistered, email)
	if !ok {
		return nil, err
	}
	return owner, nil
}

// taken answers the registration of an address that somebody has.
func (m *Manager) taken(ctx context.Context, tell models.Authenticatable) error {
	if !m.cfg.Account.HideAccountExistence {
		return autherr.Invalid(emailField, "is taken")
	}
	if tell != nil {
		m.send(ctx, mail.AlreadyRegistered, tell, mail.Data{URL: m.resetPage()})
	}
	return nil
}
