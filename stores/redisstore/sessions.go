package redisstore

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"slices"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Sessions       = (*sessions)(nil)
	_ stores.SessionLimit   = (*sessions)(nil)
	_ stores.SessionDeleter = (*sessions)(nil)
	_ stores.SessionWriter  = (*sessions)(nil)
	_ stores.Checker        = (*sessions)(nil)
)

//go:embed lua/session_row.lua
var sessionRow string

//go:embed lua/session_create.lua
var sessionCreate string

//go:embed lua/session_update.lua
var sessionUpdate string

//go:embed lua/session_delete.lua
var sessionDelete string

//go:embed lua/session_list.lua
var sessionList string

//go:embed lua/session_trim.lua
var sessionTrim string

//go:embed lua/session_joined.lua
var sessionJoined string

var (
	createSession = newScript(boundedCreate)
	createListed  = newScriptOf(sessionJoined, [2]string{"list", sessionList}, [2]string{"change", boundedCreate})
	updateSession = newScript(boundedUpdate)
	updateListed  = newScriptOf(sessionJoined, [2]string{"list", sessionList}, [2]string{"change", boundedUpdate})
	deleteSession = newScript(sessionRow + sessionDelete)
	listSession   = newScript(sessionList)
	trimSessions  = newScript(fmt.Sprintf("local MAX_ENDED = %d\n%s", stores.MaxEnded, sessionTrim))
)

var (
	boundedCreate = sessionRow + sessionCreate
	boundedUpdate = fmt.Sprintf("local MAX_VALUES = %d\n%s%s", stores.MaxValues, sessionRow, sessionUpdate)
)

// Answers of the script that updates a session, beside those of stores.Outcome.
const (
	unlisted = 4 + iota
	unreadable
	tooLarge
)

// sessions is the stores.Sessions of a client. A session is one hash. Fields that begin
// with a colon hold the keys of the session, and three fields hold the rest.
type sessions struct{ *core }

// rowKey returns the key of a row. Because of the braces, only the name of the row selects
// its slot in a cluster. Rows "s:" had another layout: they would be read with wrong owners.
func (s *sessions) rowKey(row string) string { return s.prefix + "s2:{" + row + "}" }

// deletedKey returns the key that says that a row was deleted lately.
func (s *sessions) deletedKey(row string) string { return s.prefix + "sd:{" + row + "}" }

// Load implements stores.Sessions.
func (s *sessions) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	const what = "load session"
	if !validName(row) || ctx.Err() != nil {
		return stores.Session{}, false, fault(ctx, what, ctx.Err())
	}
	fields, err := s.client.HGetAll(ctx, s.rowKey(row)).Result()
	if err != nil || len(fields) == 0 {
		return stores.Session{}, false, fault(ctx, what, err)
	}
	got, err := decodeSession(row, fields)
	return got, err == nil, err
}

// Create implements stores.Sessions.
func (s *sessions) Create(ctx context.Context, n stores.Session) error {
	_, err := s.create(ctx, n, 0)
	return err
}

// create stores a new row. It returns the indexes that then have more than limit entries.
func (s *sessions) create(ctx context.Context, n stores.Session, limit int) ([]overfull, error) {
	const what = "create session"
	if !validName(n.Row) {
		return nil, fmt.Errorf("redisstore: %s: the row has to be 32 lower-case hexadecimal digits", what)
	}
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("redisstore: %s: %w", what, err)
	}
	listed := int64(0)
	if len(n.Owners) > 0 {
		listed = listUntil(micro(n.Expires))
	}
	call := nonce()
	args := append([]any{call, keyEnd(n.Expires)}, encodeSession(n, call, listed)...)
	made, over, err := s.listed(ctx, what, createSession, createListed, listing{n.Row, n.Owners, listed, limit}, args)
	if err == nil && made != int64(1) {
		err = fmt.Errorf("redisstore: %s: %w", what, stores.ErrExists)
	}
	return over, err
}

// Update implements stores.Sessions. It takes one round trip, and one or two more
// if the row has to be listed in the indexes of its owners first. On one server it
// takes one more at most.
func (s *sessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	outcome, _, err := s.update(ctx, row, d, 0)
	return outcome, err
}

// update applies a delta. It returns the indexes that then have more than limit entries.
func (s *sessions) update(ctx context.Context, row string, d stores.Delta, limit int) (stores.Outcome, []overfull, error) {
	const what = "update session"
	if err := d.Validate(); err != nil {
		return stores.Gone, nil, fmt.Errorf("redisstore: %s: %w", what, err)
	}
	if !validName(row) {
		return stores.Gone, nil, fault(ctx, what, ctx.Err())
	}
	var owners []string
	var listed int64
	if p := d.Principals; p != nil && len(p.Owners) > 0 && !d.Expires.IsZero() {
		owners, listed = p.Owners, listUntil(micro(d.Expires))
	}
	call := ""
	if d.Rename != nil {
		call = nonce()
	}
	var over []overfull
	// The owners to list the row under can change between two tries, but only if
	// another request changes them.
	for range 5 {
		args := encodeDelta(d, call, owners, listed)
		got, found, err := s.listed(ctx, what, updateSession, updateListed, listing{row, owners, listed, limit}, args)
		if err != nil {
			return stores.Gone, nil, err
		}
		if len(owners) > 0 {
			over = found
		}
		outcome, again, err := readOutcome(what, got)
		if !again {
			return outcome, over, err
		}
		expires, _ := moment(textAt(got, 2))
		owners, listed = splitOwners(textAt(got, 1)), listUntil(micro(expires))
	}
	return stores.Gone, nil, fmt.Errorf("redisstore: %s: its owners keep changing", what)
}

