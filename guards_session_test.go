package ginauth_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

// guards starts an application with three guards that keep logins in sessions:
// "web" and "admin" have the same users, "staff" has its own. Each has routes that
// log its first user in, with ?remember=1 also for later, and out.
func guards(t *testing.T, b *testapp.Backend, more ...func(*testapp.App, *gin.Engine)) *testapp.App {
	t.Helper()
	staff := new(ginauthtest.Users)
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "admin": {}, "staff": {Users: staff}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		for _, guard := range []string{"web", "admin", "staff"} {
			guardRoutes(a, r, guard)
		}
	}), testapp.Routes(more...))
	boss := testapp.AddUser(t, a.Manager, staff, "Boss", testapp.Alice, testapp.NewPassword)
	if boss.AuthID() != a.Alice.AuthID() {
		t.Fatalf("the two have the ids %s and %s", boss.AuthID(), a.Alice.AuthID())
	}
	return a
}

func guardRoutes(a *testapp.App, r *gin.Engine, guard string) {
	r.GET("/in/"+guard, a.Auth(guard), testapp.Me)
	r.POST("/in/"+guard, func(c *gin.Context) {
		var options []ginauth.LoginOption
		if c.Query("remember") != "" {
			options = append(options, ginauth.Remember())
		}
		res, err := ginauth.From(c).Guard(guard).LoginUsingID(c.Request.Context(), "1", options...)
		testapp.Answer(c, res, err)
	})
	r.DELETE("/in/"+guard, func(c *gin.Context) {
		testapp.Answer(c, nil, ginauth.From(c).Guard(guard).Logout(c.Request.Context()))
		if c.Query("panic") != "" {
			panic("after the logout")
		}
	})
	r.GET("/sudo/"+guard, a.Auth(guard), a.ConfirmPassword(), testapp.Me)
	r.POST("/confirm/"+guard, a.Auth(guard), func(c *gin.Context) {
		if in, ok := testapp.Decode[testapp.PasswordForm](c); ok {
			testapp.Answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), in.Password))
		}
	})
}

func TestTwoGuardsShareOneSession(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := guards(t, b)
		c := a.LoggedIn(testapp.Bob)
		c.Get("/in/staff").Want401(t)
		c.Post("/in/staff", nil).Want(t, 204)
		both := c.Session()
		if c.Get("/in/staff").Want(t, 200).UserName(t) != "Boss" || c.Get("/in/web").Want(t, 200).UserName(t) != "Bob" {
			t.Error("two guards in one session")
		}
		c.Delete("/in/staff").Want(t, 204)
		c.Get("/in/staff").Want401(t)
		if c.Get("/in/web").Want(t, 200).UserName(t) != "Bob" || c.Session() == both {
			t.Error("leaving one guard")
		}
		a.With(both).Get("/in/staff").Want401(t)
		a.WantReplaced(both, "/in/web")
		c.Post("/logout", nil).Want(t, 204)
		if c.Get("/in/web").Want401(t); c.Session() != "" {
			t.Error("the last guard's logout left a session")
		}
	})
}

// TestSessionHasEachGuardsOwner logs two users into one session by two guards, and
// one of them out.
func TestSessionHasEachGuardsOwner(t *testing.T) {
	a := guards(t, testapp.Memory(t))
	c := a.Client()
	owned := func(want ...string) {
		t.Helper()
		row, found, err := a.Backend.Set.Sessions.Load(t.Context(), testapp.RowOf(t, c))
		if !found || err != nil || !slices.Equal(row.Owners, want) {
			t.Fatalf("the session's owners are %q, found %v, error %v; want %q", row.Owners, found, err, want)
		}
	}
	c.Post("/in/web", nil).Want(t, 204)
	owned("users:1")
	c.Post("/in/staff", nil).Want(t, 204)
	owned("staff/:1", "users:1")
	c.Post("/in/admin", nil).Want(t, 204) // the same user as by web
	owned("users:1", "staff/:1")
	c.Delete("/in/web").Want(t, 204)
	owned("users:1", "staff/:1")
	c.Delete("/in/admin").Want(t, 204)
	owned("staff/:1")
	c.Get("/in/staff").Want(t, 200)
}

