package ginauthtest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
)

func TestActingAs(t *testing.T) {
	auth := ginauthtest.New(t)
	router := newRouter(auth.Manager)
	alice, bob := auth.CreateUser(t, "Alice", "alice@example.com"), auth.CreateUser(t, "Bob", "bob@example.com")
	serve(t, router, get("/me"), 401, "")
	serve(t, router, auth.ActingAs(t, get("/me"), alice), 200, "Alice")
	serve(t, router, auth.ActingAs(t, get("/me"), bob), 200, "Bob")
	serve(t, router, get("https://app.test/me"), 401, "")
	serve(t, router, auth.ActingAs(t, get("https://app.test/me"), alice), 200, "Alice")

	// The session behaves like any other.
	r := auth.ActingAs(t, get("/me"), alice)
	serve(t, router, auth.ActingAs(t, r.Clone(t.Context()), bob), 200, "Bob")
	serve(t, router, r, 401, "") // this id was replaced at Bob's login
	r = auth.ActingAs(t, get("/me"), alice)
	auth.Clock.Advance(3 * time.Hour)
	serve(t, router, r, 401, "")
	r = auth.ActingAs(t, get("/me"), alice)
	out := httptest.NewRequest(http.MethodPost, "/logout", nil)
	out.Header.Set("Cookie", r.Header.Get("Cookie"))
	serve(t, router, out, 200, "")
	serve(t, router, r, 401, "")
	r = auth.ActingAs(t, get("/me"), alice)
	auth.Users.Update(alice.AuthID(), func(u *models.User) { now := auth.Clock.Now(); u.DisabledAt = &now })
	serve(t, router, r, 401, "")
}

// TestActingWithFactor acts as a user who has a second factor, by a session and by a token.
func TestActingWithFactor(t *testing.T) {
	codes := totp.New(totp.Options{})
	auth := ginauthtest.New(t, func(c *ginauth.Config) { c.Features = []ginauth.Feature{codes} })
	router := newRouter(auth.Manager)
	router.GET("/strong", auth.Auth("web", "api"), auth.RequireLevel(factor.LevelTwo, time.Minute), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		c.String(http.StatusOK, u.Name)
	})
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	serve(t, router, auth.ActingAs(t, get("/strong"), alice), 403, "")
	if err := codes.Import(t.Context(), "web", alice.AuthID(), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"); err != nil {
		t.Fatal(err)
	}
	for _, guard := range []string{"web", "api"} {
		r := auth.ActingWithFactor(t, get("/strong"), alice, guard)
		serve(t, router, r, 200, "Alice")
		auth.Clock.Advance(time.Minute)
		serve(t, router, r, 403, "")
	}
}

func TestActingAsKeepsSessionValues(t *testing.T) {
	auth := ginauthtest.New(t)
	router := newRouter(auth.Manager)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	w := serve(t, router, httptest.NewRequest(http.MethodPost, "/set", nil), 200, "")
	r := get("/cart")
	r.AddCookie(w.Result().Cookies()[0])
	r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	serve(t, router, auth.ActingAs(t, r, alice), 200, "full")
	if c, err := r.Cookie("theme"); err != nil || c.Value != "dark" || len(r.Cookies()) != 2 {
		t.Errorf("cookies %v", r.Cookies())
	}
}

func TestActingAsWithTwoGuards(t *testing.T) {
	staff := new(ginauthtest.Users)
	auth := ginauthtest.New(t, func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
	})
	router := newRouter2(auth.Manager)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	boss := &models.User{Name: "Boss", Email: "boss@example.com"}
	if err := staff.CreateUser(t.Context(), boss); err != nil {
		t.Fatal(err)
	}
	serve(t, router, auth.ActingAs(t, get("/staff"), alice), 401, "")
	serve(t, router, auth.ActingAs(t, get("/me"), boss, "staff"), 401, "")
	r := auth.ActingAs(t, auth.ActingAs(t, get("/both"), alice), boss, "staff")
	serve(t, router, r, 200, "Alice and Boss")
}

func TestActingWithTokens(t *testing.T) {
	auth := ginauthtest.New(t)
	router := newRouter(auth.Manager)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	serve(t, router, auth.ActingWithJWT(t, get("/api/me"), alice), 200, "Alice")
	serve(t, router, auth.ActingAs(t, get("/api/me"), alice, "api"), 200, "Alice")
	serve(t, router, auth.ActingAs(t, get("/api/me"), alice), 401, "")
	serve(t, router, auth.ActingWithToken(t, get("/posts"), alice, "posts:read"), 200, "Alice")
	serve(t, router, auth.ActingWithToken(t, get("/posts"), alice, "*"), 200, "Alice")
	serve(t, router, auth.ActingWithToken(t, get("/posts"), alice, "posts:write"), 403, "")
	serve(t, router, auth.ActingWithToken(t, get("/posts"), alice), 403, "")

	r := auth.ActingWithJWT(t, get("/api/me"), alice)
	auth.Clock.Advance(16 * time.Minute)
	serve(t, router, r, 401, "")
	r = auth.ActingWithToken(t, get("/posts"), alice, "*")
	if err := auth.RevokeTokens(t.Context(), "token", alice.AuthID()); err != nil {
		t.Fatal(err)
	}
	serve(t, router, r, 401, "")
}

