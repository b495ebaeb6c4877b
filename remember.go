package ginauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// rememberPrefix begins the tokens of remember-me cookies.
const rememberPrefix = "grm_"

// Remember makes a login last over the end of the browser and of the session:
// the device gets a cookie that logs it in again, for
// Config.Account.RememberLifetime. The cookie is replaced each time that it is
// used. A request for a login of another kind than a session's ignores it.
func Remember() LoginOption { return func(r *LoginRequest) { r.Remember = true } }

// LoginOption changes a login.
type LoginOption func(*LoginRequest)

// ViaRemember reports whether the request's session was begun by a remember-me
// cookie, and not by a password.
func (a *Authenticator) ViaRemember(ctx context.Context) bool {
	login, _, err := a.ownLogin(ctx)
	a.fault(err)
	return login.remembered
}

// ownLogin returns the login of a in the session, if there is one.
func (a *Authenticator) ownLogin(ctx context.Context) (l loginRecord, ok bool, err error) {
	g := a.current()
	if _, ok := g.Guard.(*sessionGuard); !ok || !a.x.started {
		return loginRecord{}, false, nil
	}
	u, err := a.User(ctx)
	if err != nil || u == nil {
		return loginRecord{}, false, err
	}
	l, ok, err = a.x.session.login(ctx, g.name)
	if err != nil || !ok || l.id != u.AuthID() {
		return loginRecord{}, false, err // of a request that is from somebody else, by Once or Basic
	}
	return l, true, nil
}

// rememberCookie returns the name of the guard's cookie.
func (g *sessionGuard) rememberCookie(a *Authenticator) string {
	return a.x.jar().sibling("remember_" + g.name)
}

// forgetDevice deletes the cookie, once the response is known to be no outage.
func (g *sessionGuard) forgetDevice(a *Authenticator) {
	a.x.addCookie(g.rememberCookie(a), "", -time.Second)
}

// presented returns the token of the request's remember-me cookie as the store
// knows it. It is not ok if there is none; a cookie that is none of ours is
// deleted.
func (g *sessionGuard) presented(ctx context.Context, a *Authenticator) (token opaque.Token, found stores.Token, ok bool, err error) {
	text, ok := a.x.jar().get(a.x.req.Header, g.rememberCookie(a))
	if !ok || text == "" {
		return token, found, false, nil
	}
	token, ok = opaque.Parse(rememberPrefix, text)
	if !ok {
		g.forgetDevice(a)
		return token, found, false, nil
	}
	found, ok, err = g.m.stores.Tokens.Find(ctx, token.Family, token.ID)
	if err != nil {
		return token, found, false, autherr.Unavailable("find remember token", err)
	}
	_, owned := ownerID(g.realm, found.Owner)
	if !ok || !owned || found.Kind != stores.Remember || !slices.Contains(found.Abilities, g.name) || !sameDigest(found.Digest, token.Digest()) {
		g.forgetDevice(a)
		return token, found, false, nil
	}
	return token, found, true, nil
}

// recall begins a session for a device that is remembered. The cookie is used up
// and replaced in one step of the store, so that of a stolen cookie and its
// original one is found out.
func (g *sessionGuard) recall(ctx context.Context, a *Authenticator) (models.Authenticatable, error) {
	token, found, ok, err := g.presented(ctx, a)
	if err != nil || !ok {
		return nil, err
	}
	user, err := g.remembered(ctx, found)
	if err == nil {
		var next *successor
		next, err = g.m.rotate(ctx, token, found, func(child opaque.Token) stores.Token {
			return g.rememberRecord(a, child, user, found.Owner, found.FamilyExpires)
		})
		if err == nil {
			return g.begin(ctx, a, user, next)
		}
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrConfig) {
		return nil, err // the cookie stays
	}
	if errors.Is(err, errReusedNow) {
		id, _ := ownerID(g.realm, found.Owner)
		g.m.Dispatch(ctx, events.TokenReused{Meta: a.x.meta(g.name, id), Kind: string(stores.Remember), TokenID: token.Family})
	}
	return nil, g.forgetDead(ctx, a, found, err)
}

// forgetDead deletes the cookie of a token that is refused, but not in a moment in
// which whatever ended it, as a change of the password, may have given the client
// another one. A later request deletes that which did not get one.
func (g *sessionGuard) forgetDead(ctx context.Context, a *Authenticator, found stores.Token, why error) error {
	if errors.Is(why, errStamp) {
		_, err := g.m.stores.Tokens.RevokeFamily(ctx, g.m.now(), found.Family)
		return autherr.Unavailable("forget device", err)
	}
	if !errors.Is(why, errForgot) || !g.endedJustNow(found) {
		g.forgetDevice(a)
	}
	return nil
}

