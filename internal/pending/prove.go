package pending

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// Factors returns the factors that a user has. Backups are not asked for without another one.
func (s *Service) Factors(ctx context.Context, r *request.State, rm *realm.Realm, u models.Authenticatable) (names []string, err error) {
	if len(s.Challenges) == 0 {
		return nil, nil
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	for _, backup := range []bool{false, true} {
		if backup && len(names) == 0 {
			return nil, nil
		}
		for _, c := range s.Challenges {
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

// Missing returns the factors of which a login has to prove one, or none, and whether a login without
// a factor can do nothing but enrol one. Trust is the token of a trusted device that the client
// presents, or "". Once says that the proof leads to no login: it is no use to trust the device then.
func (s *Service) Missing(
	ctx context.Context, r *request.State, g Guard, u models.Authenticatable, trust string, once bool,
) (factors []string, mustEnrol bool, err error) {
	factors, err = s.Factors(ctx, r, g.Realm, u)
	switch {
	case err != nil:
		return nil, false, err
	case len(factors) == 0:
		return nil, s.mustEnrol(ctx, r, u), nil
	case once:
		return factors, false, nil
	}
	trusted, err := s.trusted(ctx, r, g, u, factors, trust)
	if err != nil || trusted {
		return nil, false, err
	}
	return factors, false, nil
}

// EnrolsStill reports whether a login that goes on can do nothing but enrol a factor.
func (s *Service) EnrolsStill(ctx context.Context, r *request.State, g Guard, u models.Authenticatable, proofs factor.Proofs) (bool, error) {
	if s.Rules.Required == nil || proofs.Complete() {
		return false, nil
	}
	_, mustEnrol, err := s.Missing(ctx, r, g, u, "", true)
	return mustEnrol, err
}

func (s *Service) mustEnrol(ctx context.Context, r *request.State, u models.Authenticatable) bool {
	if s.Rules.Required == nil {
		return false
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	return s.Rules.Required(ctx, u) && (s.Rules.GraceUntil == nil || !s.Env.Now().Before(s.Rules.GraceUntil(ctx, u)))
}

// Reset removes all factors of a user.
func (s *Service) Reset(ctx context.Context, owner string) (err error) {
	for _, c := range s.Challenges {
		within, span := s.Env.Span(ctx)
		switch {
		case c.Reset != nil:
			err = errors.Join(err, c.Reset(within, owner))
		case s.Store != nil:
			err = errors.Join(err, autherr.Unavailable("delete factors", s.Store.ReplaceFactors(within, owner, c.Name, nil)))
		default:
			err = errors.Join(err, fmt.Errorf("ginauth: challenge %q has no Reset: %w", c.Name, errors.ErrUnsupported))
		}
		span.End()
	}
	return err
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
