package ginauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

func TestSessionIDChangesAtEachPrivilegeStep(t *testing.T) { // S02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/sudo", a.Auth(), func(c *gin.Context) {
				if err := ginauth.From(c).Session().Regenerate(); err != nil {
					ginauth.Abort(c, err)
				}
			})
		}))
		c := a.Client()
		var ids []string
		step := func(path string) {
			c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password))
			if c.Session() == "" {
				t.Fatalf("%s: no session", path)
			}
			ids = append(ids, c.Session())
		}
		for _, path := range []string{"/set?k=a&v=b", "/login", "/sudo", "/login"} {
			step(path)
		}
		last := c.Session()
		c.Post("/logout", nil).Want(t, 204)
		if c.Session() != "" {
			t.Fatal("logout left the cookie")
		}
		step("/set?k=a&v=b")
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id] {
				t.Fatal("an id was used twice")
			}
			seen[id] = true
			a.Client().With(id).Get("/me").Want401(t)
		}
		a.Client().With(last).Get("/me").Want401(t)
	})
}

// A single-page application whose requests race with a new id must not take one for the end of the
// login.
func TestReplacedIDIsNoLogout(t *testing.T) { // S01, S02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/renew", func(c *gin.Context) {
				if err := ginauth.From(c).Session().Regenerate(); err != nil {
					ginauth.Abort(c, err)
				}
			})
			r.GET("/maybe", func(c *gin.Context) {
				c.JSON(200, ginauth.From(c).Check(c.Request.Context()))
			})
		}))
		c := a.Client()
		c.Post("/set?k=a&v=b", nil).Want(t, 204)
		guest := c.Session()
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		a.With(guest).Get("/me").Want401(t) // it never opened the login
		for name, change := range map[string]func() *testapp.Response{
			"confirm":     func() *testapp.Response { return c.Confirm(testapp.Password) },
			"login again": func() *testapp.Response { return c.LogIn(testapp.Alice, testapp.Password) },
			"new id":      func() *testapp.Response { return c.Post("/renew", nil) },
		} {
			before := c.Session()
			if res := change(); res.StatusCode >= 300 || c.Session() == before {
				t.Fatalf("%s: %d", name, res.StatusCode)
			}
			if got := a.With(before).Get("/maybe").Want(t, 200).Text; got != "false" {
				t.Errorf("%s: the earlier id still opens the login", name)
			}
			a.WantReplaced(before, "/me")
		}
		before := c.Session()
		c.LogIn(testapp.Bob, testapp.Password).Want(t, 200)
		a.With(before).Get("/me").Want401(t) // another user's login
		before = c.Session()
		c.Confirm(testapp.Password).Want(t, 204)
		c.Post("/logout", nil).Want(t, 204)
		a.With(before).Get("/me").Want401(t)
	})
}

func TestPreLoginDataSurvives(t *testing.T) { // S03
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Client()
		c.Post("/set?k=cart&v=book", nil).Want(t, 204)
		c.Post("/set?k=_ginauth.login.web&v=1", nil).Want(t, 422)
		c.Post("/set?k=_ginauth.x&v=1", nil).Want(t, 422)
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if got := c.Get("/all").Want(t, 200).Text; got != `{"cart":"book"}` {
			t.Fatalf("after login the session holds %s", got)
		}
	})
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

func TestLogoutEndsSession(t *testing.T) { // S04, C03
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		old := c.Session()
		res := c.Post("/logout", nil).Want(t, 204)
		line := res.SetCookie(t, testapp.SessionCookie)
		for _, part := range []string{"Path=/", "Secure", "HttpOnly", "Max-Age=0", "SameSite=Lax"} {
			if !strings.Contains(line, part) {
				t.Errorf("deleting cookie %q lacks %s", line, part)
			}
		}
		a.Client().With(old).Get("/me").Want401(t)
		c.Post("/logout", nil).Want(t, 204)
		if got := a.EventNames(); strings.Count(got, "logout") != 1 {
			t.Errorf("events %s, want one logout", got)
		}
	})
}

func TestSupersededIDIsAConflict(t *testing.T) {
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

func TestSessionEndsAtIdleAndAbsoluteTimeout(t *testing.T) { // S07, S08, S09
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		const idle, absolute = 2 * time.Hour, 24 * time.Hour
		c := a.LoggedIn(testapp.Alice)
		a.Clock.Advance(idle - time.Second)
		c.Get("/me").Want(t, 200)
		a.Clock.Advance(idle - time.Second)
		c.Get("/me").Want(t, 200)
		a.Clock.Advance(idle + time.Second)
		c.Get("/me").Want401(t)

		c = a.LoggedIn(testapp.Alice)
		for range int(absolute/(idle/2)) - 1 {
			a.Clock.Advance(idle / 2)
			c.Get("/me").Want(t, 200)
		}
		a.Clock.Advance(idle/2 + time.Second)
		c.Get("/me").Want401(t)
		if p, ok := b.Set.Sessions.(stores.Pruner); ok {
			if _, err := p.Prune(context.Background(), a.Clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		c.Get("/me").Want401(t)
	})
}

func TestAbsoluteTimeoutBeginsWithTheLogin(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Client()
		c.Post("/set?k=cart&v=1", nil).Want(t, 204)
		for range 23 {
			a.Clock.Advance(time.Hour)
			c.Get("/all").Want(t, 200)
		}
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		for range 23 {
			a.Clock.Advance(time.Hour)
			c.Get("/me").Want(t, 200)
		}
		a.Clock.Advance(time.Hour)
		c.Get("/me").Want401(t)
	})
}

