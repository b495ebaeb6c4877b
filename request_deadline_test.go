package ginauth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// timed is an application in a bubble of testing/synctest, whose stores can be
// made late. Its requests go to the engine, because a network's time is real.
type timed struct {
	engine *gin.Engine
	m      *ginauth.Manager
	f      *testapp.Faults
	users  testapp.Users
}

// do sends a request and returns its answer, and how long that took.
func (a *timed) do(method, path, cookie string) (*http.Response, time.Duration) {
	r := httptest.NewRequest(method, "https://example.com"+path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", testapp.SessionCookie+"="+cookie)
	}
	w, began := httptest.NewRecorder(), time.Now()
	a.engine.ServeHTTP(w, r)
	return w.Result(), time.Since(began)
}

// session begins a session and returns its cookie's value.
func (a *timed) session(t *testing.T) string {
	t.Helper()
	res, _ := a.do("POST", "/set?k=first&v=1", "")
	if len(res.Cookies()) != 1 {
		t.Fatal(res.Status, res.Header)
	}
	return res.Cookies()[0].Value
}

// bubble runs a test whose time passes when everybody waits. Store calls have one
// second.
func bubble(t *testing.T, test func(t *testing.T, a *timed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, f := testapp.Memory(t).Faulty()
		m, err := ginauth.New(ginauth.Config{Key: testapp.Key, Stores: b.Set, Users: b.Users, Hashing: ginauthtest.CheapHashing(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(context.Background())
		r := gin.New()
		r.Use(m.StartSession())
		r.POST("/set", testapp.SetKey)
		test(t, &timed{r, m, f, b.Users})
	})
}

// TestStoreTimeIsThatOfStores lets time pass in stores and elsewhere.
func TestStoreTimeIsThatOfStores(t *testing.T) { // F01
	bubble(t, func(t *testing.T, a *timed) {
		a.engine.POST("/works", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			s.Has("k")
			time.Sleep(10 * time.Minute)
			if err := s.Put("k", 1); err != nil {
				ginauth.Abort(c, err)
			}
		})
		cookie := a.session(t)
		for _, c := range []struct {
			name, path string
			late       time.Duration
			status     int
			took       time.Duration
		}{
			{"in time", "/set?k=a&v=b", 400 * time.Millisecond, 204, 800 * time.Millisecond},
			{"not in time", "/set?k=a&v=b", 800 * time.Millisecond, 503, time.Second},
			{"in time, and the handler's own", "/works", 400 * time.Millisecond, 200, 10*time.Minute + 800*time.Millisecond},
			{"not in time, and the handler's own", "/works", 800 * time.Millisecond, 503, 10*time.Minute + time.Second},
			{"almost none left", "/works", time.Second - 1, 503, 10*time.Minute + time.Second},
		} {
			a.f.Delay(c.late, testapp.LoadSession, testapp.UpdateSession)
			if res, took := a.do("POST", c.path, cookie); res.StatusCode != c.status || took != c.took {
				t.Errorf("%s: status %d after %v, want %d after %v", c.name, res.StatusCode, took, c.status, c.took)
			}
		}
	})
}

// TestStoreTimeOfParallelCallsPassesOnce runs calls at once: their time passes once.
func TestStoreTimeOfParallelCallsPassesOnce(t *testing.T) {
	bubble(t, func(t *testing.T, a *timed) {
		cookie := a.session(t)
		a.engine.GET("/many", func(c *gin.Context) {
			ctx := ginauth.From(c).EventContext(c.Request.Context())
			testapp.Race(10, func(i int) {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				if _, err := a.m.Session(ctx, cookie); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			})
			ginauth.From(c).Session().Has("k")
		})
		a.f.Delay(400*time.Millisecond, testapp.LoadSession)
		if res, took := a.do("GET", "/many", cookie); res.StatusCode != 200 || took != 890*time.Millisecond {
			t.Errorf("status %d after %v", res.StatusCode, took)
		}
	})
}

// TestManagerSharesTheStoreTimeOfTheRequest calls a method of the Manager after a call of the
// request has taken most of its time.
func TestManagerSharesTheStoreTimeOfTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T, a *timed) {
		cookie := a.session(t)
		open := func(what string, ctx context.Context, inTime bool) {
			t.Helper()
			if _, err := a.m.Session(ctx, cookie); (err == nil) != inTime || (err != nil && !errors.Is(err, ginauth.ErrUnavailable)) {
				t.Errorf("%s: %v", what, err)
			}
		}
		heard := make(chan bool)
		ginauth.On(a.m, func(ctx context.Context, _ events.Logout) {
			open("for a listener", ctx, true)
			close(heard)
		})
		var kept context.Context
		a.engine.GET("/", func(c *gin.Context) {
			handle := ginauth.From(c)
			handle.Session().Has("k")
			kept = handle.EventContext(c.Request.Context())
			a.m.Dispatch(kept, events.Logout{})
			<-heard
			open("in the request", kept, false)
			open("with a context of its own", c.Request.Context(), true)
		})
		a.f.Delay(800*time.Millisecond, testapp.LoadSession)
		a.do("GET", "/", cookie)
		open("after the request", kept, true)
	})
}

