package main

import (
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// inAPI are the routes of package routes that programs use. They are mounted
// below /api, the others at the root.
var inAPI = []routes.Route{routes.IssueTokens, routes.RefreshTokens, routes.RevokeToken}

// notInAPI are the others.
var notInAPI = []routes.Route{
	routes.Register, routes.Login, routes.Logout, routes.ChangePassword, routes.ConfirmPassword, routes.PasswordConfirmed,
	routes.ForgotPassword, routes.ResetPassword, routes.VerifyEmail, routes.ResendVerification, routes.ChangeEmail,
	routes.ConfirmEmail, routes.Devices, routes.RevokeDevice, routes.LogoutDevices, routes.PersonalTokens,
	routes.CreateToken, routes.DeleteToken, routes.JWKS,
}

// accountRoutes are all that users do with their accounts.
func (b *blog) accountRoutes(r *gin.Engine) {
	routes.Mount(r, b.auth, routes.Options{User: view, Without: inAPI})
	routes.Mount(r.Group("/api"), b.auth, routes.Options{User: view, Without: notInAPI})
	r.GET("/api/posts", ginauth.Auth("api", "token"), ginauth.RequireAbilitiesOrLogin("posts:read"), b.listPosts)
}
