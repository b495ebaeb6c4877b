package pages_test

import (
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// named is a user with a user name.
type named struct {
	models.User
	Username string `gorm:"size:64;not null;uniqueIndex"`
}

// TestLoginPageAsksForTheIdentifier checks that the page has the field of the provider, and that
// a form with it logs in.
func TestLoginPageAsksForTheIdentifier(t *testing.T) {
	for field, options := range map[string][]gormstore.UserOption{
		"username": {gormstore.WithIdentifier("username", "Username"), gormstore.WithIdentifier("email", "Email")},
		"login": {gormstore.WithIdentifier("username", "Username"), gormstore.WithIdentifier("email", "Email"),
			gormstore.WithLogin("login", "email", "username")},
	} {
		b := testapp.SQLite(t)
		if err := b.DB.AutoMigrate(&named{}); err != nil {
			t.Fatal(err)
		}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Users, c.Mail.Mailer = gormstore.Users[named](b.DB, options...), nil
		}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
			pages.Mount(r, a.Manager, pages.Options{})
			routes.Mount(r, a.Manager, routes.Options{})
		}))
		c := a.Browser()
		if page := c.Get("/login").Want(t, 200).Text; !strings.Contains(page, `name="`+field+`"`) || strings.Contains(page, `name="email"`) {
			t.Errorf("the page does not ask for %s: %s", field, page)
		}
		c.Form("/login", field+"=alice&password=wrong").Want(t, 303)
		if page := c.Get("/login").Want(t, 200).Text; !strings.Contains(page, `value="alice"`) {
			t.Errorf("the page lost what was typed: %s", page)
		}
	}
}

// TestFormsAskForTheIdentifier checks the forms that ask for a mail and that register, where users have user names and
// no address.
func TestFormsAskForTheIdentifier(t *testing.T) {
	b := testapp.SQLite(t)
	if err := b.DB.AutoMigrate(&named{}); err != nil {
		t.Fatal(err)
	}
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Users = gormstore.Users[named](b.DB, gormstore.WithIdentifier("username", "Username"))
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		pages.Mount(r, a.Manager, pages.Options{})
		routes.Mount(r, a.Manager, routes.Options{})
	}))
	c := a.Browser()
	for _, path := range []string{"/login", "/forgot-password", "/verify-email", "/register"} {
		wants(t, c.Get(path).Want(t, 200), `name="username"`, "User name")
	}
	c.Form("/register", form("name", "Kim", "username", "", "password", testapp.NewPassword)).WantRedirect(t, "/register")
	wants(t, c.Get("/register").Want(t, 200), "Fill in this field.", `value="Kim"`)
	c.Form("/register", form("name", "Kim", "username", "kim", "email", "kim@example.com", "password", testapp.NewPassword)).Want(t, 303)
	c.Form("/forgot-password", form("username", "KIM")).WantRedirect(t, "/forgot-password")
	link := a.Outbox.Path(t, "reset_password")
	c.Form("/reset-password", form("token", testapp.TokenOf(t, link), "password", testapp.Password)).WantRedirect(t, "/login")
	c.Form("/login", form("username", "kim", "password", testapp.Password)).WantRedirect(t, "/")
}
