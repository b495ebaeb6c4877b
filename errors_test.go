package ginauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestErrorHandlerAnswersInPlaceOfAbort(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.ErrorHandler = func(c *gin.Context, status int, err error) bool {
				switch c.Query("handler") {
				case "silent":
					return true
				case "declines":
					return false
				case "aborts":
					ginauth.Abort(c, err)
					return true
				}
				c.String(status, "mine %d", status)
				return true
			}
		}))
		if got := a.Client().Get("/me").Want(t, 401).Text; got != "mine 401" {
			t.Errorf("body %q", got)
		}
		a.Client().Get("/me?handler=silent").Want(t, 401)
		for _, how := range []string{"declines", "aborts"} {
			if got := a.Client().Get("/me?handler="+how).Want(t, 401).Text; !strings.Contains(got, `"unauthenticated"`) {
				t.Errorf("%s: %q", how, got)
			}
		}
		f.Set(testapp.Refuse, testapp.CreateSession)
		a.Client().Post("/set?k=a&v=b&handler=silent", nil).Want(t, 503)
		if got := a.Client().Post("/set?k=a&v=b", nil).Want(t, 503).Text; got != "mine 503" {
			t.Errorf("body %q", got)
		}
	})
}

func TestOuterMiddlewareCanAnswer503(t *testing.T) {
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

func TestFaultsStickToRequestsWithoutSession(t *testing.T) {
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
	a.Serve(r)
	c := a.Client()
	c.Header.Set("X-User", "1")
	c.Get("/x").Want(t, 503)
}
