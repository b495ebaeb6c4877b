package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

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

func TestSupersededIDCannotSayGoodbye(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/bye", func(c *gin.Context) {
				_ = ginauth.From(c).Logout(c.Request.Context())
				_ = ginauth.From(c).Session().Flash("notice", "bye")
				c.String(200, "you are logged out")
			})
		}))
		c := a.LoggedIn(testapp.Alice)
		old := c.With(c.Session())
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		for _, path := range []string{"/logout", "/bye", "/set?k=a&v=b"} {
			if res := old.With(old.Session()).Post(path, nil).Want(t, 409); len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s sets %q", path, res.Header["Set-Cookie"])
			}
		}
		c.Get("/me").Want(t, 200)
		old.LogIn(testapp.Alice, testapp.Password).Want(t, 200) // whoever lost the answer logs in again
		a.Clock.Advance(11 * time.Second)
		old = c.With(c.Session())
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		a.Clock.Advance(11 * time.Second)
		old.Post("/logout", nil).Want(t, 204) // long ago, it is an unknown id
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

func TestOuterMiddlewareTurnsAnswersInto503(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		r := gin.New()
		r.Use(func(c *gin.Context) {
			c.Next()
			if len(c.Errors) > 0 && !c.Writer.Written() {
				c.JSON(503, "sorry")
			}
		}, a.StartSession())
		r.GET("/x", testapp.Put, func(c *gin.Context) { _ = c.Error(errors.New("x")) })
		a.Serve(r)
		if res := a.Client().Get("/x").Want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("a 503 sets %q", res.Header["Set-Cookie"])
		}
	})
}

func TestResponseThatHasBegun(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		var loginErr error
		a := testapp.New(t, b)
		r := gin.New()
		r.Use(func(c *gin.Context) { c.Writer.Flush() }, a.StartSession())
		r.GET("/x", func(c *gin.Context) { _, loginErr = ginauth.From(c).LoginUsingID(c.Request.Context(), "1") })
		a.Serve(r)
		a.Client().Get("/x").Want(t, 200)
		if !errors.Is(loginErr, ginauth.ErrCommitted) || strings.Contains(a.EventNames(), "login") {
			t.Errorf("login into a response that has begun: %v, events %s", loginErr, a.EventNames())
		}
	})
}

func TestAuditMayLookAtTheSession(t *testing.T) {
	type key struct{}
	var seen []string
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Audit = func(ctx context.Context, e events.Event) {
			if s, ok := ctx.Value(key{}).(func() string); ok {
				seen = append(seen, e.EventName()+s())
			}
		}
	}))
	r := gin.New()
	r.Use(func(c *gin.Context) {
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), key{}, func() string { return ginauth.From(c).Session().ID()[:1] }))
	}, a.StartSession())
	r.GET("/x", func(c *gin.Context) { _, _ = ginauth.From(c).LoginUsingID(c.Request.Context(), "1") })
	a.Serve(r)
	a.Client().Get("/x").Want(t, 200)
	if len(seen) != 1 {
		t.Errorf("seen %v", seen)
	}
}

func TestSharedCachesGetNoSession(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			public := func(c *gin.Context) { c.Header("Cache-Control", "public, max-age=600") }
			r.GET("/page", public, testapp.Put, func(c *gin.Context) { c.String(200, "x") })
			r.GET("/refused", public, a.Auth(), testapp.Me)
		}))
		for path, status := range map[string]int{"/page": 200, "/refused": 401} {
			if res := a.Client().Get(path).Want(t, status); res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %q", path, res.Header.Get("Cache-Control"))
			}
		}
	})
}

func TestRouteThatCountsByTheHour(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/admin-login", a.ThrottleLogins(ginauth.LimitAccountAddress(3, time.Hour)), testapp.Login)
	}))
	a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
	for i := range 20 {
		want := 401
		if i >= 3 {
			want = 429
		}
		a.Client().Post("/admin-login", testapp.Credentials(testapp.Alice, "wrong")).Want(t, want)
		a.Clock.Advance(time.Minute)
	}
}

func TestSprayingInOneRequest(t *testing.T) {
	hashes := 0
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/batch", func(c *gin.Context) {
			for i := range 20 {
				_, err := ginauth.From(c).Validate(c.Request.Context(), ginauth.Credentials{"email": fmt.Sprintf("u%s-%d@example.com", c.Query("n"), i), "password": "x"})
				if errors.Is(err, ginauth.ErrInvalidCredentials) {
					hashes++
				}
			}
			_, _ = ginauth.From(c).Attempt(c.Request.Context(), ginauth.Credentials{"email": testapp.Bob, "password": testapp.Password})
		})
	}))
	for i := range 5 {
		a.Client().Post(fmt.Sprint("/batch?n=", i), nil)
	}
	if hashes > 30 {
		t.Errorf("%d accounts were tried from one address", hashes)
	}
}

func TestFaultsStickWithoutASession(t *testing.T) {
	b := testapp.Memory(t)
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"header": {New: func(ginauth.GuardSetup) (ginauth.Guard, error) {
			return badGuard{b.Users}, nil
		}}}
	}))
	ginauth.DefineUser(a.Gate(), "premium", func(context.Context, *models.User) ginauth.Decision {
		return ginauth.Undecided(errors.New("CANARY"))
	})
	r := gin.New()
	r.GET("/x", a.Auth(), func(c *gin.Context) {
		c.String(200, "premium: %v", ginauth.From(c).Can(c.Request.Context(), "premium"))
	})
	r.GET("/panic", a.Auth(), func(c *gin.Context) { panic("x") })
	srv := httptest.NewTLSServer(r)
	defer srv.Close()
	a.Server = srv
	c := a.Client()
	c.Header.Set("X-User", "1")
	c.Get("/x").Want(t, 503)
}

