package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// withPrincipals returns a delta that changes the principals and the digest of the row, and
// the row after that change.
func withPrincipals(row stores.Session, p stores.Principals) (stores.Delta, stores.Session) {
	rename := stores.Rename{Old: row.Digest, New: newDigest(), At: row.LastSeen}
	d := stores.Delta{Generation: row.Generation, Principals: &p, Rename: &rename}
	row.Principals, row.Owners, row.Generation = p.Data, p.Owners, p.Generation
	row.Digest, row.Renamed = rename.New, rename.At
	return d, row
}

// withOwners is like withPrincipals, but keeps the generation.
func withOwners(row stores.Session, owners ...string) (stores.Delta, stores.Session) {
	return withPrincipals(row, stores.Principals{Data: "of " + strings.Join(owners, ","), Owners: owners, Generation: row.Generation})
}

// same returns a rename of the row to its own digest.
func same(row stores.Session) *stores.Rename {
	return &stores.Rename{Old: row.Digest, New: row.Digest, At: row.LastSeen.Add(time.Hour)}
}

// manyOwners returns n owners of the maximum length.
func manyOwners(n int) []string {
	owners := make([]string, n)
	for i := range owners {
		owners[i] = strings.Repeat("o", stores.MaxOwner-1) + string(rune('z'-i))
	}
	return owners
}

// invalidPrincipals are principals that every store refuses.
var invalidPrincipals = map[string]stores.Principals{
	"large":              {Data: strings.Repeat("x", stores.MaxPrincipals+1)},
	"too many owners":    {Owners: manyOwners(stores.MaxOwners + 1)},
	"long owner":         {Owners: []string{"u1", strings.Repeat("o", stores.MaxOwner+1)}},
	"no owner":           {Owners: []string{""}},
	"same owner twice":   {Owners: []string{"u1", "u2", "u1"}},
	"owner with NUL":     {Owners: []string{"u\x001"}},
	"owner not in UTF-8": {Owners: []string{"u\xff"}},
}

