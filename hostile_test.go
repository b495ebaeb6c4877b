package ginauth_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// heldRoutes let a request wait between its authentication and its work, as one
// does whose body comes in slowly.
func heldRoutes(arrived, proceed chan struct{}) func(*testapp.App, *gin.Engine) {
	return func(a *testapp.App, r *gin.Engine) {
		hold := func(work func(c *gin.Context, u *ginauth.Authenticator) error) gin.HandlerFunc {
			return func(c *gin.Context) {
				if !ginauth.From(c).Check(c.Request.Context()) {
					c.Status(401)
					return
				}
				arrived <- struct{}{}
				<-proceed
				if err := work(c, ginauth.From(c)); err != nil {
					ginauth.Abort(c, err)
					return
				}
				c.Status(204)
			}
		}
		r.POST("/held/password", a.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.ChangePassword(c.Request.Context(), testapp.Password, "another long password of mine")
			return err
		}))
		r.POST("/held/token", a.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.CreateToken(c.Request.Context(), ginauth.TokenSpec{Name: "late"})
			return err
		}))
		r.POST("/held/others", a.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.LogoutOtherDevices(c.Request.Context(), testapp.Password)
			return err
		}))
	}
}

// TestSlowRequestsOutliveNothing ends a user's logins while requests that were
// authenticated before are still coming in.
func TestSlowRequestsOutliveNothing(t *testing.T) { // S06, P12, EXP-09
	ends := map[string]func(a *testapp.App){
		"revoked": func(a *testapp.App) { _ = a.RevokeUser(context.Background(), "web", a.Alice.AuthID()) },
		"disabled": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		},
		"reset": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another" })
		},
	}
	for name, end := range ends {
		for _, path := range []string{"/held/password", "/held/token", "/held/others"} {
			t.Run(name+path[5:], func(t *testing.T) {
				testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
					arrived, proceed := make(chan struct{}), make(chan struct{})
					a := testapp.New(t, b, testapp.Routes(heldRoutes(arrived, proceed)))
					c := a.LoggedIn(testapp.Alice)
					done := make(chan *testapp.Response)
					go func() {
						res, err := c.Try(context.Background(), "POST", path, "", "")
						if err != nil {
							t.Error(err)
						}
						done <- res
					}()
					<-arrived
					end(a)
					close(proceed)
					if res := <-done; res.StatusCode != 401 {
						t.Errorf("status %d %s", res.StatusCode, res.Text)
					}
					c.Get("/me").Want401(t)
					tokens, err := b.Set.Tokens.TokensOf(context.Background(), "users:"+a.Alice.AuthID())
					if err != nil || len(tokens) != 0 {
						t.Errorf("%d tokens live, error %v", len(tokens), err)
					}
				})
			})
		}
	}
}

func TestTokensAreOfOneGuard(t *testing.T) { // J10, S19
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{
				"web": {}, "api": {New: ginauth.JWTGuard}, "admin": {New: ginauth.JWTGuard}, "token": {New: ginauth.TokenGuard},
			}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/admin/me", a.Auth("admin"), testapp.Me)
			r.POST("/admin/refresh/:token", func(c *gin.Context) {
				_, err := ginauth.From(c).Guard("admin").Refresh(c.Request.Context(), c.Param("token"))
				c.Status(ginauth.StatusOf(err))
			})
		}))
		p := a.IssueTokens(testapp.Alice)
		a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
		a.Bearer(p.AccessToken).Get("/admin/me").WantBadToken(t)
		a.Client().Post("/admin/refresh/"+p.RefreshToken, nil).Want(t, 401)
		a.Refresh(p.RefreshToken).Tokens(t)
	})
}

func TestTokensHaveALimit(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	for i := range 100 {
		c.Post("/tokens", ginauth.TokenSpec{Name: fmt.Sprint(i)}).Want(t, 201)
	}
	c.Post("/tokens", ginauth.TokenSpec{Name: "one more"}).Want(t, 422)
	a.LoggedIn(testapp.Bob).Post("/tokens", ginauth.TokenSpec{Name: "bob's"}).Want(t, 201)
}

func TestBasicFromAnotherSite(t *testing.T) { // X01
	a := testapp.New(t, testapp.Memory(t))
	r := gin.New()
	r.POST("/only", a.Basic(), testapp.Me)
	a.Serve(r)
	c := a.BasicAuth(testapp.Alice, testapp.Password)
	c.Post("/only", nil).Want(t, 200)
	c.Header.Set("Sec-Fetch-Site", "cross-site")
	c.Post("/only", nil).Want(t, 403)
}

// TestConfirmOnlyOwnSession confirms a password by one user's credentials in a
// request with another's session.
func TestConfirmOnlyOwnSession(t *testing.T) { // M05
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/confirm-by-basic", a.Basic(), func(c *gin.Context) {
			if err := ginauth.From(c).ConfirmPassword(c.Request.Context(), testapp.Password); err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.Status(204)
		})
	}))
	alice := a.LoggedIn(testapp.Alice)
	a.Clock.Advance(16 * time.Minute)
	alice.Get("/sudo").Want(t, 403)
	alice.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(testapp.Bob+":"+testapp.Password)))
	alice.Post("/confirm-by-basic", nil).Want(t, 401)
	alice.Header.Del("Authorization")
	alice.Get("/sudo").Want(t, 403)
}

func TestHiddenAccountsTellNothingAtLogin(t *testing.T) { // E01, E06
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Account.HideAccountExistence = true
	}))
	right, wrong := a.Client().LogIn(testapp.Bob, testapp.Password), a.Client().LogIn(testapp.Bob, "wrong") // Bob's address is not verified
	if right.StatusCode != 401 || right.Text != wrong.Text {
		t.Errorf("%d %s and %d %s", right.StatusCode, right.Text, wrong.StatusCode, wrong.Text)
	}
	a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
}
