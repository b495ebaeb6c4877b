package storetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var sessionWrites = []rule[sessions]{
	{"write", "Write sets its keys, LastSeen and Expires, and keeps everything else.", sessionWrite},
	{"write-refused", "A Write whose conditions the row does not meet changes nothing and returns the row.", sessionWriteRefused},
	{"write-former", "A Write with the digest before the last rename is done only if that was between Since and LastSeen, in the same generation.", sessionWriteFormer},
	{"write-full", "A Write after which the row would have too many keys or bytes changes nothing and returns the row.", sessionWriteFull},
	{"write-gone", "A Write of a row that does not exist creates nothing, and says whether the row was deleted.", sessionWriteGone},
	{"race-write", "Parallel Writes and deltas are all kept also if one of them logs in and changes the digest.", sessionRaceWrite},
	{"race-write-delete", "A row that is deleted while it is written no longer exists, and every later Write says that it was deleted.", sessionRaceWriteDelete},
}

func (s sessions) writer() stores.SessionWriter {
	return capability[stores.SessionWriter](s.T, s.store, "stores.SessionWriter")
}

// writeOf returns a Write that the row meets the conditions of.
func writeOf(row stores.Session, pairs ...string) stores.Write {
	return stores.Write{
		Digest: row.Digest, SeenAfter: row.LastSeen.Add(-time.Minute), CreatedAfter: row.Created.Add(-time.Microsecond),
		Without: "flash.", MaxValues: stores.MaxValues,
		Set: set(pairs...), LastSeen: row.LastSeen.Add(time.Second), Expires: row.Expires.Add(time.Second),
	}
}

// writes makes a Write that has to be done.
func (s sessions) writes(row string, w stores.Write) {
	s.Helper()
	if got, err := s.writer().Write(s.Context(), row, w); err != nil || !got.Done {
		s.Errorf("Write is done: %v, error %v; want it done", got.Done, err)
	}
}

// refusesWrite makes a Write that must not be done, and checks that the row stays as it is.
func (s sessions) refusesWrite(what string, row stores.Session, w stores.Write) {
	s.Helper()
	got, err := s.writer().Write(s.Context(), row.Row, w)
	if err != nil || got.Done || !got.Found || got.Deleted {
		s.Errorf("%s: Write is done: %v, found: %v, deleted: %v, error %v; want the row", what, got.Done, got.Found, got.Deleted, err)
		return
	}
	if diff := diffSessions(got.Session, row); diff != "" {
		s.Errorf("%s: Write returns another row: %s", what, diff)
	}
	s.holds(row)
}

func sessionWrite(s sessions) {
	row := newSession()
	row.Values = stores.NewValues(set("color", "red", "size", "", "flas", "x"))
	s.create(row)
	w := writeOf(row, "color", "blue", "empty", "", "\x00", "\xff")
	s.writes(row.Row, w)
	row.Values = row.Values.With(stores.Delta{Set: w.Set})
	row.LastSeen, row.Expires = w.LastSeen, w.Expires
	s.holds(row)
	s.writes(row.Row, w) // again, as after an answer that was lost
	s.holds(row)

	login, row := withOwners(row, "u1")
	s.updates(row.Row, login, stores.Updated)
	w = writeOf(row, "color", "green")
	s.writes(row.Row, w)
	row.Values = row.Values.With(stores.Delta{Set: w.Set})
	row.LastSeen, row.Expires = w.LastSeen, w.Expires
	s.holds(row)
}

