package routes_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/routes"
)

func ExampleMount() {
	auth, err := ginauth.New(ginauth.Config{
		Users: new(ginauthtest.Users), // or gormstore.Users[models.User](db)
		Pages: ginauth.PagesConfig{Login: "/sign-in", Home: "/home"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close(context.Background())

	r := gin.New()
	r.Use(auth.Recovery())
	routes.Mount(r, auth, routes.Options{
		Without: []routes.Route{routes.JWKS},
		Pages: map[routes.Route]routes.Page{
			routes.Register: {Done: "/sign-in?registered", Failed: "/sign-up"},
			routes.Login:    {Failed: "/sign-in"},
			routes.Logout:   {Done: "/"},
		},
	})

	post := func(path, contentType, accept, body string) {
		req := httptest.NewRequest("POST", path, strings.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Accept", accept)
		res := httptest.NewRecorder()
		r.ServeHTTP(res, req)
		fmt.Println(res.Code, res.Header().Get("Location")+res.Body.String())
	}
	post("/register", "application/json", "application/json",
		`{"name":"Ann","email":"ann@example.com","password":"four words and a comma,"}`)
	post("/login", "application/json", "application/json", `{"email":"ann@example.com","password":"a guess"}`)
	post("/login", "application/x-www-form-urlencoded", "text/html", "email=ann@example.com&password=a+guess")
	post("/login", "application/x-www-form-urlencoded", "text/html", "email=ann@example.com&password=four+words+and+a+comma,")
	// Output:
	// 201 {"user":{"email":"ann@example.com","email_verified":false,"id":"1","name":"Ann"}}
	// 401 {"code":"invalid_credentials","message":"These credentials do not match our records."}
	// 303 /sign-in?error=invalid_credentials
	// 303 /home
}
