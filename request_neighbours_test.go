package ginauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// tenantKey is the key of a value that an inner middleware puts into the context.
type tenantKey struct{}

// deadlined is a middleware that gives its handlers a context of their own, which ends when it
// returns.
func deadlined(c *gin.Context) {
	ctx, cancel := context.WithTimeout(context.WithValue(c.Request.Context(), tenantKey{}, "acme"), time.Minute)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

func TestInnerContextEndsBeforeCommit(t *testing.T) { // G01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			g := r.Group("/deadline", deadlined)
			g.POST("/login", a.ThrottleLogins(), func(c *gin.Context) {
				if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1"); err != nil {
					ginauth.Abort(c, err)
					return
				}
				c.Redirect(303, "/me")
			})
			g.DELETE("/item", a.Auth(), testapp.Put, func(c *gin.Context) { c.Status(204) })
			g.POST("/logout", a.Auth(), testapp.Logout)
			g.POST("/remember", a.ThrottleLogins(), func(c *gin.Context) {
				_, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1", ginauth.Remember())
				testapp.Answer(c, nil, err)
			})
		}))
		c := a.Client()
		c.Post("/deadline/login", nil).WantRedirect(t, "/me")
		c.Get("/me").Want(t, 200)
		c.Do("DELETE", "/deadline/item", "", "").Want(t, 204)
		if got := c.Get("/all").Text; got != `{"k":"v"}` {
			t.Errorf("the session holds %s", got)
		}
		if n := len(testapp.EventsOf[events.Login](a)); n != 1 {
			t.Errorf("%d Login events", n)
		}
		c.Post("/deadline/logout", nil).Want(t, 204)
		c.Get("/me").Want401(t)
		c.Post("/deadline/remember", nil).Want(t, 204)
		if c.Remember() == "" {
			t.Error("the device is not remembered")
		}
	})
}

func TestSessionIsReadAfterInnerContextEnded(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			// A middleware that renders pages after the handlers.
			render := func(c *gin.Context) {
				c.Next()
				v, _ := ginauth.From(c).Session().Get("k").(string)
				_, ok := ginauth.UserAs[*models.User](c)
				c.String(200, "%v %v %v", v, ok, c.Request.Context().Err())
			}
			r.GET("/page", render, deadlined, a.ThrottleRequests("page", ginauth.Limit{Attempts: 100, Per: time.Minute}), func(*gin.Context) {})
		}))
		c := a.LoggedIn(testapp.Alice)
		c.Post("/set?k=k&v=value", nil).Want(t, 204)
		if got := c.Get("/page").Want(t, 200).Text; got != "value true context canceled" {
			t.Errorf("page %q", got)
		}
	})
}
