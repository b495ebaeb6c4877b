package storetest_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

type writeBack struct{ *memSessions }

func (s writeBack) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	got, found, err := s.Load(ctx, row)
	if err != nil || !found {
		return stores.Gone, err
	}
	pause()
	changed := got.Values.With(d)
	d.Set, d.Remove = map[string][]byte{}, nil
	for key, value := range changed.All() {
		d.Set[key] = []byte(value)
	}
	current, _, _ := s.Load(ctx, row)
	for key := range current.Values.All() {
		if _, kept := d.Set[key]; !kept {
			d.Remove = append(d.Remove, key)
		}
	}
	return s.memSessions.Update(ctx, row, d)
}

type upsert struct{ *memSessions }

func (s upsert) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if o, err := s.memSessions.Update(ctx, row, d); err != nil || o != stores.Gone {
		return o, err
	}
	return stores.Updated, s.Create(ctx, stores.Session{Row: row, Values: stores.NewValues(d.Set), Expires: time.Now()})
}

type trustsSeen struct{ *memSessions }

func (s trustsSeen) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if d.Seen != nil {
		values := d.Seen.Values.With(d)
		d.Set, d.Remove, d.Clear = map[string][]byte{}, nil, true
		for key, value := range values.All() {
			d.Set[key] = []byte(value)
		}
	}
	return s.memSessions.Update(ctx, row, d)
}

type changedRows struct{ *memSessions }

func (s changedRows) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	before, _, _ := s.Load(ctx, row)
	o, err := s.memSessions.Update(ctx, row, d)
	if after, _, _ := s.Load(ctx, row); reflect.DeepEqual(after, before) {
		return stores.Gone, err
	}
	return o, err
}

type anyDigest struct{ *memSessions }

func (s anyDigest) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if got, _, _ := s.Load(ctx, row); d.Rename != nil {
		d.Rename = &stores.Rename{Old: got.Digest, New: d.Rename.New, At: d.Rename.At}
	}
	return s.memSessions.Update(ctx, row, d)
}

type checkedDigest struct{ *memSessions }

func (s checkedDigest) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if d.Rename == nil {
		return s.memSessions.Update(ctx, row, d)
	}
	if got, found, _ := s.Load(ctx, row); found && got.Digest != d.Rename.Old {
		return stores.Stale, nil
	}
	pause()
	return anyDigest(s).Update(ctx, row, d)
}

type noContext struct{ *memSessions }

func (s noContext) Delete(_ context.Context, row string) (bool, error) {
	return s.memSessions.Delete(context.Background(), row)
}

type foldedOwners struct{ *memSessions }

func (s foldedOwners) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	return s.memSessions.SessionsOf(ctx, strings.ToLower(owner), limit)
}

type eagerPrune struct{ *memSessions }

func (s eagerPrune) Prune(ctx context.Context, now time.Time) (int, error) {
	return s.memSessions.Prune(ctx, now.Add(time.Microsecond))
}

type noGeneration struct{ *memSessions }

func (s noGeneration) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if err := d.Validate(); err != nil {
		return stores.Gone, err
	}
	for {
		got, found, err := s.Load(ctx, row)
		if err != nil || !found {
			return stores.Gone, err
		}
		d.Generation = got.Generation
		if d.Principals != nil && d.Principals.Generation < d.Generation {
			principals := *d.Principals
			principals.Generation = d.Generation
			d.Principals = &principals
		}
		if o, err := s.memSessions.Update(ctx, row, d); err != nil || o != stores.Replaced {
			return o, err
		}
	}
}

type checkedGeneration struct{ *memSessions }

func (s checkedGeneration) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if got, found, _ := s.Load(ctx, row); found && got.Generation != d.Generation {
		return stores.Replaced, nil
	}
	pause()
	return noGeneration(s).Update(ctx, row, d)
}

type anyPrincipals struct{ *memSessions }

func (s anyPrincipals) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if got, found, _ := s.Load(ctx, row); found && d.Principals != nil && d.Rename == nil {
		d.Rename = &stores.Rename{Old: got.Digest, New: got.Digest}
	}
	return s.memSessions.Update(ctx, row, d)
}

type alwaysRenamed struct{ *memSessions }

func (s alwaysRenamed) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	got, found, err := s.memSessions.Load(ctx, row)
	if !got.Renamed.IsZero() {
		got.Renamed = got.LastSeen
	}
	return got, found, err
}

type firstOwner struct{ *memSessions }

func (s firstOwner) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	rows, err := s.memSessions.SessionsOf(ctx, owner, limit)
	return slices.DeleteFunc(rows, func(row stores.Session) bool { return row.Owners[0] != owner }), err
}

type relisted struct{ *memSessions }

