package gormstore

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func (s *sessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if err := d.Validate(); err != nil {
		return stores.Gone, fmt.Errorf("gormstore: update session: %w", err)
	}
	if !validName(row) {
		return stores.Gone, fault(ctx, "update session", ctx.Err())
	}
	switch {
	case amends(d):
		outcome, shared, err := s.amend(ctx, row, d)
		if err != nil || !shared {
			return outcome, err
		}
	case d.Seen != nil && d.Seen.Version > 0 && d.Principals == nil && (d.Rename == nil || d.Rename.New == d.Rename.Old):
		if stored, err := s.applyToSeen(ctx, row, d); err != nil || stored {
			return stores.Updated, err
		}
	}
	return s.merge(ctx, row, d)
}

// applyToSeen applies a delta to the keys that the caller has read, in one statement, if the row
// has not changed since. Otherwise it changes nothing. If the answer is lost, the delta can be
// applied again: the row then has another version.
func (s *sessions) applyToSeen(ctx context.Context, row string, d stores.Delta) (stored bool, err error) {
	values := d.Seen.Values.With(d)
	if values.Size() > stores.MaxValues {
		return false, nil
	}
	query, args := s.assignments(row, d, values.Encoded())
	err = s.change(ctx, "update session", func(db *gorm.DB) error {
		answer := db.Exec(query+s.unread, append(args, d.Seen.Version)...)
		stored = answer.RowsAffected > 0
		return answer.Error
	})
	return stored && err == nil, err
}

// amends reports whether one statement applies the delta to an unshared session,
// and can be repeated after an error: the row then shows whether an earlier try
// was stored.
func amends(d stores.Delta) bool {
	p := d.Principals
	switch {
	case merges(d):
		return false
	case p == nil:
		return true
	}
	return len(p.Owners) < 2 && (p.Generation == d.Generation || d.Rename.New != d.Rename.Old)
}

// merges reports whether the keys of a session after the delta depend on its keys
// before.
func merges(d stores.Delta) bool { return !d.Clear && (len(d.Set) > 0 || len(d.Remove) > 0) }

// assignments returns the statement that applies a delta, except for the lists of owners, and
// for keys that have to be merged unless merged has them. It always bumps the version, because
// MySQL counts the rows that it changed, not the rows that it found.
func (s *sessions) assignments(row string, d stores.Delta, merged []byte) (string, []any) {
	var query strings.Builder
	query.Grow(384)
	query.WriteString(s.bump)
	args := make([]any, 0, 12)
	set := func(field string, value any) {
		query.WriteString(s.set[field])
		args = append(args, value)
	}
	if !d.LastSeen.IsZero() {
		set("LastSeen", micro(d.LastSeen))
	}
	if !d.Expires.IsZero() {
		set("Expires", micro(d.Expires))
	}
	if p := d.Principals; p != nil {
		set("Owner", firstOf(p.Owners))
		set("Principals", []byte(p.Data))
		set("Generation", int64(p.Generation))
	}
	if d.Clear {
		merged = stores.NewValues(d.Set).Encoded()
	}
	if merged != nil {
		set("Payload", merged)
	}
	if d.Rename != nil && d.Rename.New != d.Rename.Old {
		set("Digest", d.Rename.New[:])
		set("Renamed", micro(d.Rename.At))
	}
	query.WriteString(s.where)
	args = append(args, row, int64(d.Generation))
	if d.Rename != nil {
		query.WriteString(s.is)
		args = append(args, d.Rename.Old[:])
	}
	return query.String(), args
}

// amend applies a delta by one conditional statement. It reports shared, and
// changes nothing, if the delta changes the owners of a shared session.
func (s *sessions) amend(ctx context.Context, row string, d stores.Delta) (outcome stores.Outcome, shared bool, err error) {
	query, args := s.assignments(row, d, nil)
	if d.Principals != nil {
		query += s.unshared
	}
	failed := false
	err = s.change(ctx, "update session", func(db *gorm.DB) error {
		answer := db.Exec(query, args...)
		if answer.Error != nil {
			failed = true
			return answer.Error
		}
		if answer.RowsAffected > 0 {
			outcome = stores.Updated
			return nil
		}
		var err error
		outcome, shared, err = s.missed(db, row, d, failed)
		return err
	})
	return outcome, shared, err
}

