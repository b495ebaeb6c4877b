package ginauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

func TestGinContribSessions(t *testing.T) {
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
