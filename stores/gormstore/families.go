package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func (s *tokens) Create(ctx context.Context, t stores.Token) (created bool, err error) {
	record, err := encodeToken(t)
	if err != nil {
		return false, err
	}
	if s.once.create != "" {
		return s.createOnce(ctx, "create token", s.once.create, t, record, nil)
	}
	root := rootOf(t)
	err = s.transact(ctx, "create token", false, func(tx *gorm.DB) (bool, error) {
		created = false
		if err := s.roots.claim(tx, &root); err != nil {
			return false, err
		}
		var claimed models.TokenFamily
		if err := tx.Raw(s.root, t.Family).Find(&claimed).Error; err != nil {
			return false, err
		}
		created = claimed.Revoked == 0
		if !created {
			return false, nil
		}
		return true, s.insert(tx, &record)
	})
	return created && err == nil, err
}

// rootOf returns the root of a family that begins with a token.
func rootOf(t stores.Token) models.TokenFamily {
	return models.TokenFamily{
		Family:  t.Family,
		Kind:    string(t.Kind),
		Owner:   t.Owner,
		Version: 1,
		Created: micro(t.Created),
		Expires: micro(t.FamilyExpires),
	}
}

// insert stores a token under a root that this transaction holds. It first checks
// whether the id exists, because PostgreSQL answers no query in a transaction after a
// failed INSERT. If another family creates the id in between, the INSERT fails and the
// next try finds the id.
func (s *tokens) insert(tx *gorm.DB, record *models.Token) error {
	var other models.Token
	answer := tx.Raw(s.load, record.ID).Find(&other)
	switch {
	case answer.Error != nil:
		return answer.Error
	case answer.RowsAffected > 0:
		return permanent{stores.ErrExists}
	}
	return s.table.create(tx, record)
}

// manySpent is how many consumed tokens a family has before a rotation deletes them.
const manySpent = 8

// insertChild stores the child of a parent that this transaction has consumed. The query
// that looks for the child's id also counts the consumed tokens of the family. They are
// deleted when there are many, so most rotations take no round trip more than an insert.
func (s *tokens) insertChild(tx *gorm.DB, record *models.Token, parent string) error {
	var found struct{ Taken, Total int }
	if err := tx.Raw(s.count, record.ID, record.ID, record.Family).Scan(&found).Error; err != nil {
		return err
	}
	if found.Taken > 0 {
		return permanent{stores.ErrExists}
	}
	if found.Total >= manySpent {
		if err := tx.Exec(s.spent, record.Family, parent).Error; err != nil {
			return err
		}
	}
	return s.table.create(tx, record)
}

// hold bumps the version of the root of a family that is alive, which locks the root. It
// reports whether there is such a root.
func (s *tokens) hold(tx *gorm.DB, now time.Time, family string) (bool, error) {
	answer := tx.Exec(s.holdRoot, family, now.UnixMicro())
	return answer.RowsAffected > 0, answer.Error
}

// use consumes a token of a family that this transaction holds, and reports whether the
// token was valid.
func (s *tokens) use(tx *gorm.DB, now time.Time, family, id string) (bool, error) {
	answer := tx.Exec(s.consume, mark(now), id, family, now.UnixMicro())
	return answer.RowsAffected > 0, answer.Error
}

func (s *tokens) Consume(ctx context.Context, now time.Time, family, id string) (used bool, err error) {
	if !validName(id) || !validName(family) {
		return false, fault(ctx, "consume token", ctx.Err())
	}
	if s.once.consume != "" {
		return s.consumeOnce(ctx, now, family, id)
	}
	err = s.transact(ctx, "consume token", false, func(tx *gorm.DB) (bool, error) {
		used = false
		alive, err := s.hold(tx, now, family)
		if err != nil || !alive {
			return false, err
		}
		used, err = s.use(tx, now, family, id)
		return used, err
	})
	return used && err == nil, err
}

