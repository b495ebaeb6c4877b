package ginauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
)

func TestCookieFlags(t *testing.T) { // C01
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
	a := testapp.New(t, testapp.Memory(t))
	plain := httptest.NewServer(a.Engine)
	defer plain.Close()
	local := strings.Replace(plain.URL, "127.0.0.1", "localhost", 1)
	for _, row := range []struct {
		name, url, header string
		plain             bool
	}{
		{"address", plain.URL, "", true},
		{"localhost", local, "", true},
		{"forwarded", plain.URL, "X-Forwarded-For", false},
		{"forwarded, RFC 7239", plain.URL, "Forwarded", false},
		{"proxy", plain.URL, "Via", false},
		{"other host", plain.URL, "Host", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			req, _ := http.NewRequest("POST", row.url+"/set?k=a&v=b", nil)
			if row.header == "Host" {
				req.Host = "app.example"
			} else if row.header != "" {
				req.Header.Set(row.header, "x")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			line := res.Header.Get("Set-Cookie")
			if strings.HasPrefix(line, "ginauth=") != row.plain || strings.Contains(line, "Secure") == row.plain {
				t.Errorf("cookie %q", line)
			}
		})
	}
	gin.SetMode(gin.ReleaseMode)
	defer gin.SetMode(gin.TestMode)
	res, err := http.Post(plain.URL+"/set?k=a&v=b", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line := res.Header.Get("Set-Cookie"); !strings.HasPrefix(line, "__Host-") {
		t.Errorf("in release mode: %q", line)
	}
}

func TestTamperedCookies(t *testing.T) { // C04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice, bob := a.LoggedIn(testapp.Alice).Session(), a.LoggedIn(testapp.Bob).Session()
		want := a.Client().With("A" + alice[1:]).Get("/me")
		if alice[0] == 'A' {
			want = a.Client().With("B" + alice[1:]).Get("/me")
		}
		want.Want401(t)
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		var tampered []string
		for i := range alice {
			at := strings.IndexByte(alphabet, alice[i])
			tampered = append(tampered, alice[:i]+string(alphabet[(at+1)%64])+alice[i+1:], alice[:i]+string(alphabet[at^32])+alice[i+1:])
		}
		tampered = append(tampered, alice[:len(alice)-1], alice+"A", alice+"=", alice+"==", alice[:32]+bob[32:], bob[:32]+alice[32:],
			strings.NewReplacer("-", "+", "_", "/").Replace(alice)+"x", "", "x", strings.Repeat("A", 64), strings.Repeat("A", 4096))
		for _, value := range tampered {
			c := a.Client()
			c.Cookies[testapp.SessionCookie] = value
			res := c.Get("/me")
			res.Want401(t)
			delete(res.Header, "Set-Cookie") // a value that is no id is deleted
			w := *want
			delete(w.Header, "Set-Cookie")
			testapp.Same(t, &w, res, fmt.Sprintf("%.70q", value))
		}
	})
}

func TestOddCookieHeaders(t *testing.T) { // C08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice := a.LoggedIn(testapp.Alice).Session()
		for _, header := range []string{
			"=", ";;;", strings.Repeat("a", 64<<10), strings.Repeat("a=b; ", 5000), testapp.SessionCookie + "=%zz",
			testapp.SessionCookie + `="` + alice + `"`, "\u2000" + testapp.SessionCookie + "=" + alice, testapp.SessionCookie, testapp.SessionCookie + "==" + alice,
			strings.ToLower(testapp.SessionCookie) + "=" + alice, "x" + testapp.SessionCookie + "=" + alice, "ginauth=" + alice,
			testapp.SessionCookie + " =" + alice, testapp.SessionCookie + "=" + alice + "\u00a0",
		} {
			c := a.Client()
			c.Header.Set("Cookie", header)
			res, err := c.Try(context.Background(), "GET", "/me", "", "")
			if err != nil {
				t.Errorf("%.40q: %v", header, err)
			} else if res.StatusCode != 401 && res.StatusCode != 431 && res.StatusCode != 400 {
				t.Errorf("%.40q: status %d", header, res.StatusCode)
			}
		}
		c := a.Client()
		c.Header.Set("Cookie", strings.Repeat("a=b; ", 2900)+testapp.SessionCookie+"="+alice)
		c.Get("/me").Want(t, 200)
	})
}