func TestLoginOfOneGuardDoesNotProlongAnother(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := guards(t, b)
		c := a.LoggedIn(testapp.Bob)
		for range 23 {
			a.Clock.Advance(time.Hour)
			c.Get("/in/web").Want(t, 200)
		}
		c.Post("/in/staff", nil).Want(t, 204)
		a.Clock.Advance(time.Hour + time.Second)
		c.Get("/in/web").Want401(t)
		c.Get("/in/staff").Want(t, 200)
	})
}

func TestLogoutOfOneGuardOutlivesAPanic(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := guards(t, b)
		c := a.LoggedIn(testapp.Bob)
		c.Post("/in/staff", nil).Want(t, 204)
		both := c.Session()
		c.Delete("/in/staff?panic=1").Want(t, 500)
		a.With(both).Get("/in/staff").Want401(t)
	})
}

func cookieOf(guard string) string { return testapp.SessionCookie + "_remember_" + guard }

func TestRememberCookieIsOfOneGuard(t *testing.T) { // S19
	a := guards(t, testapp.Memory(t))
	for _, from := range []string{"web", "admin", "staff"} {
		c := a.Client()
		c.Post("/in/"+from+"?remember=1", nil).Want(t, 204)
		for _, to := range []string{"web", "admin", "staff"} {
			other := a.Client()
			other.Cookies[cookieOf(to)] = c.Cookies[cookieOf(from)]
			if from != to {
				other.Get("/in/" + to).Want401(t)
			}
		}
		c.Only(cookieOf(from)).Get("/in/"+from).Want(t, 200)
	}
}

func TestTwoGuardsRememberTheirOwnUsers(t *testing.T) {
	a := guards(t, testapp.Memory(t))
	c := a.Client()
	c.Post("/in/web?remember=1", nil).Want(t, 204)
	c.Post("/in/staff?remember=1", nil).Want(t, 204)
	back := a.Client()
	back.Cookies[cookieOf("web")], back.Cookies[cookieOf("staff")] = c.Cookies[cookieOf("web")], c.Cookies[cookieOf("staff")]
	if name := back.Get("/in/web").Want(t, 200).UserName(t); name != "Alice" {
		t.Errorf("web: %q", name)
	}
	if name := back.Get("/in/staff").Want(t, 200).UserName(t); name != "Boss" {
		t.Errorf("staff: %q", name)
	}
	one := back.Only(testapp.SessionCookie)
	one.Get("/in/web").Want(t, 200)
	one.Get("/in/staff").Want(t, 200)

	web := back.Cookies[cookieOf("web")]
	back.Delete("/in/web").Want(t, 204)
	back.Get("/in/web").Want401(t)
	back.Get("/in/staff").Want(t, 200)
	if back.Cookies[cookieOf("staff")] == "" || back.Cookies[cookieOf("web")] != "" {
		t.Errorf("cookies %v", back.Cookies)
	}
	a.WithCookie(cookieOf("web"), web).Get("/in/web").Want401(t)
	back.Only(cookieOf("staff")).Get("/in/staff").Want(t, 200)
}

func TestRevokeUserLeavesOtherGuardsAlone(t *testing.T) {
	a := guards(t, testapp.Memory(t))
	c := a.Client()
	c.Post("/in/web?remember=1", nil).Want(t, 204)
	c.Post("/in/staff?remember=1", nil).Want(t, 204)
	if err := a.RevokeUser(t.Context(), "web", "1"); err != nil {
		t.Fatal(err)
	}
	c.Get("/in/web").Want401(t)
	c.Get("/in/staff").Want(t, 200)
	testapp.MustPanic(t, `no guard is named "typo"`, func() { _ = a.RevokeUser(t.Context(), "typo", "1") })
}

