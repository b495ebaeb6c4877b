package ginauth_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// headerGuard finds its user in a header, and keeps no login.
type headerGuard struct{ users models.UserProvider }

func (g headerGuard) Identify(ctx context.Context, a *ginauth.Authenticator) (ginauth.Identity, error) {
	u, err := g.users.UserByID(ctx, a.Request().Header.Get("X-User"))
	if err != nil || u == nil {
		return ginauth.Identity{}, err
	}
	return ginauth.Identity{User: u}, nil
}

// fewerGuard is one of the package's guards that takes less: requests with a
// header, whatever it finds in them.
type fewerGuard struct{ ginauth.StatefulGuard }

func (g fewerGuard) Identify(ctx context.Context, a *ginauth.Authenticator) (ginauth.Identity, error) {
	if a.Request().Header.Get("X-Inside") == "" {
		return ginauth.Identity{}, nil
	}
	return g.StatefulGuard.Identify(ctx, a)
}

// A guard around one of the package's is asked itself, and not what is in it.
func TestGuardAroundGuard(t *testing.T) {
	around := func(make func(ginauth.GuardSetup) (ginauth.Guard, error)) func(ginauth.GuardSetup) (ginauth.Guard, error) {
		return func(s ginauth.GuardSetup) (ginauth.Guard, error) {
			g, err := make(s)
			if err != nil {
				return nil, err
			}
			return fewerGuard{g.(ginauth.StatefulGuard)}, nil
		}
	}
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		var access string
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{"web": {}, "fewer": {New: around(ginauth.JWTGuard)}}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/fewer/login", func(c *gin.Context) {
				res, err := ginauth.From(c).Guard("fewer").LoginUsingID(c.Request.Context(), c.Query("id"))
				if err == nil {
					access = res.Tokens.AccessToken
				}
				testapp.Answer(c, res, err)
			})
			r.GET("/fewer", a.Auth("fewer"), func(c *gin.Context) { testapp.Answer(c, nil, nil) })
		}))
		a.Client().Post("/fewer/login?id=1", nil).Want(t, 200)
		c := a.Bearer(access)
		c.Get("/fewer").Want(t, 401)
		c.Header.Set("X-Inside", "1")
		c.Get("/fewer").Want(t, 204)
	})
}

// changesNothing is a provider that no password can be given to.
type changesNothing struct{ testapp.Users }

func (changesNothing) ChangePassword(context.Context, string, string, string, string) (models.Authenticatable, error) {
	return nil, errors.ErrUnsupported
}

// What a guard keeps no login for ends the others, and begins none.
func TestPasswordOfWhoBringsThemselves(t *testing.T) { // P12
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		passwords := []string{testapp.Password, "marbled ocelots juggle", "marbled ocelots rest", "marbled ocelots sleep"}
		var errs []error
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{
				"web":    {},
				"header": {New: func(s ginauth.GuardSetup) (ginauth.Guard, error) { return headerGuard{s.Users}, nil }},
				"still":  {Users: changesNothing{b.Users}, Realm: "users"},
			}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			change := func(c *gin.Context) {
				res, err := ginauth.From(c).ChangePassword(c.Request.Context(), c.Query("from"), c.Query("to"))
				if err == nil && (res.User == nil || res.Tokens != nil) {
					t.Errorf("result %+v", res)
				}
				errs = append(errs, err)
				testapp.Answer(c, res, err)
			}
			confirm := func(c *gin.Context) {
				err := ginauth.From(c).ConfirmPassword(c.Request.Context(), testapp.Password)
				errs = append(errs, err)
				testapp.Answer(c, nil, err)
			}
			r.POST("/header/password", a.Auth("header"), change)
			r.POST("/header/confirm", a.Auth("header"), confirm)
			r.POST("/basic/password", a.Basic(), change)
			r.POST("/basic-still/password", a.Basic(ginauth.BasicGuard("still")), change)
		}))
		bare := gin.New() // without StartSession
		bare.POST("/bare/password", a.Basic(), func(c *gin.Context) {
			res, err := ginauth.From(c).ChangePassword(c.Request.Context(), c.Query("from"), c.Query("to"))
			testapp.Answer(c, res, err)
		})
		bare.POST("/bare/confirm", a.Basic(), func(c *gin.Context) {
			testapp.Answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), passwords[2]))
		})
		path := func(where, from, to string) string {
			return where + "?" + "from=" + url.QueryEscape(from) + "&to=" + url.QueryEscape(to)
		}
		header := a.Client()
		header.Header.Set("X-User", a.Alice.AuthID())

		session := a.LoggedIn(testapp.Alice)
		header.Post(path("/header/password", testapp.Password, passwords[1]), nil).Want(t, 204)
		session.Get("/me").Want401(t)
		header.Post("/header/confirm", nil).Want(t, 403)
		if err := errs[len(errs)-1]; !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("confirming: %v", err)
		}

		bob := a.LoggedIn(testapp.Bob)
		c := a.BasicAuth(testapp.Alice, passwords[1])
		c.Cookies[testapp.SessionCookie] = bob.Session()
		if res := c.Post(path("/basic/password", passwords[1], passwords[2]), nil).Want(t, 204); len(res.Header["Set-Cookie"]) > 1 {
			t.Errorf("cookies %q", res.Header["Set-Cookie"]) // of a known device, and no more
		}
		if name := bob.Get("/me").Want(t, 200).UserName(t); name != "Bob" {
			t.Errorf("the session is %s's", name)
		}

		c = a.BasicAuth(testapp.Alice, passwords[2])
		c.Post(path("/basic-still/password", passwords[2], passwords[3]), nil).Want(t, 500)
		if err := errs[len(errs)-1]; !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ginauth.ErrUnavailable) {
			t.Errorf("a provider that cannot: %v", err)
		}

		a.Serve(bare)
		c.Post("/bare/confirm", nil).Want(t, 403)
		c.Post(path("/bare/password", passwords[2], passwords[3]), nil).Want(t, 204)
		a.BasicAuth(testapp.Alice, passwords[3]).Post("/bare/confirm", nil).Want(t, 403)
	})
}
