package gormstore

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Tokens     = (*tokens)(nil)
	_ stores.TokenLimit = (*tokens)(nil)
	_ stores.Pruner     = (*tokens)(nil)
	_ stores.Checker    = (*tokens)(nil)
)

// tokens is the stores.Tokens of a database. Every change that ends a family, or depends
// on whether the family is alive, writes the root of the family first and so waits for
// its turn.
type tokens struct {
	*core
	table, roots table
	// find and list join the root, so that token and root are read at the same
	// time.
	find, list       string
	root, lives      string
	family           string
	holdRoot         string
	load             string
	consume          string
	count, spent     string
	revoke, revokeOf string
	unexpired        string
	touch, deliver   string
	expired, ended   expired
	trim             familyTrim
	once             atOnce
}

func newTokens(c *core) *tokens {
	t, r := c.table(&models.Token{}), c.table(&models.TokenFamily{})
	joined := "SELECT t.*" + r.sql(", f.{Expires} AS family_expires, f.{Revoked} AS family_revoked FROM ") +
		t.sql("{} t JOIN ") + r.sql("{} f ON f.{Family} = ") + t.sql("t.{Family}")
	revoke := r.sql("UPDATE {} SET {Version} = {Version} + 1, {Revoked} = ? WHERE {Revoked} = 0 AND ")
	ended := newExpired(r, "Family")
	ended.members = t.sql("DELETE FROM {} WHERE {Family} IN ?")
	return &tokens{
		core:  c,
		table: t,
		roots: r,
		find:  joined + t.sql(" WHERE t.{ID} = ? AND t.{Family} = ?"),
		list: joined + t.sql(" WHERE ? AND t.{Consumed} = 0 AND ") + r.sql("f.{Revoked} = 0 AND (? OR ") +
			t.sql("t.{Kind} IN ?) ORDER BY t.{Created} DESC, t.{ID} LIMIT ?"),
		root:  r.sql("SELECT * FROM {} WHERE {Family} = ?"),
		lives: r.sql("SELECT * FROM {} WHERE {Family} IN ?"),
		family: r.sql("SELECT f.*, (SELECT COUNT(*) FROM ") + t.sql("{} t WHERE t.{Family} = ") + r.sql("f.{Family} AND ") +
			t.sql("t.{Consumed} = 0 AND t.{Expires} > ?) AS usable FROM ") + r.sql("{} f WHERE f.{Family} = ?"),
		holdRoot: r.sql("UPDATE {} SET {Version} = {Version} + 1" +
			" WHERE {Family} = ? AND {Revoked} = 0 AND {Expires} > ?"),
		load: t.sql("SELECT * FROM {} WHERE {ID} = ?"),
		consume: t.sql("UPDATE {} SET {Version} = {Version} + 1, {Consumed} = ?" +
			" WHERE {ID} = ? AND {Family} = ? AND {Consumed} = 0 AND {Expires} > ?"),
		count: t.sql("SELECT COUNT(CASE WHEN {ID} = ? THEN 1 END) AS taken, COUNT(*) AS total FROM {}" +
			" WHERE {ID} = ? OR {Family} = ? AND {Consumed} <> 0"),
		spent:     t.sql("DELETE FROM {} WHERE {Family} = ? AND {Consumed} <> 0 AND {ID} <> ?"),
		revoke:    revoke + r.sql("{Family} = ?"),
		revokeOf:  revoke + r.sql("? AND {Family} <> ? AND (? OR {Kind} IN ?)"),
		unexpired: r.sql(" AND {Expires} > ?"),
		touch: t.sql("UPDATE {} SET {Version} = {Version} + 1, {LastUsed} = ?" +
			" WHERE {ID} = ? AND {Family} = ? AND {LastUsed} < ?"),
		deliver: t.sql("UPDATE {} SET {Version} = {Version} + 1, {Delivered} = ?" +
			" WHERE {ID} = ? AND {Family} = ? AND {Delivered} = 0"),
		expired: newExpired(t, "ID"),
		ended:   ended,
		trim:    newFamilyTrim(c, t, r),
		once:    newAtOnce(c, t, r),
	}
}

