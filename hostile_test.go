package ginauth_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// heldRoutes let a request wait between its authentication and its work, as one
// does whose body comes in slowly.
func heldRoutes(arrived, proceed chan struct{}) func(*app, *gin.Engine) {
	return func(a *app, r *gin.Engine) {
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
		r.POST("/held/password", a.m.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.ChangePassword(c.Request.Context(), goodPass, "another long password of mine")
			return err
		}))
		r.POST("/held/token", a.m.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.CreateToken(c.Request.Context(), ginauth.TokenSpec{Name: "late"})
			return err
		}))
		r.POST("/held/others", a.m.Auth(), hold(func(c *gin.Context, u *ginauth.Authenticator) error {
			_, err := u.LogoutOtherDevices(c.Request.Context(), goodPass)
			return err
		}))
	}
}

// TestSlowRequestsOutliveNothing ends a user's logins while requests that were
// authenticated before are still coming in.
func TestSlowRequestsOutliveNothing(t *testing.T) { // S06, P12, EXP-09
	ends := map[string]func(a *app){
		"revoked": func(a *app) { _ = a.m.RevokeUser(context.Background(), "web", a.alice.AuthID()) },
		"disabled": func(a *app) {
			a.b.users.change(a.alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		},
		"reset": func(a *app) { a.b.users.change(a.alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another" }) },
	}
	for name, end := range ends {
		for _, path := range []string{"/held/password", "/held/token", "/held/others"} {
			t.Run(name+path[5:], func(t *testing.T) {
				eachBackend(t, func(t *testing.T, b *backend) {
					arrived, proceed := make(chan struct{}), make(chan struct{})
					a := newApp(t, b, nil, heldRoutes(arrived, proceed))
					c := a.loggedIn(aliceEmail)
					done := make(chan *response)
					go func() {
						res, err := c.try(context.Background(), "POST", path, "", "")
						if err != nil {
							t.Error(err)
						}
						done <- res
					}()
					<-arrived
					end(a)
					close(proceed)
					if res := <-done; res.StatusCode != 401 {
						t.Errorf("status %d %s", res.StatusCode, res.body)
					}
					c.get("/me").is401(t)
					tokens, err := b.set.Tokens.TokensOf(context.Background(), "users:"+a.alice.AuthID())
					if err != nil || len(tokens) != 0 {
						t.Errorf("%d tokens live, error %v", len(tokens), err)
					}
				})
			})
		}
	}
}

func TestTokensAreOfOneGuard(t *testing.T) { // J10, S19
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{
				"web": {}, "api": {New: ginauth.JWTGuard}, "admin": {New: ginauth.JWTGuard}, "token": {New: ginauth.TokenGuard},
			}
		}, func(a *app, r *gin.Engine) {
			tokenRoutes(a, r)
			r.GET("/admin/me", a.m.Auth("admin"), me)
			r.POST("/admin/refresh/:token", func(c *gin.Context) {
				_, err := ginauth.From(c).Guard("admin").Refresh(c.Request.Context(), c.Param("token"))
				c.Status(ginauth.StatusOf(err))
			})
		})
		p := a.apiLogin(aliceEmail)
		a.bearing(p.Access).get("/api/me").want(t, 200)
		a.bearing(p.Access).get("/admin/me").isBadToken(t)
		a.client().post("/admin/refresh/"+p.Refresh, nil).want(t, 401)
		a.refresh(p.Refresh).pair(t)
	})
}

func TestTokensHaveALimit(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, tokenRoutes)
	c := a.loggedIn(aliceEmail)
	for i := range 100 {
		c.post("/tokens", ginauth.TokenSpec{Name: fmt.Sprint(i)}).want(t, 201)
	}
	c.post("/tokens", ginauth.TokenSpec{Name: "one more"}).want(t, 422)
	a.loggedIn(bobEmail).post("/tokens", ginauth.TokenSpec{Name: "bob's"}).want(t, 201)
}

func TestBasicFromAnotherSite(t *testing.T) { // X01
	a := newApp(t, memoryBackend(t), nil, nil)
	r := gin.New()
	r.POST("/only", a.m.Basic(), me)
	a.srv.Config.Handler = r
	c := a.basic(aliceEmail, goodPass)
	c.post("/only", nil).want(t, 200)
	c.header.Set("Sec-Fetch-Site", "cross-site")
	c.post("/only", nil).want(t, 403)
}

// TestConfirmOnlyOwnSession confirms a password by one user's credentials in a
// request with another's session.
func TestConfirmOnlyOwnSession(t *testing.T) { // M05
	a := newApp(t, memoryBackend(t), nil, func(a *app, r *gin.Engine) {
		r.POST("/confirm", a.m.Basic(), func(c *gin.Context) {
			if err := ginauth.From(c).ConfirmPassword(c.Request.Context(), goodPass); err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.Status(204)
		})
		r.GET("/sudo", a.m.Auth(), a.m.ConfirmPassword(), me)
	})
	alice := a.loggedIn(aliceEmail)
	a.clock.advance(16 * time.Minute)
	alice.get("/sudo").want(t, 403)
	alice.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(bobEmail+":"+goodPass)))
	alice.post("/confirm", nil).want(t, 401)
	alice.header.Del("Authorization")
	alice.get("/sudo").want(t, 403)
}

func TestHiddenAccountsTellNothingAtLogin(t *testing.T) { // E01, E06
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.Account.HideAccountExistence = true
		c.Mail.Mailer, c.Mail.BaseURL = noMail{}, "https://app.example"
	}, nil)
	right, wrong := a.client().login(bobEmail, goodPass), a.client().login(bobEmail, "wrong") // Bob's address is not verified
	if right.StatusCode != 401 || right.body != wrong.body {
		t.Errorf("%d %s and %d %s", right.StatusCode, right.body, wrong.StatusCode, wrong.body)
	}
	a.client().login(aliceEmail, goodPass).want(t, 200)
}

// noMail sends nothing.
type noMail struct{}

func (noMail) Send(context.Context, mail.Message) error { return nil }
