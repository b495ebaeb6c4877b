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
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestPlantedSessionIDIsNotAdopted(t *testing.T) { // S01
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		deleted := a.loggedIn(aliceEmail)
		old := deleted.session()
		deleted.post("/logout", nil).want(t, 204)
		anonymous := a.client()
		anonymous.post("/set?k=cart&v=1", nil).want(t, 204)
		for name, planted := range map[string]string{
			"never issued": base64.RawURLEncoding.EncodeToString(make([]byte, 48)),
			"deleted":      old,
			"anonymous":    anonymous.session(),
		} {
			t.Run(name, func(t *testing.T) {
				c := a.client().with(planted)
				c.get("/").want(t, 200)
				c.login(aliceEmail, goodPass).want(t, 200)
				if c.session() == planted {
					t.Fatal("the login kept the planted id")
				}
				a.client().with(planted).get("/me").is401(t)
				if got := c.get("/me").want(t, 200).name(t); got != "Alice" {
					t.Fatalf("user %q", got)
				}
			})
		}
	})
}

func TestSessionIDChangesAtEachPrivilegeStep(t *testing.T) { // S02
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			r.POST("/sudo", a.m.Auth(), func(c *gin.Context) {
				if err := ginauth.From(c).Session().Regenerate(); err != nil {
					ginauth.Abort(c, err)
				}
			})
		})
		c := a.client()
		var ids []string
		step := func(path string) {
			c.post(path, loginForm{aliceEmail, goodPass})
			if c.session() == "" {
				t.Fatalf("%s: no session", path)
			}
			ids = append(ids, c.session())
		}
		for _, path := range []string{"/set?k=a&v=b", "/login", "/sudo", "/login"} {
			step(path)
		}
		last := c.session()
		c.post("/logout", nil).want(t, 204)
		if c.session() != "" {
			t.Fatal("logout left the cookie")
		}
		step("/set?k=a&v=b")
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id] {
				t.Fatal("an id was used twice")
			}
			seen[id] = true
			a.client().with(id).get("/me").is401(t)
		}
		a.client().with(last).get("/me").is401(t)
	})
}

func TestPreLoginDataSurvives(t *testing.T) { // S03
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		c := a.client()
		c.post("/set?k=cart&v=book", nil).want(t, 204)
		c.post("/set?k=_ginauth.login.web&v=1", nil).want(t, 422)
		c.post("/set?k=_ginauth.x&v=1", nil).want(t, 422)
		c.login(aliceEmail, goodPass).want(t, 200)
		if got := c.get("/all").want(t, 200).body; got != `{"cart":"book"}` {
			t.Fatalf("after login the session holds %s", got)
		}
	})
}

func TestLogoutEndsTheServerSide(t *testing.T) { // S04, C03
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		c := a.loggedIn(aliceEmail)
		old := c.session()
		res := c.post("/logout", nil).want(t, 204)
		line := setCookie(t, res, sessionCookie)
		for _, part := range []string{"Path=/", "Secure", "HttpOnly", "Max-Age=0", "SameSite=Lax"} {
			if !strings.Contains(line, part) {
				t.Errorf("deleting cookie %q lacks %s", line, part)
			}
		}
		a.client().with(old).get("/me").is401(t)
		c.post("/logout", nil).want(t, 204)
		if got := eventNames(a); strings.Count(got, "logout") != 1 {
			t.Errorf("events %s, want one logout", got)
		}
	})
}

func setCookie(t *testing.T, r *response, name string) string {
	t.Helper()
	for _, line := range r.Header["Set-Cookie"] {
		if strings.HasPrefix(line, name+"=") {
			return line
		}
	}
	t.Fatalf("no cookie %s in %q", name, r.Header["Set-Cookie"])
	return ""
}

// slowRoute adds GET /slow, which reads the session, waits for the test, writes
// a key and answers. It reports when it has read.
func slowRoute(r *gin.Engine, read chan<- struct{}, proceed <-chan struct{}) {
	r.GET("/slow", func(c *gin.Context) {
		s := ginauth.From(c).Session()
		s.Has("anything")
		read <- struct{}{}
		<-proceed
		if err := s.Put("slow", true); err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(200, "written")
	})
}