func (s *tokens) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (result stores.Rotated, err error) {
	record, err := encodeToken(child)
	if err != nil {
		return stores.RotateDead, err
	}
	if !validName(parent) {
		return stores.RotateDead, fault(ctx, "rotate token", ctx.Err())
	}
	if s.once.rotate != "" {
		return s.rotateOnce(ctx, now, parent, &record)
	}
	err = s.transact(ctx, "rotate token", false, func(tx *gorm.DB) (bool, error) {
		result = stores.RotateDead
		if s.dialect == mysql {
			result, err = s.rotateMySQL(tx, now, parent, &record)
			return result == stores.RotateDone, err
		}
		alive, err := s.hold(tx, now, child.Family)
		if err != nil || !alive {
			return false, err
		}
		used, err := s.use(tx, now, child.Family, parent)
		if err != nil {
			return false, err
		}
		if !used {
			result, err = s.unused(tx, child.Family, parent)
			return false, err
		}
		result = stores.RotateDone
		return true, s.insertChild(tx, &record, parent)
	})
	if err != nil {
		return stores.RotateDead, err
	}
	return result, nil
}

// unused returns why a token of a family that is alive could not be consumed.
func (s *tokens) unused(tx *gorm.DB, family, id string) (stores.Rotated, error) {
	var record models.Token
	answer := tx.Raw(s.load, id).Find(&record)
	if answer.RowsAffected > 0 && record.Family == family && record.Consumed != 0 {
		return stores.RotateUsed, answer.Error
	}
	return stores.RotateDead, answer.Error
}

func (s *tokens) RevokeFamily(ctx context.Context, now time.Time, family string) (alive bool, err error) {
	if !validName(family) {
		return false, fault(ctx, "revoke family", ctx.Err())
	}
	n, err := s.revokeAll(ctx, "revoke family", s.revoke, now, family)
	return n > 0, err
}

func (s *tokens) RevokeOwner(ctx context.Context, now time.Time, owner, exceptFamily string, kinds ...stores.Kind) (int, error) {
	if !validOwner(owner) {
		return 0, fault(ctx, "revoke families", ctx.Err())
	}
	if !validName(exceptFamily) {
		exceptFamily = "" // which no family is called
	}
	ownedBy := s.same(clause.Column{Name: s.roots.column("Owner")}, owner)
	return s.revokeAll(ctx, "revoke families", s.revokeOf, now, ownedBy, exceptFamily, len(kinds) == 0, texts(kinds))
}

// revokeAll revokes the families of a query and returns how many were alive. It then also
// revokes families that have expired, without counting them: on a machine whose clock is
// slow they may not have expired yet. PostgreSQL does both in one statement.
func (s *tokens) revokeAll(ctx context.Context, what, query string, now time.Time, args ...any) (n int, err error) {
	args = append([]any{mark(now)}, args...)
	if s.dialect == postgres {
		query = s.once.revoke + query + s.once.revoked
		err = s.revokeOnce(ctx, what, func(db *gorm.DB) error {
			return db.Raw(query, append(args, now.UnixMicro())...).Scan(&n).Error
		})
		return n, err
	}
	err = s.revokeOnce(ctx, what, func(db *gorm.DB) error {
		alive := db.Exec(query+s.unexpired, append(args, now.UnixMicro())...)
		n = int(alive.RowsAffected)
		return alive.Error
	})
	if err != nil {
		return 0, err
	}
	return n, s.change(ctx, what, func(db *gorm.DB) error { return db.Exec(query, args...).Error })
}

// revokeOnce is not repeated after an error that leaves open whether the families were revoked:
// then nobody would know how many were alive.
func (s *tokens) revokeOnce(ctx context.Context, what string, statement func(db *gorm.DB) error) error {
	return s.change(ctx, what, func(db *gorm.DB) error {
		err := statement(db)
		if err != nil && s.dialect != sqlite && !rejected(err) {
			return permanent{err}
		}
		return err
	})
}
