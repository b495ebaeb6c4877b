package ginauth_test

import (
	"html/template"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

func enter(c *gin.Context) {
	if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), c.DefaultQuery("id", "2")); err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Redirect(303, ginauth.From(c).Intended())
}

func TestBasePathIsInEveryRedirect(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(pages, func(c *ginauth.Config) {
		c.BasePath, c.Mail.BaseURL = "/app", "https://app.example/app"
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/enter", enter)
		r.GET("/login-page", a.Auth(), func(*gin.Context) {})
	}))
	a.Serve(http.StripPrefix("/app", a.Engine))
	c := a.Browser()
	c.Get("/app/me?tab=1").WantRedirect(t, "/app/login-page")
	c.Get("/app/login-page").Want(t, 401) // no redirect to itself
	c.Post("/app/enter", nil).WantRedirect(t, "/app/me?tab=1")
	c.Get("/app/me").Want(t, 200)
	c.Get("/app/guest").WantRedirect(t, "/app/home")
	c.Post("/app/enter", nil).WantRedirect(t, "/app/home")
	c.Get("/app/verified").WantRedirect(t, "/app/verify-notice")
}

func TestBasePathIsChecked(t *testing.T) {
	for _, base := range []string{"app", "/app/", "/", "//evil.example", "https://x", "/app?x=1", "/a/../b"} {
		if _, err := ginauth.New(ginauth.Config{BasePath: base}); err == nil || !strings.Contains(err.Error(), "BasePath") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestEachGuardHasItsPages(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(pages, func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "admin": {LoginPage: "/admin/login", Home: "/admin/home"}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.GET("/admin/x", a.Auth("admin"), testapp.Me)
		r.GET("/admin/login", a.Guest("admin"), testapp.Me)
		r.POST("/admin/enter", func(c *gin.Context) {
			admin := ginauth.From(c).Guard("admin")
			if _, err := admin.LoginUsingID(c.Request.Context(), "1"); err != nil {
				t.Error(err)
			}
			c.Redirect(303, admin.Intended())
		})
	}))
	c := a.Browser()
	c.Get("/me").WantRedirect(t, "/login-page")
	c.Get("/admin/x").WantRedirect(t, "/admin/login")
	c.Post("/admin/enter", nil).WantRedirect(t, "/admin/x")
	c.Post("/admin/enter", nil).WantRedirect(t, "/admin/home")
	c.Get("/admin/login").WantRedirect(t, "/admin/home")
	if _, err := ginauth.New(ginauth.Config{Guards: map[string]ginauth.GuardConfig{"web": {LoginPage: "//evil.example"}}}); err == nil {
		t.Error("a login page on another site is accepted")
	}
}

func TestEveryRedirectRemembersThePage(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Pages = ginauth.PagesConfig{Login: "/login-page", VerifyEmail: "/verify-notice", ConfirmPassword: "/confirm-page"}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/enter", enter)
			r.GET("/intended", func(c *gin.Context) { c.String(200, ginauth.From(c).Intended()) })
			r.GET("/settings", a.Auth(), a.ConfirmPassword(), testapp.Me)
		}))
		c := a.Browser()
		c.Post("/enter", nil).WantRedirect(t, "/")
		for path, page := range map[string]string{"/verified?a=1": "/verify-notice", "/settings?b=2": "/confirm-page"} {
			c.Get(path).WantRedirect(t, page)
			if got := c.Get("/intended").Text; got != path {
				t.Errorf("%s: intended %q", path, got)
			}
		}
		// Another tab has logged in: the login page leads to where this one was going.
		tab := a.Browser()
		tab.Get("/me?tab=2").WantRedirect(t, "/login-page")
		tab.Post("/enter", nil)
		tab.Cookies[testapp.IntendedCookie] = func() string {
			other := a.Browser()
			other.Get("/me?tab=3").WantRedirect(t, "/login-page")
			return other.Cookies[testapp.IntendedCookie]
		}()
		tab.Header.Set("Sec-Purpose", "prefetch")
		tab.Get("/guest").WantRedirect(t, "/")
		tab.Header.Del("Sec-Purpose")
		tab.Get("/guest").WantRedirect(t, "/me?tab=3")
		tab.Get("/guest").WantRedirect(t, "/")
	})
}

