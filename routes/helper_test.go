package routes_test

import (
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// fields are those of a body in JSON.
type fields map[string]any

// setup is what a test changes.
type setup struct {
	config  func(*ginauth.Config)
	options routes.Options
	group   string
	// pages adds routes of the application.
	pages func(a *testapp.App, r *gin.Engine)
}

// newApp starts an application whose only routes are those of the package, and a
// few that show what the tests ask about. The addresses of both users are
// verified. What it says is checked for leaks.
func newApp(t *testing.T, b *testapp.Backend, s setup) *testapp.App {
	t.Helper()
	a := testapp.New(t, b, testapp.CheckLeaks(), testapp.Configure(func(c *ginauth.Config) {
		c.StoreTimeout = 20 * time.Second // the race detector is slow
		c.Pages = ginauth.PagesConfig{Login: "/sign-in", Home: "/home", ConfirmPassword: "/confirm"}
		if s.config != nil {
			s.config(c)
		}
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		routes.Mount(r.Group(s.group), a.Manager, s.options)
		r.GET("/page", a.StartSession(), a.Auth(), func(c *gin.Context) { c.String(200, "page") })
		r.GET(testapp.FormTokenPath, a.StartSession(), ginauth.Public(), testapp.FormToken)
		if s.pages != nil {
			s.pages(a, r)
		}
	}))
	b.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.EmailVerifiedAt = a.Alice.EmailVerifiedAt })
	return a
}
