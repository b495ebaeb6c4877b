package redisstore

import (
	"context"
	_ "embed" // the script
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
// meanwhile, the list holds some as they were before and some as they are now.
func (s *sessions) SessionsOf(ctx context.Context, owner string) ([]stores.Session, error) {
	const what = "list sessions"
	rows, err := s.members(ctx, what, "so:", owner)
	if err != nil {
		return nil, err
	}
	var list []stores.Session
	for some := range slices.Chunk(rows, batch) {
		keys := make([]string, len(some))
		for i, row := range some {
			keys[i] = s.rowKey(row)
		}
		hashes, err := s.hashes(ctx, what, keys)
		if err != nil {
			return nil, err
		}
		for i, fields := range hashes {
			if !slices.Contains(splitOwners(fields["owners"]), owner) {
				continue // it has ended, or has other owners now
			}
			got, err := decodeSession(some[i], fields)
			if err != nil {
				return nil, err
			}
			list = append(list, got)
		}
	}
	sortByUse(list)
	return list, nil
}

// DeleteSessionsOf implements stores.SessionIndex. It deletes every row that had the owner
// when the call began. A row that gets the owner during the call may stay. If an answer of
// the server was lost and go-redis sent the command again, the count may be too small.
func (s *sessions) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error) {
	const what = "delete sessions"
	rows, err := s.members(ctx, what, "so:", owner)
	if err != nil {
		return 0, err
	}
	n := 0
	for some := range slices.Chunk(rows, batch) {
		deleted, err := s.deleteOf(ctx, what, owner, exceptRow, some)
		n += deleted
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// deleteOf deletes those of the rows that have the owner.
func (s *sessions) deleteOf(ctx context.Context, what, owner, exceptRow string, rows []string) (int, error) {
	var calls []call
	var asked []string
	for _, row := range rows {
		if row != exceptRow {
			asked = append(asked, row)
			calls = append(calls, call{deleteSession, []string{s.rowKey(row)}, []any{owner}})
		}
	}
	answers, err := s.runAll(ctx, what, calls)
	n, deleted := 0, make(map[string][]string)
	for i, got := range answers {
		if numbers, _ := integers(what, got, 1); len(numbers) > 0 && numbers[0] > 0 {
			n++
			for _, owner := range splitOwners(textAt(got, 1)) {
				deleted[owner] = append(deleted[owner], asked[i])
			}
		}
	}
	s.unlist(ctx, deleted)
	return n, err
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
