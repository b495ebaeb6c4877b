package accounts

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// An account whose address was never verified may have been set up by anybody. Whoever proves
// the address gets the account without what a stranger could have set or been issued before.

// Unverified reports whether a user could verify the address and has not.
func (s *Service) Unverified(rm *realm.Realm, u models.Authenticatable) bool {
	_, can := rm.Users.(models.EmailVerifier)
	return can && s.Mails != nil && neverVerified(u)
}

func neverVerified(u models.Authenticatable) bool {
	v, ok := u.(models.EmailVerifiable)
	return ok && !v.AuthEmailVerified()
}

// endUnproved ends the password of a user whose address is not verified, and everything that
// was issued to the user. It returns the changed user. If a parallel request verified the
// address meanwhile it changes nothing and returns false.
func (s *Service) endUnproved(ctx context.Context, rm *realm.Realm, u models.Authenticatable) (models.Authenticatable, bool, error) {
	// Nobody knows the password of this hash. A user with no hash at all would differ from
	// others in what providers accept.
	hash, err := s.Passwords.Hash(ctx, rand.Text())
	if err != nil {
		return nil, false, err
	}
	ctx, span := s.Env.Span(context.WithoutCancel(ctx))
	defer span.End()
	proved, _ := mailbox(u)
	ended := true
	changed, err := rm.RetryOnConflict(ctx, u, func(now models.Authenticatable) (models.Authenticatable, error) {
		if to, _ := mailbox(now); realm.Disabled(now) || to.Email != proved.Email {
			return nil, autherr.ErrInvalidLink
		}
		if ended = neverVerified(now); !ended {
			return now, nil
		}
		return s.forgetPassword(ctx, rm, now, hash)
	})
	switch {
	case err != nil:
		return nil, false, err
	case changed == nil:
		return nil, false, autherr.ErrInvalidLink
	case !ended:
		return changed, false, nil
	}
	return changed, true, s.endIssued(ctx, rm, u.AuthID())
}

// forgetPassword replaces the password and the security stamp, as far as the provider can.
func (s *Service) forgetPassword(
	ctx context.Context, rm *realm.Realm, u models.Authenticatable, hash string,
) (models.Authenticatable, error) {
	changer, ok := rm.Users.(models.PasswordChanger)
	if ok && u.AuthPassword() != "" {
		changed, err := changer.ChangePassword(ctx, u.AuthID(), stamp.Value(u), hash, stamp.Next(u))
		return changed, realm.ChangeError("change password", changed, err)
	}
	if rm.CanChangeStamp(u) != nil {
		return u, nil
	}
	return rm.NewStamp(ctx, u)
}

// endIssued ends what was issued to a user, also what is not bound to the security stamp:
// personal access tokens, and what features issued. The stamp is a new one already.
func (s *Service) endIssued(ctx context.Context, rm *realm.Realm, userID string) error {
	err := autherr.Unavailable("end tokens", s.Tokens.RevokeOwner(ctx, rm.Owner(userID), stores.Personal))
	if s.OnRevoke != nil {
		err = errors.Join(err, s.OnRevoke(ctx, rm.Name, userID))
	}
	if err == nil {
		s.DeleteRevoked(ctx, rm, userID, "")
	}
	return err
}

// countGuess counts a wrong token or link by the client's address, and returns err. An address
// with too many gets an *autherr.ThrottledError instead. It is called only once the token was
// found wrong: tokens have 256 bits and cannot be guessed, so the count protects nothing but
// the stores, and no number of wrong ones keeps a right one out, from any address.
func (s *Service) countGuess(ctx context.Context, err error) error {
	r := request.Of(ctx)
	if r == nil {
		return err
	}
	if counted := s.Limiter.CountGuess(ctx, r, nil); counted != nil {
		return counted
	}
	return err
}
