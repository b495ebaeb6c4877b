package main

import (
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// apiRoutes are the routes of package routes for API clients. They are mounted
// below /api.
var apiRoutes = []routes.Route{routes.IssueTokens, routes.RefreshTokens, routes.RevokeToken}

// siteRoutes are the other routes. They are mounted at the root.
var siteRoutes = []routes.Route{
	routes.Register, routes.Login, routes.Logout, routes.ChangePassword, routes.ConfirmPassword, routes.PasswordConfirmed,
	routes.ForgotPassword, routes.ResetPassword, routes.VerifyEmail, routes.ResendVerification, routes.ChangeEmail,
	routes.ConfirmEmail, routes.Devices, routes.RevokeDevice, routes.LogoutDevices, routes.PersonalTokens,
	routes.CreateToken, routes.DeleteToken, routes.JWKS,
}

// accountRoutes mounts the routes with which users manage their accounts.
func (b *blog) accountRoutes(r *gin.Engine) {
	routes.Mount(r, b.auth, routes.Options{User: view, Without: apiRoutes})
	routes.Mount(r.Group("/api"), b.auth, routes.Options{User: view, Without: siteRoutes})
	b.codes.Mount(r)
	b.recovery.Mount(r)
	b.profiles.Mount(r)
	if b.keys != nil {
		b.keys.Mount(r)
	}
	r.GET("/api/posts", ginauth.Auth("api", "token"), ginauth.RequireAbilitiesOrLogin("posts:read"), b.listPosts)
}
