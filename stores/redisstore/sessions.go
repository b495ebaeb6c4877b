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
	_ stores.Sessions     = (*sessions)(nil)
	_ stores.SessionIndex = (*sessions)(nil)
	_ stores.Checker      = (*sessions)(nil)
)

//go:embed lua/session_create.lua
var sessionCreate string

//go:embed lua/session_update.lua
var sessionUpdate string

//go:embed lua/session_delete.lua
var sessionDelete string

var (
	createSession = newScript(sessionCreate)
	updateSession = newScript(fmt.Sprintf("local MAX_VALUES = %d\n%s", stores.MaxValues, sessionUpdate))
	deleteSession = newScript(sessionDelete)
)

// What the script that updates a session answers beside stores.Outcome.
const (
	unlisted = 3 + iota
	unreadable
	tooLarge
)

// sessions is the stores.Sessions of a client. A session is one hash: its keys
// are fields that begin with a colon, and what else there is to know is in
// fields that do not.
type sessions struct{ *core }

// rowKey returns the key of a row. The braces make the row's name alone decide
// where in a cluster it is.
func (s *sessions) rowKey(row string) string { return s.prefix + "s:{" + row + "}" }

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
	const what = "create session"
	switch {
	case !validName(n.Row):
		return fmt.Errorf("redisstore: %s: row is not named by 32 lower-case hexadecimal digits", what)
	case !validText(n.Owner, ownerSize):
		return fmt.Errorf("redisstore: %s: owner is not text of at most %d bytes", what, ownerSize)
	case n.Values.Size() > stores.MaxValues:
		return errSize(what, int64(n.Values.Size()))
	}
	listed := int64(0)
	if n.Owner != "" {
		listed = listUntil(micro(n.Expires))
		if err := s.list(ctx, what, n.Owner, n.Row, listed); err != nil {
			return err
		}
	}
	args := append([]any{nonce(), keyEnd(n.Expires)}, encodeSession(n, listed)...)
	made, err := s.run(ctx, what, createSession, []string{s.rowKey(n.Row)}, args...)
	if err == nil && made != int64(1) {
		err = fmt.Errorf("redisstore: %s: %w", what, stores.ErrExists)
	}
	return err
}

// Update implements stores.Sessions. It takes one round trip, and one or two
// more if the row has to be listed in its owner's index first.
func (s *sessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	const what = "update session"
	if d.Owner != nil && !validText(*d.Owner, ownerSize) {
		return stores.Gone, fmt.Errorf("redisstore: %s: owner is not text of at most %d bytes", what, ownerSize)
	}
	if !validName(row) {
		return stores.Gone, fault(ctx, what, ctx.Err())
	}
	var owner string
	var listed int64
	if d.Owner != nil && *d.Owner != "" && !d.Expires.IsZero() {
		owner, listed = *d.Owner, listUntil(micro(d.Expires))
	}
	call := ""
	if d.Rename != nil {
		call = nonce()
	}
	// What has to be listed can change between two tries, but only if another
	// request gives the row another owner.
	for range 5 {
		if owner != "" {
			if err := s.list(ctx, what, owner, row, listed); err != nil {
				return stores.Gone, err
			}
		}
		got, err := s.run(ctx, what, updateSession, []string{s.rowKey(row)}, encodeDelta(d, call, owner, listed)...)
		if err != nil {
			return stores.Gone, err
		}
		outcome, again, err := readOutcome(what, got)
		if !again {
			return outcome, err
		}
		expires, _ := moment(textAt(got, 2))
		owner, listed = textAt(got, 1), listUntil(micro(expires))
	}
	return stores.Gone, fmt.Errorf("redisstore: %s: its owner keeps changing", what)
}

// readOutcome reads the answer to an update. Again reports that the row has to
// be listed first.
func readOutcome(what string, got any) (outcome stores.Outcome, again bool, err error) {
	numbers, err := integers(what, got, 1)
	if err != nil {
		return stores.Gone, false, err
	}
	switch numbers[0] {
	case int64(stores.Gone), int64(stores.Stale), int64(stores.Updated):
		return stores.Outcome(numbers[0]), false, nil
	case unlisted:
		return stores.Gone, true, nil
	case tooLarge:
		return stores.Gone, false, fmt.Errorf("redisstore: %s: %s bytes of values, at most %d are allowed",
			what, textAt(got, 1), stores.MaxValues)
	}
	return stores.Gone, false, corrupt(what, "fields are missing")
}

func errSize(what string, size int64) error {
	return fmt.Errorf("redisstore: %s: %d bytes of values, at most %d are allowed", what, size, stores.MaxValues)
}

// Delete implements stores.Sessions. If an answer of the server got lost and
// go-redis asked again, it may report false for a row that it deleted.
func (s *sessions) Delete(ctx context.Context, row string) (bool, error) {
	const what = "delete session"
	if !validName(row) {
		return false, fault(ctx, what, ctx.Err())
	}
	got, err := s.run(ctx, what, deleteSession, []string{s.rowKey(row)}, "")
	if err != nil {
		return false, err
	}
	deleted, err := integers(what, got, 1)
	if err != nil {
		return false, err
	}
	if owner := textAt(got, 1); deleted[0] > 0 && owner != "" {
		s.unlist(ctx, owner, row)
	}
	return deleted[0] > 0, nil
}

// listUntil returns until when a row that ends at the given time is listed, in
// microseconds. It is a day more, so that a session which is prolonged with
// every request is listed again once a day.
func listUntil(expires int64) int64 { return expires + (24 * time.Hour).Microseconds() }

// list writes a row into its owner's index. That comes before the row is the
// owner's: if the second step fails, an entry is left that leads nowhere, which
// is harmless; the other way round a session would be left that nobody can end.
func (s *sessions) list(ctx context.Context, what, owner, row string, until int64) error {
	_, err := s.run(ctx, what, addToIndex, []string{s.ownerKey(owner)}, row, until, 0, slack.Milliseconds())
	return err
}

// unlist removes rows that were deleted from their owner's index. A row's name
// is never given to another, so it cannot be listed again. That it failed does
// not matter, because an entry counts only together with its row.
func (s *sessions) unlist(ctx context.Context, owner string, rows ...string) {
	if len(rows) > 0 {
		s.client.ZRem(ctx, s.ownerKey(owner), toAny(rows)...)
	}
}

func (s *sessions) ownerKey(owner string) string { return s.indexKey("so:", owner) }

// sortByUse puts the most recently seen first.
func sortByUse(list []stores.Session) {
	slices.SortFunc(list, func(a, b stores.Session) int { return b.LastSeen.Compare(a.LastSeen) })
}