func sessionWriteRefused(s sessions) {
	s.writer()
	row := newSession()
	row.Values = stores.NewValues(set("color", "red", "flash.message", "x"))
	row.Principals, row.Owners, row.Generation = "one", []string{"u1"}, 7
	s.create(row)
	for name, change := range map[string]func(*stores.Write){
		"another digest":           func(w *stores.Write) { w.Digest = newDigest() },
		"the zero digest":          func(w *stores.Write) { w.Digest, w.Since = stores.Digest{}, time.UnixMicro(1) },
		"seen too early":           func(w *stores.Write) { w.SeenAfter = row.LastSeen },
		"created too early":        func(w *stores.Write) { w.CreatedAfter = row.Created },
		"a key with the prefix":    func(w *stores.Write) { w.Without = "flash." },
		"a key that is the prefix": func(w *stores.Write) { w.Without = "color" },
	} {
		w := writeOf(row, "color", "blue")
		w.Without = ""
		change(&w)
		s.refusesWrite(name, row, w)
	}
	s.refusesWrite("the zero Write", row, stores.Write{})
	w := writeOf(row, "color", "blue")
	w.Without = ""
	s.writes(row.Row, w)
}

func sessionWriteFormer(s sessions) {
	s.writer()
	row := newSession()
	own, first, second, at := row.Digest, newDigest(), newDigest(), row.LastSeen.Add(time.Minute)
	since := at.Add(-time.Microsecond)
	write := func(d stores.Digest, since, seen time.Time) stores.Write {
		w := writeOf(row, "a", since.String())
		w.Digest, w.Since, w.LastSeen = d, since, seen
		return w
	}
	s.create(row)
	s.refusesWrite("no former digest", row, write(stores.Digest{}, at.Add(-time.Hour), at))

	row = s.renamed(row, first, at, &stores.Principals{Data: "one", Owners: []string{"u1"}})
	s.refusesWrite("renamed at Since", row, write(own, at, at))
	s.refusesWrite("no Since", row, write(own, time.Time{}, at))
	s.refusesWrite("renamed after LastSeen", row, write(own, since, since))
	s.writes(row.Row, write(own, since, at))
	s.valuesAre(row.Row, set("color", "red", "a", since.String()))
	// What gives the row no other digest changes nothing in that.
	row = s.renamed(row, first, at, &stores.Principals{Data: "same", Owners: []string{"u1"}})
	s.writes(row.Row, write(own, since, at))

	row = s.renamed(row, second, at, nil)
	s.refusesWrite("the digest before the former", row, write(own, since, at))
	s.writes(row.Row, write(first, since, at))

	// Principals that are replaced, in the row's rename or after it, end what a former digest opens.
	row = s.renamed(row, second, at, &stores.Principals{Generation: 1})
	s.refusesWrite("a principal was removed since", row, write(first, since, at))
	s.refusesWrite("the zero digest after that", row, write(stores.Digest{}, since, at))
	row = s.renamed(row, newDigest(), at, &stores.Principals{Data: "two", Owners: []string{"u2"}, Generation: 2})
	s.refusesWrite("another principal's", row, write(second, since, at))
}

// renamed gives a row another digest and returns it.
func (s sessions) renamed(row stores.Session, to stores.Digest, at time.Time, p *stores.Principals) stores.Session {
	s.Helper()
	row = s.load(row.Row)
	s.updates(row.Row, stores.Delta{
		Generation: row.Generation, Principals: p, Rename: &stores.Rename{Old: row.Digest, New: to, At: at},
	}, stores.Updated)
	return s.load(row.Row)
}

func sessionWriteFull(s sessions) {
	s.writer()
	row := newSession()
	s.create(row)
	w := writeOf(row, "a", "12345")
	w.MaxValues = row.Values.Size() + stores.PairSize(1, 5) - 1
	s.refusesWrite("too many bytes", row, w)
	w.MaxValues++
	s.writes(row.Row, w)
	row = s.load(row.Row)
	w = writeOf(row, "a", "54321") // in place of a value of the same size
	w.MaxValues = row.Values.Size()
	s.writes(row.Row, w)

	many := newSession()
	pairs := set()
	for i := range stores.MaxKeys - 1 {
		pairs[fmt.Sprint("key", i)] = nil
	}
	many.Values = stores.NewValues(pairs)
	s.create(many)
	s.refusesWrite("too many keys", many, writeOf(many, "a", "", "b", ""))
	s.writes(many.Row, writeOf(many, "a", ""))

	few := newSession()
	few.Values = stores.NewValues(set())
	s.create(few)
	w = writeOf(few)
	w.Set = pairs
	s.writes(few.Row, w) // all at once
	s.valuesAre(few.Row, pairs)

	large := newSession()
	s.create(large)
	w = writeOf(large, "a", strings.Repeat("x", stores.MaxValues))
	w.MaxValues = 2 * stores.MaxValues
	s.refusesWrite("more than MaxValues", large, w)
}

