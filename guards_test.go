package ginauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestMiddlewareAsksWhoIsThere(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		guest, alice, bob := a.Client(), a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Bob)
		for _, row := range []struct {
			c      *testapp.Client
			path   string
			status int
		}{
			{guest, "/me", 401}, {alice, "/me", 200}, {guest, "/guest", 200}, {alice, "/guest", 403},
			{guest, "/verified", 401}, {alice, "/verified", 200}, {bob, "/verified", 403},
		} {
			row.c.Get(row.path).Want(t, row.status)
		}
		res := guest.Get("/me")
		if res.Header.Get("WWW-Authenticate") != `Session realm="web"` || !strings.Contains(res.Text, `"unauthenticated"`) {
			t.Errorf("challenge %v, body %s", res.Header, res.Text)
		}
		if code := bob.Get("/verified").Text; !strings.Contains(code, `"email_not_verified"`) {
			t.Errorf("body %s", code)
		}
	})
}

func TestMiddlewareOfAnotherManagerIsRefused(t *testing.T) {
	other, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/auth", other.Auth(), testapp.Me)
		r.GET("/guests", other.Guest(), testapp.Me)
		r.GET("/can", other.Authorize("x"), testapp.Me)
		r.GET("/throttled", other.ThrottleLogins(), testapp.Me)
	}))
	c := a.LoggedIn(testapp.Alice)
	for _, path := range []string{"/auth", "/guests", "/can", "/throttled"} {
		if res := c.Get(path).Want(t, 500); strings.Contains(res.Text, "Alice") {
			t.Errorf("%s answers %s", path, res.Text)
		}
	}
}

func TestRegistrationPanicsOnMistakes(t *testing.T) {
	m, err := ginauth.New(ginauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	testapp.MustPanic(t, "no user provider", func() { m.Auth() })
	testapp.MustPanic(t, `"typo"`, func() { m.Auth("typo") })
	testapp.MustPanic(t, `"typo"`, func() { m.Guest("typo") })
	testapp.MustPanic(t, "one resource", func() { m.Authorize("x", 1, 2) })
	testapp.MustPanic(t, "no resource", func() { m.Authorize("x", 1) })
	testapp.MustPanic(t, "Authorize", func() { m.Authorize("") })
	testapp.MustPanic(t, "Load", func() { ginauth.Load[int]("id", nil) })
	testapp.MustPanic(t, "SetDefault", func() { ginauth.SetDefault(nil) })
}

// badGuard finds users in a header, or fails.
type badGuard struct{ users models.UserProvider }

func (g badGuard) Identify(ctx context.Context, a *ginauth.Authenticator) (ginauth.Identity, error) {
	switch id := a.Request().Header.Get("X-User"); id {
	case "":
		return ginauth.Identity{}, nil
	case "error":
		return ginauth.Identity{}, errors.New("CANARY-guard")
	default:
		u, err := g.users.UserByID(ctx, id)
		return ginauth.Identity{User: u}, err
	}
}

func (badGuard) Challenge(*http.Request) string { return `Header name="X-User"` }

func TestCustomGuardAuthenticates(t *testing.T) {
	b := testapp.Memory(t)
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{
			"web":    {},
			"header": {New: func(s ginauth.GuardSetup) (ginauth.Guard, error) { return badGuard{b.Users}, nil }},
		}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.GET("/both", a.Auth("header", "web"), func(c *gin.Context) {
			c.String(200, ginauth.From(c).GuardName())
		})
		r.GET("/header", a.Auth("header"), testapp.Me)
		r.POST("/header-login", func(c *gin.Context) {
			au := ginauth.From(c).Guard("header")
			_, err := au.LoginUsingID(c.Request.Context(), "1")
			if !errors.Is(err, errors.ErrUnsupported) || !errors.Is(au.Logout(c.Request.Context()), errors.ErrUnsupported) {
				t.Errorf("a stateless guard logs in: %v", err)
			}
		})
	}))
	c := a.Client()
	if res := c.Get("/header").Want(t, 401); res.Header.Get("WWW-Authenticate") != `Header name="X-User"` {
		t.Errorf("challenge %q", res.Header.Get("WWW-Authenticate"))
	}
	c.Header.Set("X-User", "error")
	if res := c.Get("/both").Want(t, 503); strings.Contains(res.Text, "CANARY") {
		t.Errorf("body %s", res.Text)
	}
	c.Header.Set("X-User", "1")
	if got := c.Get("/both").Want(t, 200).Text; got != "header" {
		t.Errorf("guard %q", got)
	}
	c = a.LoggedIn(testapp.Bob)
	if got := c.Get("/both").Want(t, 200).Text; got != "web" {
		t.Errorf("guard %q", got)
	}
	c.Post("/header-login", nil).Want(t, 200)
}

