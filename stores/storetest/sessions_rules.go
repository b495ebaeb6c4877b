package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

func sessionRoundTrip(s sessions) {
	full := newSession()
	full.Principals, full.Owners, full.Generation = "web\x00\xff", []string{"user:ä/1"}, 3
	full.Address = "2001:db8:ffff:ffff:ffff:ffff:192.0.2.128%eth0"
	full.UserAgent = "Mozilla/5.0 (Ünïcode; 日本語; 🦊) '\"\\%_" + strings.Repeat("é", 100)
	full.Renamed = full.Created.Add(time.Minute + 123*time.Microsecond)
	full.LastSeen = full.LastSeen.Add(999 * time.Nanosecond)
	s.create(full)
	bare := newSession()
	bare.Values, bare.Address, bare.UserAgent = stores.Values{}, "", ""
	s.create(bare)

	s.holds(full)
	s.holds(bare)
}

func sessionValues(s sessions) {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	// With the version, the key and the two lengths it has MaxValues bytes.
	largest := randomBytes(stores.MaxValues - 6)
	for _, pairs := range []map[string][]byte{
		nil,
		set("empty", ""),
		{"binary": binary, "ключ 🗝": []byte("\x00"), "quote'\"\\": []byte("'; --")},
		{"a": randomBytes(10_000), "b": randomBytes(10_000), "c": {}},
		{"k": largest},
	} {
		row := newSession()
		row.Values = stores.NewValues(pairs)
		s.create(row)
		s.holds(row)

		touched := newSession()
		s.create(touched)
		s.updates(touched.Row, stores.Delta{Set: pairs, Remove: []string{"color"}}, stores.Updated)
		s.valuesAre(touched.Row, pairs)
	}
}

func sessionTooLarge(s sessions) {
	row := newSession()
	row.Values = stores.NewValues(map[string][]byte{"a": randomBytes(stores.MaxValues / 2)})
	s.create(row)
	d := stores.Delta{
		Set:    map[string][]byte{"b": randomBytes(stores.MaxValues / 2)},
		Rename: &stores.Rename{Old: row.Digest, New: newSession().Digest, At: row.Created},
	}
	if outcome, err := s.store.Update(s.Context(), row.Row, d); err == nil {
		s.Errorf("Update to %d bytes of values: %v, want an error", row.Values.SizeWith(d), outcome)
	}
	s.holds(row)
}

func sessionSeen(s sessions) {
	row := newSession()
	row.Values = stores.NewValues(set("color", "red"))
	s.create(row)
	seen := s.load(row.Row)
	s.updates(row.Row, stores.Delta{Set: set("a", "1"), Seen: &seen}, stores.Updated)
	s.updates(row.Row, stores.Delta{Set: set("b", "2"), Seen: &seen}, stores.Updated)
	s.updates(row.Row, stores.Delta{Remove: []string{"color"}, Seen: &seen}, stores.Updated)
	s.valuesAre(row.Row, set("a", "1", "b", "2"))
	seen = s.load(row.Row)
	s.updates(row.Row, stores.Delta{Remove: []string{"a", "b"}, LastSeen: row.LastSeen.Add(time.Minute), Seen: &seen}, stores.Updated)
	s.valuesAre(row.Row, nil)

	// The digest, the generation and the row itself are compared all the same.
	seen = s.load(row.Row)
	renamed := newDigest()
	s.updates(row.Row, stores.Delta{Rename: &stores.Rename{Old: row.Digest, New: renamed, At: row.LastSeen}}, stores.Updated)
	late := stores.Delta{Set: set("c", "3"), Seen: &seen, Rename: &stores.Rename{Old: row.Digest, New: row.Digest, At: row.LastSeen}}
	s.updates(row.Row, late, stores.Stale)
	late.Rename = nil
	s.updates(row.Row, late, stores.Updated)
	seen = s.load(row.Row)
	next := stores.Delta{Principals: &stores.Principals{Generation: 1}, Rename: &stores.Rename{Old: renamed, New: renamed, At: row.LastSeen}}
	s.updates(row.Row, next, stores.Updated)
	s.updates(row.Row, stores.Delta{Set: set("d", "4"), Seen: &seen}, stores.Replaced)
	s.valuesAre(row.Row, set("c", "3"))
	s.delete(row.Row)
	s.updates(row.Row, stores.Delta{Set: set("d", "4"), Seen: &seen, Generation: 1}, stores.Gone)
}

