package ginauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/models"
)

// JWTGuard makes a guard that reads access tokens, and whose login issues an
// access token with a refresh token. It is the New of such a GuardConfig.
func JWTGuard(s GuardSetup) (Guard, error) {
	return &jwtGuard{
		tokenUsers{s.Manager, s.Realm, s.Users}, s.Name, accessCredential + " " + s.Name, []string{s.Name},
	}, nil
}

// jwtGuard keeps the login in tokens that the client holds.
type jwtGuard struct {
	tokenUsers
	name string
	// credential names the guard's access tokens among what is bound to a user's
	// stamp.
	credential string
	// abilities are those of the guard's refresh tokens: no other guard of the same
	// users takes them. Who is given them changes nothing.
	abilities []string
}

var (
	_ StatefulGuard = (*jwtGuard)(nil)
	_ Refresher     = (*jwtGuard)(nil)
	_ challenger    = (*jwtGuard)(nil)
	_ identifier    = (*jwtGuard)(nil)
)

func (g *jwtGuard) challenge(r *http.Request) string { return bearerChallenge(r) }

// Identify checks the request's access token, then whether it was revoked, then
// whether its user is who it was. A request with another kind of token, or with
// none, is from nobody.
func (g *jwtGuard) Identify(ctx context.Context, a *Authenticator) (*Identity, error) {
	return identityOf(g.identify(ctx, a))
}

func (g *jwtGuard) identify(ctx context.Context, a *Authenticator) (models.Authenticatable, *TokenInfo, error) {
	text := a.x.bearer()
	if !strings.Contains(text, ".") {
		return nil, nil, nil
	}
	j := g.m.jwt
	claims, err := j.check(accessType, accessKind, text)
	if err == nil {
		user, token, refused := g.admit(ctx, claims)
		if refused == nil {
			return user, token, nil
		}
		err = refused
	}
	if err = j.refuse(ctx, err); errors.Is(err, ErrInvalidToken) {
		err = nil
	}
	return nil, nil, err
}

// admit returns who a verified access token is of. The errors say why it is
// refused.
func (g *jwtGuard) admit(ctx context.Context, claims *jws.Verified) (models.Authenticatable, *TokenInfo, error) {
	if claims.Family == "" {
		return nil, nil, errForgot // no login of ours can end it
	}
	found := &struct { // one block of memory with what the store is asked
		TokenInfo
		names [2]string
	}{TokenInfo: TokenInfo{Kind: accessKind, ID: claims.ID, claims: claims.Payload, family: claims.Family}}
	if err := g.m.jwt.notRevoked(ctx, claims, found.names[:0]); err != nil {
		return nil, nil, err
	}
	user, err := g.userOf(ctx, claims)
	if err != nil {
		return nil, nil, err
	}
	return user, &found.TokenInfo, nil
}

// userOf loads the user of an access token and compares the security stamp.
func (g *jwtGuard) userOf(ctx context.Context, claims *jws.Verified) (models.Authenticatable, error) {
	fingerprint, ok := claims.Bound()
	if !ok {
		return nil, errStamp // a token of ours that is bound to none is none of ours
	}
	return g.load(ctx, claims.Subject, g.credential, fingerprint[:])
}

// Logout ends the login that the request's access token is of, with all its
// tokens.
func (g *jwtGuard) Logout(ctx context.Context, a *Authenticator) error {
	claims, err := g.m.jwt.check(accessType, accessKind, a.x.bearer())
	if err != nil {
		return nil // nobody is logged in
	}
	if _, err := g.m.stores.Tokens.RevokeFamily(ctx, g.m.env.Now(), claims.Family); err != nil {
		return autherr.Unavailable("end login", err)
	}
	return nil
}

// tokenUsers are the users of a guard that reads tokens.
type tokenUsers struct {
	m     *Manager
	realm string
	users models.UserProvider
}

// load returns the user that a token names, as it is now. The other errors say
// why the token is refused.
func (g *tokenUsers) load(ctx context.Context, id, credential string, fingerprint []byte) (models.Authenticatable, error) {
	if g.users == nil {
		return nil, errNoProvider
	}
	found, err := g.users.UserByID(ctx, id)
	if err != nil {
		return nil, autherr.Unavailable("load user", err)
	}
	// An identifier that a provider reads as another user's is nobody's.
	if models.IsNil(found) || id == "" || found.AuthID() != id {
		return nil, errNoUser
	}
	if fingerprint != nil {
		if _, ok := g.m.checkFingerprintOf(id, fingerprint, credential, g.realm, found); !ok {
			return nil, errStamp
		}
	}
	if disabled(found) {
		return nil, errDisabled
	}
	return found, nil
}
