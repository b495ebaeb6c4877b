package gormstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Limiter = (*limiter)(nil)
	_ stores.Settler = (*limiter)(nil)
	_ stores.Pruner  = (*limiter)(nil)
	_ stores.Checker = (*limiter)(nil)
)

// limiter is the stores.Limiter of a database. A window is a row. After its end the row
// stays until the next window with its key begins, or until it is pruned.
type limiter struct {
	*core
	table  table
	load   string
	refund string
	settle string
	slot   string
	delete string
	// inOrder begins a statement that changes the rows with some ids, and inTurn ends its
	// condition: they lock the rows in the order in which every call does. PostgreSQL would
	// lock them as it finds them, and two calls would wait for each other.
	inOrder, inTurn string
	reserve         map[int]string // see reservation, by number of windows
	expired         expired
}

func newLimiter(c *core) *limiter {
	t := c.table(&models.Attempt{})
	l := &limiter{
		core:   c,
		table:  t,
		load:   t.sql("SELECT * FROM {} WHERE {ID} IN ?"),
		refund: t.sql("UPDATE {} SET {Version} = {Version} + 1, {Taken} = {Taken} - 1 WHERE {Taken} > 0 AND ("),
		settle: t.sql("UPDATE {} SET {Version} = {Version} + 1, {Taken} = CASE WHEN {ID} IN ? THEN 0 ELSE {Taken} - 1 END," +
			" {Expires} = CASE WHEN {ID} IN ? THEN 0 ELSE {Expires} END WHERE ({ID} IN ? OR {Taken} > 0 AND ("),
		slot:    t.sql("({ID} = ? AND {Opened} <= ?)"),
		delete:  t.sql("DELETE FROM {} WHERE {ID} IN ?"),
		expired: newExpired(t, "ID"),
	}
	if c.dialect == postgres {
		l.inOrder = t.sql("WITH held AS MATERIALIZED (SELECT {ID} FROM {} WHERE {ID} IN ? ORDER BY {ID} FOR UPDATE) ")
		l.inTurn = " AND (SELECT count(*) FROM held) >= 0"
	}
	l.reserve = l.reservations()
	return l
}

func (l *limiter) Reserve(ctx context.Context, now time.Time, windows ...stores.Window) (stores.Grant, error) {
	ids := idsOf(windows)
	if statement, ok := l.reserve[len(windows)]; ok && len(ids) == len(windows) {
		if grant, done, err := l.reserveAtOnce(ctx, statement, now, windows); done || err != nil {
			return grant, err
		}
	}
	// A client that is locked out and keeps trying costs one read and locks no row.
	grant, err := l.Peek(ctx, now, windows...)
	if err != nil || !grant.OK() || len(windows) == 0 {
		return grant, err
	}
	err = l.transact(ctx, "reserve slots", false, func(tx *gorm.DB) (bool, error) {
		rows, err := l.claim(tx, ids)
		if err != nil {
			return false, err
		}
		grant = admit(rows, now.UnixMicro(), windows)
		if !grant.OK() {
			return false, nil
		}
		return true, l.store(tx, ids, rows)
	})
	if err != nil {
		return stores.Grant{}, err
	}
	return grant, nil
}

func (l *limiter) Peek(ctx context.Context, now time.Time, windows ...stores.Window) (grant stores.Grant, err error) {
	err = l.read(ctx, "look at windows", func(db *gorm.DB) error {
		rows, err := l.rows(db, idsOf(windows))
		grant = admit(rows, now.UnixMicro(), windows)
		return err
	})
	if err != nil {
		return stores.Grant{}, err
	}
	grant.Slots = nil
	return grant, nil
}

