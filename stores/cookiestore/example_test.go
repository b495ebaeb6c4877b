package cookiestore_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/stores/cookiestore"
	"github.com/ginauth/ginauth/stores/memstore"
)

func ExampleNew() {
	set := memstore.New(memstore.Options{}) // in an application use gormstore or redisstore
	defer set.Close()
	set.Sessions, set.ClientSessions = nil, cookiestore.New()
	auth, err := ginauth.New(ginauth.Config{Key: ginauth.NewKey(), Stores: set})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close(context.Background())

	gin.SetMode(gin.TestMode)
	r := gin.New()
	r.Use(auth.StartSession())
	r.GET("/", func(c *gin.Context) {
		visits, err := ginauth.From(c).Session().Increment("visits", 1)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(http.StatusOK, "visit %d", visits)
	})

	var cookies []*http.Cookie
	for range 2 {
		req := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
		for _, c := range cookies {
			req.AddCookie(c)
		}
		res := httptest.NewRecorder()
		r.ServeHTTP(res, req)
		cookies = res.Result().Cookies()
		fmt.Println(res.Body, "in", cookies[0].Name)
	}
	// Output:
	// visit 1 in __Host-ginauth
	// visit 2 in __Host-ginauth
}
