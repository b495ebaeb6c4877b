package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

// An overfull index has more entries than its owner may have.
type overfull struct {
	owner string
	// until is the entry's of the row that was just listed.
	until int64
	// entries are those that were listed longest ago, each followed by its score.
	entries []any
}

// inFlight is how long after its entry in an index a row exists at the latest. The entry of
// a row that is being created must stay.
const inFlight = time.Minute

// CreateLimited implements stores.SessionLimit. It takes no more round trips than Create if
// the owner has no surplus. The size of the index counts, in which entries of rows that have
// ended may be left. They are removed first.
func (s *sessions) CreateLimited(ctx context.Context, n stores.Session, limit int) ([]stores.EndedSession, error) {
	if err := checkLimit("create session", limit); err != nil {
		return nil, err
	}
	over, err := s.create(ctx, n, limit)
	if err != nil {
		return nil, err
	}
	return s.trim(ctx, n.Row, over, limit)
}

// UpdateLimited implements stores.SessionLimit. It takes no more round trips than Update if
// the owner has no surplus.
func (s *sessions) UpdateLimited(
	ctx context.Context, row string, d stores.Delta, limit int,
) (stores.Outcome, []stores.EndedSession, error) {
	if err := checkLimit("update session", limit); err != nil {
		return stores.Gone, nil, err
	}
	if d.Principals == nil {
		limit = 0
	}
	outcome, over, err := s.update(ctx, row, d, limit)
	if err != nil || outcome != stores.Updated {
		return outcome, nil, err
	}
	gone, err := s.trim(ctx, row, over, limit)
	return outcome, gone, err
}

// trim ends surplus rows of the owners of a row.
//
// The rows of an owner may be on several servers of a cluster, so that no script can read
// all of them. Therefore trim reads them, and a script on the index decides how many of
// them are still surplus. Each call that found a surplus removes at least its own entry
// while there is one. So of any number of parallel calls, exactly limit entries stay.
func (s *sessions) trim(ctx context.Context, row string, over []overfull, limit int) (gone []stores.EndedSession, err error) {
	const what = "end surplus sessions"
	for _, o := range over {
		candidates, err := s.candidates(ctx, what, row, o)
		if err != nil {
			return gone, err
		}
		got, err := s.run(ctx, what, trimSessions, []string{s.ownerKey(o.owner)}, append([]any{limit}, toAny(candidates)...)...)
		if err != nil {
			return gone, err
		}
		removed, _ := got.([]any)
		rows := make([]string, len(removed))
		for i := range removed {
			rows[i] = textAt(got, i)
		}
		deleted, listed, err := s.deleteOf(ctx, what, o.owner, rows)
		delete(listed, o.owner) // the script removed the entries
		s.unlist(ctx, listed)
		for _, name := range deleted {
			gone = append(gone, stores.EndedSession{Row: name, Owner: o.owner})
		}
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

// candidates returns the entries that may be removed, in this order: those of rows that have
// ended, the others by when they were last seen, and the row that was just listed.
func (s *sessions) candidates(ctx context.Context, what, own string, o overfull) ([]string, error) {
	if ctx.Err() != nil {
		return nil, fault(ctx, what, ctx.Err())
	}
	pipe := s.client.Pipeline()
	type use struct {
		row   string
		seen  int64 // 0 if the row has ended
		until int64
		cmd   *redis.StringCmd
	}
	var uses []use
	for i := 0; i+1 < len(o.entries); i += 2 {
		row, _ := o.entries[i].(string)
		score, _ := o.entries[i+1].(string)
		until, _ := strconv.ParseFloat(score, 64)
		if row != own {
			uses = append(uses, use{row: row, until: int64(until), cmd: pipe.HGet(ctx, s.rowKey(row), changing)})
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var kept []use
	for _, u := range uses {
		text, err := u.cmd.Result()
		switch {
		case err == redis.Nil && u.until > o.until-inFlight.Microseconds():
			continue
		case err != nil && err != redis.Nil:
			return nil, fault(ctx, what, err)
		}
		u.seen = seenIn(text)
		kept = append(kept, u)
	}
	slices.SortFunc(kept, func(a, b use) int { return cmp.Or(cmp.Compare(a.seen, b.seen), cmp.Compare(a.row, b.row)) })
	rows := make([]string, 0, len(kept)+1)
	for _, u := range kept {
		rows = append(rows, u.row)
	}
	return append(rows, own), nil
}
