package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ginauth/ginauth/stores"
)

// SessionsOf implements stores.SessionIndex. If there are more rows than the limit, it
// returns those that got the owner last.
func (s *Sessions) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	if err := checked(ctx, limit); err != nil {
		return nil, err
	}
	var rows []stores.Session
	for _, key := range s.owners.newest(owner, limit) {
		sh := s.shard(key)
		sh.RLock()
		if r, found := sh.rows[key]; found && slices.Contains(r.principals.owners(), owner) {
			rows = append(rows, r.export(key.String()))
		}
		sh.RUnlock()
	}
	slices.SortFunc(rows, func(a, b stores.Session) int { return b.LastSeen.Compare(a.LastSeen) })
	return rows, nil
}

// CreateLimited implements stores.SessionLimit.
func (s *Sessions) CreateLimited(ctx context.Context, row stores.Session, limit int) ([]stores.EndedSession, error) {
	if err := checked(ctx, limit); err != nil {
		return nil, err
	}
	if err := s.Create(ctx, row); err != nil {
		return nil, err
	}
	return s.trim(row.Row, row.Owners, limit), nil
}

// UpdateLimited implements stores.SessionLimit.
func (s *Sessions) UpdateLimited(ctx context.Context, row string, d stores.Delta, limit int) (stores.Outcome, []stores.EndedSession, error) {
	if err := checked(ctx, limit); err != nil {
		return stores.Gone, nil, err
	}
	outcome, err := s.Update(ctx, row, d)
	if err != nil || outcome != stores.Updated || d.Principals == nil {
		return outcome, nil, err
	}
	return outcome, s.trim(row, d.Principals.Owners, limit), nil
}

func checked(ctx context.Context, limit int) error {
	if err := stores.CheckLimit(limit); err != nil {
		return fmt.Errorf("ginauth: memory store: %w", err)
	}
	return ended(ctx)
}

// trim ends the surplus rows of owners, but not the row that they just got.
func (s *Sessions) trim(row string, owners []string, limit int) (gone []stores.EndedSession) {
	kept, _ := parseID(row)
	for _, owner := range owners {
		if !s.owners.exceeds(owner, limit) {
			continue
		}
		for _, key := range s.trimOwner(kept, owner, limit) {
			gone = append(gone, stores.EndedSession{Row: key.String(), Owner: owner})
		}
	}
	return gone
}

// trimOwner ends the surplus rows of one owner. Calls for one owner run one after the
// other, so that each counts what the former one left.
func (s *Sessions) trimOwner(kept id, owner string, limit int) (gone []id) {
	turn := &s.trims[s.owners.shard(owner)]
	turn.Lock()
	defer turn.Unlock()
	type use struct {
		id   id
		seen int64
	}
	var uses []use
	for _, key := range s.owners.oldest(owner, limit+stores.MaxEnded) {
		sh := s.shard(key)
		sh.RLock()
		switch r, found := sh.rows[key]; {
		case found && key == kept:
			limit-- // it counts, and stays
		case found:
			uses = append(uses, use{key, r.lastSeen})
		}
		sh.RUnlock()
	}
	slices.SortFunc(uses, func(a, b use) int {
		return cmp.Or(cmp.Compare(a.seen, b.seen), bytes.Compare(a.id[:], b.id[:]))
	})
	for _, u := range uses[:min(max(len(uses)-limit, 0), stores.MaxEnded)] {
		if s.dropOf(u.id, owner) {
			gone = append(gone, u.id)
		}
	}
	return gone
}

// dropOf deletes a row if it has the owner.
func (s *Sessions) dropOf(key id, owner string) bool {
	sh := s.shard(key)
	sh.Lock()
	defer sh.Unlock()
	r, found := sh.rows[key]
	if !found || !slices.Contains(r.principals.owners(), owner) {
		return false
	}
	s.drop(sh, r)
	return true
}
