package ginauth_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
)

// eachSessionStore calls test with each backend that stores sessions. Sessions that live in
// their cookies have no limit: nothing knows how many there are.
func eachSessionStore(t *testing.T, test func(t *testing.T, b *testapp.Backend)) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		if b.Set.ClientSessions == nil {
			test(t, b)
		}
	})
}

func maxPerUser(n int) testapp.Option {
	return testapp.Configure(testapp.Unlimited, func(c *ginauth.Config) { c.Session.MaxPerUser = n })
}

// TestLoginEndsLeastRecentlyUsedSession logs a user in once more than is allowed.
func TestLoginEndsLeastRecentlyUsedSession(t *testing.T) { // B01
	eachSessionStore(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, maxPerUser(3))
		bob := a.LoggedIn(testapp.Bob)
		var devices []*testapp.Client
		for range 3 {
			a.Clock.Advance(time.Minute)
			devices = append(devices, a.LoggedIn(testapp.Alice))
		}
		oldest := testapp.RowOf(t, devices[1])
		a.Clock.Advance(2 * time.Minute)
		devices[0].Get("/me").Want(t, 200) // the first login, and in use
		devices[2].Get("/me").Want(t, 200)
		testapp.WantEvents[events.SessionEvicted](a, 0)

		a.Clock.Advance(time.Second)
		newest := a.LoggedIn(testapp.Alice)
		devices[1].Get("/me").Want401(t)
		for _, c := range []*testapp.Client{devices[0], devices[2], newest, bob} {
			c.Get("/me").Want(t, 200)
		}
		if list := newest.Devices(); len(list) != 3 {
			t.Errorf("%d devices, want 3", len(list))
		}
		e := testapp.WantEvents[events.SessionEvicted](a, 1)[0]
		if e.SessionID != oldest || e.UserID != a.Alice.AuthID() || e.Guard != "web" || e.Address == "" {
			t.Errorf("event %+v, want one of session %s", e, oldest)
		}
	})
}

// TestLoginInAnonymousSessionIsLimited logs in where a session exists already, which changes
// its row and creates none.
func TestLoginInAnonymousSessionIsLimited(t *testing.T) {
	eachSessionStore(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, maxPerUser(2))
		var all []*testapp.Client
		for i := range 4 {
			a.Clock.Advance(time.Second)
			c := a.Client()
			c.Post("/set?k=cart&v=full", nil).Want(t, 204)
			for range i + 1 { // a login again makes it no more sessions
				c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
			}
			all = append(all, c)
		}
		all[0].Get("/me").Want401(t)
		all[1].Get("/me").Want401(t)
		all[2].Get("/me").Want(t, 200)
		all[3].Get("/me").Want(t, 200)
		testapp.WantEvents[events.SessionEvicted](a, 2)
	})
}

func TestSessionsOfAUserCanBeUnlimited(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(testapp.Unlimited, func(c *ginauth.Config) {
		c.Session.DisableMaxPerUser = true
	}))
	first := a.LoggedIn(testapp.Alice)
	for range 110 {
		a.LoggedIn(testapp.Alice)
	}
	first.Get("/me").Want(t, 200)
	if list := first.Devices(); len(list) != 111 {
		t.Errorf("%d devices, want 111", len(list))
	}
}

// TestSessionsOfAUserAreLimitedByDefault logs in more often than the default allows.
func TestSessionsOfAUserAreLimitedByDefault(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(testapp.Unlimited))
	for range 110 {
		a.LoggedIn(testapp.Alice)
	}
	if list := a.LoggedIn(testapp.Alice).Devices(); len(list) != 100 {
		t.Errorf("%d devices, want 100", len(list))
	}
	testapp.WantEvents[events.SessionEvicted](a, 11)
}

// TestListOfLeftoverSessionsIsBounded lists sessions from before there was a limit.
func TestListOfLeftoverSessionsIsBounded(t *testing.T) {
	eachSessionStore(t, func(t *testing.T, b *testapp.Backend) {
		before := testapp.New(t, b, testapp.Configure(testapp.Unlimited, func(c *ginauth.Config) {
			c.Session.DisableMaxPerUser = true
		}))
		for range 30 {
			before.Clock.Advance(time.Second)
			before.LoggedIn(testapp.Alice)
		}
		c := before.LoggedIn(testapp.Alice)
		now := before.Sibling(func(c *ginauth.Config) { c.Session.DisableMaxPerUser, c.Session.MaxPerUser = false, 5 })
		c = now.With(c.Session())
		if list := c.Devices(); len(list) != 5 {
			t.Errorf("%d devices, want 5", len(list))
		}
		// The next login ends all of them that are too many.
		before.Clock.Advance(time.Second)
		now.LoggedIn(testapp.Alice)
		list := c.Devices()
		if len(list) != 5 {
			t.Errorf("%d devices, want 5", len(list))
		}
		testapp.WantEvents[events.SessionEvicted](now, 27)
	})
}

// TestConfirmedEmailKeepsViaRemember changes the address of a user whom a remember-me cookie
// logged in: the link in a mail is no password.
func TestConfirmedEmailKeepsViaRemember(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
		via := func(want bool, when string) {
			t.Helper()
			if got := c.Get("/via").Want(t, 200).Text; got != fmt.Sprint(want) {
				t.Errorf("%s: via remember is %s, want %v", when, got, want)
			}
		}
		via(true, "by the cookie")
		// The device gets a new cookie with the new login, so the session alone must know.
		c.Confirm(testapp.Password).Want(t, 204)
		a.ChangeEmail(c, "alice@new.example").Want(t, 204)
		via(true, "after the change of the address")
		c.Get("/sudo").WantConfirmation(t)
		c.Call("POST", "/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
		via(false, "after the change of the password")
	})
}
