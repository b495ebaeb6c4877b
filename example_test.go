package ginauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
)

// exampleSend sends a request with the cookies that an earlier answer set.
func exampleSend(r http.Handler, method, path, body string, earlier *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if earlier != nil {
		for _, cookie := range earlier.Result().Cookies() {
			req.AddCookie(cookie)
		}
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

// exampleUsers is a provider of one user, alice@example.com. Applications have
// one from gormstore.Users.
func exampleUsers() models.UserProvider {
	auth, err := ginauth.New(ginauth.Config{})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	hash, err := auth.Hasher().Hash(ctx, "correct horse battery staple")
	if err != nil {
		panic(err)
	}
	users := new(ginauthtest.Users)
	if err := users.CreateUser(ctx, &models.User{Name: "Alice", Email: "alice@example.com", Password: hash}); err != nil {
		panic(err)
	}
	return users
}

func ExampleStartSession() {
	r := gin.New()
	r.Use(ginauth.StartSession()) // no configuration: sessions in memory

	r.GET("/", func(c *gin.Context) {
		visits, err := ginauth.From(c).Session().Increment("visits", 1)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(http.StatusOK, "visit %d", visits)
	})

	first := exampleSend(r, "GET", "/", "", nil)
	fmt.Println(first.Body)
	fmt.Println(exampleSend(r, "GET", "/", "", first).Body)
	// Output:
	// visit 1
	// visit 2
}

func ExampleNew() {
	auth, err := ginauth.New(ginauth.Config{
		Key:   ginauth.NewKey(),
		Users: exampleUsers(), // in an application, gormstore.Users[models.User](db)
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = auth.Close(context.Background()) }()

	r := gin.New()
	r.Use(auth.StartSession())
	r.POST("/login", auth.ThrottleLogins(), func(c *gin.Context) {
		var in struct{ Email, Password string }
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		res, err := ginauth.From(c).Attempt(c.Request.Context(),
			ginauth.Credentials{"email": in.Email, "password": in.Password})
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(http.StatusOK, "welcome, user %s", res.User.AuthID())
	})
	r.POST("/logout", func(c *gin.Context) {
		if err := ginauth.From(c).Logout(c.Request.Context()); err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.Status(http.StatusNoContent)
	})

	wrong := exampleSend(r, "POST", "/login", `{"email":"alice@example.com","password":"1234"}`, nil)
	fmt.Println(wrong.Code, wrong.Body)
	right := exampleSend(r, "POST", "/login", `{"email":" ALICE@example.com","password":"correct horse battery staple"}`, nil)
	fmt.Println(right.Code, right.Body)
	fmt.Println(exampleSend(r, "POST", "/logout", "", right).Code)
	// Output:
	// 401 {"code":"invalid_credentials","message":"These credentials do not match our records."}
	// 200 welcome, user 1
	// 204
}

func ExampleManager_Auth() {
	auth, err := ginauth.New(ginauth.Config{Users: exampleUsers()})
	if err != nil {
		panic(err)
	}
	defer func() { _ = auth.Close(context.Background()) }()

	r := gin.New()
	r.Use(auth.StartSession())
	r.GET("/me", auth.Auth(), func(c *gin.Context) {
		u, ok := ginauth.UserAs[*models.User](c)
		c.String(http.StatusOK, "%v %s", ok, u.Name)
	})
	r.POST("/enter", func(c *gin.Context) { // such as after single sign-on
		if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1"); err != nil {
			ginauth.Abort(c, err)
		}
	})

	guest := exampleSend(r, "GET", "/me", "", nil)
	fmt.Println(guest.Code, guest.Header().Get("WWW-Authenticate"))
	user := exampleSend(r, "GET", "/me", "", exampleSend(r, "POST", "/enter", "", nil))
	fmt.Println(user.Code, user.Body)
	// Output:
	// 401 Session realm="web"
	// 200 true Alice
}

func ExampleValue() {
	type cart struct {
		Items []string
		Total int
	}
	r := gin.New()
	r.Use(ginauth.StartSession())
	r.POST("/cart", func(c *gin.Context) {
		if err := ginauth.From(c).Session().Put("cart", cart{Items: []string{"tea"}, Total: 12}); err != nil {
			ginauth.Abort(c, err)
		}
	})
	r.GET("/cart", func(c *gin.Context) {
		basket, ok := ginauth.Value[cart](ginauth.From(c).Session(), "cart")
		c.String(http.StatusOK, "%v %+v", ok, basket)
	})

	fmt.Println(exampleSend(r, "GET", "/cart", "", nil).Body)
	fmt.Println(exampleSend(r, "GET", "/cart", "", exampleSend(r, "POST", "/cart", "", nil)).Body)
	// Output:
	// false {Items:[] Total:0}
	// true {Items:[tea] Total:12}
}

// Invited is an event of the application's own.
type Invited struct {
	events.Meta
	Email string
}

// EventName returns "invited".
func (Invited) EventName() string { return "invited" }

func ExampleOn() {
	auth, err := ginauth.New(ginauth.Config{})
	if err != nil {
		panic(err)
	}
	ginauth.On(auth, func(_ context.Context, e Invited) { fmt.Println("invited", e.Email) })
	ginauth.On(auth, func(_ context.Context, e events.Event) { fmt.Println("event", e.EventName()) })

	ctx := context.Background()
	auth.Dispatch(ctx, Invited{Email: "bob@example.com"})
	if err := auth.Close(ctx); err != nil { // waits for the listeners
		panic(err)
	}
	// Output:
	// invited bob@example.com
	// event invited
}

func ExampleSafeRedirect() {
	for _, target := range []string{"/posts?page=2", "https://evil.example/", "//evil.example/", `/\evil.example`} {
		fmt.Println(ginauth.SafeRedirect(target, "/"))
	}
	// Output:
	// /posts?page=2
	// /
	// /
	// /
}

func ExampleManager_Preflight() {
	auth, err := ginauth.New(ginauth.Config{Key: ginauth.NewKey(), Users: exampleUsers()})
	if err != nil {
		panic(err)
	}
	defer func() { _ = auth.Close(context.Background()) }()

	none := func(*gin.Context) {}
	r := gin.New()
	r.Use(auth.StartSession())
	r.GET("/", ginauth.Public(), none)
	r.GET("/orders", auth.Auth(), none)
	r.GET("/invoices", none)
	r.GET("/reports", auth.Auth(), auth.Authorize("see-report"), none)

	for _, finding := range auth.Preflight(context.Background(), r) {
		fmt.Println(finding)
	}
	// Output:
	// ability "see-report": Authorize asks for it and no rule defines it: every request is denied
	// GET /invoices: has neither Auth nor Guest before its handler: add one, or Public if every client may use it
}
