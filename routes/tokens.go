package routes

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

func (s *server) tokenRoutes() []endpoint {
	var standard ginauth.Limit
	guesses := s.m.ThrottleFailures("tokens", standard)
	return []endpoint{
		{IssueTokens, s.access, public(s.m.ThrottleLogins()), s.answer(IssueTokens, s.issueTokens)},
		{RefreshTokens, s.access, public(guesses), s.answer(RefreshTokens, s.refreshTokens)},
		{RevokeToken, s.access || s.personal, public(guesses), s.answer(RevokeToken, s.revokeToken)},
		{PersonalTokens, s.personal, s.users(), s.answer(PersonalTokens, s.personalTokens)},
		{CreateToken, s.personal, s.users(s.confirmed()), s.answer(CreateToken, s.createToken)},
		{DeleteToken, s.personal, s.users(), s.answer(DeleteToken, s.deleteToken)},
		{JWKS, s.access, public(), s.m.JWKS()},
	}
}

func (s *server) issueTokens(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	// Remember is ignored: a refresh token has its own lifetime.
	names := s.loginFields(s.options.AccessGuard)
	in := newLoginInput(names, true)
	if err := decode(c, in); err != nil {
		return reply{}, err
	}
	credentials, err := in.credentials(names)
	if err != nil {
		return reply{}, err
	}
	credentials["device_token"] = in.Device
	res, err := a.Guard(s.options.AccessGuard).Attempt(c.Request.Context(), credentials, ginauth.TrustToken(in.Trust))
	if err != nil {
		return reply{}, err
	}
	return continued(res), nil
}

type refreshInput struct {
	RefreshToken string `json:"refresh_token"`
}

func (in *refreshInput) fields() []field {
	return []field{{name: "refresh_token", text: &in.RefreshToken}}
}

func (s *server) refreshTokens(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in refreshInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	res, err := a.Guard(s.options.AccessGuard).Refresh(c.Request.Context(), in.RefreshToken)
	if err != nil {
		return reply{}, err
	}
	return continued(res), nil
}

type revokeInput struct {
	Token string `json:"token"`
}

func (in *revokeInput) fields() []field { return []field{{name: "token", text: &in.Token}} }

func (s *server) revokeToken(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in revokeInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	return done, s.m.Revoke(a.EventContext(c.Request.Context()), in.Token)
}

func (s *server) personalTokens(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	tokens, err := a.Tokens(c.Request.Context())
	return reply{status: http.StatusOK, body: map[string]any{"tokens": tokens}}, err
}

type tokenInput struct {
	Name      string   `json:"name"`
	Abilities []string `json:"abilities"`
	ExpiresIn int64    `json:"expires_in"` // in seconds; 0 means Config.PersonalTokens.Lifetime
}

func (in *tokenInput) fields() []field {
	return []field{
		{name: "name", text: &in.Name}, {name: "abilities", list: &in.Abilities}, {name: "expires_in", number: &in.ExpiresIn},
	}
}

// maxLifetime is the longest accepted lifetime of a token, in seconds. A
// century is practically unlimited and cannot overflow a time.Duration.
const maxLifetime = 100 * 365 * 24 * 60 * 60

func (s *server) createToken(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in tokenInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	if in.ExpiresIn < 0 || in.ExpiresIn > maxLifetime {
		return reply{}, &ginauth.InputError{Field: "expires_in", Reason: "is out of range"}
	}
	token, err := a.CreateToken(c.Request.Context(), ginauth.TokenSpec{
		Name: in.Name, Abilities: in.Abilities, Lifetime: time.Duration(in.ExpiresIn) * time.Second,
	})
	return reply{status: http.StatusCreated, body: token}, err
}

// maxTokenID is the length of the longest token id that is looked up, in bytes.
const maxTokenID = 64

func (s *server) deleteToken(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	id := c.Param("id")
	if len(id) > maxTokenID {
		return reply{}, ginauth.ErrNotFound
	}
	return done, a.RevokeToken(c.Request.Context(), id)
}
