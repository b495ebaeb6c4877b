package gormstore

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Sessions     = (*sessions)(nil)
	_ stores.SessionIndex = (*sessions)(nil)
	_ stores.Pruner       = (*sessions)(nil)
	_ stores.Checker      = (*sessions)(nil)
)

// sessions is the stores.Sessions of a database.
type sessions struct {
	*core
	table       table
	load, owned string
	get         *lookup
	bump, where string
	delete      string
	payload     string
	setPayload  string
	expired     expired
}

func newSessions(c *core) *sessions {
	t := newTable(c.db, &models.Session{})
	return &sessions{
		core:  c,
		table: t,
		load:  t.sql("SELECT * FROM {} WHERE {Row} = ?"),
		get: newLookup(c, t.sql("SELECT {Digest}, {Owner}, {Payload}, {Address}, {UserAgent}, {Created}, {LastSeen}, {Renamed}, {Expires}"+
			" FROM {} WHERE {Row} = ?")),
		owned:      t.sql("SELECT * FROM {} WHERE ? ORDER BY {LastSeen} DESC, {Row}"),
		bump:       t.sql("UPDATE {} SET {Version} = {Version} + 1"),
		where:      t.sql(" WHERE {Row} = ?"),
		delete:     t.sql("DELETE FROM {} WHERE {Row} = ?"),
		payload:    t.sql("SELECT {Payload} FROM {} WHERE {Row} = ?"),
		setPayload: t.sql("UPDATE {} SET {Payload} = ? WHERE {Row} = ?"),
		expired:    newExpired(t, "Row"),
	}
}

func (s *sessions) Load(ctx context.Context, row string) (got stores.Session, found bool, err error) {
	const what = "load session"
	if !validName(row) || ctx.Err() != nil {
		return stores.Session{}, false, fault(ctx, what, ctx.Err())
	}
	record := models.Session{Row: row}
	found, err = s.get.one(ctx, row, &record.Digest, &record.Owner, &record.Payload, &record.Address,
		&record.UserAgent, &record.Created, &record.LastSeen, &record.Renamed, &record.Expires)
	if err != nil || !found {
		return stores.Session{}, false, fault(ctx, what, err)
	}
	got, err = decodeSession(&record)
	return got, err == nil, err
}

func (s *sessions) Create(ctx context.Context, n stores.Session) error {
	record, err := encodeSession(n)
	if err != nil {
		return err
	}
	return s.change(ctx, "create session", func(db *gorm.DB) error {
		err := db.Create(&record).Error
		if err == nil {
			return nil
		}
		// Whether that was because the row exists is told in other words by
		// each driver, so the table is asked.
		var other models.Session
		if found := db.Raw(s.load, n.Row).Find(&other); found.Error == nil && found.RowsAffected > 0 {
			return permanent{stores.ErrExists}
		}
		return err
	})
}

func (s *sessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if d.Owner != nil && !storable(*d.Owner, ownerSize) {
		return stores.Gone, fmt.Errorf("gormstore: update session: owner is not text of at most %d bytes", ownerSize)
	}
	if !validName(row) {
		return stores.Gone, fault(ctx, "update session", ctx.Err())
	}
	if len(d.Set) == 0 && len(d.Remove) == 0 {
		return s.amend(ctx, row, d)
	}
	return s.merge(ctx, row, d)
}

// assignments returns the statement that does all of a delta but its keys. It
// bumps the version, so that a change is counted also where everything else is
// as before: MySQL counts the rows that it changed, not those that it found.
func (s *sessions) assignments(row string, d stores.Delta) (string, []any) {
	query, args := s.bump, []any(nil)
	set := func(field string, value any) {
		query += s.table.sql(", {" + field + "} = ?")
		args = append(args, value)
	}
	if !d.LastSeen.IsZero() {
		set("LastSeen", micro(d.LastSeen))
	}
	if !d.Expires.IsZero() {
		set("Expires", micro(d.Expires))
	}
	if d.Owner != nil {
		set("Owner", *d.Owner)
	}
	if d.Rename != nil {
		set("Digest", d.Rename.New[:])
		set("Renamed", micro(d.Rename.At))
	}
	query += s.where
	args = append(args, row)
	if d.Rename != nil {
		query += s.table.sql(" AND {Digest} = ?")
		args = append(args, d.Rename.Old[:])
	}
	return query, args
}

