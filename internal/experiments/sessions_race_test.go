package experiments_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
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

func TestInFlightRequestRevivesNothing(t *testing.T) { // S05, S06, S17
	endings := map[string]func(a *testapp.App, c *testapp.Client, u *models.User){
		"logout": func(a *testapp.App, c *testapp.Client, _ *models.User) { c.Post("/logout", nil).Want(a, 204) },
		"password change": func(a *testapp.App, c *testapp.Client, u *models.User) {
			if _, err := a.Backend.Users.ChangePassword(context.Background(), u.AuthID(), u.SecurityStamp, u.Password, "another"); err != nil {
				a.Fatal(err)
			}
		},
		"disabled": func(a *testapp.App, c *testapp.Client, u *models.User) {
			now := a.Clock.Now()
			a.Backend.Users.Change(u.AuthID(), func(u *models.User) { u.DisabledAt = &now })
		},
	}
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for name, end := range endings {
			t.Run(name, func(t *testing.T) {
				email := strings.ReplaceAll(name, " ", "-") + "@example.com"
				u := a.AddUser(name, email, testapp.Password)
				c := a.LoggedIn(email)
				old := c.Session()
				result := a.With(old).Start("GET", "/slow")
				a.Slow.Arrived()
				end(a, c, u)
				a.Slow.Release()
				res := <-result
				if name == "logout" {
					res.Want401(t)
					if len(res.Header["Set-Cookie"]) > 0 {
						t.Errorf("the late request sets %q", res.Header["Set-Cookie"])
					}
				}
				a.Client().With(old).Get("/me").Want401(t)
			})
		}
	})
}

func TestLoginIsNotPrunedWithTheGuestsSession(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Client()
		c.Post("/set?k=a&v=b", nil).Want(t, 204)
		for range 23 {
			a.Clock.Advance(time.Hour)
			c.Get("/all")
		}
		a.Clock.Advance(55 * time.Minute)
		result := c.With(c.Session()).Start("GET", "/slow")
		a.Slow.Arrived()
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		a.Slow.Release()
		<-result
		a.Clock.Advance(10 * time.Minute)
		if p, ok := b.Set.Sessions.(stores.Pruner); ok {
			if _, err := p.Prune(context.Background(), a.Clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		c.Get("/me").Want(t, 200)
	})
}

func TestCookieSessionHasOneSuccessor(t *testing.T) {
	testapp.EachCookieBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/regenerate", func(c *gin.Context) {
				if err := ginauth.From(c).Session().Regenerate(); err != nil {
					ginauth.Abort(c, err)
				}
			})
		}))
		for range testsize.Rounds(200, 20) {
			c := a.LoggedIn(testapp.Alice)
			var renewed, ended atomic.Int32
			alive := make([]*testapp.Client, 8)
			testapp.Race(len(alive), func(i int) {
				other := c.With(c.Session())
				path := "/regenerate"
				if i == 0 {
					path = "/logout"
				}
				res, err := other.Try(context.Background(), "POST", path, "", "")
				switch {
				case err != nil:
					t.Error(err)
				case res.StatusCode == 200:
					renewed.Add(1)
					alive[i] = other
				case res.StatusCode == 204:
					ended.Add(1)
				case res.StatusCode != 401 && res.StatusCode != 409:
					t.Errorf("%s: status %d", path, res.StatusCode)
				}
			})
			// Requests that came after the end find a session that is not there.
			if renewed.Load()+ended.Load() == 0 {
				t.Error("nobody won")
			}
			c.Get("/me").WantDead(t)
			users := 0
			for _, other := range alive {
				if other != nil && other.Get("/me").StatusCode == 200 {
					users++
				}
			}
			if users+int(ended.Load()) != 1 {
				t.Errorf("%d successors, %d logouts", users, ended.Load())
			}
		}
	})
}

func TestCookieOfALoginIsNotOverwritten(t *testing.T) {
	testapp.EachCookieBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(slowTouch))
		c := a.LoggedIn(testapp.Alice)
		a.Clock.Advance(2 * time.Minute)
		changes, touches := c.With(c.Session()).Start("GET", "/slow"), c.With(c.Session()).Start("GET", "/slow-touch")
		a.Slow.Arrived()
		a.Slow.Arrived()
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		late := c.With(c.Session())
		a.Slow.ReleaseAll()
		(<-changes).Want(t, 409).WantNoCookies(t)
		(<-touches).Want(t, 200).WantNoCookies(t)
		late.Get("/me").Want(t, 200)
	})
}

// slowTouch adds routes that are held after they have read the session.
func slowTouch(a *testapp.App, r *gin.Engine) {
	r.GET("/slow-touch", func(c *gin.Context) {
		ginauth.From(c).Session().Has("k")
		a.Slow.Wait()
	})
	r.GET("/slow-me", a.Auth(), func(c *gin.Context) {
		a.Slow.Wait()
		c.String(200, "Alice")
	})
}

func TestTouchRevivesNoCookieSession(t *testing.T) {
	testapp.EachCookieBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(slowTouch))
		c := a.LoggedIn(testapp.Alice)
		a.Clock.Advance(2 * time.Minute)
		touches := c.With(c.Session()).Start("GET", "/slow-me")
		a.Slow.Arrived()
		c.Post("/logout", nil).Want(t, 204)
		a.Slow.ReleaseAll()
		(<-touches).WantNoCookies(t).Want401(t)
	})
}

func TestRequestsNeverMeetAnotherUser(t *testing.T) { // S18
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		users, requests := 200, 100
		if b.Name != "memory" || testing.Short() {
			users, requests = 50, 20
		}
		for i := range users {
			a.AddUser(fmt.Sprint("user", i), fmt.Sprintf("u%d@example.com", i), testapp.Password)
		}
		testapp.Race(users, func(i int) {
			c := a.Client()
			res, err := c.TryPost("/login", testapp.Credentials(fmt.Sprintf("u%d@example.com", i), testapp.Password))
			if err != nil || res.StatusCode != 200 {
				t.Errorf("login %d: %v %v", i, res, err)
				return
			}
			for range requests {
				res, err := c.Try(context.Background(), "GET", "/me", "", "")
				if err != nil || res.StatusCode != 200 || !strings.Contains(res.Text, fmt.Sprintf(`"user%d"`, i)) {
					t.Errorf("user %d got %v %v", i, res, err)
					return
				}
			}
		})
	})
}
