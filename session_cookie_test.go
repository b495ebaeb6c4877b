package ginauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestSessionTooLargeForItsCookieIsRefused(t *testing.T) { // C05
	var answered error
	b := testapp.Cookie(t)
	b.Set.ClientSessions = roomyCarrier{b.Set.ClientSessions}
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.ErrorHandler = func(_ *gin.Context, _ int, err error) bool { answered = err; return false }
	}), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		fill := func(c *gin.Context) {
			if err := ginauth.From(c).Session().Put("big", strings.Repeat("x", 4000)); err != nil {
				t.Error(err)
			}
			c.Header("X-Handler", "1")
		}
		r.POST("/overflow", fill, func(c *gin.Context) { c.String(200, "saved") })
		r.POST("/login-overflow", fill, testapp.Login)
	}))
	c := a.Client()
	c.Post("/set?k=a&v=b", nil).Want(t, 204)
	before := c.Session()
	for _, path := range []string{"/overflow", "/login-overflow"} {
		for _, c := range []*testapp.Client{c, a.Client()} {
			answered = nil
			had := c.Session()
			res := c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 500)
			if len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("X-Handler") != "" || strings.Contains(res.Text, "saved") || strings.Contains(res.Text, "Alice") {
				t.Errorf("%s: %v %s", path, res.Header, res.Text)
			}
			if !errors.Is(answered, ginauth.ErrSessionTooLarge) || errors.Is(answered, ginauth.ErrUnavailable) || c.Session() != had {
				t.Errorf("%s: %v", path, answered)
			}
		}
	}
	if logs := a.Logs.String(); !strings.Contains(logs, "bytes with its name, at most 4096 are allowed") {
		t.Errorf("the log does not name the size: %s", logs)
	}
	if len(testapp.EventsOf[events.Login](a)) > 0 {
		t.Error("a login that was not stored is told of")
	}
	if got := a.Client().With(before).Get("/all").Text; got != `{"a":"b"}` {
		t.Errorf("the session before holds %s", got)
	}
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	c.Get("/me").Want(t, 200)
}

// roomyCarrier promises more room than there is, so that what does not fit is
// found when it is sealed.
type roomyCarrier struct{ stores.ClientSessions }

func (roomyCarrier) Room(string) int { return 1 << 20 }

func TestFullCookieIsRefusedWhereItIsFilled(t *testing.T) { // C05
	var err error
	a := testapp.New(t, testapp.Cookie(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/fill", func(c *gin.Context) {
			if err = ginauth.From(c).Session().Put("big", strings.Repeat("x", 4000)); err != nil {
				ginauth.Abort(c, err)
			}
		})
	}))
	c := a.Client()
	if c.Post("/fill", nil).Want(t, 422); !errors.Is(err, ginauth.ErrInvalidInput) || !strings.Contains(err.Error(), `"big"`) || len(c.Cookies) > 0 {
		t.Fatalf("err %v, cookies %v", err, c.Cookies)
	}
}

func TestLoginThatDoesNotFitIsNotDropped(t *testing.T) { // C05
	b := testapp.Cookie(t)
	p := plainUsers{new(ginauthtest.Users), &plainUser{id: strings.Repeat("7", 3000)}}
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = p }))
	p.user.hash, _ = a.Hasher().Hash(context.Background(), testapp.Password)
	res := a.Client().LogIn("x@example.com", testapp.Password).Want(t, 500)
	if len(res.Header["Set-Cookie"]) > 0 || strings.Contains(res.Text, "777") {
		t.Errorf("%v %s", res.Header, res.Text)
	}
}

func TestFullCookieStillLogsIn(t *testing.T) { // C05
	a := testapp.New(t, testapp.Cookie(t))
	c := a.Client()
	n, status := 0, 204
	for ; status == 204; n++ {
		status = c.Post(fmt.Sprintf("/set?k=k%d&v=%s", n, strings.Repeat("v", 100)), nil).StatusCode
	}
	if status != 422 || n < 15 {
		t.Fatalf("status %d after %d values", status, n)
	}
	res := c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	if line, _, _ := strings.Cut(res.SetCookie(t, testapp.SessionCookie), ";"); len(line) > 4097 { // with the equals sign
		t.Errorf("%d bytes", len(line))
	}
	c.Get("/me").Want(t, 200)
}

