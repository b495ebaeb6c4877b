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
	"github.com/ginauth/ginauth/models"
)

func TestCookieFlags(t *testing.T) { // C01
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		res := a.client().login(aliceEmail, goodPass).want(t, 200)
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
	a := newApp(t, memoryBackend(t), nil, nil)
	plain := httptest.NewServer(a.engine)
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
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		alice, bob := a.loggedIn(aliceEmail).session(), a.loggedIn(bobEmail).session()
		want := a.client().with("A" + alice[1:]).get("/me")
		if alice[0] == 'A' {
			want = a.client().with("B" + alice[1:]).get("/me")
		}
		want.is401(t)
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		var tampered []string
		for i := range alice {
			at := strings.IndexByte(alphabet, alice[i])
			tampered = append(tampered, alice[:i]+string(alphabet[(at+1)%64])+alice[i+1:], alice[:i]+string(alphabet[at^32])+alice[i+1:])
		}
		tampered = append(tampered, alice[:len(alice)-1], alice+"A", alice+"=", alice+"==", alice[:32]+bob[32:], bob[:32]+alice[32:],
			strings.NewReplacer("-", "+", "_", "/").Replace(alice)+"x", "", "x", strings.Repeat("A", 64), strings.Repeat("A", 4096))
		for _, value := range tampered {
			c := a.client()
			c.cookies[sessionCookie] = value
			res := c.get("/me")
			res.is401(t)
			delete(res.Header, "Set-Cookie") // a value that is no id is deleted
			w := *want
			delete(w.Header, "Set-Cookie")
			same(t, fmt.Sprintf("%.70q", value), &w, res)
		}
	})
}

func TestOddCookieHeaders(t *testing.T) { // C08
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		alice := a.loggedIn(aliceEmail).session()
		for _, header := range []string{
			"=", ";;;", strings.Repeat("a", 64<<10), strings.Repeat("a=b; ", 5000), sessionCookie + "=%zz",
			sessionCookie + `="` + alice + `"`, "\u2000" + sessionCookie + "=" + alice, sessionCookie, sessionCookie + "==" + alice,
			strings.ToLower(sessionCookie) + "=" + alice, "x" + sessionCookie + "=" + alice, "ginauth=" + alice,
			sessionCookie + " =" + alice, sessionCookie + "=" + alice + "\u00a0",
		} {
			c := a.client()
			c.header.Set("Cookie", header)
			res, err := c.try(context.Background(), "GET", "/me", "", "")
			if err != nil {
				t.Errorf("%.40q: %v", header, err)
			} else if res.StatusCode != 401 && res.StatusCode != 431 && res.StatusCode != 400 {
				t.Errorf("%.40q: status %d", header, res.StatusCode)
			}
		}
		c := a.client()
		c.header.Set("Cookie", strings.Repeat("a=b; ", 2900)+sessionCookie+"="+alice)
		c.get("/me").want(t, 200)
	})
}

func TestKeyRotation(t *testing.T) { // C09
	eachBackend(t, func(t *testing.T, b *backend) {
		newKey := ginauth.NewKey()
		first := newApp(t, b, nil, nil)
		c, stays := first.loggedIn(aliceEmail), first.loggedIn(aliceEmail)
		second := newSibling(first, func(cfg *ginauth.Config) { cfg.Key, cfg.PreviousKeys = newKey, []ginauth.Key{testKey} })
		moved := second.client().with(c.session())
		moved.get("/me").want(t, 200)
		third := newSibling(first, func(cfg *ginauth.Config) { cfg.Key = newKey })
		third.client().with(moved.session()).get("/me").want(t, 200)
		third.client().with(stays.session()).get("/me").is401(t)
	})
}

// newSibling starts another process of the same application, as far as the
// stores can tell.
func newSibling(a *app, configure func(*ginauth.Config)) *app {
	a.Helper()
	b := *a.b
	b.users = sharedUsers{a.b.users}
	return newApp(a.T, &b, func(c *ginauth.Config) { c.Now = a.clock.Now; configure(c) }, a.routes)
}

// sharedUsers creates nobody: the users are there already.
type sharedUsers struct{ userBackend }

