package tokens

import (
	"context"
	"strings"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/stores"
)

// revokeStored ends the family of a token whose secret the client knows.
func (s *Service) revokeStored(ctx context.Context, kind stores.Kind, family, id string, digest stores.Digest) error {
	found, ok, err := s.store.Find(ctx, family, id)
	if err != nil {
		return autherr.Unavailable("find token", err)
	}
	if !ok || found.Kind != kind || !found.Digest.Equal(digest) {
		return s.Refuse(ctx, errUnknownToken)
	}
	alive, err := s.RevokeFamily(ctx, family)
	switch {
	case err != nil:
		return err
	case !alive:
		return s.Refuse(ctx, errRevoked)
	}
	// The event names the owner without the realm.
	_, user, _ := strings.Cut(found.Owner, ":")
	s.env.Dispatch(ctx, events.TokenRevoked{Meta: s.env.Meta(ctx, "", user), Kind: string(kind), TokenID: family})
	return nil
}

// RevokeFamily ends a family and reports whether it was alive.
func (s *Service) RevokeFamily(ctx context.Context, family string) (alive bool, err error) {
	alive, err = s.store.RevokeFamily(ctx, s.env.Now(), family)
	return alive, autherr.Unavailable("revoke token", err)
}

// RevokeOwner ends an owner's families of the given kinds.
func (s *Service) RevokeOwner(ctx context.Context, owner string, kinds ...stores.Kind) error {
	_, err := s.store.RevokeOwner(ctx, s.env.Now(), owner, "", kinds...)
	return autherr.Unavailable("revoke tokens", err)
}

// All returns an owner's tokens of the given kinds that are neither revoked nor
// consumed, the newest first: at most as many as one owner may have. Some of them may have expired.
func (s *Service) All(ctx context.Context, owner string, kinds ...stores.Kind) ([]stores.Token, error) {
	found, err := s.store.TokensOf(ctx, owner, max(100, s.cfg.MaxRefresh+s.cfg.MaxRemember+s.cfg.MaxPersonal), kinds...)
	return found, autherr.Unavailable("list tokens", err)
}

// Of returns an owner's living tokens of the given kinds, the newest first.
func (s *Service) Of(ctx context.Context, owner string, kinds ...stores.Kind) ([]stores.Token, error) {
	found, err := s.All(ctx, owner, kinds...)
	if err != nil {
		return nil, err
	}
	now := s.env.Now()
	living := found[:0:0]
	for _, t := range found {
		if Lives(t, now) {
			living = append(living, t)
		}
	}
	return living, nil
}

// FamilyLives reports whether a family lives. A family that the store does not know
// has ended.
func (s *Service) FamilyLives(ctx context.Context, family string) (bool, error) {
	alive, err := s.FamiliesLive(ctx, []string{family})
	return alive[family], err
}

// FamiliesLive returns which of the families live, with one store call. A family that the
// store does not know has ended.
func (s *Service) FamiliesLive(ctx context.Context, families []string) (map[string]bool, error) {
	if len(families) == 0 {
		return nil, nil
	}
	lives, err := s.store.Lives(ctx, s.env.Now(), families...)
	if err != nil {
		return nil, autherr.Unavailable("look up tokens", err)
	}
	alive := make(map[string]bool, len(families))
	for i, life := range lives {
		alive[families[i]] = life == stores.Alive
	}
	return alive, nil
}