func TestOnlyPagesThatAPersonOpensAreRemembered(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(pages))
	for _, row := range []struct {
		name, header, value string
		remembered          bool
	}{
		{"navigation", "Sec-Fetch-Dest", "document", true},
		{"prefetch", "Sec-Purpose", "prefetch", false},
		{"prerender", "Sec-Purpose", "prefetch;prerender", false},
		{"older prefetch", "Purpose", "prefetch", false},
		{"older Firefox", "X-Moz", "prefetch", false},
		{"preview", "X-Purpose", "preview", false},
		{"frame", "Sec-Fetch-Dest", "iframe", false},
		{"image", "Sec-Fetch-Dest", "image", false},
		{"script", "Sec-Fetch-Mode", "cors", false},
		{"socket", "Upgrade", "websocket", false},
	} {
		c := a.Browser()
		c.Header.Set(row.header, row.value)
		c.Get("/me").WantRedirect(t, "/login-page")
		if _, ok := c.Cookies[testapp.IntendedCookie]; ok != row.remembered {
			t.Errorf("%s: remembered: %v", row.name, ok)
		}
	}
}

func TestErrorHandlerComesAfterPages(t *testing.T) {
	asked := 0
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(pages, func(c *ginauth.Config) {
		c.Pages.Login = ""
		c.ErrorHandler = func(c *gin.Context, status int, _ error) bool {
			asked++
			switch status {
			case 401:
				ginauth.RememberIntended(c)
				c.Redirect(303, "/own-login")
			case 403:
				c.String(status, "own 403")
			default:
				return false
			}
			return true
		}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) { r.POST("/enter", enter) }))
	c := a.Browser()
	c.Get("/me?tab=1").WantRedirect(t, "/own-login")
	c.Post("/enter", nil).WantRedirect(t, "/me?tab=1")
	if c.Get("/verified").WantRedirect(t, "/verify-notice"); asked != 1 {
		t.Errorf("the handler was asked %d times", asked)
	}
	if got := c.Get("/admin").Want(t, 403).Text; got != "own 403" {
		t.Errorf("body %q", got)
	}
	if res := c.Get("/posts/77").Want(t, 404); !strings.Contains(res.Text, "<h1>Not Found</h1>") {
		t.Errorf("body %q", res.Text)
	}
}

func TestBrowsersGetErrorsAsHTML(t *testing.T) {
	failing := func(a *testapp.App, r *gin.Engine) {
		r.GET("/error", func(c *gin.Context) {
			switch c.Query("status") {
			case "403":
				ginauth.Abort(c, ginauth.ErrForbidden)
			case "404":
				ginauth.Abort(c, ginauth.ErrNotFound)
			case "429":
				ginauth.Abort(c, &ginauth.ThrottledError{RetryAfter: 7e9})
			case "422":
				ginauth.Abort(c, &ginauth.InputError{Field: "<script>", Reason: "is <b>bad</b>"})
			default:
				ginauth.Abort(c, ginauth.Unavailable("CANARY", http.ErrServerClosed))
			}
		})
	}
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(pages), testapp.Routes(failing))
	for _, status := range []string{"403", "404", "429", "422", "503"} {
		res := a.Browser().Get("/error?status=" + status)
		if res.Status[:3] != status || res.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(res.Text, "<h1>") {
			t.Errorf("%s: %s %v %q", status, res.Status, res.Header, res.Text)
		}
		if res.Header.Get("Cache-Control") != "no-store" || strings.Contains(res.Text, "<script>") || strings.Contains(res.Text, "CANARY") {
			t.Errorf("%s: %v %q", status, res.Header, res.Text)
		}
		if (status == "429" || status == "503") != (res.Header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", status, res.Header.Get("Retry-After"))
		}
		if res := a.Client().Get("/error?status=" + status); !strings.HasPrefix(res.Text, `{"code":`) {
			t.Errorf("%s for an API client: %q", status, res.Text)
		}
	}
	own := template.Must(template.New("").Parse(`own {{.Status}} {{.Code}} {{.Message}}{{if eq .Status 404}}{{index .Message 999}}{{end}}`))
	a = testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Pages.Error = own }), testapp.Routes(failing))
	if got := a.Browser().Get("/error?status=403").Want(t, 403).Text; got != "own 403 forbidden This action is not allowed." {
		t.Errorf("body %q", got)
	}
	if got := a.Browser().Get("/error?status=404").Want(t, 404).Text; !strings.Contains(got, "<h1>Not Found</h1>") {
		t.Errorf("a template that fails leads to %q", got)
	}
	a = testapp.New(t, testapp.Memory(t), testapp.Routes(failing)) // no page at all
	if got := a.Browser().Get("/error?status=403").Text; !strings.HasPrefix(got, `{"code":`) {
		t.Errorf("body %q", got)
	}
}