func sessionDeleteSeen(s sessions) {
	row := newSession()
	row.Owners = []string{"seen"}
	s.create(row)
	seen := s.load(row.Row)
	d, _ := withOwners(row, "seen", "later")
	s.updates(row.Row, d, stores.Updated)
	for _, want := range []bool{true, false} {
		if existed, err := stores.DeleteSeen(s.Context(), s.store, seen); err != nil || existed != want {
			s.Errorf("DeleteSeen = %v, error %v; want %v", existed, err, want)
		}
	}
	s.missing(row.Row)
	index, ok := s.store.(stores.SessionIndex)
	if !ok {
		return
	}
	for _, owner := range d.Principals.Owners {
		if list, err := index.SessionsOf(s.Context(), owner, 10); err != nil || len(list) > 0 {
			s.Errorf("SessionsOf %s: %d sessions, error %v; want none", owner, len(list), err)
		}
	}
}

func sessionExists(s sessions) {
	first := newSession()
	first.Owners = []string{"u1"}
	s.create(first)

	second := newSession()
	second.Row = first.Row
	for _, again := range []stores.Session{second, first} {
		if err := s.store.Create(s.Context(), again); !errors.Is(err, stores.ErrExists) {
			s.Errorf("Create of an existing row: error %v, want ErrExists", err)
		}
	}
	s.holds(first)
}

func sessionUnknown(s sessions) {
	s.missing(newID())
	s.create(newSession())
	s.missing(newID())
}

func sessionExpired(s sessions) {
	row := newSession()
	row.Created = row.Created.Add(-48 * time.Hour)
	row.LastSeen, row.Expires = row.Created, row.Created.Add(time.Hour)
	s.create(row)
	got, found, err := s.store.Load(s.Context(), row.Row)
	if err != nil {
		s.Fatalf("Load: %v", err)
	}
	if diff := diffSessions(got, row); found && diff != "" {
		s.Errorf("the expired row differs: %s", diff)
	}
}

func sessionSnapshot(s sessions) {
	row := newSession()
	row.Principals, row.Owners = "two", []string{"u1", "u2"}
	s.create(row)
	before := s.load(row.Row)
	d, _ := withOwners(row, "u3", "u4")
	d.Set, d.Expires = set("color", "blu"), row.Expires.Add(time.Hour)
	s.updates(row.Row, d, stores.Updated)
	s.updates(row.Row, stores.Delta{Remove: []string{"color"}}, stores.Updated)
	s.delete(row.Row)
	if diff := diffSessions(before, row); diff != "" {
		s.Errorf("the session that was loaded before has changed: %s", diff)
	}
}

func sessionKeys(s sessions) {
	row := newSession()
	other := newSession()
	s.create(row)
	s.create(other)

	s.updates(row.Row, stores.Delta{Set: set("a", "1", "b", "2")}, stores.Updated)
	s.valuesAre(row.Row, set("color", "red", "a", "1", "b", "2"))
	s.updates(row.Row, stores.Delta{Set: set("b", "3", "c", "4"), Remove: []string{"a", "never set"}}, stores.Updated)
	s.valuesAre(row.Row, set("color", "red", "b", "3", "c", "4"))
	s.updates(row.Row, stores.Delta{Remove: []string{"b", "c", "color"}}, stores.Updated)
	s.valuesAre(row.Row, nil)
	s.updates(row.Row, stores.Delta{Set: set("a", "")}, stores.Updated)
	s.valuesAre(row.Row, set("a", ""))

	row.Values = stores.NewValues(set("a", ""))
	s.holds(row)
	s.holds(other)
}

func sessionGiven(s sessions) {
	row := newSession()
	s.create(row)
	steps := []struct {
		delta  stores.Delta
		change func()
	}{
		{stores.Delta{LastSeen: row.LastSeen.Add(time.Minute)}, func() { row.LastSeen = row.LastSeen.Add(time.Minute) }},
		{stores.Delta{Expires: row.Expires.Add(time.Hour)}, func() { row.Expires = row.Expires.Add(time.Hour) }},
		{stores.Delta{Set: set("color", "blue")}, func() { row.Values = stores.NewValues(set("color", "blue")) }},
		{stores.Delta{}, func() {}},
	}
	for _, step := range steps {
		s.updates(row.Row, step.delta, stores.Updated)
		step.change()
		s.holds(row)
	}
}

func sessionNothing(s sessions) {
	row := newSession()
	row.Principals, row.Owners = "one", []string{"u1"}
	s.create(row)
	kept := &stores.Principals{Data: row.Principals, Owners: row.Owners}
	for _, d := range []stores.Delta{
		{},
		{LastSeen: row.LastSeen, Expires: row.Expires},
		{Set: set("color", "red")},
		{Remove: []string{"never set"}},
		{Rename: same(row)},
		{Principals: kept, Rename: same(row)},
		{Set: set("color", "red"), LastSeen: row.LastSeen, Principals: kept, Rename: same(row)},
	} {
		s.updates(row.Row, d, stores.Updated)
		s.updates(row.Row, d, stores.Updated)
	}
	s.holds(row)
}

