package ginauth_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

func TestOneSuccessorOfACookieSession(t *testing.T) {
	testapp.EachCookieBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/regenerate", func(c *gin.Context) {
				if err := ginauth.From(c).Session().Regenerate(); err != nil {
					ginauth.Abort(c, err)
				}
			})
		}))
		for range testsize.Rounds(200, 20) {
			c := a.LoggedIn(testapp.Alice)
			var renewed, ended atomic.Int32
			alive := make([]*testapp.Client, 8)
			testapp.Race(len(alive), func(i int) {
				other := c.With(c.Session())
				path := "/regenerate"
				if i == 0 {
					path = "/logout"
				}
				res, err := other.Try(context.Background(), "POST", path, "", "")
				switch {
				case err != nil:
					t.Error(err)
				case res.StatusCode == 200:
					renewed.Add(1)
					alive[i] = other
				case res.StatusCode == 204:
					ended.Add(1)
				case res.StatusCode != 401 && res.StatusCode != 409:
					t.Errorf("%s: status %d", path, res.StatusCode)
				}
			})
			// Requests that came after the end find a session that is not there.
			if renewed.Load()+ended.Load() == 0 {
				t.Error("nobody won")
			}
			c.Get("/me").Want401(t)
			users := 0
			for _, other := range alive {
				if other != nil && other.Get("/me").StatusCode == 200 {
					users++
				}
			}
			if users+int(ended.Load()) != 1 {
				t.Errorf("%d successors, %d logouts", users, ended.Load())
			}
		}
	})
}

func TestCookieOfALoginIsNotOverwritten(t *testing.T) {
	testapp.EachCookieBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(slowTouch))
		c := a.LoggedIn(testapp.Alice)
		a.Clock.Advance(2 * time.Minute)
		changes, touches := c.With(c.Session()).Start("GET", "/slow"), c.With(c.Session()).Start("GET", "/slow-touch")
		a.Slow.Arrived()
		a.Slow.Arrived()
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		late := c.With(c.Session())
		a.Slow.ReleaseAll()
		(<-changes).Want(t, 409).WantNoCookies(t)
		(<-touches).Want(t, 200).WantNoCookies(t)
		late.Get("/me").Want(t, 200)
	})
}

// slowTouch adds routes that are held after they have read the session.
func slowTouch(a *testapp.App, r *gin.Engine) {
	r.GET("/slow-touch", func(c *gin.Context) {
		ginauth.From(c).Session().Has("k")
		a.Slow.Wait()
	})
	r.GET("/slow-me", a.Auth(), func(c *gin.Context) {
		a.Slow.Wait()
		c.String(200, "Alice")
	})
}

func TestTouchOfAnEndedCookieSession(t *testing.T) {
	testapp.EachCookieBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(slowTouch))
		c := a.LoggedIn(testapp.Alice)
		a.Clock.Advance(2 * time.Minute)
		touches := c.With(c.Session()).Start("GET", "/slow-me")
		a.Slow.Arrived()
		c.Post("/logout", nil).Want(t, 204)
		a.Slow.ReleaseAll()
		(<-touches).WantNoCookies(t).Want401(t)
	})
}
