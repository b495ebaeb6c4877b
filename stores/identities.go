package stores

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of an Identity.
const (
	MaxIdentityProvider = 32        // bytes
	MaxIdentitySubject  = 255       // bytes
	MaxIdentityData     = 16 * 1024 // bytes, 16 KiB
	MaxIdentities       = 64        // of one owner
)

// Identity says which user a subject at a provider is: an account at an identity provider, or the handle of a user in a
// feature.
type Identity struct {
	// Provider names who identifies the subject, as in "google": 1 to 32 lower-case letters, digits and hyphens.
	Provider string
	// Subject is what the provider calls the user, and never changes: 1 to 255 bytes of UTF-8 without NUL. Subjects are
	// compared byte by byte.
	Subject string
	// Owner is the user that the identity belongs to.
	Owner string
	// Data is what the feature needs. It seals what is secret.
	Data []byte
	// Created is when the identity was stored, and LastUsed when it was last used, or zero.
	Created  time.Time
	LastUsed time.Time
}

// Identities stores identities. A provider and a subject name one identity at most, and an owner has any number up to
// MaxIdentities. A Set without them has nil: features that need them say so when they are set up.
type Identities interface {
	// FindIdentity returns the identity of a provider and a subject.
	FindIdentity(ctx context.Context, provider, subject string) (i Identity, found bool, err error)
	// IdentitiesOf returns the identities of an owner, the oldest first.
	IdentitiesOf(ctx context.Context, owner string) ([]Identity, error)
	// CreateIdentity stores an identity. It changes nothing and returns ErrExists if there is one of that provider and
	// subject, whoever owns it, or ErrFull if the owner has MaxIdentities. Exactly one of any number of parallel calls
	// for one provider and subject succeeds, whatever their owners are.
	CreateIdentity(ctx context.Context, i Identity) error
	// UseIdentity sets LastUsed to now, and Data unless data is nil, if the identity exists and has the owner. It
	// reports whether it did, and creates nothing.
	UseIdentity(ctx context.Context, now time.Time, owner, provider, subject string, data []byte) (bool, error)
	// DeleteIdentity deletes an identity of the owner. If others are named, it does so only if the owner has another
	// identity of one of these providers, so that parallel calls do not delete the last two. Exactly one of any number
	// of parallel calls returns true.
	DeleteIdentity(ctx context.Context, owner, provider, subject string, others ...string) (bool, error)
}

// Validate returns an error if no store accepts the identity: its names or its owner are not valid, or its data are too
// large.
func (i Identity) Validate() error {
	switch {
	case !ValidOwner(i.Owner):
		return errors.New("ginauth: the owner of an identity is not valid")
	case !ValidIdentityProvider(i.Provider):
		return fmt.Errorf("ginauth: identity provider %.40q has to be 1 to %d lower-case letters, digits and hyphens",
			i.Provider, MaxIdentityProvider)
	case !ValidIdentitySubject(i.Subject):
		return fmt.Errorf("ginauth: the subject of an identity has to be valid text of 1 to %d bytes without NUL", MaxIdentitySubject)
	case len(i.Data) > MaxIdentityData:
		return fmt.Errorf("ginauth: the data of an identity have %d bytes, at most %d are allowed", len(i.Data), MaxIdentityData)
	}
	return nil
}

// ValidIdentityProvider reports whether an identity can be of the provider.
func ValidIdentityProvider(provider string) bool {
	return provider != "" && len(provider) <= MaxIdentityProvider &&
		strings.Trim(provider, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// ValidIdentitySubject reports whether an identity can have the subject.
func ValidIdentitySubject(subject string) bool {
	return subject != "" && len(subject) <= MaxIdentitySubject && utf8.ValidString(subject) && strings.IndexByte(subject, 0) < 0
}