func (sharedUsers) CreateUser(context.Context, models.Authenticatable) error { return nil }

func TestCrossOriginMatrix(t *testing.T) { // X01, X02
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		own := a.srv.URL
		victim := a.loggedIn(bobEmail)
		for _, site := range []string{"same-origin", "none", "same-site", "cross-site", ""} {
			for _, origin := range []string{own, "https://sibling.example.com", "https://evil.example", "null", ""} {
				allowed := site == "same-origin" || site == "none" || (site == "" && (origin == own || origin == ""))
				for _, path := range []string{"/set?k=x&v=1", "/login", "/logout"} {
					c := a.client().with(victim.session())
					if path == "/logout" && allowed {
						c = a.loggedIn(bobEmail)
					}
					if site != "" {
						c.header.Set("Sec-Fetch-Site", site)
					}
					if origin != "" {
						c.header.Set("Origin", origin)
					}
					if path == "/login" && allowed {
						continue
					}
					res := c.post(path, loginForm{aliceEmail, goodPass})
					if (res.StatusCode == 403) == allowed {
						t.Errorf("%s from %q, origin %q: status %d", path, site, origin, res.StatusCode)
					}
					if !allowed && (len(res.Header["Set-Cookie"]) > 0 || !strings.Contains(res.body, "cross_origin")) {
						t.Errorf("refused %s: %v %s", path, res.Header, res.body)
					}
				}
			}
		}
		if got := victim.get("/me").want(t, 200).name(t); got != "Bob" {
			t.Errorf("the victim is now %q", got)
		}

		c := a.client()
		c.header.Set("Sec-Fetch-Site", "cross-site")
		c.get("/").want(t, 200)
		c.header.Set("Authorization", "Bearer x")
		c.post("/set?k=a&v=b", nil).want(t, 204) // no browser adds that
		withCookie := c.with(victim.session())
		withCookie.header = c.header
		withCookie.post("/set?k=a&v=b", nil).want(t, 403)
		for _, ambient := range []string{"Basic eA==", "Digest x", "Negotiate x", "bearerx"} {
			c := a.client()
			c.header.Set("Sec-Fetch-Site", "cross-site")
			c.header.Set("Authorization", ambient)
			c.post("/login", loginForm{aliceEmail, goodPass}).want(t, 403)
		}
		twice := a.client()
		twice.header = c.header.Clone()
		twice.header.Set("Cookie", sessionCookie+"=a; "+sessionCookie+"=b")
		twice.post("/set?k=a&v=b", nil).want(t, 403)
	})
}

func TestTrustedOrigins(t *testing.T) {
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.CrossOrigin.TrustedOrigins = []string{"https://admin.example"}
		c.CrossOrigin.InsecureBypassPatterns = []string{"POST /hook"}
	}, func(_ *app, r *gin.Engine) { r.POST("/hook", func(c *gin.Context) { c.Status(204) }) })
	c := a.client()
	c.header.Set("Sec-Fetch-Site", "cross-site")
	c.post("/hook", nil).want(t, 204)
	c.post("/set?k=a&v=b", nil).want(t, 403)
	c.header.Set("Origin", "https://admin.example")
	c.post("/set?k=a&v=b", nil).want(t, 204)
}

func TestDecodeJSON(t *testing.T) { // X03, X09
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		good := fmt.Sprintf(`{"email":%q,"password":%q}`, aliceEmail, goodPass)
		c := a.client()
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "text/json", "application/json; charset=utf-16"} {
			c.do("POST", "/login?email="+url.QueryEscape(aliceEmail)+"&password="+url.QueryEscape(goodPass), media, good).want(t, 415)
		}
		for body, status := range map[string]int{
			`{"email":"a@b.c","email":"x@y.z","password":"p"}`: 422, `{"email":"a@b.c","EMAIL":"x@y.z","password":"p"}`: 422,
			`{"password":"p","paſſword":"q","email":"a@b.c"}`: 422, `{"email":["a@b.c"],"password":"p"}`: 422,
			`{"email":{"a":1},"password":"p"}`: 422, `{"email":"a@b.c","password":true}`: 422,
			good + `{"email":"x"}`: 400, good + "x": 400, "": 400, "{": 400, "null": 422, "[]": 422,
			`{"email":"` + strings.Repeat("x", 65<<10) + `"}`: 413, strings.Repeat("[", 1000): 400,
		} {
			if res := c.do("POST", "/login", "application/json", body); res.StatusCode != status {
				t.Errorf("%.60q: status %d, want %d; %s", body, res.StatusCode, status, res.body)
			}
		}
		c.do("POST", "/login", "application/vnd.api+json; charset=UTF-8", good).want(t, 200)
		c.do("GET", "/logout", "", "").want(t, 404) // X05
		c.header.Set("X-Http-Method-Override", "POST")
		c.do("GET", "/logout?_method=POST", "", "").want(t, 404)
		c.get("/me").want(t, 200)
	})
}

