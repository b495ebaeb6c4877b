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
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestGuardNamedUsersHasItsOwnUsers(t *testing.T) {
	customers := newMemoryUsers()
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "users": {Users: customers}}
	}, func(_ *app, r *gin.Engine) {
		r.POST("/customers", func(c *gin.Context) {
			_, err := ginauth.From(c).Guard("users").Attempt(c.Request.Context(), ginauth.Credentials{"email": aliceEmail, "password": goodPass})
			if err != nil {
				ginauth.Abort(c, err)
			}
		})
	})
	a.client().post("/customers", nil).is401(t)
	if customers.lookups.Load() != 1 {
		t.Error("another provider was asked")
	}
}

func TestSupersededIDCannotSayGoodbye(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
			r.POST("/bye", func(c *gin.Context) {
				_ = ginauth.From(c).Logout(c.Request.Context())
				_ = ginauth.From(c).Session().Flash("notice", "bye")
				c.String(200, "you are logged out")
			})
		})
		c := a.loggedIn(aliceEmail)
		old := c.with(c.session())
		c.login(aliceEmail, goodPass).want(t, 200)
		for _, path := range []string{"/logout", "/bye", "/set?k=a&v=b"} {
			if res := old.with(old.session()).post(path, nil).want(t, 409); len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s sets %q", path, res.Header["Set-Cookie"])
			}
		}
		c.get("/me").want(t, 200)
		old.login(aliceEmail, goodPass).want(t, 200) // whoever lost the answer logs in again
		a.clock.advance(11 * time.Second)
		old = c.with(c.session())
		c.login(aliceEmail, goodPass).want(t, 200)
		a.clock.advance(11 * time.Second)
		old.post("/logout", nil).want(t, 204) // long ago, it is an unknown id
	})
}

// staffApp has two session guards, each with its own users.
func staffApp(t *testing.T, b *backend) *app {
	staff := newMemoryUsers()
	a := newApp(t, b, func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
	}, func(a *app, r *gin.Engine) {
		r.GET("/staff", a.m.Auth("staff"), me)
		r.POST("/staff-in", func(c *gin.Context) {
			_, _ = ginauth.From(c).Guard("staff").LoginUsingID(c.Request.Context(), "1")
		})
		r.POST("/staff-out-panic", func(c *gin.Context) {
			if err := ginauth.From(c).Guard("staff").Logout(c.Request.Context()); err != nil {
				t.Error(err)
			}
			panic("after the logout")
		})
	})
	u := *a.alice
	u.Name = "Staff"
	if err := staff.CreateUser(context.Background(), &u); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLoginOfOneGuardDoesNotProlongAnother(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		a := staffApp(t, b)
		c := a.loggedIn(bobEmail)
		for range 23 {
			a.clock.advance(time.Hour)
			c.get("/me").want(t, 200)
		}
		c.post("/staff-in", nil).want(t, 200)
		a.clock.advance(time.Hour + time.Second)
		c.get("/me").is401(t)
		c.get("/staff").want(t, 200)
	})
}

func TestLogoutOfOneGuardOutlivesAPanic(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		a := staffApp(t, b)
		c := a.loggedIn(bobEmail)
		c.post("/staff-in", nil).want(t, 200)
		both := c.session()
		c.post("/staff-out-panic", nil).want(t, 500)
		a.client().with(both).get("/staff").is401(t)
	})
}

func TestOuterMiddlewareTurnsAnswersInto503(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		r := gin.New()
		r.Use(func(c *gin.Context) {
			c.Next()
			if len(c.Errors) > 0 && !c.Writer.Written() {
				c.JSON(503, "sorry")
			}
		}, a.m.StartSession())
		r.GET("/x", put, func(c *gin.Context) { _ = c.Error(errors.New("x")) })
		a.srv.Config.Handler = r
		if res := a.client().get("/x").want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("a 503 sets %q", res.Header["Set-Cookie"])
		}
	})
}

func TestResponseThatHasBegun(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		var loginErr error
		a := newApp(t, b, nil, nil)
		r := gin.New()
		r.Use(func(c *gin.Context) { c.Writer.Flush() }, a.m.StartSession())
		r.GET("/x", func(c *gin.Context) { _, loginErr = ginauth.From(c).LoginUsingID(c.Request.Context(), "1") })
		a.srv.Config.Handler = r
		a.client().get("/x").want(t, 200)
		if !errors.Is(loginErr, ginauth.ErrCommitted) || strings.Contains(eventNames(a), "login") {
			t.Errorf("login into a response that has begun: %v, events %s", loginErr, eventNames(a))
		}
	})
}

