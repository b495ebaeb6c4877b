package gormstore

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
)

// pruneBatch is the largest number of records that one transaction of Prune deletes. It
// limits how long other calls wait for the transaction.
const pruneBatch = 500

// expired holds the statements that find and delete the expired records of a table.
type expired struct {
	find, delete string
	// members, if set, deletes what belongs to the deleted records, and is
	// counted in their place.
	members string
	// unlist, if set, deletes what lists the deleted records elsewhere.
	unlist string
}

// newExpired returns the statements for a table that has a field Expires and the given
// primary key.
func newExpired(t table, key string) expired {
	return expired{
		find: t.sql("SELECT {" + key + "} FROM {} WHERE {Expires} <= ? ORDER BY {Expires} LIMIT ?"),
		// The condition is repeated, because a record may have been prolonged
		// since it was found.
		delete: t.sql("DELETE FROM {} WHERE {" + key + "} IN ? AND {Expires} <= ?"),
	}
}

// prune deletes the records that expired at or before now, in batches, and returns how
// many it deleted.
func (c *core) prune(ctx context.Context, what string, now time.Time, e expired) (total int, err error) {
	for {
		var names []string
		err := c.read(ctx, what, func(db *gorm.DB) error {
			return db.Raw(e.find, now.UnixMicro(), pruneBatch).Scan(&names).Error
		})
		if err != nil || len(names) == 0 {
			return total, err
		}
		slices.Sort(names) // the order in which every call locks
		n, err := c.pruneBatch(ctx, what, now, e, names)
		total += n
		if err != nil || len(names) < pruneBatch {
			return total, err
		}
	}
}

func (c *core) pruneBatch(ctx context.Context, what string, now time.Time, e expired, names []string) (n int, err error) {
	err = c.transact(ctx, what, true, func(tx *gorm.DB) (bool, error) {
		answer := tx.Exec(e.delete, names, now.UnixMicro())
		if answer.Error == nil && e.members != "" {
			answer = tx.Exec(e.members, names)
		}
		n = int(answer.RowsAffected)
		if answer.Error == nil && e.unlist != "" {
			answer = tx.Exec(e.unlist, names, names)
		}
		return true, answer.Error
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
