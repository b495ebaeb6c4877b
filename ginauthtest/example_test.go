package ginauthtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
)

// t stands for the testing.T of a test, because examples have none.
var t testing.TB = &fakeT{}

func ExampleAuth_ActingAs() {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")

	router := gin.New()
	router.Use(auth.StartSession())
	router.GET("/profile", auth.Auth(), func(c *gin.Context) { c.String(http.StatusOK, "Hello") })

	w := httptest.NewRecorder()
	router.ServeHTTP(w, httptest.NewRequest("GET", "/profile", nil))
	fmt.Println(w.Code)

	w = httptest.NewRecorder()
	router.ServeHTTP(w, auth.ActingAs(t, httptest.NewRequest("GET", "/profile", nil), alice))
	fmt.Println(w.Code, w.Body)
	// Output:
	// 401
	// 200 Hello
}

func ExampleAuth_ActingWithToken() {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")

	router := gin.New()
	router.GET("/posts", auth.Auth("token"), auth.RequireAbilities("posts:read"), func(c *gin.Context) {})

	for _, ability := range []string{"posts:read", "posts:write"} {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, auth.ActingWithToken(t, httptest.NewRequest("GET", "/posts", nil), alice, ability))
		fmt.Println(ability, w.Code)
	}
	// Output:
	// posts:read 200
	// posts:write 403
}

func ExampleAuth_WithPassword() {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")

	router := gin.New()
	router.Use(auth.StartSession())
	router.GET("/keys", auth.Auth(), auth.ConfirmPassword(), func(c *gin.Context) {})

	r := auth.WithPassword(t, auth.ActingAs(t, httptest.NewRequest("GET", "/keys", nil), alice), ginauthtest.Password)
	for range 2 {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		fmt.Println(w.Code)
		auth.Clock.Advance(15 * time.Minute)
	}
	// Output:
	// 200
	// 403
}

func ExampleAuth_LogIn() {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")

	router := gin.New()
	router.Use(auth.StartSession())
	router.GET("/profile", auth.Auth(), func(c *gin.Context) {})
	server := httptest.NewTLSServer(router)
	defer server.Close()

	client := server.Client()
	auth.LogIn(t, client, server.URL, alice)
	res, err := client.Get(server.URL + "/profile")
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	fmt.Println(res.StatusCode)
	// Output: 200
}

func ExampleMailbox() {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")

	broker := auth.Broker("web")
	if err := broker.SendResetLink(context.Background(), alice.Email); err != nil {
		panic(err)
	}
	err := broker.Reset(context.Background(), ginauth.PasswordReset{
		Email: alice.Email, Token: auth.Mailbox.Token(t, mail.ResetPassword), Password: "another password, and longer",
	})
	fmt.Println(err)
	ginauthtest.AssertDispatched(t, auth.Events, func(e events.PasswordReset) bool { return e.UserID == alice.AuthID() })
	fmt.Println(strings.TrimSuffix(auth.Mailbox.Link(t, mail.ResetPassword), auth.Mailbox.Token(t, mail.ResetPassword)))
	// Output:
	// <nil>
	// https://app.test/reset-password#email=alice%40example.com&token=
}

func ExampleAssertDispatched() {
	auth := ginauthtest.New(t)
	auth.Dispatch(context.Background(), events.Login{Meta: events.Meta{UserID: "1"}, Remembered: true})

	e := ginauthtest.AssertDispatched[events.Login](t, auth.Events)
	fmt.Println(e.UserID, e.Remembered)
	ginauthtest.AssertNotDispatched[events.Failed](t, auth.Events)
	ginauthtest.AssertCount[events.Login](t, auth.Events, 1)
	// Output: 1 true
}
