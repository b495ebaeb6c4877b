package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// counted returns stores on a new database, and the number of statements that they have
// sent to it, not counting the begin and the end of transactions.
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

// clearing returns the delta with Clear.
func clearing(d stores.Delta) stores.Delta {
	d.Clear = true
	return d
}

// A statementStep is a call and the number of statements that it takes.
type statementStep struct {
	name string
	want int
	call func(ctx context.Context) error
}

// TestStatements counts the statements of each call. Sessions with one owner do
// not pay for sessions with several.
func TestStatements(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		set, n := counted(t, open)
		ofOwner, beyond := 2, 5 // the unshared sessions, and the names of the shared ones
		switch {
		case strings.HasSuffix(t.Name(), "/postgres"):
			ofOwner = 1
		case strings.HasSuffix(t.Name(), "/mysql"): // which does not say what it deletes
			beyond = 6
		}
		for _, step := range slices.Concat(unsharedSteps(t, set.Sessions, ofOwner), sharedSteps(t, set.Sessions), limitedSteps(t, set.Sessions, ofOwner, beyond)) {
			*n = 0
			if err := step.call(t.Context()); err != nil || *n != step.want {
				t.Errorf("%s: %d statements, error %v; want %d", step.name, *n, err, step.want)
			}
		}
	})
}

func unsharedSteps(t *testing.T, sessions stores.Sessions, ofOwner int) []statementStep {
	s, keys := newSession(), map[string][]byte{"a": []byte("1")}
	remove := func(ctx context.Context) error { _, err := sessions.Delete(ctx, row); return err }
	return []statementStep{
		{"Create", 1, creating(sessions, s)},
		{"Load", 1, func(ctx context.Context) error { _, _, err := sessions.Load(ctx, row); return err }},
		{"touch", 1, updating(t, sessions, stores.Delta{LastSeen: now, Expires: s.Expires})},
		{"keys", 3, updating(t, sessions, stores.Delta{Set: keys, LastSeen: now})},
		{"keys of a row that was loaded", 2, seeing(t, sessions, stores.Delta{Set: keys, LastSeen: now})},
		{"login", 1, updating(t, sessions, changing(&s, nil, "2"))},
		{"login with keys", 3, updating(t, sessions, changing(&s, keys, "1"))},
		{"logout", 1, updating(t, sessions, changing(&s, nil))},
		{"login that clears", 1, updating(t, sessions, clearing(changing(&s, keys, "1")))},
		{"clear", 1, updating(t, sessions, clearing(stores.Delta{}))},
		{"SessionsOf", 1, func(ctx context.Context) error {
			_, err := sessions.(stores.SessionIndex).SessionsOf(ctx, "1", 1000)
			return err
		}},
		{"DeleteSessionsOf", ofOwner, deletingOf(sessions, "2")},
		{"Delete", 1, remove},
		{"Delete of no row", 2, remove},
	}
}

func limitedSteps(t *testing.T, sessions stores.Sessions, ofOwner, beyond int) []statementStep {
	s := newSession()
	s.Owners = []string{"2"}
	return []statementStep{
		{"Create before a limit", 1, creating(sessions, s)},
		{"login with a limit", 2, limiting(t, sessions, changing(&s, nil, "2"), 1)},
		{"creation with a limit", 2, creatingLimited(sessions, 2, "00000000000000000000000000000007", 0)},
		{"creation beyond the limit", beyond, creatingLimited(sessions, 2, "00000000000000000000000000000008", 1)},
		{"DeleteSessionsOf at the limit", ofOwner, deletingOf(sessions, "2")},
	}
}

