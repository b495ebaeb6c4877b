package ginauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Revoke ends a token that its holder hands in (RFC 7009): a refresh token with
// the login that it is of, a personal access token, or a signed token by itself.
// The errors are ErrInvalidToken, for what is no token of ours or has ended
// already, and ErrUnavailable.
func (m *Manager) Revoke(ctx context.Context, token string) error {
	ctx, span := m.env.Span(context.WithoutCancel(ctx)) // what is revoked is so, also if the client hung up
	defer span.End()
	if t, ok := opaque.Parse(refreshPrefix, token); ok {
		return m.revokeStored(ctx, stores.Refresh, t.Family, t.ID, t.Digest())
	}
	if t, ok := opaque.ParsePersonal(m.cfg.PersonalTokens.Prefix, token); ok {
		return m.revokeStored(ctx, stores.Personal, t.ID, t.ID, t.Digest())
	}
	if !strings.Contains(token, ".") {
		return m.jwt.refuse(ctx, errShape)
	}
	return m.jwt.Revoke(ctx, token)
}

// revokeStored ends the family of a token whose secret is known.
func (m *Manager) revokeStored(ctx context.Context, kind stores.Kind, family, id string, digest stores.Digest) error {
	found, ok, err := m.stores.Tokens.Find(ctx, family, id)
	if err != nil {
		return autherr.Unavailable("find token", err)
	}
	if !ok || found.Kind != kind || !found.Digest.Equal(digest) {
		return m.jwt.refuse(ctx, errUnknownToken)
	}
	alive, err := m.stores.Tokens.RevokeFamily(ctx, m.env.Now(), family)
	switch {
	case err != nil:
		return autherr.Unavailable("revoke token", err)
	case !alive:
		return m.jwt.refuse(ctx, errRevoked)
	}
	m.dispatchRevoked(ctx, found.Owner, string(kind), family)
	return nil
}

// dispatchRevoked tells that a token was handed in. Its owner is named as its
// store names it, with the realm left off.
func (m *Manager) dispatchRevoked(ctx context.Context, owner, kind, id string) {
	_, user, _ := strings.Cut(owner, ":")
	m.Dispatch(ctx, events.TokenRevoked{Meta: m.env.Meta(ctx, "", user), Kind: kind, TokenID: id})
}

// RevokeTokens ends all tokens of a user: logins by the JWT guard with their
// access and refresh tokens, and personal access tokens. The error wraps
// ErrUnavailable. It panics if there is no such guard.
func (m *Manager) RevokeTokens(ctx context.Context, guard, userID string) error {
	g := m.mustGuard(guard)
	if userID == "" {
		return errors.Join(ErrInvalidInput, errNoUser) // nobody owns everybody's
	}
	ctx, span := m.env.Span(context.WithoutCancel(ctx))
	defer span.End()
	_, err := m.stores.Tokens.RevokeOwner(ctx, m.env.Now(), session.OwnerName(g.realm, userID), "", stores.Refresh, stores.Personal)
	return autherr.Unavailable("revoke tokens", err)
}

// RevokeUser ends everything that was issued to a user of a guard: sessions,
// remembered devices, logins by tokens, links by mail, and personal access
// tokens. It takes effect whatever else changes the user at the same time, and
// dispatches one events.UserRevoked when all of it is done. The error wraps
// ErrUnavailable, or errors.ErrUnsupported if the provider changes no stamp or the
// type of its users has none. It panics if there is no such guard.
func (m *Manager) RevokeUser(ctx context.Context, guard, userID string) error {
	g := m.mustGuard(guard)
	if _, err := g.stampChanger(nil); err != nil {
		return err
	}
	ctx, span := m.env.Span(context.WithoutCancel(ctx))
	defer span.End()
	u, err := g.userByID(ctx, userID)
	if err != nil {
		return err
	}
	if u != nil { // tokens may outlive their user
		// The stamp first: whoever makes a token meanwhile looks at it afterwards.
		if _, err := g.overrule(ctx, u, func(now models.Authenticatable) (models.Authenticatable, error) {
			return g.newStamp(ctx, now)
		}); err != nil {
			return err
		}
	}
	if err := m.RevokeTokens(ctx, guard, userID); err != nil {
		return err
	}
	m.endAll(ctx, g, userID, "")
	m.Dispatch(ctx, events.UserRevoked{Meta: m.env.Meta(ctx, guard, userID)})
	return nil
}

