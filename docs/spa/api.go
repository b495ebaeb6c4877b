// Command spa is the application of docs/spa-and-cors.md: an API for single-page and mobile applications, and a
// front end on another origin.
package main

import (
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// newAPI returns the API. The first of the front ends is the one that links in mails lead to.
func newAPI(db *gorm.DB, config ginauth.Config, fronts []string) (*gin.Engine, *ginauth.Manager, error) {
	config.Users, config.Stores = gormstore.Users[models.User](db), gormstore.New(db)
	config.CrossOrigin.TrustedOrigins = fronts
	config.Mail.BaseURL, config.Mail.ResetPath = fronts[0], "/new-password"
	auth, err := ginauth.New(config)
	if err != nil {
		return nil, nil, err
	}
	r := gin.New()
	r.Use(auth.Recovery(), allow(fronts), auth.StartSession()) // CORS comes before StartSession
	routes.Mount(r, auth, routes.Options{
		// The front end has the pages of these links, and posts to the same paths.
		Without: []routes.Route{routes.ShowVerifyEmail, routes.ShowConfirmEmail},
	})
	tasks := r.Group("/tasks", auth.Auth("web", "api")) // by session or by access token
	tasks.GET("", listTasks(db))
	tasks.POST("", addTask(db))
	return r, auth, nil
}

// allow lets scripts of the front ends read the responses.
func allow(fronts []string) gin.HandlerFunc {
	return cors.New(cors.Config{
		AllowOrigins:     fronts, // never "*" with credentials
		AllowMethods:     []string{"GET", "POST", "PUT", "PATCH", "DELETE"},
		AllowHeaders:     []string{"Authorization", "Content-Type"}, // Authorization is for tokens
		ExposeHeaders:    []string{"Retry-After"},
		AllowCredentials: true, // is for session cookies: leave it out if all use tokens
		MaxAge:           12 * time.Hour,
	})
}
