package stores

import (
	"context"
	"fmt"
	"time"
)

// Session is one row of a session store.
type Session struct {
	// Row identifies the row and never changes. It is part of the session id;
	// the other part is a secret, without which the row opens nothing.
	Row string
	// Digest is the digest of the secret part of the current session id.
	Digest Digest
	// Principals says who is logged in, in an encoding that only the caller
	// knows. It has at most MaxPrincipals bytes and may hold any byte.
	Principals string
	// Owners are the users who are logged in, at most MaxOwners, each named
	// once. Stores keep their order. A SessionIndex finds the session by each
	// of them.
	Owners []string
	// Generation counts how often a principal of the session was replaced or
	// removed.
	Generation uint32
	// Values are the session's keys.
	Values Values
	// Address and UserAgent describe the client that opened the session. A
	// store may truncate them to 64 and 255 bytes.
	Address   string
	UserAgent string
	// Created is when the session began, and LastSeen when it was last used,
	// to the precision of a touch.
	Created  time.Time
	LastSeen time.Time
	// Renamed is when Digest last changed, or zero.
	Renamed time.Time
	// Expires is when the row may be pruned.
	Expires time.Time
	// Version changes with the row, in stores that need to know whether it has
	// changed. It is 0 in others, and Create ignores it.
	Version int64
}

// Delta is a change of a session. It changes the fields that it sets and leaves
// all others as they are.
type Delta struct {
	// Generation is the generation of the session that the caller loaded. The
	// delta is applied only if the row still has this generation. So the late
	// write of a request of one user never reaches the session of the next user,
	// whereas the writes of parallel requests survive a login into an anonymous
	// session, which keeps its generation.
	Generation uint32
	// Set holds the keys to set, and Remove the keys to remove. No key is in
	// both. A key in neither keeps its value, also a value that a parallel
	// change has set.
	Set    map[string][]byte
	Remove []string
	// Clear removes all keys that are not in Set, also those that the caller does
	// not know of, in the same atomic step. Remove then has no effect.
	Clear bool
	// LastSeen and Expires replace the row's, unless they are zero.
	LastSeen time.Time
	Expires  time.Time
	// Principals replaces who is logged in, unless it is nil. It needs Rename.
	Principals *Principals
	// Rename gives the row a new digest, unless it is nil. The delta is then
	// applied only if the row has the old digest.
	Rename *Rename
	// Seen is the row as Load returned it, or nil. It changes nothing in what the
	// delta does. A store can apply the delta to it and need not read the row
	// again, if the row still has its Version.
	Seen *Session
}

// Rename is a change of the secret part of a session id. If New is Old, the row's
// digest is compared with Old, and neither Digest nor Renamed changes.
type Rename struct {
	Old, New Digest
	At       time.Time
}

// Outcome is the result of an Update.
type Outcome uint8

const (
	// Gone means that the row does not exist. Nothing was created.
	Gone Outcome = iota
	// Stale means that the row has another digest than Rename.Old. Nothing was
	// changed.
	Stale
	// Updated means that the change is stored.
	Updated
	// Replaced means that the row has another generation than the delta: another
	// principal has the session now. Nothing was changed.
	Replaced
)

// String returns the outcome's name.
func (o Outcome) String() string {
	switch o {
	case Gone:
		return "gone"
	case Stale:
		return "stale"
	case Updated:
		return "updated"
	case Replaced:
		return "replaced"
	}
	return "unknown"
}

// Sessions stores sessions by row.
//
// A row is found by its name, which never changes, and not by its secret; the
// caller compares the digest, in constant time. So a request still finds its row
// after another request has changed the session id, and a row stays in one
// partition of a partitioned store.
type Sessions interface {
	// Load returns the row. It may or may not find a row that has expired.
	Load(ctx context.Context, row string) (s Session, found bool, err error)
	// Create stores a new row. If the row exists, Create returns ErrExists and
	// changes nothing. A session that Session.Validate refuses is an error.
	Create(ctx context.Context, s Session) error
	// Update applies a delta in one atomic step. The row has to exist, or the
	// outcome is Gone; it has to have the delta's generation, or the outcome is
	// Replaced; and with a Rename it has to have the old digest, or the outcome
	// is Stale. They are checked in this order.
	//
	// Parallel deltas to different keys are all kept. Clear concerns every key. A
	// delta that Delta.Validate refuses, and one after which the values would be
	// larger than MaxValues, is an error and changes nothing.
	Update(ctx context.Context, row string, d Delta) (Outcome, error)
	// Delete removes the row and reports whether it existed. It is idempotent.
	Delete(ctx context.Context, row string) (existed bool, err error)
}

// SessionDeleter is the optional capability of a session store to delete a row that
// the caller has loaded in fewer round trips than any row.
type SessionDeleter interface {
	// DeleteSeen is Delete of the row that Load returned.
	DeleteSeen(ctx context.Context, seen Session) (existed bool, err error)
}

// DeleteSeen deletes a row as Load returned it, by DeleteSeen if the store has it.
func DeleteSeen(ctx context.Context, s Sessions, seen Session) (existed bool, err error) {
	if deleter, ok := s.(SessionDeleter); ok {
		return deleter.DeleteSeen(ctx, seen)
	}
	return s.Delete(ctx, seen.Row)
}

// SessionIndex is the optional capability of a session store to find sessions by
// owner.
type SessionIndex interface {
	// SessionsOf returns rows that have the owner among their Owners, each once,
	// the most recently seen first: every such row that Load would find, or limit
	// of them if there are more. Which of them is the store's choice: a list that is
	// limited to what SessionLimit allows is complete. A limit below 1 is an error.
	// A store reads no more rows than it returns, apart from rows that have ended.
	SessionsOf(ctx context.Context, owner string, limit int) ([]Session, error)
	// DeleteSessionsOf deletes the rows that have the owner among their Owners,
	// except the row named exceptRow (none if it is ""), and returns how many
	// it deleted.
	DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error)
}

// SessionLimit is the optional capability of a session store to limit how many
// sessions an owner has.
//
// A call that gives a row owners ends surplus rows of each of these owners: those
// that were least recently seen, and the row of the call only if there is no other.
// So rows that have expired go first. A call that changes no owner ends nothing.
// Whatever calls run in parallel, afterwards an owner who had more than limit rows
// has exactly limit: no call ends a row that another call has made room for
// already. A call whose process is killed may leave a surplus, which the next call
// for the owner ends. One call ends at most MaxEnded rows of an owner. A limit
// below 1 is an error.
type SessionLimit interface {
	SessionIndex
	// CreateLimited is Sessions.Create with a limit.
	CreateLimited(ctx context.Context, s Session, limit int) ([]EndedSession, error)
	// UpdateLimited is Sessions.Update with a limit. It concerns only deltas with
	// Principals.
	UpdateLimited(ctx context.Context, row string, d Delta, limit int) (Outcome, []EndedSession, error)
}

// MaxEnded is how many rows of one owner one call of a SessionLimit ends at most.
// Only rows from before there was a limit can be more.
const MaxEnded = 256

// EndedSession names a row that a SessionLimit ended, and the owner who had too many.
type EndedSession struct {
	Row, Owner string
}

// CheckLimit returns an error if limit cannot limit records.
func CheckLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("ginauth: limit of %d, at least 1 is required", limit)
	}
	return nil
}
