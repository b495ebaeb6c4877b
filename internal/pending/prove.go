package pending

import (
	"context"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// Factors returns the factors that a user has, of the given challenges. Backups are not asked for
// without another one.
func (s *Service) Factors(
	ctx context.Context, r *request.State, challenges []factor.Challenge, rm *realm.Realm, u models.Authenticatable,
) (names []string, err error) {
	if len(challenges) == 0 {
		return nil, nil
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	for _, backup := range []bool{false, true} {
		if backup && len(names) == 0 {
			return nil, nil
		}
		for _, c := range challenges {
			if c.Backup != backup {
				continue
			}
			has, err := c.Has(ctx, rm.Owner(u.AuthID()), u)
			if err != nil { // a factor that cannot be looked up is not one that is missing
				return nil, autherr.Unavailable("look up factors", err)
			}
			if has {
				names = append(names, c.Name)
			}
		}
	}
	return names, nil
}

// MustEnrol reports whether a login of a user without a factor can do nothing but enrol one.
func (s *Service) MustEnrol(ctx context.Context, r *request.State, u models.Authenticatable) bool {
	if s.Rules.Required == nil {
		return false
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	return s.Rules.Required(ctx, u) && (s.Rules.GraceUntil == nil || !s.Env.Now().Before(s.Rules.GraceUntil(ctx, u)))
}

// Prove counts a guess at a factor and asks whether it is right. The pending login is "" for a user
// who is logged in.
func (s *Service) Prove(
	ctx context.Context, r *request.State, g Guard, u models.Authenticatable, name, pending string, prove factor.Prove,
) error {
	owner, meta := g.Realm.Owner(u.AuthID()), r.Meta(g.Name, u.AuthID())
	guess, err := s.Limiter.Guess(ctx, r, meta, owner, pending)
	if err != nil {
		return err
	}
	within, span := r.Span(ctx)
	ok, err := prove(within, owner, u)
	span.End()
	switch {
	case err != nil:
		_ = guess.Release(ctx) // nothing was compared
		return err
	case !ok:
		s.Env.Dispatch(ctx, events.FactorFailed{Meta: meta, Factor: name})
		return autherr.ErrInvalidCode
	}
	return guess.Succeed(ctx)
}
