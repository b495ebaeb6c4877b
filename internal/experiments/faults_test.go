package experiments_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestOutageIsNeverAnAnswer(t *testing.T) { // F01–F04, F08, A19, L02, EXP-15
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		fb, f := b.Faulty()
		lasting := func(c *ginauth.Config) { c.Session.AbsoluteTimeout = 240 * time.Hour }
		a := testapp.New(t, fb,
			testapp.Configure(func(c *ginauth.Config) { c.StoreTimeout = 50 * time.Millisecond; lasting(c) }),
			testapp.Routes(func(a *testapp.App, r *gin.Engine) {
				ginauth.DefineUser(a.Gate(), "see", func(context.Context, *models.User) bool { return true })
				r.GET("/authorized", a.Authorize("see"), testapp.Me)
				r.GET("/check", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Check(c.Request.Context())) })
				r.GET("/isguest", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Guest(c.Request.Context())) })
				r.GET("/can", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Can(c.Request.Context(), "see")) })
				r.GET("/read", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().Get("k")) })
				r.GET("/as", func(c *gin.Context) { _, ok := ginauth.UserAs[*models.User](c); c.JSON(200, ok) })
				r.POST("/end", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().Invalidate() == nil) })
			}))
		cookie := a.Sibling(lasting).LoggedIn(testapp.Alice).Session() // which has more time
		reads := []string{"/me", "/guest", "/verified", "/authorized", "/check", "/isguest", "/can", "/as"}
		rows := map[testapp.Op][]string{
			testapp.LoadSession: append(reads, "/read", "/all"), testapp.UserByID: reads, testapp.UpdateSession: {"POST /set?k=a&v=b"},
			testapp.DeleteSession: {"POST /logout", "POST /end"}, testapp.ReserveSlots: {"POST /login"},
			testapp.UserByIdentifier: {"POST /login"}, testapp.ResetSlots: {"POST /login"}, testapp.CreateSession: {"POST /set?k=a&v=b", "POST /login"},
		}
		bodies := map[string]bool{}
		modes := []testapp.Fault{testapp.Refuse, testapp.Hang, testapp.Corrupt, testapp.Slow}
		if testing.Short() {
			modes = modes[:3]
		}
		for op, requests := range rows {
			for _, mode := range modes {
				for _, request := range requests {
					f.Set(mode, op)
					a.Clock.Advance(61 * time.Second)
					method, path, found := strings.Cut(request, " ")
					if !found {
						method, path = "GET", request
					}
					c := a.Client().With(cookie)
					if op == testapp.CreateSession {
						c = a.Client() // a guest
					}
					began, logins := time.Now(), len(testapp.EventsOf[events.Login](a))
					res := c.Do(method, path, "application/json", fmt.Sprintf(`{"email":%q,"password":%q}`, testapp.Alice, testapp.Password))
					what := fmt.Sprintf("%s %s, %s %s", op, mode, method, path)
					if res.StatusCode != http.StatusServiceUnavailable {
						t.Errorf("%s: status %d, body %s", what, res.StatusCode, res.Text)
					}
					if took := time.Since(began); took > 550*time.Millisecond {
						t.Errorf("%s: took %v", what, took)
					}
					if len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("Retry-After") == "" {
						t.Errorf("%s: headers %v", what, res.Header)
					}
					if strings.Contains(res.Text, "CANARY") || strings.Contains(res.Text, "tcp") || strings.Contains(res.Text, "ginauth") {
						t.Errorf("%s: the body tells the cause: %s", what, res.Text)
					}
					bodies[res.Text] = true
					if len(testapp.EventsOf[events.Login](a)) != logins {
						t.Errorf("%s: a login event", what)
					}
				}
			}
		}
		if len(bodies) != 1 {
			t.Errorf("outages have %d bodies", len(bodies))
		}
		f.Clear()
		recovers(a, "after the outage", cookie)
	})
}

func TestPanicInAStoreIsNoAnswer(t *testing.T) { // F11
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		for _, op := range []testapp.Op{testapp.LoadSession, testapp.UserByID, testapp.UpdateSession} {
			f.Set(testapp.Panic, op)
			c.Post("/set?k=a&v=b", nil)
			if res := c.Get("/me"); res.StatusCode < 500 && op != testapp.UpdateSession {
				t.Errorf("%s panics: status %d", op, res.StatusCode)
			}
			f.Clear()
			c.Get("/me").Want(t, 200)
		}
	})
}

func TestHungStoreLeavesNothingBehind(t *testing.T) { // F06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b)
		hasty := a.Sibling(testapp.StoreTime(200 * time.Millisecond))
		c := a.LoggedIn(testapp.Alice)
		cookie := c.Session()
		// The time that the server takes: opening 200 connections has its own.
		var slowest atomic.Int64
		hasty.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			hasty.Engine.ServeHTTP(w, r)
			slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		}))
		a.Server.Client().CloseIdleConnections()
		hasty.Server.Client().CloseIdleConnections()
		before := runtime.NumGoroutine()
		f.Set(testapp.Hang, testapp.LoadSession)
		testapp.Race(200, func(int) {
			client := hasty.Client().With(cookie)
			client.Header.Set("Connection", "close")
			res, err := client.Try(context.Background(), "GET", "/me", "", "")
			if err != nil || res.StatusCode != 503 {
				t.Errorf("%v %v", res, err)
			}
		})
		if took := time.Duration(slowest.Load()); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		hasty.Server.Client().CloseIdleConnections()
		deadline := time.Now().Add(30 * time.Second)
		for runtime.NumGoroutine() > before+5 && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		if n := runtime.NumGoroutine(); n > before+5 {
			t.Errorf("%d goroutines, %d before", n, before)
		}
		f.Clear()
		c.Get("/me").Want(t, 200)
	})
}