// amend applies a delta without keys: one conditional statement.
func (s *sessions) amend(ctx context.Context, row string, d stores.Delta) (outcome stores.Outcome, err error) {
	query, args := s.assignments(row, d)
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
		outcome, err = s.missed(db, row, d, failed)
		return err
	})
	return outcome, err
}

// missed tells why a delta matched no row. If an earlier try failed it may have
// been stored without our knowing, which the new digest then proves: it is
// random, and nobody else has it.
func (s *sessions) missed(db *gorm.DB, row string, d stores.Delta, failed bool) (stores.Outcome, error) {
	if d.Rename == nil {
		return stores.Gone, nil
	}
	var record models.Session
	answer := db.Raw(s.load, row).Find(&record)
	switch {
	case answer.Error != nil || answer.RowsAffected == 0:
		return stores.Gone, answer.Error
	case failed && subtle.ConstantTimeCompare(record.Digest, d.Rename.New[:]) == 1:
		return stores.Updated, nil
	}
	return stores.Stale, nil
}

// merge applies a delta with keys. The first statement is a write: it makes
// parallel deltas wait for each other, so that each reads what the one before
// it wrote.
func (s *sessions) merge(ctx context.Context, row string, d stores.Delta) (outcome stores.Outcome, err error) {
	query, args := s.assignments(row, d)
	idempotent := d.Rename == nil
	err = s.transact(ctx, "update session", idempotent, func(tx *gorm.DB) (bool, error) {
		answer := tx.Exec(query, args...)
		if answer.Error != nil {
			return false, answer.Error
		}
		if answer.RowsAffected == 0 {
			var err error
			outcome, err = s.missed(tx, row, d, false)
			return false, err
		}
		outcome = stores.Updated
		return true, s.mergeKeys(tx, row, d)
	})
	if err != nil {
		return stores.Gone, err
	}
	return outcome, nil
}

func (s *sessions) mergeKeys(tx *gorm.DB, row string, d stores.Delta) error {
	var record models.Session
	if err := tx.Raw(s.payload, row).Find(&record).Error; err != nil {
		return err
	}
	values, err := stores.ParseValues(record.Payload)
	if err != nil {
		return permanent{err}
	}
	values = values.With(d)
	if values.Size() > stores.MaxValues {
		return permanent{fmt.Errorf("%d bytes of values, at most %d are allowed", values.Size(), stores.MaxValues)}
	}
	return tx.Exec(s.setPayload, values.Encoded(), row).Error
}

func (s *sessions) Delete(ctx context.Context, row string) (existed bool, err error) {
	if !validName(row) {
		return false, fault(ctx, "delete session", ctx.Err())
	}
	err = s.change(ctx, "delete session", func(db *gorm.DB) error {
		answer := db.Exec(s.delete, row)
		existed = answer.RowsAffected > 0
		return answer.Error
	})
	return existed, err
}

func (s *sessions) SessionsOf(ctx context.Context, owner string) ([]stores.Session, error) {
	var records []models.Session
	err := s.read(ctx, "list sessions", func(db *gorm.DB) error {
		if !validOwner(owner) {
			return nil
		}
		return db.Raw(s.owned, s.ownedBy(owner)).Find(&records).Error
	})
	if err != nil {
		return nil, err
	}
	list := make([]stores.Session, len(records))
	for i := range records {
		if list[i], err = decodeSession(&records[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *sessions) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (n int, err error) {
	if !validOwner(owner) {
		return 0, fault(ctx, "delete sessions", ctx.Err())
	}
	query, args := s.table.sql("DELETE FROM {} WHERE ?"), []any{s.ownedBy(owner)}
	if validName(exceptRow) {
		query += s.table.sql(" AND {Row} <> ?")
		args = append(args, exceptRow)
	}
	err = s.change(ctx, "delete sessions", func(db *gorm.DB) error {
		answer := db.Exec(query, args...)
		n = int(answer.RowsAffected)
		return answer.Error
	})
	return n, err
}

func (s *sessions) ownedBy(owner string) clause.Expression {
	return s.same(clause.Column{Name: s.table.column("Owner")}, owner)
}

func (s *sessions) Prune(ctx context.Context, now time.Time) (int, error) {
	return s.prune(ctx, "prune sessions", now, s.expired)
}