// readOutcome reads the answer to an update. It returns again if the row has to be listed
// first.
func readOutcome(what string, got any) (outcome stores.Outcome, again bool, err error) {
	numbers, err := integers(what, got, 1)
	if err != nil {
		return stores.Gone, false, err
	}
	switch numbers[0] {
	case int64(stores.Gone), int64(stores.Stale), int64(stores.Updated), int64(stores.Replaced):
		return stores.Outcome(numbers[0]), false, nil
	case unlisted:
		return stores.Gone, true, nil
	case tooLarge:
		return stores.Gone, false, fmt.Errorf("redisstore: %s: session values have %s bytes, at most %d are allowed",
			what, textAt(got, 1), stores.MaxValues)
	}
	return stores.Gone, false, corrupt(what, "fields are missing")
}

// Delete implements stores.Sessions. If the answer of the server was lost and go-redis sent
// the command again, Delete may report false for a row that it deleted.
func (s *sessions) Delete(ctx context.Context, row string) (bool, error) {
	return s.DeleteSeen(ctx, stores.Session{Row: row})
}

// DeleteSeen implements stores.SessionDeleter: the entries of the owners that the row had are
// removed in the same round trip.
func (s *sessions) DeleteSeen(ctx context.Context, seen stores.Session) (bool, error) {
	const what = "delete session"
	if !validName(seen.Row) {
		return false, fault(ctx, what, ctx.Err())
	}
	calls := []call{s.deletion(seen.Row, "")}
	for _, owner := range seen.Owners {
		calls = append(calls, call{unlist, []string{s.ownerKey(owner)}, []any{seen.Row}})
	}
	answers, err := s.runAll(ctx, what, calls)
	if len(answers) == 0 {
		return false, err // of an entry it does not matter, because an entry counts only with its row
	}
	deleted, err := integers(what, answers[0], 1)
	if err != nil {
		return false, err
	}
	if deleted[0] > 0 {
		rows := make(map[string][]string)
		for _, owner := range splitOwners(textAt(answers[0], 1)) {
			if !slices.Contains(seen.Owners, owner) {
				rows[owner] = []string{seen.Row}
			}
		}
		s.unlist(ctx, rows)
	}
	return deleted[0] > 0, nil
}

// deletion is the call that deletes a row if it has the owner, or any row if owner is "".
func (s *sessions) deletion(row, owner string) call {
	return call{deleteSession, []string{s.rowKey(row), s.deletedKey(row)}, []any{owner, stores.DeletedFor.Milliseconds()}}
}

// listUntil returns until when a row that expires at the given time is listed, in
// microseconds. It adds a day, so that a session that every request prolongs has to be
// listed again only once a day.
func listUntil(expires int64) int64 { return expires + (24 * time.Hour).Microseconds() }

// A listing is what the indexes of owners are told of a row.
type listing struct {
	row    string
	owners []string
	until  int64 // microseconds
	// limit is how many entries an owner may have, or 0 for any number.
	limit int
}

func (l listing) args() []any {
	return []any{l.row, l.until, slack.Milliseconds(), l.limit, l.limit + stores.MaxEnded}
}

// overfull returns the indexes that have more entries than they may have.
func (l listing) overfull(answers []any) (over []overfull) {
	for i, got := range answers {
		if entries, _ := got.([]any); len(entries) > 0 {
			over = append(over, overfull{l.owners[i], l.until, entries})
		}
	}
	return over
}

// listed lists a row and runs a script on it: in one step where one server has all keys, or else one after
// the other. The row is listed first: if the second step fails, an entry is left that leads nowhere, which is
// harmless. In the other order a session would be left that its owner cannot find.
func (s *sessions) listed(
	ctx context.Context, what string, alone, joined *script, l listing, args []any,
) (got any, over []overfull, err error) {
	if len(l.owners) > 0 && !s.apart.Load() {
		keys := []string{s.rowKey(l.row)}
		for _, owner := range l.owners {
			keys = append(keys, s.ownerKey(owner))
		}
		got, err := s.run(ctx, what, joined, keys, append(l.args(), args...)...)
		if !s.splits(err, keys) {
			answers, _ := got.([]any)
			if err == nil && len(answers) != len(keys) {
				err = fmt.Errorf("redisstore: %s: unexpected answer of type %T", what, got)
			}
			if err != nil {
				return nil, nil, err
			}
			return answers[0], l.overfull(answers[1:]), nil
		}
	}
	if len(l.owners) > 0 {
		calls := make([]call, len(l.owners))
		for i, owner := range l.owners {
			calls[i] = call{listSession, []string{s.ownerKey(owner)}, l.args()}
		}
		answers, err := s.runAll(ctx, what, calls)
		if err != nil {
			return nil, nil, err
		}
		over = l.overfull(answers)
	}
	got, err = s.run(ctx, what, alone, []string{s.rowKey(l.row)}, args...)
	return got, over, err
}

// unlist removes rows that were deleted from the indexes of their owners. A row's
// name is never used again, so the row cannot be listed again. A failure does not
// matter, because an entry counts only together with its row.
func (s *sessions) unlist(ctx context.Context, rowsOf map[string][]string) {
	if len(rowsOf) == 0 {
		return
	}
	pipe := s.client.Pipeline()
	for owner, rows := range rowsOf {
		pipe.ZRem(ctx, s.ownerKey(owner), toAny(rows)...)
	}
	_, _ = pipe.Exec(ctx)
}

func (s *sessions) ownerKey(owner string) string { return s.indexKey("so:", owner) }

// sortByUse sorts sessions by when they were last seen, the latest first.
func sortByUse(list []stores.Session) {
	slices.SortFunc(list, func(a, b stores.Session) int { return b.LastSeen.Compare(a.LastSeen) })
}