func TestWithPassword(t *testing.T) {
	auth := ginauthtest.New(t)
	router := newRouter(auth.Manager)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	serve(t, router, auth.ActingAs(t, get("/sudo"), alice), 403, "")
	r := auth.WithPassword(t, auth.ActingAs(t, get("/sudo"), alice), ginauthtest.Password)
	serve(t, router, r, 200, "Alice")
	auth.Clock.Advance(15 * time.Minute)
	serve(t, router, r, 403, "")
	fails(t, "password is incorrect", func(ft testing.TB) { auth.WithPassword(ft, auth.ActingAs(t, get("/sudo"), alice), "wrong") })
	fails(t, "not authenticated", func(ft testing.TB) { auth.WithPassword(ft, get("/sudo"), ginauthtest.Password) })
}

func TestLogIn(t *testing.T) {
	auth := ginauthtest.New(t)
	alice, bob := auth.CreateUser(t, "Alice", "alice@example.com"), auth.CreateUser(t, "Bob", "bob@example.com")
	for name, start := range map[string]func(http.Handler) *httptest.Server{
		"plain": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			server := start(newRouter(auth.Manager))
			defer server.Close()
			client := server.Client()
			fetch := func(c *http.Client, path string, status int, body string) {
				t.Helper()
				res, err := c.Get(server.URL + path)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got := new(strings.Builder)
				_ = res.Write(got)
				if res.StatusCode != status || !strings.Contains(got.String(), body) {
					t.Errorf("%s: %s", path, got)
				}
			}
			fetch(client, "/me", 401, "")
			auth.LogIn(t, client, server.URL, alice)
			fetch(client, "/me", 200, "Alice")
			if res, err := client.Post(server.URL+"/set", "", nil); err != nil || res.Body.Close() != nil {
				t.Fatal(err)
			}
			fetch(client, "/cart", 200, "full")
			auth.LogIn(t, client, server.URL, bob)
			fetch(client, "/me", 200, "Bob")
			if res, err := client.Post(server.URL+"/logout", "", nil); err != nil || res.Body.Close() != nil {
				t.Fatal(err)
			}
			fetch(client, "/me", 401, "")

			// Requests for a client work too.
			r, err := http.NewRequest(http.MethodGet, server.URL+"/me", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := server.Client().Do(auth.ActingAs(t, r, alice))
			if err != nil || res.StatusCode != 200 || res.Body.Close() != nil {
				t.Errorf("%v %v", res, err)
			}
			fails(t, "issues tokens", func(ft testing.TB) { auth.LogIn(ft, client, server.URL, alice, "api") })
			fails(t, "LogIn", func(ft testing.TB) { auth.LogIn(ft, client, "http://[", alice) })
		})
	}
}

func TestActingFailsForUnusableUserOrGuard(t *testing.T) {
	auth := ginauthtest.New(t)
	now := auth.Clock.Now()
	off := auth.CreateUser(t, "Off", "off@example.com", func(u *models.User) { u.DisabledAt = &now })
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	fails(t, "ActingAs: ", func(ft testing.TB) { auth.ActingAs(ft, get("/me"), off) })
	fails(t, "ActingAs: ", func(ft testing.TB) { auth.ActingAs(ft, get("/me"), &models.User{}) })
	fails(t, "ActingAs: ", func(ft testing.TB) { auth.ActingAs(ft, get("/me"), nil) })
	fails(t, "unsupported", func(ft testing.TB) { auth.ActingAs(ft, get("/me"), alice, "token") })
	fails(t, "issues no access tokens", func(ft testing.TB) { auth.ActingWithJWT(ft, get("/me"), alice, "web") })
	fails(t, "ActingWithToken: ", func(ft testing.TB) { auth.ActingWithToken(ft, get("/me"), off, "a") })
	fails(t, "abilities", func(ft testing.TB) { auth.ActingWithToken(ft, get("/me"), alice, "two words") })
}

func TestActingRecordsNoEvents(t *testing.T) {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	auth.WithPassword(t, auth.ActingAs(t, get("/me"), alice), ginauthtest.Password)
	auth.ActingWithJWT(t, get("/me"), alice)
	auth.ActingWithToken(t, get("/me"), alice)
	if all := auth.Events.All(); len(all) != 0 {
		t.Errorf("events %v", all)
	}
	if _, err := auth.CreateToken(t.Context(), "token", alice, ginauth.TokenSpec{Name: "mine"}); err != nil {
		t.Fatal(err)
	}
	ginauthtest.AssertCount[events.TokenCreated](t, auth.Events, 1)
}
