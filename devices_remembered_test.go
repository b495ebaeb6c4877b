package ginauth_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

// reopen sends n parallel requests of a browser that was closed, and keeps the cookies of one of
// the responses, as a browser does.
func reopen(a *testapp.App, browser *testapp.Client, n int) *testapp.Client {
	a.Helper()
	tabs := make([]*testapp.Client, n)
	for i := range tabs {
		tabs[i] = browser.Only(testapp.RememberCookie).As(testapp.Firefox)
	}
	a.Race(n, func(i int) { tabs[i].Get("/me").Want(a, 200) })
	return tabs[n/2]
}

// rowsOf returns how many sessions of Alice are stored.
func rowsOf(a *testapp.App, b *testapp.Backend) int {
	a.Helper()
	rows, err := b.Set.Sessions.(stores.SessionIndex).SessionsOf(a.Context(), "users:"+a.Alice.AuthID(), 100)
	if err != nil {
		a.Fatal(err)
	}
	return len(rows)
}

// TestReopenedBrowserIsOneDevice closes a remembered browser and opens it with several pages,
// three times.
func TestReopenedBrowserIsOneDevice(t *testing.T) { // S16, M07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := testapp.New(t, b)
		other := a.LoggedIn(testapp.Alice)
		browser := a.Remembered(testapp.Alice)
		for range 3 {
			a.Clock.Advance(5 * time.Minute)
			browser = reopen(a, browser, 6)
			browser.Get("/me").Want(t, 200)
		}
		devices := browser.Devices()
		if len(devices) != 2 {
			t.Fatalf("devices %+v", devices)
		}
		own := browser.Device("remember")
		if !own.Current || own.Name != "Firefox on Linux" || browser.Device("session").Current {
			t.Errorf("devices %+v", devices)
		}
		other.Delete("/devices/"+own.ID).Want(t, 204)
		browser.Get("/me").Want401(t)
		if left := other.Devices(); len(left) != 1 || !left[0].Current {
			t.Errorf("left: %+v", left)
		}
		if n := rowsOf(a, b); n != 1 {
			t.Errorf("%d sessions are left, want that of the other browser", n)
		}
	})
}

// TestSessionsOfOneSeriesReplaceEachOther opens a remembered browser again and again. Its former
// sessions do not fill the store.
func TestSessionsOfOneSeriesReplaceEachOther(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := testapp.New(t, b)
		a.LoggedIn(testapp.Alice)
		browser := a.Remembered(testapp.Alice)
		former := browser.Copy()
		for range 3 {
			a.Clock.Advance(time.Minute)
			browser = reopen(a, browser, 4)
		}
		a.RestOfMails() // waits for what runs in the background
		// The other browser's, and those of the last parallel requests.
		if n := rowsOf(a, b); n < 2 || n > 1+4 {
			t.Errorf("%d sessions are stored", n)
		}
		former.Only(testapp.SessionCookie).Get("/me").Want401(t)
		browser.Get("/me").Want(t, 200)
	})
}

// TestLoginReplacesTheRememberedOne logs in twice in one browser.
func TestLoginReplacesTheRememberedOne(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		browser := a.Remembered(testapp.Alice)
		before := browser.Remember()
		browser.Post("/remember", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 204)
		var kept []ginauth.Device
		for _, d := range browser.Devices() {
			if d.Kind == "remember" {
				kept = append(kept, d)
			}
		}
		if len(kept) != 1 || !kept[0].Current {
			t.Errorf("devices %+v", kept)
		}
		a.WithRemember(before).Get("/me").Want401(t)
		browser.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
	})
}
