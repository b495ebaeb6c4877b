package pages_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

func ExampleMount() {
	auth, err := ginauth.New(ginauth.Config{
		Users: new(ginauthtest.Users), // or gormstore.Users[models.User](db)
		Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close(context.Background())

	r := gin.New()
	r.Use(auth.Recovery())
	pages.Mount(r, auth, pages.Options{Name: "Blog"})
	routes.Mount(r, auth, routes.Options{})
	r.NoRoute(pages.NotFound)

	req := httptest.NewRequest("GET", "/login", nil)
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Language", "fr")
	res := httptest.NewRecorder()
	r.ServeHTTP(res, req)
	for line := range strings.Lines(res.Body.String()) {
		if strings.Contains(line, "<title>") || strings.Contains(line, "<h1>") {
			fmt.Print(line)
		}
	}
	// Output:
	// <title>Se connecter · Blog</title>
	// <h1>Se connecter</h1>
}