func TestAuditMayLookAtTheSession(t *testing.T) {
	type key struct{}
	var seen []string
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.Audit = func(ctx context.Context, e events.Event) {
			if s, ok := ctx.Value(key{}).(func() string); ok {
				seen = append(seen, e.EventName()+s())
			}
		}
	}, nil)
	r := gin.New()
	r.Use(func(c *gin.Context) {
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), key{}, func() string { return ginauth.From(c).Session().ID()[:1] }))
	}, a.m.StartSession())
	r.GET("/x", func(c *gin.Context) { _, _ = ginauth.From(c).LoginUsingID(c.Request.Context(), "1") })
	a.srv.Config.Handler = r
	a.client().get("/x").want(t, 200)
	if len(seen) != 1 {
		t.Errorf("seen %v", seen)
	}
}

func TestSharedCachesGetNoSession(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			public := func(c *gin.Context) { c.Header("Cache-Control", "public, max-age=600") }
			r.GET("/page", public, put, func(c *gin.Context) { c.String(200, "x") })
			r.GET("/refused", public, a.m.Auth(), me)
		})
		for path, status := range map[string]int{"/page": 200, "/refused": 401} {
			if res := a.client().get(path).want(t, status); res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %q", path, res.Header.Get("Cache-Control"))
			}
		}
	})
}

func TestRouteThatCountsByTheHour(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, func(a *app, r *gin.Engine) {
		r.POST("/admin-login", a.m.ThrottleLogins(ginauth.LimitAccountAddress(3, time.Hour)), login)
	})
	a.client().login(aliceEmail, "wrong").want(t, 401)
	for i := range 20 {
		want := 401
		if i >= 3 {
			want = 429
		}
		a.client().post("/admin-login", loginForm{aliceEmail, "wrong"}).want(t, want)
		a.clock.advance(time.Minute)
	}
}

func TestSprayingInOneRequest(t *testing.T) {
	hashes := 0
	a := newApp(t, memoryBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.POST("/batch", func(c *gin.Context) {
			for i := range 20 {
				_, err := ginauth.From(c).Validate(c.Request.Context(), ginauth.Credentials{"email": fmt.Sprintf("u%s-%d@example.com", c.Query("n"), i), "password": "x"})
				if errors.Is(err, ginauth.ErrInvalidCredentials) {
					hashes++
				}
			}
			_, _ = ginauth.From(c).Attempt(c.Request.Context(), ginauth.Credentials{"email": bobEmail, "password": goodPass})
		})
	})
	for i := range 5 {
		a.client().post(fmt.Sprint("/batch?n=", i), nil)
	}
	if hashes > 30 {
		t.Errorf("%d accounts were tried from one address", hashes)
	}
}

func TestFaultsStickWithoutASession(t *testing.T) {
	b := memoryBackend(t)
	a := newApp(t, b, func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"header": {New: func(ginauth.GuardSetup) (ginauth.Guard, error) {
			return badGuard{b.users.(*memoryUsers)}, nil
		}}}
	}, nil)
	ginauth.DefineUser(a.m.Gate(), "premium", func(context.Context, *models.User) ginauth.Decision {
		return ginauth.Undecided(errors.New("CANARY"))
	})
	r := gin.New()
	r.GET("/x", a.m.Auth(), func(c *gin.Context) {
		c.String(200, "premium: %v", ginauth.From(c).Can(c.Request.Context(), "premium"))
	})
	r.GET("/panic", a.m.Auth(), func(c *gin.Context) { panic("x") })
	srv := httptest.NewTLSServer(r)
	defer srv.Close()
	a.srv = srv
	c := a.client()
	c.header.Set("X-User", "1")
	c.get("/x").want(t, 503)
}

func TestLoginIsNotPrunedWithTheGuestsSession(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		read, proceed := make(chan struct{}), make(chan struct{})
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) { slowRoute(r, read, proceed) })
		c := a.client()
		c.post("/set?k=a&v=b", nil).want(t, 204)
		for range 23 {
			a.clock.advance(time.Hour)
			c.get("/all")
		}
		a.clock.advance(55 * time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.with(c.session()).try(context.Background(), "GET", "/slow", "", "")
		}()
		<-read
		c.login(aliceEmail, goodPass).want(t, 200)
		close(proceed)
		<-done
		a.clock.advance(10 * time.Minute)
		if p, ok := b.set.Sessions.(stores.Pruner); ok {
			if _, err := p.Prune(context.Background(), a.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		c.get("/me").want(t, 200)
	})
}

