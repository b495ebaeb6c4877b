package gormstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// sessionIndex holds the statements that find sessions by owner.
type sessionIndex struct {
	// list returns sessions of an owner, who is given twice.
	list string
	// unshared names the unshared sessions of an owner, after DELETE FROM or SELECT.
	unshared, except string
	// shared returns the names of the shared sessions of an owner, and among
	// restricts it to some names. hold, delete and unlist change those.
	shared, among        string
	hold, delete, unlist string
}

func newSessionIndex(t, o table) sessionIndex {
	return sessionIndex{
		list: t.sql("SELECT * FROM {} WHERE ? AND {AllOwners} = '' UNION ALL SELECT s.* FROM ") + o.sql("{} o JOIN ") +
			t.sql("{} s ON s.{Row} = ") + o.sql("o.{Row} WHERE ? ") + t.sql("ORDER BY {LastSeen} DESC, {Row} LIMIT ?"),
		unshared: t.sql("{} WHERE ? AND {AllOwners} = ''"),
		except:   t.sql(" AND {Row} <> ?"),
		shared:   o.sql("SELECT o.{Row} FROM {} o WHERE ?"),
		among:    o.sql(" AND o.{Row} IN ?"),
		hold:     t.sql("UPDATE {} SET {Version} = {Version} + 1 WHERE {Row} IN ?"),
		delete:   t.sql("DELETE FROM {} WHERE {Row} IN ?"),
		unlist:   o.sql("DELETE FROM {} WHERE {Row} IN ?"),
	}
}

