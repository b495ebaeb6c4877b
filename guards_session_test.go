package ginauth_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestTwoGuardsShareOneSession(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		staff := new(ginauthtest.Users)
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/staff", a.Auth("staff"), testapp.Me)
			r.POST("/staff-in", func(c *gin.Context) {
				if _, err := ginauth.From(c).Guard("staff").LoginUsingID(c.Request.Context(), "1"); err != nil {
					t.Error(err)
				}
			})
			r.POST("/staff-out", func(c *gin.Context) {
				if err := ginauth.From(c).Guard("staff").Logout(c.Request.Context()); err != nil {
					t.Error(err)
				}
			})
		}))
		u := *a.Alice
		u.Name = "Staff"
		if err := staff.CreateUser(context.Background(), &u); err != nil {
			t.Fatal(err)
		}
		c := a.LoggedIn(testapp.Bob)
		c.Get("/staff").Want401(t)
		c.Post("/staff-in", nil).Want(t, 200)
		both := c.Session()
		if c.Get("/staff").Want(t, 200).UserName(t) != "Staff" || c.Get("/me").Want(t, 200).UserName(t) != "Bob" {
			t.Error("two guards in one session")
		}
		c.Post("/staff-out", nil).Want(t, 200)
		c.Get("/staff").Want401(t)
		if c.Get("/me").Want(t, 200).UserName(t) != "Bob" || c.Session() == both {
			t.Error("leaving one guard")
		}
		a.Client().With(both).Get("/me").Want401(t)
		c.Post("/logout", nil).Want(t, 204)
		if c.Get("/me").Want401(t); c.Session() != "" {
			t.Error("the last guard's logout left a session")
		}
	})
}

// staffApp has two session guards, each with its own users.
func staffApp(t *testing.T, b *testapp.Backend) *testapp.App {
	staff := new(ginauthtest.Users)
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.GET("/staff", a.Auth("staff"), testapp.Me)
		r.POST("/staff-in", func(c *gin.Context) {
			_, _ = ginauth.From(c).Guard("staff").LoginUsingID(c.Request.Context(), "1")
		})
		r.POST("/staff-out-panic", func(c *gin.Context) {
			if err := ginauth.From(c).Guard("staff").Logout(c.Request.Context()); err != nil {
				t.Error(err)
			}
			panic("after the logout")
		})
	}))
	u := *a.Alice
	u.Name = "Staff"
	if err := staff.CreateUser(context.Background(), &u); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLoginOfOneGuardDoesNotProlongAnother(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := staffApp(t, b)
		c := a.LoggedIn(testapp.Bob)
		for range 23 {
			a.Clock.Advance(time.Hour)
			c.Get("/me").Want(t, 200)
		}
		c.Post("/staff-in", nil).Want(t, 200)
		a.Clock.Advance(time.Hour + time.Second)
		c.Get("/me").Want401(t)
		c.Get("/staff").Want(t, 200)
	})
}

func TestLogoutOfOneGuardOutlivesAPanic(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := staffApp(t, b)
		c := a.LoggedIn(testapp.Bob)
		c.Post("/staff-in", nil).Want(t, 200)
		both := c.Session()
		c.Post("/staff-out-panic", nil).Want(t, 500)
		a.Client().With(both).Get("/staff").Want401(t)
	})
}

// guards starts an application with three guards that keep logins in sessions:
// "web" and "admin" have the same users, "staff" has its own. Each logs its
// first user in.
func guards(t *testing.T) *testapp.App {
	staff := new(ginauthtest.Users)
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "admin": {}, "staff": {Users: staff}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		for _, guard := range []string{"web", "admin", "staff"} {
			r.GET("/in/"+guard, a.Auth(guard), testapp.Me)
			r.POST("/in/"+guard, func(c *gin.Context) {
				res, err := ginauth.From(c).Guard(guard).LoginUsingID(c.Request.Context(), "1", ginauth.Remember())
				testapp.Answer(c, res, err)
			})
			r.DELETE("/in/"+guard, func(c *gin.Context) {
				testapp.Answer(c, nil, ginauth.From(c).Guard(guard).Logout(c.Request.Context()))
			})
		}
	}))
	boss := &models.User{Name: "Boss", Email: testapp.Alice, Password: "x"}
	if err := staff.CreateUser(t.Context(), boss); err != nil || boss.AuthID() != a.Alice.AuthID() {
		t.Fatal(boss, err)
	}
	return a
}