func TestCookieSessionsAreOfOneName(t *testing.T) { // S19
	b := testapp.Cookie(t)
	first := testapp.New(t, b)
	second := first.Sibling(func(c *ginauth.Config) { c.Session.Cookie.Name = "__Host-second" })
	alice := first.LoggedIn(testapp.Alice)
	c := second.Client()
	c.Cookies["__Host-second"] = alice.Session()
	c.Get("/me").Want401(t)
	c.Cookies["__Host-second"] = second.LoggedIn(testapp.Bob).Cookies["__Host-second"]
	c.Get("/me").Want(t, 200)
}

func TestCookieSessionsAreReissuedUnderANewKey(t *testing.T) { // C09
	b := testapp.Cookie(t)
	first := testapp.New(t, b)
	guest := first.Client()
	guest.Post("/set?k=cart&v=book", nil).Want(t, 204)
	newKey := ginauth.NewKey()
	second := first.Sibling(func(c *ginauth.Config) { c.Key, c.PreviousKeys = newKey, []ginauth.Key{testapp.Key} })
	moved := second.Client().With(guest.Session())
	if moved.Get("/all").Want(t, 200); moved.Session() == guest.Session() {
		t.Fatal("the cookie was not sealed anew")
	}
	again := moved.Session()
	if moved.Get("/all").Want(t, 200); moved.Session() != again {
		t.Error("a cookie under the current key was sealed anew")
	}
	third := first.Sibling(func(c *ginauth.Config) { c.Key = newKey })
	if got := third.Client().With(moved.Session()).Get("/all").Text; got != `{"cart":"book"}` {
		t.Errorf("under the new key the session holds %s", got)
	}
	if got := third.Client().With(guest.Session()).Get("/all").Text; got != "{}" {
		t.Errorf("under the dropped key the session holds %s", got)
	}
}

func TestCookieSessionsEndInAllProcesses(t *testing.T) { // S04
	testapp.EachCookieBackend(t, func(t *testing.T, b *testapp.Backend) {
		first := testapp.New(t, b)
		second := first.Sibling(func(*ginauth.Config) {})
		c := first.LoggedIn(testapp.Alice)
		other := second.Client().With(c.Session())
		other.Get("/me").Want(t, 200)
		old := c.Session()
		c.LogIn(testapp.Alice, testapp.Password).Want(t, 200) // a new id ends the old one everywhere
		second.WantReplaced(old, "/me")
		other = second.Client().With(c.Session())
		other.Get("/me").Want(t, 200)
		other.Post("/logout", nil).Want(t, 204)
		c.Get("/me").Want401(t)
	})
}

func TestEndedCookieSessionsAreRemembered(t *testing.T) {
	b := testapp.SQLite(t).InCookies()
	db := b.DB
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Session.AbsoluteTimeout = 24 * time.Hour }))
	for name, row := range map[string]struct {
		client *testapp.Client
		until  time.Duration // from now: what could open the cookie, and an hour
	}{
		"user":  {a.LoggedIn(testapp.Alice), 25 * time.Hour},
		"guest": {a.Client(), 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			db.Where("1 = 1").Delete(&models.Token{})
			row.client.Post("/set?k=a&v=b", nil).Want(t, 204)
			old := row.client.Session()
			row.client.Post("/logout", nil).Want(t, 204)
			var notes []models.Token
			if err := db.Find(&notes).Error; err != nil || len(notes) != 1 {
				t.Fatalf("%d notes, %v", len(notes), err)
			}
			until := time.UnixMicro(notes[0].Expires)
			if notes[0].Kind != string(stores.Revoked) || notes[0].Owner != "" || !until.Equal(a.Clock.Now().Add(row.until)) {
				t.Errorf("note %+v until %v", notes[0], until)
			}
			if _, err := b.Set.Tokens.(stores.Pruner).Prune(context.Background(), until.Add(-time.Second)); err != nil {
				t.Fatal(err)
			}
			if got := a.Client().With(old).Get("/all").Text; got != "{}" {
				t.Errorf("the ended session holds %s", got)
			}
		})
	}
}

