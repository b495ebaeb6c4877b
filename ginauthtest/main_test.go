package ginauthtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// fakeT is the testing.TB that is passed to the functions under test. It
// records failures, and runs its cleanup functions when it is told to.
type fakeT struct {
	testing.TB
	failure string
	errors  []string
	cleanup []func()
}

type fatal struct{}

func (*fakeT) Helper()            {}
func (*fakeT) Output() io.Writer  { return io.Discard }
func (t *fakeT) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }
func (t *fakeT) Errorf(format string, args ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}
func (t *fakeT) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }
func (t *fakeT) Fatalf(format string, args ...any) {
	t.failure = fmt.Sprintf(format, args...)
	panic(fatal{})
}

// fails checks that f ends the test that it is given, with an error that
// contains what.
func fails(t *testing.T, what string, f func(t testing.TB)) {
	t.Helper()
	fake := &fakeT{}
	func() {
		defer func() {
			if r := recover(); r != nil && r != (fatal{}) {
				panic(r)
			}
		}()
		f(fake)
	}()
	if !strings.Contains(fake.failure, what) || fake.failure == "" {
		t.Errorf("the test fails with %q, want %q", fake.failure, what)
	}
}

// reports checks that f reports an error that contains what, or no error if
// what is "".
func reports(t *testing.T, what string, f func(t testing.TB)) {
	t.Helper()
	fake := &fakeT{}
	f(fake)
	got := strings.Join(fake.errors, "\n")
	if (what == "") != (got == "") || !strings.Contains(got, what) {
		t.Errorf("errors %q, want %q", got, what)
	}
}

func whoami(c *gin.Context) {
	u, _ := ginauth.UserAs[*models.User](c)
	c.String(http.StatusOK, u.Name)
}

// newRouter returns the routes of a typical application.
func newRouter(auth *ginauth.Manager) *gin.Engine {
	r := gin.New()
	r.Use(auth.StartSession())
	r.GET("/me", auth.Auth(), whoami)
	r.GET("/api/me", auth.Auth("api"), whoami)
	r.GET("/posts", auth.Auth("token"), auth.RequireAbilities("posts:read"), whoami)
	r.GET("/sudo", auth.Auth(), auth.ConfirmPassword(), whoami)
	r.POST("/set", func(c *gin.Context) {
		if err := ginauth.From(c).Session().Put("cart", "full"); err != nil {
			ginauth.Abort(c, err)
		}
	})
	r.GET("/cart", func(c *gin.Context) {
		cart, _ := ginauth.Value[string](ginauth.From(c).Session(), "cart")
		c.String(http.StatusOK, cart)
	})
	r.POST("/logout", func(c *gin.Context) {
		if err := ginauth.From(c).Logout(c.Request.Context()); err != nil {
			ginauth.Abort(c, err)
		}
	})
	return r
}

// serve sends a request and checks the status and the body.
func serve(t *testing.T, h http.Handler, r *http.Request, status int, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status || status == http.StatusOK && w.Body.String() != body {
		t.Errorf("%s %s: status %d, body %q; want %d and %q", r.Method, r.URL.Path, w.Code, w.Body, status, body)
	}
	return w
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

// newRouter2 returns the routes of an application with two guards in one
// session.
func newRouter2(auth *ginauth.Manager) *gin.Engine {
	r := gin.New()
	r.Use(auth.StartSession())
	name := func(c *gin.Context, guard string) string {
		u, err := ginauth.From(c).Guard(guard).User(c.Request.Context())
		if err != nil || u == nil {
			return ""
		}
		return u.(*models.User).Name
	}
	r.GET("/me", auth.Auth("web"), whoami)
	r.GET("/staff", auth.Auth("staff"), whoami)
	r.GET("/both", func(c *gin.Context) { c.String(http.StatusOK, name(c, "web")+" and "+name(c, "staff")) })
	return r
}
