package ginauth_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

// sockets has routes that switch protocols: /socket writes the response itself, and /socket-headers
// sends the headers of the request first. Both write who the user is, and then why the login ended.
func sockets(a *testapp.App, r *gin.Engine) {
	r.GET("/sockets/web", a.Auth("web"), func(c *gin.Context) { serveSocket(c, false) })
	r.GET("/socket", func(c *gin.Context) { serveSocket(c, false) })
	r.GET("/socket-headers", func(c *gin.Context) { serveSocket(c, true) })
	r.GET("/bad-handshake", a.Auth(), func(c *gin.Context) { c.String(400, "bad handshake") })
}

func serveSocket(c *gin.Context, headers bool) {
	auth := ginauth.From(c)
	id, err := auth.ID(c.Request.Context())
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	watched := auth.Watch(c.Request.Context())
	if headers {
		c.Header("Upgrade", "websocket")
		c.Header("Connection", "Upgrade")
		c.Status(http.StatusSwitchingProtocols)
		c.Writer.WriteHeaderNow()
	}
	conn, _, err := c.Writer.Hijack()
	if err != nil {
		c.String(500, err.Error())
		return
	}
	defer conn.Close()
	if !headers {
		fmt.Fprint(conn, switching)
	}
	fmt.Fprintf(conn, "user %s, remembered %v\n", id, auth.ViaRemember(c.Request.Context()))
	if id != "" && c.Query("watch") != "" {
		<-watched.Done()
		fmt.Fprintf(conn, "ended: %v\n", context.Cause(watched))
	}
}

// socket is a connection that a client switched to another protocol.
type socket struct {
	t      *testing.T
	conn   *tls.Conn
	in     *bufio.Reader
	status int
	header http.Header
}

// dial asks for another protocol as a browser does, with the client's cookies and headers. The
// browser keeps no cookies of the response.
func dial(t *testing.T, a *testapp.App, c *testapp.Client, path string) *socket {
	t.Helper()
	conn, err := tls.Dial("tcp", a.Server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	req, _ := http.NewRequest("GET", a.Server.URL+path, nil)
	req.Header = c.Header.Clone()
	for name, value := range map[string]string{
		"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": a.Server.URL,
	} {
		req.Header.Set(name, value)
	}
	for name, value := range c.Cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	s := &socket{t: t, conn: conn, in: bufio.NewReader(conn)}
	res, err := http.ReadResponse(s.in, req)
	if err != nil {
		t.Fatal(err)
	}
	s.status, s.header = res.StatusCode, res.Header
	return s
}

// want fails the test unless the next line is this one.
func (s *socket) want(line string) {
	s.t.Helper()
	got, err := s.in.ReadString('\n')
	if got = strings.TrimSuffix(got, "\n"); err != nil || got != line || s.status != 101 {
		s.t.Fatalf("status %d, read %q, %v; want %q", s.status, got, err, line)
	}
}

func TestSocketsIdentify(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(sockets))
		rotated := a.Sibling(func(c *ginauth.Config) { c.Key, c.PreviousKeys = ginauth.NewKey(), []ginauth.Key{testapp.Key} })
		visitor := a.Client()
		visitor.Post("/set?k=a&v=b", nil).Want(t, 204)
		alice := fmt.Sprintf("user %s, remembered ", a.Alice.AuthID())
		for _, path := range []string{"/socket", "/socket-headers"} {
			for name, row := range map[string]struct {
				client *testapp.Client
				want   string
			}{
				"user":               {a.LoggedIn(testapp.Alice), alice + "false"},
				"remembered, living": {a.Remembered(testapp.Alice), alice + "false"},
				"remembered":         {a.Remembered(testapp.Alice).Only(testapp.RememberCookie), alice + "true"},
				"guest":              {a.Client(), "user , remembered false"},
				"session of a guest": {visitor, "user , remembered false"},
				"malformed":          {a.With("x"), "user , remembered false"},
				"malformed remember": {a.WithRemember("x"), "user , remembered false"},
			} {
				for _, app := range []*testapp.App{a, rotated} {
					for range 2 { // it reconnects
						t.Log(path, name)
						dial(t, app, row.client, path).want(row.want)
						a.Clock.Advance(2 * time.Minute) // the last use is due to be written
					}
				}
			}
		}
		dial(t, a, a.LoggedIn(testapp.Alice), "/sockets/web").want(alice + "false")
	})
}

