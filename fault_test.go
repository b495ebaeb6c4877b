package ginauth_test

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
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestOutageIsNeverAnAnswer(t *testing.T) { // F01–F04, F08, A19, L02, EXP-15
	eachBackend(t, func(t *testing.T, b *backend) {
		fb, f := b.faulty()
		lasting := func(c *ginauth.Config) { c.Session.AbsoluteTimeout = 240 * time.Hour }
		a := newApp(t, fb, func(c *ginauth.Config) { c.StoreTimeout = 50 * time.Millisecond; lasting(c) }, func(a *app, r *gin.Engine) {
			ginauth.DefineUser(a.m.Gate(), "see", func(context.Context, *models.User) bool { return true })
			r.GET("/authorized", a.m.Authorize("see"), me)
			r.GET("/check", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Check(c.Request.Context())) })
			r.GET("/isguest", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Guest(c.Request.Context())) })
			r.GET("/can", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Can(c.Request.Context(), "see")) })
			r.GET("/read", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().Get("k")) })
			r.GET("/as", func(c *gin.Context) { _, ok := ginauth.UserAs[*models.User](c); c.JSON(200, ok) })
			r.POST("/end", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().Invalidate() == nil) })
		})
		cookie := newSibling(a, lasting).loggedIn(aliceEmail).session() // which has more time
		reads := []string{"/me", "/guest", "/verified", "/authorized", "/check", "/isguest", "/can", "/as"}
		rows := map[string][]string{
			"load": append(reads, "/read", "/all"), "user by id": reads, "update": {"POST /set?k=a&v=b"},
			"delete": {"POST /logout", "POST /end"}, "take": {"POST /login"}, "peek": {"POST /login"},
			"user by identifier": {"POST /login"}, "reset": {"POST /login"}, "create": {"POST /set?k=a&v=b", "POST /login"},
		}
		bodies := map[string]bool{}
		modes := map[string]fault{"refuse": faultRefuse, "hang": faultHang, "slow": faultSlow, "corrupt": faultCorrupt}
		if testing.Short() {
			delete(modes, "slow")
		}
		for op, requests := range rows {
			for modeName, mode := range modes {
				for _, request := range requests {
					f.set(op, mode)
					a.clock.advance(61 * time.Second)
					method, path, found := strings.Cut(request, " ")
					if !found {
						method, path = "GET", request
					}
					c := a.client().with(cookie)
					if op == "create" {
						c = a.client() // a guest
					}
					began, logins := time.Now(), len(eventsOf[loginEvent](a))
					res := c.do(method, path, "application/json", fmt.Sprintf(`{"email":%q,"password":%q}`, aliceEmail, goodPass))
					what := fmt.Sprintf("%s %s, %s %s", op, modeName, method, path)
					if res.StatusCode != http.StatusServiceUnavailable {
						t.Errorf("%s: status %d, body %s", what, res.StatusCode, res.body)
					}
					if took := time.Since(began); took > 550*time.Millisecond {
						t.Errorf("%s: took %v", what, took)
					}
					if len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("Retry-After") == "" {
						t.Errorf("%s: headers %v", what, res.Header)
					}
					if strings.Contains(res.body, "CANARY") || strings.Contains(res.body, "tcp") || strings.Contains(res.body, "ginauth") {
						t.Errorf("%s: the body tells the cause: %s", what, res.body)
					}
					bodies[res.body] = true
					if len(eventsOf[loginEvent](a)) != logins {
						t.Errorf("%s: a login event", what)
					}
				}
			}
		}
		if len(bodies) != 1 {
			t.Errorf("outages have %d bodies", len(bodies))
		}
		f.set("", faultNone)
		a.recovers("after the outage", cookie)
	})
}

func TestPanicInAStore(t *testing.T) { // F11
	eachBackend(t, func(t *testing.T, b *backend) {
		b, f := b.faulty()
		a := newApp(t, b, nil, nil)
		c := a.loggedIn(aliceEmail)
		for _, op := range []string{"load", "user by id", "update"} {
			f.set(op, faultPanic)
			c.post("/set?k=a&v=b", nil)
			if res := c.get("/me"); res.StatusCode < 500 && op != "update" {
				t.Errorf("%s panics: status %d", op, res.StatusCode)
			}
			f.set("", faultNone)
			c.get("/me").want(t, 200)
		}
	})
}

func TestHungStoreLeavesNothingBehind(t *testing.T) { // F06
	eachBackend(t, func(t *testing.T, b *backend) {
		b, f := b.faulty()
		a := newApp(t, b, nil, nil)
		hasty := newSibling(a, func(c *ginauth.Config) { c.StoreTimeout = 200 * time.Millisecond })
		c := a.loggedIn(aliceEmail)
		cookie := c.session()
		// The time that the server takes: opening 200 connections has its own.
		var slowest atomic.Int64
		hasty.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			hasty.engine.ServeHTTP(w, r)
			slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		})
		a.srv.Client().CloseIdleConnections()
		hasty.srv.Client().CloseIdleConnections()
		before := runtime.NumGoroutine()
		f.set("load", faultHang)
		together(200, func(int) {
			client := hasty.client().with(cookie)
			client.header.Set("Connection", "close")
			res, err := client.try(context.Background(), "GET", "/me", "", "")
			if err != nil || res.StatusCode != 503 {
				t.Errorf("%v %v", res, err)
			}
		})
		if took := time.Duration(slowest.Load()); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		hasty.srv.Client().CloseIdleConnections()
		deadline := time.Now().Add(30 * time.Second)
		for runtime.NumGoroutine() > before+5 && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		if n := runtime.NumGoroutine(); n > before+5 {
			t.Errorf("%d goroutines, %d before", n, before)
		}
		f.set("", faultNone)
		c.get("/me").want(t, 200)
	})
}

// pruned tells a test when it was asked to prune.
type pruned struct {
	stores.Sessions
	asked chan time.Time
}

func (p pruned) Prune(_ context.Context, now time.Time) (int, error) {
	select {
	case p.asked <- now:
	default:
	}
	return 0, errRefused
}

func TestPruningRunsAndEnds(t *testing.T) {
	b := memoryBackend(t)
	asked := make(chan time.Time, 1)
	b.set.Sessions = pruned{b.set.Sessions, asked}
	a := newApp(t, b, func(c *ginauth.Config) { c.Session.PruneInterval = time.Millisecond }, nil)
	for range 2 {
		if now := <-asked; !now.Equal(a.clock.Now()) {
			t.Errorf("pruned at %v", now)
		}
	}
	if err := a.m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for len(asked) > 0 {
		<-asked
	}
	runtime.Gosched()
	if len(asked) > 0 {
		t.Error("pruning goes on after Close")
	}
}
