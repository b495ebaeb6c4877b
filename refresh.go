package ginauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// refreshPrefix begins refresh tokens.
const refreshPrefix = "grt_"

// Refresher is the optional capability of a StatefulGuard whose logins are
// prolonged by a refresh token.
type Refresher interface {
	// Refresh takes a refresh token, which is then used up, and returns the
	// next pair. The error wraps ErrInvalidToken if it is not accepted.
	Refresh(ctx context.Context, a *Authenticator, refreshToken string) (*LoginResult, error)
}

// Refresh takes a refresh token, which is then used up, and returns a new pair
// of tokens. A client that lost the answer may ask again within
// Config.Refresh.Grace and gets the same refresh token as long as that is
// unused. A token that was used up before is taken for a stolen one: the login
// ends with all its tokens. The errors are ErrInvalidToken, ErrUnavailable, and
// one wrapping errors.ErrUnsupported from a guard that refreshes nothing.
func (a *Authenticator) Refresh(ctx context.Context, refreshToken string) (*LoginResult, error) {
	g := a.current()
	refresher, ok := g.Guard.(Refresher)
	if !ok {
		return nil, fmt.Errorf("ginauth: guard %q refreshes no login: %w", g.name, errors.ErrUnsupported)
	}
	ctx, span := a.x.Span(ctx)
	defer span.End()
	return refresher.Refresh(ctx, a, refreshToken)
}

// Login issues the first pair of a new family.
func (g *jwtGuard) Login(ctx context.Context, a *Authenticator, r LoginRequest) (*LoginResult, error) {
	owner, err := tokenOwner(g.realm, r.User)
	if err != nil {
		return nil, err
	}
	token, now := opaque.New(), g.m.env.Now()
	// What can fail without harm comes first: nothing is stored for an answer
	// that will not be given.
	access, err := g.m.jwt.access(ctx, g, now, token.Family, owner, r.User)
	if err != nil {
		return nil, err
	}
	record := g.record(a, now, token, r.User, owner, now.Add(g.m.cfg.Refresh.AbsoluteTimeout))
	created, err := g.m.stores.Tokens.Create(ctx, record)
	if err == nil && !created {
		err = stores.ErrExists // a family of that name, revoked: the name is random
	}
	if err != nil {
		return nil, autherr.Unavailable("store refresh token", err)
	}
	if g.m.env.Events.Heard() {
		id, _ := ownerID(g.realm, owner)
		a.x.Emit(events.TokenCreated{Meta: a.x.Meta(g.name, id), Kind: string(stores.Refresh), TokenID: record.Family})
	}
	return g.result(now, r.User, access, token, record), nil
}

// record returns what is stored of a refresh token that is made now.
func (g *jwtGuard) record(
	a *Authenticator, now time.Time, token opaque.Token, u models.Authenticatable, owner string, end time.Time,
) stores.Token {
	id, _ := ownerID(g.realm, owner)
	expires := now.Add(g.m.cfg.Refresh.IdleTimeout)
	if end.Before(expires) {
		expires = end
	}
	data := tokenData{bound: true, fingerprint: g.m.fingerprintOf(id, refreshCredential, g.realm, u), address: request.Cut(a.x.IP(), 64)}
	return stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Refresh, Owner: owner, Digest: token.Digest(),
		Abilities: g.abilities,
		Name:      request.Cut(a.x.HTTP.UserAgent(), 255), Data: data.encode(),
		Created: now, Expires: expires, FamilyExpires: end,
	}
}

func (g *jwtGuard) result(
	now time.Time, u models.Authenticatable, access string, token opaque.Token, record stores.Token,
) *LoginResult {
	both := &struct { // one block of memory for what lives equally long
		LoginResult
		TokenPair
	}{LoginResult{User: u}, TokenPair{
		AccessToken: access, TokenType: schemeBearer, ExpiresIn: int64(g.m.cfg.JWT.Lifetime / time.Second),
		RefreshToken:     token.Text(refreshPrefix),
		RefreshExpiresIn: max(0, int64(record.Expires.Sub(now)/time.Second)),
	}}
	both.Tokens = &both.TokenPair
	return &both.LoginResult
}

// Refresh consumes a refresh token and stores its successor, in one step of the
// store.
func (g *jwtGuard) Refresh(ctx context.Context, a *Authenticator, refreshToken string) (*LoginResult, error) {
	parent, found, user, err := g.parent(ctx, refreshToken)
	if err != nil {
		return nil, g.m.jwt.refuse(ctx, err)
	}
	access, err := g.m.jwt.access(ctx, g, g.m.env.Now(), parent.Family, found.Owner, user)
	if err != nil {
		return nil, err
	}
	next, err := g.m.rotate(ctx, parent, found, func(child opaque.Token) stores.Token {
		return g.record(a, g.m.env.Now(), child, user, found.Owner, found.FamilyExpires)
	})
	meta := a.x.Meta(g.name, user.AuthID())
	switch {
	case errors.Is(err, errReusedNow):
		g.m.Dispatch(ctx, events.TokenReused{Meta: meta, Kind: string(stores.Refresh), TokenID: parent.Family})
		return nil, g.m.jwt.refuse(ctx, err)
	case err != nil:
		return nil, g.m.jwt.refuse(ctx, err)
	case !next.again:
		g.m.Dispatch(ctx, events.TokenRefreshed{Meta: meta, TokenID: parent.Family})
	}
	return g.result(g.m.env.Now(), user, access, next.token, next.record), nil
}

// parent reads a refresh token and checks everything but whether it was used.
// Neither a token of another kind nor one of another realm's user is one.
func (g *jwtGuard) parent(ctx context.Context, text string) (opaque.Token, stores.Token, models.Authenticatable, error) {
	none := stores.Token{}
	token, ok := opaque.Parse(refreshPrefix, text)
	if !ok {
		return token, none, nil, errShape
	}
	found, ok, err := g.m.stores.Tokens.Find(ctx, token.Family, token.ID)
	if err != nil {
		return token, none, nil, autherr.Unavailable("find refresh token", err)
	}
	id, owned := ownerID(g.realm, found.Owner)
	switch {
	case !ok || !found.Digest.Equal(token.Digest()):
		return token, none, nil, errUnknownToken
	case found.Kind != stores.Refresh || !owned || !slices.Contains(found.Abilities, g.name):
		return token, none, nil, errForeignToken
	case !lives(found, g.m.env.Now()):
		return token, none, nil, errForgot
	}
	data, err := parseTokenData(found.Data)
	if err != nil {
		return token, none, nil, autherr.Unavailable("read refresh token", err)
	}
	user, err := g.load(ctx, id, refreshCredential, data.fingerprint[:])
	return token, found, user, err
}

var (
	errShape        = errors.New("has another shape")
	errUnknownToken = errors.New("is not known")
	errForeignToken = errors.New("is of another kind or of another guard's user")
)