// endedJustNow reports whether the family of a token as found was ended moments
// ago, or since.
func (g *sessionGuard) endedJustNow(found stores.Token) bool {
	now := g.m.now()
	return lives(found, now) || !found.FamilyRevoked.IsZero() && now.Sub(found.FamilyRevoked).Abs() < supersededFor
}

// remembered returns the user of a token that lives.
func (g *sessionGuard) remembered(ctx context.Context, found stores.Token) (models.Authenticatable, error) {
	if !lives(found, g.m.now()) {
		return nil, errForgot
	}
	data, err := parseTokenData(found.Data)
	if err != nil {
		return nil, autherr.Unavailable("read remember token", err)
	}
	id, _ := ownerID(g.realm, found.Owner)
	return g.load(ctx, id, rememberCredential, data.fingerprint[:])
}

// begin logs a remembered user into the session.
func (g *sessionGuard) begin(_ context.Context, a *Authenticator, u models.Authenticatable, next *successor) (models.Authenticatable, error) {
	record := g.newLogin(u)
	record.remembered, record.series = true, next.token.Family
	if err := a.Session().logIn(g.name, record); err != nil {
		return nil, err
	}
	g.sendRemember(a, next.token, next.record)
	if !handedOut(next.record) {
		a.x.session.notesBeforeAnswer(func(ctx context.Context) error {
			ctx, span := g.m.phase(ctx)
			defer span.end()
			return autherr.Unavailable("note remember token", g.m.stores.Tokens.Touch(ctx, g.m.now(), next.token.Family, next.token.ID))
		})
	}
	a.x.emit(events.Login{Meta: a.x.meta(g.name, u.AuthID()), Remembered: true})
	return u, nil
}

// newLogin returns the record of a login that begins now.
func (g *sessionGuard) newLogin(u models.Authenticatable) loginRecord {
	return loginRecord{id: u.AuthID(), at: g.m.now(), fingerprint: g.m.fingerprint(sessionCredential, g.realm, u)}
}

// remember makes the cookie of a login, and returns the name of its series.
func (g *sessionGuard) remember(ctx context.Context, a *Authenticator, u models.Authenticatable) (series string, err error) {
	owner, err := tokenOwner(g.realm, u)
	if err != nil {
		return "", err
	}
	token := opaque.New()
	record := g.rememberRecord(a, token, u, owner, g.m.now().Add(g.m.cfg.Account.RememberLifetime))
	created, err := g.m.stores.Tokens.Create(ctx, record)
	if err != nil || !created {
		return "", autherr.Unavailable("store remember token", errors.Join(err, refusedIf(!created)))
	}
	g.sendRemember(a, token, record)
	return token.Family, nil
}

func (g *sessionGuard) sendRemember(a *Authenticator, token opaque.Token, record stores.Token) {
	a.x.addCookie(g.rememberCookie(a), token.Text(rememberPrefix), max(time.Second, record.Expires.Sub(g.m.now())))
}

func (g *sessionGuard) rememberRecord(a *Authenticator, token opaque.Token, u models.Authenticatable, owner string, end time.Time) stores.Token {
	data := tokenData{bound: true, fingerprint: g.m.fingerprint(rememberCredential, g.realm, u), address: cut(a.x.ip(), 64)}
	return stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Remember, Owner: owner, Digest: token.Digest(),
		// Another guard of the same users may ask for more than this one did.
		Abilities: []string{g.name},
		Name:      cut(a.x.req.UserAgent(), 255), Data: data.encode(), Created: g.m.now(), Expires: end, FamilyExpires: end,
	}
}

// endSeries ends what the device is remembered by: the series of its session,
// and the one that its cookie is of.
func (g *sessionGuard) endSeries(ctx context.Context, a *Authenticator, series string) error {
	token, _, ok, err := g.presented(ctx, a)
	if err != nil {
		return err
	}
	names := []string{}
	if series != "" {
		names = append(names, series)
	}
	if ok && token.Family != series {
		names = append(names, token.Family)
	}
	for _, name := range names {
		if _, err := g.m.stores.Tokens.RevokeFamily(ctx, g.m.now(), name); err != nil {
			return autherr.Unavailable("forget device", err)
		}
	}
	if ok {
		g.forgetDevice(a)
	}
	return nil
}

// seriesLives reports whether what a remembered session was begun by has not
// been ended, as it is when a stolen cookie was found out.
func (g *sessionGuard) seriesLives(ctx context.Context, login loginRecord) (bool, error) {
	if !login.remembered {
		return true, nil
	}
	states, err := g.m.stores.Tokens.Lives(ctx, g.m.now(), login.series)
	if err != nil {
		return false, autherr.Unavailable("look up remember token", err)
	}
	return len(states) == 1 && states[0] == stores.Alive, nil
}
