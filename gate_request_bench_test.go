package ginauth_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// BenchmarkRequestGate measures checks by the gate of a request.
func BenchmarkRequestGate(b *testing.B) {
	m, err := ginauth.New(ginauth.Config{Users: newMemoryUsers()})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background())
	ginauth.DefineUser(m.Gate(), "enter", func(context.Context, *models.User) bool { return true })
	serve := func(name string, check func(c *gin.Context) bool) {
		b.Run(name, func(b *testing.B) {
			r := gin.New()
			r.POST("/", m.StartSession(), func(c *gin.Context) {
				_, err := ginauth.From(c).Login(c.Request.Context(), &models.User{ID: 123456, SecurityStamp: "stamp"})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if !check(c) {
						b.Fatal("denied")
					}
				}
			})
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "https://example.com/", nil))
		})
	}
	serve("gate", func(c *gin.Context) bool {
		return c.MustGet("gate").(*ginauth.Gate).Allows(c.Request.Context(), "enter")
	})
	serve("Can", func(c *gin.Context) bool { return ginauth.From(c).Can(c.Request.Context(), "enter") })
	serve("another guard", func(c *gin.Context) bool {
		return ginauth.From(c).Guard("web").Can(c.Request.Context(), "enter")
	})
}