func pages(c *ginauth.Config) {
	c.Pages = ginauth.PagesConfig{Login: "/login-page", Home: "/home", VerifyEmail: "/verify-notice", APIPrefixes: []string{"/api/"}}
}

const browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func TestBrowsersAreSentToPages(t *testing.T) { // X07, X11
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, pages, func(a *app, r *gin.Engine) {
			r.GET("/login-page", a.m.Auth(), func(*gin.Context) {})
			r.GET("/api/me", a.m.Auth(), me)
			r.POST("/form", a.m.Auth(), me)
			r.POST("/enter", func(c *gin.Context) {
				if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), c.Query("id")); err != nil {
					t.Error(err)
				}
				c.Redirect(303, ginauth.From(c).Intended())
			})
		})
		browser := func() *client { c := a.client(); c.header.Set("Accept", browserAccept); return c }
		c := browser()
		if res := c.get("/me?tab=1").want(t, 303); res.Header.Get("Location") != "/login-page" || c.session() != "" {
			t.Errorf("headers %v", res.Header)
		}
		if to := c.post("/enter?id=2", nil).want(t, 303).Header.Get("Location"); to != "/me?tab=1" {
			t.Errorf("intended %q", to)
		}
		if to := c.post("/enter?id=2", nil).want(t, 303).Header.Get("Location"); to != "/home" {
			t.Errorf("the second time %q", to)
		}
		if to := c.get("/verified").want(t, 303).Header.Get("Location"); to != "/verify-notice" {
			t.Errorf("not verified: %q", to)
		}
		if to := c.get("/guest").want(t, 303).Header.Get("Location"); to != "/home" {
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
			"prefix":             {"GET", "/api/me", "", "", 401, false},
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
					c.header.Set(row.header, row.value)
				}
				c.do(row.method, row.path, "", "").want(t, row.status)
				if _, ok := c.cookies["__Host-ginauth_intended"]; ok != row.remembered {
					t.Errorf("intended URL kept: %v", ok)
				}
			})
		}

		t.Run("dropped at logout", func(t *testing.T) {
			c := browser()
			c.get("/me").want(t, 303)
			c.post("/logout", nil).want(t, 204)
			if _, ok := c.cookies["__Host-ginauth_intended"]; ok {
				t.Error("the next user gets it")
			}
		})
		t.Run("forged", func(t *testing.T) { // S19
			c := browser()
			c.get("/me").want(t, 303)
			intended := c.cookies["__Host-ginauth_intended"]
			other := "A"
			if strings.HasSuffix(intended, other) {
				other = "B"
			}
			for _, value := range []string{"L2V2aWw", "//evil.example", intended[:len(intended)-1] + other, ""} {
				c.cookies["__Host-ginauth_intended"] = value
				if to := c.post("/enter?id=1", nil).Header.Get("Location"); to != "/home" {
					t.Errorf("%q leads to %q", value, to)
				}
			}
			c = browser()
			c.cookies[sessionCookie] = intended
			c.header.Set("Accept", "application/json")
			c.get("/me").is401(t)
			c = browser()
			c.cookies["__Host-ginauth_device"] = intended
			c.login(aliceEmail, goodPass).want(t, 200)
		})
		t.Run("expired", func(t *testing.T) {
			c := browser()
			c.get("/me").want(t, 303)
			a.clock.advance(11 * time.Minute)
			if to := c.post("/enter?id=1", nil).Header.Get("Location"); to != "/home" {
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
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, pages, func(_ *app, r *gin.Engine) {
			r.GET("/go", func(c *gin.Context) { c.Redirect(303, ginauth.SafeRedirect(c.Query("to"), "/")) })
		})
		for _, evil := range []string{"/x\r\nX-Evil: 1", "/x\nX-Evil: 1", "/x\x00", "/\u010aX-Evil: 1", "/x%0d%0aX-Evil:%201"} {
			c := a.client()
			c.header.Set("Accept", browserAccept)
			res := c.get("/go?to=" + url.QueryEscape(evil))
			if res.Header.Get("X-Evil") != "" {
				t.Errorf("%q split the header", evil)
			}
		}
	})
}