// A password may be right for one guard's user and not for another's.
func TestConfirmPasswordIsOfOneGuard(t *testing.T) {
	a := guards(t, testapp.Memory(t))
	c := a.Client()
	c.Post("/in/web", nil).Want(t, 204)
	c.Post("/in/staff", nil).Want(t, 204)
	c.Post("/confirm/staff", testapp.Passwords("", testapp.Password)).Want(t, 422)
	c.Post("/confirm/web", testapp.Passwords("", testapp.Password)).Want(t, 204)
	c.Get("/sudo/web").Want(t, 200)
	c.Get("/sudo/staff").WantConfirmation(t)
	c.Post("/confirm/staff", testapp.Passwords("", testapp.NewPassword)).Want(t, 204)
	c.Get("/sudo/staff").Want(t, 200)
	c.Get("/sudo/web").Want(t, 200)
}

// TestLoginAndLogoutInOneRequest logs a guard in and out in one request, and then the session ends: the logout
// has taken back the login of its own request, which no session is made for.
func TestLoginAndLogoutInOneRequest(t *testing.T) {
	a := guards(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	row := testapp.RowOf(t, c)
	a.Engine.POST("/no-admin", func(c *gin.Context) {
		ctx, auth := c.Request.Context(), ginauth.From(c)
		_, in := auth.Guard("admin").LoginUsingID(ctx, "1")
		out := auth.Guard("admin").Logout(ctx)
		put := auth.Session().Put("message", "you are no administrator")
		ended, err := a.Backend.Set.Sessions.Delete(ctx, row)
		if !ended {
			t.Error("the session had ended before")
		}
		testapp.Answer(c, nil, errors.Join(in, out, put, err))
	})
	c.Post("/no-admin", nil).Want401(t)
	c.Get("/in/admin").Want401(t)
}

// TestFormerGuardKeepsNoSession logs out of the last guard that the configuration still has.
func TestFormerGuardKeepsNoSession(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{"web": {}, "former": {}}
		}), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/in/former", func(c *gin.Context) {
				res, err := ginauth.From(c).Guard("former").LoginUsingID(c.Request.Context(), "1")
				testapp.Answer(c, res, err)
			})
			r.GET("/in/former", func(c *gin.Context) {
				c.String(200, "%v", ginauth.From(c).Guard("former").Check(c.Request.Context()))
			})
		}))
		later := a.Sibling(func(c *ginauth.Config) { c.Guards = map[string]ginauth.GuardConfig{"web": {}} })
		c := a.LoggedIn(testapp.Alice)
		c.Post("/in/former", nil).Want(t, 204)
		if c.Get("/in/former").Text != "true" {
			t.Fatal("not logged in")
		}
		d := later.With(c.Session())
		d.Post("/logout", nil).Want(t, 204)
		if d.Session() != "" || a.With(c.Session()).Get("/in/former").Text != "false" {
			t.Error("the session goes on, for a guard that there is no more")
		}
	})
}

// TestSessionHasABoundedNumberOfUsers logs more users into one session than a row can name.
func TestSessionHasABoundedNumberOfUsers(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}}
		for i := range stores.MaxOwners + 1 {
			c.Guards[fmt.Sprint("g", i)] = ginauth.GuardConfig{Realm: fmt.Sprint("r", i)}
		}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		for i := range stores.MaxOwners + 1 {
			guardRoutes(a, r, fmt.Sprint("g", i))
		}
	}))
	c := a.Client()
	for i := range stores.MaxOwners {
		c.Post(fmt.Sprint("/in/g", i), nil).Want(t, 204)
	}
	c.Post(fmt.Sprint("/in/g", stores.MaxOwners), nil).Want(t, 500)
	c.Get("/in/g0").Want(t, 200)
	if !strings.Contains(a.Logs.String(), "at most") {
		t.Error("the log does not say why")
	}
}
