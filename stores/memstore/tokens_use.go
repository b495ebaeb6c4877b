package memstore

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Find implements stores.Tokens.
func (s *Tokens) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	if err := ended(ctx); err != nil {
		return stores.Token{}, false, err
	}
	var found stores.Token
	ok := s.with(family, id, func(t *token) bool {
		found = t.export(family, id)
		return true
	})
	return found, ok, nil
}

// Lives implements stores.Tokens.
func (s *Tokens) Lives(ctx context.Context, now time.Time, families ...string) ([]stores.Life, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	lives := make([]stores.Life, len(families))
	for i, family := range families {
		if key, ok := parseID(family); ok {
			lives[i] = s.life(key, now)
		}
	}
	return lives, nil
}

func (s *Tokens) life(family id, now time.Time) stores.Life {
	sh := s.shard(family)
	sh.Lock()
	defer sh.Unlock()
	f, found := sh.families[family]
	switch {
	case !found:
		return stores.Unknown
	case f.alive(now):
		return stores.Alive
	}
	return stores.Ended
}

// Family implements stores.Tokens.
func (s *Tokens) Family(ctx context.Context, now time.Time, family string) (stores.Family, bool, error) {
	if err := ended(ctx); err != nil {
		return stores.Family{}, false, err
	}
	key, ok := parseID(family)
	if !ok {
		return stores.Family{}, false, nil
	}
	sh := s.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f, ok := sh.families[key]
	if !ok {
		return stores.Family{}, false, nil
	}
	found := stores.Family{Kind: f.kind.Value(), Owner: f.member.owner[0], Alive: f.alive(now)}
	for t := f.first; t != nil && found.Alive && !found.Usable; t = t.next {
		found.Usable = t.consumed == 0 && t.ends() > micros(now)
	}
	return found, true, nil
}

// Consume implements stores.Tokens.
func (s *Tokens) Consume(ctx context.Context, now time.Time, family, id string) (bool, error) {
	if err := ended(ctx); err != nil {
		return false, err
	}
	return s.with(family, id, func(t *token) bool {
		if t.consumed != 0 || t.ends() <= micros(now) || !t.family.alive(now) {
			return false
		}
		t.consumed = mark(now)
		return true
	}), nil
}

// Touch implements stores.Tokens.
func (s *Tokens) Touch(ctx context.Context, now time.Time, family, id string) error {
	if err := ended(ctx); err != nil {
		return err
	}
	s.with(family, id, func(t *token) bool {
		t.lastUsed = micros(now)
		return true
	})
	return nil
}

// MarkDelivered implements stores.Tokens: it records when a response first carried the token.
func (s *Tokens) MarkDelivered(ctx context.Context, now time.Time, family, id string) error {
	if err := ended(ctx); err != nil {
		return err
	}
	s.with(family, id, func(t *token) bool {
		if t.delivered == 0 {
			t.delivered = mark(now)
		}
		return true
	})
	return nil
}

// with calls f with a token while its family is locked, and returns the result of f.
// It returns false if there is no such token.
func (s *Tokens) with(family, id string, f func(*token) bool) bool {
	key, ok := parseKey(family, id)
	if !ok {
		return false
	}
	sh := s.shard(key.family)
	sh.Lock()
	defer sh.Unlock()
	t, found := sh.find(key)
	return found && f(t)
}