// TestStoreTimeEndsWithTheAnswer asks the stores for longer than one answer may
// take, once it has begun.
func TestStoreTimeEndsWithTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, a *timed) {
		a.engine.GET("/stream", func(c *gin.Context) {
			c.Writer.Flush()
			for i := range 4 {
				if _, err := ginauth.From(c).Throttle(c.Request.Context(), "email", testapp.Alice); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
		})
		a.f.Delay(400*time.Millisecond, testapp.ReserveSlots)
		if res, took := a.do("GET", "/stream", ""); res.StatusCode != 200 || took != 1600*time.Millisecond {
			t.Errorf("status %d after %v", res.StatusCode, took)
		}
	})
}

// TestStoreTimeIsNotThatOfRules asks for longer than one answer may take whether
// something is allowed, which the application's rules find out.
func TestStoreTimeIsNotThatOfRules(t *testing.T) {
	bubble(t, func(t *testing.T, a *timed) {
		ginauth.DefineUserGuest(a.m.Gate(), "see", func(ctx context.Context, _ *models.User) bool {
			time.Sleep(400 * time.Millisecond)
			return true
		})
		a.engine.POST("/list", func(c *gin.Context) {
			handle := ginauth.From(c)
			for i := range 4 {
				if err := handle.Authorize(c.Request.Context(), "see"); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
			if err := handle.Session().Put("k", 1); err != nil {
				ginauth.Abort(c, err)
			}
		})
		if res, took := a.do("POST", "/list", a.session(t)); res.StatusCode != 200 || took != 1600*time.Millisecond {
			t.Errorf("status %d after %v", res.StatusCode, took)
		}
		a.engine.POST("/one", a.m.Authorize("see"), testapp.SetKey)
		a.f.Delay(400*time.Millisecond, testapp.LoadSession, testapp.UpdateSession)
		if res, took := a.do("POST", "/one?k=a&v=b", a.session(t)); res.StatusCode != 503 || took != time.Second {
			t.Errorf("behind a middleware: status %d after %v", res.StatusCode, took)
		}
	})
}

// TestReplayEndsALoginInASlowStore replays a token when finding that out takes
// nearly all the time there is: nobody would ask for the end again.
func TestReplayEndsALoginInASlowStore(t *testing.T) { // R01
	bubble(t, func(t *testing.T, a *timed) {
		user := &models.User{Name: "Alice", Email: testapp.Alice}
		if err := a.users.CreateUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		var tokens *ginauth.TokenPair
		answer := func(c *gin.Context, res *ginauth.LoginResult, err error) {
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
			tokens = res.Tokens
		}
		a.engine.POST("/login", func(c *gin.Context) {
			res, err := ginauth.From(c).Guard("api").Login(c.Request.Context(), user)
			answer(c, res, err)
		})
		a.engine.POST("/refresh", func(c *gin.Context) {
			res, err := ginauth.From(c).Guard("api").Refresh(c.Request.Context(), c.Query("token"))
			answer(c, res, err)
		})
		refresh := func(token string, status int, took time.Duration) {
			t.Helper()
			if res, d := a.do("POST", "/refresh?token="+token, ""); res.StatusCode != status || d != took {
				t.Fatalf("status %d after %v, want %d after %v", res.StatusCode, d, status, took)
			}
		}
		a.do("POST", "/login", "")
		first := tokens.RefreshToken
		refresh(first, 200, 0)
		time.Sleep(time.Minute)
		a.f.Delay(400*time.Millisecond, testapp.FindToken, testapp.RevokeFamily)
		refresh(first, 401, 1200*time.Millisecond)
		a.f.Clear()
		refresh(tokens.RefreshToken, 401, 0)
	})
}

// TestHungLimiterHoldsNoAnswerUp lets the store hang when a request that
// succeeded is to be taken off the count.
func TestHungLimiterHoldsNoAnswerUp(t *testing.T) { // F06
	bubble(t, func(t *testing.T, a *timed) {
		a.engine.GET("/secret", a.m.ThrottleFailures("secret", ginauth.Limit{}), func(c *gin.Context) { c.String(200, "hello") })
		a.f.Set(testapp.Hang, testapp.RefundSlots)
		if res, took := a.do("GET", "/secret", ""); res.StatusCode != 200 || took != time.Second {
			t.Errorf("status %d after %v", res.StatusCode, took)
		}
	})
}

// waitingUsers waits with the context of a lookup, once it is told how.
type waitingUsers struct {
	models.UserProvider
	wait atomic.Pointer[func(context.Context)]
}

func (u *waitingUsers) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if wait := u.wait.Load(); wait != nil {
		(*wait)(ctx)
		return nil, ctx.Err()
	}
	return u.UserProvider.UserByID(ctx, id)
}

