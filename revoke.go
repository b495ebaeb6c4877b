package ginauth

import (
	"context"
	"errors"
	"strings"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/stores"
)

// Revoke ends a token that its holder hands in (RFC 7009): a refresh token with
// the login that it is of, a personal access token, or a signed token by itself.
// The errors are ErrInvalidToken, for what is no token of ours or has ended
// already, and ErrUnavailable.
func (m *Manager) Revoke(ctx context.Context, token string) error {
	ctx, span := m.phase(context.WithoutCancel(ctx)) // what is revoked is so, also if the client hung up
	defer span.end()
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
		return unavailable("find token", err)
	}
	if !ok || found.Kind != kind || !sameDigest(found.Digest, digest) {
		return m.jwt.refuse(ctx, errUnknownToken)
	}
	alive, err := m.stores.Tokens.RevokeFamily(ctx, m.now(), family)
	switch {
	case err != nil:
		return unavailable("revoke token", err)
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
	m.Dispatch(ctx, events.TokenRevoked{Meta: m.meta(ctx, "", user), Kind: kind, TokenID: id})
}

// RevokeTokens ends all tokens of a user: logins by the JWT guard with their
// access and refresh tokens, and personal access tokens. The error wraps
// ErrUnavailable. It panics if there is no such guard.
func (m *Manager) RevokeTokens(ctx context.Context, guard, userID string) error {
	g := m.mustGuard(guard)
	if userID == "" {
		return errors.Join(ErrInvalidInput, errNoUser) // nobody owns everybody's
	}
	ctx, span := m.phase(context.WithoutCancel(ctx))
	defer span.end()
	_, err := m.stores.Tokens.RevokeOwner(ctx, m.now(), ownerName(g.realm, userID), "", stores.Refresh, stores.Personal)
	return unavailable("revoke tokens", err)
}
