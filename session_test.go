package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestPlantedSessionIDIsNotAdopted(t *testing.T) { // S01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		deleted := a.LoggedIn(testapp.Alice)
		old := deleted.Session()
		deleted.Post("/logout", nil).Want(t, 204)
		anonymous := a.Client()
		anonymous.Post("/set?k=cart&v=1", nil).Want(t, 204)
		for name, planted := range map[string]string{
			"never issued": base64.RawURLEncoding.EncodeToString(make([]byte, 48)),
			"deleted":      old,
			"anonymous":    anonymous.Session(),
		} {
			t.Run(name, func(t *testing.T) {
				c := a.Client().With(planted)
				c.Get("/").Want(t, 200)
				c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
				if c.Session() == planted {
					t.Fatal("the login kept the planted id")
				}
				a.Client().With(planted).Get("/me").Want401(t)
				if got := c.Get("/me").Want(t, 200).UserName(t); got != "Alice" {
					t.Fatalf("user %q", got)
				}
			})
		}
	})
}

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

func TestLogoutEndsTheServerSide(t *testing.T) { // S04, C03
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

func TestInFlightRequestRevivesNothing(t *testing.T) { // S05, S06, S17
	endings := map[string]func(a *testapp.App, c *testapp.Client, u *models.User){
		"logout": func(a *testapp.App, c *testapp.Client, _ *models.User) { c.Post("/logout", nil).Want(a, 204) },
		"password change": func(a *testapp.App, c *testapp.Client, u *models.User) {
			if _, err := a.Backend.Users.ChangePassword(context.Background(), u.AuthID(), u.SecurityStamp, u.Password, "another"); err != nil {
				a.Fatal(err)
			}
		},
		"disabled": func(a *testapp.App, c *testapp.Client, u *models.User) {
			now := a.Clock.Now()
			a.Backend.Users.Change(u.AuthID(), func(u *models.User) { u.DisabledAt = &now })
		},
	}
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for name, end := range endings {
			t.Run(name, func(t *testing.T) {
				email := strings.ReplaceAll(name, " ", "-") + "@example.com"
				u := a.AddUser(name, email, testapp.Password)
				c := a.LoggedIn(email)
				old := c.Session()
				result := a.With(old).Start("GET", "/slow")
				a.Slow.Arrived()
				end(a, c, u)
				a.Slow.Release()
				res := <-result
				if name == "logout" {
					res.Want401(t)
					if len(res.Header["Set-Cookie"]) > 0 {
						t.Errorf("the late request sets %q", res.Header["Set-Cookie"])
					}
				}
				a.Client().With(old).Get("/me").Want401(t)
			})
		}
	})
}

func TestIdleAndAbsoluteTimeout(t *testing.T) { // S07, S08, S09
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

func TestSessionIDEntropy(t *testing.T) { // S10
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

func TestTwoCookiesOfOneName(t *testing.T) { // S15
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice, bob := a.LoggedIn(testapp.Alice).Session(), a.LoggedIn(testapp.Bob).Session()
		for _, order := range [][2]string{{alice, bob}, {bob, alice}} {
			c := a.Client()
			c.Header.Set("Cookie", testapp.SessionCookie+"="+order[0]+"; "+testapp.SessionCookie+"="+order[1])
			c.Get("/me").Want401(t)
		}
		c := a.Client()
		c.Header["Cookie"] = []string{testapp.SessionCookie + "=" + alice, testapp.SessionCookie + "=" + bob}
		c.Get("/me").Want401(t)
		c.Header["Cookie"] = []string{testapp.SessionCookie + "=" + alice + ";" + testapp.SessionCookie + "=" + alice}
		c.Get("/me").Want(t, 200)
	})
}

