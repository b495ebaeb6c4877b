package ginauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
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
	switch {
	case err != nil:
	case claims.Family == "":
		err = errForgot // no login of ours can end it
	default:
		err = j.notRevoked(ctx, claims)
	}
	var user models.Authenticatable
	if err == nil {
		user, err = g.userOf(ctx, claims)
	}
	if err != nil {
		if err = j.refuse(ctx, err); errors.Is(err, ErrInvalidToken) {
			err = nil
		}
		return nil, nil, err
	}
	return user, &TokenInfo{Kind: accessKind, ID: claims.ID, claims: claims.Payload, family: claims.Family}, nil
}

// userOf loads the user of an access token and compares the security stamp.
func (g *jwtGuard) userOf(ctx context.Context, claims *jws.Verified) (models.Authenticatable, error) {
	var fingerprint stores.Digest
	if base64.RawURLEncoding.DecodedLen(len(claims.Fingerprint)) != len(fingerprint) {
		return nil, errStamp
	}
	if _, err := base64.RawURLEncoding.Decode(fingerprint[:], []byte(claims.Fingerprint)); err != nil {
		return nil, errStamp
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
	if _, err := g.m.stores.Tokens.RevokeFamily(ctx, g.m.now(), claims.Family); err != nil {
		return unavailable("end login", err)
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
		return nil, unavailable("load user", err)
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