// binary returns n bytes with all values that a byte can have.
func binary(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

func sessionPrincipals(s sessions) {
	for _, p := range []stores.Principals{
		{},
		{Owners: []string{"u1"}},
		{Data: "\x00"},
		{Data: binary(stores.MaxPrincipals), Owners: []string{"ö/1 '\"\\", "U1", "u1"}, Generation: 7},
		{Data: "x", Owners: manyOwners(stores.MaxOwners), Generation: 1<<32 - 1},
	} {
		row := newSession()
		row.Principals, row.Owners, row.Generation = p.Data, p.Owners, p.Generation
		s.create(row)
		s.holds(row)

		changed := newSession()
		s.create(changed)
		d, after := withPrincipals(changed, p)
		s.updates(changed.Row, d, stores.Updated)
		s.holds(after)
	}
}

func sessionRefused(s sessions) {
	for name, p := range invalidPrincipals {
		row := newSession()
		row.Principals, row.Owners = p.Data, p.Owners
		if err := s.store.Create(s.Context(), row); err == nil {
			s.Errorf("Create with invalid principals (%s) succeeds", name)
		}
		s.missing(row.Row)
	}
	row := newSession()
	row.Values = stores.NewValues(map[string][]byte{"k": make([]byte, stores.MaxValues)})
	if err := s.store.Create(s.Context(), row); err == nil {
		s.Errorf("Create with %d bytes of values succeeds", row.Values.Size())
	}
	s.missing(row.Row)
}

func sessionPrincipalsReplaced(s sessions) {
	row := newSession()
	s.create(row)
	for _, p := range []stores.Principals{
		{Data: "first", Owners: []string{"u1"}},
		{Data: "both", Owners: []string{"u2", "u1"}},
		{Data: "second", Owners: []string{"u2"}, Generation: 1},
		{Data: "two others", Owners: []string{"u4", "u3"}, Generation: 3},
		{Data: "one without owner", Generation: 4},
		{Generation: 5},
		{Data: "first", Owners: []string{"u1"}, Generation: 5},
	} {
		d, after := withPrincipals(row, p)
		d.Set = set("color", p.Data)
		after.Values = row.Values.With(d)
		s.updates(row.Row, d, stores.Updated)
		row = after
		s.holds(row)

		keys := stores.Delta{Generation: row.Generation, Set: set("a", "1"), Remove: []string{"color"}}
		s.updates(row.Row, keys, stores.Updated)
		row.Values = row.Values.With(keys)
		row.LastSeen = row.LastSeen.Add(time.Second)
		s.updates(row.Row, stores.Delta{Generation: row.Generation, LastSeen: row.LastSeen}, stores.Updated)
		s.holds(row)
	}
}

func sessionPrincipalsRefused(s sessions) {
	row := newSession()
	row.Owners, row.Principals, row.Generation = []string{"u1"}, "one", 1
	s.create(row)
	for name, p := range invalidPrincipals {
		p.Generation = 1
		d, _ := withPrincipals(row, p)
		d.Set = set("color", "black")
		s.refuses(row, d, name)
	}
	older, _ := withPrincipals(row, stores.Principals{Data: "x"})
	s.refuses(row, older, "older than the delta")
	unnamed, _ := withPrincipals(row, stores.Principals{Data: "x", Generation: 1})
	unnamed.Rename = nil
	s.refuses(row, unnamed, "without rename")
}

// refuses checks that an update returns an error and does not change the row.
func (s sessions) refuses(row stores.Session, d stores.Delta, name string) {
	s.Helper()
	if outcome, err := s.store.Update(s.Context(), row.Row, d); err == nil || outcome == stores.Updated {
		s.Errorf("Update with invalid principals (%s): %v, error %v; want an error", name, outcome, err)
	}
	s.holds(row)
}

func sessionGeneration(s sessions) {
	row := newSession()
	row.Owners, row.Generation = []string{"u1"}, 4
	s.create(row)
	for _, generation := range []uint32{0, 3, 5, 1<<32 - 1} {
		other := row
		other.Generation = generation
		principals, _ := withOwners(other, "u2", "u3")
		stale := principals
		stale.Rename = &stores.Rename{Old: newDigest(), New: newDigest(), At: row.LastSeen}
		for name, d := range map[string]stores.Delta{
			"nothing":    {},
			"keys":       {Set: set("color", "black", "a", "1"), Remove: []string{"color"}},
			"times":      {LastSeen: row.LastSeen.Add(time.Hour), Expires: row.Expires.Add(time.Hour)},
			"rename":     {Rename: principals.Rename},
			"same id":    {Rename: same(row)},
			"principals": principals,
			"stale":      stale,
			"all":        {Set: set("color", "black"), Principals: principals.Principals, Rename: principals.Rename, LastSeen: row.LastSeen.Add(time.Hour)},
		} {
			d.Generation = generation
			if outcome := s.update(row.Row, d); outcome != stores.Replaced {
				s.Errorf("%s of generation %d on a row of generation %d: %v, want replaced", name, generation, row.Generation, outcome)
			}
			s.holds(row)
		}
	}
}

func sessionSameDigest(s sessions) {
	row := newSession()
	row.Renamed = row.Created
	s.create(row)
	row.Principals, row.Owners = "two", []string{"u1", "u2"}
	for range 2 {
		d := stores.Delta{Principals: &stores.Principals{Data: row.Principals, Owners: row.Owners}, Rename: same(row)}
		s.updates(row.Row, d, stores.Updated)
		s.holds(row)
	}
	d := stores.Delta{Set: set("color", "blue"), Rename: same(row)}
	s.updates(row.Row, d, stores.Updated)
	row.Values = row.Values.With(d)
	s.holds(row)

	other := newDigest()
	d = stores.Delta{
		Set: set("color", "black"), Principals: &stores.Principals{Data: "x"},
		Rename: &stores.Rename{Old: other, New: other, At: row.LastSeen},
	}
	s.updates(row.Row, d, stores.Stale)
	s.holds(row)
}

func sessionRacePrincipals(s sessions) {
	row := newSession()
	s.create(row)
	won := make([]bool, writers/2)
	parallel(len(won), func(i int) {
		outcome := s.update(row.Row, stores.Delta{
			Set:        set(fmt.Sprint("key", i), "x"),
			Principals: &stores.Principals{Data: fmt.Sprint(i), Owners: []string{fmt.Sprint("u", i)}, Generation: 1},
			Rename:     same(row),
		})
		won[i] = outcome == stores.Updated
		if !won[i] && outcome != stores.Replaced {
			s.Errorf("a change of principals that lost reports %v, want replaced", outcome)
		}
	})
	winners := 0
	for i := range won {
		if won[i] {
			winners++
			row.Principals, row.Owners, row.Generation = fmt.Sprint(i), []string{fmt.Sprint("u", i)}, 1
			row.Values = row.Values.With(stores.Delta{Set: set(fmt.Sprint("key", i), "x")})
		}
	}
	if winners != 1 {
		s.Fatalf("%d of %d changes of principals from one generation were applied, want 1", winners, len(won))
	}
	s.holds(row)
}

// sessionRaceGeneration runs late writes for one user in parallel with the login of another
// user, which removes the keys of the first.
func sessionRaceGeneration(s sessions) {
	for range rounds(8) {
		row := newSession()
		s.create(row)
		d, after := withPrincipals(row, stores.Principals{Data: "second", Owners: []string{"u2"}, Generation: 1})
		d.Remove = []string{"color"}
		for i := range 10 {
			d.Remove = append(d.Remove, fmt.Sprint("key", i))
		}
		after.Values = stores.Values{}
		late := stores.Delta{Set: set("late", "x"), LastSeen: row.LastSeen.Add(time.Hour)}
		parallel(10, func(i int) {
			if i == 4 {
				s.updates(row.Row, d, stores.Updated)
				s.updates(row.Row, late, stores.Replaced)
				return
			}
			outcome := s.update(row.Row, stores.Delta{Set: set(fmt.Sprint("key", i), "x")})
			if outcome != stores.Updated && outcome != stores.Replaced {
				s.Errorf("a late write reports %v, want updated or replaced", outcome)
			}
		})
		s.holds(after)
	}
}