// idsOf returns the ids of the rows of the windows, each once, in the order in which
// every call locks them.
func idsOf(windows []stores.Window) []string {
	ids := make([]string, len(windows))
	for i, w := range windows {
		ids[i] = w.Key.String()
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// rows returns the rows by id, with an empty row for each id that is missing.
func (l *limiter) rows(db *gorm.DB, ids []string) (map[string]*models.Attempt, error) {
	rows := make(map[string]*models.Attempt, len(ids))
	for _, id := range ids {
		rows[id] = &models.Attempt{ID: id}
	}
	if len(ids) == 0 {
		return rows, nil
	}
	var found []models.Attempt
	if err := db.Raw(l.load, ids).Find(&found).Error; err != nil {
		return rows, err
	}
	for i := range found {
		rows[found[i].ID] = &found[i]
	}
	return rows, nil
}

// claim creates the rows that are missing, locks all rows, and reads them.
func (l *limiter) claim(tx *gorm.DB, ids []string) (map[string]*models.Attempt, error) {
	fresh := make([]models.Attempt, len(ids))
	for i, id := range ids {
		fresh[i] = models.Attempt{ID: id}
	}
	if err := l.table.claim(tx, &fresh); err != nil {
		return nil, err
	}
	return l.rows(tx, ids)
}

// store writes rows that are locked. It uses one INSERT that replaces the existing rows,
// which is one statement for all of them.
func (l *limiter) store(tx *gorm.DB, ids []string, rows map[string]*models.Attempt) error {
	records := make([]models.Attempt, len(ids))
	for i, id := range ids {
		records[i] = *rows[id]
	}
	columns := []string{l.table.column("Taken"), l.table.column("Opened"), l.table.column("Expires")}
	return l.table.create(tx.Clauses(clause.OnConflict{
		Columns:   l.table.key(),
		DoUpdates: clause.AssignmentColumns(columns),
	}), &records)
}

// admit reserves a slot in the row of each window and returns the result. The rows are
// locked, or the caller discards them.
//
// After a clock was set back, windows can begin in the future. They count until they
// end, however late that is, because otherwise more than the limit would be admitted.
func admit(rows map[string]*models.Attempt, now int64, windows []stores.Window) stores.Grant {
	grant := stores.Grant{Full: -1}
	for i, w := range windows {
		id := w.Key.String()
		row := rows[id]
		if row.Expires <= now {
			row.Taken, row.Opened, row.Expires = 0, now, now+w.Period.Microseconds()
		}
		if row.Taken >= int64(w.Limit) {
			if grant.OK() {
				grant.Full = i
			}
			left := time.Duration(row.Expires-now) * time.Microsecond
			grant.RetryAfter = max(grant.RetryAfter, left)
			continue
		}
		row.Taken++
		grant.Slots = append(grant.Slots, stores.Slot{Key: w.Key, Opened: row.Opened})
	}
	if !grant.OK() {
		grant.Slots = nil
	}
	return grant
}

func (l *limiter) Refund(ctx context.Context, slots ...stores.Slot) error {
	return l.refundAll(ctx, nil, slots)
}

// Settle resets windows by ending them, so that one statement does all.
func (l *limiter) Settle(ctx context.Context, refund []stores.Slot, reset []stores.Digest) error {
	if len(refund) == 0 {
		return l.Reset(ctx, reset...)
	}
	return l.refundAll(ctx, namesOf(reset), refund)
}

// refundAll refunds slots and ends windows.
func (l *limiter) refundAll(ctx context.Context, end []string, slots []stores.Slot) error {
	if len(slots) == 0 {
		return fault(ctx, "refund slots", ctx.Err())
	}
	slots = slices.SortedFunc(slices.Values(slots), func(a, b stores.Slot) int {
		return cmp.Compare(a.Key.String(), b.Key.String())
	})
	// One statement refunds at most one slot of a window.
	for len(slots) > 0 {
		var now, later []stores.Slot
		for i, slot := range slots {
			if i > 0 && slots[i-1].Key == slot.Key {
				later = append(later, slot)
			} else {
				now = append(now, slot)
			}
		}
		if err := l.refundOnce(ctx, end, now); err != nil {
			return err
		}
		slots, end = later, nil
	}
	return nil
}

// refundOnce refunds slots of different windows, and ends windows, in one statement. It is not
// repeated after an error that leaves open whether the statement was carried out, because it
// would free a slot of somebody else.
func (l *limiter) refundOnce(ctx context.Context, end []string, slots []stores.Slot) error {
	terms, values := make([]string, len(slots)), make([]any, 0, 2*len(slots)+4)
	ids := slices.Clone(end)
	for i, slot := range slots {
		terms[i] = l.slot
		ids = append(ids, slot.Key.String())
		values = append(values, slot.Key.String(), slot.Opened)
	}
	statement, closing := l.refund, ")"
	if len(end) > 0 {
		statement, closing = l.settle, "))"
		values = append([]any{end, end, end}, values...)
	}
	if statement += strings.Join(terms, " OR ") + closing + l.inTurn; l.inOrder != "" {
		statement, values = l.inOrder+statement, append([]any{ids}, values...)
	}
	return l.repeat(ctx, "refund slots", func() error {
		err := l.db.WithContext(ctx).Exec(statement, values...).Error
		if err != nil && !rejected(err) {
			return permanent{err}
		}
		return err
	})
}

// namesOf returns the names of the rows of windows, each once, in the order in which every call
// locks them.
func namesOf(keys []stores.Digest) []string {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.String()
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (l *limiter) Reset(ctx context.Context, keys ...stores.Digest) error {
	if len(keys) == 0 {
		return fault(ctx, "reset windows", ctx.Err())
	}
	ids := namesOf(keys)
	return l.change(ctx, "reset windows", func(db *gorm.DB) error {
		if l.inOrder == "" {
			return db.Exec(l.delete, ids).Error
		}
		return db.Exec(l.inOrder+l.delete+l.inTurn, ids, ids).Error
	})
}

func (l *limiter) Prune(ctx context.Context, now time.Time) (int, error) {
	return l.prune(ctx, "prune windows", now, l.expired)
}
