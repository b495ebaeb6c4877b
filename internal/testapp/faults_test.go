package testapp_test

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

// callTokens makes one call of a store of tokens.
func callTokens(ctx context.Context, b *testapp.Backend, op testapp.Op) error {
	s, now := b.Set.Tokens, time.Now()
	var err error
	switch op {
	case testapp.CreateToken:
		_, err = s.Create(ctx, stores.Token{})
	case testapp.FindToken:
		_, _, err = s.Find(ctx, "family", "id")
	case testapp.Lives:
		_, err = s.Lives(ctx, now, "family")
	case testapp.ConsumeToken:
		_, err = s.Consume(ctx, now, "family", "id")
	case testapp.RotateToken, testapp.RotatedToken:
		_, err = s.Rotate(ctx, now, "id", stores.Token{Family: "family"})
	case testapp.RevokeFamily:
		_, err = s.RevokeFamily(ctx, now, "family")
	case testapp.RevokeOwner:
		_, err = s.RevokeOwner(ctx, now, "owner", "")
	case testapp.TokensOf:
		_, err = s.TokensOf(ctx, "owner", 10)
	case testapp.TouchToken:
		err = s.Touch(ctx, now, "family", "id")
	case testapp.MarkDelivered:
		err = s.MarkDelivered(ctx, now, "family", "id")
	}
	return err
}
