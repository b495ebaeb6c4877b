package pages_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

// BenchmarkSignInPage compares the page to sign in with a JSON answer of the same application.
func BenchmarkSignInPage(b *testing.B) {
	auth, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users), Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler})
	if err != nil {
		b.Fatal(err)
	}
	r := gin.New()
	pages.Mount(r, auth, pages.Options{Name: "Blog"})
	routes.Mount(r, auth, routes.Options{})
	r.Use(auth.StartSession())
	r.NoRoute(pages.NotFound)
	for _, row := range []struct{ name, path, accept string }{
		{"page", "/login", "text/html"}, {"json", "/me", "application/json"}, {"error page", "/nowhere", "text/html"},
	} {
		b.Run(row.name, func(b *testing.B) {
			req := httptest.NewRequest("GET", row.path, nil)
			req.Header.Set("Accept", row.accept)
			req.Header.Set("Accept-Language", "de-DE,de;q=0.9,en;q=0.8")
			size := 0
			for b.Loop() {
				res := httptest.NewRecorder()
				r.ServeHTTP(res, req)
				size = res.Body.Len()
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}

// signedIn returns an application and the cookies of a user.
func signedIn(tb testing.TB, options pages.Options) (*gin.Engine, []*http.Cookie) {
	tb.Helper()
	users := new(ginauthtest.Users)
	auth, err := ginauth.New(ginauth.Config{Users: users, Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler})
	if err != nil {
		tb.Fatal(err)
	}
	if err := users.CreateUser(tb.Context(), &models.User{Name: "Alice", Email: "alice@example.com"}); err != nil {
		tb.Fatal(err)
	}
	r := gin.New()
	pages.Mount(r, auth, options)
	routes.Mount(r, auth, routes.Options{})
	r.GET("/enter", auth.StartSession(), func(c *gin.Context) { _, _ = ginauth.From(c).LoginUsingID(c.Request.Context(), "1") })
	entered := httptest.NewRecorder()
	r.ServeHTTP(entered, httptest.NewRequest("GET", "http://localhost/enter", nil))
	return r, entered.Result().Cookies()
}

// get returns the request of a user.
func get(path, accept string, cookies []*http.Cookie) *http.Request {
	req := httptest.NewRequest("GET", "http://localhost"+path, nil)
	req.Header.Set("Accept", accept)
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	return req
}

// BenchmarkProfilePage measures a page of a user, which is made anew for each request.
func BenchmarkProfilePage(b *testing.B) {
	r, cookies := signedIn(b, pages.Options{Name: "Blog"})
	for _, row := range []struct{ name, path, accept string }{{"page", "/profile", "text/html"}, {"json", "/me", "application/json"}} {
		b.Run(row.name, func(b *testing.B) {
			req := get(row.path, row.accept, cookies)
			for b.Loop() {
				res := httptest.NewRecorder()
				if r.ServeHTTP(res, req); res.Code != 200 {
					b.Fatal(res.Code, res.Body)
				}
			}
		})
	}
}

// TestSignInPageIsSmall measures what a page of the sign-in flow weighs over the wire, with its stylesheet kept.
func TestSignInPageIsSmall(t *testing.T) {
	a := newApp(t, setup{})
	for _, path := range []string{"/login", "/register", "/forgot-password", "/reset-password", "/verify-email"} {
		r := a.Browser().Get(path).Want(t, 200)
		size := len(r.Text)
		for name, values := range r.Header {
			for _, value := range values {
				size += len(name) + len(value) + 4
			}
		}
		if size > 4<<10 {
			t.Errorf("%s: %d bytes", path, size)
		}
	}
}
