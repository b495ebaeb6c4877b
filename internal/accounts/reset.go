package accounts

import (
	"context"
	"errors"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// PasswordReset is what a person sends who followed a reset link. Without an email address the
// token names the user alone.
type PasswordReset struct{ Email, Token, Password string }

// errToken says that a reset token is not accepted.
func errToken() error { return autherr.Invalid("token", "is not valid") }

// SendResetLink mails a link to choose a new password to the user of an identifier, if
// there is one. The result and its time do not tell.
func (s *Service) SendResetLink(ctx context.Context, rm *realm.Realm, guard string, by Identifier) error {
	if err := s.Mails.Enabled(); err != nil {
		return err
	}
	u, ok, err := s.mailable(ctx, rm, mail.ResetPassword, by)
	if err != nil {
		return err
	}
	// Storing the token takes time that an unknown address does not. It is done off
	// the request, as sending is.
	var job func()
	if ok && !realm.Disabled(u) {
		job = func() { s.sendResetLink(deadline.Detach(ctx), rm, guard, u) }
	}
	s.Env.Background.RunHidden(job)
	return nil
}

func (s *Service) sendResetLink(ctx context.Context, rm *realm.Realm, guard string, u models.Authenticatable) {
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	token, newest, err := s.storeResetToken(ctx, rm, u)
	if err != nil {
		s.Env.Log.ErrorContext(ctx, "ginauth: password reset not begun", "error", request.Cut(err.Error(), 256))
		return
	}
	if !newest {
		return // a newer link is on its way
	}
	s.Mails.send(ctx, mail.ResetPassword, u, mail.Data{URL: s.Mails.resetLink(token, u), Expires: s.Config.ResetLifetime})
	s.Env.Dispatch(ctx, events.PasswordResetLinkSent{Meta: s.Env.Meta(ctx, guard, u.AuthID())})
}

// ResetTokenExists reports whether a token would be accepted for the address. A wrong one
// counts as a guess. It uses nothing up.
func (s *Service) ResetTokenExists(ctx context.Context, rm *realm.Realm, email, token string) (bool, error) {
	_, _, err := s.findReset(ctx, rm, email, token)
	if errors.Is(err, autherr.ErrInvalidToken) || errors.Is(err, autherr.ErrInvalidInput) {
		return false, nil
	}
	return err == nil, err
}

// Reset stores a new password and ends everything that was issued to the user. A
// password that is not acceptable does not use the token up.
func (s *Service) Reset(ctx context.Context, rm *realm.Realm, guard string, in PasswordReset) error {
	changer, ok := rm.Users.(models.PasswordChanger)
	if !ok {
		return unsupported("changes no password")
	}
	if err := passwords.CheckShape("password", in.Password); err != nil {
		return err
	}
	u, token, err := s.findReset(ctx, rm, in.Email, in.Token)
	switch {
	case errors.Is(err, autherr.ErrInvalidToken):
		return errToken()
	case err != nil:
		return err
	}
	if err := s.Passwords.CheckNew(ctx, "password", in.Password, words(u)...); err != nil {
		return err
	}
	hash, err := s.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return err
	}
	// From here on a client that disconnects changes nothing.
	ctx, span := s.Env.Span(context.WithoutCancel(ctx))
	defer span.End()
	// Loaded again: while the password was hashed, another change may have ended the token.
	again, err := rm.ByID(ctx, u.AuthID())
	if err != nil {
		return err
	}
	if again == nil || realm.Disabled(again) || !stamp.Same(u, again) {
		return errToken()
	}
	switch used, err := s.Tokens.Consume(ctx, token); {
	case err != nil:
		return err
	case !used:
		return errToken()
	}
	changed, err := s.overwritePassword(ctx, rm, changer, again, hash)
	if err == nil {
		err = s.endOthers(ctx, rm, guard, changed)
	}
	if err != nil {
		return err
	}
	s.Mails.send(ctx, mail.PasswordChanged, changed, mail.Data{URL: s.Mails.forgotPage()})
	s.Env.Dispatch(ctx, events.PasswordReset{Meta: s.Env.Meta(ctx, guard, u.AuthID())})
	return nil
}