func TestInFlightRequestRevivesNothing(t *testing.T) { // S05, S06, S17
	endings := map[string]func(a *app, c *client, u *models.User){
		"logout": func(a *app, c *client, _ *models.User) { c.post("/logout", nil).want(a.T, 204) },
		"password change": func(a *app, c *client, u *models.User) {
			if _, err := a.b.users.ChangePassword(context.Background(), u.AuthID(), u.SecurityStamp, u.Password, "another"); err != nil {
				a.Fatal(err)
			}
		},
		"disabled": func(a *app, c *client, u *models.User) {
			now := a.clock.Now()
			a.b.users.change(u.AuthID(), func(u *models.User) { u.DisabledAt = &now })
		},
	}
	eachBackend(t, func(t *testing.T, b *backend) {
		read, proceed := make(chan struct{}), make(chan struct{})
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) { slowRoute(r, read, proceed) })
		for name, end := range endings {
			t.Run(name, func(t *testing.T) {
				email := strings.ReplaceAll(name, " ", "-") + "@example.com"
				u := a.addUser(name, email, goodPass, true)
				c := a.loggedIn(email)
				old := c.session()
				result := make(chan *response)
				go func() {
					res, err := a.client().with(old).try(context.Background(), "GET", "/slow", "", "")
					if err != nil {
						t.Error(err)
					}
					result <- res
				}()
				<-read
				end(a, c, u)
				proceed <- struct{}{}
				res := <-result
				if name == "logout" {
					res.is401(t)
					if len(res.Header["Set-Cookie"]) > 0 {
						t.Errorf("the late request sets %q", res.Header["Set-Cookie"])
					}
				}
				a.client().with(old).get("/me").is401(t)
			})
		}
	})
}

func TestIdleAndAbsoluteTimeout(t *testing.T) { // S07, S08, S09
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		const idle, absolute = 2 * time.Hour, 24 * time.Hour
		c := a.loggedIn(aliceEmail)
		a.clock.advance(idle - time.Second)
		c.get("/me").want(t, 200)
		a.clock.advance(idle - time.Second)
		c.get("/me").want(t, 200)
		a.clock.advance(idle + time.Second)
		c.get("/me").is401(t)

		c = a.loggedIn(aliceEmail)
		for range int(absolute/(idle/2)) - 1 {
			a.clock.advance(idle / 2)
			c.get("/me").want(t, 200)
		}
		a.clock.advance(idle/2 + time.Second)
		c.get("/me").is401(t)
		if p, ok := b.set.Sessions.(stores.Pruner); ok {
			if _, err := p.Prune(context.Background(), a.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		c.get("/me").is401(t)
	})
}

func TestAbsoluteTimeoutBeginsWithTheLogin(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		c := a.client()
		c.post("/set?k=cart&v=1", nil).want(t, 204)
		for range 23 {
			a.clock.advance(time.Hour)
			c.get("/all").want(t, 200)
		}
		c.login(aliceEmail, goodPass).want(t, 200)
		for range 23 {
			a.clock.advance(time.Hour)
			c.get("/me").want(t, 200)
		}
		a.clock.advance(time.Hour)
		c.get("/me").is401(t)
	})
}

func TestSessionSurvivesAClockThatSteps(t *testing.T) { // F13
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		c := a.loggedIn(aliceEmail)
		a.clock.advance(-time.Hour)
		c.get("/me").want(t, 200)
		a.clock.advance(2 * time.Hour)
		c.get("/me").want(t, 200)
		a.clock.advance(24 * time.Hour)
		c.get("/me").is401(t)
	})
}

