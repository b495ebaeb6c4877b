package storetest

import (
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var sessionOptions = []rule[sessions]{
	{"options", "(lists the optional capabilities that are missing)", func(s sessions) {
		_, index := s.store.(stores.SessionIndex)
		_, limit := s.store.(stores.SessionLimit)
		_, writer := s.store.(stores.SessionWriter)
		_, pruner := s.store.(stores.Pruner)
		listMissing(s.T, s.store, map[string]bool{
			"stores.SessionIndex": index, "stores.SessionLimit": limit, "stores.SessionWriter": writer, "stores.Pruner": pruner,
		})
	}},
	{"index-list", "SessionsOf returns the owner's rows and no others, the most recently seen first.", sessionIndexList},
	{"index-follows", "A row is listed under its current owners only.", sessionIndexFollows},
	{"index-several", "A row is listed once under each of its owners, and DeleteSessionsOf each of them deletes it.", sessionIndexSeveral},
	{"index-delete", "DeleteSessionsOf deletes the owner's rows except the named row, and returns their number.", sessionIndexDelete},
	{"index-owners", "Owners are compared byte by byte, so nobody gets the rows of another owner.", sessionIndexOwners},
	{"index-expired", "SessionsOf also returns expired rows that Load finds.", sessionIndexExpired},
	{"index-race", "Rows that get an owner in parallel are all listed, and none survives DeleteSessionsOf.", sessionIndexRace},
	{"index-race-several", "While other owners of a row come and go, it is always listed under an owner who stays, and does not survive DeleteSessionsOf.", sessionIndexRaceSeveral},
	{"prune", "Prune deletes the rows that expired at or before now, returns their number, and keeps the others.", sessionPrune},
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
