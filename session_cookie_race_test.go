package ginauth_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

func TestOneSuccessorOfACookieSession(t *testing.T) {
	eachNotes(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) { c.Throttle.InsecureDisable = true }, func(_ *app, r *gin.Engine) {
			r.POST("/regenerate", func(c *gin.Context) {
				if err := ginauth.From(c).Session().Regenerate(); err != nil {
					ginauth.Abort(c, err)
				}
			})
		})
		for range rounds(200, 20) {
			c := a.loggedIn(aliceEmail)
			var renewed, ended atomic.Int32
			alive := make([]*client, 8)
			together(len(alive), func(i int) {
				other := c.with(c.session())
				path := "/regenerate"
				if i == 0 {
					path = "/logout"
				}
				res, err := other.try(context.Background(), "POST", path, "", "")
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
			c.get("/me").is401(t)
			users := 0
			for _, other := range alive {
				if other != nil && other.get("/me").StatusCode == 200 {
					users++
				}
			}
			if users+int(ended.Load()) != 1 {
				t.Errorf("%d successors, %d logouts", users, ended.Load())
			}
		}
	})
}

// inFlight sends a request that has loaded its session when it returns, and is
// answered when proceed is closed.
func inFlight(c *client, path string, read <-chan struct{}) <-chan *response {
	result := make(chan *response, 1)
	go func() {
		res, err := c.try(context.Background(), "GET", path, "", "")
		if err != nil {
			c.a.Error(err)
		}
		result <- res
	}()
	<-read
	return result
}

func TestCookieOfALoginIsNotOverwritten(t *testing.T) {
	eachNotes(t, func(t *testing.T, b *backend) {
		read, proceed := make(chan struct{}), make(chan struct{})
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
			slowRoute(r, read, proceed)
			r.GET("/slow-touch", func(c *gin.Context) {
				ginauth.From(c).Session().Has("k")
				read <- struct{}{}
				<-proceed
			})
		})
		c := a.loggedIn(aliceEmail)
		a.clock.advance(2 * time.Minute)
		changes := inFlight(c.with(c.session()), "/slow", read)
		touches := inFlight(c.with(c.session()), "/slow-touch", read)
		c.login(aliceEmail, goodPass).want(t, 200)
		late := c.with(c.session())
		close(proceed)
		if res := (<-changes).want(t, 409); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("a change of the old session sets %v", res.Header)
		}
		if res := (<-touches).want(t, 200); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("a touch of the old session sets %v", res.Header)
		}
		late.get("/me").want(t, 200)
	})
}

func TestTouchOfAnEndedCookieSession(t *testing.T) {
	eachNotes(t, func(t *testing.T, b *backend) {
		read, proceed := make(chan struct{}), make(chan struct{})
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			r.GET("/slow-touch", a.m.Auth(), func(c *gin.Context) {
				read <- struct{}{}
				<-proceed
				c.String(200, "Alice")
			})
		})
		c := a.loggedIn(aliceEmail)
		a.clock.advance(2 * time.Minute)
		touches := inFlight(c.with(c.session()), "/slow-touch", read)
		c.post("/logout", nil).want(t, 204)
		close(proceed)
		if res := <-touches; len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("the late request sets %v", res.Header)
		} else {
			res.is401(t)
		}
	})
}