func (s relisted) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if d.Principals != nil && d.Rename != nil {
		nobody := stores.Delta{
			Generation: d.Generation,
			Principals: &stores.Principals{Generation: d.Generation},
			Rename:     &stores.Rename{Old: d.Rename.Old, New: d.Rename.Old},
		}
		_, _ = s.memSessions.Update(ctx, row, nobody)
		pause()
	}
	return s.memSessions.Update(ctx, row, d)
}

// clearedKnown clears the given key, or if it is "" the keys that it finds.
type clearedKnown struct {
	*memSessions
	key string
}

func (s clearedKnown) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if d.Clear {
		d.Clear = false
		got, _, _ := s.Load(ctx, row)
		for key := range got.Values.All() {
			if _, set := d.Set[key]; !set && (s.key == "" || s.key == key) {
				d.Remove = append(d.Remove, key)
			}
		}
		pause()
	}
	return s.memSessions.Update(ctx, row, d)
}

type clearedFirst struct{ *memSessions }

func (s clearedFirst) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if got, found, _ := s.Load(ctx, row); found && d.Clear {
		_, _ = s.memSessions.Update(ctx, row, stores.Delta{Generation: got.Generation, Clear: true})
	}
	return s.memSessions.Update(ctx, row, d)
}

type clearedLater struct{ *memSessions }

func (s clearedLater) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if got, found, _ := s.Load(ctx, row); found && d.Clear {
		if size := got.Values.SizeWith(stores.Delta{Set: d.Set}); size > stores.MaxValues {
			return stores.Gone, errors.New("too large")
		}
	}
	return s.memSessions.Update(ctx, row, d)
}

// trimmedFirst makes room before it stores a row.
type trimmedFirst struct{ *memSessions }

func (s trimmedFirst) CreateLimited(ctx context.Context, row stores.Session, limit int) ([]stores.EndedSession, error) {
	ended, err := s.makeRoom(ctx, row.Owners, limit)
	if err != nil {
		return nil, err
	}
	return ended, s.Create(ctx, row)
}

func (s trimmedFirst) UpdateLimited(
	ctx context.Context, row string, d stores.Delta, limit int,
) (stores.Outcome, []stores.EndedSession, error) {
	if d.Principals == nil {
		return s.memSessions.UpdateLimited(ctx, row, d, limit)
	}
	ended, err := s.makeRoom(ctx, d.Principals.Owners, limit)
	if err != nil {
		return stores.Gone, nil, err
	}
	outcome, err := s.Update(ctx, row, d)
	return outcome, ended, err
}

func (s trimmedFirst) makeRoom(ctx context.Context, owners []string, limit int) (ended []stores.EndedSession, err error) {
	for _, owner := range owners {
		rows, err := s.SessionsOf(ctx, owner, 1000)
		if err != nil {
			return nil, err
		}
		for _, old := range rows[min(limit-1, len(rows)):] {
			if _, err := s.Delete(ctx, old.Row); err != nil {
				return nil, err
			}
			ended = append(ended, stores.EndedSession{Row: old.Row, Owner: owner})
		}
	}
	pause()
	return ended, nil
}

// newestEnds ends the new row itself.
type newestEnds struct{ *memSessions }

func (s newestEnds) CreateLimited(ctx context.Context, row stores.Session, limit int) (ended []stores.EndedSession, err error) {
	if err := s.Create(ctx, row); err != nil {
		return nil, err
	}
	for _, owner := range row.Owners {
		if rows, err := s.SessionsOf(ctx, owner, 1000); err != nil || len(rows) <= limit {
			return nil, err
		}
		_, err = s.Delete(ctx, row.Row)
		ended = append(ended, stores.EndedSession{Row: row.Row, Owner: owner})
	}
	return ended, err
}

// anyUpdate ends surplus rows also if the update was refused.
type anyUpdate struct{ *memSessions }

func (s anyUpdate) UpdateLimited(
	ctx context.Context, row string, d stores.Delta, limit int,
) (o stores.Outcome, ended []stores.EndedSession, err error) {
	if got, found, _ := s.Load(ctx, row); found && len(got.Owners) > 0 && limit > 0 {
		rows, err := s.SessionsOf(ctx, got.Owners[0], 1000)
		if err != nil {
			return stores.Gone, nil, err
		}
		for _, old := range rows[min(limit, len(rows)):] {
			_, _ = s.Delete(ctx, old.Row)
		}
	}
	return s.memSessions.UpdateLimited(ctx, row, d, limit)
}

// allListed returns all rows, whatever the limit is.
type allListed struct{ *memSessions }

func (s allListed) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	return s.memSessions.SessionsOf(ctx, owner, max(limit, 1000))
}
