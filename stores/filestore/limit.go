package filestore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ginauth/ginauth/stores"
)

// SessionsOf implements stores.SessionIndex. It orders rows that were last seen at the
// same time by their names. If there are more rows than the limit, it returns those that
// were last seen. It keeps no more than these in memory.
func (s *Sessions) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	if err := s.beginLimited(ctx, limit); err != nil {
		return nil, err
	}
	rows, err := s.marked(owner)
	if err != nil {
		return nil, wrap(err)
	}
	var list []stores.Session
	err = s.eachOf(ctx, owner, rows, func(session stores.Session) {
		at, _ := slices.BinarySearchFunc(list, session, laterSeen)
		if list = slices.Insert(list, at, session); len(list) > limit {
			list = list[:limit]
		}
	})
	if err != nil {
		return nil, wrap(err)
	}
	return list, nil
}

// laterSeen orders sessions by when they were last seen, the latest first.
func laterSeen(a, b stores.Session) int {
	return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(a.Row, b.Row))
}

// eachOf calls f with those of the rows that have the owner.
func (s *Sessions) eachOf(ctx context.Context, owner string, rows []rowName, f func(stores.Session)) error {
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		session, found, err := s.read(row)
		if err != nil {
			return err
		}
		if found && slices.Contains(session.Owners, owner) {
			f(session)
		}
	}
	return nil
}

func (s *Sessions) beginLimited(ctx context.Context, limit int) error {
	if err := stores.CheckLimit(limit); err != nil {
		return wrap(err)
	}
	return s.begin(ctx)
}

// CreateLimited implements stores.SessionLimit.
func (s *Sessions) CreateLimited(ctx context.Context, row stores.Session, limit int) ([]stores.EndedSession, error) {
	if err := s.beginLimited(ctx, limit); err != nil {
		return nil, err
	}
	if err := s.Create(ctx, row); err != nil {
		return nil, err
	}
	return s.trim(ctx, row.Row, row.Owners, limit)
}

// UpdateLimited implements stores.SessionLimit.
func (s *Sessions) UpdateLimited(ctx context.Context, row string, d stores.Delta, limit int) (stores.Outcome, []stores.EndedSession, error) {
	if err := s.beginLimited(ctx, limit); err != nil {
		return stores.Gone, nil, err
	}
	outcome, err := s.Update(ctx, row, d)
	if err != nil || outcome != stores.Updated || d.Principals == nil {
		return outcome, nil, err
	}
	gone, err := s.trim(ctx, row, d.Principals.Owners, limit)
	return outcome, gone, err
}

// trim ends the surplus rows of owners, but not the row that they just got.
func (s *Sessions) trim(ctx context.Context, row string, owners []string, limit int) (gone []stores.EndedSession, err error) {
	for _, owner := range owners {
		rows, err := s.marked(owner)
		if err == nil && len(rows) > limit {
			rows, err = s.trimOwner(ctx, row, owner, limit)
			for _, name := range rows {
				gone = append(gone, stores.EndedSession{Row: string(name), Owner: owner})
			}
		}
		if err != nil {
			return gone, wrap(err)
		}
	}
	return gone, nil
}

// trimOwner ends the surplus rows of one owner. Calls for one owner run one after the
// other, so that each counts what the former one left. The lock of an owner is taken
// before the lock of a row, never the other way round.
func (s *Sessions) trimOwner(ctx context.Context, kept, owner string, limit int) (gone []rowName, err error) {
	shard, _ := markerOf(owner)
	unlock, err := s.trims.lock(ctx, shard)
	if err != nil {
		return nil, err
	}
	defer unlock()
	rows, err := s.marked(owner)
	if err != nil {
		return nil, err
	}
	surplus, err := s.surplus(ctx, kept, owner, limit, rows)
	if err != nil {
		return nil, err
	}
	for _, row := range surplus {
		existed, err := s.deleteOwned(ctx, row, owner)
		if err != nil {
			return gone, err
		}
		if existed {
			gone = append(gone, row)
		}
	}
	return gone, nil
}

// surplus returns those of the rows that the owner has too many of, at most
// stores.MaxEnded.
func (s *Sessions) surplus(ctx context.Context, kept, owner string, limit int, rows []rowName) ([]rowName, error) {
	var others []stores.Session // without values
	err := s.eachOf(ctx, owner, rows, func(session stores.Session) {
		if session.Row == kept {
			limit-- // it counts, and stays
			return
		}
		others = append(others, stores.Session{Row: session.Row, LastSeen: session.LastSeen})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(others, laterSeen)
	var surplus []rowName
	for _, other := range slices.Backward(others[min(limit, len(others)):]) {
		if len(surplus) < stores.MaxEnded {
			surplus = append(surplus, rowName(other.Row))
		}
	}
	return surplus, nil
}
