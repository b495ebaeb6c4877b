package memstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Rotate implements stores.Tokens. It returns stores.ErrFull if the store is full and
// no token has expired and no family was revoked, and stores.ErrExists if a token has the child's id. Neither
// changes the parent.
func (s *Tokens) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (stores.Rotated, error) {
	if err := ended(ctx); err != nil {
		return stores.RotateDead, err
	}
	from, ok := parseKey(child.Family, parent)
	if !ok {
		return stores.RotateDead, nil
	}
	to, ok := parseKey(child.Family, child.ID)
	if !ok {
		return stores.RotateDead, fmt.Errorf("%w: token %.40q", errName, child.ID)
	}
	for {
		rotated, room, err := s.tryRotate(now, from, to, child)
		if room {
			return rotated, err
		}
		if !s.makeRoom(micros(s.now())) {
			return stores.RotateDead, s.errFull()
		}
	}
}

// tryRotate rotates a token, unless there is no room for its child.
func (s *Tokens) tryRotate(now time.Time, from, to tokenKey, child stores.Token) (r stores.Rotated, room bool, err error) {
	sh := s.shard(from.family)
	sh.Lock()
	defer sh.Unlock()
	t, found := sh.find(from)
	switch {
	case !found || !t.family.alive(now):
		return stores.RotateDead, true, nil
	case t.consumed != 0:
		return stores.RotateUsed, true, nil
	case t.ends() <= micros(now):
		return stores.RotateDead, true, nil
	}
	if _, exists := sh.member(t.family, to); exists {
		return stores.RotateDead, true, fmt.Errorf("%w: token", stores.ErrExists)
	}
	if !reserve(&s.tokens, 1, s.max) {
		return stores.RotateDead, false, nil
	}
	s.dropConsumed(sh, t.family)
	t.consumed = mark(now)
	sh.add(to, t.family, child)
	return stores.RotateDone, true, nil
}

// dropConsumed deletes the consumed tokens of a family.
func (s *Tokens) dropConsumed(sh *tokenShard, f *family) {
	for t := f.first; t != nil; {
		next := t.next
		if t.consumed != 0 {
			s.drop(sh, t)
		}
		t = next
	}
}

// RevokeFamily implements stores.Tokens.
func (s *Tokens) RevokeFamily(ctx context.Context, now time.Time, family string) (bool, error) {
	if err := ended(ctx); err != nil {
		return false, err
	}
	key, ok := parseID(family)
	if !ok {
		return false, nil
	}
	sh := s.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f, found := sh.families[key]
	return found && sh.revoke(f, now), nil
}

// RevokeOwner implements stores.Tokens.
func (s *Tokens) RevokeOwner(ctx context.Context, now time.Time, owner, exceptFamily string, kinds ...stores.Kind) (int, error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	except, named := parseID(exceptFamily)
	n := 0
	for _, key := range s.owners.members(owner) {
		if named && key == except {
			continue
		}
		sh := s.shard(key)
		sh.Lock()
		if f, found := sh.families[key]; found && f.member.owner[0] == owner && among(f.kind.Value(), kinds) && sh.revoke(f, now) {
			n++
		}
		sh.Unlock()
	}
	return n, nil
}

// among reports whether kind is one of kinds. An empty list stands for all kinds.
func among(kind stores.Kind, kinds []stores.Kind) bool {
	return len(kinds) == 0 || slices.Contains(kinds, kind)
}

// TokensOf implements stores.Tokens.
func (s *Tokens) TokensOf(ctx context.Context, owner string, limit int, kinds ...stores.Kind) ([]stores.Token, error) {
	if err := checked(ctx, limit); err != nil {
		return nil, err
	}
	var tokens []stores.Token
	for _, key := range s.owners.listed(owner) { // the family that was created last comes first
		if tokens = s.appendUnused(tokens, key, owner, kinds); len(tokens) >= limit {
			break
		}
	}
	slices.SortFunc(tokens, func(a, b stores.Token) int { return b.Created.Compare(a.Created) })
	return tokens[:min(limit, len(tokens))], nil
}

// appendUnused appends the tokens of a family that belong to the owner and are not
// consumed. It appends nothing if the family is revoked.
func (s *Tokens) appendUnused(to []stores.Token, key id, owner string, kinds []stores.Kind) []stores.Token {
	sh := s.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f, found := sh.families[key]
	if !found || f.revoked != 0 {
		return to
	}
	for t := f.first; t != nil; t = t.next {
		if t.consumed == 0 && t.owner == owner && among(t.kind.Value(), kinds) {
			to = append(to, t.export(key.String(), t.id.String()))
		}
	}
	return to
}

// Prune implements stores.Pruner. It counts deleted tokens and deleted families.
func (s *Tokens) Prune(ctx context.Context, now time.Time) (int, error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	return s.prune(micros(now)), nil
}

func (s *Tokens) prune(now int64) int {
	n := 0
	for i := range s.shards {
		n += s.pruneShard(&s.shards[i], now)
	}
	return n
}

// makeRoom deletes the expired records of the first shard that has any, or else a family that
// was revoked. It reports whether there may be room now.
func (s *Tokens) makeRoom(now int64) bool {
	for i := range s.shards {
		if s.pruneShard(&s.shards[i], now) > 0 {
			return true
		}
	}
	return s.dropRevoked()
}

// pruneShard deletes the expired records of a shard, and returns their number.
func (s *Tokens) pruneShard(sh *tokenShard, now int64) int {
	if sh.firstExpiry.Load() > now {
		return 0
	}
	sh.Lock()
	defer sh.Unlock()
	n := 0
	// No member expires after its family, so a family that has expired has no
	// members left.
	for ; sh.expiring.first() <= now; n++ {
		s.drop(sh, sh.expiring.items[0])
	}
	for ; sh.ending.first() <= now; n++ {
		s.dropFamily(sh, sh.ending.items[0])
	}
	sh.publish()
	return n
}

// drop deletes a token.
func (s *Tokens) drop(sh *tokenShard, t *token) {
	sh.expiring.remove(t)
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		t.family.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	s.tokens.Add(-1)
	if t != &t.family.root {
		delete(sh.others, tokenKey{t.family.id, t.id})
		return
	}
	// The family keeps the memory of its first token. The abilities stay as they
	// are, because Find may have returned them.
	t.family, t.prev, t.next, t.owner, t.name, t.data = nil, nil, nil, "", "", nil
}
