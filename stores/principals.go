package stores

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of who is logged into one session.
const (
	// MaxPrincipals is the largest size of Session.Principals, in bytes.
	MaxPrincipals = 4096 // 4 KiB
	// MaxOwners is the largest number of owners of a session.
	MaxOwners = 8
	// MaxOwner is the longest owner, in bytes.
	MaxOwner = 255
)

// Principals is who is logged into a session. A delta replaces all of it.
type Principals struct {
	// Data becomes Session.Principals.
	Data string
	// Owners becomes Session.Owners.
	Owners []string
	// Generation becomes Session.Generation. It is Delta.Generation, or more if
	// the change replaces or removes a principal.
	Generation uint32
}

// Validate returns an error if no store accepts the principals: Data is larger
// than MaxPrincipals, there are more than MaxOwners owners, or an owner is empty,
// named twice, longer than MaxOwner, not valid UTF-8 or contains NUL.
func (p Principals) Validate() error {
	switch {
	case len(p.Data) > MaxPrincipals:
		return fmt.Errorf("ginauth: session principals have %d bytes, at most %d are allowed", len(p.Data), MaxPrincipals)
	case len(p.Owners) > MaxOwners:
		return fmt.Errorf("ginauth: session has %d owners, at most %d are allowed", len(p.Owners), MaxOwners)
	}
	for i, owner := range p.Owners {
		switch {
		case !ValidOwner(owner):
			return fmt.Errorf("ginauth: session owner %.32q has to be valid text of 1 to %d bytes without NUL", owner, MaxOwner)
		case slices.Contains(p.Owners[:i], owner):
			return fmt.Errorf("ginauth: session owner %.32q is named twice", owner)
		}
	}
	return nil
}

// ValidOwner reports whether records can belong to owner: it is valid UTF-8 of 1
// to MaxOwner bytes without NUL.
func ValidOwner(owner string) bool {
	return owner != "" && len(owner) <= MaxOwner && utf8.ValidString(owner) && strings.IndexByte(owner, 0) < 0
}

// Validate returns an error if no store can create the session: its principals
// and owners are not valid (see Principals.Validate), or its values are larger
// than MaxValues. It does not look at the other fields.
func (s Session) Validate() error {
	if size := s.Values.Size(); size > MaxValues {
		return fmt.Errorf("ginauth: session values have %d bytes, at most %d are allowed", size, MaxValues)
	}
	return Principals{Data: s.Principals, Owners: s.Owners, Generation: s.Generation}.Validate()
}

// Validate returns an error if no store can apply the delta, whatever the row is:
// Set alone is larger than MaxValues, it has principals without a rename, its
// principals are not valid (see Principals.Validate), or their generation is less
// than the delta's.
func (d Delta) Validate() error {
	if size := (Values{}).SizeWith(d); size > MaxValues {
		return fmt.Errorf("ginauth: session delta sets %d bytes, at most %d are allowed", size, MaxValues)
	}
	switch {
	case d.Principals == nil:
		return nil
	case d.Rename == nil:
		return errors.New("ginauth: session delta has Principals without Rename")
	case d.Principals.Generation < d.Generation:
		return fmt.Errorf("ginauth: session delta of generation %d has Principals of generation %d", d.Generation, d.Principals.Generation)
	}
	return d.Principals.Validate()
}
