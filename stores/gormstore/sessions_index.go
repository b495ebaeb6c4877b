package gormstore

import (
	"context"
	"slices"

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