func TestSessionIDEntropy(t *testing.T) { // S10
	eachBackend(t, func(t *testing.T, b *backend) {
		b.notInCookies(t, "they have no id")
		a := newApp(t, b, nil, nil)
		n, margin := 10_000, 0.025 // five standard deviations
		if b.name != "memory" || testing.Short() {
			n, margin = 1000, 0.08
		}
		seen := make(map[string]bool, n)
		var ones [48 * 8]int
		c := a.client()
		for range n {
			c.cookies = map[string]string{}
			c.post("/set?k=a&v=b", nil).want(t, 204)
			id, err := base64.RawURLEncoding.DecodeString(c.session())
			if err != nil || len(id) != 48 {
				t.Fatalf("id %q: %v", c.session(), err)
			}
			if seen[c.session()] {
				t.Fatal("an id came twice")
			}
			seen[c.session()] = true
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
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		alice, bob := a.loggedIn(aliceEmail).session(), a.loggedIn(bobEmail).session()
		for _, order := range [][2]string{{alice, bob}, {bob, alice}} {
			c := a.client()
			c.header.Set("Cookie", sessionCookie+"="+order[0]+"; "+sessionCookie+"="+order[1])
			c.get("/me").is401(t)
		}
		c := a.client()
		c.header["Cookie"] = []string{sessionCookie + "=" + alice, sessionCookie + "=" + bob}
		c.get("/me").is401(t)
		c.header["Cookie"] = []string{sessionCookie + "=" + alice + ";" + sessionCookie + "=" + alice}
		c.get("/me").want(t, 200)
	})
}

func TestNoLeakBetweenRequests(t *testing.T) { // S18
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) { c.Throttle.InsecureDisable = true }, nil)
		users, requests := 200, 100
		if b.name != "memory" || testing.Short() {
			users, requests = 50, 20
		}
		for i := range users {
			a.addUser(fmt.Sprint("user", i), fmt.Sprintf("u%d@example.com", i), goodPass, true)
		}
		together(users, func(i int) {
			c := a.client()
			res, err := c.try(context.Background(), "POST", "/login", "application/json",
				fmt.Sprintf(`{"email":"u%d@example.com","password":%q}`, i, goodPass))
			if err != nil || res.StatusCode != 200 {
				t.Errorf("login %d: %v %v", i, res, err)
				return
			}
			for range requests {
				res, err := c.try(context.Background(), "GET", "/me", "", "")
				if err != nil || res.StatusCode != 200 || !strings.Contains(res.body, fmt.Sprintf(`"user%d"`, i)) {
					t.Errorf("user %d got %v %v", i, res, err)
					return
				}
			}
		})
	})
}

func TestValuesComeBackAsTheTypeTheyWere(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		type cart struct {
			Items []string
			Total float64
		}
		when := time.Date(2030, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
		values := map[string]any{
			"bool": true, "int": 42, "int8": int8(-8), "int64": int64(1 << 60), "uint": uint(7), "uint64": uint64(1 << 63),
			"float32": float32(1.5), "float64": 2.25, "string": "text\x00é", "bytes": []byte{0, 1, 255}, "time": when,
		}
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
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
		})
		c := a.client()
		c.post("/put", nil).want(t, 200)
		c.get("/check").want(t, 200)
	})
}

func TestSessionMethods(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
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
		})
		c := a.client()
		for _, path := range []string{"/1", "/2", "/3", "/4", "/5"} {
			c.post(path, nil).want(t, 200)
		}
		if got := c.get("/all").body; got != "{}" {
			t.Errorf("the session holds %s", got)
		}
	})
}

func TestSessionIDNamesAndOpensNothing(t *testing.T) {
	var name string
	a := newApp(t, memoryBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.GET("/id", func(c *gin.Context) { name = ginauth.From(c).Session().ID(); c.Status(200) })
	})
	c := a.client()
	c.get("/id").want(t, 200)
	if name != "" || c.session() != "" {
		t.Fatal("asking for an id started a session")
	}
	c.login(aliceEmail, goodPass).want(t, 200)
	c.get("/id").want(t, 200)
	if name == "" || strings.Contains(c.session(), name) {
		t.Fatalf("name %q", name)
	}
	a.client().with(name).get("/me").is401(t)

	ctx := context.Background()
	for _, id := range []string{name, c.session()} {
		s, err := a.m.Session(ctx, id)
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
		if !strings.Contains(c.get("/all").body, "from outside") {
			t.Error("the change is not there")
		}
	}
	old := name
	c.login(aliceEmail, goodPass).want(t, 200)
	for _, id := range []string{old, "", "x", "../../x", strings.Repeat("a", 5000)} {
		if _, err := a.m.Session(ctx, id); !errors.Is(err, ginauth.ErrSessionEnded) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	s, err := a.m.Session(ctx, c.session())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Invalidate(); err != nil {
		t.Fatal(err)
	}
	c.get("/me").is401(t)
}

