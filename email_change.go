package ginauth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// emailChange is what a link to confirm an address says, sealed.
type emailChange struct {
	Realm, ID, Email string
	// Fingerprint binds it to the user's stamp: it works once, because using it
	// changes the stamp, and never after another change.
	Fingerprint stores.Digest
}

// RequestEmailChange sends a link to a new address of the request's user. The
// address changes when the link is opened, and not before. Put the
// ConfirmPassword middleware before it. It returns nil as well if the address
// belongs to somebody else, who is told. The errors are *InputError,
// ErrUnauthenticated, ErrForbidden for a request by a personal access token,
// ErrUnavailable, and one wrapping errors.ErrUnsupported without Config.Mail or
// if the provider changes no addresses.
func (a *Authenticator) RequestEmailChange(ctx context.Context, email string) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	m, g := a.x.m, a.current()
	if _, ok := g.users.(models.EmailChanger); !ok || m.mails == nil {
		return errNoMailer
	}
	if err := checkAddress(email); err != nil {
		return err
	}
	canonical, err := canonicalIdentifier(g.users, emailField, email)
	if err != nil {
		return err
	}
	// Counted under the user: nobody can have mails sent to any number of
	// addresses.
	allowed, err := m.mayMail(a.x.Within(ctx), mail.EmailChange, []byte(session.OwnerName(g.realm, u.AuthID())))
	if err != nil || !allowed {
		return err
	}
	phase, span := a.x.Span(ctx)
	defer span.End()
	owner, err := g.users.UserByIdentifier(phase, emailField, canonical)
	switch owner = present(owner); {
	case err != nil:
		return autherr.Unavailable("look up user", err)
	case owner != nil && owner.AuthID() != u.AuthID():
		m.send(ctx, mail.AlreadyRegistered, owner, mail.Data{URL: m.resetPage()})
		return nil
	}
	data, err := json.Marshal(emailChange{g.realm, u.AuthID(), email, m.fingerprint(emailCredential, g.realm, u)})
	if err != nil {
		return err
	}
	token, err := m.subkeys.email.Seal(m.env.Now(), m.cfg.Account.VerifyLifetime, data)
	if err != nil {
		return err
	}
	to, _ := mailbox(u)
	to.Email = email
	m.sendTo(ctx, mail.EmailChange, u, to, mail.Data{
		URL: m.cfg.Mail.BaseURL + m.cfg.Mail.ConfirmPath + "/" + token, Expires: m.cfg.Account.VerifyLifetime, Email: email,
	})
	return nil
}

// ConfirmEmail takes the token of a link that RequestEmailChange sent, and makes
// the address the user's, verified. The former address is told. If the request
// is from that user its login goes on, under a new id; all other logins end. It
// does not log anybody in. The errors are ErrInvalidLink, an *InputError if the
// address was taken meanwhile, and ErrUnavailable.
func (a *Authenticator) ConfirmEmail(ctx context.Context, token string) error {
	m, g := a.x.m, a.current()
	changer, ok := g.users.(models.EmailChanger)
	if !ok {
		return errNoMailer
	}
	var change emailChange
	data, _, ok := m.subkeys.email.Open(m.env.Now(), token)
	if !ok || json.Unmarshal(data, &change) != nil || change.Realm != g.realm {
		return ErrInvalidLink
	}
	own, err := a.User(ctx)
	if err != nil {
		return err
	}
	phase, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	found, err := g.users.UserByID(phase, change.ID)
	if err != nil {
		return autherr.Unavailable("load user", err)
	}
	u := present(found)
	stamped, ok := u.(models.Stamped)
	if u == nil || !ok || u.AuthID() != change.ID || disabled(u) {
		return ErrInvalidLink
	}
	if _, ok := m.checkFingerprint(change.Fingerprint[:], emailCredential, g.realm, u); !ok {
		return ErrInvalidLink
	}
	changed, err := changer.ChangeEmail(phase, change.ID, stamped.AuthStamp(), change.Email, rand.Text(), m.env.Now())
	switch {
	case errors.Is(err, models.ErrTaken):
		return autherr.Invalid(emailField, "is taken")
	case err != nil:
		return autherr.Unavailable("change address", err)
	}
	if changed = present(changed); changed == nil {
		return ErrInvalidLink // another request was first
	}
	m.tellFormer(ctx, u, change.Email)
	m.Dispatch(ctx, events.EmailChanged{Meta: a.x.Meta(g.name, change.ID)})
	if own != nil && own.AuthID() == change.ID {
		_, err = a.goOnAs(phase, changed, false) // a link is no password
		return err
	}
	m.endAll(phase, g, change.ID, "")
	return nil
}

// tellFormer tells the address that an account had before.
func (m *Manager) tellFormer(ctx context.Context, before models.Authenticatable, email string) {
	m.send(ctx, mail.EmailChanged, before, mail.Data{Email: email, URL: m.resetPage()})
}
