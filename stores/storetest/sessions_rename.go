package storetest

import (
	"time"

	"github.com/ginauth/ginauth/stores"
)

func sessionRename(s sessions) {
	row := newSession()
	s.create(row)
	to, at := newDigest(), row.LastSeen.Add(time.Second)
	s.updates(row.Row, stores.Delta{
		Set:        set("user", "1"),
		Remove:     []string{"color"},
		LastSeen:   at,
		Expires:    at.Add(time.Hour),
		Principals: &stores.Principals{Data: "one", Owners: []string{"u1"}},
		Rename:     &stores.Rename{Old: row.Digest, New: to, At: at},
	}, stores.Updated)

	row.Values, row.Principals, row.Owners, row.Digest = stores.NewValues(set("user", "1")), "one", []string{"u1"}, to
	row.LastSeen, row.Renamed, row.Expires = at, at, at.Add(time.Hour)
	s.holds(row)
}

func sessionStale(s sessions) {
	row := newSession()
	s.create(row)
	first := row.Digest
	s.updates(row.Row, stores.Delta{Rename: &stores.Rename{Old: first, New: newDigest(), At: row.LastSeen}}, stores.Updated)
	row = s.load(row.Row)

	for name, old := range map[string]stores.Digest{"earlier": first, "foreign": newDigest(), "zero": {}} {
		outcome := s.update(row.Row, stores.Delta{
			Set:        set("user", "1"),
			Remove:     []string{"color"},
			LastSeen:   row.LastSeen.Add(time.Hour),
			Expires:    row.Expires.Add(time.Hour),
			Principals: &stores.Principals{Data: "one", Owners: []string{"u1"}},
			Rename:     &stores.Rename{Old: old, New: newDigest(), At: row.LastSeen.Add(time.Hour)},
		})
		if outcome != stores.Stale {
			s.Errorf("rename from the %s digest reports %v, want stale", name, outcome)
		}
		s.holds(row)
	}
}

func sessionRenamedRow(s sessions) {
	row := newSession()
	s.create(row)
	for _, value := range []string{"1", "2", "3"} {
		to := newDigest()
		s.updates(row.Row, stores.Delta{Rename: &stores.Rename{Old: row.Digest, New: to, At: row.LastSeen}}, stores.Updated)
		row.Digest, row.Renamed = to, row.LastSeen
		s.updates(row.Row, stores.Delta{Set: set("color", value)}, stores.Updated)
		row.Values = stores.NewValues(set("color", value))
		s.holds(row)
	}
	if !s.delete(row.Row) {
		s.Error("Delete reports that the renamed row did not exist")
	}
	s.missing(row.Row)
}