func cookieOf(guard string) string { return testapp.SessionCookie + "_remember_" + guard }

func TestRememberCookieIsOfOneGuard(t *testing.T) { // S19
	a := guards(t)
	for _, from := range []string{"web", "admin", "staff"} {
		c := a.Client()
		c.Post("/in/"+from, nil).Want(t, 204)
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
	a := guards(t)
	c := a.Client()
	c.Post("/in/web", nil).Want(t, 204)
	c.Post("/in/staff", nil).Want(t, 204)
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
	back.Do("DELETE", "/in/web", "", "").Want(t, 204)
	back.Get("/in/web").Want401(t)
	back.Get("/in/staff").Want(t, 200)
	if back.Cookies[cookieOf("staff")] == "" || back.Cookies[cookieOf("web")] != "" {
		t.Errorf("cookies %v", back.Cookies)
	}
	a.WithCookie(cookieOf("web"), web).Get("/in/web").Want401(t)
	back.Only(cookieOf("staff")).Get("/in/staff").Want(t, 200)
}

func TestRevokeUserLeavesOtherGuardsAlone(t *testing.T) {
	a := guards(t)
	c := a.Client()
	c.Post("/in/web", nil).Want(t, 204)
	c.Post("/in/staff", nil).Want(t, 204)
	if err := a.RevokeUser(t.Context(), "web", "1"); err != nil {
		t.Fatal(err)
	}
	c.Get("/in/web").Want401(t)
	c.Get("/in/staff").Want(t, 200)
	testapp.MustPanic(t, `no guard is named "typo"`, func() { _ = a.RevokeUser(t.Context(), "typo", "1") })
}

// A password may be right for one guard's user and not for another's.
func TestConfirmPasswordIsOfOneGuard(t *testing.T) {
	staff := new(ginauthtest.Users)
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/enter", func(c *gin.Context) {
			for _, guard := range []string{"web", "staff"} {
				if _, err := ginauth.From(c).Guard(guard).LoginUsingID(c.Request.Context(), "1"); err != nil {
					t.Error(err)
				}
			}
		})
		for _, guard := range []string{"web", "staff"} {
			r.GET("/sudo/"+guard, a.Auth(guard), a.ConfirmPassword(), testapp.Me)
			r.POST("/confirm/"+guard, a.Auth(guard), func(c *gin.Context) {
				testapp.Answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), c.Query("password")))
			})
		}
	}))
	boss := &models.User{Name: "Boss", Email: "boss@example.com"}
	boss.Password, _ = a.Hasher().Hash(t.Context(), testapp.NewPassword)
	if err := staff.CreateUser(t.Context(), boss); err != nil {
		t.Fatal(err)
	}
	c := a.Client()
	c.Post("/enter", nil).Want(t, 200)
	c.Post("/confirm/staff?password="+strings.ReplaceAll(testapp.Password, " ", "+"), nil).Want(t, 422)
	c.Post("/confirm/web?password="+strings.ReplaceAll(testapp.Password, " ", "+"), nil).Want(t, 204)
	c.Get("/sudo/web").Want(t, 200)
	c.Get("/sudo/staff").WantConfirmation(t)
	c.Post("/confirm/staff?password="+strings.ReplaceAll(testapp.NewPassword, " ", "+"), nil).Want(t, 204)
	c.Get("/sudo/staff").Want(t, 200)
	c.Get("/sudo/web").Want(t, 200)
}