func TestNoLeakBetweenRequests(t *testing.T) { // S18
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		users, requests := 200, 100
		if b.Name != "memory" || testing.Short() {
			users, requests = 50, 20
		}
		for i := range users {
			a.AddUser(fmt.Sprint("user", i), fmt.Sprintf("u%d@example.com", i), testapp.Password)
		}
		testapp.Race(users, func(i int) {
			c := a.Client()
			res, err := c.Try(context.Background(), "POST", "/login", "application/json",
				fmt.Sprintf(`{"email":"u%d@example.com","password":%q}`, i, testapp.Password))
			if err != nil || res.StatusCode != 200 {
				t.Errorf("login %d: %v %v", i, res, err)
				return
			}
			for range requests {
				res, err := c.Try(context.Background(), "GET", "/me", "", "")
				if err != nil || res.StatusCode != 200 || !strings.Contains(res.Text, fmt.Sprintf(`"user%d"`, i)) {
					t.Errorf("user %d got %v %v", i, res, err)
					return
				}
			}
		})
	})
}

func TestValuesComeBackAsTheTypeTheyWere(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		type cart struct {
			Items []string
			Total float64
		}
		when := time.Date(2030, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
		values := map[string]any{
			"bool": true, "int": 42, "int8": int8(-8), "int64": int64(1 << 60), "uint": uint(7), "uint64": uint64(1 << 63),
			"float32": float32(1.5), "float64": 2.25, "string": "text\x00é", "bytes": []byte{0, 1, 255}, "time": when,
		}
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/put", func(c *gin.Context) {
				s := ginauth.From(c).Session()
				for key, value := range values {
					if err := s.Put(key, value); err != nil {
						t.Error(err)
					}
				}
				if err := s.Put("cart", cart{[]string{"book"}, 9.5}); err != nil {
					t.Error(err)
				}
				err := s.Put("channel", make(chan int))
				if err == nil || !strings.Contains(err.Error(), `"channel"`) {
					t.Errorf("a channel was stored: %v", err)
				}
			})
			r.GET("/check", func(c *gin.Context) {
				s := ginauth.From(c).Session()
				for key, want := range values {
					got := s.Get(key)
					if w, ok := want.(time.Time); ok {
						if g, ok := got.(time.Time); !ok || !g.Equal(w) {
							t.Errorf("%s: got %v, want %v", key, got, want)
						}
					} else if fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", want, want) {
						t.Errorf("%s: got %T %v, want %T %v", key, got, got, want, want)
					}
				}
				if got, ok := ginauth.Value[cart](s, "cart"); !ok || got.Total != 9.5 || got.Items[0] != "book" {
					t.Errorf("cart: %v %v", got, ok)
				}
				if _, ok := ginauth.Value[int](s, "string"); ok {
					t.Error("a string was read as an int")
				}
				if _, ok := s.Get("cart").(json.RawMessage); !ok {
					t.Errorf("Get of a struct returns %T", s.Get("cart"))
				}
			})
		}))
		c := a.Client()
		c.Post("/put", nil).Want(t, 200)
		c.Get("/check").Want(t, 200)
	})
}

