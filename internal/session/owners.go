package session

import (
	"context"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/stores"
)

// maxListed is how many sessions of a user are listed where their number has no limit.
const maxListed = 1000

// limit makes the store limit the sessions of the users whom this request logged in. A login of
// a user who has the session already makes it no more sessions.
func (s *Session) limit() {
	if s.next == nil || len(s.made) == 0 {
		return
	}
	for _, owner := range s.who.owners(s.e.cfg.Realms) {
		if !slices.Contains(s.row.Owners, owner) {
			s.next.limit = s.e.cfg.MaxPerUser
		}
	}
}

// reportEnded dispatches the events of the sessions that ended because a user has too many.
// The request may have failed since, but they have ended nevertheless.
func (s *Session) reportEnded(ctx context.Context) {
	s.mu.Lock()
	ended, who := s.next.ended, s.who
	s.next.ended = nil
	s.mu.Unlock()
	if s.r == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for _, e := range ended {
		for _, l := range who {
			if realm.OwnerName(s.e.cfg.Realms[l.guard], l.UserID) == e.Owner {
				s.r.Dispatch(ctx, events.SessionEvicted{Meta: s.r.Meta(l.guard, l.UserID), SessionID: e.Row})
				break
			}
		}
	}
}

// Of returns rows of an owner, the most recently seen first: at most as many as a user may
// have. It returns none if the store does not index owners.
func (e *Engine) Of(ctx context.Context, owner string) ([]stores.Session, error) {
	if e.index == nil {
		return nil, nil
	}
	limit := e.cfg.MaxPerUser
	if limit == 0 {
		limit = maxListed
	}
	rows, err := e.index.SessionsOf(ctx, owner, limit)
	return rows, autherr.Unavailable("list sessions", err)
}

// EndOf ends the logins of an owner in all sessions except one. It does nothing if the store
// does not index owners.
//
// A session in which other users are logged in goes on without the owner, and without the
// values that were written under the owner's login. All other sessions end, as do sessions
// beyond the number that Of returns, and those that change at the same time.
func (e *Engine) EndOf(ctx context.Context, owner, exceptRow string) error {
	if e.index == nil {
		return nil
	}
	if len(e.cfg.Realms) > 1 {
		rows, err := e.Of(ctx, owner)
		if err != nil {
			return err
		}
		for i := range rows {
			if row := &rows[i]; row.Row != exceptRow && Shared(row) {
				if err := e.endIn(ctx, row, owner); err != nil {
					return err
				}
			}
		}
	}
	_, err := e.index.DeleteSessionsOf(ctx, owner, exceptRow)
	return err
}

// EndSeries ends the logins of an owner that belong to a series of remember-me tokens and began
// before a time.
func (e *Engine) EndSeries(ctx context.Context, owner, series string, before time.Time) error {
	rows, err := e.Of(ctx, owner)
	if err != nil {
		return err
	}
	for i := range rows {
		who, _ := parsePrincipals(rows[i].Principals, nil)
		if !slices.ContainsFunc(who, func(l principal) bool { return l.Series == series && l.At.Before(before) }) {
			continue
		}
		if err := e.endIn(ctx, &rows[i], owner); err != nil {
			return autherr.Unavailable("end session", err)
		}
	}
	return nil
}

// Shared reports whether several users are logged in in a session.
func Shared(row *stores.Session) bool { return len(row.Owners) > 1 }

// End ends the login of an owner in a row that Of returned, or the row if nobody else is logged
// in in it.
func (e *Engine) End(ctx context.Context, row, owner string) error {
	if e.sessions == nil {
		return nil
	}
	stored, found, err := e.sessions.Load(ctx, row)
	if err != nil || !found || !slices.Contains(stored.Owners, owner) {
		return err
	}
	return e.endIn(ctx, &stored, owner)
}

// endIn ends the login of an owner in a session. The session keeps its id: who is logged in
// only becomes less. The new generation refuses what requests of the owner write late.
func (e *Engine) endIn(ctx context.Context, row *stores.Session, owner string) error {
	for range 5 { // another try if the session has changed since it was loaded
		others, err := e.others(row, owner)
		if err != nil || len(others) == 0 {
			break
		}
		d := stores.Delta{
			Generation: row.Generation, Remove: others.hidden(row.Values),
			Principals: &stores.Principals{
				Data: others.encode(), Owners: others.owners(e.cfg.Realms), Generation: row.Generation + 1,
			},
			Rename: &stores.Rename{Old: row.Digest, New: row.Digest, At: e.env.Now()},
		}
		outcome, err := e.sessions.Update(ctx, row.Row, d)
		if err != nil || outcome == stores.Updated || outcome == stores.Gone {
			return err
		}
		now, found, err := e.sessions.Load(ctx, row.Row)
		if err != nil || !found || !slices.Contains(now.Owners, owner) {
			return err
		}
		row = &now
	}
	// Also a row that cannot be read, or keeps changing, must not stay the owner's.
	_, err := e.sessions.Delete(ctx, row.Row)
	return err
}

// others returns the living logins in a row of users other than the owner.
func (e *Engine) others(row *stores.Session, owner string) (principals, error) {
	who, err := parsePrincipals(row.Principals, nil)
	var others principals
	for _, l := range e.living(who) {
		if realm.OwnerName(e.cfg.Realms[l.guard], l.UserID) != owner {
			others = append(others, l)
		}
	}
	return others, err
}
