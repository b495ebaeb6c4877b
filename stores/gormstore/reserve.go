package gormstore

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// maxAtOnce is the greatest number of windows that one statement reserves slots of.
const maxAtOnce = 6

// reservations returns, by number of windows, the statement that reserves a slot in each of
// them or in none. Where a window is full although the statement has not seen it, as when two
// calls begin the window at once, it adds overflow to the count: the server rejects the
// statement as a whole, on every setting, and no slot is taken.
//
// SQLite has no statements: its transactions wait for no network.
func (l *limiter) reservations() map[int]string {
	statements := make(map[int]string)
	for n := 1; n <= maxAtOnce; n++ {
		switch l.dialect {
		case postgres:
			statements[n] = l.table.sql(expand(reservePostgres, n))
		case mysql:
			statements[n] = l.table.sql(expand(reserveMySQL, n))
		}
	}
	return statements
}

// expand repeats what stands between << and >>.
func expand(template string, n int) string {
	for {
		before, rest, found := strings.Cut(template, "<<")
		if !found {
			return template
		}
		part, after, _ := strings.Cut(rest, ">>")
		template = before + strings.TrimSuffix(strings.Repeat(part, n), ", ") + after
	}
}

// overflow added to a positive count exceeds the range of a column.
const overflow = "9223372036854775807"

// reservePostgres answers with the windows that it changed, or with those that exist if one is
// full, which it finds without a lock. Otherwise it inserts or locks one row after the other, in
// the order in which every call does.
const reservePostgres = `WITH want(id, lim, opened, expires) AS (VALUES <<(CAST(? AS text), CAST(? AS bigint), CAST(? AS bigint), CAST(? AS bigint)), >>),
seen AS MATERIALIZED (SELECT a.* FROM {} a JOIN want w ON a.{ID} = w.id),
busy AS MATERIALIZED (SELECT 1 FROM seen s JOIN want w ON s.{ID} = w.id WHERE s.{Expires} > w.opened AND s.{Taken} >= w.lim),
put AS (INSERT INTO {} AS a ({ID}, {Taken}, {Opened}, {Expires}, {Version})
SELECT id, 1, opened, expires, 1 FROM want WHERE NOT EXISTS (SELECT 1 FROM busy) ORDER BY id
ON CONFLICT ({ID}) DO UPDATE SET {Version} = a.{Version} + 1,
{Taken} = CASE WHEN a.{Expires} <= excluded.{Opened} THEN 1 WHEN a.{Taken} < (SELECT w.lim FROM want w WHERE w.id = a.{ID}) THEN a.{Taken} + 1 ELSE a.{Taken} + ` + overflow + ` END,
{Opened} = CASE WHEN a.{Expires} <= excluded.{Opened} THEN excluded.{Opened} ELSE a.{Opened} END,
{Expires} = CASE WHEN a.{Expires} <= excluded.{Opened} THEN excluded.{Expires} ELSE a.{Expires} END
RETURNING a.*)
SELECT 1 AS granted, put.* FROM put
UNION ALL SELECT 0, seen.* FROM seen WHERE EXISTS (SELECT 1 FROM busy)`

// reserveMySQL assigns from left to right, so the count is set while the end of the former
// window still stands.
const reserveMySQL = `INSERT INTO {} ({ID}, {Taken}, {Opened}, {Expires}, {Version}) VALUES <<(?, 1, ?, ?, 1), >>
ON DUPLICATE KEY UPDATE {Version} = {Version} + 1,
{Taken} = IF({Expires} <= VALUES({Opened}), 1, {Taken} + IF({Taken} < CASE {ID} <<WHEN ? THEN ? >> END, 1, ` + overflow + `)),
{Opened} = IF({Expires} <= VALUES({Opened}), VALUES({Opened}), {Opened}),
{Expires} = IF({Expires} <= VALUES({Opened}), VALUES({Expires}), {Expires})`

// reserveAtOnce reserves in one statement. Done is false if the server rejected it, which
// says that a window is full or that another call was in the way: the caller finds out which.
// After any other error it is open whether slots are taken, and they are not taken again.
func (l *limiter) reserveAtOnce(ctx context.Context, statement string, now time.Time, windows []stores.Window) (grant stores.Grant, done bool, err error) {
	for _, w := range windows {
		if w.Limit <= 0 {
			return grant, false, nil
		}
	}
	err = l.read(ctx, "reserve slots", func(db *gorm.DB) error {
		if l.dialect == mysql {
			grant, err = reserveMySQLRows(db, statement, now.UnixMicro(), windows)
		} else {
			grant, err = reservePostgresRows(db, statement, now.UnixMicro(), windows)
		}
		return err
	})
	switch {
	case err == nil:
		return grant, true, nil
	case rejected(err) && ctx.Err() == nil:
		return stores.Grant{}, false, nil
	}
	return stores.Grant{}, false, err
}

// sorted returns the windows in the order in which every call locks.
func sorted(windows []stores.Window) []stores.Window {
	return slices.SortedFunc(slices.Values(windows), func(a, b stores.Window) int { return bytes.Compare(a.Key[:], b.Key[:]) })
}

// reserveMySQLRows returns receipts with the time of the call, which is not before the
// window began and before the next one begins.
func reserveMySQLRows(db *gorm.DB, statement string, now int64, windows []stores.Window) (stores.Grant, error) {
	rows := make([]any, 0, 5*len(windows))
	var limits []any
	for _, w := range sorted(windows) {
		id := w.Key.String()
		rows = append(rows, id, now, now+w.Period.Microseconds())
		limits = append(limits, id, w.Limit)
	}
	if err := db.Exec(statement, append(rows, limits...)...).Error; err != nil {
		return stores.Grant{}, err
	}
	grant := stores.Grant{Full: -1}
	for _, w := range windows {
		grant.Slots = append(grant.Slots, stores.Slot{Key: w.Key, Opened: now})
	}
	return grant, nil
}

func reservePostgresRows(db *gorm.DB, statement string, now int64, windows []stores.Window) (stores.Grant, error) {
	args := make([]any, 0, 4*len(windows))
	for _, w := range sorted(windows) {
		args = append(args, w.Key.String(), w.Limit, now, now+w.Period.Microseconds())
	}
	var found []struct {
		Granted bool
		models.Attempt
	}
	if err := db.Raw(statement, args...).Scan(&found).Error; err != nil {
		return stores.Grant{}, err
	}
	rows := make(map[string]*models.Attempt, len(windows))
	for _, w := range windows {
		rows[w.Key.String()] = &models.Attempt{ID: w.Key.String()}
	}
	for i := range found {
		row := &found[i].Attempt
		if found[i].Granted {
			row.Taken-- // as it was before, for admit to count again
		}
		rows[row.ID] = row
	}
	return admit(rows, now, windows), nil
}

// rejected reports whether the server rejected a statement, which then changed nothing. The
// PostgreSQL drivers' errors have a method SQLState, the MySQL driver's begin with "Error".
func rejected(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		class := state.SQLState()
		// Class 08 is a lost connection, class 57 a server that ended it, and 40003 an
		// unknown outcome.
		return !strings.HasPrefix(class, "08") && !strings.HasPrefix(class, "57") && class != "40003"
	}
	return strings.Contains(err.Error(), "Error 1") && strings.Contains(err.Error(), "): ")
}
