package stores

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLimit means that an owner has as many families of a kind as a FamilyLimit allows.
var ErrLimit = errors.New("ginauth: owner has too many tokens")

// FamilyLimit is how many families of one kind an owner may have.
type FamilyLimit struct {
	// Families is the number of families, at least 1. Ended families count as well, so that what
	// logins leave behind is bounded.
	Families int
	// Refuse refuses another family while that many are alive. Otherwise families end to make room.
	Refuse bool
}

// Check returns an error if l cannot limit families.
func (l FamilyLimit) Check() error {
	if l.Families < 1 {
		return fmt.Errorf("ginauth: limit of %d families, at least 1 is required", l.Families)
	}
	return nil
}

// TokenLimit is the optional capability of a token store to limit how many families
// of a kind an owner has.
type TokenLimit interface {
	// CreateLimited is Tokens.Create of the first token of a new family that has an
	// owner. It deletes surplus families of the same owner and kind: first those that
	// have ended, then those that expire first, and the new family only if there is
	// no other. A deleted family is unknown, which to all callers means that it has
	// ended. CreateLimited returns the names of the deleted families that were alive at
	// now. If the limit says so, and all surplus families are alive, it stores nothing
	// and returns an error that wraps ErrLimit.
	//
	// Whatever calls run in parallel, afterwards an owner who had more families than
	// the limit has exactly as many. A call whose process is killed may leave a
	// surplus, which the next call deletes. One call deletes at most MaxEnded families.
	// A limit that FamilyLimit.Check refuses is an error.
	CreateLimited(ctx context.Context, now time.Time, t Token, limit FamilyLimit) (created bool, ended []string, err error)
}