func TestFormToken(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		var token string
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
			r.GET("/token", func(c *gin.Context) { token, _ = ginauth.From(c).Session().Token(); c.String(200, token) })
			r.POST("/check", func(c *gin.Context) {
				c.JSON(200, ginauth.From(c).Session().ValidToken(c.Query("t")))
			})
		})
		c := a.client()
		first := c.get("/token").body
		if c.session() == "" || c.get("/token").body != first {
			t.Fatal("the token does not last")
		}
		valid := func(c *client, token string) bool { return c.post("/check?t="+token, nil).body == "true" }
		other := "A" + first[1:]
		if other == first {
			other = "B" + first[1:]
		}
		if !valid(c, first) || valid(c, other) || valid(c, "") || valid(a.client(), first) {
			t.Fatal("token check is wrong")
		}
		c.login(aliceEmail, goodPass).want(t, 200)
		if valid(c, first) {
			t.Fatal("the token of the anonymous session outlived the login")
		}
	})
}

func TestFullSessionIsRefusedWhereItIsFilled(t *testing.T) { // C05
	eachBackend(t, func(t *testing.T, b *backend) {
		var err error
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
			r.POST("/fill", func(c *gin.Context) {
				err = ginauth.From(c).Session().Put("big", strings.Repeat("x", stores.MaxValues))
				if err != nil {
					ginauth.Abort(c, err)
				}
			})
		})
		c := a.client()
		if c.post("/fill", nil).want(t, 422); err == nil || !strings.Contains(err.Error(), `"big"`) || len(c.cookies) > 0 {
			t.Fatalf("err %v, cookies %v", err, c.cookies)
		}
	})
}

func TestUntouchedSessionCostsNothing(t *testing.T) {
	b, f := memoryBackend(t).faulty()
	a := newApp(t, b, nil, nil)
	c := a.loggedIn(aliceEmail)
	before := f.count("")
	res := c.get("/").want(t, 200)
	if f.count("") != before {
		t.Error("a request that does not use the session asked a store")
	}
	if res.Header.Get("Vary") != "" || res.Header.Get("Cache-Control") != "" || len(res.Header["Set-Cookie"]) > 0 {
		t.Errorf("headers %v", res.Header)
	}
	updates := f.count("update")
	for range 10 {
		c.get("/me").want(t, 200)
	}
	if f.count("update") != updates {
		t.Error("reading wrote")
	}
	a.clock.advance(time.Minute)
	c.get("/me").want(t, 200)
	c.get("/me").want(t, 200)
	if got := f.count("update") - updates; got != 1 {
		t.Errorf("%d touches in a minute", got)
	}
	if a.client().get("/me").is401(t); f.count("create") != 1 {
		t.Error("a guest made a session")
	}
}

func TestCachingHeaders(t *testing.T) { // C07
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			r.GET("/own", a.m.Auth(), func(c *gin.Context) {
				c.Header("Cache-Control", "private, max-age=5")
				c.Header("Vary", "Accept, cookie")
				c.String(200, "x")
			})
		})
		c := a.client()
		for _, res := range []*response{c.login(aliceEmail, goodPass), c.get("/me"), c.post("/logout", nil), c.get("/me")} {
			if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Vary") != "Cookie" {
				t.Errorf("%s: %v", res.Request.URL, res.Header)
			}
		}
		c.login(aliceEmail, goodPass)
		res := c.get("/own").want(t, 200)
		if res.Header.Get("Cache-Control") != "private, max-age=5" || len(res.Header["Vary"]) != 1 {
			t.Errorf("the handler's own headers: %v", res.Header)
		}
	})
}
