package ginauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
)

func TestCookiesHaveSafeFlags(t *testing.T) { // C01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		res := a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if n := len(res.Header["Set-Cookie"]); n != 2 {
			t.Errorf("%d cookies", n)
		}
		for _, line := range res.Header["Set-Cookie"] {
			for _, part := range []string{"__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"} {
				if !strings.Contains(line, part) {
					t.Errorf("%q lacks %q", line, part)
				}
			}
			if strings.Contains(line, "Domain") || len(line) > 4096 {
				t.Errorf("cookie %q", line)
			}
		}
	})
}

func TestPlainCookiesOnTheDevelopersMachineAlone(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) { r.GET("/login-form", testapp.Put) }))
	plain := httptest.NewServer(a.Engine)
	defer plain.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(plain.URL, "http://"), ":")
	type header map[string]string
	for _, row := range []struct {
		name, host string
		header     header
		plain      bool
	}{
		{"address", "", nil, true},
		{"localhost", "localhost:" + port, nil, true},
		{"below localhost", "acme.localhost:" + port, nil, true},
		{"upper case", "LOCALHOST:" + port, nil, true},
		{"page of its own", "localhost:" + port, header{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:" + port}, true},
		{"sent back by an identity provider", "localhost:" + port,
			header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Referer": "https://login.example/"}, true},
		{"forwarded", "", header{"X-Forwarded-For": "x"}, false},
		{"forwarded, RFC 7239", "", header{"Forwarded": "x"}, false},
		{"proxy", "", header{"Via": "x"}, false},
		{"other host", "app.example", nil, false},
		{"name that ends like localhost", "evil-localhost:" + port, nil, false},
		{"rewritten host, unsafe", "localhost:" + port, header{"Sec-Fetch-Site": "same-origin", "Origin": "https://app.example"}, false},
		{"rewritten host, read", "localhost:" + port, header{"Sec-Fetch-Site": "same-origin", "Referer": "https://app.example/page"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			req, _ := http.NewRequest("GET", plain.URL+"/login-form?k=a&v=b", nil)
			if row.host != "" {
				req.Host = row.host
			}
			for name, value := range row.header {
				req.Header.Set(name, value)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			line := res.Header.Get("Set-Cookie")
			// Browsers send a cookie to all ports of a host, so its name has the port.
			if strings.HasPrefix(line, "ginauth_"+port+"=") != row.plain || strings.Contains(line, "Secure") == row.plain {
				t.Errorf("status %d, cookie %q", res.StatusCode, line)
			}
		})
	}
	gin.SetMode(gin.ReleaseMode)
	defer gin.SetMode(gin.TestMode)
	res, err := http.Get(plain.URL + "/login-form?k=a&v=b")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line := res.Header.Get("Set-Cookie"); !strings.HasPrefix(line, "__Host-") {
		t.Errorf("in release mode: %q", line)
	}
}

func TestRequestsOfOtherSitesAreRefused(t *testing.T) { // X01, X02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		own := a.Server.URL
		victim := a.LoggedIn(testapp.Bob)
		for _, site := range []string{"same-origin", "none", "same-site", "cross-site", ""} {
			for _, origin := range []string{own, "https://sibling.example.com", "https://evil.example", "null", ""} {
				allowed := site == "same-origin" || site == "none" || (site == "" && (origin == own || origin == ""))
				for _, path := range []string{"/set?k=x&v=1", "/login", "/logout"} {
					c := a.Client().With(victim.Session())
					if path == "/logout" && allowed {
						c = a.LoggedIn(testapp.Bob)
					}
					if site != "" {
						c.Header.Set("Sec-Fetch-Site", site)
					}
					if origin != "" {
						c.Header.Set("Origin", origin)
					}
					if path == "/login" && allowed {
						continue
					}
					res := c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password))
					if (res.StatusCode == 403) == allowed {
						t.Errorf("%s from %q, origin %q: status %d", path, site, origin, res.StatusCode)
					}
					if !allowed && (len(res.Header["Set-Cookie"]) > 0 || !strings.Contains(res.Text, "cross_origin")) {
						t.Errorf("refused %s: %v %s", path, res.Header, res.Text)
					}
				}
			}
		}
		if got := victim.Get("/me").Want(t, 200).UserName(t); got != "Bob" {
			t.Errorf("the victim is now %q", got)
		}

		c := a.Client()
		c.Header.Set("Sec-Fetch-Site", "cross-site")
		c.Get("/").Want(t, 200)
		c.Header.Set("Authorization", "Bearer x")
		c.Post("/set?k=a&v=b", nil).Want(t, 204) // no browser adds that
		withCookie := c.With(victim.Session())
		withCookie.Header = c.Header
		withCookie.Post("/set?k=a&v=b", nil).Want(t, 403)
		for _, ambient := range []string{"Basic eA==", "Digest x", "Negotiate x", "bearerx"} {
			c := a.Client()
			c.Header.Set("Sec-Fetch-Site", "cross-site")
			c.Header.Set("Authorization", ambient)
			c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 403)
		}
		twice := a.Client()
		twice.Header = c.Header.Clone()
		twice.Header.Set("Cookie", testapp.SessionCookie+"=a; "+testapp.SessionCookie+"=b")
		twice.Post("/set?k=a&v=b", nil).Want(t, 403)
	})
}

