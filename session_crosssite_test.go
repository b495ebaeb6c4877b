package ginauth_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// shop is an application to which a payment service posts the browser back.
func shop(t *testing.T, b *testapp.Backend, sameSite http.SameSite) *testapp.App {
	report := func(c *gin.Context) {
		s := ginauth.From(c).Session()
		for _, err := range []error{s.Flash("status", "paid"), s.Put("order", 7)} {
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
		}
		c.Redirect(http.StatusSeeOther, "/orders")
	}
	return testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.CrossOrigin.InsecureBypassPatterns = []string{"POST /return", "POST /sso"}
		c.Session.Cookie.SameSite = sameSite
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/return", report)
		r.GET("/return", report)
		r.POST("/sso", func(c *gin.Context) {
			res, err := ginauth.From(c).Login(c.Request.Context(), a.Alice)
			testapp.Answer(c, res, err)
		})
		r.GET("/status", func(c *gin.Context) {
			status, _ := ginauth.Value[string](ginauth.From(c).Session(), "status")
			c.String(200, status)
		})
		r.GET("/keep", func(c *gin.Context) {
			if err := ginauth.From(c).Session().Reflash(); err != nil {
				ginauth.Abort(c, err)
			}
		})
	}))
}

// withheld returns a client of another site's request, to which a browser adds no cookies of c, and
// which keeps the cookies of the response in the jar of c.
func withheld(a *testapp.App, c *testapp.Client, method, mode, dest string) *testapp.Response {
	other := a.Client()
	other.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {mode}, "Sec-Fetch-Dest": {dest}, "Origin": {"https://pay.example"}}
	res := other.Do(method, "/return", "", "")
	maps.Copy(c.Cookies, other.Cookies)
	return res
}

func TestRequestWithoutItsCookiesKeepsTheLogin(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := shop(t, b, http.SameSiteLaxMode)
		c := a.LoggedIn(testapp.Alice)
		withheld(a, c, "POST", "navigate", "document").Want(t, 303)
		if got := c.Get("/me").Want(t, 200).UserName(t); got != "Alice" {
			t.Errorf("after the return: %q", got)
		}
	})
}

func TestFlashOfAnotherSitesRequestIsKept(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := shop(t, b, http.SameSiteLaxMode)
		for name, c := range map[string]*testapp.Client{"user": a.LoggedIn(testapp.Alice), "guest": a.Client()} {
			withheld(a, c, "POST", "navigate", "document").Want(t, 303)
			c.Get("/").Want(t, 200) // uses no session
			if got := c.Get("/status").Want(t, 200).Text; got != "paid" {
				t.Errorf("%s: the next request reads %q", name, got)
			}
			if got := c.Get("/status").Want(t, 200).Text; got != "" {
				t.Errorf("%s: the request after the next reads %q", name, got)
			}
			withheld(a, c, "POST", "navigate", "document").Want(t, 303)
			c.Get("/keep").Want(t, 200)
			if got := c.Get("/status").Want(t, 200).Text; got != "paid" {
				t.Errorf("%s: what was kept reads %q", name, got)
			}
			withheld(a, c, "POST", "navigate", "document").Want(t, 303)
			a.Clock.Advance(5 * time.Minute)
			if got := c.Get("/status").Want(t, 200).Text; got != "" {
				t.Errorf("%s: after five minutes: %q", name, got)
			}
		}
		if logs := a.Logs.String(); strings.Count(logs, "level=WARN msg=\"ginauth: session values of a request from another site are lost") != 1 || strings.Contains(logs, "paid") {
			t.Errorf("log %s", logs)
		}
	})
}

func TestCarriedFlashIsSealed(t *testing.T) {
	a := shop(t, testapp.Memory(t), http.SameSiteLaxMode)
	other := a.Sibling(func(c *ginauth.Config) { c.Key = ginauth.NewKey() })
	c := a.Client()
	withheld(a, c, "POST", "navigate", "document").Want(t, 303)
	text := c.Cookies[testapp.SessionCookie+"_flash"]
	if text == "" || strings.Contains(text, "paid") {
		t.Fatalf("cookie %q", text)
	}
	for _, value := range []string{"", "x", text[:len(text)-1], text + "A", strings.Repeat("A", 5000), "B" + text[1:], c.Cookies[testapp.SessionCookie]} {
		if got := a.WithCookie(testapp.SessionCookie+"_flash", value).Get("/status").Want(t, 200).Text; got != "" {
			t.Errorf("%.20q reads %q", value, got)
		}
	}
	if got := other.WithCookie(testapp.SessionCookie+"_flash", text).Get("/status").Text; got != "" {
		t.Errorf("under another key: %q", got)
	}
}

func TestWhereGuestSessionsBegin(t *testing.T) {
	for _, row := range []struct {
		name               string
		sameSite           http.SameSite
		site, method       string
		mode, dest         string
		begins, noMetadata bool
	}{
		{"Lax, form of another site", http.SameSiteLaxMode, "cross-site", "POST", "navigate", "document", false, false},
		{"Lax, link", http.SameSiteLaxMode, "cross-site", "GET", "navigate", "document", true, false},
		{"Lax, frame", http.SameSiteLaxMode, "cross-site", "GET", "navigate", "iframe", false, false},
		{"Lax, picture", http.SameSiteLaxMode, "cross-site", "GET", "no-cors", "image", false, false},
		{"Lax, sibling", http.SameSiteLaxMode, "same-site", "POST", "navigate", "document", true, false},
		{"Lax, own form", http.SameSiteLaxMode, "same-origin", "POST", "navigate", "document", true, false},
		{"Strict, link", http.SameSiteStrictMode, "cross-site", "GET", "navigate", "document", false, false},
		{"Strict, typed", http.SameSiteStrictMode, "none", "GET", "navigate", "document", true, false},
		{"None, form", http.SameSiteNoneMode, "cross-site", "POST", "navigate", "document", true, false},
		{"no browser", http.SameSiteLaxMode, "", "POST", "", "", true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := shop(t, testapp.Memory(t), row.sameSite)
			c := a.Client()
			if !row.noMetadata {
				c.Header = http.Header{"Sec-Fetch-Site": {row.site}, "Sec-Fetch-Mode": {row.mode}, "Sec-Fetch-Dest": {row.dest}}
			}
			c.Do(row.method, "/return", "", "").Want(t, 303)
			if (c.Session() != "") != row.begins {
				t.Errorf("cookies %v", c.Cookies)
			}
			dead := a.Client() // whose cookie was sent: it is replaced
			dead.Header = c.Header
			dead.Cookies[testapp.SessionCookie] = strings.Repeat("A", 64)
			dead.Do(row.method, "/return", "", "").Want(t, 303)
			if dead.Session() == strings.Repeat("A", 64) {
				t.Error("a session that ended is not replaced")
			}
		})
	}
}

func TestLoginFromAnotherSitesFormIsKept(t *testing.T) { // as SAML and OpenID Connect with form_post
	a := shop(t, testapp.Memory(t), http.SameSiteLaxMode)
	c := a.Client()
	c.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
	c.Post("/sso", nil).Want(t, 204)
	c.Header = http.Header{}
	c.Get("/me").Want(t, 200)
}