// missed returns why a delta matched no row. It reports shared if the only reason is that
// the session is shared. If an earlier try failed, it may have been stored nevertheless. The
// new digest then proves it, because it is random and no other change has it.
func (s *sessions) missed(db *gorm.DB, row string, d stores.Delta, failed bool) (outcome stores.Outcome, shared bool, err error) {
	var record models.Session
	answer := db.Raw(s.state, row).Find(&record)
	if answer.Error != nil || answer.RowsAffected == 0 {
		return stores.Gone, false, answer.Error
	}
	is := func(digest stores.Digest) bool { return subtle.ConstantTimeCompare(record.Digest, digest[:]) == 1 }
	switch r := d.Rename; {
	case failed && r != nil && r.New != r.Old && is(r.New):
		return stores.Updated, false, nil
	case record.Generation != int64(d.Generation):
		return stores.Replaced, false, nil
	case r != nil && !is(r.Old):
		return stores.Stale, false, nil
	}
	// The row matches now. Either the session is shared, or the row was created
	// after the delta did not find it.
	return stores.Gone, d.Principals != nil && record.AllOwners != "", nil
}

// merge applies a delta in a transaction. The first statement is a write. It makes parallel
// deltas wait for each other, so that each of them reads the result of the previous one.
func (s *sessions) merge(ctx context.Context, row string, d stores.Delta) (outcome stores.Outcome, err error) {
	query, args := s.assignments(row, d, nil)
	idempotent := d.Rename == nil
	err = s.transact(ctx, "update session", idempotent, func(tx *gorm.DB) (bool, error) {
		answer := tx.Exec(query, args...)
		if answer.Error != nil {
			return false, answer.Error
		}
		if answer.RowsAffected == 0 {
			var err error
			outcome, _, err = s.missed(tx, row, d, false)
			return false, err
		}
		outcome = stores.Updated
		return true, s.mergeRest(tx, row, d)
	})
	if err != nil {
		return stores.Gone, err
	}
	return outcome, nil
}

// mergeRest merges the keys of a delta and lists the session under its owners.
func (s *sessions) mergeRest(tx *gorm.DB, row string, d stores.Delta) error {
	query := s.state
	if merges(d) {
		query = s.mutable
	}
	var record models.Session
	if err := tx.Raw(query, row).Find(&record).Error; err != nil {
		return err
	}
	if merges(d) {
		if err := s.mergeKeys(tx, row, record.Payload, d); err != nil {
			return err
		}
	}
	if d.Principals == nil {
		return nil
	}
	return s.relist(tx, row, record.AllOwners, d.Principals.Owners)
}

func (s *sessions) mergeKeys(tx *gorm.DB, row string, payload []byte, d stores.Delta) error {
	values, err := stores.ParseValues(payload)
	if err != nil {
		return permanent{err}
	}
	values = values.With(d)
	if values.Size() > stores.MaxValues {
		return permanent{fmt.Errorf("session values have %d bytes, at most %d are allowed", values.Size(), stores.MaxValues)}
	}
	return tx.Exec(s.setPayload, values.Encoded(), row).Error
}

// relist lists a session under its owners if it is shared or becomes so. Before is
// its column AllOwners.
func (s *sessions) relist(tx *gorm.DB, row, before string, owners []string) error {
	after := encodeOwners(owners)
	if before == after || before == "" && len(owners) < 2 {
		return nil
	}
	if err := tx.Exec(s.setOwners, after, row).Error; err != nil {
		return err
	}
	if before != "" {
		if err := tx.Exec(s.unlist, row).Error; err != nil {
			return err
		}
	}
	if len(owners) == 0 {
		return nil
	}
	records := ownerRecords(row, owners)
	return s.owners.create(tx, &records)
}
