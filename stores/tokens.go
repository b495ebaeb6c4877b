package stores

import (
	"context"
	"time"
)

// Kind says what a token is for. A token of one kind is never accepted as
// another.
type Kind string

// The kinds of tokens that ginauth issues.
const (
	Refresh  Kind = "refresh"
	Remember Kind = "remember"
	Reset    Kind = "reset"
	Personal Kind = "personal"
	// Revoked marks something that ended before its time, such as a signed
	// token or a session that lives in a cookie.
	Revoked Kind = "revoked"
)

// Token is one stored token.
//
// Every token belongs to a family, which its text names beside its own id. The
// family lives in its root record: once that is revoked or has expired, no
// member lives, whatever the member's own record says.
type Token struct {
	// ID names the token and Family its family. The first token of a family
	// creates its root; all have the root's kind and owner.
	ID     string
	Family string
	Kind   Kind
	// Owner names the user that the token belongs to.
	Owner  string
	Digest Digest
	// Name is what the owner calls it.
	Name string
	// Abilities are what the token may be used for.
	Abilities []string
	// Data is what the kind needs beside the above, at most 4096 bytes.
	Data    []byte
	Created time.Time
	// Expires is when the token ends. It is never zero.
	Expires time.Time
	// FamilyExpires is when the whole family ends. It is set when the family
	// is created and the same for all its members.
	FamilyExpires time.Time
	// Consumed is when the token was used up, or zero.
	Consumed time.Time
	// LastUsed is when the token was last presented, or of a Remember token, which
	// its use ends, when it was handed out; or zero.
	LastUsed time.Time
	// FamilyRevoked is when the family was revoked, or zero. Stores fill it in
	// what they return and ignore it in what they are given.
	FamilyRevoked time.Time
}

// Rotated is what became of a rotation.
type Rotated uint8

const (
	// RotateDead means that the family is revoked or expired, that the parent
	// has expired, or that it is not of the family. Nothing was changed.
	RotateDead Rotated = iota
	// RotateUsed means that the parent was consumed before. Nothing was
	// changed.
	RotateUsed
	// RotateDone means that the parent is consumed and the child stored.
	RotateDone
)

// Life says whether a family of tokens lives.
type Life uint8

const (
	// Unknown means that there is no such family, or none any more.
	Unknown Life = iota
	// Alive means that the family is neither revoked nor expired.
	Alive
	// Ended means that the family is revoked or has expired.
	Ended
)

// String returns the state's name.
func (l Life) String() string {
	switch l {
	case Unknown:
		return "unknown"
	case Alive:
		return "alive"
	case Ended:
		return "ended"
	}
	return "invalid"
}

// Tokens stores tokens.
//
// Rotation and revocation both write the family's root record first, so of two
// that run at once the second sees what the first did: a revoked family never
// gains a live child.
type Tokens interface {
	// Create stores a token, and the root of its family if there is none. It
	// returns ErrExists if the family has a token of that id, and refuses
	// (false) if the family is revoked. Beside a RevokeOwner of its
	// owner it may refuse also a family that does not exist yet.
	Create(ctx context.Context, t Token) (bool, error)
	// Find returns the token, whether or not it still lives.
	Find(ctx context.Context, family, id string) (t Token, found bool, err error)
	// Lives returns, for each of the families in turn, whether it lives at now.
	// It costs one round trip however many there are.
	Lives(ctx context.Context, now time.Time, families ...string) ([]Life, error)
	// Consume marks the token as used if it has not been, has not expired at
	// now, and its family lives. Of any number of parallel calls one gets true.
	Consume(ctx context.Context, now time.Time, family, id string) (bool, error)
	// Rotate consumes the parent and stores the child, of the same family, in
	// one atomic step. It returns ErrExists, and changes nothing, if the
	// child's id is taken.
	Rotate(ctx context.Context, now time.Time, parent string, child Token) (Rotated, error)
	// RevokeFamily ends the family and reports whether it was alive. Pruning
	// keeps the revocation until FamilyExpires.
	RevokeFamily(ctx context.Context, now time.Time, family string) (bool, error)
	// RevokeOwner ends the owner's families of the given kinds (all if none is
	// given) except the one named (none if it is ""), and returns how many
	// were alive.
	RevokeOwner(ctx context.Context, now time.Time, owner, exceptFamily string, kinds ...Kind) (int, error)
	// TokensOf returns the owner's tokens of the given kinds (all if none is
	// given) whose families are not revoked, newest first, consumed ones left
	// out.
	TokensOf(ctx context.Context, owner string, kinds ...Kind) ([]Token, error)
	// Touch sets the token's LastUsed. When it returns nil, Find shows it. A token
	// that does not exist is not created.
	Touch(ctx context.Context, now time.Time, family, id string) error
}