// TestStoreContextEndsWithItsCall is about the context that stores and providers are given: it
// ends at the deadline and after the call, however they look at it.
func TestStoreContextEndsWithItsCall(t *testing.T) { // F01, F06
	for name, wait := range map[string]func(context.Context){
		"polled": func(ctx context.Context) {
			for ctx.Err() == nil {
				runtime.Gosched()
			}
		},
		"waited for": func(ctx context.Context) { <-ctx.Done() },
		"waited for in one derived from it": func(ctx context.Context) {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
		},
		"waited for by its deadline": func(ctx context.Context) {
			at, ok := ctx.Deadline()
			if !ok {
				t.Error("there is no deadline")
			}
			<-time.After(time.Until(at))
		},
	} {
		t.Run(name, func(t *testing.T) {
			const timeout = 50 * time.Millisecond
			b := testapp.Memory(t)
			users := &waitingUsers{UserProvider: b.Users}
			a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users, c.StoreTimeout = users, timeout }))
			c := a.LoggedIn(testapp.Alice)

			var seen context.Context
			var waited time.Duration
			var ended error
			looking := func(ctx context.Context) {
				began := time.Now()
				wait(ctx)
				seen, ended, waited = ctx, ctx.Err(), time.Since(began)
			}
			users.wait.Store(&looking)
			c.Get("/me").Want(t, 503)
			if !errors.Is(ended, context.DeadlineExceeded) || waited < timeout/2 {
				t.Errorf("%v after %v", ended, waited)
			}
			select {
			case <-seen.Done():
			default:
				t.Error("the call is over and its context is not")
			}
		})
	}

	t.Run("kept", func(t *testing.T) { // nobody looked at it in time
		b := testapp.Memory(t)
		users := &waitingUsers{UserProvider: b.Users}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = users }))
		c := a.LoggedIn(testapp.Alice)
		var seen context.Context
		keeping := func(ctx context.Context) { seen = ctx }
		users.wait.Store(&keeping)
		c.Get("/me").Want(t, 401)
		if !errors.Is(seen.Err(), context.Canceled) {
			t.Errorf("after the call: %v", seen.Err())
		}
		<-seen.Done()
	})
}