func sharedSteps(t *testing.T, sessions stores.Sessions) []statementStep {
	s := newSession()
	s.Owners = []string{"1", "2"}
	return []statementStep{
		{"Create of a shared session", 2, creating(sessions, s)},
		{"Load of a shared session", 1, func(ctx context.Context) error { _, _, err := sessions.Load(ctx, row); return err }},
		{"touch of a shared session", 1, updating(t, sessions, stores.Delta{LastSeen: now})},
		{"keys of a shared session", 3, updating(t, sessions, stores.Delta{Set: map[string][]byte{"a": nil}})},
		{"another owner", 5, updating(t, sessions, changing(&s, nil, "1", "2", "3"))},
		{"the same owners", 2, updating(t, sessions, changing(&s, nil, "1", "2", "3"))},
		{"login of another that clears", 5, updating(t, sessions, clearing(changing(&s, map[string][]byte{"a": nil}, "1", "2")))},
		{"clear of a shared session", 1, updating(t, sessions, clearing(stores.Delta{Set: map[string][]byte{"a": nil}}))},
		{"one owner again", 7, updating(t, sessions, changing(&s, nil, "2"))},
		{"DeleteSessionsOf a shared session", 6, deletingOf(sessions, "2")},
	}
}

func creating(sessions stores.Sessions, s stores.Session) func(ctx context.Context) error {
	return func(ctx context.Context) error { return sessions.Create(ctx, s) }
}

func updating(t *testing.T, sessions stores.Sessions, d stores.Delta) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		got, err := sessions.Update(ctx, row, d)
		if got != stores.Updated {
			t.Errorf("Update: %v, want updated", got)
		}
		return err
	}
}

// seeing loads the row and updates it.
func seeing(t *testing.T, sessions stores.Sessions, d stores.Delta) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		seen, _, err := sessions.Load(ctx, row)
		if err != nil {
			return err
		}
		d.Seen = &seen
		return updating(t, sessions, d)(ctx)
	}
}

func limiting(t *testing.T, sessions stores.Sessions, d stores.Delta, limit int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		got, ended, err := sessions.(stores.SessionLimit).UpdateLimited(ctx, row, d, limit)
		if got != stores.Updated || len(ended) > 0 {
			t.Errorf("UpdateLimited: %v, %d rows ended, want updated, none", got, len(ended))
		}
		return err
	}
}

// creatingLimited creates a session of owner "2", which ends that many others.
func creatingLimited(sessions stores.Sessions, limit int, name string, want int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		s := newSession()
		s.Row, s.Owners = name, []string{"2"}
		s.LastSeen = s.LastSeen.Add(time.Minute)
		ended, err := sessions.(stores.SessionLimit).CreateLimited(ctx, s, limit)
		if err == nil && len(ended) != want {
			err = fmt.Errorf("%d rows ended, want %d", len(ended), want)
		}
		return err
	}
}

func deletingOf(sessions stores.Sessions, owner string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := sessions.(stores.SessionIndex).DeleteSessionsOf(ctx, owner, "")
		return err
	}
}

// TestOwnersAreUnlisted checks that records of owners are deleted with their session.
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

// TestLostPrincipals loses the answers to changes of principals.
func TestLostPrincipals(t *testing.T) {
	for name, c := range map[string]struct {
		lose  func(f *faults)
		delta func(s stores.Session) stores.Delta
		want  stores.Outcome
		after stores.Outcome // of the same change once more
	}{
		"new id": {func(f *faults) { f.lost.Store(1) }, func(s stores.Session) stores.Delta {
			d := changing(&s, nil, "2")
			d.Principals.Generation = 1
			return d
		}, stores.Updated, stores.Replaced},
		"new id, same generation": {func(f *faults) { f.lost.Store(1) }, func(s stores.Session) stores.Delta {
			return changing(&s, nil, "2")
		}, stores.Updated, stores.Stale},
		"new id and clear": {func(f *faults) { f.lost.Store(1) }, func(s stores.Session) stores.Delta {
			return clearing(changing(&s, map[string][]byte{"a": nil}, "2"))
		}, stores.Updated, stores.Stale},
		"same id and generation": {func(f *faults) { f.lost.Store(1) }, func(s stores.Session) stores.Delta {
			d := changing(&s, nil, "2")
			d.Rename.New = d.Rename.Old
			return d
		}, stores.Updated, stores.Updated},
		// The store cannot tell whether it was stored, so it is an error.
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