// A WebSocket reconnects while the browser has only the remember-me cookie. Its response cannot
// replace the cookie.
func TestSocketUsesNoRememberCookieUp(t *testing.T) { // M03, M04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(sockets))
		c := a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
		for range 3 {
			dial(t, a, c, "/sockets/web").want(fmt.Sprintf("user %s, remembered true", a.Alice.AuthID()))
			if s := dial(t, a, c, "/bad-handshake"); s.status != 400 || len(s.header["Set-Cookie"]) > 0 {
				t.Errorf("a handshake that fails: %d %v", s.status, s.header)
			}
			a.Clock.Advance(time.Minute) // more than the grace time
		}
		was := c.Remember()
		if c.Get("/me").Want(t, 200); c.Remember() == was || c.Session() == "" {
			t.Error("the page did not replace the cookie")
		}
		if n := len(testapp.EventsOf[events.TokenReused](a)); n > 0 {
			t.Errorf("%d events of a stolen cookie", n)
		}
		old := a.WithRemember(was)
		dial(t, a, old, "/sockets/web").want(fmt.Sprintf("user %s, remembered true", a.Alice.AuthID())) // within the grace time
		a.Clock.Advance(time.Minute)
		if s := dial(t, a, old, "/sockets/web"); s.status != 401 {
			t.Errorf("with a cookie that was replaced: %d", s.status)
		}
		c.Get("/me").Want(t, 200)
		a.NewStamp(a.Alice)
		if s := dial(t, a, c.Only(testapp.RememberCookie), "/sockets/web"); s.status != 401 {
			t.Errorf("after a change of the stamp: %d", s.status)
		}
	})
}

func TestSocketLeavesFlashToThePage(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(sockets, func(_ *testapp.App, r *gin.Engine) {
			r.POST("/flash", func(c *gin.Context) {
				if err := ginauth.From(c).Session().Flash("status", "saved"); err != nil {
					ginauth.Abort(c, err)
				}
			})
		}))
		c := a.LoggedIn(testapp.Alice)
		c.Post("/flash", nil).Want(t, 200)
		for _, path := range []string{"/socket", "/socket-headers"} {
			dial(t, a, c, path).want(fmt.Sprintf("user %s, remembered false", a.Alice.AuthID()))
		}
		if got := c.Get("/all").Want(t, 200).Text; !strings.Contains(got, "saved") {
			t.Errorf("the page reads %s", got)
		}
		if got := c.Get("/all").Want(t, 200).Text; strings.Contains(got, "saved") {
			t.Errorf("the page after it reads %s", got)
		}
	})
}

// One of two logins in a session has ended. A page would get a new session id for that, which a
// socket cannot.
func TestSocketLeavesTheSessionsID(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := guards(t, b, sockets)
		c := a.LoggedIn(testapp.Bob)
		for range 12 {
			a.Clock.Advance(time.Hour)
			c.Get("/in/web").Want(t, 200)
		}
		c.Post("/in/staff", nil).Want(t, 204)
		for range 12 {
			a.Clock.Advance(time.Hour)
			c.Get("/in/staff").Want(t, 200)
		}
		dial(t, a, c, "/socket").want("user , remembered false") // the login by web is 24 hours old
		c.Get("/in/staff").Want(t, 200)
	})
}

func TestHijackThatNeedsACookieStoresNothing(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		var failed error
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/put-and-hijack", testapp.Put, func(c *gin.Context) {
				_, _, failed = c.Writer.Hijack()
				c.Status(http.StatusServiceUnavailable)
			})
		}))
		if s := dial(t, a, a.Client(), "/put-and-hijack"); s.status != 503 || failed == nil || len(s.header["Set-Cookie"]) > 0 {
			t.Errorf("status %d, %v, error %v", s.status, s.header, failed)
		}
	})
}

// lookedUp tells of each time that a user is loaded.
type lookedUp struct {
	testapp.Users
	times chan struct{}
}

func (l lookedUp) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	select {
	case l.times <- struct{}{}:
	default:
	}
	return l.Users.UserByID(ctx, id)
}

// await returns when a look has begun and ended since it was called.
func (l lookedUp) await() {
	for range 3 + len(l.times) {
		<-l.times
	}
}

// watching starts an application that looks at watched logins all the time.
func watching(t *testing.T, b *testapp.Backend, change ...func(*ginauth.Config)) (*testapp.App, lookedUp) {
	seen := lookedUp{b.Users, make(chan struct{}, 1)}
	return testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Users, c.Session.WatchInterval = seen, time.Millisecond
	}), testapp.Configure(change...), testapp.Routes(sockets, func(a *testapp.App, r *gin.Engine) {
		r.GET("/sockets/api", a.Auth("api"), func(c *gin.Context) { serveSocket(c, false) })
	})), seen
}

const sessionEnded = "ended: ginauth: session has ended"

