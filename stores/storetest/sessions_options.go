package storetest

import (
	"slices"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var sessionOptions = []rule[sessions]{
	{"options", "(lists the optional capabilities that are missing)", func(s sessions) {
		_, index := s.store.(stores.SessionIndex)
		_, pruner := s.store.(stores.Pruner)
		listMissing(s.T, s.store, map[string]bool{"stores.SessionIndex": index, "stores.Pruner": pruner})
	}},
	{"index-list", "SessionsOf returns the owner's rows and no other, the most recently seen first.", sessionIndexList},
	{"index-follows", "A row is listed under the owner that it has now.", sessionIndexFollows},
	{"index-delete", "DeleteSessionsOf deletes the owner's rows except the one named, and counts them.", sessionIndexDelete},
	{"index-owners", "Owners are compared byte by byte, and nobody owns another's rows.", sessionIndexOwners},
	{"index-expired", "An expired row that can be loaded is listed as well.", sessionIndexExpired},
	{"index-race", "Rows of one owner made and renamed in parallel are all listed, and none survives DeleteSessionsOf.", sessionIndexRace},
	{"prune", "Prune deletes the rows that expired at or before now, counts them, and leaves the others.", sessionPrune},
}

// index returns the store's index, or skips the rule.
func (s sessions) index() stores.SessionIndex {
	return capability[stores.SessionIndex](s.T, s.store, "stores.SessionIndex")
}

// owned creates a row of the given owner, last seen the given time ago.
func (s sessions) owned(owner string, ago time.Duration) stores.Session {
	s.Helper()
	row := newSession()
	row.Owner = owner
	row.LastSeen = row.LastSeen.Add(-ago)
	s.create(row)
	return row
}

// lists checks what SessionsOf returns, in order.
func (s sessions) lists(owner string, want ...stores.Session) {
	s.Helper()
	got, err := s.index().SessionsOf(s.Context(), owner)
	if err != nil || len(got) != len(want) {
		s.Fatalf("SessionsOf(%q) returns %d rows, error %v; want %d rows", owner, len(got), err, len(want))
	}
	for i := range want {
		if diff := diffSessions(got[i], want[i]); diff != "" {
			s.Errorf("SessionsOf(%q): row %d: %s", owner, i, diff)
		}
	}
}

// deletesOf checks what DeleteSessionsOf reports.
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
	for _, owner := range []string{"u1", "u2", "u1"} {
		before := row.Owner
		rename := stores.Rename{Old: row.Digest, New: newDigest(), At: row.LastSeen}
		s.updates(row.Row, stores.Delta{Owner: &owner, Rename: &rename}, stores.Updated)
		row.Owner, row.Digest, row.Renamed = owner, rename.New, rename.At
		s.lists(owner, row)
		if before != "" {
			s.lists(before)
		}
	}
	nobody := ""
	s.updates(row.Row, stores.Delta{Owner: &nobody}, stores.Updated)
	s.lists("u1")
	s.deletesOf("u1", "", 0)
	row.Owner = ""
	s.holds(row)
	s.delete(row.Row)
	s.lists("u1")
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
	row := s.owned("alice", 0)
	for _, owner := range append(strangers("alice"), "") {
		got, err := index.SessionsOf(s.Context(), owner)
		if err == nil && len(got) > 0 {
			s.Errorf("SessionsOf(%q) lists a row of alice", owner)
		}
		if n, err := index.DeleteSessionsOf(s.Context(), owner, ""); err == nil && n > 0 {
			s.Errorf("DeleteSessionsOf(%q) deleted a row of alice", owner)
		}
		s.holds(row)
	}
	s.deletesOf("alice", "", 1)
}

func sessionIndexExpired(s sessions) {
	s.index()
	row := newSession()
	row.Owner = "u1"
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
	owner := "u1"
	rows := make([]stores.Session, 20)
	parallel(len(rows), func(i int) {
		rows[i] = newSession()
		rows[i].LastSeen = rows[i].LastSeen.Add(-time.Duration(i) * time.Second)
		s.create(rows[i])
		rename := stores.Rename{Old: rows[i].Digest, New: newDigest(), At: rows[i].LastSeen}
		s.updates(rows[i].Row, stores.Delta{Owner: &owner, Rename: &rename}, stores.Updated)
		rows[i].Owner, rows[i].Digest, rows[i].Renamed = owner, rename.New, rename.At
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

func sessionPrune(s sessions) {
	pruner := capability[stores.Pruner](s.T, s.store, "stores.Pruner")
	now := present().Add(time.Hour)
	create := func(owner string, expires time.Time) stores.Session {
		row := newSession()
		row.Owner, row.Expires = owner, expires
		s.create(row)
		return row
	}
	live := create("u1", now.Add(time.Microsecond))
	prolonged := create("", now.Add(-time.Minute))
	dead := []stores.Session{
		create("u1", now), create("", now), create("", now.Add(-time.Microsecond)), create("", now.Add(-30*time.Minute)),
	}
	shortened := create("", now.Add(time.Hour))
	prolonged.Expires = now.Add(time.Hour)
	s.updates(prolonged.Row, stores.Delta{Expires: prolonged.Expires}, stores.Updated)
	s.updates(shortened.Row, stores.Delta{Expires: now.Add(-time.Second)}, stores.Updated)
	dead = append(dead, shortened)

	for i, want := range []int{len(dead), 0} {
		if n, err := pruner.Prune(s.Context(), now); err != nil || n != want {
			s.Errorf("Prune number %d = %d, error %v; want %d", i+1, n, err, want)
		}
	}
	s.holds(live)
	s.holds(prolonged)
	for _, row := range dead {
		s.missing(row.Row)
		s.updates(row.Row, stores.Delta{Set: set("a", "1")}, stores.Gone)
	}
	if _, ok := s.store.(stores.SessionIndex); ok {
		s.lists("u1", live)
	}
}