// TestSlowStoresShareOneDeadline asks for two calls of which each is in time, and
// both together are not.
func TestSlowStoresShareOneDeadline(t *testing.T) { // F01, F04, EXP-16
	const timeout = 250 * time.Millisecond
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		fb, f := b.Faulty()
		a := testapp.New(t, fb, testapp.Configure(testapp.StoreTime(timeout)))
		cookie := a.Sibling(func(*ginauth.Config) {}).LoggedIn(testapp.Alice).Session() // which has more time
		for _, request := range []string{"POST /set?k=slow&by=1", "POST /logout", "POST /login"} {
			f.Delay(timeout*8/10, testapp.LoadSession, testapp.UpdateSession, testapp.DeleteSession, testapp.UserByIdentifier)
			credentials := fmt.Sprintf(`{"email":%q,"password":%q}`, testapp.Alice, testapp.Password)
			outage(t, a.Client().With(cookie), "two late calls, "+request, request, credentials, timeout+500*time.Millisecond)
			f.Clear()
			recovers(a, request, cookie)
		}
		c := a.Client().With(cookie)
		if got := c.Get("/all").Want(t, 200).Text; got != "{}" {
			t.Errorf("the session has changed: %s", got)
		}
		c.Post("/logout", nil).Want(t, 204) // asked for again
		a.Client().With(cookie).Get("/me").Want401(t)
	})
}

func TestOutageIsWaitedForOnce(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b,
		testapp.Configure(testapp.StoreTime(100*time.Millisecond)),
		testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			ginauth.DefineUser(a.Gate(), "see", func(context.Context, *models.User) bool { return true })
			r.GET("/many", func(c *gin.Context) {
				for range 20 {
					ginauth.From(c).Can(c.Request.Context(), "see")
				}
			})
		}))
	c := a.LoggedIn(testapp.Alice)
	f.Set(testapp.Hang, testapp.UserByID)
	before := f.Count(testapp.UserByID)
	c.Get("/many").Want(t, 503)
	if n := f.Count(testapp.UserByID) - before; n != 1 {
		t.Errorf("the user was asked for %d times", n)
	}
	f.Clear()
	f.Set(testapp.Refuse, testapp.UserByID)
	c.Post("/logout", nil).Want(t, 204)
	if !strings.Contains(a.EventNames(), "logout") {
		t.Error("no logout event while users cannot be loaded")
	}
}

func TestOutageKeepsCookieSessions(t *testing.T) { // F01, F03, F08
	b, f := testapp.Cookie(t).Faulty()
	a := testapp.New(t, b)
	c := a.LoggedIn(testapp.Alice)
	cookie := c.Session()
	a.Clock.Advance(2 * time.Minute)
	for _, request := range []string{"POST /set?k=a&v=b", "GET /me"} { // a change, and a touch
		f.Set(testapp.Refuse, testapp.UpdateSession)
		method, path, _ := strings.Cut(request, " ")
		res := c.Do(method, path, "", "").Want(t, 503)
		if len(res.Header["Set-Cookie"]) > 0 || c.Session() != cookie || strings.Contains(res.Text, "Alice") {
			t.Errorf("%s: %v %s", request, res.Header, res.Text)
		}
	}
	for _, path := range []string{"/login", "/logout"} { // ending the id before
		f.Set(testapp.Refuse, testapp.DeleteSession)
		if res := c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	f.Set(testapp.Refuse, testapp.CreateSession)
	c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 503)
	f.Clear()
	c.Get("/me").Want(t, 200)
}

// outage sends a request while a store cannot answer, and asserts that the
// answer says so: in time, to nobody's benefit, and without ending a session.
func outage(t testing.TB, c *testapp.Client, what, request, body string, limit time.Duration) *testapp.Response {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	began := time.Now()
	res := c.Do(method, path, "application/json", body)
	if took := time.Since(began); took > limit {
		t.Errorf("%s: took %v", what, took)
	}
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s: status %d, body %s", what, res.StatusCode, res.Text)
	}
	if len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("Retry-After") == "" {
		t.Errorf("%s: headers %v", what, res.Header)
	}
	if strings.ContainsAny(res.Text, "0123456789") || strings.Contains(res.Text, "tcp") {
		t.Errorf("%s: the body tells the cause: %s", what, res.Text)
	}
	return res
}

// recovers asserts that the session still is Alice's within a second, and
// returns how long that took.
func recovers(a *testapp.App, what, cookie string) time.Duration {
	a.Helper()
	began := time.Now()
	for {
		res := a.Client().With(cookie).Get("/me")
		switch {
		case res.StatusCode == 200 && res.UserName(a) == "Alice":
			return time.Since(began)
		case res.StatusCode != http.StatusServiceUnavailable:
			a.Fatalf("%s: afterwards status %d, body %s", what, res.StatusCode, res.Text)
		case time.Since(began) > time.Second:
			a.Fatalf("%s: no recovery in a second", what)
		}
	}
}
