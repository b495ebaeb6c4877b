package pages_test

import (
	"context"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/account"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

func TestProfileIsChangedAndDeleted(t *testing.T) {
	b := testapp.Memory(t)
	f := account.New(account.Options{
		Rename: func(_ context.Context, id, name string) error {
			b.Users.Change(id, func(u *models.User) { u.Name = name })
			return nil
		},
		Delete: func(_ context.Context, id string) error { b.Users.Remove(id); return nil },
	})
	a := testapp.New(t, b, testapp.CheckLeaks(), testapp.Configure(func(c *ginauth.Config) {
		c.Pages, c.ErrorHandler, c.Features = pages.Config("/auth"), pages.ErrorHandler, []ginauth.Feature{f}
		c.Mail.VerifyPath, c.Mail.ConfirmPath, c.Mail.ResetPath = "/auth/verify-email", "/auth/confirm-email", "/auth/reset-password"
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		group := r.Group("/auth") // the routes of features have the path of the group
		pages.Mount(group, a.Manager, pages.Options{})
		routes.Mount(group, a.Manager, routes.Options{})
		f.Mount(group)
	}))
	c := a.Browser()
	c.Form("/auth/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, "/auth/profile")
	page := c.Get("/auth/profile").Want(t, 200)
	checkPage(t, page)
	wants(t, page, `name="name" type="text" value="Alice" autocomplete="name"`, `href="/auth/account/delete"`)
	c.Form("/auth/profile", form("name", " ")).WantRedirect(t, "/auth/profile")
	wants(t, c.Get("/auth/profile").Want(t, 200), `id="name-problem"`)
	c.Form("/auth/profile", form("name", "Ally")).WantRedirect(t, "/auth/profile")
	wants(t, c.Get("/auth/profile").Want(t, 200), "Your name was changed.", `value="Ally"`)

	page = c.Get("/auth/account/delete").Want(t, 200)
	checkPage(t, page)
	wants(t, page, `autocomplete="current-password"`)
	c.Form("/auth/account/delete", form("password", "wrong")).WantRedirect(t, "/auth/account/delete")
	wants(t, c.Get("/auth/account/delete").Want(t, 200), "The current password is incorrect.")
	c.Form("/auth/account/delete", form("password", testapp.Password)).WantRedirect(t, "/auth/login")
	wants(t, c.Get("/auth/login").Want(t, 200), "Your account was deleted.")
	c.Form("/auth/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, "/auth/login")
	wants(t, c.Get("/auth/login").Want(t, 200), "do not match")
}
