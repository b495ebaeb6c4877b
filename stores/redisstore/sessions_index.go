package redisstore

import (
	"context"
	_ "embed" // the script
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

//go:embed lua/index_add.lua
var indexAdd string

var addToIndex = newScript(indexAdd)

// batch is the largest number of records in one request. It limits how many answers the
// server and the client hold in memory.
const batch = 256

// SessionsOf implements stores.SessionIndex. It reads one row after the other. If rows change
// meanwhile, the list holds some as they were before and some as they are now. If there are
// more rows than the limit, it returns those that were listed last.
func (s *sessions) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	const what = "list sessions"
	if err := checkLimit(what, limit); err != nil {
		return nil, err
	}
	var list []stores.Session
	for start, more := 0, true; more && len(list) < limit; start += batch {
		rows, err := s.page(ctx, what, owner, start)
		if err != nil {
			return nil, err
		}
		if list, err = s.append(ctx, what, owner, list, rows); err != nil {
			return nil, err
		}
		more = len(rows) == batch // many of these may have ended
	}
	sortByUse(list)
	return list[:min(limit, len(list))], nil
}

// page returns a part of an owner's index, the entries that were listed last first.
func (s *sessions) page(ctx context.Context, what, owner string, start int) ([]string, error) {
	if !validOwner(owner) || ctx.Err() != nil {
		return nil, fault(ctx, what, ctx.Err())
	}
	rows, err := s.client.ZRevRange(ctx, s.ownerKey(owner), int64(start), int64(start+batch-1)).Result()
	return rows, fault(ctx, what, err)
}

// append adds those of the rows to a list that have the owner and are not in it.
func (s *sessions) append(ctx context.Context, what, owner string, list []stores.Session, rows []string) ([]stores.Session, error) {
	keys := make([]string, len(rows))
	for i, row := range rows {
		keys[i] = s.rowKey(row)
	}
	if len(keys) == 0 {
		return list, nil
	}
	hashes, err := s.hashes(ctx, what, keys)
	if err != nil {
		return nil, err
	}
	for i, fields := range hashes {
		if !slices.Contains(ownersIn(fields[changing]), owner) {
			continue // it has ended, or has other owners now
		}
		got, err := decodeSession(rows[i], fields)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(s stores.Session) bool { return s.Row == got.Row }) {
			list = append(list, got)
		}
	}
	return list, nil
}

// DeleteSessionsOf implements stores.SessionIndex. It deletes every row that had the owner
// when the call began. A row that gets the owner during the call may stay. If an answer of
// the server was lost and go-redis sent the command again, the count may be too small.
func (s *sessions) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error) {
	const what = "delete sessions"
	if !validOwner(owner) || ctx.Err() != nil {
		return 0, fault(ctx, what, ctx.Err())
	}
	n := 0
	// A scan returns every entry that stays during the scan, also while others come and go.
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		var found []string // each followed by its score
		var err error
		found, cursor, err = s.client.ZScan(ctx, s.ownerKey(owner), cursor, "", batch).Result()
		if err != nil {
			return n, fault(ctx, what, err)
		}
		var rows []string
		for i := 0; i < len(found); i += 2 {
			if found[i] != exceptRow {
				rows = append(rows, found[i])
			}
		}
		deleted, listed, err := s.deleteOf(ctx, what, owner, rows)
		s.unlist(ctx, listed)
		n += len(deleted)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// deleteOf deletes those of the rows that have the owner. It returns them, and in whose indexes
// they were listed.
func (s *sessions) deleteOf(
	ctx context.Context, what, owner string, rows []string,
) (deleted []string, listed map[string][]string, err error) {
	calls := make([]call, len(rows))
	for i, row := range rows {
		calls[i] = s.deletion(row, owner)
	}
	answers, err := s.runAll(ctx, what, calls)
	listed = make(map[string][]string)
	for i, got := range answers {
		if numbers, _ := integers(what, got, 1); len(numbers) > 0 && numbers[0] > 0 {
			deleted = append(deleted, rows[i])
			for _, owner := range splitOwners(textAt(got, 1)) {
				listed[owner] = append(listed[owner], rows[i])
			}
		}
	}
	return deleted, listed, err
}

// members returns the members of an owner's index.
func (c *core) members(ctx context.Context, what, kind, owner string) ([]string, error) {
	if !validOwner(owner) || ctx.Err() != nil {
		return nil, fault(ctx, what, ctx.Err())
	}
	list, err := c.client.ZRange(ctx, c.indexKey(kind, owner), 0, -1).Result()
	return list, fault(ctx, what, err)
}

// hashes returns several hashes. A hash that does not exist is empty.
func (c *core) hashes(ctx context.Context, what string, keys []string) ([]map[string]string, error) {
	if ctx.Err() != nil {
		return nil, fault(ctx, what, ctx.Err())
	}
	commands := make([]*redis.MapStringStringCmd, len(keys))
	pipe := c.client.Pipeline()
	for i, key := range keys {
		commands[i] = pipe.HGetAll(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	list := make([]map[string]string, len(keys))
	for i, cmd := range commands {
		fields, err := cmd.Result()
		if err != nil {
			return nil, fault(ctx, what, err)
		}
		list[i] = fields
	}
	return list, nil
}

func toAny(list []string) []any {
	items := make([]any, len(list))
	for i, item := range list {
		items[i] = item
	}
	return items
}

func checkLimit(what string, limit int) error {
	if err := stores.CheckLimit(limit); err != nil {
		return fmt.Errorf("redisstore: %s: %w", what, err)
	}
	return nil
}
