package ginauth

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// store makes the user's one live token. It is not the newest if another one was
// made at the same time.
func (b *Broker) store(ctx context.Context, u models.Authenticatable) (text string, newest bool, err error) {
	owner, err := tokenOwner(b.g.realm, u)
	if err != nil {
		return "", false, err
	}
	before, err := b.m.stores.Tokens.TokensOf(ctx, owner, stores.Reset)
	if err != nil {
		return "", false, autherr.Unavailable("list reset tokens", err)
	}
	token, now := opaque.New(), b.m.env.Now()
	made := now
	for _, t := range before { // also by a clock that is ahead
		if !t.Created.Before(made) {
			made = t.Created.Add(time.Microsecond) // as exact as stores are
		}
	}
	end := now.Add(b.m.cfg.Account.ResetLifetime)
	data := tokenData{bound: true, fingerprint: b.m.fingerprint(resetCredential, b.g.realm, u)}
	created, err := b.m.stores.Tokens.Create(ctx, stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Reset, Owner: owner, Digest: token.Digest(),
		Data: data.encode(), Created: made, Expires: end, FamilyExpires: end,
	})
	if err != nil || !created {
		return "", false, autherr.Unavailable("store reset token", errors.Join(err, refusedIf(!created)))
	}
	family, err := b.keepNewest(ctx, owner)
	return token.Text(resetPrefix), family == token.Family, err
}

// keepNewest ends all of a user's tokens but the newest, and returns its family.
// It comes after a token was stored: of several at once the last to look sees them
// all, and no two take different ones for the newest.
func (b *Broker) keepNewest(ctx context.Context, owner string) (string, error) {
	tokens, err := b.m.stores.Tokens.TokensOf(ctx, owner, stores.Reset)
	if err != nil || len(tokens) == 0 {
		return "", autherr.Unavailable("list reset tokens", err)
	}
	newest := slices.MaxFunc(tokens, func(t, v stores.Token) int {
		return cmp.Or(t.Created.Compare(v.Created), cmp.Compare(t.Family, v.Family))
	})
	for _, t := range tokens {
		if t.Family == newest.Family {
			continue
		}
		if _, err := b.m.stores.Tokens.RevokeFamily(ctx, b.m.env.Now(), t.Family); err != nil {
			return "", autherr.Unavailable("revoke reset tokens", err)
		}
	}
	return newest.Family, nil
}
