package gormstore

import (
	"context"
	"crypto/subtle"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// atOnce holds the statements that change a family and its tokens without a transaction, which
// would wait for the server at its beginning and its end. SQLite has none: its transactions wait
// for no network.
//
// On PostgreSQL one statement does everything. Each of its parts waits until the root is locked,
// and then finds the token as the former holder of the lock left it.
type atOnce struct {
	// create stores a token and the root of its family unless there is one, and found those of a
	// family that must be new. On MySQL they store the root alone, and join the token if the root is
	// not revoked.
	create, found, join string
	// consume locks the root and consumes a token. On MySQL it is one UPDATE of both tables.
	consume string
	// rotate is consume that stores a child and deletes the tokens consumed before.
	rotate string
	// revoke and revoked stand around an UPDATE that revokes families, and count those that were
	// alive.
	revoke, revoked string
}

func newAtOnce(c *core, t, r table) atOnce {
	switch c.dialect {
	case postgres:
		return atOncePostgres(t, r)
	case mysql:
		return atOnceMySQL(t, r)
	}
	return atOnce{}
}

func atOncePostgres(t, r table) atOnce {
	root := "WITH root AS (INSERT INTO " + r.sql("{} AS f (") + r.columns() + ") VALUES (" + r.values(false) + ")"
	token := "INSERT INTO " + t.sql("{} (") + t.columns() + ") SELECT " + t.values(true)
	held := r.sql("WITH held AS (UPDATE {} SET {Version} = {Version} + 1 WHERE {Family} = ? AND {Revoked} = 0 AND {Expires} > ? RETURNING 1), ") +
		t.sql("used AS (UPDATE {} SET {Version} = {Version} + 1, {Consumed} = ? WHERE {ID} = ? AND {Family} = ?"+
			" AND {Consumed} = 0 AND {Expires} > ? AND EXISTS (SELECT 1 FROM held) RETURNING 1)")
	return atOnce{
		create: root + r.sql(" ON CONFLICT ({Family}) DO UPDATE SET {Version} = f.{Version} + 1 RETURNING f.{Revoked} AS revoked), ") +
			"put AS (" + token + " FROM root WHERE revoked = 0 RETURNING 1) SELECT count(*) FROM put",
		found:   root + " RETURNING 1), put AS (" + token + " FROM root RETURNING 1) SELECT count(*) FROM put",
		consume: held + " SELECT count(*) FROM used",
		rotate: held + ", put AS (" + token + " FROM used RETURNING 1), " +
			t.sql("spent AS (DELETE FROM {} WHERE {Family} = ? AND {Consumed} <> 0 AND {ID} <> ? AND EXISTS (SELECT 1 FROM used) RETURNING 1)") +
			" SELECT (SELECT count(*) FROM held) + (SELECT count(*) FROM put)",
		revoke:  "WITH gone AS (",
		revoked: r.sql(" RETURNING {Expires} AS expires) SELECT count(*) FROM gone WHERE expires > ?"),
	}
}

func atOnceMySQL(t, r table) atOnce {
	root := "INSERT INTO " + r.sql("{} (") + r.columns() + ") VALUES (" + r.values(false) + ")"
	return atOnce{
		create: root + r.sql(" ON DUPLICATE KEY UPDATE {Version} = {Version} + 1"),
		found:  root,
		join: "INSERT INTO " + t.sql("{} (") + t.columns() + ") SELECT " + t.values(false) +
			r.sql(" FROM {} WHERE {Family} = ? AND {Revoked} = 0"),
		// The root is locked first. The number of its changes is the answer's insert id.
		consume: r.sql("UPDATE {} f STRAIGHT_JOIN ") + t.sql("{} t ON t.{Family} = ") + r.sql("f.{Family} SET f.{Version} = LAST_INSERT_ID(f.{Version} + 1), ") +
			t.sql("t.{Version} = t.{Version} + 1, t.{Consumed} = ? WHERE ") + r.sql("f.{Family} = ? AND f.{Revoked} = 0 AND f.{Expires} > ? AND ") +
			t.sql("t.{ID} = ? AND t.{Consumed} = 0 AND t.{Expires} > ?"),
	}
}

// createOnce stores a token by a statement of atOnce. A try whose answer was lost may have stored
// it: then the next one finds the same token. Where the root is stored first, beside is called while
// the token follows, unless it is nil.
func (s *tokens) createOnce(
	ctx context.Context, what, statement string, t stores.Token, record models.Token, beside func(db *gorm.DB),
) (created bool, err error) {
	root, failed := rootOf(t), false
	roots, members := s.roots.args(ctx, &root), s.table.args(ctx, &record)
	err = s.repeat(ctx, what, func() (err error) {
		db := s.db.WithContext(ctx)
		if failed {
			statement = s.once.create // the root may be that of the try before
		}
		rooted := false
		if created, rooted, err = s.storeOnce(db, statement, roots, members, beside); err == nil {
			return nil
		}
		if rooted {
			statement = s.once.create // the root is that of this try
		}
		same, exists, lookErr := s.lookFor(db, &root, &record, statement == s.once.found)
		switch {
		case lookErr == nil && same && failed:
			created = true
			return nil
		case lookErr == nil && exists && rejected(err):
			return permanent{stores.ErrExists}
		}
		failed = failed || !rejected(err)
		return err
	})
	return created && err == nil, err
}

// joinTime is how long a token may take that is stored after its root. The client may be gone: a
// family without a token would count as a login.
const joinTime = time.Second

// storeOnce is one try. It reports whether the token was stored, and whether the root was stored
// alone, as on MySQL. If the process ends then, an empty family is left, which expires.
func (s *tokens) storeOnce(
	db *gorm.DB, statement string, root, member []any, beside func(db *gorm.DB),
) (created, rooted bool, err error) {
	if s.once.join == "" {
		var n int64
		err := db.Raw(statement, append(root[:len(root):len(root)], member...)...).Scan(&n).Error
		return n > 0, false, err
	}
	if err := db.Exec(statement, root...).Error; err != nil {
		return false, false, err
	}
	if beside == nil {
		created, err = s.joinOnce(db, root, member)
	} else {
		deadline.Both(func() { created, err = s.joinOnce(db, root, member) }, func() { beside(db) })
	}
	return created, true, err
}

// joinOnce stores the token of a root that is stored.
func (s *tokens) joinOnce(db *gorm.DB, root, member []any) (created bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(db.Statement.Context), joinTime)
	defer cancel()
	answer := db.WithContext(ctx).Exec(s.once.join, append(member[:len(member):len(member)], root[0])...)
	return answer.RowsAffected > 0, answer.Error
}

