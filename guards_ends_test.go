package ginauth_test

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// bothGuards returns a client that is logged in as Alice by "web", and as Boss by "staff". It
// has put a value into the session before any login, one under web's, and one under both.
func bothGuards(t *testing.T, a *testapp.App) *testapp.Client {
	t.Helper()
	c := a.Client()
	c.Post("/set?k=nobody&v=1", nil).Want(t, 204)
	c.Post("/in/web", nil).Want(t, 204)
	c.Post("/set?k=web&v=1", nil).Want(t, 204)
	c.Post("/in/staff", nil).Want(t, 204)
	c.Post("/set?k=both&v=1", nil).Want(t, 204)
	return c
}

// hasKeys checks which of the keys of bothGuards are in the session.
func hasKeys(t *testing.T, c *testapp.Client, want ...string) {
	t.Helper()
	has := map[string]bool{}
	for _, key := range want {
		has[key] = true
	}
	var all map[string]any
	c.Get("/all").Want(t, 200).JSON(t, &all)
	for _, key := range []string{"nobody", "web", "both", "staff"} {
		if _, there := all[key]; there != has[key] {
			t.Errorf("the value %q is there: %v, want %v", key, there, has[key])
		}
	}
}

// TestEndOfOneGuardsLoginLeavesTheOther ends the login of one guard's user in a session in
// every way that ends it from outside. The login of the other guard goes on, without the
// values of the user whose login ended.
func TestEndOfOneGuardsLoginLeavesTheOther(t *testing.T) { // N03
	for name, end := range map[string]func(t *testing.T, a *testapp.App, c *testapp.Client){
		"RevokeUser": func(t *testing.T, a *testapp.App, _ *testapp.Client) {
			if err := a.RevokeUser(t.Context(), "web", "1"); err != nil {
				t.Fatal(err)
			}
		},
		"sign out of other devices": func(t *testing.T, a *testapp.App, _ *testapp.Client) {
			c := a.LoggedIn(testapp.Alice)
			c.Post("/logout-others", testapp.Passwords("", testapp.Password)).Want(t, 204)
			c.Get("/in/web").Want(t, 200)
		},
		"change of the password": func(t *testing.T, a *testapp.App, _ *testapp.Client) {
			c := a.LoggedIn(testapp.Alice)
			c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
			c.Get("/in/web").Want(t, 200)
		},
		"end of the device": func(t *testing.T, a *testapp.App, c *testapp.Client) {
			if a.Backend.Set.ClientSessions != nil {
				t.Skip("sessions in cookies are not listed")
			}
			a.LoggedIn(testapp.Alice).Delete("/devices/session-"+testapp.RowOf(t, c)).Want(t, 204)
		},
		"new stamp": func(t *testing.T, a *testapp.App, _ *testapp.Client) { a.NewStamp(a.Alice) },
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := guards(t, b)
				c := bothGuards(t, a)
				id := c.Session()
				end(t, a, c)
				c.Get("/in/web").Want401(t)
				if name := c.Get("/in/staff").Want(t, 200).UserName(t); name != "Boss" {
					t.Errorf("staff has %q", name)
				}
				hasKeys(t, c, "nobody")
				c.Post("/set?k=staff&v=1", nil).Want(t, 204)
				hasKeys(t, c, "nobody", "staff")
				a.With(id).Get("/in/web").Want401(t)
			})
		})
	}
}

// TestLogoutOfOneGuardClearsItsValues logs one of two guards out.
func TestLogoutOfOneGuardClearsItsValues(t *testing.T) { // N03
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := guards(t, b)
		c := bothGuards(t, a)
		hasKeys(t, c, "nobody", "web", "both")
		c.Delete("/in/web").Want(t, 204)
		c.Get("/in/staff").Want(t, 200)
		hasKeys(t, c, "nobody")

		c = bothGuards(t, a)
		c.Delete("/in/staff").Want(t, 204)
		hasKeys(t, c, "nobody", "web")
	})
}

// TestLateValueOfFormerUserIsHidden lets a request write under a login that another request
// ends before the write is stored, and that its session therefore does not know of.
func TestLateValueOfFormerUserIsHidden(t *testing.T) { // N01, N02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := guards(t, b)
		hold := testapp.NewHold()
		a.Engine.POST("/late", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			err := s.Put("web", "late")
			hold.Wait()
			testapp.Answer(c, nil, err)
		})
		c := bothGuards(t, a)
		late := c.Copy().Start("POST", "/late")
		hold.Arrived()
		c.Delete("/in/web").Want(t, 204)
		hold.Release()
		(<-late).Want(t, 409)
		hasKeys(t, c, "nobody")
	})
}