func TestSessionSurvivesAClockThatSteps(t *testing.T) { // F13
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		a.Clock.Advance(-time.Hour)
		c.Get("/me").Want(t, 200)
		a.Clock.Advance(2 * time.Hour)
		c.Get("/me").Want(t, 200)
		a.Clock.Advance(24 * time.Hour)
		c.Get("/me").Want401(t)
	})
}

func TestSessionIDsAreRandom(t *testing.T) { // S10
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "they have no id")
		a := testapp.New(t, b)
		n, margin := 10_000, 0.025 // five standard deviations
		if b.Name != "memory" || testing.Short() {
			n, margin = 1000, 0.08
		}
		seen := make(map[string]bool, n)
		var ones [48 * 8]int
		c := a.Client()
		for range n {
			c.Cookies = map[string]string{}
			c.Post("/set?k=a&v=b", nil).Want(t, 204)
			id, err := base64.RawURLEncoding.DecodeString(c.Session())
			if err != nil || len(id) != 48 {
				t.Fatalf("id %q: %v", c.Session(), err)
			}
			if seen[c.Session()] {
				t.Fatal("an id came twice")
			}
			seen[c.Session()] = true
			for i := range ones {
				ones[i] += int(id[i/8] >> (i % 8) & 1)
			}
		}
		for i, count := range ones {
			if f := float64(count) / float64(n); math.Abs(f-0.5) > margin {
				t.Errorf("bit %d is set in %.3f of all ids", i, f)
			}
		}
	})
}

func TestSessionIDNamesAndOpensNothing(t *testing.T) {
	var name string
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/id", func(c *gin.Context) { name = ginauth.From(c).Session().ID(); c.Status(200) })
	}))
	c := a.Client()
	c.Get("/id").Want(t, 200)
	if name != "" || c.Session() != "" {
		t.Fatal("asking for an id started a session")
	}
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	c.Get("/id").Want(t, 200)
	if name == "" || strings.Contains(c.Session(), name) {
		t.Fatalf("name %q", name)
	}
	a.Client().With(name).Get("/me").Want401(t)

	ctx := context.Background()
	for _, id := range []string{name, c.Session()} {
		s, err := a.Session(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put("from outside", id); err != nil {
			t.Fatal(err)
		}
		if err := s.Regenerate(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a new id outside a request: %v", err)
		}
		if err := s.Save(ctx); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(c.Get("/all").Text, "from outside") {
			t.Error("the change is not there")
		}
	}
	old := name
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	for _, id := range []string{old, "", "x", "../../x", strings.Repeat("a", 5000)} {
		if _, err := a.Session(ctx, id); !errors.Is(err, ginauth.ErrSessionEnded) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	s, err := a.Session(ctx, c.Session())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Invalidate(); err != nil {
		t.Fatal(err)
	}
	c.Get("/me").Want401(t)
}

func TestSessionsCanBeChangedOutsideRequests(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/flash", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			_ = errors.Join(s.Put("kept", true), s.Flash("notice", "saved"))
		})
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

func TestSessionsMoveToNewKey(t *testing.T) { // C09
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		newKey := ginauth.NewKey()
		first := testapp.New(t, b)
		c, stays := first.LoggedIn(testapp.Alice), first.LoggedIn(testapp.Alice)
		second := first.Sibling(func(cfg *ginauth.Config) { cfg.Key, cfg.PreviousKeys = newKey, []ginauth.Key{testapp.Key} })
		moved := second.Client().With(c.Session())
		moved.Get("/me").Want(t, 200)
		third := first.Sibling(func(cfg *ginauth.Config) { cfg.Key = newKey })
		third.Client().With(moved.Session()).Get("/me").Want(t, 200)
		third.Client().With(stays.Session()).Get("/me").Want401(t)
	})
}

func TestResponsesOfSessionsAreNotCached(t *testing.T) { // C07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/own", a.Auth(), func(c *gin.Context) {
				c.Header("Cache-Control", "private, max-age=5")
				c.Header("Vary", "Accept, cookie")
				c.String(200, "x")
			})
		}))
		c := a.Client()
		for _, res := range []*testapp.Response{c.LogIn(testapp.Alice, testapp.Password), c.Get("/me"), c.Post("/logout", nil), c.Get("/me")} {
			if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Vary") != "Cookie" {
				t.Errorf("%s: %v", res.Request.URL, res.Header)
			}
		}
		c.LogIn(testapp.Alice, testapp.Password)
		res := c.Get("/own").Want(t, 200)
		if res.Header.Get("Cache-Control") != "private, max-age=5" || len(res.Header["Vary"]) != 1 {
			t.Errorf("the handler's own headers: %v", res.Header)
		}
	})
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
