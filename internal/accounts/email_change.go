package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// emailChange is what a link to confirm an address says, sealed.
type emailChange struct {
	Realm, ID, Email string
	// Fingerprint binds the link to the user's stamp. Using the link changes the
	// stamp, so the link works once, and never after another change.
	Fingerprint stores.Digest
}

// RequestEmailChange sends a link to a new address of the user. If the address belongs
// to another user, that user is told instead.
func (s *Service) RequestEmailChange(ctx context.Context, r *request.State, u User, email string) error {
	if err := s.Mails.Enabled(); err != nil {
		return err
	}
	if _, ok := u.Realm.Users.(models.EmailChanger); !ok {
		return unsupported("changes no email addresses")
	}
	email = canon.ASCIIDomain(strings.TrimSpace(email))
	if err := checkAddress(email); err != nil {
		return err
	}
	canonical, identifies, err := u.Realm.Email(email)
	if err != nil {
		return err
	}
	// Counted under the user, so that no user can have mails sent to any number of
	// addresses.
	allowed, err := s.mayMail(r.Within(ctx), mail.EmailChange, []byte(u.Realm.Owner(u.AuthID())))
	if err != nil || !allowed {
		return err
	}
	ctx, span := r.Span(r.WithClient(ctx))
	defer span.End()
	if identifies {
		owner, err := u.Realm.ByIdentifier(ctx, emailField, canonical)
		switch {
		case err != nil:
			return err
		case owner != nil && owner.AuthID() != u.AuthID():
			s.Mails.send(ctx, mail.AlreadyRegistered, owner, mail.Data{URL: s.Mails.forgotPage()})
			return nil
		}
	}
	data, err := json.Marshal(emailChange{u.Realm.Name, u.AuthID(), email, u.Realm.Sum(stamp.Email, u.Authenticatable)})
	if err != nil {
		return err
	}
	token, err := s.Config.EmailSealer.Seal(s.Env.Now(), s.Config.VerifyLifetime, data)
	if err != nil {
		return err
	}
	to, _ := mailbox(u.Authenticatable)
	to.Email = email
	s.Mails.sendTo(ctx, mail.EmailChange, u.Authenticatable, to, mail.Data{
		URL: s.Mails.link(s.Mails.Config.ConfirmPath + "/" + token), Expires: s.Config.VerifyLifetime, Email: email,
	})
	return nil
}

// EmailChange is a change of an address that a link asks for.
type EmailChange struct{ emailChange }

// OpenEmailChange checks the token of a link. A wrong one is counted by the client's IP
// address.
func (s *Service) OpenEmailChange(ctx context.Context, rm *realm.Realm, token string) (EmailChange, error) {
	var c EmailChange
	data, _, ok := s.Config.EmailSealer.Open(s.Env.Now(), token)
	if !ok || json.Unmarshal(data, &c.emailChange) != nil || c.Realm != rm.Name {
		return c, s.countGuess(ctx, autherr.ErrInvalidLink)
	}
	return c, nil
}

// ConfirmEmail makes the address of a link the user's and returns the changed user.
// The former address is told. All logins of the user have ended then.
func (s *Service) ConfirmEmail(ctx context.Context, r *request.State, rm *realm.Realm, guard string, change EmailChange) (models.Authenticatable, error) {
	changer, ok := rm.Users.(models.EmailChanger)
	if !ok {
		return nil, unsupported("changes no email addresses")
	}
	u, err := rm.ByID(ctx, change.ID)
	if err != nil {
		return nil, err
	}
	stamped, ok := u.(models.Stamped)
	if u == nil || !ok || realm.Disabled(u) || !rm.Fits(stamp.Email, u, change.Fingerprint) {
		return nil, autherr.ErrInvalidLink
	}
	changed, err := changer.ChangeEmail(ctx, change.ID, stamped.AuthStamp(), change.Email, stamp.Next(u), s.Env.Now())
	switch {
	case errors.Is(err, models.ErrTaken):
		return nil, autherr.Invalid(emailField, "is taken")
	case err != nil:
		return nil, autherr.Unavailable("change address", err)
	}
	if changed = realm.Present(changed); changed == nil {
		return nil, autherr.ErrInvalidLink // another request was first
	}
	s.Mails.send(r.WithClient(ctx), mail.EmailChanged, u, mail.Data{Email: change.Email, URL: s.Mails.forgotPage()})
	s.Env.Dispatch(ctx, events.EmailChanged{Meta: r.Meta(guard, change.ID)})
	return changed, nil
}
