// Package account lets users change their name and delete their account.
//
//	accounts := account.New(account.Options{Rename: users.ChangeName, Delete: users.DeleteUser})
//	auth, err := ginauth.New(ginauth.Config{…, Features: []ginauth.Feature{accounts}})
//	accounts.Mount(r)
package account

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

// Name names the feature.
const Name = "account"

// fresh is how long ago the proof may be that the deletion of an account needs.
const fresh = 15 * time.Minute

// Options configure the feature. Rename and Delete are required. They are called by many goroutines at once.
type Options struct {
	// Rename stores the name of a user. The method ChangeName of gormstore.Users does that.
	Rename func(ctx context.Context, userID, name string) error
	// Delete deletes a user, and whatever else the application has of the user. It does nothing if there is no such
	// user, so that it can be called again after an outage. The method DeleteUser of gormstore.Users deletes the row of
	// the user.
	Delete func(ctx context.Context, userID string) error
	// Guards are the guards whose users may do so. Default: "web" and "api", if there are such guards.
	Guards []string
}

// Feature is the feature, for ginauth.Config.Features. It belongs to one Manager.
type Feature struct {
	options Options
	auth    *ginauth.Manager
	stores  stores.Set
	now     func() time.Time
	guard   string // whose users Options.Rename and Options.Delete know, once mounted
}

// New returns the feature.
func New(o Options) *Feature { return &Feature{options: o} }

// Name returns "account".
func (*Feature) Name() string { return Name }

// Setup checks the options.
func (f *Feature) Setup(s *ginauth.Setup) error {
	f.auth, f.stores, f.now = s.Manager(), s.Stores(), s.Clock()
	if f.options.Rename == nil || f.options.Delete == nil {
		return errors.New("Options.Rename or Options.Delete is missing: package gormstore has both")
	}
	return nil
}

// Rename changes the name of the request's user. The errors are *InputError, ginauth.ErrUnauthenticated,
// ginauth.ErrForbidden for a personal access token, and ginauth.ErrUnavailable.
func (f *Feature) Rename(ctx context.Context, a *ginauth.Authenticator, name string) error {
	u, err := f.user(ctx, a)
	if err != nil {
		return err
	}
	name = strings.TrimSpace(name)
	if err := routes.CheckName(name); err != nil {
		return err
	}
	if err := f.options.Rename(ctx, u.AuthID(), name); err != nil {
		return ginauth.Unavailable("change name", err)
	}
	f.auth.Dispatch(ctx, Renamed{a.EventMeta(u.AuthID())})
	return nil
}

// Delete deletes the account of the request's user: it ends every login, calls Options.Delete, deletes the second factors
// and the identities at other providers, and tells the user by mail. A user with a password proves it here. A user who
// has none must have proved something else within 15 minutes, and a user with a second factor that factor.
//
// The errors are *InputError for a wrong password, *autherr.StepUpError, *ginauth.ThrottledError, and those of Rename.
// After ginauth.ErrUnavailable the logins may have ended, and the account may exist: the user can try again.
func (f *Feature) Delete(ctx context.Context, a *ginauth.Authenticator, password string) error {
	u, err := f.user(ctx, a)
	if err != nil {
		return err
	}
	if err := f.prove(ctx, a, u, password); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what has begun is completed
	guard, id, owner, meta := a.GuardName(), u.AuthID(), a.Owner(u), a.EventMeta(u.AuthID())
	if err := a.Logout(ctx); err != nil {
		return err
	}
	// Where users have no stamp, a login ends because its user is not found.
	if err := f.auth.RevokeUser(ctx, guard, id); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := f.options.Delete(ctx, id); err != nil {
		return ginauth.Unavailable("delete user", err)
	}
	f.auth.Dispatch(ctx, Deleted{meta})
	a.Tell(ctx, u, mail.AccountDeleted)
	// A later user may get the same identifier.
	return ginauth.Unavailable("delete what belonged to a user", errors.Join(f.deleteFactors(ctx, owner), f.deleteIdentities(ctx, owner)))
}

// user returns the request's user, whom the functions of the options can find by the identifier alone: that of another
// guard's users may be somebody else's.
func (f *Feature) user(ctx context.Context, a *ginauth.Authenticator) (models.Authenticatable, error) {
	u, err := routes.Owner(ctx, a)
	if err == nil && f.guard != "" && f.owner(a.GuardName()) != f.owner(f.guard) {
		return nil, ginauth.ErrForbidden
	}
	return u, err
}

// owner tells the users of a guard from those of others.
func (f *Feature) owner(guard string) string { return f.auth.Owner(guard, "1") }

// prove asks for what the deletion needs.
func (f *Feature) prove(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable, password string) error {
	hasPassword := len(u.AuthPassword()) > 0
	if hasPassword {
		if err := a.ConfirmPassword(ctx, password); err != nil {
			return err
		}
	}
	factors, err := a.Factors(ctx, u)
	if err != nil {
		return err
	}
	level := factor.LevelOne
	if len(factors) > 0 {
		level = factor.LevelTwo
	} else if hasPassword {
		return nil
	}
	proved, err := a.Authentication(ctx)
	return cmp.Or(err, proved.Meets(level, fresh, f.now()))
}

func (f *Feature) deleteFactors(ctx context.Context, owner string) error {
	if f.stores.Factors == nil {
		return nil
	}
	found, err := f.stores.Factors.FactorsOf(ctx, owner)
	kinds := make(map[string]bool)
	for _, one := range found {
		kinds[one.Kind] = true
	}
	for kind := range kinds {
		err = errors.Join(err, f.stores.Factors.ReplaceFactors(ctx, owner, kind, nil))
	}
	return err
}

func (f *Feature) deleteIdentities(ctx context.Context, owner string) error {
	if f.stores.Identities == nil {
		return nil
	}
	found, err := f.stores.Identities.IdentitiesOf(ctx, owner)
	for _, one := range found {
		_, failed := f.stores.Identities.DeleteIdentity(ctx, owner, one.Provider, one.Subject)
		err = errors.Join(err, failed)
	}
	return err
}

// Renamed is dispatched when a user has changed the name.
type Renamed struct{ events.Meta }

// EventName returns "account_renamed".
func (Renamed) EventName() string { return "account_renamed" }

// Deleted is dispatched when a user has deleted the account.
type Deleted struct{ events.Meta }

// EventName returns "account_deleted".
func (Deleted) EventName() string { return "account_deleted" }
