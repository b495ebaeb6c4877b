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
	// surplus returns the sessions of an owner beyond a number, one session being the first, and
	// whether they are shared.
	surplus string
	// end deletes those of some unshared sessions that have the owner still, and returns them. On
	// MySQL it locks and returns them.
	end string
	// owned returns those of some sessions that have the owner. On MySQL it locks what it reads: the
	// transaction has read before, and would see what was stored then.
	owned string
	// hold, delete and unlist change sessions by their names.
	hold, delete, unlist string
}

func newSessionTrim(c *core, t, o table, index sessionIndex) sessionTrim {
	const place = "s.{Row} AS name, s.{LastSeen}, CASE WHEN s.{Row} = ? THEN 0 ELSE 1 END AS place, "
	unshared := t.sql("{} WHERE {Row} IN ? AND ? AND {AllOwners} = ''")
	end, owned := "DELETE FROM "+unshared+t.sql(" RETURNING {Row}"), index.shared+index.among
	if c.dialect == mysql {
		end, owned = t.sql("SELECT {Row} FROM ")+unshared+" FOR UPDATE", owned+" FOR UPDATE"
	}
	return sessionTrim{
		attempts: c.table(&models.Attempt{}),
		surplus: t.sql("SELECT "+place+"0 AS shared FROM {} s WHERE ? AND {AllOwners} = '' UNION ALL SELECT "+place+"1 AS shared FROM ") +
			o.sql("{} o JOIN ") + t.sql("{} s ON s.{Row} = ") + o.sql("o.{Row} WHERE ? ") +
			t.sql("ORDER BY place, {LastSeen} DESC, name LIMIT ? OFFSET ?"),
		end:   end,
		owned: owned,
		hold:  index.hold, delete: index.delete, unlist: index.unlist,
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
		var rows []surplusSession
		err := s.read(ctx, what, func(db *gorm.DB) (err error) {
			rows, err = s.surplusOf(db, row, owner, limit)
			return err
		})
		var ended []string
		if err == nil && len(rows) > 0 {
			ended, err = s.trimOwner(ctx, what, row, owner, limit, expires)
		}
		if err != nil {
			return gone, err
		}
		for _, name := range ended {
			gone = append(gone, stores.EndedSession{Row: name, Owner: owner})
		}
	}
	return gone, nil
}

// surplusSession is a session that is too many.
type surplusSession struct {
	Name   string
	Shared int
}

func (s *sessions) surplusOf(db *gorm.DB, kept, owner string, limit int) (found []surplusSession, err error) {
	err = db.Raw(s.trim.surplus, kept, s.ownedBy(owner), kept, s.listedUnder(owner), stores.MaxEnded, limit).Find(&found).Error
	return found, err
}

// trimOwner ends the surplus sessions of an owner in a transaction. Its first statement
// makes calls for the same owner wait for each other, so that each counts what the former
// one left.
func (s *sessions) trimOwner(
	ctx context.Context, what, kept, owner string, limit int, expires time.Time,
) (gone []string, err error) {
	err = s.transact(ctx, what, true, func(tx *gorm.DB) (bool, error) {
		gone = nil
		turn := []models.Attempt{{ID: turnOf("sessions", owner), Expires: micro(expires)}}
		if err := s.trim.attempts.claim(tx, &turn); err != nil {
			return false, err
		}
		found, err := s.surplusOf(tx, kept, owner, limit)
		if err != nil {
			return false, err
		}
		var alone, shared []string
		for _, f := range found {
			if f.Shared == 0 {
				alone = append(alone, f.Name)
			} else {
				shared = append(shared, f.Name)
			}
		}
		slices.Sort(alone) // the order in which every call locks
		slices.Sort(shared)
		if gone, err = s.endAlone(tx, owner, alone); err != nil {
			return false, err
		}
		ended, err := s.endShared(tx, owner, shared)
		gone = append(gone, ended...)
		return len(gone) > 0, err
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// endAlone deletes those of some unshared sessions that have the owner still.
func (s *sessions) endAlone(tx *gorm.DB, owner string, rows []string) (gone []string, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	err = tx.Raw(s.trim.end, rows, s.ownedBy(owner)).Scan(&gone).Error
	if err == nil && s.dialect == mysql && len(gone) > 0 {
		err = tx.Exec(s.trim.delete, gone).Error
	}
	return gone, err
}

// endShared deletes those of some shared sessions that have the owner still. It locks the rows
// first, so that their owners do not change.
func (s *sessions) endShared(tx *gorm.DB, owner string, rows []string) (gone []string, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if err := tx.Exec(s.trim.hold, rows).Error; err != nil {
		return nil, err
	}
	if err := tx.Raw(s.trim.owned, s.listedUnder(owner), rows).Scan(&gone).Error; err != nil || len(gone) == 0 {
		return nil, err
	}
	if err := tx.Exec(s.trim.delete, gone).Error; err != nil {
		return nil, err
	}
	return gone, tx.Exec(s.trim.unlist, gone).Error
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
