package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/token"
)

const (
	maxAbilities = 64
	maxAbility   = 64
)

// checkSpec returns an *autherr.InputError if a personal access token cannot be made of n.
func checkSpec(n *token.Spec) error {
	lifetime := error(nil)
	if n.Lifetime < 0 {
		lifetime = autherr.Invalid("lifetime", "is negative")
	}
	return autherr.AllInput(checkName(n), lifetime, checkAbilities(n))
}

func checkName(n *token.Spec) error {
	switch {
	case strings.TrimSpace(n.Name) == "":
		return autherr.Invalid("name", "is required")
	case len(n.Name) > 255 || !utf8.ValidString(n.Name) || strings.ContainsFunc(n.Name, unicode.IsControl):
		return autherr.Invalid("name", "is longer than 255 bytes or has characters that cannot be shown")
	}
	return nil
}

func checkAbilities(n *token.Spec) error {
	if len(n.Abilities) > maxAbilities {
		return autherr.Invalid("abilities", fmt.Sprintf("are more than %d", maxAbilities))
	}
	for _, ability := range n.Abilities {
		if !ValidAbility(ability) {
			return autherr.Invalid("abilities", fmt.Sprintf("have one that is not 1 to %d visible characters", maxAbility))
		}
	}
	return nil
}

// ValidAbility reports whether a text can be an ability of a personal access token.
func ValidAbility(s string) bool {
	return s != "" && len(s) <= maxAbility && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// CreateOwn makes a personal access token for the user of a request.
func (s *Service) CreateOwn(
	ctx context.Context, r *request.State, rm *realm.Realm, guard string, u models.Authenticatable, n token.Spec,
) (*token.Personal, error) {
	made, err := s.createPersonal(r.Within(ctx), rm, u, n, request.Cut(r.IP(), 64))
	if err != nil {
		return nil, err
	}
	// The user is loaded after the token is stored: of this and a revocation of the user the
	// later one sees the earlier one.
	ctx, span := r.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err = rm.StillSame(ctx, u); err != nil {
		_, revokeErr := s.RevokeFamily(ctx, made.ID)
		return nil, errors.Join(err, revokeErr)
	}
	s.env.Dispatch(ctx, events.TokenCreated{Meta: r.Meta(guard, u.AuthID()), Kind: string(stores.Personal), TokenID: made.ID})
	return made, nil
}

// CreatePersonal makes a personal access token for a user outside a request.
func (s *Service) CreatePersonal(ctx context.Context, rm *realm.Realm, guard string, u models.Authenticatable, n token.Spec) (*token.Personal, error) {
	made, err := s.createPersonal(ctx, rm, u, n, "")
	if err != nil {
		return nil, err
	}
	s.env.Dispatch(ctx, events.TokenCreated{
		Meta: events.Meta{Time: s.env.Now(), Guard: guard, UserID: u.AuthID()}, Kind: string(stores.Personal), TokenID: made.ID})
	return made, nil
}

// createPersonal makes a token for a client with that address.
func (s *Service) createPersonal(
	ctx context.Context, rm *realm.Realm, u models.Authenticatable, n token.Spec, address string,
) (*token.Personal, error) {
	if err := checkSpec(&n); err != nil {
		return nil, err
	}
	if n.Lifetime == 0 {
		n.Lifetime = s.cfg.PersonalLifetime
	}
	owner, err := rm.TokenOwner(u)
	if err != nil {
		return nil, err
	}
	data := Data{Address: address, Bound: n.RevokeOnPasswordChange}
	if data.Bound {
		data.Fingerprint = rm.Sum(stamp.Personal, u)
	} else {
		data.Fingerprint, _ = stamp.Birth(rm.Name, u.AuthID(), u)
	}
	ctx, span := s.env.Span(ctx)
	defer span.End()
	secret, now := opaque.NewPersonal(s.cfg.PersonalPrefix), s.env.Now()
	record := stores.Token{
		ID: secret.ID, Family: secret.ID, Kind: stores.Personal, Owner: owner, Digest: secret.Digest(),
		Name: n.Name, Abilities: slices.Clone(n.Abilities), Data: data.Encode(),
		Created: now, Expires: now.Add(n.Lifetime), FamilyExpires: now.Add(n.Lifetime),
	}
	if _, err := s.StoreNew(ctx, record); err != nil {
		return nil, err
	}
	made := personal(record)
	made.Text = secret.Text()
	return &made, nil
}

func personal(t stores.Token) token.Personal {
	return token.Personal{
		ID: t.ID, Name: t.Name, Abilities: append([]string{}, t.Abilities...),
		Created: t.Created, Expires: t.Expires, LastUsed: t.LastUsed,
	}
}

// PersonalOf returns an owner's living personal access tokens, the newest first.
func (s *Service) PersonalOf(ctx context.Context, owner string) ([]token.Personal, error) {
	found, err := s.Of(ctx, owner, stores.Personal)
	list := make([]token.Personal, 0, len(found))
	for _, t := range found {
		list = append(list, personal(t))
	}
	return list, err
}

// RevokePersonal ends a personal access token of an owner. It returns
// autherr.ErrNotFound if the owner has no living token of that id.
func (s *Service) RevokePersonal(ctx context.Context, owner, id string) error {
	found, ok, err := s.store.Find(ctx, id, id)
	if err != nil {
		return autherr.Unavailable("find token", err)
	}
	if !ok || found.Kind != stores.Personal || found.Owner != owner || !Lives(found, s.env.Now()) {
		return autherr.ErrNotFound
	}
	_, err = s.RevokeFamily(ctx, id)
	return err
}

// LooksPersonal reports whether a text begins like a personal access token.
func (s *Service) LooksPersonal(text string) bool {
	return opaque.LooksPersonal(s.cfg.PersonalPrefix, text)
}

// Personal returns whose personal access token a text is, with the stored token. The
// user is nil if the token is refused, which is logged. A text with a wrong checksum
// costs no store call. Guessed reports a text with a right checksum that names no
// token: it was not mistyped.
func (s *Service) Personal(ctx context.Context, rm *realm.Realm, text string) (
	user models.Authenticatable, found stores.Token, guessed bool, err error,
) {
	secret, ok := opaque.ParsePersonal(s.cfg.PersonalPrefix, text)
	if !ok {
		_ = s.Refuse(ctx, errShape)
		return nil, found, false, nil
	}
	user, found, err = s.findPersonal(ctx, rm, secret)
	if err == nil {
		s.recordUse(found)
		return user, found, false, nil
	}
	if refused := s.Refuse(ctx, err); !errors.Is(refused, autherr.ErrInvalidToken) {
		return nil, found, false, refused
	}
	return nil, found, errors.Is(err, errUnknownToken), nil
}

func (s *Service) findPersonal(ctx context.Context, rm *realm.Realm, token opaque.Personal) (models.Authenticatable, stores.Token, error) {
	found, ok, err := s.store.Find(ctx, token.ID, token.ID)
	if err != nil {
		return nil, found, autherr.Unavailable("find token", err)
	}
	id, owned := rm.OwnerID(found.Owner)
	switch {
	case !ok || !found.Digest.Equal(token.Digest()):
		return nil, found, errUnknownToken
	case found.Kind != stores.Personal || !owned:
		return nil, found, errForeignToken
	case !Lives(found, s.env.Now()):
		return nil, found, errRevoked
	}
	data, err := ParseData(found.Data)
	if err != nil {
		return nil, found, autherr.Unavailable("read token", err)
	}
	var fingerprint []byte
	if data.Bound {
		fingerprint = data.Fingerprint[:]
	}
	user, err := rm.Check(ctx, id, stamp.Personal, fingerprint)
	if err == nil && !data.OfSame(rm, user) {
		return nil, found, realm.ErrNoUser
	}
	return user, found, err
}

// OfSame reports whether a token that is not bound to the security stamp was made for this
// user, and not for an earlier one with the same identifier.
func (d *Data) OfSame(rm *realm.Realm, u models.Authenticatable) bool {
	birth, ok := stamp.Birth(rm.Name, u.AuthID(), u)
	return d.Bound || !ok || d.Fingerprint.Equal(birth)
}
