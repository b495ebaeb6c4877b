package testapp

import (
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// mountTokens adds the routes of an application for programs.
//
//	POST /api/login /api/refresh /api/logout   tokens of the guard "api"
//	GET  /api/me /token/me /bearer/me          by an access token, by a personal token, by either
//	GET  /any/me                               by the session or either
//	POST GET /tokens, DELETE /tokens/:id       personal tokens
//	GET  /ability/read, read-write, read-or-write and read-or-login
func mountTokens(a *App, r *gin.Engine, guards []string) {
	if len(guards) > 0 {
		r.GET("/any/me", a.Auth(guards...), Me)
	}
	if slices.Contains(guards, "api") {
		r.POST("/api/login", a.ThrottleLogins(), func(c *gin.Context) {
			if res, ok := Attempt(c, ginauth.From(c).Guard("api")); ok {
				AnswerLogin(c, res)
			}
		})
		r.POST("/api/refresh", Refresh)
		r.POST("/api/logout", a.Auth("api"), Logout)
		r.GET("/api/me", a.Auth("api"), Me)
	}
	if slices.Contains(guards, "token") {
		r.GET("/token/me", a.Auth("token"), Me)
		r.GET("/sudo-token", a.Auth("token"), a.ConfirmPassword(), Me)
		r.GET("/ability/read-write", a.Auth("token"), a.RequireAbilities("read", "write"), Me)
		r.GET("/ability/read-or-write", a.Auth("token"), a.RequireAnyAbility("read", "write"), Me)
		mountPersonal(a, r, guards)
	}
	if slices.Contains(guards, "api") && slices.Contains(guards, "token") {
		r.GET("/bearer/me", a.Auth("api", "token"), Me)
	}
}

func mountPersonal(a *App, r *gin.Engine, guards []string) {
	users := a.Auth(guards...)
	r.GET("/ability/read", users, a.RequireAbilities("read"), Me)
	r.GET("/ability/read-or-login", users, a.RequireAbilitiesOrLogin("read"), Me)
	r.POST("/tokens", users, func(c *gin.Context) {
		if in, ok := Decode[ginauth.TokenSpec](c); ok {
			token, err := ginauth.From(c).CreateToken(c.Request.Context(), in)
			show(c, 201, token, err)
		}
	})
	r.GET("/tokens", users, func(c *gin.Context) {
		tokens, err := ginauth.From(c).Tokens(c.Request.Context())
		show(c, 200, tokens, err)
	})
	r.DELETE("/tokens/:id", users, func(c *gin.Context) {
		Answer(c, nil, ginauth.From(c).RevokeToken(c.Request.Context(), c.Param("id")))
	})
}

// Refresh reads a refresh token of the guard "api" and answers with the next pair.
func Refresh(c *gin.Context) {
	in, ok := Decode[struct {
		RefreshToken string `json:"refresh_token"`
	}](c)
	if !ok {
		return
	}
	res, err := ginauth.From(c).Guard("api").Refresh(c.Request.Context(), in.RefreshToken)
	Answer(c, res, err)
}

// IssueTokens logs Alice or Bob in by the guard "api".
func (a *App) IssueTokens(email string) ginauth.TokenPair {
	a.Helper()
	return a.Client().Post("/api/login", Credentials(email, Password)).Tokens(a)
}

// Refresh sends a refresh token.
func (a *App) Refresh(token string) *Response {
	a.Helper()
	return a.Client().Post("/api/refresh", RefreshBody(token))
}

// RefreshBody is the body of a request for the next pair of tokens.
func RefreshBody(token string) map[string]string { return map[string]string{"refresh_token": token} }

// Personal makes a personal token of the client's user, with these abilities.
func (c *Client) Personal(abilities ...string) ginauth.PersonalToken {
	c.t.Helper()
	return c.CreateToken(ginauth.TokenSpec{Name: "deploy", Abilities: abilities})
}

// CreateToken makes a personal token of the client's user. What describes it is
// what POST /tokens reads.
func (c *Client) CreateToken(what any) ginauth.PersonalToken {
	c.t.Helper()
	var token ginauth.PersonalToken
	if c.Post("/tokens", what).Want(c.t, 201).JSON(c.t, &token); token.Text == "" {
		c.t.Fatal("the token has no text")
	}
	return token
}

// Tokens lists the personal tokens of the client's user.
func (c *Client) Tokens() []ginauth.PersonalToken {
	c.t.Helper()
	var tokens []ginauth.PersonalToken
	c.Get("/tokens").Want(c.t, 200).JSON(c.t, &tokens)
	return tokens
}