func TestErrorHandler(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		b, f := b.faulty()
		a := newApp(t, b, func(c *ginauth.Config) {
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
		}, nil)
		if got := a.client().get("/me").want(t, 401).body; got != "mine 401" {
			t.Errorf("body %q", got)
		}
		a.client().get("/me?handler=silent").want(t, 401)
		for _, how := range []string{"declines", "aborts"} {
			if got := a.client().get("/me?handler="+how).want(t, 401).body; !strings.Contains(got, `"unauthenticated"`) {
				t.Errorf("%s: %q", how, got)
			}
		}
		f.set("create", faultRefuse)
		a.client().post("/set?k=a&v=b&handler=silent", nil).want(t, 503)
		if got := a.client().post("/set?k=a&v=b", nil).want(t, 503).body; got != "mine 503" {
			t.Errorf("body %q", got)
		}
	})
}

func TestMiddlewaresOfTwoManagers(t *testing.T) {
	other, err := ginauth.New(ginauth.Config{Users: newMemoryUsers()})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	a := newApp(t, memoryBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.GET("/auth", other.Auth(), me)
		r.GET("/guests", other.Guest(), me)
		r.GET("/can", other.Authorize("x"), me)
		r.GET("/throttled", other.ThrottleLogins(), me)
	})
	c := a.loggedIn(aliceEmail)
	for _, path := range []string{"/auth", "/guests", "/can", "/throttled"} {
		if res := c.get(path).want(t, 500); strings.Contains(res.body, "Alice") {
			t.Errorf("%s answers %s", path, res.body)
		}
	}
}

func TestLogsAreOneLineAndHoldNoSecret(t *testing.T) { // L01–L03, L06
	eachBackend(t, func(t *testing.T, b *backend) {
		b, f := b.faulty()
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
			r.GET("/panic", func(c *gin.Context) { panic("CANARY-panic-value") })
		})
		c := a.loggedIn(aliceEmail)
		c.get("/panic").want(t, 500)
		secrets := []string{goodPass, c.session(), "CANARY-panic-value", string(testKey)[7:], a.alice.Password, "CANARY-wrong"}
		c.login("x\nlevel=ERROR msg=forged\x1b[31m\u2028@example.com", "CANARY-wrong")
		c.login(aliceEmail, "CANARY-wrong").want(t, 401)
		for _, op := range []string{"load", "user by id", "take", "user by identifier"} {
			f.set(op, faultRefuse)
			c.get("/me")
			c.login(aliceEmail, "CANARY-wrong")
		}
		logs := a.logs.String()
		for _, e := range a.events {
			logs += fmt.Sprintf("%v %+v %#v\n", e, e, e)
		}
		logs += fmt.Sprintf("%v %+v %#v %s\n", a.m, a.m, a.m, a.m)
		logs += fmt.Sprintf("%v %+v %#v %s\n", a.alice, a.alice, *a.alice, *a.alice)
		logs += fmt.Sprintf("%v %+v %#v %s\n", testKey, ginauth.Config{Key: testKey}, testKey, testKey)
		for _, secret := range secrets {
			if strings.Contains(logs, secret) {
				t.Errorf("%q was logged", secret)
			}
		}
		for line := range strings.Lines(a.logs.String()) {
			if !strings.HasPrefix(line, "time=") || len(line) > 16<<10 {
				t.Errorf("log line %.100q", line)
			}
		}
	})
}
