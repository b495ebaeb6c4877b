package ginauth_test

import (
	"slices"
	"testing"
)

// TestSessionHasEachGuardsOwner logs two users into one session by two guards, and
// one of them out.
func TestSessionHasEachGuardsOwner(t *testing.T) {
	a := guards(t)
	c := a.client()
	owned := func(want ...string) {
		t.Helper()
		row, found, err := a.b.set.Sessions.Load(t.Context(), rowOf(t, c))
		if !found || err != nil || !slices.Equal(row.Owners, want) {
			t.Fatalf("the session's owners are %q, found %v, error %v; want %q", row.Owners, found, err, want)
		}
	}
	c.post("/in/web", nil).want(t, 204)
	owned("users:1")
	c.post("/in/staff", nil).want(t, 204)
	owned("staff/:1", "users:1")
	c.post("/in/admin", nil).want(t, 204) // the same user as by web
	owned("users:1", "staff/:1")
	c.do("DELETE", "/in/web", "", "").want(t, 204)
	owned("users:1", "staff/:1")
	c.do("DELETE", "/in/admin", "", "").want(t, 204)
	owned("staff/:1")
	c.get("/in/staff").want(t, 200)
}
