package ginauth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

func TestLoginDispatchesEvents(t *testing.T) {
	heard := make(chan events.Event, 10)
	a := testapp.New(t, testapp.Memory(t))
	ginauth.On(a.Manager, func(_ context.Context, e events.Login) { heard <- e })
	ginauth.On(a.Manager, func(_ context.Context, e events.Failed) { panic("CANARY-listener") })
	c := a.Client()
	c.LogIn(testapp.Alice, "wrong").Want(t, 401)
	c.LogIn("nobody@example.com", "wrong").Want(t, 401)
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	if err := a.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := a.EventNames(); got != "attempting failed attempting failed attempting authenticated login" {
		t.Errorf("events: %s", got)
	}
	if e := (<-heard).EventMeta(); e.UserID != a.Alice.AuthID() || e.Guard != "web" || e.Address != "127.0.0.1" || e.UserAgent == "" || !e.Time.Equal(a.Clock.Now()) {
		t.Errorf("event %+v", e)
	}
	failed := testapp.EventsOf[events.Failed](a)
	if failed[0].UserID != a.Alice.AuthID() || failed[1].UserID != "" || failed[0].Account == failed[1].Account || failed[1].Account == "" {
		t.Errorf("failed events %+v", failed)
	}
	if logs := a.Logs.String(); strings.Contains(logs, "CANARY") || !strings.Contains(logs, "listener panicked") {
		t.Errorf("logs: %s", logs)
	}
}

// An event is not made for nobody, and made for whoever hears it: an audit sink
// alone, or a listener alone, also one that came after other logins.
func TestTokenLoginIsHeard(t *testing.T) {
	for name, sink := range map[string]func(*ginauth.Config, *[]events.Event) func(*ginauth.Manager){
		"audit": func(cfg *ginauth.Config, heard *[]events.Event) func(*ginauth.Manager) {
			cfg.Audit = func(_ context.Context, e events.Event) { *heard = append(*heard, e) }
			return func(*ginauth.Manager) { *heard = nil }
		},
		"listener": func(_ *ginauth.Config, heard *[]events.Event) func(*ginauth.Manager) {
			return func(m *ginauth.Manager) {
				ginauth.On(m, func(_ context.Context, e events.Event) { *heard = append(*heard, e) })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			users, alice := new(ginauthtest.Users), &models.User{Name: "Alice", Email: testapp.Alice}
			if err := users.CreateUser(t.Context(), alice); err != nil {
				t.Fatal(err)
			}
			var heard []events.Event
			cfg := ginauth.Config{Users: users}
			listen := sink(&cfg, &heard)
			m, err := ginauth.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			r := gin.New()
			r.POST("/login", m.Guest("api"), func(c *gin.Context) {
				if _, err := ginauth.From(c).Guard("api").LoginUsingID(c.Request.Context(), alice.AuthID()); err != nil {
					ginauth.Abort(c, err)
				}
			})
			logIn := func() {
				w, req := httptest.NewRecorder(), httptest.NewRequest("POST", "/login", nil)
				req.Header.Set("User-Agent", "Mozilla/5.0")
				if r.ServeHTTP(w, req); w.Code != http.StatusOK {
					t.Fatal(w.Code, w.Body)
				}
			}
			logIn()
			listen(m)
			logIn()
			if err := m.Close(context.Background()); err != nil { // which waits for the listeners
				t.Fatal(err)
			}
			if len(heard) != 2 || heard[0].EventName() != "token_created" || heard[1].EventName() != "login" {
				t.Fatalf("heard %+v", heard)
			}
			for _, e := range heard {
				meta := e.EventMeta()
				if meta.Guard != "api" || meta.UserID != alice.AuthID() || meta.Address != "192.0.2.1" || meta.UserAgent != "Mozilla/5.0" || meta.Time.IsZero() {
					t.Errorf("%s: %+v", e.EventName(), meta)
				}
			}
			if created := heard[0].(events.TokenCreated); created.Kind != "refresh" || created.TokenID == "" {
				t.Errorf("%+v", created)
			}
		})
	}
}

// L04: one event for each revocation, when it is done.
func TestRevokeUserIsToldOnce(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b)
	a.LoggedIn(testapp.Alice)
	f.Set(testapp.Refuse, testapp.RevokeOwner)
	if err := a.RevokeUser(t.Context(), "web", a.Alice.AuthID()); ginauth.StatusOf(err) != 503 {
		t.Errorf("during an outage: %v", err)
	}
	if told := testapp.EventsOf[events.UserRevoked](a); len(told) != 0 {
		t.Errorf("events %+v of what is not done", told)
	}
	f.Clear()
	if err := a.RevokeUser(t.Context(), "web", a.Alice.AuthID()); err != nil {
		t.Fatal(err)
	}
	told := testapp.EventsOf[events.UserRevoked](a)
	if len(told) != 1 || told[0].UserID != a.Alice.AuthID() || told[0].Guard != "web" || told[0].Time.IsZero() || told[0].EventName() != "user_revoked" {
		t.Errorf("events %+v", told)
	}
}

func TestSlowListenerDelaysNobody(t *testing.T) { // L05
	block := make(chan struct{})
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.EventQueue = 1; c.Throttle.InsecureDisable = true }))
	ginauth.On(a.Manager, func(context.Context, events.Event) { <-block })
	c := a.Client()
	for range 5 {
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	}
	if a.DroppedEvents() == 0 {
		t.Error("nothing was counted as dropped")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	close(block)
}

func TestAuditMayLookAtTheSession(t *testing.T) {
	type key struct{}
	var seen []string
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Audit = func(ctx context.Context, e events.Event) {
			if s, ok := ctx.Value(key{}).(func() string); ok {
				seen = append(seen, e.EventName()+s())
			}
		}
	}))
	r := gin.New()
	r.Use(func(c *gin.Context) {
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), key{}, func() string { return ginauth.From(c).Session().ID()[:1] }))
	}, a.StartSession())
	r.GET("/x", func(c *gin.Context) { _, _ = ginauth.From(c).LoginUsingID(c.Request.Context(), "1") })
	a.Serve(r)
	a.Client().Get("/x").Want(t, 200)
	if len(seen) != 1 {
		t.Errorf("seen %v", seen)
	}
}

func TestLoginFromANewDeviceSendsMail(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		sent := make(chan mail.Message, 16)
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Mail = ginauth.MailConfig{BaseURL: "https://app.example", NotifyNewDevice: true, Mailer: mail.MailerFunc(
				func(_ context.Context, m mail.Message) error { sent <- m; return nil })}
		}))
		c := a.Client()
		c.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		c.LogIn(testapp.Alice, "wrong").Want(t, 401)
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if m := <-sent; m.Kind != mail.NewDevice || m.To.Email != testapp.Alice {
			t.Errorf("%s to %s", m.Kind, m.To.Email)
		}
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200) // from a device that is known by now
		if err := a.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := len(sent); n != 0 {
			t.Errorf("%d more mails", n)
		}
	})
}

func TestSlogAuditIsBounded(t *testing.T) {
	var line bytes.Buffer
	audit := ginauth.SlogAudit(slog.New(slog.NewTextHandler(&line, nil)))
	long := strings.Repeat("é", 1<<15)
	audit(t.Context(), events.Failed{Meta: events.Meta{UserID: long, UserAgent: long}})
	if n := line.Len(); n > 2000 {
		t.Errorf("a line of %d bytes", n)
	}
}
