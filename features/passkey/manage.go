package passkey

import (
	"context"
	"fmt"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// Passkey is what a user is shown of a passkey.
type Passkey struct {
	// ID names the passkey in Rename and Delete: 32 hexadecimal digits.
	ID string `json:"id"`
	// Name is what the user calls it.
	Name string `json:"name"`
	// Model is the name of the authenticator or password manager, or "" if it is not known.
	Model string `json:"model,omitempty"`
	// Created is when it was registered, and LastUsed when it was last used, or registered.
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"`
	// Transports are how a browser reaches it, as in "internal" or "usb".
	Transports []string `json:"transports,omitempty"`
	// BackupEligible says that it can be copied to other devices of the user, and BackedUp that it is.
	BackupEligible bool `json:"backup_eligible"`
	BackedUp       bool `json:"backed_up"`
}

// List returns the passkeys of the request's user, the oldest first, and what the browser can be told of them. The
// signals are nil if the user never had a passkey. The errors are those of BeginRegistration.
func (f *Feature) List(ctx context.Context, a *ginauth.Authenticator) ([]Passkey, *Signals, error) {
	u, acc, err := f.own(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	list := make([]Passkey, len(acc.passkeys))
	for i := range acc.passkeys {
		list[i] = *acc.passkeys[i].shown()
	}
	return list, f.signals(acc, u), nil
}

// own returns the request's user and what is stored of the user.
func (f *Feature) own(ctx context.Context, a *ginauth.Authenticator) (models.Authenticatable, *account, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	acc, err := f.loadOf(ctx, a.Owner(u), u)
	return u, acc, err
}

// Rename gives a passkey of the request's user a name of at most MaxName bytes. The errors are *InputError, and
// ginauth.ErrNotFound if the user has no such passkey.
func (f *Feature) Rename(ctx context.Context, a *ginauth.Authenticator, id, name string) (*Signals, error) {
	name, err := cleanName(name, false)
	if err != nil {
		return nil, err
	}
	u, acc, err := f.own(ctx, a)
	if err == nil {
		err = f.updateKey(ctx, acc, id, func(c *credential) error { c.Name = name; return nil })
	}
	if err != nil {
		return nil, err
	}
	f.auth.Dispatch(ctx, Renamed{a.EventMeta(u.AuthID()), id, name})
	return &Signals{User: f.signals(acc, u).User}, nil
}

// Delete removes a passkey of the request's user, and returns what to tell the browser. All other logins of the user end: they
// may have been made by it. The result has the new tokens of a login by tokens. The user is told by mail. The errors are
// ginauth.ErrNotFound if the user has no such passkey, ErrLastWayIn, ginauth.ErrUnavailable, and those of
// Authenticator.EndOtherLogins. Put the middleware RequireLevel before it.
func (f *Feature) Delete(ctx context.Context, a *ginauth.Authenticator, id string) (*Signals, *ginauth.LoginResult, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	otherwise, err := f.otherwise(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	// What replaces this factor looks what else there is while the factor still is: recovery codes go on beside the others.
	if _, err := a.Factors(ctx, u); err != nil {
		return nil, nil, err
	}
	owner := a.Owner(u)
	left, err := f.beginRemoval(ctx, owner, u, id, otherwise)
	if err != nil {
		return nil, nil, err
	}
	lasting := context.WithoutCancel(ctx)
	switch ok, err := f.remove(lasting, owner, id, left.find(id).ID); {
	case err != nil:
		return nil, nil, err
	case !ok:
		return nil, nil, ginauth.ErrNotFound
	}
	f.auth.Dispatch(ctx, Removed{a.EventMeta(u.AuthID()), id})
	a.TellFactor(ctx, u, mail.PasskeyRemoved)
	res, err := a.EndOtherLogins(lasting)
	return f.signals(left.without(id), u), res, err
}

// beginRemoval records that a passkey is removed, and returns the account before. The error is ErrLastWayIn if it is the last
// way in.
func (f *Feature) beginRemoval(ctx context.Context, owner string, u models.Authenticatable, id string, otherwise bool) (before *account, err error) {
	err = f.update(ctx, owner, u, func(acc *account) error {
		if acc.find(id) == nil {
			return ginauth.ErrNotFound
		}
		if err := acc.begin(f.now(), id, true); err != nil {
			return err
		}
		// Of parallel requests that remove the last two passkeys, one sees the other.
		if len(acc.usable(f.now())) == 0 && !otherwise {
			return ErrLastWayIn
		}
		before = acc
		return nil
	})
	return before, err
}

// ErrLastWayIn means that a passkey was not removed, because the user could not log in any more. Abort responds with 409.
var ErrLastWayIn = fmt.Errorf("passkey: the user has no other way to log in: %w", ginauth.ErrConflict)

// otherwise reports whether a user can log in without a passkey.
func (f *Feature) otherwise(ctx context.Context, u models.Authenticatable) (bool, error) {
	if u.AuthPassword() != "" {
		return true, nil
	}
	if f.options.OtherWayIn == nil {
		return false, nil
	}
	ok, err := f.options.OtherWayIn(ctx, u)
	return ok && err == nil, ginauth.Unavailable("look up other ways to log in", err)
}

// without returns the account without a passkey.
func (a *account) without(id string) *account {
	left := *a
	left.passkeys = nil
	for _, c := range a.passkeys {
		if c.record != id {
			left.passkeys = append(left.passkeys, c)
		}
	}
	return &left
}
