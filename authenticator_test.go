package ginauth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestAuthenticatorTellsUsersFromGuests(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		creds := ginauth.Credentials{"email": testapp.Alice, "password": testapp.Password}
		r.GET("/once", func(c *gin.Context) {
			au, ctx := ginauth.From(c), c.Request.Context()
			if !au.Guest(ctx) || au.Check(ctx) {
				t.Error("a guest is not one")
			}
			if id, err := au.ID(ctx); id != "" || err != nil {
				t.Errorf("a guest has id %q, %v", id, err)
			}
			if res, err := au.Once(ctx, creds); err != nil || res.User.AuthID() != a.Alice.AuthID() {
				t.Errorf("Once: %v %v", res, err)
			}
			if id, _ := au.ID(ctx); id != a.Alice.AuthID() || !au.Check(ctx) || au.Guest(ctx) {
				t.Error("Once has no effect")
			}
			if au.GuardName() != "web" || au.Guard("web").GuardName() != "web" {
				t.Error("guard name")
			}
		})
		r.GET("/validate", func(c *gin.Context) {
			au, ctx := ginauth.From(c), c.Request.Context()
			if u, err := au.Validate(ctx, creds); err != nil || u.AuthID() != a.Alice.AuthID() || au.Check(ctx) {
				t.Errorf("Validate: %v %v", u, err)
			}
		})
		r.GET("/when", func(c *gin.Context) {
			refuse := func(u models.Authenticatable) bool { return u.AuthID() != a.Alice.AuthID() }
			_, err := ginauth.From(c).AttemptWhen(c.Request.Context(), creds, refuse)
			if !errors.Is(err, ginauth.ErrInvalidCredentials) {
				t.Errorf("AttemptWhen: %v", err)
			}
		})
		r.GET("/panics", func(c *gin.Context) { ginauth.From(c).Guard("typo") })
	}))
	c := a.Client()
	for _, path := range []string{"/once", "/validate", "/when"} {
		c.Get(path).Want(t, 200)
		if len(c.Cookies) > 0 {
			t.Errorf("%s set %v", path, c.Cookies)
		}
	}
	c.Get("/panics").Want(t, 500)
}

func TestUnacceptableUsersAreNotLoggedIn(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		now := time.Now()
		var results []error
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET("/try", func(c *gin.Context) {
				for _, u := range []models.Authenticatable{nil, (*models.User)(nil), &models.User{}, &models.User{ID: 1, DisabledAt: &now}} {
					_, err := ginauth.From(c).Login(c.Request.Context(), u)
					results = append(results, err)
				}
				for _, id := range []string{"", "0", "99", "1 OR 1=1"} {
					_, err := ginauth.From(c).LoginUsingID(c.Request.Context(), id)
					results = append(results, err)
				}
			})
		}))
		c := a.Client()
		c.Get("/try").Want(t, 200)
		for i, err := range results {
			if !errors.Is(err, ginauth.ErrInvalidCredentials) {
				t.Errorf("user %d: %v", i, err)
			}
		}
		if len(c.Cookies) > 0 {
			t.Error("a cookie was set")
		}
	})
}
