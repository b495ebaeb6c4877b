package stores

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a Factor, in bytes.
const (
	MaxFactorKind = 32
	MaxFactorName = 255
	MaxFactorData = 4096 // 4 KiB
)

// Factor is a second factor of a user, such as the secret of an authenticator app or one recovery code.
type Factor struct {
	// Owner is the user that the factor belongs to, and Kind what it is, as in "totp".
	Owner string
	Kind  string
	// ID identifies the factor among those of its owner and kind: 32 lower-case hexadecimal digits.
	ID string
	// Name is what the owner calls the factor.
	Name string
	// Data is what the feature needs. It seals what is secret.
	Data []byte
	// Counter is what Advance raises, such as the last time step of which a code was used. It is not negative.
	Counter int64
	// Created is when the factor was stored, and LastUsed when it was last used, or zero.
	Created  time.Time
	LastUsed time.Time
}

// Factors stores the second factors of users. A Set without them has nil: features that need them say so when they are
// set up.
type Factors interface {
	// FactorsOf returns the owner's factors of the given kinds (all kinds if none is given), the oldest first.
	FactorsOf(ctx context.Context, owner string, kinds ...string) ([]Factor, error)
	// CreateFactor stores a factor. It returns ErrExists, and changes nothing, if the owner has one of that kind
	// and id.
	CreateFactor(ctx context.Context, f Factor) error
	// AdvanceFactor sets the factor's Counter, LastUsed to now, and Data unless data is nil, if the stored counter is
	// less. Exactly one of any number of parallel calls with the same counter returns true. It creates nothing.
	AdvanceFactor(ctx context.Context, now time.Time, owner, kind, id string, counter int64, data []byte) (bool, error)
	// DeleteFactor deletes a factor. Exactly one of any number of parallel calls returns true.
	DeleteFactor(ctx context.Context, owner, kind, id string) (bool, error)
	// ReplaceFactors stores factors of one owner and kind in place of all that there were, in one atomic step.
	// Without factors it deletes all of the kind. Of parallel calls the factors of one stay, all of them.
	ReplaceFactors(ctx context.Context, owner, kind string, factors []Factor) error
}

// Validate returns an error if no store accepts the factor: a text is too long, not valid UTF-8 or contains NUL, the id
// is not 32 hexadecimal digits, or the counter is negative.
func (f Factor) Validate() error {
	switch {
	case !ValidOwner(f.Owner):
		return errors.New("ginauth: the owner of a factor is not valid")
	case !ValidFactorKind(f.Kind):
		return fmt.Errorf("ginauth: factor kind %.40q has to be 1 to %d lower-case letters, digits and hyphens", f.Kind, MaxFactorKind)
	case len(f.ID) != 32 || strings.Trim(f.ID, "0123456789abcdef") != "":
		return errors.New("ginauth: the id of a factor has to be 32 lower-case hexadecimal digits")
	case len(f.Name) > MaxFactorName || !utf8.ValidString(f.Name) || strings.IndexByte(f.Name, 0) >= 0:
		return fmt.Errorf("ginauth: the name of a factor has to be valid text of at most %d bytes without NUL", MaxFactorName)
	case len(f.Data) > MaxFactorData:
		return fmt.Errorf("ginauth: the data of a factor have %d bytes, at most %d are allowed", len(f.Data), MaxFactorData)
	case f.Counter < 0:
		return errors.New("ginauth: the counter of a factor is negative")
	}
	return nil
}

// ValidFactorKind reports whether a factor can be of the kind.
func ValidFactorKind(kind string) bool {
	return kind != "" && len(kind) <= MaxFactorKind && strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// ValidateFactors returns an error if one of the factors is not valid, is not of the owner and kind, or has the id of
// another one.
func ValidateFactors(owner, kind string, factors []Factor) error {
	if !ValidOwner(owner) || !ValidFactorKind(kind) {
		return errors.New("ginauth: the owner or the kind of factors is not valid")
	}
	ids := make(map[string]bool, len(factors))
	for _, f := range factors {
		if err := f.Validate(); err != nil {
			return err
		}
		if f.Owner != owner || f.Kind != kind || ids[f.ID] {
			return errors.New("ginauth: a factor is of another owner or kind, or is named twice")
		}
		ids[f.ID] = true
	}
	return nil
}
