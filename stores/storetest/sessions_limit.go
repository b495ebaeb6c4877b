package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var sessionLimits = []rule[sessions]{
	{"index-limit", "SessionsOf returns at most as many rows as it is asked for, and refuses a limit below 1.", sessionIndexLimit},
	{"limit-create", "CreateLimited ends the owner's least recently seen rows and reports them. Other owners' rows stay.", sessionLimitCreate},
	{"limit-update", "UpdateLimited ends the rows that a new owner has too many of, and none if no row gets an owner.", sessionLimitUpdate},
	{"limit-several", "Each owner of a row is limited. A row that ends is gone for all of its owners.", sessionLimitSeveral},
	{"limit-refused", "A call that stores nothing ends nothing: the row exists, is gone, stale or replaced, or the limit is below 1.", sessionLimitRefused},
	{"limit-surplus", "A surplus from before there was a limit ends, at most MaxEnded rows in one call.", sessionLimitSurplus},
	{"race-session-limit", "Of any number of rows that get an owner in parallel, exactly as many stay as the limit says.", sessionLimitRace},
}

func (s sessions) limited() stores.SessionLimit {
	return capability[stores.SessionLimit](s.T, s.store, "stores.SessionLimit")
}

// createsLimited creates a row with a limit and checks which rows that ends.
func (s sessions) createsLimited(row stores.Session, limit int, want ...stores.EndedSession) {
	s.Helper()
	ended, err := s.limited().CreateLimited(s.Context(), row, limit)
	if err != nil || !slices.Equal(ended, want) {
		s.Errorf("CreateLimited ends %v, error %v; want %v", ended, err, want)
	}
}

// updatesLimited updates a row with a limit and checks which rows that ends.
func (s sessions) updatesLimited(row string, d stores.Delta, limit int, outcome stores.Outcome, want ...stores.EndedSession) {
	s.Helper()
	got, ended, err := s.limited().UpdateLimited(s.Context(), row, d, limit)
	if err != nil || got != outcome || !slices.Equal(ended, want) {
		s.Errorf("UpdateLimited = %v, ends %v, error %v; want %v, %v", got, ended, err, outcome, want)
	}
}

// of returns a new row with owners.
func of(owners ...string) stores.Session {
	row := newSession()
	row.Principals, row.Owners = "of", owners
	return row
}

func sessionIndexLimit(s sessions) {
	index := s.index()
	for i := range 5 {
		s.owned("u1", time.Duration(i)*time.Minute)
	}
	for limit, want := range map[int]int{1: 1, 3: 3, 5: 5, 6: 5} {
		if got, err := index.SessionsOf(s.Context(), "u1", limit); err != nil || len(got) != want {
			s.Errorf("SessionsOf with limit %d returns %d rows, error %v; want %d", limit, len(got), err, want)
		}
	}
	for _, limit := range []int{0, -1} {
		if got, err := index.SessionsOf(s.Context(), "u1", limit); err == nil || len(got) > 0 {
			s.Errorf("SessionsOf with limit %d returns %d rows, want an error", limit, len(got))
		}
	}
}

func sessionLimitCreate(s sessions) {
	s.limited()
	stranger, anonymous := s.owned("u2", 4*time.Hour), s.owned("", 4*time.Hour)
	middle, oldest, newest := s.owned("u1", 2*time.Minute), s.owned("u1", 3*time.Minute), s.owned("u1", time.Minute)
	row, next := of("u1"), of("u1")
	s.createsLimited(row, 4)
	next.LastSeen = next.LastSeen.Add(time.Minute)
	s.createsLimited(next, 4, stores.EndedSession{Row: oldest.Row, Owner: "u1"})
	s.missing(oldest.Row)
	s.lists("u1", next, row, newest, middle)
	s.createsLimited(newSession(), 1)
	s.createsLimited(of("u3"), 1)
	// Neither does a row of its own that was seen later than the new one make it end.
	later := of("u4")
	later.LastSeen = later.LastSeen.Add(time.Hour)
	s.create(later)
	s.createsLimited(of("u4"), 1, stores.EndedSession{Row: later.Row, Owner: "u4"})
	for _, kept := range []stores.Session{stranger, anonymous, middle, newest, row, next} {
		s.holds(kept)
	}
}