func sessionWriteGone(s sessions) {
	is := func(what, row string, w stores.Write, deleted bool) {
		s.Helper()
		got, err := s.writer().Write(s.Context(), row, w)
		if err != nil || got.Done || got.Found || got.Deleted != deleted {
			s.Errorf("%s: Write is done: %v, found: %v, deleted: %v, error %v; want deleted: %v",
				what, got.Done, got.Found, got.Deleted, err, deleted)
		}
		s.missing(row)
	}
	row := newSession()
	is("never created", row.Row, writeOf(row, "a", "1"), false)
	s.create(row)
	s.delete(row.Row)
	is("deleted", row.Row, writeOf(row, "a", "1"), true)
	if got, _ := s.writer().Write(s.Context(), row.Row, writeOf(row, "a", "1")); got.Ago < 0 || got.Ago > stores.DeletedFor/2 {
		s.Errorf("the row was deleted %v ago", got.Ago)
	}
	is("deleted, the zero Write", row.Row, stores.Write{}, true)
	for _, name := range hostileNames(row.Row) {
		is(fmt.Sprintf("%.40q", name), name, writeOf(row, "a", "1"), false)
	}
	if index, ok := s.store.(stores.SessionIndex); ok {
		owned := of("u1")
		s.create(owned)
		if n, err := index.DeleteSessionsOf(s.Context(), "u1", ""); err != nil || n != 1 {
			s.Errorf("DeleteSessionsOf = %d, error %v; want 1", n, err)
		}
		is("deleted with all of its owner", owned.Row, writeOf(owned, "a", "1"), true)
	}
}

func sessionRaceWrite(s sessions) {
	s.writer()
	row := newSession()
	s.create(row)
	login, renamed := withOwners(row, "u1")
	login.Rename.New, login.Rename.At = newDigest(), row.LastSeen.Add(time.Second)
	want := set("color", "red")
	for i := range writers {
		want[fmt.Sprint("write", i)], want[fmt.Sprint("delta", i)] = []byte("w"), []byte("d")
	}
	parallel(2*writers+1, func(i int) {
		switch {
		case i == writers:
			s.updates(row.Row, login, stores.Updated)
		case i < writers:
			w := writeOf(row, fmt.Sprint("write", i), "w")
			w.Since = row.LastSeen
			s.writes(row.Row, w)
		default:
			s.updates(row.Row, stores.Delta{Set: set(fmt.Sprint("delta", i-writers-1), "d")}, stores.Updated)
		}
	})
	s.valuesAre(row.Row, want)
	if got := s.load(row.Row); got.Digest != login.Rename.New || got.Principals != renamed.Principals {
		s.Error("the login was lost")
	}
}

func sessionRaceWriteDelete(s sessions) {
	s.writer()
	for range rounds(40) {
		row := newSession()
		s.create(row)
		var deleted atomic.Bool
		parallel(9, func(i int) {
			if i == 4 {
				s.delete(row.Row)
				deleted.Store(true)
				return
			}
			late := deleted.Load()
			got, err := s.writer().Write(s.Context(), row.Row, writeOf(row, "color", "blue"))
			if err != nil || got.Done == got.Deleted || (late && got.Done) {
				s.Errorf("Write is done: %v, deleted: %v, after Delete: %v, error %v", got.Done, got.Deleted, late, err)
			}
		})
		s.missing(row.Row)
	}
}