func TestLoginIsNotPrunedWithTheGuestsSession(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Client()
		c.Post("/set?k=a&v=b", nil).Want(t, 204)
		for range 23 {
			a.Clock.Advance(time.Hour)
			c.Get("/all")
		}
		a.Clock.Advance(55 * time.Minute)
		result := c.With(c.Session()).Start("GET", "/slow")
		a.Slow.Arrived()
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		a.Slow.Release()
		<-result
		a.Clock.Advance(10 * time.Minute)
		if p, ok := b.Set.Sessions.(stores.Pruner); ok {
			if _, err := p.Prune(context.Background(), a.Clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		c.Get("/me").Want(t, 200)
	})
}

func TestOutageIsWaitedForOnce(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.StoreTimeout = 100 * time.Millisecond }), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		ginauth.DefineUser(a.Gate(), "see", func(context.Context, *models.User) bool { return true })
		r.GET("/many", func(c *gin.Context) {
			for range 20 {
				ginauth.From(c).Can(c.Request.Context(), "see")
			}
		})
	}))
	c := a.LoggedIn(testapp.Alice)
	f.Set(testapp.Hang, testapp.UserByID)
	before := f.Count(testapp.UserByID)
	c.Get("/many").Want(t, 503)
	if n := f.Count(testapp.UserByID) - before; n != 1 {
		t.Errorf("the user was asked for %d times", n)
	}
	f.Clear()
	f.Set(testapp.Refuse, testapp.UserByID)
	c.Post("/logout", nil).Want(t, 204)
	if !strings.Contains(a.EventNames(), "logout") {
		t.Error("no logout event while users cannot be loaded")
	}
}

func TestRoomInASession(t *testing.T) {
	var errs []error
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/big", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			big := strings.Repeat("x", 300<<10)
			errs = append(errs, s.Put("big", big), s.Put("big", big), s.Flush(), s.Put("other", big), s.Forget("other"), s.Put("big", big))
		})
		r.POST("/fill", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			errs = append(errs, s.Put("more", strings.Repeat("y", stores.MaxValues-310<<10-16<<10)))
		})
	}))
	c := a.Client()
	c.Post("/big", nil).Want(t, 200)
	c.Post("/big", nil).Want(t, 200)
	c.Post("/fill", nil).Want(t, 200)
	for i, err := range errs {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 200) // also into a full session
	c.Get("/me").Want(t, 200)
}

func TestClientIPThatIsNone(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.ClientIP = func(c *gin.Context) string { return c.GetHeader("X-Test-Ip") }
	}))
	for i := range 40 {
		want := 401
		if i >= 30 {
			want = 429
		}
		a.Client().From("198.51.100.7, 203.0.113.9").LogIn(fmt.Sprintf("u%d@example.com", i), "wrong").Want(t, want)
	}
}

func TestRecoveryInsideTheSession(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		r := gin.New()
		r.Use(a.StartSession(), a.Recovery())
		r.GET("/x", testapp.Put, func(*gin.Context) { panic("x") })
		r.GET("/half", func(c *gin.Context) { c.String(200, "half"); c.Writer.Flush(); panic("x") })
		a.Serve(r)
		c := a.Client()
		if c.Get("/x").Want(t, 500); len(c.Cookies) > 0 {
			t.Error("the changes of a panic were stored")
		}
		if res, err := c.Try(context.Background(), "GET", "/half", "", ""); err == nil {
			t.Errorf("half a body passes for a whole one: %d %q", res.StatusCode, res.Text)
		}
	})
}

func TestSessionsOutsideRequests(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/flash", func(c *gin.Context) { _ = ginauth.From(c).Session().Flash("notice", "saved") })
	}))
	ctx := context.Background()
	c := a.Client()
	c.Post("/flash", nil).Want(t, 200)
	s, err := a.Session(ctx, c.Session())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Put("job", 1), s.Save(ctx)); err != nil {
		t.Fatal(err)
	}
	if got := c.Get("/all").Text; !strings.Contains(got, "saved") || !strings.Contains(got, "job") {
		t.Errorf("the user's flash message was taken: %s", got)
	}
	s, _ = a.Session(ctx, c.Session())
	if err := errors.Join(s.Invalidate(), s.Put("x", 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx); !errors.Is(err, ginauth.ErrSessionEnded) {
		t.Errorf("saving an ended session: %v", err)
	}
}

func TestForgettingNothingWritesNothing(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/pull", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().Pull("nothing")) })
	}))
	c := a.LoggedIn(testapp.Alice)
	before := f.Count(testapp.UpdateSession)
	c.Get("/pull").Want(t, 200)
	if f.Count(testapp.UpdateSession) != before {
		t.Error("a key that is not there was removed from the store")
	}
}

func TestNextUserDoesNotSeeTheLastOnesData(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		c.Post("/set?k=iban&v=DE-ALICE", nil).Want(t, 204)
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if !strings.Contains(c.Get("/all").Text, "DE-ALICE") {
			t.Error("the same user lost her data")
		}
		c.LogIn(testapp.Bob, testapp.Password).Want(t, 200)
		if got := c.Get("/all").Text; got != "{}" {
			t.Errorf("Bob sees %s", got)
		}
	})
}

func TestUserWithoutAStampValue(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "" })
	if res := a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 500); len(res.Header["Set-Cookie"]) > 0 {
		t.Error("a session that ends at once was begun")
	}
	if !strings.Contains(a.Logs.String(), "empty security stamp") {
		t.Error("the log does not say why")
	}
}
