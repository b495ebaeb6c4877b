package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/testbackends"
)

// TestHeldRequestOfGuest changes a guest's session in a request that began before a login and ends
// after it. A short request keeps its change. A request that was held open does not: the guest's
// cookie may have been planted by somebody who waits for the login.
func TestHeldRequestOfGuest(t *testing.T) {
	testbackends.Each(t, func(t *testing.T, backend testbackends.Backend) {
		for _, c := range []struct {
			name  string
			held  time.Duration
			login bool
			kept  bool
		}{
			{"short", session.SupersededFor, true, true},
			{"held", session.SupersededFor + time.Second, true, false},
			{"held without a login", time.Minute, false, true},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := &browser{t: t, app: newApplication(backend.Set)}
				b.start("", "")
				guest := b.visit()
				if !guest.s.Has("k") {
					t.Fatal("the guest has no session")
				}
				if c.login {
					owner := b.visit()
					if err := errors.Join(owner.s.LogIn("web", login("1")), owner.commit()); err != nil {
						t.Fatal(err)
					}
				}
				cookie := b.cookie
				b.app.env.Now = func() time.Time { return began.Add(c.held) }
				err := errors.Join(guest.s.Put("late", "of the guest"), guest.commit())
				kept := c.kept && (!c.login || backend.Set.ClientSessions == nil) // a cookie has no room for both
				if kept != (err == nil) || err != nil && !errors.Is(err, autherr.ErrConflict) {
					t.Errorf("the guest's request returned %v", err)
				}
				if c.login {
					b.cookie = cookie
				}
				if v := b.visit(); v.s.Has("late") != kept || !v.s.Has("k") {
					t.Errorf("the session has the late value: %v, the early one: %v", v.s.Has("late"), v.s.Has("k"))
				}
			})
		}
	})
}
