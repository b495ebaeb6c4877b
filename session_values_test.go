package ginauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

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

func TestSessionMethodsKeepAndRemoveValues(t *testing.T) {
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

func TestFormTokenEndsWithTheLogin(t *testing.T) {
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

func TestReplacedValuesMakeRoom(t *testing.T) {
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

// TestWritesRecordUseOnceAnInterval checks that changes of a session record its use as rarely as reads
// do.
func TestWritesRecordUseOnceAnInterval(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b)
	c := a.LoggedIn(testapp.Alice)
	began := a.Clock.Now()
	for _, test := range []struct {
		after time.Duration
		want  time.Duration // since the login
	}{
		{0, 0},
		{59 * time.Second, 0},
		{time.Second, time.Minute},
		{59 * time.Second, time.Minute},
		{time.Hour, time.Hour + 119*time.Second},
	} {
		a.Clock.Advance(test.after)
		c.Post("/set?k=a&v="+test.after.String(), nil).Want(t, 204)
		updates := f.Count(testapp.UpdateSession)
		devices := c.Devices()
		if len(devices) != 1 || !devices[0].LastSeen.Equal(began.Add(test.want)) {
			t.Errorf("%v later: devices %+v, want that it was used %v after the login", test.after, devices, test.want)
		}
		if f.Count(testapp.UpdateSession) != updates {
			t.Errorf("%v later: the list of devices wrote", test.after)
		}
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

func TestGinContribSessionsWorkOnTheSameData(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		fb, f := b.Faulty()
		a := testapp.New(t, fb, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/count", func(c *gin.Context) {
				s := sessions.Default(c)
				n, _ := s.Get("n").(int)
				s.Set("n", n+1)
				s.AddFlash("saved")
				s.AddFlash(n, "numbers")
				c.String(200, "%d", n+1) // without Save
			})
			r.GET("/flashes", func(c *gin.Context) {
				s := sessions.Default(c)
				c.String(200, "%v %v %v", s.Flashes(), s.Flashes("numbers"), ginauth.From(c).Session().Get("n"))
				if err := s.Save(); err != nil {
					t.Error(err)
				}
			})
			r.POST("/clear", func(c *gin.Context) { sessions.Default(c).Clear() })
			r.POST("/delete", func(c *gin.Context) { sessions.Default(c).Delete("n") })
			r.POST("/end", func(c *gin.Context) { sessions.Default(c).Options(sessions.Options{MaxAge: -1}) })
			r.POST("/options", func(c *gin.Context) { sessions.Default(c).Options(sessions.Options{MaxAge: 60}) })
			r.POST("/int-key", func(c *gin.Context) { sessions.Default(c).Set(7, 7); c.String(200, "x") })
			r.POST("/channel", func(c *gin.Context) { sessions.Default(c).Set("c", make(chan int)); c.String(200, "x") })
			r.GET("/get", func(c *gin.Context) { c.String(200, "%v", sessions.Default(c).Get("n")) })
		}))
		c := a.LoggedIn(testapp.Alice)
		for want := 1; want <= 2; want++ {
			if got := c.Post("/count", nil).Text; got != fmt.Sprint(want) {
				t.Errorf("count %s, want %d", got, want)
			}
		}
		if got := c.Get("/flashes").Text; got != "[saved saved] [0 1] 2" {
			t.Errorf("flashes %q", got)
		}
		if got := c.Get("/flashes").Text; got != "[] [] 2" {
			t.Errorf("flashes again %q", got)
		}
		c.Post("/options", nil).Want(t, 200)
		c.Post("/delete", nil).Want(t, 200)
		c.Post("/count", nil)
		c.Post("/clear", nil).Want(t, 200)
		if got := c.Get("/all").Text; got != "{}" {
			t.Errorf("after Clear: %s", got)
		}
		c.Get("/me").Want(t, 200) // Clear logs nobody out
		c.Post("/int-key", nil).Want(t, 500)
		c.Post("/channel", nil).Want(t, 500)
		f.Set(testapp.Refuse, testapp.LoadSession)
		if res := c.Get("/get").Want(t, 503); strings.Contains(res.Text, "nil") {
			t.Errorf("body %s", res.Text)
		}
		f.Clear()
		old := c.Session()
		c.Post("/end", nil).Want(t, 200)
		if c.Session() != "" {
			t.Error("the cookie stays")
		}
		a.Client().With(old).Get("/me").Want401(t)
	})
}
