package gormstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	// surplus returns the families of an owner and a kind beyond a number: one family is the
	// first, and then come those that are alive and expire last. With taken it also returns the
	// records that have the names of a new token.
	surplus, taken string
	// drop deletes families with their tokens by their names. It locks the roots first: whoever
	// uses one of the families waits, and then finds it gone.
	drop []string
}

func newFamilyTrim(c *core, t, r table) familyTrim {
	return familyTrim{
		attempts: c.table(&models.Attempt{}),
		surplus: r.sql("SELECT name, state FROM (SELECT {Family} AS name, CASE WHEN {Revoked} = 0 AND {Expires} > ? THEN 1 ELSE 0 END AS state," +
			" CASE WHEN {Family} = ? THEN 1 ELSE 0 END AS own FROM {}" +
			" WHERE ? AND {Kind} = ? ORDER BY own DESC, state DESC, {Expires} DESC, {Family} DESC LIMIT ? OFFSET ?) surplus"),
		taken: r.sql(" UNION ALL SELECT {Family} AS name, 2 AS state FROM {} WHERE {Family} = ?") +
			t.sql(" UNION ALL SELECT {ID} AS name, 2 AS state FROM {} WHERE {ID} = ?"),
		drop: dropFamilies(c.dialect, t, r),
	}
}

// dropFamilies returns the statements that delete families by their names.
func dropFamilies(dialect string, t, r table) []string {
	hold := r.sql("UPDATE {} SET {Version} = {Version} + 1 WHERE {Family} IN ?")
	members, roots := t.sql("DELETE FROM {} WHERE {Family} IN ?"), r.sql("DELETE FROM {} WHERE {Family} IN ?")
	switch dialect {
	case postgres: // the second statement sees what was stored before the first one had its locks
		return []string{hold, "WITH gone AS (" + members + ") " + roots}
	case mysql: // the second statement reads what is stored, while the transaction still holds the roots
		return []string{roots, members}
	}
	return []string{hold, members, roots}
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

// CreateLimited implements stores.TokenLimit. If it may end others and the owner has no surplus, it
// takes one statement more than Create, except on SQLite. On MySQL that one takes no time of its own.
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
	if s.once.found == "" || limit.Refuse {
		return s.createInTurn(ctx, now, t, record, limit)
	}
	// Of parallel calls the last one that looks sees all families, because it looks once its own root
	// is stored. On MySQL it looks while the token follows. Another call may end the family before it
	// has its token, which is the same as right after.
	var found []surplusFamily
	look := func(db *gorm.DB) (err error) {
		found, err = s.surplusOf(db, now, t, limit.Families, false)
		return err
	}
	looked := false
	beside := func(db *gorm.DB) { looked = look(db) == nil }
	if _, err = s.createOnce(ctx, what, s.once.found, t, record, beside); err != nil {
		return false, nil, err
	}
	if !looked {
		err = s.read(ctx, what, look)
	}
	if err == nil && len(found) > 0 {
		ended, err = s.trimFamilies(ctx, now, t, limit)
	}
	return true, ended, err
}

// createInTurn stores a token once there is room for it. Its first statement makes calls for the
// same owner wait for each other, so that each counts what the former one left.
func (s *tokens) createInTurn(
	ctx context.Context, now time.Time, t stores.Token, record models.Token, limit stores.FamilyLimit,
) (created bool, ended []string, err error) {
	root := rootOf(t)
	err = s.transact(ctx, "create token", false, func(tx *gorm.DB) (bool, error) {
		found, err := s.surplusInTurn(tx, now, t, limit.Families-1, true)
		if err != nil {
			return false, err
		}
		if ended, err = s.makeRoom(tx, found, t.Kind, limit); err != nil {
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

// trimFamilies deletes the families that are too many besides that of a token that was stored.
func (s *tokens) trimFamilies(ctx context.Context, now time.Time, t stores.Token, limit stores.FamilyLimit) (ended []string, err error) {
	err = s.transact(ctx, "end surplus families", true, func(tx *gorm.DB) (bool, error) {
		found, err := s.surplusInTurn(tx, now, t, limit.Families, false)
		if err == nil {
			ended, err = s.makeRoom(tx, found, t.Kind, limit)
		}
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// surplusInTurn waits for its turn among the calls for one owner. It is the first of a transaction.
func (s *tokens) surplusInTurn(tx *gorm.DB, now time.Time, t stores.Token, limit int, taken bool) ([]surplusFamily, error) {
	turn := []models.Attempt{{ID: turnOf("families", t.Owner), Expires: micro(t.FamilyExpires)}}
	if err := s.trim.attempts.claim(tx, &turn); err != nil {
		return nil, err
	}
	return s.surplusOf(tx, now, t, limit, taken)
}

func (s *tokens) surplusOf(db *gorm.DB, now time.Time, t stores.Token, limit int, taken bool) (found []surplusFamily, err error) {
	ownedBy := s.same(clause.Column{Name: s.roots.column("Owner")}, t.Owner)
	query, args := s.trim.surplus, []any{now.UnixMicro(), t.Family, ownedBy, string(t.Kind), stores.MaxEnded, limit}
	if taken {
		query, args = query+s.trim.taken, append(args, t.Family, t.ID)
	}
	err = db.Raw(query, args...).Find(&found).Error
	return found, err
}

// makeRoom deletes families and returns those that were alive.
func (s *tokens) makeRoom(tx *gorm.DB, found []surplusFamily, kind stores.Kind, limit stores.FamilyLimit) (ended []string, err error) {
	if len(found) == 0 {
		return nil, nil
	}
	names := make([]string, len(found))
	for i, f := range found {
		switch names[i] = f.Name; {
		case f.State == familyTaken:
			return nil, permanent{stores.ErrExists}
		case f.State == familyAlive && limit.Refuse:
			return nil, permanent{fmt.Errorf("%w: %d of kind %s", stores.ErrLimit, limit.Families, kind)}
		case f.State == familyAlive:
			ended = append(ended, f.Name)
		}
	}
	slices.Sort(names) // the order in which every call locks
	for _, statement := range s.trim.drop {
		args := []any{names, names}[:strings.Count(statement, "?")]
		if err := tx.Exec(statement, args...).Error; err != nil {
			return nil, err
		}
	}
	return ended, nil
}
