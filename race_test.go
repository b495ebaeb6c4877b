package ginauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

func TestLogoutAgainstInFlight(t *testing.T) { // EXP-06
	testapp.EachBackend(t, logoutAgainstInFlight)
}

func TestLogoutAgainstInFlightInCookies(t *testing.T) { // EXP-06
	testapp.EachCookieBackend(t, logoutAgainstInFlight)
}

// ending is one logout: it tells when it begins and when it is done.
type ending struct{ begins, done chan struct{} }

// meet returns at once, or when the logout begins, or when it is done.
func (e *ending) meet() {
	switch rand.IntN(3) {
	case 0:
		<-e.begins
	case 1:
		<-e.done
	}
}

func logoutAgainstInFlight(t *testing.T, b *testapp.Backend) {
	var end atomic.Pointer[ending]
	a := testapp.New(t, b, testapp.Configure(testapp.Unlimited), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/end", func(c *gin.Context) {
			e := end.Load()
			defer close(e.done)
			close(e.begins)
			testapp.Logout(c)
		})
		r.GET("/meet", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			s.Has("k")
			end.Load().meet()
			if err := s.Put("slow", true); err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.String(200, "written")
		})
	}))
	n := testsize.Rounds(1000, 100)
	var overtaken atomic.Int32
	for range n {
		end.Store(&ending{make(chan struct{}), make(chan struct{})})
		c := a.LoggedIn(testapp.Alice)
		cookie := c.Session()
		var others [4]*testapp.Client
		testapp.Race(len(others), func(i int) {
			path, method := "/meet", "GET"
			if i == 0 {
				path, method = "/end", "POST"
			}
			others[i] = a.Client().With(cookie)
			res, err := others[i].Try(context.Background(), method, path, "", "")
			if err != nil || (res.StatusCode != 200 && res.StatusCode != 204 && res.StatusCode != 401) {
				t.Errorf("%s: %v %v", path, res, err)
			} else if res.StatusCode == 401 {
				overtaken.Add(1)
			}
		})
		a.Client().With(cookie).Get("/me").Want401(t)
		for _, other := range others {
			if res := other.Get("/me"); res.StatusCode != 401 {
				t.Error("a session came back")
			}
		}
	}
	// They had loaded the session before it ended, and wrote afterwards.
	t.Logf("%d rounds, %d of %d requests overtaken by the end", n, overtaken.Load(), 3*n)
}

// parallelKeys runs 100 requests that each set a key in one session, with one
// request of another kind among them. It returns the keys that were
// acknowledged, the client that has the session's cookie afterwards, and those
// that set the keys.
func parallelKeys(a *testapp.App, c *testapp.Client, special func(c *testapp.Client) *testapp.Response) (acked map[string]bool, last *testapp.Client, all []*testapp.Client) {
	var mu sync.Mutex
	acked, last = map[string]bool{}, c
	testapp.Race(100, func(i int) {
		other := c.With(c.Session())
		if i == 50 && special != nil {
			special(other)
			mu.Lock()
			defer mu.Unlock()
			last = other
			return
		}
		key := fmt.Sprint("k", i)
		res, err := other.Try(context.Background(), "POST", "/set?v=1&k="+key, "", "")
		if err != nil {
			a.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, other)
		switch res.StatusCode {
		case 204:
			acked[key] = true
		case 401, 409: // the session ended, or its id changed: said, not done
		default:
			a.Errorf("key %d: status %d", i, res.StatusCode)
		}
	})
	return acked, last, all
}

func TestParallelWritersLoseNothing(t *testing.T) { // EXP-07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "merging parallel changes")
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		holds := func(c *testapp.Client, acked map[string]bool) {
			t.Helper()
			var all map[string]any
			if err := json.Unmarshal([]byte(c.Get("/all").Want(t, 200).Text), &all); err != nil {
				t.Fatal(err)
			}
			for key := range acked {
				if all[key] != "1" {
					t.Errorf("acknowledged key %s is lost", key)
				}
			}
		}
		for range testsize.Rounds(50, 5) {
			c := a.Client()
			c.Post("/set?k=first&v=1", nil).Want(t, 204)
			acked, _, _ := parallelKeys(a, c, nil)
			if len(acked) != 100 {
				t.Errorf("%d of 100 acknowledged", len(acked))
			}
			holds(c, acked)

			acked, after, _ := parallelKeys(a, c, func(c *testapp.Client) *testapp.Response {
				return c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
			})
			if after.Session() == c.Session() {
				t.Fatal("the login kept the id")
			}
			holds(after, acked)
			after.Get("/me").Want(t, 200)
		}
	})
}

func TestParallelWritersAgainstLoginAndLogout(t *testing.T) { // EXP-07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		for range testsize.Rounds(50, 5) {
			c := a.Client()
			c.Post("/set?k=first&v=1", nil).Want(t, 204)
			_, user, others := parallelKeys(a, c, func(c *testapp.Client) *testapp.Response {
				return c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
			})
			for _, other := range append(others, c) {
				other.Get("/me").Want401(t) // the login is in no other's id
			}
			user.Get("/me").Want(t, 200)
			if got := user.Get("/all").Text; !strings.Contains(got, "first") {
				t.Errorf("after the login the session holds %s", got)
			}

			_, gone, others := parallelKeys(a, user, func(c *testapp.Client) *testapp.Response { return c.Post("/logout", nil).Want(t, 204) })
			for _, other := range append(others, gone.With(user.Session())) {
				other.Get("/me").Want401(t)
				if got := other.Get("/all").Text; strings.Contains(got, "first") {
					t.Errorf("after the logout the session still holds %s", got)
				}
			}
		}
	})
}
