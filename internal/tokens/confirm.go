package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/stores"
)

// secondFactor is what the records of second factors are named after.
const secondFactor = "second factor "

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
	return s.confirm(ctx, owner, family, nil)
}

// ConfirmSecond is Confirm for a second factor.
func (s *Service) ConfirmSecond(ctx context.Context, owner, family string, methods factor.Methods) error {
	return s.confirm(ctx, owner, secondFactor+family, methods.Names())
}

func (s *Service) confirm(ctx context.Context, owner, family string, methods []string) error {
	ctx, span := s.env.Span(ctx)
	defer span.End()
	name, now := confirmationName(family), s.env.Now()
	end := now.Add(s.cfg.RefreshAbsolute) // the login ends before
	_, err := s.StoreNew(ctx, stores.Token{
		ID: name, Family: name, Kind: stores.Confirmation, Owner: owner, Abilities: methods,
		Created: now, Expires: end, FamilyExpires: end,
	})
	if errors.Is(err, stores.ErrExists) {
		err = autherr.Unavailable("store confirmation", s.store.Touch(ctx, now, name, name))
	}
	return err
}

// Confirmed returns when the owner of a login by tokens last gave the password again, or the zero
// time.
func (s *Service) Confirmed(ctx context.Context, owner, family string) (time.Time, error) {
	at, _, err := s.confirmed(ctx, owner, family)
	return at, err
}

// Proofs returns what the owner of a login by tokens proved at the login, which is given, and
// later: the password, and a second factor if there are any.
func (s *Service) Proofs(ctx context.Context, owner, family string, first factor.Proof, factors bool) (factor.Proofs, error) {
	password, err := s.Confirmed(ctx, owner, family)
	p := factor.Proofs{Password: password, First: first}
	if first.OnlyPassword() {
		p = factor.Proofs{Password: later(password, first.At)}
	}
	if err != nil || !factors {
		return p, err
	}
	at, names, err := s.confirmed(ctx, owner, secondFactor+family)
	if err != nil || at.IsZero() {
		return p, err
	}
	methods, err := factor.ParseMethods(names...)
	p.Second = factor.Proof{At: at, Methods: methods, Level: factor.LevelOne}
	return p, autherr.Unavailable("read second factor", err)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *Service) confirmed(ctx context.Context, owner, family string) (time.Time, []string, error) {
	ctx, span := s.env.Span(ctx)
	defer span.End()
	name := confirmationName(family)
	found, ok, err := s.store.Find(ctx, name, name)
	switch {
	case err != nil:
		return time.Time{}, nil, autherr.Unavailable("look up confirmation", err)
	case !ok || found.Kind != stores.Confirmation || found.Owner != owner || !Lives(found, s.env.Now()):
		return time.Time{}, nil, nil
	case found.LastUsed.After(found.Created):
		return found.LastUsed, found.Abilities, nil
	}
	return found.Created, found.Abilities, nil
}
