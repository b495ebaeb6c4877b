package stores

import (
	"context"
	"time"
)

// SessionWriter is the optional capability of a session store to set keys of a row
// that the caller has not loaded, in one round trip.
type SessionWriter interface {
	// Write sets keys of a row in one atomic step, if the row has the caller's digest and
	// meets every other condition of w. Otherwise it changes nothing, and is Load. The zero
	// Write, which no row meets, is a Load that says whether the row was deleted. Write is
	// safe for concurrent use, and a repeated call does no harm.
	Write(ctx context.Context, row string, w Write) (Written, error)
}

// Write is a change of a session that the caller has not loaded.
type Write struct {
	// Digest is the digest of the secret part of the id that the client presented. It is
	// not zero. The row has to have it, or to have had it before its last rename: if that
	// was after Since and not after LastSeen, and no principal was replaced or removed by
	// it or after it. So a write survives a parallel change of the id. A zero Since refuses
	// every former digest.
	Digest Digest
	Since  time.Time
	// SeenAfter and CreatedAfter are times after which the row has to have been seen and
	// created.
	SeenAfter    time.Time
	CreatedAfter time.Time
	// Without is a prefix that no key of the row may have, or "".
	Without string
	// MaxValues is how many bytes the values may have afterwards, at most the constant
	// MaxValues. A row may have at most MaxKeys keys afterwards.
	MaxValues int
	// Set holds the keys to set. LastSeen and Expires replace the row's.
	Set      map[string][]byte
	LastSeen time.Time
	Expires  time.Time
}

// Written is the result of a Write.
type Written struct {
	// Done says that the keys are set. All other fields are then zero.
	Done bool
	// Session is the row as Load returns it, if it was Found.
	Session Session
	Found   bool
	// Deleted says that there is no such row because it was deleted Ago, which the store
	// measures by its own clock. It knows that for DeletedFor.
	Deleted bool
	Ago     time.Duration
}

// DeletedFor is how long a SessionWriter knows that a row was deleted.
const DeletedFor = 10 * time.Minute
