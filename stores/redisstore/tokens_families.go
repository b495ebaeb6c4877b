package redisstore

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

//go:embed lua/token_rotate.lua
var tokenRotate string

//go:embed lua/token_revoke.lua
var tokenRevoke string

//go:embed lua/token_family.lua
var tokenFamily string

var (
	findFamily   = newScript(tokenFamily)
	rotateToken  = newScript(tokenRotate)
	revokeTokens = newScript(tokenRevoke)
)

// childExists is an answer of the script that rotates, beside those of stores.Rotated.
const childExists = 3

// Rotate implements stores.Tokens. It also deletes a few members of the family that expired
// some minutes ago.
func (s *tokens) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (stores.Rotated, error) {
	const what = "rotate token"
	record, err := encodeToken(what, child)
	if err != nil {
		return stores.RotateDead, err
	}
	if !validName(parent) {
		return stores.RotateDead, fault(ctx, what, ctx.Err())
	}
	got, err := s.run(ctx, what, rotateToken, []string{s.familyKey(child.Family), s.endsKey(child.Family)},
		nonce(), now.UnixMicro(), mark(now), parent,
		child.ID, record, micro(child.Expires), micro(child.Consumed), micro(child.LastUsed),
		micro(child.Delivered), now.Add(-slack).UnixMicro())
	if err != nil {
		return stores.RotateDead, err
	}
	switch rotated, _ := got.(int64); rotated {
	case int64(stores.RotateDone):
		return stores.RotateDone, nil
	case int64(stores.RotateUsed):
		return stores.RotateUsed, nil
	case childExists:
		return stores.RotateDead, fmt.Errorf("redisstore: %s: %w", what, stores.ErrExists)
	}
	return stores.RotateDead, nil
}

// Lives implements stores.Tokens.
func (s *tokens) Lives(ctx context.Context, now time.Time, families ...string) ([]stores.Life, error) {
	const what = "find families"
	lives := make([]stores.Life, len(families))
	if ctx.Err() != nil || len(families) == 0 {
		return lives, fault(ctx, what, ctx.Err())
	}
	pipe := s.client.Pipeline()
	roots := make([]*redis.SliceCmd, len(families))
	for i, family := range families {
		if validName(family) {
			roots[i] = pipe.HMGet(ctx, s.familyKey(family), rootExpires, rootRevoked)
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, root := range roots {
		if root == nil {
			continue
		}
		values, err := root.Result()
		if err != nil {
			return nil, fault(ctx, what, err)
		}
		if lives[i], err = lifeOf(what, values, now); err != nil {
			return nil, err
		}
	}
	return lives, nil
}

// Family implements stores.Tokens.
func (s *tokens) Family(ctx context.Context, now time.Time, family string) (stores.Family, bool, error) {
	const what = "find family"
	if !validName(family) {
		return stores.Family{}, false, fault(ctx, what, ctx.Err())
	}
	got, err := s.run(ctx, what, findFamily, []string{s.familyKey(family), s.endsKey(family)}, now.UnixMicro())
	if err != nil {
		return stores.Family{}, false, err
	}
	answer, _ := got.([]any)
	if len(answer) < 4 {
		return stores.Family{}, false, nil
	}
	return stores.Family{
		Kind: stores.Kind(textAt(got, 0)), Owner: textAt(got, 1), Alive: answer[2] == int64(1), Usable: answer[3] == int64(1),
	}, true, nil
}

// lifeOf returns whether a family is alive, from the fields rootExpires and rootRevoked.
func lifeOf(what string, values []any, now time.Time) (stores.Life, error) {
	expires, found := values[0].(string)
	_, revoked := values[1].(string)
	end, ok := moment(expires)
	switch {
	case !found && !revoked:
		return stores.Unknown, nil
	case !found:
		return stores.Ended, nil // it cannot be created, see RevokeOwner
	case !ok:
		return stores.Unknown, corrupt(what, "root of a family")
	case revoked || !end.After(now):
		return stores.Ended, nil
	}
	return stores.Alive, nil
}

// RevokeFamily implements stores.Tokens.
func (s *tokens) RevokeFamily(ctx context.Context, now time.Time, family string) (bool, error) {
	const what = "revoke family"
	if !validName(family) {
		return false, fault(ctx, what, ctx.Err())
	}
	got, err := s.run(ctx, what, revokeTokens, []string{s.familyKey(family)}, nonce(), now.UnixMicro(), mark(now), 0, "")
	if err != nil {
		return false, err
	}
	alive, err := integers(what, got, 1)
	if err != nil {
		return false, err
	}
	return alive[0] > 0, nil
}

// RevokeOwner implements stores.Tokens. It first reads the owner's index, in which families
// are listed before they are stored, and then revokes one family after the other. A family
// that is listed but not stored cannot be stored for some minutes afterwards. So for a
// Create that runs at the same time, either RevokeOwner revokes the family, or Create
// returns false, or Create began later. After an error RevokeOwner can be called again to
// revoke the remaining families.
func (s *tokens) RevokeOwner(ctx context.Context, now time.Time, owner, exceptFamily string, kinds ...stores.Kind) (int, error) {
	const what = "revoke families"
	families, err := s.families(ctx, what, owner, kinds)
	if err != nil {
		return 0, err
	}
	families = slices.DeleteFunc(families, func(family string) bool { return family == exceptFamily })
	n := 0
	for some := range slices.Chunk(families, batch) {
		revoked, err := s.revokeOf(ctx, what, now, owner, some, kinds)
		n += revoked
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// revokeOf revokes the families that have the owner and one of the given kinds, and returns
// how many were alive.
func (s *tokens) revokeOf(ctx context.Context, what string, now time.Time, owner string, families []string, kinds []stores.Kind) (int, error) {
	calls := make([]call, len(families))
	for i, family := range families {
		args := []any{nonce(), now.UnixMicro(), mark(now), forbidden.Milliseconds(), owner}
		for _, kind := range kinds {
			args = append(args, string(kind))
		}
		calls[i] = call{revokeTokens, []string{s.familyKey(family)}, args}
	}
	answers, err := s.runAll(ctx, what, calls)
	n := 0
	for _, got := range answers {
		if alive, _ := integers(what, got, 1); len(alive) > 0 && alive[0] > 0 {
			n++
		}
	}
	return n, err
}
