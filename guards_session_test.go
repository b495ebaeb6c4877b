package ginauth_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
)

// guards starts an application with three guards that keep logins in sessions:
// "web" and "admin" have the same users, "staff" has its own. Each has routes that
// log its first user in, with ?remember=1 also for later, and out.
func guards(t *testing.T, b *testapp.Backend) *testapp.App {
	t.Helper()
	staff := new(ginauthtest.Users)
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "admin": {}, "staff": {Users: staff}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		for _, guard := range []string{"web", "admin", "staff"} {
			guardRoutes(a, r, guard)
		}
	}))
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
		a.With(both).Get("/in/web").Want401(t)
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
