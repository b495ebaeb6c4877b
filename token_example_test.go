package ginauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// exampleBearer sends a request with a token.
func exampleBearer(r *gin.Engine, path, token string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", path, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func ExampleAuthenticator_Refresh() {
	auth, err := ginauth.New(ginauth.Config{Users: exampleUsers()})
	if err != nil {
		panic(err)
	}
	r := gin.New()
	r.Use(auth.StartSession())
	r.POST("/api/token", func(c *gin.Context) {
		var in struct{ Email, Password string }
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		res, err := ginauth.From(c).Guard("api").Attempt(c.Request.Context(), ginauth.Credentials{"email": in.Email, "password": in.Password})
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, res.Tokens)
	})
	r.POST("/api/token/refresh", func(c *gin.Context) {
		var in struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		res, err := ginauth.From(c).Guard("api").Refresh(c.Request.Context(), in.RefreshToken)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, res.Tokens)
	})
	r.GET("/api/me", auth.Auth("api"), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		c.String(200, "%s", u.Name)
	})

	var pair ginauth.TokenPair
	login := exampleSend(r, "POST", "/api/token", `{"email":"alice@example.com","password":"correct horse battery staple"}`, nil)
	_ = json.Unmarshal(login.Body.Bytes(), &pair)
	fmt.Println(exampleBearer(r, "/api/me", pair.AccessToken).Body)

	body := fmt.Sprintf(`{"refresh_token":%q}`, pair.RefreshToken)
	again := exampleSend(r, "POST", "/api/token/refresh", body, nil)
	_ = json.Unmarshal(again.Body.Bytes(), &pair)
	fmt.Println(exampleBearer(r, "/api/me", pair.AccessToken).Body)
	// Output:
	// Alice
	// Alice
}

func ExampleAuthenticator_CreateToken() {
	users := exampleUsers()
	auth, err := ginauth.New(ginauth.Config{Users: users})
	if err != nil {
		panic(err)
	}
	r := gin.New()
	r.GET("/api/posts", auth.Auth("token"), auth.RequireAbilities("posts:read"), func(c *gin.Context) { c.String(200, "posts") })
	r.GET("/api/stats", auth.Auth("token"), auth.RequireAbilities("stats:read"), func(c *gin.Context) { c.String(200, "stats") })

	// In a handler: ginauth.From(c).CreateToken(ctx, …).
	ctx := context.Background()
	alice, err := users.UserByID(ctx, "1")
	if err != nil {
		panic(err)
	}
	token, err := auth.CreateToken(ctx, "token", alice, ginauth.TokenSpec{Name: "script", Abilities: []string{"posts:read"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.HasPrefix(token.Text, "gat_"))
	fmt.Println(exampleBearer(r, "/api/posts", token.Text).Code)
	fmt.Println(exampleBearer(r, "/api/stats", token.Text).Code)
	if err := auth.Revoke(ctx, token.Text); err != nil {
		panic(err)
	}
	fmt.Println(exampleBearer(r, "/api/posts", token.Text).Code)
	// Output:
	// true
	// 200
	// 403
	// 401
}
