package experiments_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/models"
)

// heldUsers lets a test hold one request where it loads its user.
type heldUsers struct {
	testapp.Users
	next *atomic.Bool // whether it is the next one
	hold *testapp.Hold
}

func (p heldUsers) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if p.next.CompareAndSwap(true, false) {
		p.hold.Wait()
	}
	return p.Users.UserByID(ctx, id)
}

// A request that ran beside a change of the password comes too late: it is refused
// and takes nothing from the session that goes on.
func TestRequestsBesideAPasswordChangeAreRefused(t *testing.T) { // P12
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		wrapped, next, hold := *b, new(atomic.Bool), testapp.NewHold()
		wrapped.Users = heldUsers{b.Users, next, hold}
		a := testapp.New(t, &wrapped)
		c := a.Remembered(testapp.Alice)
		c.Post("/set?k=cart&v=full", nil).Want(t, 204)
		late, later := c.Copy(), c.Copy()

		next.Store(true)
		result := late.Start("GET", "/me")
		hold.Arrived()
		c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
		hold.ReleaseAll()
		(<-result).WantNoCookies(t).Want401(t)
		later.Get("/me").WantNoCookies(t).Want(t, 409) // was sent before, and arrives now
		c.Get("/me").Want(t, 200)
		if body := c.Get("/all").Text; !strings.Contains(body, "full") {
			t.Errorf("the session that goes on holds %s", body)
		}
		c.Only(testapp.RememberCookie).Get("/me").Want(t, 200)

		a.Clock.Advance(10 * time.Second)
		if line := later.Get("/me").SetCookie(t, testapp.RememberCookie); !strings.Contains(line, "Max-Age=0") {
			t.Errorf("a cookie that ended long ago: %q", line)
		}
	})
}

// The same between the change and the answer to it.
func TestRequestsDuringAPasswordChangeAreRefused(t *testing.T) { // P12
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		during := func() {}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			audit := c.Audit
			c.Audit = func(ctx context.Context, e events.Event) {
				if audit(ctx, e); e.EventName() == "password_changed" {
					during()
				}
			}
		}))
		c := a.Remembered(testapp.Alice)
		session, remember := c.Session(), c.Cookies[testapp.RememberCookie]
		during = func() {
			for range 2 { // the second finds that the session has ended
				other := c.With(session)
				other.Cookies[testapp.RememberCookie] = remember
				res, err := other.Try(context.Background(), "GET", "/me", "", "")
				if err != nil || res.StatusCode != 401 || len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("meanwhile: %+v, %v", res, err)
				}
			}
		}
		c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
		c.Only(testapp.SessionCookie).Get("/me").Want(t, 200)
		c.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
		a.Client().With(session).Get("/me").Want401(t)
	})
}

// What one of the others began before, and ends after, it was ended, changes
// nothing.
func TestInFlightRequestOutlivesNoPasswordChange(t *testing.T) { // S06, P12
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		this, other := a.Remembered(testapp.Alice), a.Remembered(testapp.Alice)
		slow := other.Only(testapp.SessionCookie)
		result := slow.Start("GET", "/slow")
		a.Slow.Arrived()
		this.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
		a.Slow.Release()
		if res := <-result; b.Set.ClientSessions == nil { // which can be told that it has ended
			res.Want401(t)
		}
		slow.Get("/me").Want401(t)
		other.Only(testapp.SessionCookie).Get("/me").Want401(t)
		this.Get("/me").Want(t, 200)
	})
}

// heldRoutes let a request wait between its authentication and its work, as one
// does whose body comes in slowly.
func heldRoutes(arrived, proceed chan struct{}) func(*testapp.App, *gin.Engine) {
	return func(a *testapp.App, r *gin.Engine) {
		hold := func(work func(c *gin.Context, u *ginauth.Authenticator) error) gin.HandlerFunc {
			return func(c *gin.Context) {
				if !ginauth.From(c).Check(c.Request.Context()) {
					c.Status(401)
					return
				}
				arrived <- struct{}{}
				<-proceed
				if err := work(c, ginauth.From(c)); err != nil {
					ginauth.Abort(c, err)
					return
				}
				c.Status(204)
			}
		}
		r.POST("/held/password", a.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.ChangePassword(c.Request.Context(), testapp.Password, "another long password of mine")
			return err
		}))
		r.POST("/held/token", a.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.CreateToken(c.Request.Context(), ginauth.TokenSpec{Name: "late"})
			return err
		}))
		r.POST("/held/others", a.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.LogoutOtherDevices(c.Request.Context(), testapp.Password)
			return err
		}))
	}
}

// TestSlowRequestsOutliveNothing ends a user's logins while requests that were
// authenticated before are still coming in.
func TestSlowRequestsOutliveNothing(t *testing.T) { // S06, P12, EXP-09
	ends := map[string]func(a *testapp.App){
		"revoked": func(a *testapp.App) { _ = a.RevokeUser(context.Background(), "web", a.Alice.AuthID()) },
		"disabled": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		},
		"reset": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another" })
		},
	}
	for name, end := range ends {
		for _, path := range []string{"/held/password", "/held/token", "/held/others"} {
			t.Run(name+path[5:], func(t *testing.T) {
				testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
					arrived, proceed := make(chan struct{}), make(chan struct{})
					a := testapp.New(t, b, testapp.Routes(heldRoutes(arrived, proceed)))
					c := a.LoggedIn(testapp.Alice)
					done := make(chan *testapp.Response)
					go func() {
						res, err := c.Try(context.Background(), "POST", path, "", "")
						if err != nil {
							t.Error(err)
						}
						done <- res
					}()
					<-arrived
					end(a)
					close(proceed)
					if res := <-done; res.StatusCode != 401 {
						t.Errorf("status %d %s", res.StatusCode, res.Text)
					}
					c.Get("/me").Want401(t)
					tokens, err := b.Set.Tokens.TokensOf(context.Background(), "users:"+a.Alice.AuthID(), 1_000_000)
					if err != nil || len(tokens) != 0 {
						t.Errorf("%d tokens live, error %v", len(tokens), err)
					}
				})
			})
		}
	}
}

// Of revocations at once each takes effect, and is told.
func TestParallelRevocationsAllTakeEffect(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		n := testsize.Rounds(50, 10)
		testapp.Race(n, func(int) {
			if err := a.RevokeUser(context.Background(), "web", a.Alice.AuthID()); err != nil {
				t.Error(err)
			}
		})
		c.Get("/me").Want401(t)
		if told := len(testapp.EventsOf[events.UserRevoked](a)); told != n {
			t.Errorf("%d events of %d", told, n)
		}
	})
}