func TestOutageIsWaitedForOnce(t *testing.T) {
	b, f := memoryBackend(t).faulty()
	a := newApp(t, b, func(c *ginauth.Config) { c.StoreTimeout = 100 * time.Millisecond }, func(a *app, r *gin.Engine) {
		ginauth.DefineUser(a.m.Gate(), "see", func(context.Context, *models.User) bool { return true })
		r.GET("/many", func(c *gin.Context) {
			for range 20 {
				ginauth.From(c).Can(c.Request.Context(), "see")
			}
		})
	})
	c := a.loggedIn(aliceEmail)
	f.set("user by id", faultHang)
	before := f.count("user by id")
	c.get("/many").want(t, 503)
	if n := f.count("user by id") - before; n != 1 {
		t.Errorf("the user was asked for %d times", n)
	}
	f.set("user by identifier", faultNone)
	f.set("user by id", faultRefuse)
	c.post("/logout", nil).want(t, 204)
	if !strings.Contains(eventNames(a), "logout") {
		t.Error("no logout event while users cannot be loaded")
	}
}

func TestRoomInASession(t *testing.T) {
	var errs []error
	a := newApp(t, memoryBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.POST("/big", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			big := strings.Repeat("x", 300<<10)
			errs = append(errs, s.Put("big", big), s.Put("big", big), s.Flush(), s.Put("other", big), s.Forget("other"), s.Put("big", big))
		})
		r.POST("/fill", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			errs = append(errs, s.Put("more", strings.Repeat("y", stores.MaxValues-310<<10-16<<10)))
		})
	})
	c := a.client()
	c.post("/big", nil).want(t, 200)
	c.post("/big", nil).want(t, 200)
	c.post("/fill", nil).want(t, 200)
	for i, err := range errs {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	c.login(aliceEmail, goodPass).want(t, 200) // also into a full session
	c.get("/me").want(t, 200)
}

func TestClientIPThatIsNone(t *testing.T) {
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.ClientIP = func(c *gin.Context) string { return c.GetHeader("X-Test-Ip") }
	}, nil)
	for i := range 40 {
		want := 401
		if i >= 30 {
			want = 429
		}
		a.client().from("198.51.100.7, 203.0.113.9").login(fmt.Sprintf("u%d@example.com", i), "wrong").want(t, want)
	}
}

func TestRecoveryInsideTheSession(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		r := gin.New()
		r.Use(a.m.StartSession(), a.m.Recovery())
		r.GET("/x", put, func(*gin.Context) { panic("x") })
		r.GET("/half", func(c *gin.Context) { c.String(200, "half"); c.Writer.Flush(); panic("x") })
		a.srv.Config.Handler = r
		c := a.client()
		if c.get("/x").want(t, 500); len(c.cookies) > 0 {
			t.Error("the changes of a panic were stored")
		}
		if res, err := c.try(context.Background(), "GET", "/half", "", ""); err == nil {
			t.Errorf("half a body passes for a whole one: %d %q", res.StatusCode, res.body)
		}
	})
}

func TestSessionsOutsideRequests(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.POST("/flash", func(c *gin.Context) { _ = ginauth.From(c).Session().Flash("notice", "saved") })
	})
	ctx := context.Background()
	c := a.client()
	c.post("/flash", nil).want(t, 200)
	s, err := a.m.Session(ctx, c.session())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Put("job", 1), s.Save(ctx)); err != nil {
		t.Fatal(err)
	}
	if got := c.get("/all").body; !strings.Contains(got, "saved") || !strings.Contains(got, "job") {
		t.Errorf("the user's flash message was taken: %s", got)
	}
	s, _ = a.m.Session(ctx, c.session())
	if err := errors.Join(s.Invalidate(), s.Put("x", 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx); !errors.Is(err, ginauth.ErrSessionEnded) {
		t.Errorf("saving an ended session: %v", err)
	}
}

func TestForgettingNothingWritesNothing(t *testing.T) {
	b, f := memoryBackend(t).faulty()
	a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
		r.GET("/pull", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().Pull("nothing")) })
	})
	c := a.loggedIn(aliceEmail)
	before := f.count("update")
	c.get("/pull").want(t, 200)
	if f.count("update") != before {
		t.Error("a key that is not there was removed from the store")
	}
}

func TestNextUserDoesNotSeeTheLastOnesData(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		c := a.loggedIn(aliceEmail)
		c.post("/set?k=iban&v=DE-ALICE", nil).want(t, 204)
		c.login(aliceEmail, goodPass).want(t, 200)
		if !strings.Contains(c.get("/all").body, "DE-ALICE") {
			t.Error("the same user lost her data")
		}
		c.login(bobEmail, goodPass).want(t, 200)
		if got := c.get("/all").body; got != "{}" {
			t.Errorf("Bob sees %s", got)
		}
	})
}

func TestUserWithoutAStampValue(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, nil)
	a.b.users.change(a.alice.AuthID(), func(u *models.User) { u.SecurityStamp = "" })
	if res := a.client().login(aliceEmail, goodPass).want(t, 500); len(res.Header["Set-Cookie"]) > 0 {
		t.Error("a session that ends at once was begun")
	}
	if !strings.Contains(a.logs.String(), "empty security stamp") {
		t.Error("the log does not say why")
	}
}
