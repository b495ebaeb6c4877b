package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// confirmationName returns the name of the record of a confirmed password. It is derived from the
// login's family, so that no request has to look for it, and is no secret: like a family's name,
// it opens nothing.
func confirmationName(family string) string {
	sum := sha256.Sum256([]byte("ginauth confirmation " + family))
	return hex.EncodeToString(sum[:16])
}

// Confirm records that the owner of a login by tokens gave the password again. The record counts
// only together with an access token of the family, so it ends with it. One record per login is
// stored, and its time is renewed.
func (s *Service) Confirm(ctx context.Context, owner, family string) error {
	ctx, span := s.env.Span(ctx)
	defer span.End()
	name, now := confirmationName(family), s.env.Now()
	end := now.Add(s.cfg.RefreshAbsolute) // the login ends before
	_, err := s.StoreNew(ctx, stores.Token{
		ID: name, Family: name, Kind: stores.Confirmation, Owner: owner, Created: now, Expires: end, FamilyExpires: end,
	})
	if errors.Is(err, stores.ErrExists) {
		err = autherr.Unavailable("store confirmation", s.store.Touch(ctx, now, name, name))
	}
	return err
}

// Confirmed returns when the owner of a login by tokens last gave the password again, or the zero
// time.
func (s *Service) Confirmed(ctx context.Context, owner, family string) (time.Time, error) {
	ctx, span := s.env.Span(ctx)
	defer span.End()
	name := confirmationName(family)
	found, ok, err := s.store.Find(ctx, name, name)
	switch {
	case err != nil:
		return time.Time{}, autherr.Unavailable("look up confirmation", err)
	case !ok || found.Kind != stores.Confirmation || found.Owner != owner || !Lives(found, s.env.Now()):
		return time.Time{}, nil
	case found.LastUsed.After(found.Created):
		return found.LastUsed, nil
	}
	return found.Created, nil
}
