package sockettest_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/websocket"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
	"github.com/ginauth/ginauth/stores/memstore"
)

const password = "correct horse battery staple"

// application serves sockets that say who the user is and end with the login.
type application struct {
	*httptest.Server
	user *models.User
}

// serveGorilla is the example of docs/websockets-and-sse.md.
func serveGorilla(c *gin.Context) {
	var upgrader gorilla.Upgrader // refuses other origins
	a := ginauth.From(c)
	id, err := a.ID(c.Request.Context())
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	ctx, stop := context.WithCancel(c.Request.Context())
	defer stop()
	login := a.Watch(ctx)
	conn, err := upgrader.Upgrade(c.Writer, c.Request, nil)
	if err != nil {
		return // Upgrade has responded
	}
	defer conn.Close()
	_ = conn.WriteMessage(gorilla.TextMessage, []byte("user "+id))
	if c.Query("watch") == "" {
		return
	}
	go func() { // notices that the client went away
		for {
			if _, _, err := conn.NextReader(); err != nil {
				stop()
				return
			}
		}
	}()
	<-login.Done()
	end := gorilla.FormatCloseMessage(gorilla.ClosePolicyViolation, "logged out")
	_ = conn.WriteControl(gorilla.CloseMessage, end, time.Now().Add(time.Second))
}

func serveCoder(c *gin.Context) {
	a := ginauth.From(c)
	id, err := a.ID(c.Request.Context())
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	ctx, stop := context.WithCancel(c.Request.Context())
	defer stop()
	login := a.Watch(ctx)
	conn, err := coder.Accept(c.Writer, c.Request, nil) // refuses other origins
	if err != nil {
		return // Accept has responded
	}
	defer conn.CloseNow()
	_ = conn.Write(ctx, coder.MessageText, []byte("user "+id))
	if c.Query("watch") == "" {
		return
	}
	conn.CloseRead(ctx)
	<-login.Done()
	_ = conn.Close(coder.StatusPolicyViolation, "logged out")
}

func start(t *testing.T, set stores.Set, key ginauth.Key, previous ...ginauth.Key) (*application, func(func(*ginauth.Config)) *application) {
	users := new(ginauthtest.Users)
	var first *models.User
	open := func(change func(*ginauth.Config)) *application {
		cfg := ginauth.Config{
			Key: key, PreviousKeys: previous, Users: users, Stores: set, Hashing: ginauthtest.CheapHashing(),
			Session: ginauth.SessionConfig{WatchInterval: 10 * time.Millisecond},
		}
		change(&cfg)
		m, err := ginauth.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			hash, err := m.Hasher().Hash(context.Background(), password)
			if err != nil {
				t.Fatal(err)
			}
			first = &models.User{Name: "Alice", Email: "alice@example.com", Password: hash, SecurityStamp: "1"}
			if err := users.CreateUser(context.Background(), first); err != nil {
				t.Fatal(err)
			}
		}
		r := gin.New()
		r.Use(m.StartSession())
		r.POST("/login", func(c *gin.Context) {
			if _, err := ginauth.From(c).Login(c.Request.Context(), first, ginauth.Remember()); err != nil {
				ginauth.Abort(c, err)
			}
		})
		r.POST("/logout", func(c *gin.Context) {
			if err := ginauth.From(c).Logout(c.Request.Context()); err != nil {
				ginauth.Abort(c, err)
			}
		})
		r.GET("/me", m.Auth(), func(c *gin.Context) { c.Status(204) })
		r.GET("/gorilla", serveGorilla)
		r.GET("/coder", serveCoder)
		a := &application{httptest.NewTLSServer(r), first}
		t.Cleanup(func() { a.Close(); _ = m.Close(context.Background()) })
		return a
	}
	return open(func(*ginauth.Config) {}), open
}

// browser is a client with the cookies of a browser.
func browser(t *testing.T, a *application) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: a.Client().Transport}
}

func send(t *testing.T, c *http.Client, method, target string, want int) {
	t.Helper()
	req, _ := http.NewRequest(method, target, nil)
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d", method, target, res.StatusCode, want)
	}
}

// dial opens a socket with the cookies that c sends to a.
func dial(t *testing.T, a *application, c *http.Client, path string) *gorilla.Conn {
	t.Helper()
	u, _ := url.Parse(a.URL)
	header := http.Header{"Origin": {a.URL}}
	if c != nil {
		for _, cookie := range c.Jar.Cookies(u) {
			header.Add("Cookie", cookie.Name+"="+cookie.Value)
		}
	}
	d := gorilla.Dialer{TLSClientConfig: a.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	d.TLSClientConfig.NextProtos = []string{"http/1.1"}
	conn, res, err := d.Dial(strings.Replace(a.URL, "https", "wss", 1)+path, header)
	if err != nil {
		t.Fatalf("%s: %v, %+v", path, err, res)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	return conn
}

func want(t *testing.T, conn *gorilla.Conn, text string) {
	t.Helper()
	if _, got, err := conn.ReadMessage(); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got, err, text)
	}
}

func TestSockets(t *testing.T) {
	key, next := ginauth.NewKey(), ginauth.NewKey()
	for kind, inCookies := range map[string]bool{"store": false, "cookies": true} {
		for _, path := range []string{"/gorilla", "/coder"} {
			t.Run(kind+path, func(t *testing.T) {
				set := memstore.New(memstore.Options{})
				t.Cleanup(func() { _ = set.Close() })
				if inCookies {
					set.Sessions, set.ClientSessions = nil, cookiestore.New()
				}
				a, open := start(t, set, key)
				rotated := open(func(c *ginauth.Config) { c.Key, c.PreviousKeys = next, []ginauth.Key{key} })
				user := "user " + a.user.AuthID()
				want(t, dial(t, a, nil, path), "user ")

				c := browser(t, a)
				send(t, c, "POST", a.URL+"/login", 200)
				want(t, dial(t, a, c, path), user)
				want(t, dial(t, rotated, c, path), user)

				remembered := browser(t, a)
				u, _ := url.Parse(a.URL)
				for _, cookie := range c.Jar.Cookies(u) {
					if strings.Contains(cookie.Name, "remember") {
						cookie.Path, cookie.Secure = "/", true
						remembered.Jar.SetCookies(u, []*http.Cookie{cookie})
					}
				}
				for range 3 {
					want(t, dial(t, a, remembered, path), user)
					want(t, dial(t, rotated, remembered, path), user)
				}
				send(t, remembered, "GET", a.URL+"/me", 204)

				watched := dial(t, a, c, path+"?watch=1")
				want(t, watched, user)
				send(t, c, "POST", a.URL+"/logout", 200)
				if _, _, err := watched.ReadMessage(); !gorilla.IsCloseError(err, gorilla.ClosePolicyViolation) {
					t.Errorf("after the logout: %v", err)
				}
			})
		}
	}
}