// endOthers ends what the former password had opened. If the address was never verified, it
// ends also what outlives a password, because a stranger may have made it, and the mailed
// token verifies the address. That comes last: after an outage the next reset does all of it.
func (s *Service) endOthers(ctx context.Context, rm *realm.Realm, guard string, u models.Authenticatable) error {
	if !neverVerified(u) {
		s.DeleteRevoked(ctx, rm, u.AuthID(), "")
		return nil
	}
	if err := s.endIssued(ctx, rm, u.AuthID()); err != nil {
		return err
	}
	verifier, ok := rm.Users.(models.EmailVerifier)
	if !ok {
		return nil
	}
	return s.recordVerified(ctx, rm, verifier, guard, u)
}

// overwritePassword stores a password for a person who proved to own the address. It
// takes effect over a parallel change by a person who knows the former password.
func (s *Service) overwritePassword(
	ctx context.Context, rm *realm.Realm, changer models.PasswordChanger, u models.Authenticatable, hash string,
) (models.Authenticatable, error) {
	proved, _ := mailbox(u)
	changed, err := rm.RetryOnConflict(ctx, u, func(now models.Authenticatable) (models.Authenticatable, error) {
		if to, _ := mailbox(now); realm.Disabled(now) || to.Email != proved.Email {
			return nil, errToken()
		}
		changed, err := changer.ChangePassword(ctx, now.AuthID(), stamp.Value(now), hash, stamp.Next(now))
		return changed, realm.ChangeError("change password", changed, err)
	})
	if err == nil && changed == nil {
		err = errToken()
	}
	return changed, err
}

// findReset returns the user of a token, if the token lives and the email address, if there is
// one, is the user's. A wrong one is counted by the client's IP address, and never keeps the right
// one out. Without a token that exists, nothing depends on the email address.
func (s *Service) findReset(ctx context.Context, rm *realm.Realm, email, text string) (models.Authenticatable, stores.Token, error) {
	u, t, err := s.lookUpReset(ctx, rm, email, text)
	if errors.Is(err, autherr.ErrInvalidToken) {
		err = s.countGuess(ctx, err)
	}
	return u, t, err
}

func (s *Service) lookUpReset(ctx context.Context, rm *realm.Realm, email, text string) (models.Authenticatable, stores.Token, error) {
	none := stores.Token{}
	canonical := ""
	if email != "" {
		var err error
		if canonical, _, err = rm.Email(email); err != nil {
			return nil, none, err
		}
	}
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	token, parsed := opaque.Parse(tokens.ResetPrefix, text)
	if !parsed {
		return nil, none, autherr.ErrInvalidToken
	}
	t, ok, err := s.Tokens.Find(ctx, token)
	if err != nil {
		return nil, none, err
	}
	id, owned := rm.OwnerID(t.Owner)
	if !ok || t.Kind != stores.Reset || !t.Consumed.IsZero() || !tokens.Lives(t, s.Env.Now()) || !owned {
		return nil, none, autherr.ErrInvalidToken
	}
	u, err := rm.ByID(ctx, id)
	if err != nil {
		return nil, none, err
	}
	if u == nil || realm.Disabled(u) || (email != "" && !hasEmail(rm, u, canonical)) {
		return nil, none, autherr.ErrInvalidToken
	}
	data, err := tokens.ParseData(t.Data)
	if err != nil {
		return nil, none, autherr.Unavailable("read reset token", err)
	}
	if !rm.Fits(stamp.Reset, u, data.Fingerprint) {
		return nil, none, autherr.ErrInvalidToken
	}
	return u, t, nil
}

// hasEmail reports whether the email address of a user has the canonical form.
func hasEmail(rm *realm.Realm, u models.Authenticatable, canonical string) bool {
	to, ok := mailbox(u)
	own, _, err := rm.Email(to.Email)
	return ok && err == nil && own == canonical
}
