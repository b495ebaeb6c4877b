package gormstore

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Sessions     = (*sessions)(nil)
	_ stores.SessionLimit = (*sessions)(nil)
	_ stores.Pruner       = (*sessions)(nil)
	_ stores.Checker      = (*sessions)(nil)
)

// sessions is the stores.Sessions of a database.
//
// A session with at most one owner is one record, and every change of it that
// merges no keys is one statement. A session that has, or has had, more owners is
// shared: its column AllOwners is not empty, and table owners lists it under each
// of its owners. A session never stops being shared. So a query for the unshared
// sessions of an owner, followed by a query for the shared ones, misses no
// session, whatever changes between the two.
type sessions struct {
	*core
	table, owners table
	get           *lookup
	// state reads what an Update compares and the owners, and mutable the keys and
	// the owners.
	state, mutable string
	// bump and where are the beginning and the end of an Update, and is, unshared and unread
	// are further conditions.
	bump, where                    string
	is, unshared, unread           string
	set                            map[string]string // by field, what sets it between bump and where
	setPayload, setOwners          string
	deleteUnshared, delete, unlist string
	index                          sessionIndex
	trim                           sessionTrim
	expired                        expired
}

func newSessions(c *core) *sessions {
	t, o := c.table(&models.Session{}), c.table(&models.SessionOwner{})
	expired := newExpired(t, "Row")
	// A session that was prolonged keeps its place in the lists.
	expired.unlist = o.sql("DELETE FROM {} WHERE {Row} IN ? AND {Row} NOT IN ") + t.sql("(SELECT {Row} FROM {} WHERE {Row} IN ?)")
	index := newSessionIndex(t, o)
	set := make(map[string]string)
	for _, field := range []string{"LastSeen", "Expires", "Owner", "Principals", "Generation", "Payload", "Digest", "Renamed"} {
		set[field] = t.sql(", {" + field + "} = ?")
	}
	return &sessions{
		core:           c,
		table:          t,
		owners:         o,
		get:            newLookup(c, t.sql(loadColumns("")+" FROM {} WHERE {Row} = ?")),
		state:          t.sql("SELECT {Digest}, {Generation}, {AllOwners} FROM {} WHERE {Row} = ?"),
		mutable:        t.sql("SELECT {Payload}, {AllOwners} FROM {} WHERE {Row} = ?"),
		bump:           t.sql("UPDATE {} SET {Version} = {Version} + 1"),
		where:          t.sql(" WHERE {Row} = ? AND {Generation} = ?"),
		set:            set,
		is:             t.sql(" AND {Digest} = ?"),
		unshared:       t.sql(" AND {AllOwners} = ''"),
		unread:         t.sql(" AND {Version} = ?"),
		setPayload:     t.sql("UPDATE {} SET {Payload} = ? WHERE {Row} = ?"),
		setOwners:      t.sql("UPDATE {} SET {AllOwners} = ? WHERE {Row} = ?"),
		deleteUnshared: t.sql("DELETE FROM {} WHERE {Row} = ? AND {AllOwners} = ''"),
		delete:         t.sql("DELETE FROM {} WHERE {Row} = ?"),
		unlist:         o.sql("DELETE FROM {} WHERE {Row} = ?"),
		index:          index,
		trim:           newSessionTrim(c, t, o, index),
		expired:        expired,
	}
}

// loadColumns returns the beginning of a query for the columns that targets reads.
func loadColumns(prefix string) string {
	return "SELECT " + strings.ReplaceAll("{Digest}, {Owner}, {AllOwners}, {Principals}, {Generation}, {Version}, {Payload},"+
		" {Address}, {UserAgent}, {Created}, {LastSeen}, {Renamed}, {Expires}", "{", prefix+"{")
}

func targets(r *models.Session) []any {
	return []any{
		&r.Digest, &r.Owner, &r.AllOwners, &r.Principals, &r.Generation, &r.Version, &r.Payload,
		&r.Address, &r.UserAgent, &r.Created, &r.LastSeen, &r.Renamed, &r.Expires,
	}
}

func (s *sessions) Load(ctx context.Context, row string) (got stores.Session, found bool, err error) {
	const what = "load session"
	if !validName(row) || ctx.Err() != nil {
		return stores.Session{}, false, fault(ctx, what, ctx.Err())
	}
	record := models.Session{Row: row}
	found, err = s.get.one(ctx, row, targets(&record)...)
	if err != nil || !found {
		return stores.Session{}, false, fault(ctx, what, err)
	}
	got, err = decodeSession(&record)
	return got, err == nil, err
}

func (s *sessions) Create(ctx context.Context, n stores.Session) error {
	record, owners, err := encodeSession(n)
	if err != nil {
		return err
	}
	return s.change(ctx, "create session", func(db *gorm.DB) error {
		err := s.insert(db, &record, owners)
		if err == nil {
			return nil
		}
		// Each driver says in other words that the row exists, so ask the table.
		var other models.Session
		if found := db.Raw(s.state, n.Row).Find(&other); found.Error == nil && found.RowsAffected > 0 {
			return permanent{stores.ErrExists}
		}
		return err
	})
}

// insert stores a new session: in one statement, unless it has several owners.
func (s *sessions) insert(db *gorm.DB, record *models.Session, owners []models.SessionOwner) error {
	if len(owners) == 0 {
		return s.table.create(db, record)
	}
	return db.Transaction(func(tx *gorm.DB) error {
		if err := s.table.create(tx, record); err != nil {
			return err
		}
		return s.owners.create(tx, &owners)
	}, s.options)
}

// Delete needs one statement for an unshared session.
func (s *sessions) Delete(ctx context.Context, row string) (existed bool, err error) {
	const what = "delete session"
	if !validName(row) {
		return false, fault(ctx, what, ctx.Err())
	}
	err = s.change(ctx, what, func(db *gorm.DB) error {
		answer := db.Exec(s.deleteUnshared, row)
		existed = answer.RowsAffected > 0
		return answer.Error
	})
	if err != nil || existed {
		return existed, err
	}
	err = s.transact(ctx, what, true, func(tx *gorm.DB) (bool, error) {
		answer := tx.Exec(s.delete, row)
		existed = answer.RowsAffected > 0
		if answer.Error != nil || !existed {
			return false, answer.Error
		}
		return true, tx.Exec(s.unlist, row).Error
	})
	return existed && err == nil, err
}

func (s *sessions) Prune(ctx context.Context, now time.Time) (int, error) {
	return s.prune(ctx, "prune sessions", now, s.expired)
}
