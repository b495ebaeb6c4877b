package ginauth_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

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
		delete(c.Cookies, testapp.IntendedCookie)
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
				if _, ok := c.Cookies[testapp.IntendedCookie]; ok != row.remembered {
					t.Errorf("intended URL kept: %v", ok)
				}
			})
		}

		t.Run("dropped at logout", func(t *testing.T) {
			c := browser()
			c.Get("/me").Want(t, 303)
			c.Post("/logout", nil).Want(t, 204)
			if _, ok := c.Cookies[testapp.IntendedCookie]; ok {
				t.Error("the next user gets it")
			}
		})
		t.Run("forged", func(t *testing.T) { // S19
			c := browser()
			c.Get("/me").Want(t, 303)
			intended := c.Cookies[testapp.IntendedCookie]
			other := "A"
			if strings.HasSuffix(intended, other) {
				other = "B"
			}
			for _, value := range []string{"L2V2aWw", "//evil.example", intended[:len(intended)-1] + other, ""} {
				c.Cookies[testapp.IntendedCookie] = value
				if to := c.Post("/enter?id=1", nil).Header.Get("Location"); to != "/home" {
					t.Errorf("%q leads to %q", value, to)
				}
			}
			c = browser()
			c.Cookies[testapp.SessionCookie] = intended
			c.Header.Set("Accept", "application/json")
			c.Get("/me").Want401(t)
			c = browser()
			c.Cookies[testapp.DeviceCookie] = intended
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

func TestDecodeJSONRefusesWhatIsNotClear(t *testing.T) { // X03, X09
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

func TestSafeRedirectStaysOnTheSite(t *testing.T) { // X06
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

func TestRedirectsSplitNoHeader(t *testing.T) { // X08
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

func basicRoutes(a *testapp.App, r *gin.Engine) {
	r.GET("/basic/me", a.Basic(), testapp.Me)
	r.POST("/basic/post", a.Basic(), testapp.Me)
	r.GET("/basic/session", a.Basic(ginauth.BasicStartsSession()), testapp.Me)
}

func TestBasicSharesTheCountOfLogins(t *testing.T) { // T08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(basicRoutes))
		alice := a.BasicAuth(testapp.Alice, testapp.Password)
		if name := alice.Get("/basic/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("name %q", name)
		}
		if len(alice.Cookies) != 0 {
			t.Errorf("a request that keeps nothing sets %v", alice.Cookies)
		}
		res := a.Client().Get("/basic/me")
		res.Want401(t)
		if got := res.Header.Get("WWW-Authenticate"); got != `Basic realm="web", charset="UTF-8"` {
			t.Errorf("challenge %q", got)
		}
		// A browser sends the password by itself.
		alice.Header.Set("Sec-Fetch-Site", "cross-site")
		alice.Post("/basic/post", nil).Want(t, 403)

		for range 5 {
			a.BasicAuth(testapp.Bob, "wrong").Get("/basic/me").Want401(t)
		}
		a.BasicAuth(testapp.Bob, testapp.Password).Get("/basic/me").Want(t, 429)
		a.Client().LogIn(testapp.Bob, testapp.Password).Want(t, 429) // one count for all doors
	})
}

func TestBasicStartsSession(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(basicRoutes))
		alice := a.BasicAuth(testapp.Alice, testapp.Password)
		alice.Get("/basic/session").Want(t, 200)
		before := a.Hasher().Computations()
		alice.Header.Del("Authorization")
		for range 10 {
			alice.Get("/basic/session").Want(t, 200)
		}
		alice.Get("/me").Want(t, 200)
		if a.Hasher().Computations() != before {
			t.Error("a password was hashed for a request with a session")
		}
	})
}

func TestBasicFromAnotherSiteIsRefused(t *testing.T) { // X01
	a := testapp.New(t, testapp.Memory(t))
	r := gin.New()
	r.POST("/only", a.Basic(), testapp.Me)
	a.Serve(r)
	c := a.BasicAuth(testapp.Alice, testapp.Password)
	c.Post("/only", nil).Want(t, 200)
	c.Header.Set("Sec-Fetch-Site", "cross-site")
	c.Post("/only", nil).Want(t, 403)
}

func TestMalformedBasicHeadersAreRefused(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(basicRoutes))
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	get := func(values ...string) *testapp.Response {
		c := a.Client()
		c.Header["Authorization"] = values
		return c.Get("/basic/me")
	}
	good := encode(testapp.Alice + ":" + testapp.Password)
	get("basic "+good).Want(t, 200)
	for _, values := range [][]string{
		{"Basic"}, {"Basic "}, {"Basic x"}, {"Basic " + good, "Basic " + good}, {"Bearer " + good}, {"Basic  " + good},
		{"Basic " + encode("no colon")}, {"Basic " + encode(":")}, {"Basic " + encode(testapp.Alice+":")}, {"Basic " + encode("x\xff:y\xff")},
		{"Basic " + encode(testapp.Alice+":"+strings.Repeat("x", 5000))}, {"Basic " + strings.Repeat("A", 9<<10)}, {"Basic " + encode("a\x00@x:y")},
	} {
		if res := get(values...); res.StatusCode != 401 && res.StatusCode != 400 {
			t.Errorf("%.40q: status %d %s", values, res.StatusCode, res.Text)
		}
	}
}

// TestBasicAsksForAFieldOfTheProvider checks that a field by which nobody is looked up is found when the route is added.
func TestBasicAsksForAFieldOfTheProvider(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, `"nickname"`) {
			t.Errorf("panic %q", text)
		}
	}()
	a.Basic(ginauth.BasicField("nickname"))
}