func sessionGone(s sessions) {
	row := newID()
	principals, _ := withOwners(newSession(), "u1")
	shared, _ := withOwners(newSession(), "u1", "u2")
	shared.Set, shared.Expires = set("a", "1"), present().Add(time.Hour)
	for _, d := range []stores.Delta{
		{},
		{Set: set("a", "1"), LastSeen: present(), Expires: present().Add(time.Hour)},
		{Generation: 1},
		principals,
		shared,
		{Rename: &stores.Rename{Old: newDigest(), New: newDigest(), At: present()}},
		{Rename: &stores.Rename{New: newDigest(), At: present()}},
	} {
		s.updates(row, d, stores.Gone)
		s.missing(row)
	}
	deleted := newSession()
	s.create(deleted)
	s.delete(deleted.Row)
	s.updates(deleted.Row, stores.Delta{Set: set("a", "1")}, stores.Gone)
	s.missing(deleted.Row)
}

func sessionRetains(s sessions) {
	row := newSession()
	s.create(row)
	owners, value := []string{"u1", "u2"}, []byte("blue")
	d, row := withOwners(row, owners...)
	pairs := map[string][]byte{"color": value}
	d.Set = pairs
	s.updates(row.Row, d, stores.Updated)
	row.Values, row.Owners = stores.NewValues(pairs), []string{"u1", "u2"}
	created := newSession()
	created.Owners = []string{"u1", "u2"}
	s.create(created)

	copy(value, "gold")
	pairs["a"] = nil
	d.Principals.Data, d.Rename.New = "", stores.Digest{}
	owners[0], created.Owners[1] = "u3", "u3"
	s.holds(row)
	created.Owners = []string{"u1", "u2"}
	s.holds(created)
}

func sessionDelete(s sessions) {
	row, other := newSession(), newSession()
	s.create(row)
	s.create(other)
	for i, want := range []bool{true, false, false} {
		if got := s.delete(row.Row); got != want {
			s.Errorf("Delete number %d reports %v, want %v", i+1, got, want)
		}
		s.missing(row.Row)
	}
	s.holds(other)
}

func sessionNames(s sessions) {
	row := newSession()
	row.Owners = []string{"u1"}
	s.create(row)
	ctx := s.Context()
	for _, name := range hostileNames(row.Row) {
		if _, found, _ := s.store.Load(ctx, name); found {
			s.Errorf("Load(%.40q) found a row", name)
		}
		outcome, err := s.store.Update(ctx, name, stores.Delta{Set: set("color", "black")})
		if err == nil && outcome != stores.Gone {
			s.Errorf("Update(%.40q) reports %v", name, outcome)
		}
		if existed, _ := s.store.Delete(ctx, name); existed {
			s.Errorf("Delete(%.40q) reports that the row existed", name)
		}
		made := newSession()
		made.Row = name
		// A store may refuse to create such a name.
		if err := s.store.Create(ctx, made); err == nil {
			s.holds(made)
			s.delete(name)
		}
		s.holds(row)
	}
}

func sessionContext(s sessions) {
	row, fresh := newSession(), newSession()
	row.Owners = []string{"u1"}
	s.create(row)
	calls := []call{
		{"Load", func(ctx context.Context) error { _, _, err := s.store.Load(ctx, row.Row); return err }},
		{"Create", func(ctx context.Context) error { return s.store.Create(ctx, fresh) }},
		{"Update", func(ctx context.Context) error {
			_, err := s.store.Update(ctx, row.Row, stores.Delta{Set: set("color", "black")})
			return err
		}},
		{"Delete", func(ctx context.Context) error { _, err := s.store.Delete(ctx, row.Row); return err }},
	}
	if index, ok := s.store.(stores.SessionIndex); ok {
		calls = append(calls,
			call{"SessionsOf", func(ctx context.Context) error { _, err := index.SessionsOf(ctx, "u1", 1000); return err }},
			call{"DeleteSessionsOf", func(ctx context.Context) error { _, err := index.DeleteSessionsOf(ctx, "u1", ""); return err }})
	}
	if writer, ok := s.store.(stores.SessionWriter); ok {
		calls = append(calls, call{"Write", func(ctx context.Context) error {
			_, err := writer.Write(ctx, row.Row, writeOf(row, "color", "black"))
			return err
		}})
	}
	if pruner, ok := s.store.(stores.Pruner); ok {
		calls = append(calls, call{"Prune", func(ctx context.Context) error {
			_, err := pruner.Prune(ctx, row.Expires.Add(time.Hour))
			return err
		}})
	}
	refusesEnded(s.T, calls)
	s.holds(row)
	s.missing(fresh.Row)
}