func TestSessionMethods(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/1", func(c *gin.Context) {
				s := ginauth.From(c).Session()
				_, _ = s.Increment("n", 5)
				if n, err := s.Decrement("n", 2); n != 3 || err != nil {
					t.Errorf("decrement: %d, %v", n, err)
				}
				if _, err := s.Increment("text", 1); err != nil {
					t.Error(err)
				}
				_ = s.Put("text", "x")
				if _, err := s.Increment("text", 1); !errors.Is(err, ginauth.ErrInvalidInput) {
					t.Errorf("a text was incremented: %v", err)
				}
				_ = s.Push("list", "a")
				_ = s.Push("list", "b")
				_ = s.Flash("notice", "saved")
				_ = s.Flash("kept", "yes")
				_ = s.Now("now", 1)
				if !s.Has("now") || s.Get("notice") != "saved" {
					t.Error("a flashed value is not there at once")
				}
			})
			r.POST("/2", func(c *gin.Context) {
				s := ginauth.From(c).Session()
				if s.Has("now") {
					t.Error("a value of one request reached the next")
				}
				if list, ok := ginauth.Value[[]string](s, "list"); !ok || len(list) != 2 || list[1] != "b" {
					t.Errorf("list %v", list)
				}
				if s.Get("notice") != "saved" {
					t.Error("the flashed value is gone before its request")
				}
				if s.Pull("text") != "x" || s.Has("text") {
					t.Error("Pull did not remove")
				}
				_ = s.Keep("kept")
			})
			r.POST("/3", func(c *gin.Context) {
				s := ginauth.From(c).Session()
				if s.Has("notice") || s.Has("text") || s.Get("kept") != "yes" {
					t.Errorf("after the second request: %v", s.All())
				}
				_ = s.Reflash()
			})
			r.POST("/4", func(c *gin.Context) {
				s := ginauth.From(c).Session()
				if s.Get("kept") != "yes" {
					t.Error("Reflash did not keep")
				}
				_ = s.Forget("list")
			})
			r.POST("/5", func(c *gin.Context) {
				s := ginauth.From(c).Session()
				if s.Has("kept") || s.Has("list") {
					t.Errorf("at the end: %v", s.All())
				}
				_ = s.Flush()
				if len(s.All()) != 0 {
					t.Error("Flush left something")
				}
			})
		}))
		c := a.Client()
		for _, path := range []string{"/1", "/2", "/3", "/4", "/5"} {
			c.Post(path, nil).Want(t, 200)
		}
		if got := c.Get("/all").Text; got != "{}" {
			t.Errorf("the session holds %s", got)
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

func TestFormToken(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		var token string
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET("/token", func(c *gin.Context) { token, _ = ginauth.From(c).Session().Token(); c.String(200, token) })
			r.POST("/check", func(c *gin.Context) {
				c.JSON(200, ginauth.From(c).Session().ValidToken(c.Query("t")))
			})
		}))
		c := a.Client()
		first := c.Get("/token").Text
		if c.Session() == "" || c.Get("/token").Text != first {
			t.Fatal("the token does not last")
		}
		valid := func(c *testapp.Client, token string) bool { return c.Post("/check?t="+token, nil).Text == "true" }
		other := "A" + first[1:]
		if other == first {
			other = "B" + first[1:]
		}
		if !valid(c, first) || valid(c, other) || valid(c, "") || valid(a.Client(), first) {
			t.Fatal("token check is wrong")
		}
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if valid(c, first) {
			t.Fatal("the token of the anonymous session outlived the login")
		}
	})
}

func TestFullSessionIsRefusedWhereItIsFilled(t *testing.T) { // C05
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		var err error
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/fill", func(c *gin.Context) {
				err = ginauth.From(c).Session().Put("big", strings.Repeat("x", stores.MaxValues))
				if err != nil {
					ginauth.Abort(c, err)
				}
			})
		}))
		c := a.Client()
		if c.Post("/fill", nil).Want(t, 422); err == nil || !strings.Contains(err.Error(), `"big"`) || len(c.Cookies) > 0 {
			t.Fatalf("err %v, cookies %v", err, c.Cookies)
		}
	})
}

func TestUntouchedSessionCostsNothing(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b)
	c := a.LoggedIn(testapp.Alice)
	before := f.Count()
	res := c.Get("/").Want(t, 200)
	if f.Count() != before {
		t.Error("a request that does not use the session asked a store")
	}
	if res.Header.Get("Vary") != "" || res.Header.Get("Cache-Control") != "" || len(res.Header["Set-Cookie"]) > 0 {
		t.Errorf("headers %v", res.Header)
	}
	updates := f.Count(testapp.UpdateSession)
	for range 10 {
		c.Get("/me").Want(t, 200)
	}
	if f.Count(testapp.UpdateSession) != updates {
		t.Error("reading wrote")
	}
	a.Clock.Advance(time.Minute)
	c.Get("/me").Want(t, 200)
	c.Get("/me").Want(t, 200)
	if got := f.Count(testapp.UpdateSession) - updates; got != 1 {
		t.Errorf("%d touches in a minute", got)
	}
	if a.Client().Get("/me").Want401(t); f.Count(testapp.CreateSession) != 1 {
		t.Error("a guest made a session")
	}
}

func TestCachingHeaders(t *testing.T) { // C07
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
