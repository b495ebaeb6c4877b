package ginauth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gin-gonic/gin"
)

// TokenInfo tells of the token by which a request was authenticated. It holds
// no secret.
type TokenInfo struct {
	// Kind says what the token is: "access", "personal", or what a guard of the
	// application's own calls it.
	Kind string
	// ID names the token. It is public.
	ID string
	// Scoped says that the token may be used for its Abilities alone. A token
	// that is not stands for a login, as a session does.
	Scoped    bool
	Abilities []string

	claims string // the payload of a signed token
	family string // of a token that is of a login
}

// The kinds of tokens that the guards of this package accept.
const (
	accessKind   = "access"
	personalKind = "personal"
)

// anyAbility grants every ability. A token has it only if it was made with it.
const anyAbility = "*"

// Can reports whether the token is scoped and grants the ability: because it is
// listed, or because the token was made for everything ("*").
func (t *TokenInfo) Can(ability string) bool {
	return t != nil && t.Scoped && ability != "" &&
		(slices.Contains(t.Abilities, ability) || slices.Contains(t.Abilities, anyAbility))
}

// Token returns the token by which the request's user was found, or nil if it
// was no token, or if there is no user. The error is that of User.
func (a *Authenticator) Token(ctx context.Context) (*TokenInfo, error) {
	if _, err := a.User(ctx); err != nil {
		return nil, err
	}
	if answer, ok := a.x.known(a.current()); ok {
		return answer.token, nil
	}
	return nil, nil
}

// Claims returns the claims of the request's access token as a T, which is
// usually a struct of the application's own claims: those that Config.JWT.Claims
// put in. It returns false if the request was not authenticated by a signed
// token, or if its claims do not fit a T.
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

// TokenPair is what a login by a guard that issues tokens leads to. Its JSON is
// the answer of RFC 6749, 5.1, and shows the tokens; fmt and slog do not.
type TokenPair struct {
	AccessToken string `json:"access_token"`
	// TokenType is "Bearer".
	TokenType string `json:"token_type"`
	// ExpiresIn is how long the access token lives, in seconds.
	ExpiresIn int64 `json:"expires_in"`
	// RefreshToken gets the next pair, once.
	RefreshToken string `json:"refresh_token"`
	// RefreshExpiresIn is how long the refresh token lives if it is not used,
	// in seconds.
	RefreshExpiresIn int64 `json:"refresh_expires_in"`
}

// Format writes a placeholder, whatever the verb.
func (TokenPair) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (TokenPair) LogValue() slog.Value { return slog.StringValue(redacted) }
