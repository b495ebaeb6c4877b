//go:build !race

package ginauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// TestAllocations compares how often the hot paths allocate with the numbers
// recorded here. Unlike times, they are the same on every machine. Whoever makes
// one smaller records it; one that has to grow needs a reason.
func TestAllocations(t *testing.T) {
	a := newAllocApp(t)
	for _, c := range []struct {
		name         string
		method, path string
		header       http.Header
		recorded     float64
	}{
		{"bare Gin", "GET", "/bare", nil, 0},
		{"session not touched, no cookie", "GET", "/static", nil, 3},
		{"session not touched", "GET", "/static", a.cookie, 3},
		{"session read", "GET", "/theme", a.cookie, 7},
		{"session write", "POST", "/visit", a.cookie, 12},
		{"session guard", "GET", "/me", a.cookie, 8},
		{"session guard and Authorize", "GET", "/post", a.cookie, 9},
		{"access token", "GET", "/api/me", a.access, 8},
		{"personal token", "GET", "/token/me", a.personal, 14},
		{"pair of tokens issued", "POST", "/api/token", nil, 21},
		{"ThrottleLogins", "GET", "/throttled", nil, 5},
		{"try counted", "POST", "/counted", nil, 17},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.allocations(t, c.method, c.path, c.header)
			switch {
			case got > c.recorded:
				t.Errorf("%v allocations, %v are recorded", got, c.recorded)
			case got < c.recorded:
				t.Logf("%v allocations, %v are recorded: record the smaller number", got, c.recorded)
			}
		})
	}
}

// TestRequestStateIsSmall holds the size of the one block of memory that every request has. 320
// is a size class of Go's allocator: one byte more takes 32.
func TestRequestStateIsSmall(t *testing.T) {
	if size := ginauth.RequestStateSize; size > 320 {
		t.Errorf("%d bytes", size)
	}
}

// allocApp is an application whose requests are counted, and what its user
// authenticates with.
type allocApp struct {
	engine                   *gin.Engine
	cookie, access, personal http.Header
}

func newAllocApp(t *testing.T) *allocApp {
	users := new(ginauthtest.Users)
	user := &models.User{Name: "Alice", Email: testapp.Alice}
	if err := users.CreateUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	unlimited := ginauth.Limit{Attempts: 1 << 30, Per: time.Minute}
	// Most users have fewer logins than they may have. Then no login ends.
	auth, err := ginauth.New(ginauth.Config{Users: users, Refresh: ginauth.RefreshConfig{MaxPerUser: 10_000}, Throttle: ginauth.ThrottleConfig{
		Address: unlimited, Account: unlimited, AccountAddress: unlimited,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := auth.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ginauth.DefineUser(auth.Gate(), "enter", func(_ context.Context, u *models.User) bool { return u.ID == user.ID })
	a := &allocApp{engine: gin.New()}
	a.routes(auth, user)

	a.prepare(t, auth, user)
	return a
}

// prepare makes a session and tokens.
func (a *allocApp) prepare(t *testing.T, auth *ginauth.Manager, user *models.User) {
	t.Helper()
	a.engine.POST("/prepare", auth.StartSession(), func(c *gin.Context) {
		ctx, handle := c.Request.Context(), ginauth.From(c)
		_, err := handle.Login(ctx, user)
		check := func(failed error) {
			if err == nil {
				err = failed
			}
		}
		check(handle.Session().Put("theme", "dark"))
		personal, failed := handle.CreateToken(ctx, ginauth.TokenSpec{Name: "test"})
		check(failed)
		signed, failed := handle.Guard("api").Login(ctx, user)
		check(failed)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		a.personal = http.Header{"Authorization": {"Bearer " + personal.Text}}
		a.access = http.Header{"Authorization": {"Bearer " + signed.Tokens.AccessToken}}
	})
	w := httptest.NewRecorder()
	a.engine.ServeHTTP(w, newAllocRequest("POST", "/prepare", nil))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		t.Fatal(w.Code, w.Body, w.Header())
	}
	session := w.Result().Cookies()[0]
	a.cookie = http.Header{"Cookie": {session.Name + "=" + session.Value}}
}

// routes answers 200 where what the route is about was found.
func (a *allocApp) routes(auth *ginauth.Manager, user *models.User) {
	answer := func(c *gin.Context, ok bool) {
		if !ok {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.Writer.WriteHeader(http.StatusOK)
		_, _ = c.Writer.WriteString("hello")
	}
	static := func(c *gin.Context) { answer(c, true) }
	me := func(c *gin.Context) {
		u, ok := ginauth.UserAs[*models.User](c)
		answer(c, ok && u.ID == user.ID)
	}
	r := a.engine
	r.GET("/bare", static)
	web := r.Group("/", auth.StartSession())
	web.GET("/static", static)
	web.GET("/theme", func(c *gin.Context) {
		theme, _ := ginauth.Value[string](ginauth.From(c).Session(), "theme")
		answer(c, theme == "dark")
	})
	web.POST("/visit", func(c *gin.Context) {
		n, err := ginauth.From(c).Session().Increment("visits", 1)
		answer(c, err == nil && n > 0)
	})
	web.GET("/me", auth.Auth(), me)
	web.GET("/post", auth.Auth(), auth.Authorize("enter"), me)
	r.GET("/api/me", auth.Auth("api"), me)
	r.GET("/token/me", auth.Auth("token"), me)
	r.POST("/api/token", auth.Guest("api"), func(c *gin.Context) {
		res, err := ginauth.From(c).Guard("api").Login(c.Request.Context(), user)
		answer(c, err == nil && res.Tokens.AccessToken != "")
	})
	r.GET("/throttled", auth.ThrottleLogins(), static)
	r.POST("/counted", auth.ThrottleLogins(), func(c *gin.Context) {
		_, err := ginauth.From(c).Throttle(c.Request.Context(), "email", testapp.Alice)
		answer(c, err == nil)
	})
}

// allocations returns how often a request allocates. What else runs in the
// process may add to a try, and takes nothing off.
func (a *allocApp) allocations(t *testing.T, method, path string, header http.Header) float64 {
	t.Helper()
	w := &allocWriter{header: make(http.Header)}
	sent := newAllocRequest(method, path, header)
	var request http.Request
	least := 0.0
	for try := range 3 {
		n := testing.AllocsPerRun(200, func() {
			clear(w.header)
			w.status = 0
			request = *sent
			a.engine.ServeHTTP(w, &request)
			if w.status != http.StatusOK {
				t.Errorf("%s %s: status %d", method, path, w.status)
			}
		})
		if try == 0 || n < least {
			least = n
		}
	}
	return least
}

// newAllocRequest returns a request of a browser that is elsewhere.
func newAllocRequest(method, path string, header http.Header) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.Body, r.Host, r.RemoteAddr = http.NoBody, "app.example.com", "203.0.113.7:51000"
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

// allocWriter takes answers and allocates nothing.
type allocWriter struct {
	header http.Header
	status int
}

func (w *allocWriter) Header() http.Header             { return w.header }
func (w *allocWriter) WriteHeader(code int)            { w.status = code }
func (*allocWriter) Write(b []byte) (int, error)       { return len(b), nil }
func (*allocWriter) WriteString(s string) (int, error) { return len(s), nil }
