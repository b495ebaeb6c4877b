package stores

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"time"
)

// Errors of stores. Compare them with errors.Is.
var (
	// ErrFull means that a store of limited size is full and has nothing that it
	// may delete.
	ErrFull = errors.New("ginauth: store is full")
	// ErrCorrupt means that a stored record cannot be read.
	ErrCorrupt = errors.New("ginauth: stored record is corrupt")
	// ErrExists means that a record with the same name exists.
	ErrExists = errors.New("ginauth: record exists")
	// ErrTooLarge means that a session does not fit into its cookie.
	ErrTooLarge = errors.New("ginauth: session is too large for its cookie")
)

// A Set holds the stores of one application. Each can be replaced by another
// implementation. Sessions are kept either in Sessions or, by ClientSessions, in
// cookies: exactly one of the two is not nil.
type Set struct {
	Sessions       Sessions
	ClientSessions ClientSessions
	Tokens         Tokens
	Limiter        Limiter
	// Factors keeps second factors. It is nil where no feature needs it.
	Factors Factors
	// Identities keeps which accounts at other providers are whose. It is nil where no feature needs it.
	Identities Identities
}

// InProcess is implemented by a store that waits for no server and no disk. What others are asked
// at the same time, such a store and others are asked one after the other.
type InProcess interface {
	// InProcess does nothing.
	InProcess()
}

// Close closes the members that implement io.Closer and returns their errors,
// joined.
func (s Set) Close() error {
	var errs []error
	for _, member := range []any{s.Sessions, s.ClientSessions, s.Tokens, s.Limiter, s.Factors, s.Identities} {
		if c, ok := member.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// Digest is the SHA-256 digest of a secret. A store never sees the secret itself.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a secret, which needs at least 128 random bits. It
// is not a password hash.
func DigestOf(secret []byte) Digest { return sha256.Sum256(secret) }

// Equal reports, in constant time, whether two digests are equal.
func (d Digest) Equal(other Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Pruner is the optional capability of a store to delete expired records. The
// manager calls it at intervals. Correctness does not depend on it, because every
// reader of a record checks whether the record has expired.
type Pruner interface {
	// Prune deletes the records that expired at or before now and returns how
	// many it deleted.
	Prune(ctx context.Context, now time.Time) (int, error)
}

// Checker is the optional capability of a store to check its configuration and
// that of its server.
type Checker interface {
	// Check returns one sentence for each setting that weakens a promise of the
	// store. An error means that the settings could not be read.
	Check(ctx context.Context) ([]string, error)
}
