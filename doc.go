// Package ginauth is an authentication and authorization suite for Gin.
package ginauth
