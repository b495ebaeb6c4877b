package storetest_test

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/stores"
)

type checkedConsume struct{ *memTokens }

func (s checkedConsume) Consume(ctx context.Context, now time.Time, family, id string) (bool, error) {
	t, found, err := s.Find(ctx, family, id)
	if err != nil || !found || !t.Consumed.IsZero() {
		return false, err
	}
	pause()
	_, err = s.memTokens.Consume(ctx, now, family, id)
	return true, err
}

type twoSteps struct{ *memTokens }

func (s twoSteps) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (stores.Rotated, error) {
	t, found, err := s.Find(ctx, child.Family, parent)
	if err != nil || !found || !t.FamilyRevoked.IsZero() || !now.Before(t.Expires) || !now.Before(t.FamilyExpires) {
		return stores.RotateDead, err
	}
	if !t.Consumed.IsZero() {
		return stores.RotateUsed, nil
	}
	pause()
	if _, err := s.Consume(ctx, now, child.Family, parent); err != nil {
		return stores.RotateDead, err
	}
	_, err = s.Create(ctx, child)
	return stores.RotateDone, err
}

type lateConsume struct{ *memTokens }

func (s lateConsume) Consume(ctx context.Context, now time.Time, family, id string) (bool, error) {
	return s.memTokens.Consume(ctx, now.Add(-time.Microsecond), family, id)
}

type anyKind struct{ *memTokens }

func (s anyKind) RevokeOwner(ctx context.Context, now time.Time, owner, except string, _ ...stores.Kind) (int, error) {
	return s.memTokens.RevokeOwner(ctx, now, owner, except)
}

// lastDelivery keeps when a token was delivered last.
type lastDelivery struct {
	*memTokens
	at map[string]time.Time
}

func (s lastDelivery) MarkDelivered(ctx context.Context, now time.Time, family, id string) error {
	s.at[family+id] = now
	return s.memTokens.MarkDelivered(ctx, now, family, id)
}

func (s lastDelivery) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	t, found, err := s.memTokens.Find(ctx, family, id)
	if at, marked := s.at[family+id]; marked {
		t.Delivered = at
	}
	return t, found, err
}

// keepsSpent still finds the parents of all rotations.
type keepsSpent struct {
	*memTokens
	parents map[string]stores.Token
}

func (s keepsSpent) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (stores.Rotated, error) {
	r, err := s.memTokens.Rotate(ctx, now, parent, child)
	if t, found, _ := s.memTokens.Find(ctx, child.Family, parent); found && r == stores.RotateDone {
		s.parents[t.Family+t.ID] = t
	}
	return r, err
}

func (s keepsSpent) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	t, found, err := s.memTokens.Find(ctx, family, id)
	if kept, was := s.parents[family+id]; !found && was {
		return kept, true, err
	}
	return t, found, err
}
