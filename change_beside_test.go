package ginauth_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
)

// heldUsers lets a test hold one request where it loads its user.
type heldUsers struct {
	userBackend
	next             *atomic.Bool // whether it is the next one
	arrived, proceed chan struct{}
}

func (p heldUsers) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if p.next.CompareAndSwap(true, false) {
		p.arrived <- struct{}{}
		<-p.proceed
	}
	return p.userBackend.UserByID(ctx, id)
}

// keepsCookies asserts that an answer refuses somebody and leaves the cookies that
// the client has alone.
func (r *response) keepsCookies(t *testing.T) {
	t.Helper()
	r.is401(t)
	if lines := r.Header["Set-Cookie"]; len(lines) > 0 {
		t.Errorf("%s sets %q", r.Request.URL.Path, lines)
	}
}

// A request that ran beside a change of the password comes too late: it is refused
// and takes nothing from the session that goes on.
func TestRequestsBesideAPasswordChange(t *testing.T) { // P12
	eachBackend(t, func(t *testing.T, b *backend) {
		arrived, proceed := make(chan struct{}), make(chan struct{})
		wrapped, hold := *b, new(atomic.Bool)
		wrapped.users = heldUsers{b.users, hold, arrived, proceed}
		a, _ := accounts(t, &wrapped)
		c := a.remembered(aliceEmail)
		c.post("/set?k=cart&v=full", nil).want(t, 204)
		before := func() *client {
			other := c.with(c.session())
			other.cookies[rememberCookie] = c.cookies[rememberCookie]
			return other
		}
		late, later := before(), before()

		hold.Store(true)
		done := inFlight(late, "/me", arrived)
		c.post("/password", passwordForm{goodPass, nextPass}).want(t, 204)
		close(proceed)
		(<-done).keepsCookies(t)
		later.get("/me").keepsCookies(t) // was sent before, and arrives now
		c.get("/me").want(t, 200)
		if body := c.get("/all").body; !strings.Contains(body, "full") {
			t.Errorf("the session that goes on holds %s", body)
		}
		c.only(rememberCookie).get("/me").want(t, 200)

		a.clock.advance(10 * time.Second)
		if line := setCookie(t, later.get("/me"), rememberCookie); !strings.Contains(line, "Max-Age=0") {
			t.Errorf("a cookie that ended long ago: %q", line)
		}
	})
}

// The same between the change and the answer to it.
func TestRequestsDuringAPasswordChange(t *testing.T) { // P12
	eachBackend(t, func(t *testing.T, b *backend) {
		during := func() {}
		a, _ := accounts(t, b, func(c *ginauth.Config) {
			audit := c.Audit
			c.Audit = func(ctx context.Context, e events.Event) {
				if audit(ctx, e); e.EventName() == "password_changed" {
					during()
				}
			}
		})
		c := a.remembered(aliceEmail)
		session, remember := c.session(), c.cookies[rememberCookie]
		during = func() {
			for range 2 { // the second finds that the session has ended
				other := c.with(session)
				other.cookies[rememberCookie] = remember
				res, err := other.try(context.Background(), "GET", "/me", "", "")
				if err != nil || res.StatusCode != 401 || len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("meanwhile: %+v, %v", res, err)
				}
			}
		}
		c.post("/password", passwordForm{goodPass, nextPass}).want(t, 204)
		c.only(sessionCookie).get("/me").want(t, 200)
		c.only(rememberCookie).get("/me").want(t, 200)
		a.client().with(session).get("/me").is401(t)
	})
}
