package ginauth_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestTokenLoginEndsWithLogout(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		p := a.IssueTokens(testapp.Alice)
		if p.TokenType != "Bearer" || p.ExpiresIn != 900 {
			t.Errorf("%+v", p)
		}
		alice := a.Bearer(p.AccessToken)
		if name := alice.Get("/api/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("the token is %q's", name)
		}
		a.Client().Get("/api/me").Want401(t)
		next := a.Refresh(p.RefreshToken).Tokens(t)
		if next.RefreshToken == p.RefreshToken || next.AccessToken == p.AccessToken {
			t.Error("a token came back unchanged")
		}
		a.Bearer(next.AccessToken).Get("/api/me").Want(t, 200)
		alice.Post("/api/logout", nil).Want(t, 204)
		alice.Get("/api/me").WantBadToken(t)
		a.Bearer(next.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(next.RefreshToken).Want(t, 401)
		if n := len(testapp.EventsOf[events.Login](a)); n != 1 {
			t.Errorf("%d Login events", n)
		}
	})
}

func TestTokenLoginIsThrottledWithSessionLogin(t *testing.T) { // E01, T08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		wrong := a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, "wrong")).Want(t, 401)
		nobody := a.Client().Post("/api/login", testapp.Credentials("nobody@example.com", "wrong")).Want(t, 401)
		if wrong.Text != nobody.Text {
			t.Errorf("%s and %s", wrong.Text, nobody.Text)
		}
		// The doors of both guards share one count: four are left.
		for range 2 {
			a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
			a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, "wrong")).Want(t, 401)
		}
		a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 429)
	})
}

func TestBearerTokenComesInOneHeader(t *testing.T) { // J13
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		token := a.IssueTokens(testapp.Alice).AccessToken
		get := func(path string, header ...string) *testapp.Response {
			c := a.Client()
			c.Header["Authorization"] = header
			return c.Get(path)
		}
		get("/api/me", "Bearer "+token).Want(t, 200)
		get("/api/me", "bearer "+token).Want(t, 200)
		get("/api/me", "BEARER "+token).Want(t, 200)
		for _, header := range [][]string{
			{"Bearer"}, {"Bearer "}, {"Bearer  " + token}, {"Bearer\t" + token}, {"Bearer " + token + " b"}, {"Bearer a " + token},
			{token}, {"Token " + token}, {"Bearer " + token, "Bearer " + token}, {"Basic eDp5", "Bearer " + token}, {"Bearer " + token + ","},
		} {
			get("/api/me", header...).Want401(t)
		}
		get("/api/me?token=" + token + "&access_token=" + token).Want401(t)
		c := a.Client()
		c.Cookies["token"], c.Cookies["access_token"] = token, token
		c.Get("/api/me").Want401(t)
		if got := a.Client().Get("/api/me").Header.Get("WWW-Authenticate"); got != "Bearer" {
			t.Errorf("challenge without a token %q", got)
		}
	})
}

func TestTokenSourceCanBeAnotherHeader(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.JWT.Source = func(r *http.Request) string { return r.Header.Get("X-Token") }
	}))
	token := a.IssueTokens(testapp.Alice).AccessToken
	c := a.Client()
	c.Header.Set("X-Token", token)
	c.Get("/api/me").Want(t, 200)
	a.Bearer(token).Get("/api/me").Want401(t)
}

func TestFirstNamedGuardDecidesBetweenCookieAndBearer(t *testing.T) { // J18
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		bob := a.LoggedIn(testapp.Bob)
		bob.Header.Set("Authorization", "Bearer "+a.IssueTokens(testapp.Alice).AccessToken)
		if name := bob.Get("/any/me").Want(t, 200).UserName(t); name != "Bob" {
			t.Errorf("%s wins over the guard named first", name)
		}
		if name := bob.Get("/bearer/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("%s is the bearer", name)
		}
		personal := a.LoggedIn(testapp.Alice).Personal("read")
		bob.Header.Set("Authorization", "Bearer "+personal.Text)
		bob.Get("/ability/read").Want(t, 403) // the cookie decided, and it has no abilities
		bob.Header.Set("Sec-Fetch-Site", "cross-site")
		bob.Do("DELETE", "/tokens/"+personal.ID, "", "").Want(t, 403)
	})
}

func TestAccessTokenEndsWithItsLogin(t *testing.T) { // S17, J15, P12, R06
	for name, end := range map[string]func(a *testapp.App){
		"disabled": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		},
		"password changed": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another" })
		},
		"expired": func(a *testapp.App) { a.Clock.Advance(15*time.Minute + 10*time.Second) },
		"all tokens ended": func(a *testapp.App) {
			if err := a.RevokeTokens(context.Background(), "api", a.Alice.AuthID()); err != nil {
				a.Error(err)
			}
		},
		"signed out everywhere": func(a *testapp.App) {
			if _, err := a.Backend.Set.Tokens.RevokeOwner(context.Background(), a.Clock.Now(), "users:"+a.Alice.AuthID(), "", stores.Refresh); err != nil {
				a.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := testapp.New(t, b)
				alice, bob := a.IssueTokens(testapp.Alice), a.IssueTokens(testapp.Bob)
				a.Bearer(alice.AccessToken).Get("/api/me").Want(t, 200)
				end(a)
				a.Bearer(alice.AccessToken).Get("/api/me").WantBadToken(t)
				if name != "expired" {
					a.Refresh(alice.RefreshToken).Want(t, 401)
					a.Bearer(bob.AccessToken).Get("/api/me").Want(t, 200)
				}
			})
		})
	}
}

func TestTokensEndWithTheSecurityStamp(t *testing.T) { // EXP-09
	b := testapp.Memory(t)
	a := testapp.New(t, b)
	p := a.IssueTokens(testapp.Alice)
	b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "changed while the password was hashed" })
	a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
	a.Refresh(p.RefreshToken).Want(t, 401)
}

func TestOwnClaimsAreReadAfreshAtRefresh(t *testing.T) { // J19
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		role := "admin"
		type roles struct {
			Role string `json:"role"`
		}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.JWT.Claims = func(_ context.Context, u models.Authenticatable) (any, error) { return roles{role}, nil }
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/role", a.Auth("web", "api"), func(c *gin.Context) {
				claims, ok := ginauth.Claims[roles](c)
				c.JSON(200, []any{claims.Role, ok})
			})
		}))
		p := a.IssueTokens(testapp.Alice)
		if got := a.Bearer(p.AccessToken).Get("/role").Want(t, 200).Text; got != `["admin",true]` {
			t.Error(got)
		}
		if got := a.LoggedIn(testapp.Alice).Get("/role").Want(t, 200).Text; got != `["",false]` {
			t.Errorf("a session has claims: %s", got)
		}
		role = "user" // read afresh at the next refresh
		if got := a.Bearer(a.Refresh(p.RefreshToken).Tokens(t).AccessToken).Get("/role").Text; got != `["user",true]` {
			t.Error(got)
		}
	})
}
