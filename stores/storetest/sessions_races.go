package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// writers is the number of parallel changes of one row.
const writers = 100

var sessionRaces = []rule[sessions]{
	{"race-create", "Of parallel Creates of one row exactly one succeeds, and the row is as that one created it.", sessionRaceCreate},
	{"race-keys", "Parallel deltas to different keys are all kept, and each is visible once it is acknowledged.", sessionRaceKeys},
	{"race-keys-rename", "Parallel deltas are all kept also if one of them logs in and changes the digest.", sessionRaceLogin},
	{"race-keys-touch", "Parallel deltas are all kept also if touches run in parallel.", sessionRaceTouch},
	{"race-set-remove", "Parallel deltas that set and remove different keys do not undo each other.", sessionRaceRemove},
	{"race-rename", "Of parallel renames from one digest exactly one is applied; the others change nothing.", sessionRaceRename},
	{"race-principals", "Of parallel changes of principals from one generation exactly one is applied; the others report Replaced.", sessionRacePrincipals},
	{"race-generation", "Once a change of the generation is acknowledged, no delta of the generation before it is applied.", sessionRaceGeneration},
	{"race-clear", "A Clear that changes the generation removes also the keys that are set while it runs.", sessionRaceClear},
	{"race-rename-delete", "A row that is deleted while it is renamed no longer exists.", sessionRaceRenameDelete},
	{"race-delete", "A row that is deleted while it is changed no longer exists, and no change creates it again.", sessionRaceDelete},
	{"race-delete-once", "Of parallel Deletes of one row exactly one reports that it existed.", sessionRaceDeleteOnce},
}

func sessionRaceCreate(s sessions) {
	row := newID()
	made := make([]stores.Session, 20)
	var winner atomic.Int64
	var won atomic.Int64
	parallel(len(made), func(i int) {
		made[i] = newSession()
		made[i].Row = row
		made[i].UserAgent = fmt.Sprint("test/", i)
		switch err := s.store.Create(s.Context(), made[i]); {
		case err == nil:
			winner.Store(int64(i))
			won.Add(1)
		case !errors.Is(err, stores.ErrExists):
			s.Errorf("Create: %v", err)
		}
	})
	if won.Load() != 1 {
		s.Fatalf("%d of %d Creates succeeded, want 1", won.Load(), len(made))
	}
	s.holds(made[winner.Load()])
}

// writeKeys sets a key for each of the writers in parallel, checks that each key is then
// there, and calls beside at the same time. It returns the expected keys of the row.
func writeKeys(s sessions, row string, beside func()) map[string][]byte {
	want := set("color", "red")
	for i := range writers {
		want[fmt.Sprint("key", i)] = fmt.Append(nil, i)
	}
	parallel(writers+1, func(i int) {
		if i == writers {
			beside()
			return
		}
		key := fmt.Sprint("key", i)
		s.updates(row, stores.Delta{Set: map[string][]byte{key: want[key]}}, stores.Updated)
		if _, ok := s.load(row).Values.Get(key); !ok {
			s.Errorf("%s is missing after its update was acknowledged", key)
		}
	})
	return want
}

func sessionRaceKeys(s sessions) {
	row := newSession()
	s.create(row)
	row.Values = stores.NewValues(writeKeys(s, row.Row, func() {}))
	s.holds(row)
}

func sessionRaceLogin(s sessions) {
	row := newSession()
	s.create(row)
	login, row := withOwners(row, "u1")
	login.Set = set("user", "1")
	want := writeKeys(s, row.Row, func() { s.updates(row.Row, login, stores.Updated) })
	want["user"] = []byte("1")
	row.Values = stores.NewValues(want)
	s.holds(row)
}

func sessionRaceTouch(s sessions) {
	row := newSession()
	s.create(row)
	want := writeKeys(s, row.Row, func() {
		for range 20 {
			s.updates(row.Row, stores.Delta{LastSeen: row.LastSeen, Expires: row.Expires}, stores.Updated)
		}
	})
	row.Values = stores.NewValues(want)
	s.holds(row)
}

