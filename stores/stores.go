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
	// ErrFull says that a bounded store has no room and nothing it may drop.
	ErrFull = errors.New("ginauth: store is full")
	// ErrCorrupt says that a stored record cannot be read.
	ErrCorrupt = errors.New("ginauth: stored record is corrupt")
	// ErrExists says that a record with the same name exists.
	ErrExists = errors.New("ginauth: record exists")
	// ErrTooLarge says that a session does not fit into its cookie.
	ErrTooLarge = errors.New("ginauth: session is too large for its cookie")
)

// A Set names the stores of one application. Each can be replaced by another
// implementation. Sessions are in rows of Sessions or in cookies by ClientSessions: one
// of the two is nil.
type Set struct {
	Sessions       Sessions
	ClientSessions ClientSessions
	Tokens         Tokens
	Limiter        Limiter
}

// Close closes the members that are io.Closers and returns their errors joined.
func (s Set) Close() error {
	var errs []error
	for _, member := range []any{s.Sessions, s.ClientSessions, s.Tokens, s.Limiter} {
		if c, ok := member.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// Digest is the SHA-256 of a secret, which is all that a store ever sees of it.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a secret of at least 128 random bits. It is
// not a password hash.
func DigestOf(secret []byte) Digest { return sha256.Sum256(secret) }

// Equal reports, in constant time, whether two digests are equal.
func (d Digest) Equal(other Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Pruner is the optional capability of a store whose expired records have to be
// deleted by somebody. The manager calls it at intervals; nothing depends on
// it, because expiry is decided when a record is read.
type Pruner interface {
	// Prune deletes what expired at or before now and returns how much that
	// was.
	Prune(ctx context.Context, now time.Time) (int, error)
}

// Checker is the optional capability of a store that can find out whether it is
// set up well.
type Checker interface {
	// Check returns one sentence for each setting that weakens a promise. An
	// error means that it could not find out.
	Check(ctx context.Context) ([]string, error)
}
