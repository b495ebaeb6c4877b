package ginauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
	"github.com/ginauth/ginauth/stores/memstore"
)

// BenchmarkSession measures a request with everything that ginauth does for it,
// and nothing of the network.
func BenchmarkSession(b *testing.B) {
	memory := memstore.New(memstore.Options{PruneEvery: -1})
	inCookie := stores.Set{ClientSessions: cookiestore.New(), Tokens: memory.Tokens, Limiter: memory.Limiter}
	for name, set := range map[string]stores.Set{"memory": memory, "cookie": inCookie} {
		m, err := ginauth.New(ginauth.Config{Key: testapp.Key, Stores: set})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close(context.Background())
		r := gin.New()
		r.Use(m.StartSession())
		r.GET("/untouched", func(c *gin.Context) { c.Status(204) })
		r.GET("/read", func(c *gin.Context) { ginauth.From(c).Session().Has("k"); c.Status(204) })
		r.GET("/write", testapp.Put, func(c *gin.Context) { c.Status(204) })
		serve := func(path, cookie string) *httptest.ResponseRecorder {
			req := httptest.NewRequest("GET", "https://example.com"+path, nil)
			req.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			return w
		}
		cookie, _, _ := strings.Cut(serve("/write", "").Header().Get("Set-Cookie"), ";")
		for _, path := range []string{"/untouched", "/read", "/write"} {
			b.Run(name+path, func(b *testing.B) {
				req := httptest.NewRequest("GET", "https://example.com"+path, nil)
				req.Header.Set("Cookie", cookie)
				b.ReportAllocs()
				for b.Loop() {
					w := discard{http.Header{}}
					r.ServeHTTP(w, req)
				}
			})
		}
	}
}

// discard is a response that goes nowhere.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