func sessionRaceRemove(s sessions) {
	row := newSession()
	pairs := set()
	for i := range 20 {
		pairs[fmt.Sprint("old", i)] = []byte("x")
	}
	row.Values = stores.NewValues(pairs)
	s.create(row)
	want := set()
	for i := range 20 {
		want[fmt.Sprint("new", i)] = []byte("y")
	}
	parallel(40, func(i int) {
		if i < 20 {
			s.updates(row.Row, stores.Delta{Remove: []string{fmt.Sprint("old", i)}}, stores.Updated)
			return
		}
		s.updates(row.Row, stores.Delta{Set: set(fmt.Sprint("new", i-20), "y")}, stores.Updated)
	})
	s.valuesAre(row.Row, want)
}

func sessionRaceRename(s sessions) {
	row := newSession()
	s.create(row)
	digests := make([]stores.Digest, writers)
	var winner, won atomic.Int64
	parallel(writers, func(i int) {
		digests[i] = newDigest()
		outcome := s.update(row.Row, stores.Delta{
			Set:    set(fmt.Sprint("key", i), "x"),
			Rename: &stores.Rename{Old: row.Digest, New: digests[i], At: row.LastSeen},
		})
		switch outcome {
		case stores.Updated:
			winner.Store(int64(i))
			won.Add(1)
		case stores.Gone:
			s.Error("a rename reports gone, but the row exists")
		}
	})
	if won.Load() != 1 {
		s.Fatalf("%d of %d renames from one digest were applied, want 1", won.Load(), writers)
	}
	row.Digest, row.Renamed = digests[winner.Load()], row.LastSeen
	row.Values = row.Values.With(stores.Delta{Set: set(fmt.Sprint("key", winner.Load()), "x")})
	s.holds(row)
}

func sessionRaceRenameDelete(s sessions) {
	row := newSession()
	s.create(row)
	var won atomic.Int64
	parallel(writers+1, func(i int) {
		if i == writers/2 {
			if !s.delete(row.Row) {
				s.Error("Delete reports that the row did not exist")
			}
			return
		}
		rename := stores.Rename{Old: row.Digest, New: newDigest(), At: row.LastSeen}
		if s.update(row.Row, stores.Delta{Rename: &rename}) == stores.Updated {
			won.Add(1)
		}
	})
	if won.Load() > 1 {
		s.Errorf("%d renames from one digest were applied, want at most 1", won.Load())
	}
	s.missing(row.Row)
}

func sessionRaceDelete(s sessions) {
	for range rounds(40) {
		row := newSession()
		s.create(row)
		login, _ := withOwners(row, "u1")
		join, _ := withOwners(row, "u1", "u2")
		parallel(9, func(i int) {
			d := stores.Delta{Set: set(fmt.Sprint("key", i), "x")}
			switch i {
			case 0:
				d.Expires = row.Expires.Add(time.Hour)
			case 1:
				d = login
			case 2:
				d = join
			case 4:
				if !s.delete(row.Row) {
					s.Error("Delete reports that the row did not exist")
				}
				return
			}
			if s.update(row.Row, d) == stores.Stale && d.Rename == nil {
				s.Error("an update that renames nothing reports stale")
			}
		})
		s.missing(row.Row)
		s.updates(row.Row, stores.Delta{Set: set("late", "x")}, stores.Gone)
		s.missing(row.Row)
	}
}

func sessionRaceDeleteOnce(s sessions) {
	for range rounds(10) {
		row := newSession()
		s.create(row)
		var existed atomic.Int64
		parallel(10, func(int) {
			if s.delete(row.Row) {
				existed.Add(1)
			}
		})
		if existed.Load() != 1 {
			s.Errorf("%d of 10 Deletes report that the row existed, want 1", existed.Load())
		}
	}
}
