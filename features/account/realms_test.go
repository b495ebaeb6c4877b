package account_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/account"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
)

// TestUsersOfAnotherGuard has a guard whose users are others. One of them has the identifier of Alice.
func TestUsersOfAnotherGuard(t *testing.T) {
	start := func(guards ...string) (a *testapp.App, panicked any) {
		b := testapp.Memory(t)
		f := account.New(account.Options{
			Guards: guards,
			Rename: func(context.Context, string, string) error { t.Error("renamed"); return nil },
			Delete: func(_ context.Context, id string) error { b.Users.Remove(id); return nil },
		})
		a = testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Features = []ginauth.Feature{f}
			c.Guards = map[string]ginauth.GuardConfig{
				"web": {}, "api": {New: ginauth.JWTGuard, Users: new(ginauthtest.Users), Realm: "partners"},
			}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			defer func() { panicked = recover() }()
			f.Mount(r)
			r.POST("/rename", a.Auth("api"), func(c *gin.Context) {
				ginauth.Abort(c, f.Rename(c.Request.Context(), ginauth.From(c), "Alice"))
			})
		}))
		return a, panicked
	}
	if _, panicked := start(); panicked == nil || !strings.Contains(panicked.(string), "Options.Guards") {
		t.Errorf("Mount for users of two kinds: %v", panicked)
	}
	a, panicked := start("web")
	if panicked != nil {
		t.Fatal(panicked)
	}
	if _, err := a.Register(t.Context(), ginauth.Registration{
		Guard: "api", Name: "Eve", Email: "eve@partners.example", Password: testapp.Password,
	}); err != nil {
		t.Fatal(err)
	}
	pair := a.Client().Post("/api/login", testapp.Credentials("eve@partners.example", testapp.Password)).Want(t, 200).Tokens(t)
	eve := a.Bearer(pair.AccessToken)
	eve.Call("DELETE", "/account", fields{"password": testapp.Password}).Want(t, 401)
	eve.Post("/rename", nil).Want(t, 403)
	a.LoggedIn(testapp.Alice).Get("/me").Want(t, 200)
}
