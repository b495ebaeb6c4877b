package gormstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

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
		attempts: newTable(c.db, &models.Attempt{}),
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
		turn := []models.Attempt{{ID: turnOf(owner), Expires: micro(expires)}}
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

// turnOf returns the name of the record that serializes calls for an owner. It is no name of
// a record of the limiter, which are digests as well.
func turnOf(owner string) string {
	digest := sha256.Sum256([]byte(owner))
	turn := sha256.Sum256(fmt.Appendf(nil, "surplus sessions %d", int(digest[0])%turns))
	return hex.EncodeToString(turn[:])
}