func sessionLimitUpdate(s sessions) {
	s.limited()
	oldest, newer := s.owned("u1", 2*time.Minute), s.owned("u1", time.Minute)
	anonymous, replaced := s.owned("", 0), s.owned("u2", 0)

	s.updatesLimited(anonymous.Row, stores.Delta{Set: set("a", "1"), LastSeen: present()}, 1, stores.Updated)
	// A login of an owner who has the row already makes it no more rows.
	d, oldest := withOwners(oldest, "u1")
	s.updatesLimited(oldest.Row, d, 2, stores.Updated)
	s.lists("u1", newer, oldest)

	d, _ = withOwners(anonymous, "u1")
	d.LastSeen = present()
	s.updatesLimited(anonymous.Row, d, 2, stores.Updated, stores.EndedSession{Row: oldest.Row, Owner: "u1"})
	s.missing(oldest.Row)
	d, _ = withOwners(replaced, "u1")
	d.LastSeen = present()
	s.updatesLimited(replaced.Row, d, 2, stores.Updated, stores.EndedSession{Row: newer.Row, Owner: "u1"})
	s.lists("u2")
	if got, err := s.index().SessionsOf(s.Context(), "u1", 10); err != nil || len(got) != 2 {
		s.Errorf("SessionsOf returns %d rows, error %v; want 2", len(got), err)
	}
}

func sessionLimitSeveral(s sessions) {
	s.limited()
	shared := of("u1", "u2")
	shared.LastSeen = shared.LastSeen.Add(-time.Minute)
	s.create(shared)
	first := s.owned("u3", 2*time.Minute)
	row := of("u3", "u2")
	s.createsLimited(row, 1, stores.EndedSession{Row: first.Row, Owner: "u3"}, stores.EndedSession{Row: shared.Row, Owner: "u2"})
	s.missing(shared.Row)
	s.missing(first.Row)
	s.lists("u1")
	s.lists("u2", row)
	s.lists("u3", row)
}

func sessionLimitRefused(s sessions) {
	limited := s.limited()
	old, row := s.owned("u1", time.Minute), s.owned("u1", 0)
	if ended, err := limited.CreateLimited(s.Context(), row, 1); !errors.Is(err, stores.ErrExists) || len(ended) > 0 {
		s.Errorf("CreateLimited of a row that exists ends %v, error %v; want ErrExists", ended, err)
	}
	d, _ := withOwners(row, "u1")
	stale, replaced := d, d
	stale.Rename = &stores.Rename{Old: newDigest(), New: newDigest(), At: present()}
	replaced.Generation, replaced.Principals = 7, &stores.Principals{Owners: []string{"u1"}, Generation: 7}
	s.updatesLimited(newID(), d, 1, stores.Gone)
	s.updatesLimited(row.Row, stale, 1, stores.Stale)
	s.updatesLimited(row.Row, replaced, 1, stores.Replaced)
	for _, limit := range []int{0, -1} {
		if _, err := limited.CreateLimited(s.Context(), of("u1"), limit); err == nil {
			s.Errorf("CreateLimited with limit %d returns no error", limit)
		}
		if _, _, err := limited.UpdateLimited(s.Context(), row.Row, d, limit); err == nil {
			s.Errorf("UpdateLimited with limit %d returns no error", limit)
		}
	}
	s.lists("u1", row, old)
}

func sessionLimitSurplus(s sessions) {
	limited := s.limited()
	const surplus = 10
	for i := range stores.MaxEnded + surplus {
		s.owned("u1", time.Duration(i+1)*time.Second)
	}
	for _, want := range []int{stores.MaxEnded, surplus, 1} {
		row := of("u1")
		ended, err := limited.CreateLimited(s.Context(), row, 1+1)
		if err != nil || len(ended) != want {
			s.Fatalf("CreateLimited ends %d rows, error %v; want %d", len(ended), err, want)
		}
		s.load(row.Row)
	}
}

func sessionLimitRace(s sessions) {
	limited := s.limited()
	rows, limit := 300, 100
	if testing.Short() {
		rows, limit = 60, 20
	}
	create := func(row stores.Session) {
		if _, err := limited.CreateLimited(s.Context(), row, limit); err != nil {
			s.Errorf("CreateLimited: %v", err)
		}
	}
	update := func(row stores.Session) {
		d, _ := withOwners(row, row.Owners...)
		row.Principals, row.Owners = "", nil
		s.create(row)
		if got, _, err := limited.UpdateLimited(s.Context(), row.Row, d, limit); err != nil || got != stores.Updated {
			s.Errorf("UpdateLimited = %v, error %v", got, err)
		}
	}
	at := present()
	for owner, call := range map[string][2]func(stores.Session){
		"u1": {create, create}, "u2": {update, update}, "u3": {create, update},
	} {
		parallel(rows, func(i int) {
			row := of(owner)
			row.LastSeen = at // not even the time says which of them is older
			call[i%2](row)
		})
		if got, err := limited.SessionsOf(s.Context(), owner, rows); err != nil || len(got) != limit {
			s.Errorf("after %d rows in parallel, the owner has %d, error %v; want %d", rows, len(got), err, limit)
		}
		if n, err := limited.DeleteSessionsOf(s.Context(), owner, ""); err != nil || n != limit {
			s.Errorf("DeleteSessionsOf = %d, error %v; want %d", n, err, limit)
		}
	}
}
