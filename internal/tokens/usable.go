package tokens

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/stores"
)

// Usable reports whether Rotate would accept a token, and replaces nothing. A token that was used
// before counts within its grace time, as for Rotate. Later it is refused, and its family lives on
// until Rotate finds the replay.
func (s *Service) Usable(ctx context.Context, t opaque.Token, found stores.Token) (bool, error) {
	if found.Consumed.IsZero() {
		return true, nil
	}
	next, err := s.unusedSuccessor(ctx, t, s.graceOf(found.Kind))
	return next != nil, err
}

// RememberGrace returns how long after its use a remember-me token gets the same successor again.
func (s *Service) RememberGrace() time.Duration { return s.cfg.RememberGrace }
