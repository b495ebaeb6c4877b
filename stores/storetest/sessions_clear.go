package storetest

import (
	"fmt"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// late sets keys of which the caller does not know, and returns the row with them.
func (s sessions) late(row stores.Session) stores.Session {
	s.Helper()
	d := stores.Delta{Generation: row.Generation, Set: set("late", "x", ":late", "y", "digest", "z", "size", "0", "*", "")}
	s.updates(row.Row, d, stores.Updated)
	row.Values = row.Values.With(d)
	return row
}

func sessionClear(s sessions) {
	row, other := newSession(), newSession()
	s.create(row)
	s.create(other)
	for _, pairs := range []map[string][]byte{set("a", "1", "color", "blue"), set("late", ""), nil, nil, set("b", "2")} {
		row = s.late(row)
		s.updates(row.Row, stores.Delta{Clear: true, Set: pairs, Remove: []string{"digest", "never set"}}, stores.Updated)
		row.Values = stores.NewValues(pairs)
		s.holds(row)
	}
	row = s.late(row)
	d := stores.Delta{Clear: true, LastSeen: row.LastSeen.Add(time.Second), Expires: row.Expires.Add(time.Hour)}
	row.Values, row.LastSeen, row.Expires = stores.Values{}, d.LastSeen, d.Expires
	for range 2 { // the second one finds no keys
		s.updates(row.Row, d, stores.Updated)
		s.holds(row)
	}
	s.holds(other)
}

func sessionClearPrincipals(s sessions) {
	row := newSession()
	s.create(row)
	for i, owners := range [][]string{{"u1"}, {"u2"}, {"u1", "u2"}, {"u2", "u3"}, {"u3"}, nil} {
		for _, pairs := range []map[string][]byte{nil, set("of", fmt.Sprint(owners), "color", "blue")} {
			row = s.late(row)
			d, after := withPrincipals(row, stores.Principals{Data: fmt.Sprint(i), Owners: owners, Generation: row.Generation + 1})
			d.Clear, d.Set = true, pairs
			d.LastSeen, d.Expires = row.LastSeen.Add(time.Second), row.Expires.Add(time.Second)
			s.updates(row.Row, d, stores.Updated)
			after.Values, after.LastSeen, after.Expires = stores.NewValues(pairs), d.LastSeen, d.Expires
			row = after
			s.holds(row)
			if _, ok := s.store.(stores.SessionIndex); ok {
				for _, owner := range owners {
					s.lists(owner, row)
				}
			}
		}
	}
}

func sessionClearRefused(s sessions) {
	row := newSession()
	row.Owners, row.Generation = []string{"u1"}, 4
	s.create(row)
	foreign := stores.Rename{Old: newDigest(), New: newDigest(), At: row.LastSeen}
	nobody := func(generation uint32) *stores.Principals { return &stores.Principals{Generation: generation} }
	shared := &stores.Principals{Owners: []string{"u2", "u3"}, Generation: 5}
	for _, c := range []struct {
		delta stores.Delta
		want  stores.Outcome
	}{
		{stores.Delta{Generation: 4, Rename: &foreign}, stores.Stale},
		{stores.Delta{Generation: 4, Rename: &foreign, Principals: nobody(5)}, stores.Stale},
		{stores.Delta{Generation: 4, Rename: &foreign, Principals: shared}, stores.Stale},
		{stores.Delta{Generation: 3}, stores.Replaced},
		{stores.Delta{Generation: 5, Rename: same(row), Principals: nobody(5)}, stores.Replaced},
		{stores.Delta{Generation: 5, Rename: &foreign, Principals: shared}, stores.Replaced},
	} {
		for _, pairs := range []map[string][]byte{nil, set("a", "1")} {
			c.delta.Clear, c.delta.Set = true, pairs
			s.updates(row.Row, c.delta, c.want)
			s.holds(row)
			unknown := newID()
			s.updates(unknown, c.delta, stores.Gone)
			s.missing(unknown)
		}
	}
}

func sessionClearSize(s sessions) {
	row := newSession()
	row.Values = stores.NewValues(map[string][]byte{"a": randomBytes(stores.MaxValues - 6)})
	s.create(row)
	d := stores.Delta{Clear: true, Set: map[string][]byte{"b": randomBytes(stores.MaxValues - 6)}}
	s.updates(row.Row, d, stores.Updated)
	row.Values = stores.NewValues(d.Set)
	s.holds(row)
	for _, pairs := range []map[string][]byte{
		{"b": randomBytes(stores.MaxValues - 5)},
		{"c": randomBytes(stores.MaxValues / 2), "d": randomBytes(stores.MaxValues / 2)},
	} {
		over := stores.Delta{Clear: true, Set: pairs, Rename: &stores.Rename{Old: row.Digest, New: newDigest(), At: row.Created}}
		if outcome, err := s.store.Update(s.Context(), row.Row, over); err == nil || outcome == stores.Updated {
			s.Errorf("Update to %d bytes of values: %v, error %v; want an error", row.Values.SizeWith(over), outcome, err)
		}
		s.holds(row)
	}

	// After the clear there is room for as much as in an empty session.
	many := make(map[string][]byte)
	for i := range 3000 {
		many[fmt.Sprint("key", i)] = randomBytes(100)
	}
	for _, pairs := range []map[string][]byte{many, set("c", "1")} {
		s.updates(row.Row, stores.Delta{Clear: true, Set: pairs}, stores.Updated)
		s.valuesAre(row.Row, pairs)
	}
	fill := stores.Delta{Set: map[string][]byte{"b": randomBytes(stores.MaxValues - 10)}}
	s.updates(row.Row, fill, stores.Updated)
	row.Values = stores.NewValues(set("c", "1")).With(fill)
	s.holds(row)
}

// sessionRaceClear runs writes for one user in parallel with the login of another
// user, which does not know what they write.
func sessionRaceClear(s sessions) {
	for range rounds(8) {
		row := newSession()
		row.Owners = []string{"u1"}
		s.create(row)
		d, after := withPrincipals(row, stores.Principals{Data: "second", Owners: []string{"u2"}, Generation: 1})
		d.Clear, d.Set = true, set("of", "u2")
		after.Values = stores.NewValues(d.Set)
		parallel(10, func(i int) {
			if i == 4 {
				s.updates(row.Row, d, stores.Updated)
				return
			}
			for n := range 3 {
				outcome := s.update(row.Row, stores.Delta{Set: set(fmt.Sprint("key", i, ".", n), "x")})
				if outcome != stores.Updated && outcome != stores.Replaced {
					s.Errorf("a write for the former user reports %v, want updated or replaced", outcome)
				}
			}
		})
		s.holds(after)
	}
}
