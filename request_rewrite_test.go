package ginauth_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
)

// rewriteTo routes a request again, as applications do for pages of a script.
func rewriteTo(r *gin.Engine, path string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Request.URL.Path, c.Request.Method = path, http.MethodGet
		r.HandleContext(c)
	}
}

func TestRewriteKeepsLogin(t *testing.T) { // G01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			login := func(c *gin.Context) {
				if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1", ginauth.Remember()); err != nil {
					t.Error(err)
				}
			}
			r.POST("/enter", login, rewriteTo(r, "/me"))
			r.POST("/enter/deadline", deadlined, a.ThrottleLogins(), login, rewriteTo(r, "/me"))
			r.POST("/twice", login, rewriteTo(r, "/again"))
			r.GET("/again", testapp.Put, rewriteTo(r, "/me"))
			r.POST("/status", login, rewriteTo(r, "/empty"), func(c *gin.Context) { c.Header("X-After", "1") })
			r.GET("/empty", func(c *gin.Context) { c.Status(204) })
			r.POST("/once", func(c *gin.Context) {
				_, err := ginauth.From(c).Once(c.Request.Context(), ginauth.Credentials{"email": testapp.Alice, "password": testapp.Password})
				if err != nil {
					t.Error(err)
				}
			}, rewriteTo(r, "/me"))
			r.POST("/denied", testapp.Put, rewriteTo(r, "/me"))
			r.POST("/panic", login, rewriteTo(r, "/panics"))
			r.GET("/panics", func(*gin.Context) { panic("x") })
		}))
		for path, status := range map[string]int{"/enter": 200, "/enter/deadline": 200, "/twice": 200, "/status": 204} {
			before := len(testapp.EventsOf[events.Login](a))
			c := a.Client()
			res := c.Post(path, nil).Want(t, status)
			if status == 200 && res.UserName(t) != "Alice" {
				t.Errorf("%s shows %s", path, res.Text)
			}
			if c.Get("/me").Want(t, 200); c.Remember() == "" {
				t.Errorf("%s: the device is not remembered", path)
			}
			if n := len(testapp.EventsOf[events.Login](a)) - before; n != 1 {
				t.Errorf("%s: %d Login events", path, n)
			}
		}
		if name := a.Client().Post("/once", nil).Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("the user of this request is %q", name)
		}
		c := a.Client()
		if c.Post("/denied", nil).Want401(t); c.Get("/all").Text != `{"k":"v"}` {
			t.Error("a change before the rewrite is lost")
		}
		a.Client().Post("/panic", nil).Want(t, 500).WantNoCookies(t)
	})
}

// TestRewriteOfOtherRequestFindsNothing sends requests of other clients over reused contexts.
func TestRewriteOfOtherRequestFindsNothing(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/rewrite", rewriteTo(r, "/me"))
	}))
	alice := a.LoggedIn(testapp.Alice)
	a.Race(64, func(i int) {
		if i%2 == 0 {
			alice.Copy().Get("/me").Want(t, 200)
		} else {
			a.Client().Post("/rewrite", nil).Want(t, 401)
		}
	})
}

func TestDiscardedChangesAreInTheLog(t *testing.T) {
	arrived := make(chan struct{})
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/503", testapp.Put, func(c *gin.Context) { c.String(503, "closed") })
			r.GET("/past", testapp.Put, func(c *gin.Context) {
				raw := c.Writer.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
				_, _ = raw.(gin.ResponseWriter).WriteString("past")
			})
			r.GET("/panic", testapp.Put, func(c *gin.Context) { panic(http.ErrAbortHandler) })
			r.GET("/gone", testapp.Put, func(c *gin.Context) {
				arrived <- struct{}{}
				<-c.Request.Context().Done()
				c.Status(204)
			})
			r.GET("/late-cookie", func(c *gin.Context) {
				c.String(200, "x")
				_ = ginauth.From(c).Intended()
			})
			r.GET("/untouched", func(c *gin.Context) { c.String(503, "closed") })
		}))
		logged := func(path string) string {
			before := len(a.Logs.String())
			c := a.Client()
			c.Cookies[testapp.IntendedCookie] = "x"
			_, _ = c.Try(t.Context(), "GET", path, "", "")
			return a.Logs.String()[before:]
		}
		for path, want := range map[string]string{
			"/503": "has status 503", "/past": "past StartSession", "/panic": "panicked", "/late-cookie": "cookie not sent", "/untouched": "",
		} {
			if got := logged(path); (want == "") != (got == "") || !strings.Contains(got, want) {
				t.Errorf("%s: log %q", path, got)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = a.Client().Try(ctx, "GET", "/gone", "", "") }()
		<-arrived
		cancel()
		a.Server.Close() // waits for the handler
		if !strings.Contains(a.Logs.String(), "the client disconnected") {
			t.Errorf("log %s", a.Logs.String())
		}
	})
}
