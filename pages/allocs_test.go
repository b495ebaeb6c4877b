//go:build !race

package pages_test

import (
	"net/http/httptest"
	"testing"

	"github.com/ginauth/ginauth/pages"
)

// A page of a user is made anew for each request. The texts and paths of the package are constants of its templates.
func TestPageAllocations(t *testing.T) {
	r, cookies := signedIn(t, pages.Options{Name: "Blog"})
	req := get("/profile", "text/html", cookies)
	if got := testing.AllocsPerRun(100, func() { r.ServeHTTP(httptest.NewRecorder(), req) }); got > 400 {
		t.Errorf("%v allocations, want 400 at most: 381 when this was written", got)
	}
}
