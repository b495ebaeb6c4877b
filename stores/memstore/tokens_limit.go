package memstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// CreateLimited implements stores.TokenLimit. Calls for one owner run one after the other, so
// that each counts what the former one left. If the store is full, families of the owner that
// have ended make room.
func (s *Tokens) CreateLimited(
	ctx context.Context, now time.Time, t stores.Token, limit stores.FamilyLimit,
) (created bool, ended []string, err error) {
	if err := limit.Check(); err != nil {
		return false, nil, fmt.Errorf("ginauth: memory store: %w", err)
	}
	key, _ := parseID(t.Family) // Create reports a name that is none
	turn := &s.turns[s.owners.shard(t.Owner)]
	turn.Lock()
	defer turn.Unlock()
	if limit.Refuse && s.owners.exceeds(t.Owner, limit.Families-1) {
		if _, living := s.familiesOf(now, t, key); len(living) >= limit.Families {
			return false, nil, fmt.Errorf("%w: %d of kind %s", stores.ErrLimit, len(living), t.Kind)
		}
	}
	created, err = s.Create(ctx, t)
	if errors.Is(err, stores.ErrFull) {
		if gone, _ := s.familiesOf(now, t, key); len(gone) > 0 {
			s.dropAll(gone)
			created, err = s.Create(ctx, t)
		}
	}
	if err != nil || !created || !s.owners.exceeds(t.Owner, limit.Families) {
		return created, nil, err
	}
	return true, s.trim(now, t, key, limit.Families), nil
}

// listed is a family in a list.
type listed struct {
	id      id
	alive   bool
	expires int64
}

// compareSurplus orders families by which of them is deleted first.
func compareSurplus(a, b listed) int {
	switch {
	case a.alive != b.alive && b.alive:
		return -1
	case a.alive != b.alive:
		return 1
	}
	return cmp.Or(cmp.Compare(a.expires, b.expires), bytes.Compare(a.id[:], b.id[:]))
}

// trim deletes the surplus families of the owner and the kind of a token that was just stored,
// and returns those that were alive. Usually one is too many, which is found without memory.
func (s *Tokens) trim(now time.Time, t stores.Token, own id, limit int) (ended []string) {
	var room [128]id
	var first [1]listed
	n := 0
	for _, key := range s.owners.appendTo(room[:0], t.Owner) {
		f, ok := s.familyOf(now, key, t)
		if !ok {
			continue
		}
		if n++; key != own && (first[0] == listed{} || compareSurplus(f, first[0]) < 0) {
			first[0] = f
		}
	}
	switch n -= limit; {
	case n <= 0 || first[0] == listed{}:
		return nil
	case n == 1:
		return s.dropAll(first[:])
	}
	gone, living := s.familiesOf(now, t, own)
	all := append(gone, living...)
	return s.dropAll(all[:min(n, len(all), stores.MaxEnded)])
}

// familyOf returns a family if it has the owner and the kind of a token.
func (s *Tokens) familyOf(now time.Time, key id, t stores.Token) (listed, bool) {
	sh := s.shard(key)
	sh.Lock()
	defer sh.Unlock()
	f, found := sh.families[key]
	if !found || f.kind.Value() != t.Kind || f.member.owner[0] != t.Owner {
		return listed{}, false
	}
	return listed{key, f.alive(now), f.expires}, true
}

// familiesOf returns the other families of the owner and the kind of a token, those that have
// ended and those that are alive, in the order in which they are deleted.
func (s *Tokens) familiesOf(now time.Time, t stores.Token, except id) (ended, living []listed) {
	for _, key := range s.owners.members(t.Owner) {
		switch f, ok := s.familyOf(now, key, t); {
		case !ok || key == except:
		case f.alive:
			living = append(living, f)
		default:
			ended = append(ended, f)
		}
	}
	slices.SortFunc(ended, compareSurplus)
	slices.SortFunc(living, compareSurplus)
	return ended, living
}

// dropAll deletes families and returns those that were alive.
func (s *Tokens) dropAll(families []listed) (ended []string) {
	for _, l := range families {
		sh := s.shard(l.id)
		sh.Lock()
		if f, found := sh.families[l.id]; found {
			s.dropFamily(sh, f)
			sh.publish()
			if l.alive {
				ended = append(ended, l.id.String())
			}
		}
		sh.Unlock()
	}
	return ended
}

// dropFamily deletes a family with its tokens.
func (s *Tokens) dropFamily(sh *tokenShard, f *family) {
	for t := f.first; t != nil; {
		next := t.next
		s.drop(sh, t)
		t = next
	}
	sh.ending.remove(f)
	delete(sh.families, f.id)
	s.owners.remove(&f.member)
	s.families.Add(-1)
}

// noteRevoked records that a family was revoked, for dropRevoked. Families that are gone since
// are left out when they are many.
func (sh *tokenShard) noteRevoked(key id) {
	if len(sh.revoked) > 2*len(sh.families)+64 {
		sh.revoked = slices.DeleteFunc(sh.revoked, func(key id) bool {
			_, found := sh.families[key]
			return !found
		})
	}
	sh.revoked = append(sh.revoked, key)
}

// dropRevoked deletes one family that was revoked, because the store is full. It reports whether
// there was one. A family that is unknown has ended as well.
func (s *Tokens) dropRevoked() bool {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.Lock()
		for n := len(sh.revoked); n > 0; n = len(sh.revoked) {
			f, found := sh.families[sh.revoked[n-1]]
			sh.revoked = sh.revoked[:n-1]
			if found && f.revoked != 0 {
				s.dropFamily(sh, f)
				sh.publish()
				sh.Unlock()
				return true
			}
		}
		sh.Unlock()
	}
	return false
}
