package gormstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// familyTrim holds the statements that limit the families of an owner.
type familyTrim struct {
	// attempts is the table of the records that serialize the calls for one owner.
	attempts table
	// surplus returns the families of an owner and a kind beyond a number, those that are alive
	// and expire last being the first, and the records that have the names of a new token.
	surplus string
	// hold, members and roots change families by their names.
	hold, members, roots string
}

func newFamilyTrim(c *core, t, r table) familyTrim {
	return familyTrim{
		attempts: c.table(&models.Attempt{}),
		surplus: r.sql("SELECT * FROM (SELECT {Family} AS name, CASE WHEN {Revoked} = 0 AND {Expires} > ? THEN 1 ELSE 0 END AS state FROM {}"+
			" WHERE ? AND {Kind} = ? ORDER BY state DESC, {Expires} DESC, {Family} DESC LIMIT ? OFFSET ?) surplus"+
			" UNION ALL SELECT {Family} AS name, 2 AS state FROM {} WHERE {Family} = ?") +
			t.sql(" UNION ALL SELECT {ID} AS name, 2 AS state FROM {} WHERE {ID} = ?"),
		hold:    r.sql("UPDATE {} SET {Version} = {Version} + 1 WHERE {Family} IN ?"),
		members: t.sql("DELETE FROM {} WHERE {Family} IN ?"),
		roots:   r.sql("DELETE FROM {} WHERE {Family} IN ?"),
	}
}

// The states of a family that surplus returns.
const (
	familyEnded = iota
	familyAlive
	familyTaken // it has a name of the new token
)

// surplusFamily is a family that has to go before another one is stored.
type surplusFamily struct {
	Name  string
	State int
}

// CreateLimited implements stores.TokenLimit. It takes as many round trips as Create if the
// owner has no surplus. Its first statement makes calls for the same owner wait for each other,
// so that each counts what the former one left.
func (s *tokens) CreateLimited(
	ctx context.Context, now time.Time, t stores.Token, limit stores.FamilyLimit,
) (created bool, ended []string, err error) {
	const what = "create token"
	if err := limit.Check(); err != nil {
		return false, nil, fault(ctx, what, err)
	}
	record, err := encodeToken(t)
	if err != nil {
		return false, nil, err
	}
	root := rootOf(t)
	err = s.transact(ctx, what, false, func(tx *gorm.DB) (bool, error) {
		turn := []models.Attempt{{ID: turnOf("families", t.Owner), Expires: root.Expires}}
		if err := s.trim.attempts.claim(tx, &turn); err != nil {
			return false, err
		}
		var err error
		if ended, err = s.makeRoom(tx, now, t, limit); err != nil {
			return false, err
		}
		if err := s.roots.create(tx, &root); err != nil {
			return false, err
		}
		return true, s.table.create(tx, &record)
	})
	if err != nil {
		return false, nil, err
	}
	return true, ended, nil
}

// makeRoom deletes the families that are too many if another one is stored, and returns those
// that were alive.
func (s *tokens) makeRoom(tx *gorm.DB, now time.Time, t stores.Token, limit stores.FamilyLimit) (ended []string, err error) {
	var found []surplusFamily
	ownedBy := s.same(clause.Column{Name: s.roots.column("Owner")}, t.Owner)
	err = tx.Raw(s.trim.surplus, now.UnixMicro(), ownedBy, string(t.Kind), stores.MaxEnded, limit.Families-1, t.Family, t.ID).
		Find(&found).Error
	if err != nil || len(found) == 0 {
		return nil, err
	}
	names := make([]string, len(found))
	for i, f := range found {
		switch names[i] = f.Name; {
		case f.State == familyTaken:
			return nil, permanent{stores.ErrExists}
		case f.State == familyAlive && limit.Refuse:
			return nil, permanent{fmt.Errorf("%w: %d of kind %s", stores.ErrLimit, limit.Families, t.Kind)}
		case f.State == familyAlive:
			ended = append(ended, f.Name)
		}
	}
	slices.Sort(names) // the order in which every call locks
	// The roots come first: whoever uses one of the families waits, and then finds it gone.
	for _, statement := range []string{s.trim.hold, s.trim.members, s.trim.roots} {
		if err := tx.Exec(statement, names).Error; err != nil {
			return nil, err
		}
	}
	return ended, nil
}
