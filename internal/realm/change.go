package realm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
)

// CanChangeStamp returns an error wrapping errors.ErrUnsupported if the provider
// changes no stamps, or if the type of u, which may be nil, has none: a stamp that
// the type does not show ends nothing.
func (r *Realm) CanChangeStamp(u models.Authenticatable) error {
	if _, ok := r.Users.(models.StampChanger); !ok {
		return fmt.Errorf("ginauth: the user provider changes no stamp: %w", errors.ErrUnsupported)
	}
	if _, ok := u.(models.Stamped); u != nil && !ok {
		return fmt.Errorf("ginauth: %T has no security stamp: %w", u, errors.ErrUnsupported)
	}
	return nil
}

// NewStamp gives a user another stamp and returns the changed user. The error is
// autherr.ErrConflict if the stamp is not the loaded one any more.
func (r *Realm) NewStamp(ctx context.Context, u models.Authenticatable) (models.Authenticatable, error) {
	if err := r.CanChangeStamp(u); err != nil {
		return nil, err
	}
	changed, err := r.Users.(models.StampChanger).ChangeStamp(ctx, u.AuthID(), stamp.Value(u), stamp.Next(u))
	return changed, ChangeError("change stamp", changed, err)
}

// StillSame loads a user once more before something is changed in the user's name. It
// returns autherr.ErrSessionEnded if the user is gone, disabled, or has another stamp:
// a request that arrives slowly must not outlive a reset or a revocation.
func (r *Realm) StillSame(ctx context.Context, u models.Authenticatable) error {
	now, err := r.ByID(ctx, u.AuthID())
	if err == nil && (now == nil || Disabled(now) || !stamp.Same(u, now)) {
		err = autherr.ErrSessionEnded
	}
	return err
}

// maxRetries is how many other changes of a user RetryOnConflict outlasts. Each of
// them needs a password, or is the application's.
const maxRetries = 100

// RetryOnConflict makes a change that must take effect, such as an owner's recovery of
// an account. If another change of the user comes first, it loads the user again and
// repeats the change. The change returns autherr.ErrConflict if it was not the first.
// RetryOnConflict returns the changed user, or nil if the user is gone.
func (r *Realm) RetryOnConflict(
	ctx context.Context, u models.Authenticatable, change func(now models.Authenticatable) (models.Authenticatable, error),
) (models.Authenticatable, error) {
	for range maxRetries {
		changed, err := change(u)
		if !errors.Is(err, autherr.ErrConflict) {
			return changed, err
		}
		if u, err = r.ByID(ctx, u.AuthID()); err != nil || u == nil {
			return nil, err
		}
	}
	return nil, autherr.Unavailable("change user", errors.New("parallel changes did not stop"))
}

// ChangeError explains the result of a provider's conditional change: its error, or
// autherr.ErrConflict if another change came first.
func ChangeError(doing string, changed models.Authenticatable, err error) error {
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("ginauth: %s: %w", doing, err) // another try does not help
	case err != nil:
		return autherr.Unavailable(doing, err)
	case Present(changed) == nil:
		return autherr.ErrConflict
	}
	return nil
}
