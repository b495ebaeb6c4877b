package pages_test

import (
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
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