// stampChanger returns the provider as what changes the stamp of a user, or of
// any user if it is nil. A stamp that the user's type does not show would end
// nothing.
func (g *guardEntry) stampChanger(u models.Authenticatable) (models.StampChanger, error) {
	changer, ok := g.users.(models.StampChanger)
	if !ok {
		return nil, fmt.Errorf("ginauth: the user provider changes no stamp: %w", errors.ErrUnsupported)
	}
	if _, ok := u.(models.Stamped); u != nil && !ok {
		return nil, fmt.Errorf("ginauth: %T has no security stamp: %w", u, errors.ErrUnsupported)
	}
	return changer, nil
}

// newStamp gives a user another stamp, if it still has the one that it was loaded
// with. If not, the error is ErrConflict.
func (g *guardEntry) newStamp(ctx context.Context, u models.Authenticatable) (models.Authenticatable, error) {
	changer, err := g.stampChanger(u)
	if err != nil {
		return nil, err
	}
	_, stamp := stampOf(u)
	changed, err := changer.ChangeStamp(ctx, u.AuthID(), stamp, rand.Text())
	return changed, changeError("change stamp", changed, err)
}

// userByID returns a user of the guard, or nil if there is none.
func (g *guardEntry) userByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if g.users == nil {
		return nil, errNoProvider
	}
	found, err := g.users.UserByID(ctx, id)
	if err != nil {
		return nil, autherr.Unavailable("load user", err)
	}
	if u := present(found); u != nil && u.AuthID() == id {
		return u, nil
	}
	return nil, nil
}

// maxOverruled is how many other changes of a user a change that has to take
// effect outlasts. Each of them needs a password, or the application's word.
const maxOverruled = 100

// overrule makes a change that has to take effect, as that of an owner who
// recovers an account: if another change of the user comes first, it is made to
// the user as that one left it. It returns the user as changed, or nil if there
// is none any more. The change returns ErrConflict if it was not the first.
func (g *guardEntry) overrule(
	ctx context.Context, u models.Authenticatable, change func(now models.Authenticatable) (models.Authenticatable, error),
) (models.Authenticatable, error) {
	for range maxOverruled {
		changed, err := change(u)
		if !errors.Is(err, ErrConflict) {
			return changed, err
		}
		if u, err = g.userByID(ctx, u.AuthID()); err != nil || u == nil {
			return nil, err
		}
	}
	return nil, autherr.Unavailable("change user", errors.New("others change it all the time"))
}

// endAll takes what has ended through the user's stamp out of the stores, so
// that no list shows it. The sessions' row that goes on is left out.
func (m *Manager) endAll(ctx context.Context, g *guardEntry, userID, exceptRow string) {
	owner := session.OwnerName(g.realm, userID)
	_, err := m.stores.Tokens.RevokeOwner(ctx, m.env.Now(), owner, "", stores.Refresh, stores.Remember, stores.Reset)
	if index, ok := m.stores.Sessions.(stores.SessionIndex); ok {
		_, sessionErr := index.DeleteSessionsOf(ctx, owner, exceptRow)
		err = errors.Join(err, sessionErr)
	}
	if err != nil {
		// Each of them is refused all the same: its stamp is the former one.
		m.env.Log.WarnContext(ctx, "ginauth: ended logins are still listed", "error", request.Cut(err.Error(), 256))
	}
}