// SessionsOf implements stores.SessionIndex with one query. If there are more sessions than
// the limit, it returns those that were last seen.
func (s *sessions) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	if err := stores.CheckLimit(limit); err != nil {
		return nil, fault(ctx, "list sessions", err)
	}
	var records []models.Session
	err := s.read(ctx, "list sessions", func(db *gorm.DB) error {
		if !validOwner(owner) {
			return nil
		}
		return db.Raw(s.index.list, s.ownedBy(owner), s.listedUnder(owner), limit).Find(&records).Error
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

// DeleteSessionsOf implements stores.SessionIndex. It deletes the unshared sessions with
// one statement, and then the shared sessions. In the other order it could miss a session
// that becomes shared in between.
func (s *sessions) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (n int, err error) {
	const what = "delete sessions"
	if !validOwner(owner) {
		return 0, fault(ctx, what, ctx.Err())
	}
	n, more, err := s.deleteUnsharedOf(ctx, what, owner, exceptRow)
	if err != nil || !more {
		return n, err
	}
	var shared []string
	err = s.read(ctx, what, func(db *gorm.DB) error {
		return db.Raw(s.index.shared, s.listedUnder(owner)).Scan(&shared).Error
	})
	shared = slices.DeleteFunc(shared, func(row string) bool { return row == exceptRow })
	slices.Sort(shared) // the order in which every call locks
	for rows := range slices.Chunk(shared, pruneBatch) {
		deleted, err := s.deleteShared(ctx, what, owner, rows)
		n += deleted
		if err != nil {
			return n, err
		}
	}
	return n, err
}

// deleteUnsharedOf also reports whether there may be shared sessions. PostgreSQL answers that with
// the same statement: if it has deleted all that it saw, none of them became shared meanwhile.
func (s *sessions) deleteUnsharedOf(ctx context.Context, what, owner, exceptRow string) (n int, more bool, err error) {
	query, own := s.index.unshared, []any{s.ownedBy(owner)}
	if validName(exceptRow) {
		query += s.index.except
		own = append(own, exceptRow)
	}
	if s.dialect != postgres {
		err = s.change(ctx, what, func(db *gorm.DB) error {
			answer := db.Exec("DELETE FROM "+query, own...)
			n = int(answer.RowsAffected)
			return answer.Error
		})
		return n, true, err
	}
	query = "WITH gone AS (DELETE FROM " + query + " RETURNING 1) SELECT (SELECT count(*) FROM gone) AS deleted," +
		" (SELECT count(*) FROM " + query + ") AS seen, EXISTS (" + s.index.shared + ") AS shared"
	var found struct {
		Deleted, Seen int
		Shared        bool
	}
	args := append(append(own[:len(own):len(own)], own...), s.listedUnder(owner))
	err = s.change(ctx, what, func(db *gorm.DB) error { return db.Raw(query, args...).Scan(&found).Error })
	return found.Deleted, found.Shared || found.Deleted != found.Seen, err
}

// deleteShared deletes the rows that still have the owner. It first locks all rows, so
// that their owners do not change.
func (s *sessions) deleteShared(ctx context.Context, what, owner string, rows []string) (n int, err error) {
	err = s.transact(ctx, what, true, func(tx *gorm.DB) (bool, error) {
		n = 0
		if err := tx.Exec(s.index.hold, rows).Error; err != nil {
			return false, err
		}
		var owned []string
		err := tx.Raw(s.index.shared+s.index.among, s.listedUnder(owner), rows).Scan(&owned).Error
		if err != nil || len(owned) == 0 {
			return false, err
		}
		answer := tx.Exec(s.index.delete, owned)
		n = int(answer.RowsAffected)
		if answer.Error != nil {
			return false, answer.Error
		}
		return true, tx.Exec(s.index.unlist, owned).Error
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// ownedBy is the condition that the first owner of a session is owner.
func (s *sessions) ownedBy(owner string) clause.Expression {
	return s.same(clause.Column{Name: s.table.column("Owner")}, owner)
}

// listedUnder is the condition that a record of the table of owners, called o in the
// query, is for the owner.
func (s *sessions) listedUnder(owner string) clause.Expression {
	return s.same(clause.Column{Table: "o", Name: s.owners.column("Owner")}, owner)
}

// sessionTrim holds the statements that end surplus sessions of an owner.
type sessionTrim struct {
	// attempts is the table of the records that serialize the calls for one owner.
	attempts table
	// surplus returns the sessions of an owner beyond a number, one session being the first.
	surplus string
	// owned returns those of some sessions that have the owner.
	owned string
	// hold, delete and unlist change sessions by their names.
	hold, delete, unlist string
}

func newSessionTrim(c *core, t, o table, index sessionIndex) sessionTrim {
	return sessionTrim{
		attempts: c.table(&models.Attempt{}),
		surplus: t.sql("SELECT {Row}, {LastSeen}, CASE WHEN {Row} = ? THEN 0 ELSE 1 END AS place FROM {} WHERE ? AND {AllOwners} = ''"+
			" UNION ALL SELECT s.{Row}, s.{LastSeen}, CASE WHEN s.{Row} = ? THEN 0 ELSE 1 END AS place FROM ") +
			o.sql("{} o JOIN ") + t.sql("{} s ON s.{Row} = ") + o.sql("o.{Row} WHERE ? ") +
			t.sql("ORDER BY place, {LastSeen} DESC, {Row} LIMIT ? OFFSET ?"),
		owned: t.sql("SELECT {Row} FROM {} WHERE ? AND {AllOwners} = '' AND {Row} IN ? UNION ALL ") +
			index.shared + index.among,
		hold: index.hold, delete: index.delete, unlist: index.unlist,
	}
}

// CreateLimited implements stores.SessionLimit. It takes one statement more than Create if
// the owner has no surplus.
func (s *sessions) CreateLimited(ctx context.Context, n stores.Session, limit int) ([]stores.EndedSession, error) {
	if err := stores.CheckLimit(limit); err != nil {
		return nil, fault(ctx, "create session", err)
	}
	if err := s.Create(ctx, n); err != nil {
		return nil, err
	}
	return s.trimAll(ctx, n.Row, n.Owners, limit, n.Expires)
}

// UpdateLimited implements stores.SessionLimit. It takes one statement more than Update for
// each owner that a delta with Principals has, if none has a surplus.
func (s *sessions) UpdateLimited(
	ctx context.Context, row string, d stores.Delta, limit int,
) (stores.Outcome, []stores.EndedSession, error) {
	if err := stores.CheckLimit(limit); err != nil {
		return stores.Gone, nil, fault(ctx, "update session", err)
	}
	outcome, err := s.Update(ctx, row, d)
	if err != nil || outcome != stores.Updated || d.Principals == nil {
		return outcome, nil, err
	}
	gone, err := s.trimAll(ctx, row, d.Principals.Owners, limit, d.Expires)
	return outcome, gone, err
}

// trimAll ends surplus sessions of the owners that a row just got. It first looks whether
// there are any, after the row was stored: so of parallel calls the last one sees all rows.
func (s *sessions) trimAll(
	ctx context.Context, row string, owners []string, limit int, expires time.Time,
) (gone []stores.EndedSession, err error) {
	const what = "end surplus sessions"
	for _, owner := range owners {
		var rows []string
		err := s.read(ctx, what, func(db *gorm.DB) (err error) {
			rows, err = s.surplusOf(db, row, owner, limit)
			return err
		})
		if err == nil && len(rows) > 0 {
			rows, err = s.trimOwner(ctx, what, row, owner, limit, expires)
		}
		if err != nil {
			return gone, err
		}
		for _, name := range rows {
			gone = append(gone, stores.EndedSession{Row: name, Owner: owner})
		}
	}
	return gone, nil
}

func (s *sessions) surplusOf(db *gorm.DB, kept, owner string, limit int) ([]string, error) {
	var records []models.Session
	err := db.Raw(s.trim.surplus, kept, s.ownedBy(owner), kept, s.listedUnder(owner), stores.MaxEnded, limit).Find(&records).Error
	rows := make([]string, len(records))
	for i := range records {
		rows[i] = records[i].Row
	}
	return rows, err
}

// trimOwner ends the surplus sessions of an owner in a transaction. Its first statement
// makes calls for the same owner wait for each other, so that each counts what the former
// one left. It then locks the rows, so that their owners do not change.
func (s *sessions) trimOwner(
	ctx context.Context, what, kept, owner string, limit int, expires time.Time,
) (gone []string, err error) {
	err = s.transact(ctx, what, true, func(tx *gorm.DB) (bool, error) {
		gone = nil
		turn := []models.Attempt{{ID: turnOf("sessions", owner), Expires: micro(expires)}}
		if err := s.trim.attempts.claim(tx, &turn); err != nil {
			return false, err
		}
		rows, err := s.surplusOf(tx, kept, owner, limit)
		if err != nil || len(rows) == 0 {
			return false, err
		}
		slices.Sort(rows) // the order in which every call locks
		if err := tx.Exec(s.trim.hold, rows).Error; err != nil {
			return false, err
		}
		err = tx.Raw(s.trim.owned, s.ownedBy(owner), rows, s.listedUnder(owner), rows).Scan(&gone).Error
		if err != nil || len(gone) == 0 {
			return false, err
		}
		if err := tx.Exec(s.trim.delete, gone).Error; err != nil {
			return false, err
		}
		return true, tx.Exec(s.trim.unlist, gone).Error
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// turns is the number of records that serialize calls. Calls for different owners may share
// one of them.
const turns = 256

// turnOf returns the name of the record that serializes calls for what an owner has of a kind.
// It is no name of a record of the limiter, which are digests as well.
func turnOf(of, owner string) string {
	digest := sha256.Sum256([]byte(owner))
	turn := sha256.Sum256(fmt.Appendf(nil, "surplus %s %d", of, int(digest[0])%turns))
	return hex.EncodeToString(turn[:])
}
