package ginauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

func TestGinContribSessions(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		fb, f := b.faulty()
		a := newApp(t, fb, nil, func(_ *app, r *gin.Engine) {
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
		})
		c := a.loggedIn(aliceEmail)
		for want := 1; want <= 2; want++ {
			if got := c.post("/count", nil).body; got != fmt.Sprint(want) {
				t.Errorf("count %s, want %d", got, want)
			}
		}
		if got := c.get("/flashes").body; got != "[saved saved] [0 1] 2" {
			t.Errorf("flashes %q", got)
		}
		if got := c.get("/flashes").body; got != "[] [] 2" {
			t.Errorf("flashes again %q", got)
		}
		c.post("/options", nil).want(t, 200)
		c.post("/delete", nil).want(t, 200)
		c.post("/count", nil)
		c.post("/clear", nil).want(t, 200)
		if got := c.get("/all").body; got != "{}" {
			t.Errorf("after Clear: %s", got)
		}
		c.get("/me").want(t, 200) // Clear logs nobody out
		c.post("/int-key", nil).want(t, 500)
		c.post("/channel", nil).want(t, 500)
		f.set("load", faultRefuse)
		if res := c.get("/get").want(t, 503); strings.Contains(res.body, "nil") {
			t.Errorf("body %s", res.body)
		}
		f.set("", faultNone)
		old := c.session()
		c.post("/end", nil).want(t, 200)
		if c.session() != "" {
			t.Error("the cookie stays")
		}
		a.client().with(old).get("/me").is401(t)
	})
}