func (s *tokens) Find(ctx context.Context, family, id string) (t stores.Token, found bool, err error) {
	var row tokenRow
	err = s.read(ctx, "find token", func(db *gorm.DB) error {
		if !validName(id) || !validName(family) {
			return nil
		}
		answer := db.Raw(s.find, id, family).Find(&row)
		found = answer.RowsAffected > 0
		return answer.Error
	})
	if err != nil || !found {
		return stores.Token{}, false, err
	}
	t, err = decodeToken(&row)
	return t, err == nil, err
}

func (s *tokens) Lives(ctx context.Context, now time.Time, families ...string) ([]stores.Life, error) {
	var roots []models.TokenFamily
	err := s.read(ctx, "find families", func(db *gorm.DB) error {
		named := slices.DeleteFunc(slices.Clone(families), func(name string) bool { return !validName(name) })
		if len(named) == 0 {
			return nil
		}
		return db.Raw(s.lives, named).Find(&roots).Error
	})
	if err != nil {
		return nil, err
	}
	lives := make([]stores.Life, len(families))
	for _, root := range roots {
		life := stores.Ended
		if root.Revoked == 0 && root.Expires > now.UnixMicro() {
			life = stores.Alive
		}
		for i, family := range families {
			if family == root.Family {
				lives[i] = life
			}
		}
	}
	return lives, nil
}

func (s *tokens) Family(ctx context.Context, now time.Time, family string) (f stores.Family, found bool, err error) {
	var root struct {
		models.TokenFamily
		Usable int64
	}
	err = s.read(ctx, "find family", func(db *gorm.DB) error {
		if !validName(family) {
			return nil
		}
		answer := db.Raw(s.family, now.UnixMicro(), family).Find(&root)
		found = answer.RowsAffected > 0
		return answer.Error
	})
	if err != nil || !found {
		return stores.Family{}, false, err
	}
	alive := root.Revoked == 0 && root.Expires > now.UnixMicro()
	return stores.Family{
		Kind: stores.Kind(root.Kind), Owner: root.Owner, Alive: alive, Usable: alive && root.Usable > 0,
	}, true, nil
}

func (s *tokens) TokensOf(ctx context.Context, owner string, limit int, kinds ...stores.Kind) ([]stores.Token, error) {
	if err := stores.CheckLimit(limit); err != nil {
		return nil, fault(ctx, "list tokens", err)
	}
	var rows []tokenRow
	err := s.read(ctx, "list tokens", func(db *gorm.DB) error {
		if !validOwner(owner) {
			return nil
		}
		ownedBy := s.same(clause.Column{Table: "t", Name: s.table.column("Owner")}, owner)
		return db.Raw(s.list, ownedBy, len(kinds) == 0, texts(kinds), limit).Find(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	list := make([]stores.Token, len(rows))
	for i := range rows {
		if list[i], err = decodeToken(&rows[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// texts returns the kinds as strings, which drivers accept.
func texts(kinds []stores.Kind) []string {
	list := make([]string, len(kinds))
	for i, kind := range kinds {
		list[i] = string(kind)
	}
	return list
}

func (s *tokens) Touch(ctx context.Context, now time.Time, family, id string) error {
	if !validName(id) || !validName(family) {
		return fault(ctx, "touch token", ctx.Err())
	}
	return s.change(ctx, "touch token", func(db *gorm.DB) error {
		return db.Exec(s.touch, mark(now), id, family, mark(now)).Error
	})
}

func (s *tokens) MarkDelivered(ctx context.Context, now time.Time, family, id string) error {
	const what = "mark token as delivered"
	if !validName(id) || !validName(family) {
		return fault(ctx, what, ctx.Err())
	}
	return s.change(ctx, what, func(db *gorm.DB) error {
		return db.Exec(s.deliver, mark(now), id, family).Error
	})
}

func (s *tokens) Prune(ctx context.Context, now time.Time) (int, error) {
	n, err := s.prune(ctx, "prune tokens", now, s.expired)
	if err != nil {
		return n, err
	}
	members, err := s.prune(ctx, "prune families", now, s.ended)
	return n + members, err
}