// lookFor reports whether a token is stored, and whether another one has its id, or its family if
// that must be new.
func (s *tokens) lookFor(db *gorm.DB, root *models.TokenFamily, record *models.Token, alone bool) (same, exists bool, err error) {
	var other models.Token
	answer := db.Raw(s.load, record.ID).Find(&other)
	if answer.Error != nil || answer.RowsAffected > 0 {
		same = other.Family == record.Family && subtle.ConstantTimeCompare(other.Digest, record.Digest) == 1
		return same, true, answer.Error
	}
	if !alone {
		return false, false, nil
	}
	var claimed models.TokenFamily
	answer = db.Raw(s.root, root.Family).Find(&claimed)
	return false, answer.RowsAffected > 0, answer.Error
}

// consumeOnce is Consume by a statement of atOnce. It is not repeated after an error that leaves
// open whether the token was consumed, because nobody would know whose try it was.
func (s *tokens) consumeOnce(ctx context.Context, now time.Time, family, id string) (used bool, err error) {
	err = s.repeat(ctx, "consume token", func() (err error) {
		if used, _, err = s.useOnce(s.db.WithContext(ctx), now, family, id); err != nil && !rejected(err) {
			return permanent{err}
		}
		return err
	})
	return used && err == nil, err
}

// useOnce consumes a token. On MySQL it returns how often the root has changed.
func (s *tokens) useOnce(db *gorm.DB, now time.Time, family, id string) (used bool, version int64, err error) {
	at := now.UnixMicro()
	if s.dialect == postgres {
		var n int64
		err = db.Raw(s.once.consume, family, at, mark(now), id, family, at).Scan(&n).Error
		return n > 0, 0, err
	}
	// GORM keeps the insert id to itself.
	answer, err := db.Statement.ConnPool.ExecContext(db.Statement.Context, s.once.consume, mark(now), family, at, id, at)
	if err != nil {
		return false, 0, err
	}
	n, err := answer.RowsAffected()
	if err == nil {
		version, err = answer.LastInsertId()
	}
	return n > 0, version, err
}

// rotateOnce is Rotate by a statement of atOnce. Like consumeOnce it is not repeated when its
// outcome is open: the client asks again, and gets the same child.
func (s *tokens) rotateOnce(ctx context.Context, now time.Time, parent string, record *models.Token) (result stores.Rotated, err error) {
	at := now.UnixMicro()
	args := append([]any{record.Family, at, mark(now), parent, record.Family, at}, s.table.args(ctx, record)...)
	args = append(args, record.Family, parent)
	err = s.repeat(ctx, "rotate token", func() error {
		db, n := s.db.WithContext(ctx), int64(0)
		err := db.Raw(s.once.rotate, args...).Scan(&n).Error
		switch {
		case err != nil && !rejected(err):
			return permanent{err}
		case err != nil:
			if _, exists, lookErr := s.lookFor(db, nil, record, false); exists && lookErr == nil {
				err = permanent{stores.ErrExists}
			}
		case n == 2: // the root was held, and the child stored
			result = stores.RotateDone
		case n == 1:
			result, err = s.unused(db, record.Family, parent)
		}
		return err
	})
	if err != nil {
		return stores.RotateDead, err
	}
	return result, nil
}

// everySpent is after how many changes of a root a rotation deletes consumed tokens on MySQL.
const everySpent = stores.MaxRotated / 2

// rotateMySQL rotates a token within a transaction.
func (s *tokens) rotateMySQL(tx *gorm.DB, now time.Time, parent string, record *models.Token) (stores.Rotated, error) {
	used, version, err := s.useOnce(tx, now, record.Family, parent)
	if err != nil {
		return stores.RotateDead, err
	}
	if !used {
		var root models.TokenFamily
		if err := tx.Raw(s.root, record.Family).Find(&root).Error; err != nil || root.Revoked != 0 || root.Expires <= now.UnixMicro() {
			return stores.RotateDead, err
		}
		return s.unused(tx, record.Family, parent)
	}
	if err := s.table.create(tx, record); err != nil {
		if _, exists, lookErr := s.lookFor(tx, nil, record, false); exists && lookErr == nil {
			err = permanent{stores.ErrExists}
		}
		return stores.RotateDead, err
	}
	if version%everySpent == 0 {
		err = tx.Exec(s.spent, record.Family, parent).Error
	}
	return stores.RotateDone, err
}
