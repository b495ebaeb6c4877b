package testapp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

func TestRoutesAnswer(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice, bob := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Bob)
		api := a.Bearer(a.IssueTokens(testapp.Alice).AccessToken)
		program := a.Bearer(alice.Personal("read").Text)
		for _, row := range []struct {
			c      *testapp.Client
			path   string
			status int
		}{
			{a.Client(), "/", 200}, {a.Client(), "/guest", 200}, {a.Client(), "/me", 401},
			{alice, "/me", 200}, {alice, "/verified", 200}, {bob, "/verified", 403}, {alice, "/sudo", 200},
			{alice, "/posts/1", 200}, {bob, "/posts/1", 403}, {alice, "/posts/3", 404}, {alice, "/admin", 200}, {bob, "/admin", 403},
			{alice, "/any/me", 200}, {api, "/any/me", 200}, {program, "/any/me", 200}, {api, "/bearer/me", 200},
			{api, "/api/me", 200}, {program, "/api/me", 401}, {program, "/ability/read", 200}, {program, "/ability/read-write", 403},
		} {
			row.c.Get(row.path).Want(t, row.status)
		}
		alice.Delete("/posts/1").Want(t, 204)
		carol := a.Client()
		carol.Post("/register", `{"name":"Carol","email":"carol@example.com","password":"`+testapp.NewPassword+`"}`).Want(t, 201)
		carol.Get(testapp.PathOf(t, a.Outbox.Next(t, mail.VerifyEmail, "carol@example.com"))).Want(t, 204)
		if err := a.Reset(testapp.Bob, a.ResetToken(testapp.Bob), testapp.NewPassword); err != nil {
			t.Error(err)
		}
		a.Client().LogIn(testapp.Bob, testapp.NewPassword).Want(t, 200)
		a.ChangeEmail(alice, "alice@new.example").Want(t, 204)
		testapp.WantEvents[events.Registered](a, 1)
		if n := b.Users.Count(); n != 3 {
			t.Errorf("%d users", n)
		}
	})
}

func TestApplicationWithOneGuardHasNoRoutesOfOthers(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}}
	}))
	a.Client().Get("/api/me").Want(t, 404)
	a.LoggedIn(testapp.Alice).Get("/any/me").Want(t, 200)
}

func TestSiblingSharesUsersAndSessions(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/own", func(c *gin.Context) { c.Status(204) })
	}))
	c := a.LoggedIn(testapp.Alice)
	b := a.Sibling(func(c *ginauth.Config) { c.Session.IdleTimeout = time.Hour })
	b.With(c.Session()).Get("/me").Want(t, 200)
	b.Client().Get("/own").Want(t, 204)
	a.Clock.Advance(time.Hour)
	b.With(c.Session()).Get("/me").Want401(t)
}

func TestEveryCallOfAStoreCanFail(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Configure(testapp.StoreTime(50*time.Millisecond)))
		c := a.LoggedIn(testapp.Alice)
		for _, mode := range []testapp.Fault{testapp.Refuse, testapp.Hang, testapp.Slow, testapp.Corrupt} {
			before := f.Count()
			f.Set(mode, testapp.LoadSession)
			c.Get("/me").Want(t, 503)
			f.Set(mode)
			c.Get("/me").Want(t, 503)
			f.Delay(time.Millisecond, testapp.LoadSession)
			c.Get("/me").Want(t, 200)
			f.Clear()
			c.Get("/me").Want(t, 200)
			if f.Count() == before || f.Count(testapp.LoadSession, testapp.UserByID) == 0 {
				t.Error("calls are not counted")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for _, op := range testapp.TokenOps() {
			f.Set(testapp.Hang, op)
			if err := callTokens(ctx, b, op); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s does not hang: %v", op, err)
			}
		}
	})
}

func TestRaceReleasesAllAtOnce(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	var running atomic.Int32
	all := make(chan struct{})
	a.Race(20, func(int) {
		if running.Add(1) == 20 {
			close(all)
		}
		<-all // nobody waits for another one to return
		a.Client().Get("/").Want(t, 200)
	})
}

func TestHoldStopsARequest(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	result := c.Copy().Start("GET", "/slow")
	a.Slow.Arrived()
	c.Post("/logout", nil).Want(t, 204)
	a.Slow.Release()
	(<-result).Want401(t)
}

func TestRecordsHoldWhatHappened(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
	if got := a.EventNames(); got != "attempting failed" {
		t.Errorf("events %s", got)
	}
	a.Outbox.Break(mail.ErrPermanent)
	a.Client().Post("/forgot", `{"Email":"`+testapp.Alice+`"}`).Want(t, 204)
	if rest := a.RestOfMails(); len(rest) != 0 || !strings.Contains(a.Logs.String(), "level=ERROR") {
		t.Errorf("mails %v, logs %s", rest, a.Logs)
	}
	a.Disable(a.Alice)
	if u := a.User(a.Alice.AuthID()); u.DisabledAt == nil || a.Alice.DisabledAt != nil {
		t.Error("Disable changes the user as it was created, or not the one that is stored")
	}
}

// recorder is a test that is expected to fail.
type recorder struct {
	testing.TB
	cleanup []func()
	errors  []string
}

func (r *recorder) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestLeaksAreReported(t *testing.T) {
	for name, leak := range map[string]func(a *testapp.App, c *gin.Context){
		"none":      func(*testapp.App, *gin.Context) {},
		"log":       func(a *testapp.App, _ *gin.Context) { fmt.Fprintln(a.Logs, testapp.Password) },
		"responses": func(_ *testapp.App, c *gin.Context) { c.String(200, c.GetHeader("Cookie")) },
		"events": func(a *testapp.App, c *gin.Context) {
			a.Dispatch(c.Request.Context(), events.Failed{Meta: events.Meta{Account: a.Alice.SecurityStamp}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			a := testapp.New(r, testapp.Memory(t), testapp.CheckLeaks(), testapp.Routes(func(a *testapp.App, e *gin.Engine) {
				e.GET("/leak", func(c *gin.Context) { leak(a, c) })
				e.GET(testapp.FormTokenPath, testapp.FormToken)
			}))
			c := a.LoggedIn(testapp.Alice)
			c.Get(testapp.FormTokenPath).Want(t, 200)
			c.Get("/leak").Want(t, 200)
			for _, f := range slices.Backward(r.cleanup) {
				f()
			}
			if said := strings.Join(r.errors, "\n"); (said == "") != (name == "none") || name != "none" && !strings.Contains(said, "in the "+name) {
				t.Errorf("reported %q", said)
			}
		})
	}
}