func TestKeyRotation(t *testing.T) { // C09
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		newKey := ginauth.NewKey()
		first := testapp.New(t, b)
		c, stays := first.LoggedIn(testapp.Alice), first.LoggedIn(testapp.Alice)
		second := first.Sibling(func(cfg *ginauth.Config) { cfg.Key, cfg.PreviousKeys = newKey, []ginauth.Key{testapp.Key} })
		moved := second.Client().With(c.Session())
		moved.Get("/me").Want(t, 200)
		third := first.Sibling(func(cfg *ginauth.Config) { cfg.Key = newKey })
		third.Client().With(moved.Session()).Get("/me").Want(t, 200)
		third.Client().With(stays.Session()).Get("/me").Want401(t)
	})
}

func TestCrossOriginMatrix(t *testing.T) { // X01, X02
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

func TestTrustedOrigins(t *testing.T) {
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

func TestDecodeJSON(t *testing.T) { // X03, X09
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		good := fmt.Sprintf(`{"email":%q,"password":%q}`, testapp.Alice, testapp.Password)
		c := a.Client()
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "text/json", "application/json; charset=utf-16"} {
			c.Do("POST", "/login?email="+url.QueryEscape(testapp.Alice)+"&password="+url.QueryEscape(testapp.Password), media, good).Want(t, 415)
		}
		for body, status := range map[string]int{
			`{"email":"a@b.c","email":"x@y.z","password":"p"}`: 422, `{"email":"a@b.c","EMAIL":"x@y.z","password":"p"}`: 422,
			`{"password":"p","paſſword":"q","email":"a@b.c"}`: 422, `{"email":["a@b.c"],"password":"p"}`: 422,
			`{"email":{"a":1},"password":"p"}`: 422, `{"email":"a@b.c","password":true}`: 422,
			good + `{"email":"x"}`: 400, good + "x": 400, "": 400, "{": 400, "null": 422, "[]": 422,
			`{"email":"` + strings.Repeat("x", 65<<10) + `"}`: 413, strings.Repeat("[", 1000): 400,
		} {
			if res := c.Do("POST", "/login", "application/json", body); res.StatusCode != status {
				t.Errorf("%.60q: status %d, want %d; %s", body, res.StatusCode, status, res.Text)
			}
		}
		c.Do("POST", "/login", "application/vnd.api+json; charset=UTF-8", good).Want(t, 200)
		c.Do("GET", "/logout", "", "").Want(t, 404) // X05
		c.Header.Set("X-Http-Method-Override", "POST")
		c.Do("GET", "/logout?_method=POST", "", "").Want(t, 404)
		c.Get("/me").Want(t, 200)
	})
}

func pages(c *ginauth.Config) {
	c.Pages = ginauth.PagesConfig{Login: "/login-page", Home: "/home", VerifyEmail: "/verify-notice", APIPrefixes: []string{"/api/"}}
}