func TestUntouchedCookieSessionCostsNothing(t *testing.T) {
	b, f := testapp.Cookie(t).Faulty()
	a := testapp.New(t, b)
	c := a.LoggedIn(testapp.Alice)
	asked := func(request string) (finds, seals int) {
		t.Helper()
		finds, seals = f.Count(testapp.LoadSession), f.Count(testapp.CreateSession)
		method, path, _ := strings.Cut(request, " ")
		c.Do(method, path, "", "")
		return f.Count(testapp.LoadSession) - finds, f.Count(testapp.CreateSession) - seals
	}
	for _, row := range []struct {
		request      string
		wait         time.Duration
		finds, seals int
	}{
		{"GET /", 0, 0, 0}, {"GET /me", 0, 1, 0}, {"GET /me", 0, 1, 0}, {"GET /me", time.Minute, 2, 1}, {"GET /me", 0, 1, 0}, {"POST /set?k=a&v=b", 0, 2, 1},
	} {
		a.Clock.Advance(row.wait)
		if finds, seals := asked(row.request); finds != row.finds || seals != row.seals {
			t.Errorf("%s after %v: asked %d times, sealed %d times", row.request, row.wait, finds, seals)
		}
	}
}

func TestCookieSessionsCanBeReadOutsideRequests(t *testing.T) {
	var name string
	a := testapp.New(t, testapp.Cookie(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/id", func(c *gin.Context) { name = ginauth.From(c).Session().ID(); c.Status(200) })
		r.POST("/renew", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			if err := s.Regenerate(); err != nil {
				t.Error(err)
			}
			name = s.ID()
		})
	}))
	ctx := context.Background()
	c := a.LoggedIn(testapp.Alice)
	c.Post("/set?k=a&v=b", nil).Want(t, 204)
	c.Post("/renew", nil).Want(t, 200)
	renewed := name
	c.Get("/id").Want(t, 200)
	if name != renewed || name == "" || strings.Contains(c.Session(), name) {
		t.Errorf("name %q, announced as %q", name, renewed)
	}
	if _, err := a.Session(ctx, name); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ginauth.ErrUnavailable) {
		t.Errorf("by its name: %v", err)
	}
	for _, id := range []string{"", "x", strings.Repeat("a", 5000), base64.RawURLEncoding.EncodeToString(make([]byte, 48))} {
		if _, err := a.Session(ctx, id); !errors.Is(err, ginauth.ErrSessionEnded) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	s, err := a.Session(ctx, c.Session())
	if err != nil || s.Get("a") != "b" {
		t.Fatalf("by its cookie: %v", err)
	}
	if err := s.Save(ctx); err != nil {
		t.Errorf("saving no change: %v", err)
	}
	s, _ = a.Session(ctx, c.Session())
	if err := s.Put("x", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("saving a change: %v", err)
	}
	s, _ = a.Session(ctx, c.Session())
	if err := s.Invalidate(); err != nil {
		t.Fatal(err)
	}
	c.Get("/me").Want401(t)
}

func TestFormTokenOutlivesSealingAnew(t *testing.T) {
	a := testapp.New(t, testapp.Cookie(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/token", func(c *gin.Context) { token, _ := ginauth.From(c).Session().Token(); c.String(200, token) })
	}))
	c := a.Client()
	token := c.Get("/token").Text
	c.Post("/set?k=a&v=b", nil).Want(t, 204)
	a.Clock.Advance(2 * time.Minute)
	if c.Get("/token").Text != token {
		t.Error("sealing the session anew changed its form token")
	}
}
