package ginauth_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
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
	eachKind(t, func(t *testing.T, b *backend) {
		var access string
		a := newApp(t, b, func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{"web": {}, "fewer": {New: around(ginauth.JWTGuard)}}
		}, func(a *app, r *gin.Engine) {
			r.POST("/fewer/login", func(c *gin.Context) {
				res, err := ginauth.From(c).Guard("fewer").LoginUsingID(c.Request.Context(), c.Query("id"))
				if err == nil {
					access = res.Tokens.AccessToken
				}
				answer(c, res, err)
			})
			r.GET("/fewer", a.m.Auth("fewer"), func(c *gin.Context) { answer(c, nil, nil) })
		})
		a.client().post("/fewer/login?id=1", nil).want(t, 200)
		c := a.bearing(access)
		c.get("/fewer").want(t, 401)
		c.header.Set("X-Inside", "1")
		c.get("/fewer").want(t, 204)
	})
}

// changesNothing is a provider that no password can be given to.
type changesNothing struct{ userBackend }

func (changesNothing) ChangePassword(context.Context, string, string, string, string) (models.Authenticatable, error) {
	return nil, errors.ErrUnsupported
}

// What a guard keeps no login for ends the others, and begins none.
func TestPasswordOfWhoBringsThemselves(t *testing.T) { // P12
	eachKind(t, func(t *testing.T, b *backend) {
		var errs []error
		a := newApp(t, b, func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{
				"web":    {},
				"header": {New: func(s ginauth.GuardSetup) (ginauth.Guard, error) { return headerGuard{s.Users}, nil }},
				"still":  {Users: changesNothing{b.users}, Realm: "users"},
			}
		}, func(a *app, r *gin.Engine) {
			change := func(c *gin.Context) {
				res, err := ginauth.From(c).ChangePassword(c.Request.Context(), c.Query("from"), c.Query("to"))
				if err == nil && (res.User == nil || res.Tokens != nil) {
					t.Errorf("result %+v", res)
				}
				errs = append(errs, err)
				answer(c, res, err)
			}
			confirm := func(c *gin.Context) {
				err := ginauth.From(c).ConfirmPassword(c.Request.Context(), goodPass)
				errs = append(errs, err)
				answer(c, nil, err)
			}
			r.POST("/header/password", a.m.Auth("header"), change)
			r.POST("/header/confirm", a.m.Auth("header"), confirm)
			r.POST("/basic/password", a.m.Basic(), change)
			r.POST("/basic-still/password", a.m.Basic(ginauth.BasicGuard("still")), change)
		})
		bare := gin.New() // without StartSession
		bare.POST("/bare/password", a.m.Basic(), func(c *gin.Context) {
			res, err := ginauth.From(c).ChangePassword(c.Request.Context(), c.Query("from"), c.Query("to"))
			answer(c, res, err)
		})
		bare.POST("/bare/confirm", a.m.Basic(), func(c *gin.Context) {
			answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), passwordOf(2)))
		})
		path := func(where, from, to string) string {
			return where + "?" + "from=" + url.QueryEscape(from) + "&to=" + url.QueryEscape(to)
		}
		header := a.client()
		header.header.Set("X-User", a.alice.AuthID())

		session := a.loggedIn(aliceEmail)
		header.post(path("/header/password", goodPass, passwordOf(1)), nil).want(t, 204)
		session.get("/me").is401(t)
		header.post("/header/confirm", nil).want(t, 403)
		if err := errs[len(errs)-1]; !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("confirming: %v", err)
		}

		bob := a.loggedIn(bobEmail)
		c := a.basic(aliceEmail, passwordOf(1))
		c.cookies[sessionCookie] = bob.session()
		if res := c.post(path("/basic/password", passwordOf(1), passwordOf(2)), nil).want(t, 204); len(res.Header["Set-Cookie"]) > 1 {
			t.Errorf("cookies %q", res.Header["Set-Cookie"]) // of a known device, and no more
		}
		if name := bob.get("/me").want(t, 200).name(t); name != "Bob" {
			t.Errorf("the session is %s's", name)
		}

		c = a.basic(aliceEmail, passwordOf(2))
		c.post(path("/basic-still/password", passwordOf(2), passwordOf(3)), nil).want(t, 500)
		if err := errs[len(errs)-1]; !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ginauth.ErrUnavailable) {
			t.Errorf("a provider that cannot: %v", err)
		}

		a.srv.Config.Handler = bare
		c.post("/bare/confirm", nil).want(t, 403)
		c.post(path("/bare/password", passwordOf(2), passwordOf(3)), nil).want(t, 204)
		a.basic(aliceEmail, passwordOf(3)).post("/bare/confirm", nil).want(t, 403)
	})
}
