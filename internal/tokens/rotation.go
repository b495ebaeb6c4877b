package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/stores"
)

// Why a token that is replaced at each use is refused.
var (
	errReused = errors.New("was used before")
	// ErrReusedNow is returned to the one request whose replay ended the family.
	ErrReusedNow = fmt.Errorf("%w, and everything from the same login has ended", errReused)
)

// Successor is what replaces a token.
type Successor struct {
	Token  opaque.Token
	Record stores.Token
	// Again says that an earlier request received it already.
	Again bool
}

// Rotate consumes a token and stores its successor, in one step of the store. A token
// that was consumed before gets the same successor again if the first response may
// have been lost. Otherwise two clients hold the token, and its family ends. The
// errors wrap autherr.ErrUnavailable, ErrEnded, autherr.ErrThrottled if the family was
// rotated too often or, after a replay, ErrReusedNow or an error with the same meaning.
func (s *Service) Rotate(
	ctx context.Context, parent opaque.Token, found stores.Token, record func(child opaque.Token) stores.Token,
) (*Successor, error) {
	if found.Consumed.IsZero() {
		rotations, err := rateOf(found.Data).next(s.env.Now(), s.cfg.MaxRotations, s.cfg.RotationsPer)
		if err != nil {
			return nil, err
		}
		child := parent.Successor(s.cfg.Successors, 0)
		next := Successor{Token: child, Record: record(child)}
		rotations.put(next.Record.Data)
		switch rotated, err := s.store.Rotate(ctx, s.env.Now(), parent.ID, next.Record); {
		case err != nil:
			return nil, autherr.Unavailable("replace token", err)
		case rotated == stores.RotateDone:
			return &next, nil
		case rotated == stores.RotateDead:
			// If the token is gone, other requests used it and its successor since found was read.
			if _, kept, err := s.store.Find(ctx, parent.Family, parent.ID); err != nil || kept {
				return nil, cmp.Or(autherr.Unavailable("find token", err), ErrEnded)
			}
		}
	}
	next, err := s.unusedSuccessor(ctx, parent, s.graceOf(found.Kind))
	if err != nil || next != nil {
		return next, err
	}
	return nil, s.endReused(ctx, parent.Family)
}

// endReused ends the family of a token that was used before. It returns ErrReusedNow if the
// family was alive.
func (s *Service) endReused(ctx context.Context, family string) error {
	// A client that replays must not keep the login by disconnecting, nor because the
	// store is slow: no other request would end it.
	ctx, span := s.env.Span(deadline.Detach(ctx))
	defer span.End()
	switch alive, err := s.store.RevokeFamily(ctx, s.env.Now(), family); {
	case err != nil:
		return autherr.Unavailable("end login", err)
	case alive:
		return ErrReusedNow
	}
	return errReused
}

// NewToken returns the first token of a family whose tokens are replaced at each use.
func (s *Service) NewToken() opaque.Token { return opaque.NewNamed(s.cfg.Successors) }

// Missing returns why a token is refused that the store does not hold. Stores keep only the
// last tokens of a family, so a token that was issued here was used long ago: two
// clients hold the login, and it ends, as it does for a token that the store still holds.
// The name of a token proves that it was issued. So a client that knows only the name of a
// family cannot end it. If no token of the family can be used, the token may be the last one,
// which expired and was pruned: nobody replays it, and the login has ended by itself. Owner is
// that of the family.
func (s *Service) Missing(ctx context.Context, t opaque.Token) (owner string, err error) {
	if !t.Issued(s.cfg.Successors) {
		return "", errUnknownToken
	}
	family, _, err := s.store.Family(ctx, s.env.Now(), t.Family)
	switch {
	case err != nil:
		return "", autherr.Unavailable("find login", err)
	case !family.Usable:
		return family.Owner, ErrEnded
	}
	return family.Owner, s.endReused(ctx, t.Family)
}

// graceOf returns how long after its use a token gets the same successor again. A
// browser sends one cookie from many tabs at once, so remember-me tokens have a grace
// time of their own.
func (s *Service) graceOf(kind stores.Kind) time.Duration {
	if kind == stores.Remember {
		return s.cfg.RememberGrace
	}
	return s.cfg.RefreshGrace
}

// Delivered reports whether a response with a remember-me token was about to be sent,
// or could not be because the client disconnected. Until then no client has the token,
// so a client that presents its parent is not the second of two holders. An outage
// between the two locks no user out, however long it lasts. Other kinds of tokens
// always count as delivered.
func Delivered(t stores.Token) bool { return t.Kind != stores.Remember || !t.Delivered.IsZero() }

// MarkDelivered records that a response with a remember-me token is about to be sent.
func (s *Service) MarkDelivered(ctx context.Context, t opaque.Token) error {
	ctx, span := s.env.Span(ctx)
	defer span.End()
	return autherr.Unavailable("record remember token", s.store.MarkDelivered(ctx, s.env.Now(), t.Family, t.ID))
}

// unusedSuccessor returns what replaced the parent, if it is unused and the parent was
// consumed less than grace ago, or if no client has it. Otherwise it returns nil.
func (s *Service) unusedSuccessor(ctx context.Context, parent opaque.Token, grace time.Duration) (*Successor, error) {
	found, ok, err := s.store.Find(ctx, parent.Family, parent.ID)
	if err != nil || !ok || found.Consumed.IsZero() {
		return nil, autherr.Unavailable("find token", err)
	}
	age := s.env.Now().Sub(found.Consumed)
	late := age >= grace
	if late && found.Kind != stores.Remember && age >= s.cfg.RetryUnused {
		return nil, nil
	}
	// The first response may have been given under a previous application key.
	for key := range s.cfg.Successors.Len() {
		child := parent.Successor(s.cfg.Successors, key)
		record, ok, err := s.store.Find(ctx, child.Family, child.ID)
		if err != nil {
			return nil, autherr.Unavailable("find token", err)
		}
		if ok && record.Consumed.IsZero() && record.Digest.Equal(child.Digest()) && Lives(record, s.env.Now()) &&
			(!late || record.Delivered.IsZero()) {
			return &Successor{child, record, true}, nil
		}
	}
	return nil, nil
}
