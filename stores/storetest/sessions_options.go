package storetest

import (
	"strings"
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
	{"index-follows", "A row is listed under the owners that it has now.", sessionIndexFollows},
	{"index-several", "A row is listed once under each of its owners, and DeleteSessionsOf any of them deletes it.", sessionIndexSeveral},
	{"index-delete", "DeleteSessionsOf deletes the owner's rows except the one named, and counts them.", sessionIndexDelete},
	{"index-owners", "Owners are compared byte by byte, and nobody owns another's rows.", sessionIndexOwners},
	{"index-expired", "An expired row that can be loaded is listed as well.", sessionIndexExpired},
	{"index-race", "Rows of one owner made and renamed in parallel are all listed, and none survives DeleteSessionsOf.", sessionIndexRace},
	{"index-race-several", "While other owners join and leave a row, it is listed under one who stays, and does not survive DeleteSessionsOf.", sessionIndexRaceSeveral},
	{"prune", "Prune deletes the rows that expired at or before now, counts them, and leaves the others.", sessionPrune},
}

func sessionPrune(s sessions) {
	pruner := capability[stores.Pruner](s.T, s.store, "stores.Pruner")
	now := present().Add(time.Hour)
	create := func(owner string, expires time.Time) stores.Session {
		row := newSession()
		if row.Expires = expires; owner != "" {
			row.Owners = strings.Split(owner, ",")
		}
		s.create(row)
		return row
	}
	live := create("u1", now.Add(time.Microsecond))
	prolonged := create("", now.Add(-time.Minute))
	dead := []stores.Session{
		create("u1", now), create("u2,u1", now), create("", now), create("", now.Add(-time.Microsecond)), create("", now.Add(-30*time.Minute)),
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
		s.lists("u2")
	}
}
