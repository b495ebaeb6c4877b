package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/stores"
)

// Data is what a stored token knows beside what every token has.
type Data struct {
	// Bound says that the token ends when the user's security stamp changes.
	// Fingerprint is then the fingerprint of the stamp. Otherwise it is the digest of the
	// part of the stamp that stays.
	Bound       bool
	Fingerprint stores.Digest
	// Address is the address of the client that the token was made for.
	Address string
}

// The layout of Data: the version, whether it is bound, the rotations of the family, the
// fingerprint, the address. Version 1 had no rotations.
const (
	dataVersion = 2
	rateAt      = 2
	rateSize    = 12
	sumAt       = rateAt + rateSize
	dataFixed   = sumAt + len(stores.Digest{})
)

// Encode returns d for stores.Token.Data.
func (d Data) Encode() []byte {
	b := make([]byte, sumAt, dataFixed+len(d.Address))
	b[0] = dataVersion
	if d.Bound {
		b[1] = 1
	}
	b = append(b, d.Fingerprint[:]...)
	return append(b, d.Address...)
}

// ParseData reads what Encode returned. Its error wraps stores.ErrCorrupt.
func ParseData(b []byte) (Data, error) {
	at := sumAt
	if len(b) > 0 && b[0] == 1 {
		at = rateAt
	}
	end := at + len(stores.Digest{})
	if len(b) < end || b[0] < 1 || b[0] > dataVersion || b[1] > 1 {
		return Data{}, fmt.Errorf("%w: data of a token", stores.ErrCorrupt)
	}
	return Data{b[1] == 1, stores.Digest(b[at:end]), string(b[end:])}, nil
}

// Lives reports whether a token as found may be used.
func Lives(t stores.Token, now time.Time) bool {
	return t.FamilyRevoked.IsZero() && now.Before(t.Expires) && now.Before(t.FamilyExpires)
}

var errStoreRefused = errors.New("the store refuses a new token")

// Find returns the stored token that an opaque token names, if the secret is right.
func (s *Service) Find(ctx context.Context, t opaque.Token) (stores.Token, bool, error) {
	found, ok, err := s.store.Find(ctx, t.Family, t.ID)
	if err != nil {
		return found, false, autherr.Unavailable("find token", err)
	}
	return found, ok && found.Digest.Equal(t.Digest()), nil
}

// Store stores a new token. The error wraps autherr.ErrUnavailable, also if the store
// refuses the token.
func (s *Service) Store(ctx context.Context, t stores.Token) error {
	created, err := s.store.Create(ctx, t)
	if err == nil && !created {
		err = errStoreRefused
	}
	return autherr.Unavailable("store token", err)
}

// Consume marks a token as used. Of any number of parallel calls one returns true.
func (s *Service) Consume(ctx context.Context, t stores.Token) (bool, error) {
	used, err := s.store.Consume(ctx, s.env.Now(), t.Family, t.ID)
	return used, autherr.Unavailable("use token", err)
}
