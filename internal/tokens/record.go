package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
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
	Login
}

// Login is what the tokens of a login know of it.
type Login struct {
	// Proof is what the login was proved by, or zero.
	Proof factor.Proof
	// MustEnrol says that the login can do nothing but enrol a second factor.
	MustEnrol bool
}

// The layout of Data: the version, flags, the rotations of the family, the
// fingerprint, the proof, the address. Version 1 had no rotations, and version 2 has no proof.
const (
	dataVersion = 2
	dataProved  = 3
	proofSize   = 10
	bound       = 1 // flags of the second byte, of which the others are for dataProved only
	mustEnrol   = 2
	rateAt      = 2
	rateSize    = 12
	sumAt       = rateAt + rateSize
	dataFixed   = sumAt + len(stores.Digest{})
)

// Encode returns d for stores.Token.Data.
func (d Data) Encode() []byte {
	b := make([]byte, sumAt, dataFixed+proofSize+len(d.Address))
	b[0] = dataVersion
	if d.Bound {
		b[1] = bound
	}
	b = append(b, d.Fingerprint[:]...)
	if d.MustEnrol {
		b[1] |= mustEnrol
	}
	if d.MustEnrol || !d.Proof.At.IsZero() {
		b[0] = dataProved
		b, _ = d.Proof.AppendBinary(b)
	}
	return append(b, d.Address...)
}

// ParseData reads what Encode returned. Its error wraps stores.ErrCorrupt.
func ParseData(b []byte) (Data, error) {
	at := sumAt
	if len(b) > 0 && b[0] == 1 {
		at = rateAt
	}
	end := at + len(stores.Digest{})
	proof, flags := 0, byte(bound)
	if len(b) > 0 && b[0] == dataProved {
		proof, flags = proofSize, bound|mustEnrol
	}
	if len(b) < end+proof || b[0] < 1 || b[0] > dataProved || b[1] > flags {
		return Data{}, fmt.Errorf("%w: data of a token", stores.ErrCorrupt)
	}
	d := Data{Bound: b[1]&bound != 0, Fingerprint: stores.Digest(b[at:end]), Address: string(b[end+proof:])}
	if proof > 0 {
		d.MustEnrol = b[1]&mustEnrol != 0
		_ = d.Proof.UnmarshalBinary(b[end : end+proof]) // of the right size
	}
	return d, nil
}

// Lives reports whether a token as found may be used.
func Lives(t stores.Token, now time.Time) bool {
	return t.FamilyRevoked.IsZero() && now.Before(t.Expires) && now.Before(t.FamilyExpires)
}

// maxOneTime is how many links and codes a user has at most, whoever asked for them. Limits of mails
// allow fewer that live; used ones count as well.
const maxOneTime = 32

var errStoreRefused = errors.New("the store refuses a new token")

// Find returns the stored token that an opaque token names, if the secret is right.
func (s *Service) Find(ctx context.Context, t opaque.Token) (stores.Token, bool, error) {
	found, ok, err := s.store.Find(ctx, t.Family, t.ID)
	if err != nil {
		return found, false, autherr.Unavailable("find token", err)
	}
	return found, ok && found.Digest.Equal(t.Digest()), nil
}

// Named returns the stored token of a family and an id, for callers that have proved by other means
// that they hold it.
func (s *Service) Named(ctx context.Context, family, id string) (stores.Token, bool, error) {
	found, ok, err := s.store.Find(ctx, family, id)
	return found, ok, autherr.Unavailable("find token", err)
}

// Claim stores a token that is used already. Of any number of parallel calls with one family and id one
// returns true.
func (s *Service) Claim(ctx context.Context, t stores.Token) (bool, error) {
	created, err := s.store.Create(ctx, t)
	if errors.Is(err, stores.ErrExists) {
		return false, nil
	}
	return created, autherr.Unavailable("use token", err)
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

// StoreNew stores the first token of a new family of an owner. If the owner then has too many
// families of the kind, others end, and it returns those that were alive. If the store cannot
// limit them, nothing ends. The error wraps autherr.ErrUnavailable or, for a personal access
// token too many, is an *autherr.InputError.
func (s *Service) StoreNew(ctx context.Context, t stores.Token) (ended []string, err error) {
	limit := stores.FamilyLimit{Families: s.cfg.MaxRefresh}
	switch t.Kind {
	case stores.Remember, stores.Trusted:
		limit.Families = s.cfg.MaxRemember
	case stores.OneTime:
		limit.Families = maxOneTime
	case stores.Personal: // programs use them: none of them ends unasked
		limit = stores.FamilyLimit{Families: s.cfg.MaxPersonal, Refuse: true}
	}
	if s.limited == nil {
		return nil, s.storeUnlimited(ctx, t, limit)
	}
	created, ended, err := s.limited.CreateLimited(ctx, s.env.Now(), t, limit)
	switch {
	case errors.Is(err, stores.ErrLimit):
		return nil, autherr.Invalid("tokens", fmt.Sprintf("are %d already: revoke one", limit.Families))
	case err == nil && !created:
		err = errStoreRefused
	}
	return ended, autherr.Unavailable("store token", err)
}

// storeUnlimited stores a token where parallel calls may exceed the limit.
func (s *Service) storeUnlimited(ctx context.Context, t stores.Token, limit stores.FamilyLimit) error {
	if limit.Refuse {
		switch living, err := s.Of(ctx, t.Owner, t.Kind); {
		case err != nil:
			return err
		case len(living) >= limit.Families:
			return autherr.Invalid("tokens", fmt.Sprintf("are %d already: revoke one", limit.Families))
		}
	}
	return s.Store(ctx, t)
}

// StoreLogin is StoreNew for a login of a request. It dispatches the events of the logins that end.
func (s *Service) StoreLogin(ctx context.Context, r *request.State, guard, user string, t stores.Token) error {
	ended, err := s.StoreNew(ctx, t)
	if !s.env.Events.Heard() {
		return err
	}
	for _, family := range ended { // they have ended, whatever becomes of the request
		s.env.Dispatch(context.WithoutCancel(ctx), events.TokenEvicted{Meta: r.Meta(guard, user), Kind: string(t.Kind), TokenID: family})
	}
	return err
}

// Consume marks a token as used. Of any number of parallel calls one returns true.
func (s *Service) Consume(ctx context.Context, t stores.Token) (bool, error) {
	used, err := s.store.Consume(ctx, s.env.Now(), t.Family, t.ID)
	return used, autherr.Unavailable("use token", err)
}
