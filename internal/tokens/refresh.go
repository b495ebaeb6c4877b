package tokens

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Pair is an access token with its refresh token. Times are in seconds.
type Pair struct {
	Access, Refresh             string
	ExpiresIn, RefreshExpiresIn int64
	Family                      string // of the login
	MustEnrol                   bool   // the login can do nothing but enrol a second factor
}

// Issue makes the first pair of a new family, of a login.
func (s *Service) Issue(ctx context.Context, r *request.State, g *Guard, u models.Authenticatable, login Login) (Pair, error) {
	owner, err := g.Realm.TokenOwner(u)
	if err != nil {
		return Pair{}, err
	}
	token, now := s.NewToken(), s.env.Now()
	// What can fail without harm comes first: nothing is stored for a response that
	// will not be given.
	access, err := s.accessToken(ctx, g, now, token, owner, u, login)
	if err != nil {
		return Pair{}, err
	}
	record := s.refreshRecord(r, g, now, token, u, owner, now.Add(s.cfg.RefreshAbsolute), login)
	id, _ := g.Realm.OwnerID(owner)
	if err := s.StoreLogin(ctx, r, g.Name, id, record); err != nil {
		return Pair{}, err
	}
	if s.env.Events.Heard() {
		r.Emit(events.TokenCreated{Meta: r.Meta(g.Name, id), Kind: string(stores.Refresh), TokenID: record.Family})
	}
	return s.pair(now, access, token, record, login), nil
}

// refreshRecord returns what is stored of a refresh token that is made now.
func (s *Service) refreshRecord(
	r *request.State, g *Guard, now time.Time, token opaque.Token, u models.Authenticatable, owner string, end time.Time,
	login Login,
) stores.Token {
	id, _ := g.Realm.OwnerID(owner)
	expires := now.Add(s.cfg.RefreshIdle)
	if end.Before(expires) {
		expires = end
	}
	data := Data{
		Bound: true, Fingerprint: g.Realm.Stamps.Sum(stamp.Refresh, g.Realm.Name, id, u), Address: request.Cut(r.IP(), 64),
		Login: login,
	}
	return stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Refresh, Owner: owner, Digest: token.Digest(),
		Abilities: g.abilities,
		Name:      r.UserAgent(), Data: data.Encode(),
		Created: now, Expires: expires, FamilyExpires: end,
	}
}

func (s *Service) pair(now time.Time, access string, token opaque.Token, record stores.Token, login Login) Pair {
	return Pair{
		Access: access, ExpiresIn: int64(s.cfg.Lifetime / time.Second),
		Refresh:          token.Text(RefreshPrefix),
		RefreshExpiresIn: max(0, int64(record.Expires.Sub(now)/time.Second)), Family: record.Family,
		MustEnrol: login.MustEnrol,
	}
}

// Refresh consumes a refresh token and stores its successor, in one step of the store.
func (s *Service) Refresh(ctx context.Context, r *request.State, g *Guard, text string) (models.Authenticatable, Pair, error) {
	parent, found, user, err := s.parent(ctx, g, text)
	if errors.Is(err, ErrReusedNow) {
		id, _ := g.Realm.OwnerID(found.Owner)
		s.env.Dispatch(ctx, events.TokenReused{Meta: r.Meta(g.Name, id), Kind: string(stores.Refresh), TokenID: parent.Family})
	}
	if err != nil {
		return nil, Pair{}, s.Refuse(ctx, err)
	}
	data, err := ParseData(found.Data)
	if err != nil {
		return nil, Pair{}, autherr.Unavailable("read refresh token", err)
	}
	access, err := s.accessToken(ctx, g, s.env.Now(), parent.Successor(s.cfg.Successors, 0), found.Owner, user, data.Login)
	if err != nil {
		return nil, Pair{}, err
	}
	next, err := s.Rotate(ctx, parent, found, func(child opaque.Token) stores.Token {
		return s.refreshRecord(r, g, s.env.Now(), child, user, found.Owner, found.FamilyExpires, data.Login)
	})
	meta := r.Meta(g.Name, user.AuthID())
	switch {
	case errors.Is(err, ErrReusedNow):
		s.env.Dispatch(ctx, events.TokenReused{Meta: meta, Kind: string(stores.Refresh), TokenID: parent.Family})
		return nil, Pair{}, s.Refuse(ctx, err)
	case err != nil:
		return nil, Pair{}, s.Refuse(ctx, err)
	case !next.Again:
		s.env.Dispatch(ctx, events.TokenRefreshed{Meta: meta, TokenID: parent.Family})
	}
	return user, s.pair(s.env.Now(), access, next.Token, next.Record, data.Login), nil
}

// parent reads a refresh token and checks everything but whether it was used. It
// refuses a token of another kind, of another guard and of another realm's user.
func (s *Service) parent(ctx context.Context, g *Guard, text string) (opaque.Token, stores.Token, models.Authenticatable, error) {
	none := stores.Token{}
	token, ok := opaque.Parse(RefreshPrefix, text)
	if !ok {
		return token, none, nil, errShape
	}
	found, ok, err := s.Find(ctx, token)
	if err != nil {
		return token, none, nil, err
	}
	id, owned := g.Realm.OwnerID(found.Owner)
	switch {
	case !ok && found.ID == "":
		owner, err := s.Missing(ctx, token)
		return token, stores.Token{Owner: owner}, nil, err
	case !ok:
		return token, none, nil, errUnknownToken
	case found.Kind != stores.Refresh || !owned || !slices.Contains(found.Abilities, g.Name):
		return token, none, nil, errForeignToken
	case !Lives(found, s.env.Now()):
		return token, none, nil, ErrEnded
	}
	data, err := ParseData(found.Data)
	if err != nil {
		return token, none, nil, autherr.Unavailable("read refresh token", err)
	}
	user, err := g.Realm.Check(ctx, id, stamp.Refresh, data.Fingerprint[:])
	return token, found, user, err
}
