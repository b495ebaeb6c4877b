package stores

import (
	"context"
	"time"
)

// Kind says what a token is used for. A token of one kind is never accepted as a
// token of another kind.
type Kind string

// The kinds of tokens that ginauth issues.
const (
	Refresh  Kind = "refresh"
	Remember Kind = "remember"
	Reset    Kind = "reset"
	Personal Kind = "personal"
	// Confirmation records that the user of a login by tokens confirmed the password.
	Confirmation Kind = "confirmation"
	// Pending is a login that waits for a second factor.
	Pending Kind = "pending"
	// OneTime is a link or a code that was sent to a user, to log in with once.
	OneTime Kind = "onetime"
	// Trusted is a device that skips the second factor.
	Trusted Kind = "trusted"
	// Revoked records that something ended before it expired, such as a signed
	// token or a session that is kept in a cookie.
	Revoked Kind = "revoked"
)

// Token is one stored token.
//
// Every token belongs to a family. The text of the token contains the names of
// both. A root record decides whether the family is alive: once the root is
// revoked or has expired, no token of the family is valid, whatever the token's
// own record says.
type Token struct {
	// ID identifies the token, and Family its family. The first token of a
	// family creates the root. All tokens of a family have the kind and the
	// owner of the root.
	ID     string
	Family string
	Kind   Kind
	// Owner is the user that the token belongs to.
	Owner string
	// Digest is the digest of the token's secret.
	Digest Digest
	// Name is the name that the owner gave to the token.
	Name string
	// Abilities are what the token may be used for.
	Abilities []string
	// Data is further data that tokens of this kind need, at most 4096 bytes.
	Data []byte
	// Created is when the token was created.
	Created time.Time
	// Expires is when the token expires. It is never zero.
	Expires time.Time
	// FamilyExpires is when the whole family expires. It is set when the family
	// is created, and is the same for all its tokens.
	FamilyExpires time.Time
	// Consumed is when the token was consumed, or zero.
	Consumed time.Time
	// LastUsed is when the token was last presented, or zero.
	LastUsed time.Time
	// Delivered is when a response with the token was about to be sent, or zero.
	Delivered time.Time
	// FamilyRevoked is when the family was revoked, or zero. Stores set it in
	// their results and ignore it in their arguments.
	FamilyRevoked time.Time
}

// Rotated is the result of a Rotate.
type Rotated uint8

const (
	// RotateDead means that the family is revoked or has expired, that the parent
	// has expired, or that the parent does not belong to the family. Nothing was
	// changed.
	RotateDead Rotated = iota
	// RotateUsed means that the parent had been consumed before. Nothing was
	// changed.
	RotateUsed
	// RotateDone means that the parent was consumed and the child was stored.
	RotateDone
)

// MaxRotated is how many tokens a family has at most if it is only rotated.
const MaxRotated = 16

// Life says whether a family of tokens is alive.
type Life uint8

const (
	// Unknown means that the family does not exist, or no longer exists.
	Unknown Life = iota
	// Alive means that the family is neither revoked nor has expired.
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

// Family is what a store knows of a family of tokens.
type Family struct {
	Kind  Kind
	Owner string
	// Alive says that the family is neither revoked nor has expired.
	Alive bool
	// Usable says that the family is alive and has a token that has not been consumed and
	// has not expired.
	Usable bool
}

// Tokens stores tokens.
//
// Rotation and revocation both write the root record of the family first. So if
// both run at the same time, the second sees what the first did, and a revoked
// family never gets a valid token.
type Tokens interface {
	// Create stores a token, and the root of its family if there is none. It
	// returns ErrExists if the family has a token with this id, and false if the
	// family is revoked. While a RevokeOwner of the owner runs, Create may also
	// return false for a family that does not exist yet.
	Create(ctx context.Context, t Token) (bool, error)
	// Find returns the token, whether or not it is still valid.
	Find(ctx context.Context, family, id string) (t Token, found bool, err error)
	// Lives returns for each of the families, in their order, whether it is alive
	// at now. It takes one round trip, however many families there are.
	Lives(ctx context.Context, now time.Time, families ...string) ([]Life, error)
	// Family returns what is known of a family at now. It returns false if the family
	// does not exist, or no longer exists.
	Family(ctx context.Context, now time.Time, family string) (f Family, found bool, err error)
	// Consume marks the token as consumed if it has not been consumed, has not
	// expired at now, and its family is alive. Exactly one of any number of
	// parallel calls returns true.
	Consume(ctx context.Context, now time.Time, family, id string) (bool, error)
	// Rotate consumes the parent and stores the child, which is of the same
	// family, in one atomic step. It may delete tokens of the family that were
	// consumed before, and deletes enough of them that a family which is only
	// rotated never has more than MaxRotated tokens. If a token has the child's
	// id, Rotate returns ErrExists and changes nothing.
	Rotate(ctx context.Context, now time.Time, parent string, child Token) (Rotated, error)
	// RevokeFamily revokes the family and reports whether it was alive. Pruning
	// keeps the revocation until FamilyExpires. A store that is full may delete
	// the family instead, which is then unknown.
	RevokeFamily(ctx context.Context, now time.Time, family string) (bool, error)
	// RevokeOwner revokes the owner's families of the given kinds (all kinds if
	// none is given), except the family named exceptFamily (none if it is ""). It
	// returns how many of them were alive.
	RevokeOwner(ctx context.Context, now time.Time, owner, exceptFamily string, kinds ...Kind) (int, error)
	// TokensOf returns the owner's tokens of the given kinds (all kinds if none is
	// given), the newest first: every one, or limit of them if there are more. Which
	// of them is the store's choice: a list that is limited to what TokenLimit allows
	// is complete. It leaves out consumed tokens and tokens of revoked families. A
	// limit below 1 is an error.
	TokensOf(ctx context.Context, owner string, limit int, kinds ...Kind) ([]Token, error)
	// Touch sets the token's LastUsed to now. After it has returned nil, Find
	// returns the new value. It does not create a token that does not exist.
	Touch(ctx context.Context, now time.Time, family, id string) error
	// MarkDelivered sets the token's Delivered to now if it is zero. It is called
	// when a response with the token is about to be sent. After it has returned
	// nil, Find returns the value. It does not create a token that does not exist.
	MarkDelivered(ctx context.Context, now time.Time, family, id string) error
}
