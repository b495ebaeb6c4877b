package ginauth_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
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
func TestRequestsBesideAPasswordChange(t *testing.T) { // P12
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
		later.Get("/me").WantNoCookies(t).Want401(t) // was sent before, and arrives now
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
func TestRequestsDuringAPasswordChange(t *testing.T) { // P12
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
