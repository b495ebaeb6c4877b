package ginauth_test

import (
	"slices"
	"testing"

	"github.com/ginauth/ginauth/internal/testapp"
)

// TestSessionHasEachGuardsOwner logs two users into one session by two guards, and
// one of them out.
func TestSessionHasEachGuardsOwner(t *testing.T) {
	a := guards(t, testapp.Memory(t))
	c := a.Client()
	owned := func(want ...string) {
		t.Helper()
		row, found, err := a.Backend.Set.Sessions.Load(t.Context(), testapp.RowOf(t, c))
		if !found || err != nil || !slices.Equal(row.Owners, want) {
			t.Fatalf("the session's owners are %q, found %v, error %v; want %q", row.Owners, found, err, want)
		}
	}
	c.Post("/in/web", nil).Want(t, 204)
	owned("users:1")
	c.Post("/in/staff", nil).Want(t, 204)
	owned("staff/:1", "users:1")
	c.Post("/in/admin", nil).Want(t, 204) // the same user as by web
	owned("users:1", "staff/:1")
	c.Delete("/in/web").Want(t, 204)
	owned("users:1", "staff/:1")
	c.Delete("/in/admin").Want(t, 204)
	owned("staff/:1")
	c.Get("/in/staff").Want(t, 200)
}
