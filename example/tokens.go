package main

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// apiRoutes are for programs: a login by tokens, and tokens that a user makes
// for scripts.
func (b *blog) apiRoutes(r *gin.Engine) {
	r.POST("/api/token", ginauth.Public(), ginauth.ThrottleLogins(), b.issueTokens)
	r.POST("/api/token/refresh", ginauth.Public(), b.refreshTokens)
	r.POST("/api/token/revoke", ginauth.Public(), b.revokeToken)
	r.GET("/api/me", ginauth.Auth("api", "token"), b.me)
	r.GET("/api/posts", ginauth.Auth("api", "token"), ginauth.RequireAbilitiesOrLogin("posts:read"), b.listPosts)

	r.GET("/tokens", ginauth.Auth("web", "api"), b.listTokens)
	r.POST("/tokens", ginauth.Auth("web", "api"), b.createToken)
	r.DELETE("/tokens/:id", ginauth.Auth("web", "api"), b.deleteToken)
	r.GET("/.well-known/jwks.json", ginauth.Public(), ginauth.JWKS())
}

// issueTokens logs in with a password and answers with an access token and a
// refresh token.
func (b *blog) issueTokens(c *gin.Context) {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	answerTokens(c, func(ctx context.Context, a *ginauth.Authenticator) (*ginauth.LoginResult, error) {
		return a.Attempt(ctx, ginauth.Credentials{"email": in.Email, "password": in.Password})
	})
}

func (b *blog) refreshTokens(c *gin.Context) {
	var in struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	answerTokens(c, func(ctx context.Context, a *ginauth.Authenticator) (*ginauth.LoginResult, error) {
		return a.Refresh(ctx, in.RefreshToken)
	})
}

func answerTokens(c *gin.Context, login func(context.Context, *ginauth.Authenticator) (*ginauth.LoginResult, error)) {
	res, err := login(c.Request.Context(), ginauth.From(c).Guard("api"))
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Header("Cache-Control", "no-store") // RFC 6749, 5.1
	c.JSON(http.StatusOK, res.Tokens)
}

// revokeToken ends the token that is handed in, whichever kind it is.
func (b *blog) revokeToken(c *gin.Context) {
	var in struct {
		Token string `json:"token"`
	}
	err := ginauth.DecodeJSON(c, &in)
	if err == nil {
		err = b.auth.Revoke(c.Request.Context(), in.Token)
	}
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (b *blog) listTokens(c *gin.Context) {
	tokens, err := ginauth.From(c).Tokens(c.Request.Context())
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(http.StatusOK, tokens)
}

// createToken makes a personal access token. It is shown this once.
func (b *blog) createToken(c *gin.Context) {
	var in struct {
		Name      string   `json:"name"`
		Abilities []string `json:"abilities"`
	}
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	token, err := ginauth.From(c).CreateToken(c.Request.Context(), ginauth.NewToken{Name: in.Name, Abilities: in.Abilities})
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(http.StatusCreated, token)
}

func (b *blog) deleteToken(c *gin.Context) {
	if err := ginauth.From(c).RevokeToken(c.Request.Context(), c.Param("id")); err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}
