// Package realm holds the users of one provider: every look-up of a user and every
// check of a security stamp goes through a Realm.
package realm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Why a user is refused. The log says which; a client is not told.
var (
	ErrNoUser   = errors.New("has no user")
	ErrStamp    = errors.New("is bound to an earlier security stamp")
	ErrDisabled = errors.New("is of a disabled user")
)

// ErrNoProvider says that a guard has no users.
var ErrNoProvider = fmt.Errorf("%w: the guard has no user provider: set Config.Users", autherr.ErrConfig)

// Realm is the users of one provider. Its methods are safe for concurrent use. Their
// errors wrap autherr.ErrUnavailable if the provider failed, and ErrNoProvider if
// there is none.
type Realm struct {
	// Name distinguishes users of different providers that share an identifier. It
	// is part of owners in stores and of fingerprints.
	Name string
	// Users is nil if the guard has no provider.
	Users  models.UserProvider
	Stamps *stamp.Binder
}

// ByID returns the user with the identifier, or nil if there is none.
func (r *Realm) ByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if r.Users == nil {
		return nil, ErrNoProvider
	}
	found, err := r.Users.UserByID(ctx, id)
	if err != nil {
		return nil, autherr.Unavailable("load user", err)
	}
	// A provider may read an identifier as another user's. That counts as no user.
	if models.IsNil(found) || id == "" || found.AuthID() != id {
		return nil, nil
	}
	return found, nil
}

// ByIdentifier returns the user whose field has the canonical value, or nil if there
// is none.
func (r *Realm) ByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	found, err := r.Users.UserByIdentifier(ctx, field, canonical)
	if err != nil {
		return nil, autherr.Unavailable("look up user", err)
	}
	return Present(found), nil
}

// Check returns the user that a credential names, if the credential is bound to the
// user's current stamp and the user is not disabled. A nil sum is bound to no stamp.
// The other errors are ErrNoUser, ErrStamp and ErrDisabled.
func (r *Realm) Check(ctx context.Context, id string, p stamp.Purpose, sum []byte) (models.Authenticatable, error) {
	u, err := r.ByID(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case u == nil:
		return nil, ErrNoUser
	}
	if sum != nil {
		if _, ok := r.Stamps.Check(p, r.Name, id, u, sum); !ok {
			return nil, ErrStamp
		}
	}
	if Disabled(u) {
		return nil, ErrDisabled
	}
	return u, nil
}

// Sum returns the fingerprint of a user's stamp.
func (r *Realm) Sum(p stamp.Purpose, u models.Authenticatable) stores.Digest {
	return r.Stamps.Sum(p, r.Name, u.AuthID(), u)
}

// Fits reports whether a fingerprint is of the user's stamp.
func (r *Realm) Fits(p stamp.Purpose, u models.Authenticatable, sum stores.Digest) bool {
	_, ok := r.Stamps.Check(p, r.Name, u.AuthID(), u, sum[:])
	return ok
}

// Owner names a user in a store.
func (r *Realm) Owner(id string) string { return OwnerName(r.Name, id) }

// OwnerName names a user of a realm in a store: users of different realms may share
// identifiers.
func OwnerName(realm, id string) string { return request.Cut(realm+":"+id, 255) }

// OwnerID returns the identifier of the user that an owner names, if the user is of
// this realm.
func (r *Realm) OwnerID(owner string) (id string, ok bool) {
	id, ok = strings.CutPrefix(owner, r.Name+":")
	return id, ok && id != ""
}

// TokenOwner names the owner of a token. It refuses an identifier that is too long to
// be found again.
func (r *Realm) TokenOwner(u models.Authenticatable) (string, error) {
	id := u.AuthID()
	owner := r.Owner(id)
	if named, ok := r.OwnerID(owner); !ok || named != id {
		return "", fmt.Errorf("%w: a user's identifier is too long for a token", autherr.ErrConfig)
	}
	return owner, nil
}

// Canonical returns the canonical form of an identifier. A value that can name no user
// returns an *autherr.InputError.
func (r *Realm) Canonical(field, value string) (string, error) {
	canonical, err := r.Users.CanonicalIdentifier(field, value)
	switch {
	case err == nil:
		return canonical, nil
	case errors.Is(err, models.ErrUnknownField):
		return "", autherr.Invalid(request.Cut(field, 64), "is not a field that users log in with")
	case strings.TrimSpace(value) == "":
		return "", autherr.Invalid(field, "is required")
	case errors.Is(err, models.ErrBadIdentifier):
		return "", autherr.Invalid(field, "is not acceptable")
	}
	return "", autherr.Unavailable("read identifier", err)
}

// emailField is the field of email addresses, if users are looked up by them.
const emailField = "email"

// Email returns the canonical form of an email address, and whether users are looked up by it. A
// text that is not one address returns an *autherr.InputError.
func (r *Realm) Email(address string) (canonical string, identifies bool, err error) {
	_, err = r.Users.CanonicalIdentifier(emailField, address)
	if identifies = !errors.Is(err, models.ErrUnknownField); identifies {
		canonical, err = r.Canonical(emailField, address)
	} else if canonical, err = canon.Identifier(address); err != nil {
		err = autherr.Invalid(emailField, "is not acceptable")
	}
	if err == nil && strings.Count(canonical, "@") != 1 {
		err = autherr.Invalid(emailField, "is not one email address")
	}
	return canonical, identifies, err
}

// LoginFields returns the fields by which users are looked up, or nil if there are no users.
func (r *Realm) LoginFields() []string {
	if r.Users == nil {
		return nil
	}
	if p, ok := r.Users.(models.LoginFields); ok {
		return p.LoginFields()
	}
	return []string{emailField}
}

// Present returns u, or nil if u is a nil pointer or has no identifier: users that
// were never stored must not share the identifier "".
func Present(u models.Authenticatable) models.Authenticatable {
	if models.IsNil(u) || u.AuthID() == "" {
		return nil
	}
	return u
}

// Disabled reports whether a user may not log in.
func Disabled(u models.Authenticatable) bool {
	d, ok := u.(models.Disableable)
	return ok && d.AuthDisabled()
}

// Default is the name of the realm of the provider that guards share by default.
const Default = "users"

// New returns the realm of a guard with a provider of its own, or of the shared provider. An
// empty name is derived from the guard's, or from that of the first guard with the same provider.
// All are the providers of all guards.
func New(guard, name string, users, shared models.UserProvider, all map[string]models.UserProvider) *Realm {
	r := &Realm{Name: name, Users: users}
	if name == "" {
		r.Name = nameFor(guard, users, shared, all)
	}
	if models.IsNilProvider(r.Users) {
		r.Users = shared
	}
	if models.IsNilProvider(r.Users) {
		r.Users = nil
	}
	return r
}

// nameFor returns the name of the realm of a guard's users. Names of guards have no slash, so
// none can be taken for another realm.
func nameFor(guard string, users, shared models.UserProvider, all map[string]models.UserProvider) string {
	if models.IsNilProvider(users) || sameProvider(users, shared) {
		return Default
	}
	for _, other := range slices.Sorted(maps.Keys(all)) {
		if other < guard && sameProvider(users, all[other]) {
			return other + "/"
		}
	}
	return guard + "/"
}

// sameProvider compares pointers. Providers of other kinds all differ.
func sameProvider(a, b models.UserProvider) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	return v.Kind() == reflect.Pointer && w.Kind() == reflect.Pointer &&
		v.Type() == w.Type() && v.Pointer() == w.Pointer()
}