func TestTrustedOriginsAreLetIn(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.CrossOrigin.TrustedOrigins = []string{"https://admin.example"}
		c.CrossOrigin.InsecureBypassPatterns = []string{"POST /hook"}
	}), testapp.Routes(func(_ *testapp.App, r *gin.Engine) { r.POST("/hook", func(c *gin.Context) { c.Status(204) }) }))
	c := a.Client()
	c.Header.Set("Sec-Fetch-Site", "cross-site")
	c.Post("/hook", nil).Want(t, 204)
	c.Post("/set?k=a&v=b", nil).Want(t, 403)
	c.Header.Set("Origin", "https://admin.example")
	c.Post("/set?k=a&v=b", nil).Want(t, 204)
}

func TestPanicDiscardsChanges(t *testing.T) { // F11
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET("/panic", testapp.Put, func(*gin.Context) { panic("x") })
			r.GET("/login-panic", func(c *gin.Context) {
				if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1"); err != nil {
					t.Error(err)
				}
				panic("x")
			})
		}))
		c := a.Client()
		for _, path := range []string{"/panic", "/login-panic"} {
			if res := c.Get(path).Want(t, 500); len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s sets %q", path, res.Header["Set-Cookie"])
			}
		}
		c.Get("/me").Want401(t)
		if got := a.EventNames(); strings.Contains(got, "login") {
			t.Errorf("events %s", got)
		}
		c.Get("/").Want(t, 200)
	})
}

func TestRecoveryInsideTheSessionDiscardsChanges(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		r := gin.New()
		r.Use(a.StartSession(), a.Recovery())
		r.GET("/x", testapp.Put, func(*gin.Context) { panic("x") })
		r.GET("/half", func(c *gin.Context) { c.String(200, "half"); c.Writer.Flush(); panic("x") })
		a.Serve(r)
		c := a.Client()
		if c.Get("/x").Want(t, 500); len(c.Cookies) > 0 {
			t.Error("the changes of a panic were stored")
		}
		if res, err := c.Try(context.Background(), "GET", "/half", "", ""); err == nil {
			t.Errorf("half a body passes for a whole one: %d %q", res.StatusCode, res.Text)
		}
	})
}

func TestLogoutCompletesWhenTheClientHangsUp(t *testing.T) { // F07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		read, proceed, done := make(chan struct{}), make(chan struct{}), make(chan string)
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			wait := func(c *gin.Context) { read <- struct{}{}; <-c.Request.Context().Done(); <-proceed }
			r.POST("/gone-login", wait, func(c *gin.Context) {
				_, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1")
				c.String(200, "x")
				done <- fmt.Sprint(err)
			})
			r.POST("/login-gone", func(c *gin.Context) {
				if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1"); err != nil {
					t.Error(err)
				}
			}, wait, func(c *gin.Context) {
				c.String(200, "x")
				done <- ""
			})
			r.POST("/gone-logout", wait, func(c *gin.Context) {
				done <- fmt.Sprint(ginauth.From(c).Logout(c.Request.Context()))
			})
		}))
		hangUp := func(c *testapp.Client, path string) string {
			ctx, cancel := context.WithCancel(context.Background())
			go func() { _, _ = c.Try(ctx, "POST", path, "", "") }()
			<-read
			cancel()
			proceed <- struct{}{}
			return <-done
		}
		c := a.LoggedIn(testapp.Alice)
		if got := hangUp(c.With(c.Session()), "/gone-logout"); got != "<nil>" {
			t.Fatalf("logout of a client that hung up: %s", got)
		}
		c.Get("/me").Want401(t)
		before := len(testapp.EventsOf[events.Login](a))
		hangUp(a.Client(), "/gone-login")
		hangUp(a.Client(), "/login-gone")
		if len(testapp.EventsOf[events.Login](a)) != before {
			t.Error("a login that nobody waited for was stored")
		}
	})
}
