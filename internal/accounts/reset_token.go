package accounts

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// storeResetToken makes the user's one living reset token. It reports false if another
// request made a newer one at the same time.
func (s *Service) storeResetToken(ctx context.Context, rm *realm.Realm, u models.Authenticatable) (text string, newest bool, err error) {
	owner, err := rm.TokenOwner(u)
	if err != nil {
		return "", false, err
	}
	before, err := s.Tokens.All(ctx, owner, stores.Reset)
	if err != nil {
		return "", false, err
	}
	token, now := opaque.New(), s.Env.Now()
	made := now
	for _, t := range before { // also if another machine's clock is ahead
		if !t.Created.Before(made) {
			made = t.Created.Add(time.Microsecond) // the precision of stores
		}
	}
	end := now.Add(s.Config.ResetLifetime)
	data := tokens.Data{Bound: true, Fingerprint: rm.Sum(stamp.Reset, u)}
	if err := s.Tokens.Store(ctx, stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Reset, Owner: owner, Digest: token.Digest(),
		Data: data.Encode(), Created: made, Expires: end, FamilyExpires: end,
	}); err != nil {
		return "", false, err
	}
	family, err := s.keepNewest(ctx, owner)
	return token.Text(tokens.ResetPrefix), family == token.Family, err
}

// keepNewest ends all of a user's reset tokens but the newest, and returns its family.
// It runs after a token was stored: of several parallel requests the last one sees all
// tokens, and no two take different ones for the newest.
func (s *Service) keepNewest(ctx context.Context, owner string) (string, error) {
	all, err := s.Tokens.All(ctx, owner, stores.Reset)
	if err != nil || len(all) == 0 {
		return "", err
	}
	newest := slices.MaxFunc(all, func(t, v stores.Token) int {
		return cmp.Or(t.Created.Compare(v.Created), cmp.Compare(t.Family, v.Family))
	})
	for _, t := range all {
		if t.Family == newest.Family {
			continue
		}
		if _, err := s.Tokens.RevokeFamily(ctx, t.Family); err != nil {
			return "", err
		}
	}
	return newest.Family, nil
}
