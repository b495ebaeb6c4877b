package experiments_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

func TestRememberRace(t *testing.T) { // M04, EXP-11
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Throttle.InsecureDisable = true
			c.StoreTimeout = 20 * time.Second
		}))
		for range testsize.Rounds(50, 2) {
			raceRemember(t, a)
			if t.Failed() {
				return
			}
		}
	})
}

func raceRemember(t *testing.T, a *testapp.App) {
	t.Helper()
	const n = 50
	c, thefts := a.Remembered(testapp.Alice), len(testapp.EventsOf[events.TokenReused](a))
	tabs := make([]*testapp.Client, n)
	for i := range tabs {
		tabs[i] = c.Only(testapp.RememberCookie)
	}
	testapp.Race(n, func(i int) { _, _ = a.Client().Try(context.Background(), "GET", "/", "", "") }) // opens connections
	testapp.Race(n, func(i int) {
		res, err := tabs[i].Try(context.Background(), "GET", "/me", "", "")
		if err != nil || res.StatusCode != 200 {
			t.Errorf("tab %d: %v %v", i, res, err)
		}
	})
	for _, tab := range tabs {
		if tab.Cookies[testapp.RememberCookie] != tabs[0].Cookies[testapp.RememberCookie] {
			t.Error("two series are left")
		}
	}
	if n := len(testapp.EventsOf[events.TokenReused](a)); n != thefts {
		t.Errorf("%d events of theft", n-thefts)
	}
	if id := tabs[0].Device("remember").ID; id == "" {
		t.Error("no series is left")
	}
	a.Clock.Advance(10 * time.Second)
	testapp.Race(4, func(int) { // replayed
		res, err := c.Only(testapp.RememberCookie).Try(context.Background(), "GET", "/me", "", "")
		if err != nil || res.StatusCode != 401 {
			t.Errorf("a replay: %v %v", res, err)
		}
	})
	if n := len(testapp.EventsOf[events.TokenReused](a)); n != thefts+1 {
		t.Errorf("%d events of theft, want 1", n-thefts)
	}
	for _, tab := range tabs {
		tab.Only(testapp.SessionCookie).Get("/me").Want401(t)
	}
	tabs[0].Only(testapp.RememberCookie).Get("/me").Want401(t)
	c.Post("/logout", nil).Want(t, 204)
}

// Who hangs up before the answer has had the request done all the same. That is no
// outage, and leaves the trace of any other use.
func TestThiefWhoHangsUpIsFoundOut(t *testing.T) { // M03, F07
	for _, path := range []string{"/stays", "/fails", "/panics"} {
		t.Run(path[1:], func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				arrived, done := make(chan struct{}), make(chan struct{})
				a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
					r.GET(path, a.Auth(), func(c *gin.Context) {
						arrived <- struct{}{}
						<-c.Request.Context().Done()
						switch path {
						case "/fails":
							ginauth.Abort(c, ginauth.Unavailable("do as told", c.Request.Context().Err()))
						case "/panics":
							panic("x")
						}
					})
				}))
				a.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == path {
						defer close(done)
					}
					a.Engine.ServeHTTP(w, r)
				}))
				c := a.Remembered(testapp.Alice)
				ctx, cancel := context.WithCancel(t.Context())
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					_, _ = c.Only(testapp.RememberCookie).Try(ctx, "GET", path, "", "")
				}()
				<-arrived
				cancel()
				<-gone
				<-done
				a.Clock.Advance(time.Hour)
				c.Only(testapp.RememberCookie).Get("/me").Want401(t)
				if n := len(testapp.EventsOf[events.TokenReused](a)); n != 1 {
					t.Errorf("%d thefts found, want 1", n)
				}
			})
		})
	}
}

// M04, EXP-11: fifty tabs opened at the same time are all logged in.
func TestRememberInManyTabs(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newRoutesApp(t, b)
		for range testsize.Rounds(50, 2) {
			c := a.Client()
			c.Post("/login", map[string]any{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200)
			value := c.Remember()
			var tabs [50]*testapp.Client
			var in atomic.Int32
			a.Race(len(tabs), func(i int) {
				tabs[i] = a.WithRemember(value)
				if tabs[i].Get("/me").StatusCode == http.StatusOK {
					in.Add(1)
				}
			})
			if n := in.Load(); int(n) != len(tabs) {
				t.Fatalf("%d of %d tabs are logged in", n, len(tabs))
			}
			last := tabs[0].Cookies[testapp.RememberCookie]
			for _, tab := range tabs {
				if tab.Cookies[testapp.RememberCookie] != last {
					t.Fatal("the cookie has two successors")
				}
			}
		}
		testapp.WantEvents[events.TokenReused](a, 0)
	})
}