func TestGuardNamedUsersHasItsOwnUsers(t *testing.T) {
	customers, calls := testapp.Memory(t).Faulty()
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "users": {Users: customers.Users}}
	}), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/customers", func(c *gin.Context) {
			_, err := ginauth.From(c).Guard("users").Attempt(c.Request.Context(), ginauth.Credentials{"email": testapp.Alice, "password": testapp.Password})
			if err != nil {
				ginauth.Abort(c, err)
			}
		})
	}))
	a.Client().Post("/customers", nil).Want401(t)
	if calls.Count(testapp.UserByIdentifier) != 1 {
		t.Error("another provider was asked")
	}
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
func TestGuardAroundGuardIsAskedItself(t *testing.T) {
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

func TestTokensAreOfOneGuard(t *testing.T) { // J10, S19
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{
				"web": {}, "api": {New: ginauth.JWTGuard}, "admin": {New: ginauth.JWTGuard}, "token": {New: ginauth.TokenGuard},
			}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/admin/me", a.Auth("admin"), testapp.Me)
			r.POST("/admin/refresh/:token", func(c *gin.Context) {
				_, err := ginauth.From(c).Guard("admin").Refresh(c.Request.Context(), c.Param("token"))
				c.Status(ginauth.StatusOf(err))
			})
		}))
		p := a.IssueTokens(testapp.Alice)
		a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
		a.Bearer(p.AccessToken).Get("/admin/me").WantBadToken(t)
		a.Client().Post("/admin/refresh/"+p.RefreshToken, nil).Want(t, 401)
		a.Refresh(p.RefreshToken).Tokens(t)
	})
}

func TestAbilityMistakesPanic(t *testing.T) { // A10
	a := testapp.New(t, testapp.Memory(t))
	for name, f := range map[string]func(){
		"none": func() { a.RequireAbilities() }, "any of none": func() { a.RequireAnyAbility() },
		"empty": func() { a.RequireAbilitiesOrLogin("") }, "all": func() { a.RequireAnyAbilityOrLogin("*") },
		"space": func() { a.RequireAbilities("a b") }, "basic of no guard": func() { a.Basic(ginauth.BasicGuard("typo")) },
		"basic session without one": func() { a.Basic(ginauth.BasicGuard("token"), ginauth.BasicStartsSession()) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// some is a provider that finds one of its users only.
type some struct {
	models.UserProvider
	id string
}

func (p some) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if id != p.id {
		return nil, nil
	}
	return p.UserProvider.UserByID(ctx, id)
}

// TestGuardHasTheUsersOfItsSetup makes a guard whose New leaves it fewer users than are configured.
func TestGuardHasTheUsersOfItsSetup(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "api": {New: func(s ginauth.GuardSetup) (ginauth.Guard, error) {
			s.Users = some{s.Users, "2"}
			return ginauth.JWTGuard(s)
		}}}
	}), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/api/in/:id", func(c *gin.Context) {
			res, err := ginauth.From(c).Guard("api").LoginUsingID(c.Request.Context(), c.Param("id"))
			testapp.Answer(c, res, err)
		})
	}))
	for id, status := range map[string]int{"1": 401, "2": 200} {
		pair := a.Client().Post("/api/in/"+id, nil).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, status)
	}
}
