package ginauth

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/token"
)

// The parts of tokens that clients see; see package token for their fields.
type (
	// TokenPair is an access token with its refresh token.
	TokenPair = token.Pair
	// TokenSpec is what a personal access token is made for.
	TokenSpec = token.Spec
	// PersonalToken is a personal access token as its owner sees it.
	PersonalToken = token.Personal
)

// TokenInfo describes the token that authenticated a request. It holds no secret.
type TokenInfo struct {
	// Kind is "access", "personal", or what a guard of the application calls it.
	Kind string
	// ID names the token. It is not a secret.
	ID string
	// Scoped says that the token may be used for its Abilities only. Other tokens stand for a login, as a session does.
	Scoped    bool
	Abilities []string

	claims string // the payload of a signed token
	family string // of the login that the token is of
}

// personalKind is the kind of personal access tokens.
const personalKind = "personal"

// Can reports whether the token is scoped and grants the ability: the ability is one of the token's, or the token was
// made for everything ("*").
func (t *TokenInfo) Can(ability string) bool {
	return t != nil && t.Scoped && ability != "" &&
		(slices.Contains(t.Abilities, ability) || slices.Contains(t.Abilities, tokens.AnyAbility))
}

// Claims returns the claims of the request's access token as a T, usually a struct of the claims that Config.JWT.Claims
// added. It returns false if no signed token authenticated the request, or if the claims do not fit a T.
func Claims[T any](c *gin.Context) (T, bool) {
	var none, claims T
	x, ok := stateOf(c)
	if !ok {
		return none, false
	}
	token, err := x.auth.Token(c.Request.Context())
	x.Fail(err)
	if err != nil || token == nil || token.claims == "" {
		return none, false
	}
	if err := json.Unmarshal([]byte(token.claims), &claims); err != nil {
		return none, false
	}
	return claims, true
}

// RequireAbilities requires a personal access token with all of these abilities. Put it after Auth. Sessions and
// access tokens are no such tokens and are refused; use RequireAbilitiesOrLogin to accept them. It responds with 401
// to anonymous requests and otherwise with 403. It panics without abilities, because every token has all of none.
func (m *Manager) RequireAbilities(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, false, false)
}

// RequireAnyAbility is RequireAbilities for tokens with at least one of the abilities.
func (m *Manager) RequireAnyAbility(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, true, false)
}

// RequireAbilitiesOrLogin is RequireAbilities that also accepts users who are logged in by a session or an access token.
func (m *Manager) RequireAbilitiesOrLogin(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, false, true)
}

// RequireAnyAbilityOrLogin is RequireAnyAbility that also accepts users who are logged in by a session or an access token.
func (m *Manager) RequireAnyAbilityOrLogin(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, true, true)
}

func (m *Manager) requireAbilities(abilities []string, one, orLogin bool) gin.HandlerFunc {
	required := tokens.MustRequire(abilities, one, orLogin)
	return m.requireUser(func(ctx context.Context, x *requestState, _ models.Authenticatable) error {
		info, err := x.auth.Token(ctx)
		if err == nil && !required.Met(info != nil && info.Scoped, info.Can) {
			err = ErrMissingAbility
		}
		return err
	})
}

// CreateToken makes a personal access token for the request's user. A request that is itself authenticated by a personal
// access token gets ErrForbidden: a leaked token must not make another one. A user with an unverified email address gets
// ErrEmailNotVerified; see PersonalTokensConfig. The other errors are *InputError, ErrUnauthenticated and ErrUnavailable.
func (a *Authenticator) CreateToken(ctx context.Context, n TokenSpec) (*PersonalToken, error) {
	u, err := a.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	g := a.current()
	if !a.x.m.cfg.PersonalTokens.InsecureUnverified && a.x.m.accounts.Unverified(g.realm, u) {
		return nil, ErrEmailNotVerified
	}
	return a.x.m.tokens.CreateOwn(ctx, &a.x.State, g.realm, g.name, u, n)
}

// CreateToken makes a personal access token for a user of a guard, outside a request, such as for an administrator.
// The errors are *InputError, ErrInvalidCredentials if the user is nil or disabled, and ErrUnavailable. It panics if
// there is no guard of that name.
func (m *Manager) CreateToken(ctx context.Context, guard string, u models.Authenticatable, n TokenSpec) (*PersonalToken, error) {
	g := m.mustGuard(guard)
	if u = realm.Present(u); u == nil || realm.Disabled(u) {
		return nil, ErrInvalidCredentials
	}
	return m.tokens.CreatePersonal(ctx, g.realm, guard, u, n)
}

// Tokens returns the living personal access tokens of the request's user, the newest first. The errors are
// ErrUnauthenticated and ErrUnavailable.
func (a *Authenticator) Tokens(ctx context.Context) ([]PersonalToken, error) {
	u, err := a.User(ctx)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, ErrUnauthenticated
	}
	ctx, span := a.x.Span(ctx)
	defer span.End()
	return a.x.m.tokens.PersonalOf(ctx, a.current().realm.Owner(u.AuthID()))
}

// RevokeToken ends a personal access token of the request's user. A token that does not exist, or that belongs to
// another user, returns ErrNotFound. The other errors are those of Authenticator.CreateToken.
func (a *Authenticator) RevokeToken(ctx context.Context, id string) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	ctx, span := a.x.Span(context.WithoutCancel(ctx)) // a revocation survives a disconnect
	defer span.End()
	if err := a.x.m.tokens.RevokePersonal(ctx, a.current().realm.Owner(u.AuthID()), id); err != nil {
		return err
	}
	a.x.m.Dispatch(ctx, events.TokenRevoked{Meta: a.x.Meta(a.current().name, u.AuthID()), Kind: string(stores.Personal), TokenID: id})
	return nil
}

// Revoke ends a token that its holder hands in (RFC 7009): a refresh token with its login, a personal access token, or a
// signed token. The errors are ErrInvalidToken, if the token is not valid or has ended already, and ErrUnavailable.
func (m *Manager) Revoke(ctx context.Context, token string) error { return m.tokens.Revoke(ctx, token) }

// RevokeTokens ends a user's logins by the JWT guard, with their access and refresh tokens, and the user's personal
// access tokens. The error wraps ErrUnavailable. It panics if there is no guard of that name.
func (m *Manager) RevokeTokens(ctx context.Context, guard, userID string) error {
	return m.accounts.RevokeTokens(ctx, m.mustGuard(guard).realm, userID)
}

// JWT returns what makes and checks signed tokens of the application's own.
func (m *Manager) JWT() *jwt.Service { return m.jwt }

// JWKS serves the public keys of the manager's signed tokens as a JSON Web Key Set (RFC 7517, 5), for services that
// check tokens themselves. Symmetric keys are left out.
func (m *Manager) JWKS() gin.HandlerFunc {
	document := m.tokens.JWKS()
	return func(c *gin.Context) {
		c.Header("Cache-Control", "public, max-age=300")
		c.Data(http.StatusOK, "application/jwk-set+json", document)
	}
}
