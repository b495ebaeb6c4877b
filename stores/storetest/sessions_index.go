package storetest

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// index returns the store as a stores.SessionIndex. It skips the rule if it is none.
func (s sessions) index() stores.SessionIndex {
	return capability[stores.SessionIndex](s.T, s.store, "stores.SessionIndex")
}

// owned creates a row with the given owner, who may be "", that was last seen the given
// time ago.
func (s sessions) owned(owner string, ago time.Duration) stores.Session {
	s.Helper()
	row := newSession()
	if owner != "" {
		row.Principals, row.Owners = "one", []string{owner}
	}
	row.LastSeen = row.LastSeen.Add(-ago)
	s.create(row)
	return row
}

// lists checks the rows that SessionsOf returns, and their order.
func (s sessions) lists(owner string, want ...stores.Session) {
	s.Helper()
	got, err := s.index().SessionsOf(s.Context(), owner, 1000)
	if err != nil || len(got) != len(want) {
		s.Fatalf("SessionsOf(%q) returns %d rows, error %v; want %d rows", owner, len(got), err, len(want))
	}
	for i := range want {
		if diff := diffSessions(got[i], want[i]); diff != "" {
			s.Errorf("SessionsOf(%q): row %d: %s", owner, i, diff)
		}
	}
}

// deletesOf calls DeleteSessionsOf and checks the number that it returns.
func (s sessions) deletesOf(owner, except string, want int) {
	s.Helper()
	n, err := s.index().DeleteSessionsOf(s.Context(), owner, except)
	if err != nil || n != want {
		s.Errorf("DeleteSessionsOf(%q, %q) = %d, error %v; want %d", owner, except, n, err, want)
	}
}

func sessionIndexList(s sessions) {
	s.index()
	second := s.owned("u1", 2*time.Minute)
	first := s.owned("u1", time.Minute)
	third := s.owned("u1", 3*time.Minute)
	stranger := s.owned("u2", 0)
	s.owned("", 0)
	s.lists("u1", first, second, third)
	s.lists("u2", stranger)
	s.lists("u3")

	third.LastSeen = present()
	s.updates(third.Row, stores.Delta{LastSeen: third.LastSeen}, stores.Updated)
	s.lists("u1", third, first, second)
}

func sessionIndexFollows(s sessions) {
	s.index()
	row := s.owned("", 0)
	everybody := []string{"u1", "u2", "u3"}
	for _, owners := range [][]string{{"u1"}, {"u2"}, {"u2", "u1"}, {"u1", "u2"}, {"u1", "u3"}, {"u3"}, {"u3", "u2", "u1"}, {"u1"}, {}} {
		d, after := withOwners(row, owners...)
		s.updates(row.Row, d, stores.Updated)
		row = after
		for _, owner := range everybody {
			if slices.Contains(owners, owner) {
				s.lists(owner, row)
			} else {
				s.lists(owner)
			}
		}
	}
	for _, owner := range everybody {
		s.deletesOf(owner, "", 0)
	}
	s.holds(row)
	d, row := withOwners(row, everybody...)
	s.updates(row.Row, d, stores.Updated)
	s.delete(row.Row)
	for _, owner := range everybody {
		s.lists(owner)
	}
}

func sessionIndexSeveral(s sessions) {
	s.index()
	shared := func(owners ...string) stores.Session {
		row := newSession()
		row.Principals, row.Owners = "several", owners
		s.create(row)
		return row
	}
	old, stranger := s.owned("u1", time.Hour), s.owned("u3", 0)
	both, again := shared("u1", "u2"), shared("u2", "u1")
	for i, owner := range both.Owners {
		list := []stores.Session{again, both}
		slices.SortFunc(list, func(a, b stores.Session) int { return b.LastSeen.Compare(a.LastSeen) })
		if i == 0 {
			list = append(list, old)
		}
		s.lists(owner, list...)
	}
	s.deletesOf("u2", both.Row, 1)
	s.missing(again.Row)
	s.lists("u2", both)
	s.lists("u1", both, old)
	s.deletesOf("u1", "", 2)
	s.lists("u2")
	s.deletesOf("u2", "", 0)
	for _, row := range []stores.Session{old, both} {
		s.missing(row.Row)
	}
	many := shared(manyOwners(stores.MaxOwners)...)
	for _, owner := range many.Owners {
		s.lists(owner, many)
	}
	s.deletesOf(many.Owners[stores.MaxOwners-1], "", 1)
	s.missing(many.Row)
	s.holds(stranger)
}