func TestWatchEndsWithTheLogin(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a, seen := watching(t, b)
		text := fmt.Sprintf("user %s, remembered ", a.Alice.AuthID())
		user := func() *testapp.Client { return a.LoggedIn(testapp.Alice) }
		rem := func() *testapp.Client { return a.Remembered(testapp.Alice).Only(testapp.RememberCookie) }
		api := func() *testapp.Client { return a.Bearer(a.IssueTokens(testapp.Alice).AccessToken) }
		for name, row := range map[string]struct {
			client func() *testapp.Client
			path   string
			want   string
			end    func(c *testapp.Client)
			stays  bool
		}{
			"logout":            {user, "/socket", "false", func(c *testapp.Client) { c.Post("/logout", nil).Want(t, 204) }, false},
			"headers, logout":   {user, "/socket-headers", "false", func(c *testapp.Client) { c.Post("/logout", nil).Want(t, 204) }, false},
			"revoked":           {user, "/socket", "false", func(*testapp.Client) { check(t, a.RevokeUser(t.Context(), "web", a.Alice.AuthID())) }, false},
			"stamp":             {user, "/socket", "false", func(*testapp.Client) { a.NewStamp(a.Alice) }, false},
			"absolute timeout":  {user, "/socket", "false", func(*testapp.Client) { a.Clock.Advance(24 * time.Hour) }, false},
			"remembered":        {rem, "/socket", "true", func(*testapp.Client) { a.NewStamp(a.Alice) }, false},
			"remembered, page":  {rem, "/socket", "true", func(c *testapp.Client) { c.Get("/me").Want(t, 200) }, true},
			"remembered, gone":  {rem, "/socket", "true", func(c *testapp.Client) { c.Get("/me").Want(t, 200); c.Post("/logout", nil).Want(t, 204) }, false},
			"values of a page":  {user, "/socket", "false", func(c *testapp.Client) { c.Post("/set?k=a&v=b", nil).Want(t, 204) }, true},
			"access token":      {api, "/sockets/api", "false", func(*testapp.Client) { a.Clock.Advance(16 * time.Minute) }, false},
			"revoked, api":      {api, "/sockets/api", "false", func(*testapp.Client) { check(t, a.RevokeUser(t.Context(), "web", a.Alice.AuthID())) }, false},
			"context not ended": {user, "/socket", "false", func(*testapp.Client) {}, true},
		} {
			c := row.client()
			s := dial(t, a, c, row.path+"?watch=1")
			s.want(text + row.want)
			seen.await()
			if row.end(c); row.stays {
				seen.await()
				a.NewStamp(a.Alice)
			}
			t.Log(name)
			s.want(sessionEnded)
		}
	})
}

// The session gets a new id, and the login goes on. A session that lives in its cookie is another
// cookie then.
func TestWatchFollowsTheSessionToANewID(t *testing.T) {
	a, seen := watching(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	s := dial(t, a, c, "/socket?watch=1")
	s.want(fmt.Sprintf("user %s, remembered false", a.Alice.AuthID()))
	c.Confirm(testapp.Password).Want(t, 204)
	a.Clock.Advance(time.Hour)
	c.Get("/me").Want(t, 200)
	a.Clock.Advance(90 * time.Minute) // the socket alone would have ended
	seen.await()
	c.Get("/me").Want(t, 200)
	c.Post("/logout", nil).Want(t, 204)
	s.want(sessionEnded)
}

func TestWatchDoesNotProlongTheSession(t *testing.T) {
	a, seen := watching(t, testapp.Memory(t))
	s := dial(t, a, a.LoggedIn(testapp.Alice), "/socket?watch=1")
	s.want(fmt.Sprintf("user %s, remembered false", a.Alice.AuthID()))
	for range 7 {
		a.Clock.Advance(15 * time.Minute)
		seen.await()
	}
	a.Clock.Advance(15 * time.Minute)
	s.want(sessionEnded)
}

func TestWatchOutlivesAMomentsOutageOnly(t *testing.T) { // F01
	b, faults := testapp.Memory(t).Faulty()
	a, seen := watching(t, b)
	c := a.LoggedIn(testapp.Alice)
	s := dial(t, a, c, "/socket?watch=1")
	s.want(fmt.Sprintf("user %s, remembered false", a.Alice.AuthID()))
	seen.await()
	faults.Set(testapp.Refuse, testapp.LoadSession)
	line, err := s.in.ReadString('\n')
	if err != nil || !strings.Contains(line, "unavailable") {
		t.Errorf("read %q, %v", line, err)
	}
}

func TestWatchOfAnAnonymousRequestHasEnded(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/watch", func(c *gin.Context) {
			c.String(200, fmt.Sprint(context.Cause(ginauth.From(c).Watch(c.Request.Context()))))
		})
	}))
	if got := a.Client().Get("/watch").Want(t, 200).Text; got != ginauth.ErrUnauthenticated.Error() {
		t.Errorf("cause %q", got)
	}
}

func TestCloseEndsWatches(t *testing.T) {
	a, _ := watching(t, testapp.Memory(t))
	s := dial(t, a, a.LoggedIn(testapp.Alice), "/socket?watch=1")
	s.want(fmt.Sprintf("user %s, remembered false", a.Alice.AuthID()))
	check(t, a.Close(context.Background()))
	s.want("ended: ginauth: the manager is closed")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
