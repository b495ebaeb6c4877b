package gormstore_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// counted returns stores on a new database and the number of statements that they
// have sent to it, without the beginnings and ends of transactions.
func counted(t *testing.T, open func(t *testing.T) *gorm.DB) (stores.Set, *int) {
	t.Helper()
	db, n := migrated(open)(t), new(int)
	count := func(*gorm.DB) { *n++ }
	callbacks := db.Callback()
	if err := errors.Join(
		callbacks.Query().Before("*").Register("count", count), callbacks.Row().Before("*").Register("count", count),
		callbacks.Raw().Before("*").Register("count", count), callbacks.Create().Before("*").Register("count", count),
	); err != nil {
		t.Fatal(err)
	}
	return gormstore.New(db), n
}

// changing returns a delta that gives the session other owners.
func changing(s *stores.Session, set map[string][]byte, owners ...string) stores.Delta {
	rename := stores.Rename{Old: s.Digest, New: stores.DigestOf(s.Digest[:]), At: now}
	s.Digest, s.Owners = rename.New, owners
	return stores.Delta{Set: set, LastSeen: now, Principals: &stores.Principals{Data: "x", Owners: owners}, Rename: &rename}
}

// TestStatements counts the statements of each call. Sessions with one owner do
// not pay for those with several.
func TestStatements(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		set, n := counted(t, open)
		ctx, index := t.Context(), set.Sessions.(stores.SessionIndex)
		s, keys := newSession(), map[string][]byte{"a": []byte("1")}
		update := func(d stores.Delta) func() error {
			return func() error {
				got, err := set.Sessions.Update(ctx, row, d)
				if got != stores.Updated {
					t.Errorf("Update: %v", got)
				}
				return err
			}
		}
		remove := func() error { _, err := set.Sessions.Delete(ctx, row); return err }
		deleteOf := func() error { _, err := index.DeleteSessionsOf(ctx, "2", ""); return err }
		create := func(s stores.Session) func() error {
			return func() error { return set.Sessions.Create(ctx, s) }
		}
		shared := newSession()
		shared.Owners = []string{"1", "2"}
		for _, step := range []struct {
			name string
			want int
			call func() error
		}{
			{"Create", 1, create(s)},
			{"Load", 1, func() error { _, _, err := set.Sessions.Load(ctx, row); return err }},
			{"touch", 1, update(stores.Delta{LastSeen: now, Expires: s.Expires})},
			{"keys", 3, update(stores.Delta{Set: keys, LastSeen: now})},
			{"login", 1, update(changing(&s, nil, "2"))},
			{"login with keys", 3, update(changing(&s, keys, "1"))},
			{"logout", 1, update(changing(&s, nil))},
			{"SessionsOf", 1, func() error { _, err := index.SessionsOf(ctx, "1"); return err }},
			{"DeleteSessionsOf", 2, deleteOf},
			{"Delete", 1, remove},
			{"Delete of no row", 2, remove},

			{"Create of a shared session", 2, create(shared)},
			{"Load of a shared session", 1, func() error { _, _, err := set.Sessions.Load(ctx, row); return err }},
			{"touch of a shared session", 1, update(stores.Delta{LastSeen: now})},
			{"keys of a shared session", 3, update(stores.Delta{Set: keys})},
			{"another owner", 5, update(changing(&shared, nil, "1", "2", "3"))},
			{"the same owners", 2, update(changing(&shared, nil, "1", "2", "3"))},
			{"one owner again", 7, update(changing(&shared, nil, "2"))},
			{"DeleteSessionsOf a shared session", 6, deleteOf},
		} {
			*n = 0
			if err := step.call(); err != nil || *n != step.want {
				t.Errorf("%s: %d statements, error %v; want %d", step.name, *n, err, step.want)
			}
		}
	})
}

// TestOwnersAreUnlisted looks for records of owners that outlive their session.
func TestOwnersAreUnlisted(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		set := gormstore.New(db)
		ctx := t.Context()
		for name, end := range map[string]func() error{
			"Delete":           func() error { _, err := set.Sessions.Delete(ctx, row); return err },
			"DeleteSessionsOf": func() error { _, err := set.Sessions.(stores.SessionIndex).DeleteSessionsOf(ctx, "1", ""); return err },
			"Prune": func() error {
				_, err := set.Sessions.(stores.Pruner).Prune(ctx, now.Add(2*time.Hour))
				return err
			},
		} {
			s, other := newSession(), newSession()
			other.Row, other.Owners, other.Expires = "00000000000000000000000000000001", []string{"2", "3"}, now.Add(24*time.Hour)
			s.Owners = []string{"1", "2"}
			if err := errors.Join(set.Sessions.Create(ctx, s), set.Sessions.Create(ctx, other), end()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var left []models.SessionOwner
			if err := db.Order("place").Find(&left).Error; err != nil || len(left) != 2 || left[0].Row != other.Row {
				t.Errorf("%s leaves %v, error %v; want the two of another session", name, left, err)
			}
			if _, err := set.Sessions.Delete(ctx, other.Row); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestLostPrincipals stores a change of principals without telling.
func TestLostPrincipals(t *testing.T) {
	for name, c := range map[string]struct {
		lose  func(f *faults)
		delta func(s stores.Session) stores.Delta
		want  stores.Outcome
		after stores.Outcome // of the same change again
	}{
		"new id": {func(f *faults) { f.lost.Store(1) }, func(s stores.Session) stores.Delta {
			d := changing(&s, nil, "2")
			d.Principals.Generation = 1
			return d
		}, stores.Updated, stores.Replaced},
		"new id, same generation": {func(f *faults) { f.lost.Store(1) }, func(s stores.Session) stores.Delta {
			return changing(&s, nil, "2")
		}, stores.Updated, stores.Stale},
		"same id and generation": {func(f *faults) { f.lost.Store(1) }, func(s stores.Session) stores.Delta {
			d := changing(&s, nil, "2")
			d.Rename.New = d.Rename.Old
			return d
		}, stores.Updated, stores.Updated},
		// Whether it was stored cannot be found out, so it is an error.
		"same id": {func(f *faults) { f.lostCommits.Store(1) }, func(s stores.Session) stores.Delta {
			d := changing(&s, nil, "2")
			d.Rename.New, d.Principals.Generation = d.Rename.Old, 1
			return d
		}, stores.Gone, stores.Replaced},
		"several owners": {func(f *faults) { f.lostCommits.Store(1) }, func(s stores.Session) stores.Delta {
			return changing(&s, nil, "1", "2")
		}, stores.Gone, stores.Stale},
	} {
		set, f := faulty(t)
		s := newSession()
		if err := set.Sessions.Create(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		d := c.delta(s)
		c.lose(f)
		got, err := set.Sessions.Update(t.Context(), row, d)
		if got != c.want || (err != nil) != (c.want == stores.Gone) {
			t.Errorf("%s: %v, error %v; want %v", name, got, err, c.want)
		}
		if got, err := set.Sessions.Update(t.Context(), row, d); got != c.after || err != nil {
			t.Errorf("%s, again: %v, error %v; want %v", name, got, err, c.after)
		}
	}
}