func sessionIndexDelete(s sessions) {
	s.index()
	stranger := s.owned("u2", 0)
	anonymous := s.owned("", 0)
	kept := s.owned("u1", 0)
	ended := []stores.Session{s.owned("u1", time.Minute), s.owned("u1", time.Hour)}

	s.deletesOf("u1", kept.Row, 2)
	for _, row := range ended {
		s.missing(row.Row)
	}
	s.lists("u1", kept)
	s.deletesOf("u1", kept.Row, 0)
	s.deletesOf("u1", stranger.Row, 1)
	s.missing(kept.Row)
	s.deletesOf("u1", "", 0)

	s.owned("u1", 0)
	s.owned("u1", 0)
	s.deletesOf("u1", "", 2)
	s.lists("u1")
	s.holds(stranger)
	s.holds(anonymous)
}

func sessionIndexOwners(s sessions) {
	index := s.index()
	row, shared := s.owned("alice", time.Minute), s.owned("bob", 0)
	d, shared := withOwners(shared, "bob", "alice")
	s.updates(shared.Row, d, stores.Updated)
	for _, owner := range append(strangers("alice"), "") {
		got, err := index.SessionsOf(s.Context(), owner, 1000)
		if err == nil && len(got) > 0 {
			s.Errorf("SessionsOf(%q) lists a row of alice", owner)
		}
		if n, err := index.DeleteSessionsOf(s.Context(), owner, ""); err == nil && n > 0 {
			s.Errorf("DeleteSessionsOf(%q) deleted a row of alice", owner)
		}
		s.holds(row)
		s.holds(shared)
	}
	// Owners that some comparisons consider equal are different owners.
	d, row = withOwners(row, "alice", "ALICE", "alice ")
	s.updates(row.Row, d, stores.Updated)
	s.lists("ALICE", row)
	s.lists("alice ", row)
	s.lists("alice", shared, row)
	s.deletesOf("alice", "", 2)
}

func sessionIndexExpired(s sessions) {
	s.index()
	row := newSession()
	row.Owners = []string{"u1"}
	row.LastSeen, row.Expires = row.Created, row.Created.Add(time.Minute)
	s.create(row)
	live := s.owned("u1", 0)
	if _, found, _ := s.store.Load(s.Context(), row.Row); found {
		s.lists("u1", live, row)
		return
	}
	s.lists("u1", live)
}

func sessionIndexRace(s sessions) {
	s.index()
	rows := make([]stores.Session, 20)
	parallel(len(rows), func(i int) {
		rows[i] = newSession()
		rows[i].LastSeen = rows[i].LastSeen.Add(-time.Duration(i) * time.Second)
		s.create(rows[i])
		d, after := withOwners(rows[i], []string{"u2", "u1"}[i%2:]...)
		s.updates(rows[i].Row, d, stores.Updated)
		rows[i] = after
	})
	slices.SortFunc(rows, func(a, b stores.Session) int { return b.LastSeen.Compare(a.LastSeen) })
	s.lists("u1", rows...)
	parallel(len(rows)+1, func(i int) {
		if i == len(rows) {
			s.deletesOf("u1", "", len(rows))
			return
		}
		s.update(rows[i].Row, stores.Delta{Set: set("color", "blue"), LastSeen: rows[i].LastSeen.Add(time.Hour)})
	})
	s.lists("u1")
	for _, row := range rows {
		s.missing(row.Row)
	}
}

// sessionIndexRaceSeveral adds and removes another owner of sessions of u1.
func sessionIndexRaceSeveral(s sessions) {
	s.index()
	var done atomic.Bool
	change := func(row stores.Session, times int) stores.Session {
		for i := 0; i < times && !done.Load(); i++ {
			d, after := withOwners(row, []string{"u2", "u1"}[i%2:]...)
			if s.update(row.Row, d) != stores.Updated {
				break
			}
			row = after
		}
		return row
	}
	row := s.owned("u1", 0)
	parallel(3, func(i int) {
		if i == 0 {
			row = change(row, rounds(20))
			done.Store(true)
			return
		}
		for !done.Load() {
			if got, err := s.index().SessionsOf(s.Context(), "u1", 1000); err != nil || len(got) != 1 {
				s.Errorf("SessionsOf returns %d rows, error %v, while another owner joins or leaves; want 1", len(got), err)
			}
		}
	})
	s.delete(row.Row)
	for range rounds(10) {
		row := s.owned("u1", 0)
		done.Store(false)
		parallel(2, func(i int) {
			if i == 0 {
				change(row, 10_000)
				return
			}
			defer done.Store(true)
			s.deletesOf("u1", "", 1)
			s.missing(row.Row)
		})
	}
}