func TestBrowsersAreSentToPages(t *testing.T) { // X07, X11
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(pages), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/login-page", a.Auth(), func(*gin.Context) {})
			r.GET("/api/own", a.Auth(), testapp.Me)
			r.POST("/form", a.Auth(), testapp.Me)
			r.POST("/enter", func(c *gin.Context) {
				if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), c.Query("id")); err != nil {
					t.Error(err)
				}
				c.Redirect(303, ginauth.From(c).Intended())
			})
		}))
		browser := func() *testapp.Client { c := a.Client(); c.Header.Set("Accept", testapp.BrowserAccept); return c }
		c := browser()
		if res := c.Get("/me?tab=1").Want(t, 303); res.Header.Get("Location") != "/login-page" || c.Session() != "" {
			t.Errorf("headers %v", res.Header)
		}
		if to := c.Post("/enter?id=2", nil).Want(t, 303).Header.Get("Location"); to != "/me?tab=1" {
			t.Errorf("intended %q", to)
		}
		if to := c.Post("/enter?id=2", nil).Want(t, 303).Header.Get("Location"); to != "/home" {
			t.Errorf("the second time %q", to)
		}
		if to := c.Get("/verified").Want(t, 303).Header.Get("Location"); to != "/verify-notice" {
			t.Errorf("not verified: %q", to)
		}
		if to := c.Get("/guest").Want(t, 303).Header.Get("Location"); to != "/home" {
			t.Errorf("a user on a page for guests: %q", to)
		}

		for name, row := range map[string]struct {
			method, path, header, value string
			status                      int
			remembered                  bool
		}{
			"program":            {"GET", "/me", "Accept", "application/json", 401, false},
			"program first":      {"GET", "/me", "Accept", "application/json, text/html", 401, false},
			"no preference":      {"GET", "/me", "Accept", "*/*", 401, false},
			"prefix":             {"GET", "/api/own", "", "", 401, false},
			"the page itself":    {"GET", "/login-page", "", "", 401, false},
			"script":             {"GET", "/me", "Sec-Fetch-Mode", "cors", 303, false},
			"navigation":         {"GET", "/me", "Sec-Fetch-Mode", "navigate", 303, true},
			"form":               {"POST", "/form", "", "", 303, false},
			"X-Requested-With":   {"GET", "/me", "X-Requested-With", "XMLHttpRequest", 303, true},
			"target is too long": {"GET", "/me?" + strings.Repeat("x", 3000), "", "", 303, false},
		} {
			t.Run(name, func(t *testing.T) {
				c := browser()
				if row.header != "" {
					c.Header.Set(row.header, row.value)
				}
				c.Do(row.method, row.path, "", "").Want(t, row.status)
				if _, ok := c.Cookies["__Host-ginauth_intended"]; ok != row.remembered {
					t.Errorf("intended URL kept: %v", ok)
				}
			})
		}

		t.Run("dropped at logout", func(t *testing.T) {
			c := browser()
			c.Get("/me").Want(t, 303)
			c.Post("/logout", nil).Want(t, 204)
			if _, ok := c.Cookies["__Host-ginauth_intended"]; ok {
				t.Error("the next user gets it")
			}
		})
		t.Run("forged", func(t *testing.T) { // S19
			c := browser()
			c.Get("/me").Want(t, 303)
			intended := c.Cookies["__Host-ginauth_intended"]
			other := "A"
			if strings.HasSuffix(intended, other) {
				other = "B"
			}
			for _, value := range []string{"L2V2aWw", "//evil.example", intended[:len(intended)-1] + other, ""} {
				c.Cookies["__Host-ginauth_intended"] = value
				if to := c.Post("/enter?id=1", nil).Header.Get("Location"); to != "/home" {
					t.Errorf("%q leads to %q", value, to)
				}
			}
			c = browser()
			c.Cookies[testapp.SessionCookie] = intended
			c.Header.Set("Accept", "application/json")
			c.Get("/me").Want401(t)
			c = browser()
			c.Cookies["__Host-ginauth_device"] = intended
			c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		})
		t.Run("expired", func(t *testing.T) {
			c := browser()
			c.Get("/me").Want(t, 303)
			a.Clock.Advance(11 * time.Minute)
			if to := c.Post("/enter?id=1", nil).Header.Get("Location"); to != "/home" {
				t.Errorf("after 11 minutes %q", to)
			}
		})
	})
}

func TestSafeRedirect(t *testing.T) { // X06
	for _, target := range []string{
		"//e.x", `/\e.x`, `\\e.x`, "/%09/e.x", "/\t/e.x", "/%5ce.x", "https:e.x", "https:/e.x", "///e.x", "/.//e.x", "/..//e.x",
		"http://good@e.x", "http://good.e.x", "javascript:alert(1)", "data:text/html,x", "/ok\r\nSet-Cookie:x", "/" + strings.Repeat("x", 8192), "/a\x00b", "",
	} {
		if got := ginauth.SafeRedirect(target, "/fallback"); got != "/fallback" {
			t.Errorf("%q became %q", target, got)
		}
	}
	for _, target := range []string{"/", "/posts/1?x=y", "/@e.x", "/a//b"} {
		if got := ginauth.SafeRedirect(target, "/fallback"); got != target {
			t.Errorf("%q became %q", target, got)
		}
	}
}

