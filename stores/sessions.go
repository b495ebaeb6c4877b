package stores

import (
	"context"
	"time"
)

// Session is one row of a session store.
type Session struct {
	// Row names the row for as long as it lives. It is part of the session id
	// but opens nothing without the other part.
	Row string
	// Digest is the digest of the secret part of the current session id.
	Digest Digest
	// Owner names the user logged in, or is "".
	Owner string
	// Values are the session's keys.
	Values Values
	// Address and UserAgent describe the client that opened the session. A
	// store may cut them at 64 and 255 bytes.
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
}

// Delta is a change of a session: the fields that are set, and nothing else.
type Delta struct {
	// Set holds the keys to set, and Remove those to remove. They are disjoint.
	// Keys in neither keep their value, also one given by a parallel change.
	Set    map[string][]byte
	Remove []string
	// LastSeen and Expires replace the row's unless they are zero.
	LastSeen time.Time
	Expires  time.Time
	// Owner replaces the row's unless it is nil.
	Owner *string
	// Rename gives the row a new digest. The whole delta then applies only if
	// the row's digest is the old one.
	Rename *Rename
}

// Rename is a change of a session's secret.
type Rename struct {
	Old, New Digest
	At       time.Time
}

// Outcome is what became of a change.
type Outcome uint8

const (
	// Gone means that the row does not exist. Nothing was created.
	Gone Outcome = iota
	// Stale means that the row exists and its digest is not the one that the
	// change was made for. Nothing was changed.
	Stale
	// Updated means that the change is stored.
	Updated
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
	}
	return "unknown"
}

// Sessions stores sessions by row.
//
// A row is found by its immutable name, not by its secret: the caller compares
// the digest, in constant time. So a change in flight still finds its row after
// another request has given the session a new id, and a row stays in one place
// of a partitioned store.
type Sessions interface {
	// Load returns the row, expired or not. It makes no difference to a caller
	// whether an expired row is still found.
	Load(ctx context.Context, row string) (s Session, found bool, err error)
	// Create stores a new row. If the row exists it returns ErrExists and
	// changes nothing.
	Create(ctx context.Context, s Session) error
	// Update applies a delta in one atomic step. Parallel deltas to different
	// keys are all kept. A row that does not exist is not created. Values that
	// would be larger than MaxValues are an error, and change nothing.
	Update(ctx context.Context, row string, d Delta) (Outcome, error)
	// Delete removes the row and reports whether it existed. It is idempotent.
	Delete(ctx context.Context, row string) (existed bool, err error)
}

// SessionIndex is the optional capability of a session store that knows the
// sessions of an owner.
type SessionIndex interface {
	// SessionsOf returns the owner's rows, the most recently seen first: all
	// that Load would find.
	SessionsOf(ctx context.Context, owner string) ([]Session, error)
	// DeleteSessionsOf deletes the owner's rows except the one named (none if
	// it is ""), and returns how many there were.
	DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error)
}