func TestHeaderSplitting(t *testing.T) { // X08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(pages), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET("/go", func(c *gin.Context) { c.Redirect(303, ginauth.SafeRedirect(c.Query("to"), "/")) })
		}))
		for _, evil := range []string{"/x\r\nX-Evil: 1", "/x\nX-Evil: 1", "/x\x00", "/\u010aX-Evil: 1", "/x%0d%0aX-Evil:%201"} {
			c := a.Client()
			c.Header.Set("Accept", testapp.BrowserAccept)
			res := c.Get("/go?to=" + url.QueryEscape(evil))
			if res.Header.Get("X-Evil") != "" {
				t.Errorf("%q split the header", evil)
			}
		}
	})
}

func TestErrorHandler(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.ErrorHandler = func(c *gin.Context, status int, err error) bool {
				switch c.Query("handler") {
				case "silent":
					return true
				case "declines":
					return false
				case "aborts":
					ginauth.Abort(c, err)
					return true
				}
				c.String(status, "mine %d", status)
				return true
			}
		}))
		if got := a.Client().Get("/me").Want(t, 401).Text; got != "mine 401" {
			t.Errorf("body %q", got)
		}
		a.Client().Get("/me?handler=silent").Want(t, 401)
		for _, how := range []string{"declines", "aborts"} {
			if got := a.Client().Get("/me?handler="+how).Want(t, 401).Text; !strings.Contains(got, `"unauthenticated"`) {
				t.Errorf("%s: %q", how, got)
			}
		}
		f.Set(testapp.Refuse, testapp.CreateSession)
		a.Client().Post("/set?k=a&v=b&handler=silent", nil).Want(t, 503)
		if got := a.Client().Post("/set?k=a&v=b", nil).Want(t, 503).Text; got != "mine 503" {
			t.Errorf("body %q", got)
		}
	})
}

func TestMiddlewaresOfTwoManagers(t *testing.T) {
	other, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/auth", other.Auth(), testapp.Me)
		r.GET("/guests", other.Guest(), testapp.Me)
		r.GET("/can", other.Authorize("x"), testapp.Me)
		r.GET("/throttled", other.ThrottleLogins(), testapp.Me)
	}))
	c := a.LoggedIn(testapp.Alice)
	for _, path := range []string{"/auth", "/guests", "/can", "/throttled"} {
		if res := c.Get(path).Want(t, 500); strings.Contains(res.Text, "Alice") {
			t.Errorf("%s answers %s", path, res.Text)
		}
	}
}

func TestLogsAreOneLineAndHoldNoSecret(t *testing.T) { // L01–L03, L06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET("/panic", func(c *gin.Context) { panic("CANARY-panic-value") })
		}))
		c := a.LoggedIn(testapp.Alice)
		c.Get("/panic").Want(t, 500)
		secrets := []string{testapp.Password, c.Session(), "CANARY-panic-value", string(testapp.Key)[7:], a.Alice.Password, "CANARY-wrong"}
		c.LogIn("x\nlevel=ERROR msg=forged\x1b[31m\u2028@example.com", "CANARY-wrong")
		c.LogIn(testapp.Alice, "CANARY-wrong").Want(t, 401)
		for _, op := range []testapp.Op{testapp.LoadSession, testapp.UserByID, testapp.ReserveSlots, testapp.UserByIdentifier} {
			f.Set(testapp.Refuse, op)
			c.Get("/me")
			c.LogIn(testapp.Alice, "CANARY-wrong")
		}
		logs := a.Logs.String()
		for _, e := range a.Events.All() {
			logs += fmt.Sprintf("%v %+v %#v\n", e, e, e)
		}
		logs += fmt.Sprintf("%v %+v %#v %s\n", a.Manager, a.Manager, a.Manager, a.Manager)
		logs += fmt.Sprintf("%v %+v %#v %s\n", a.Alice, a.Alice, *a.Alice, *a.Alice)
		logs += fmt.Sprintf("%v %+v %#v %s\n", testapp.Key, ginauth.Config{Key: testapp.Key}, testapp.Key, testapp.Key)
		for _, secret := range secrets {
			if strings.Contains(logs, secret) {
				t.Errorf("%q was logged", secret)
			}
		}
		for line := range strings.Lines(a.Logs.String()) {
			if !strings.HasPrefix(line, "time=") || len(line) > 16<<10 {
				t.Errorf("log line %.100q", line)
			}
		}
	})
}
