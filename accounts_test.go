package ginauth_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/models"
)

// What tests of accounts share: an application whose users change what they log
// in with, see what is logged in, and are remembered.

const (
	rememberCookie = sessionCookie + "_remember_web"
	deviceCookie   = sessionCookie + "_device"
	firefox        = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	nextPass       = "another horse, another battery"
)

func (p *memoryUsers) changeIf(id string, f func(*models.User) bool) models.Authenticatable {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.byID[id]
	if !ok || !f(&u) {
		return nil
	}
	p.byID[id] = u
	return &u
}

func (p *memoryUsers) ChangeStamp(ctx context.Context, id, oldStamp, newStamp string) (models.Authenticatable, error) {
	return p.changeIf(id, func(u *models.User) bool {
		same := u.SecurityStamp == oldStamp
		u.SecurityStamp = newStamp
		return same
	}), ctx.Err()
}

func (p *memoryUsers) VerifyEmail(ctx context.Context, id, email string, at time.Time) (bool, error) {
	return p.changeIf(id, func(u *models.User) bool {
		first := u.Email == email && u.EmailVerifiedAt == nil
		u.EmailVerifiedAt = &at
		return first
	}) != nil, ctx.Err()
}

func (p *memoryUsers) ChangeEmail(
	ctx context.Context, id, oldStamp, email, newStamp string, at time.Time,
) (models.Authenticatable, error) {
	canonical, err := canon.Identifier(email)
	if err != nil {
		return nil, err
	}
	taken := false
	u := p.changeIf(id, func(u *models.User) bool {
		for other, v := range p.byID {
			taken = taken || other != id && v.EmailCanonical == canonical
		}
		same := u.SecurityStamp == oldStamp
		u.Email, u.EmailCanonical, u.EmailVerifiedAt, u.SecurityStamp = email, canonical, &at, newStamp
		return same && !taken
	})
	if taken {
		return nil, models.ErrTaken
	}
	return u, ctx.Err()
}

// accounts starts an application with the routes of accountRoutes and
// tokenRoutes, and returns the mailbox of its users.
func accounts(t *testing.T, b *backend, configure ...func(*ginauth.Config)) (*app, *ginauthtest.Mailbox) {
	t.Helper()
	box := new(ginauthtest.Mailbox)
	return newApp(t, b, func(c *ginauth.Config) {
		c.Mail = ginauth.MailConfig{Mailer: box, BaseURL: "https://app.example"}
		for _, f := range configure {
			f(c)
		}
	}, accountRoutes), box
}

// answer writes what a method returned.
func answer(c *gin.Context, res *ginauth.LoginResult, err error) {
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case res != nil && res.Tokens != nil:
		c.JSON(200, res.Tokens)
	default:
		c.Status(204)
	}
}

// passwordForm is what the routes of accounts read.
type passwordForm struct{ Current, Password string }

func accountRoutes(a *app, r *gin.Engine) {
	tokenRoutes(a, r)
	withForm := func(f func(*gin.Context, *ginauth.Authenticator, passwordForm)) gin.HandlerFunc {
		return func(c *gin.Context) {
			var in passwordForm
			if err := ginauth.DecodeJSON(c, &in); err != nil {
				ginauth.Abort(c, err)
				return
			}
			f(c, ginauth.From(c), in)
		}
	}
	anybody := a.m.Auth("web", "api", "token")
	r.POST("/remember", func(c *gin.Context) {
		var in loginForm
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		_, err := ginauth.From(c).Attempt(c.Request.Context(),
			ginauth.Credentials{"email": in.Email, "password": in.Password}, ginauth.Remember())
		answer(c, nil, err)
	})
	r.GET("/via", a.m.Auth(), func(c *gin.Context) { c.JSON(200, ginauth.From(c).ViaRemember(c.Request.Context())) })
	r.GET("/sudo", anybody, a.m.ConfirmPassword(), me)
	r.GET("/sudo-token", a.m.Auth("token"), a.m.ConfirmPassword(), me)
	r.POST("/confirm", anybody, withForm(func(c *gin.Context, auth *ginauth.Authenticator, in passwordForm) {
		answer(c, nil, auth.ConfirmPassword(c.Request.Context(), in.Password))
	}))
	r.POST("/password", anybody, withForm(func(c *gin.Context, auth *ginauth.Authenticator, in passwordForm) {
		res, err := auth.ChangePassword(c.Request.Context(), in.Current, in.Password)
		answer(c, res, err)
	}))
	r.POST("/logout-others", anybody, withForm(func(c *gin.Context, auth *ginauth.Authenticator, in passwordForm) {
		res, err := auth.LogoutOtherDevices(c.Request.Context(), in.Password)
		answer(c, res, err)
	}))
	r.POST("/email", anybody, func(c *gin.Context) {
		answer(c, nil, ginauth.From(c).RequestEmailChange(c.Request.Context(), c.Query("to")))
	})
	r.GET("/confirm-email/:token", func(c *gin.Context) {
		answer(c, nil, ginauth.From(c).ConfirmEmail(c.Request.Context(), c.Param("token")))
	})
	r.GET("/devices", anybody, func(c *gin.Context) {
		devices, err := ginauth.From(c).Devices(c.Request.Context())
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, devices)
	})
	r.DELETE("/devices/:id", anybody, func(c *gin.Context) {
		answer(c, nil, ginauth.From(c).RevokeDevice(c.Request.Context(), c.Param("id")))
	})
}

// remembered returns a client that is logged in and remembered.
func (a *app) remembered(email string) *client {
	a.Helper()
	c := a.client()
	c.post("/remember", loginForm{email, goodPass}).want(a.T, 204)
	if c.cookies[rememberCookie] == "" {
		a.Fatal("the device is not remembered")
	}
	return c
}

// only returns a client that has one of the cookies of c, and no other.
func (c *client) only(name string) *client {
	other := c.a.client()
	other.cookies[name] = c.cookies[name]
	return other
}

// withRemember returns a client that has this remember-me cookie, and no other.
func (a *app) withRemember(value string) *client { return a.withCookie(rememberCookie, value) }

// as sets the client's User-Agent header.
func (c *client) as(userAgent string) *client { c.header.Set("User-Agent", userAgent); return c }

// devices lists what is logged in.
func (c *client) devices() []ginauth.Device {
	c.a.Helper()
	var devices []ginauth.Device
	if err := json.Unmarshal([]byte(c.get("/devices").want(c.a.T, 200).body), &devices); err != nil {
		c.a.Fatal(err)
	}
	return devices
}

// device returns the one device of a kind.
func (c *client) device(kind string) ginauth.Device {
	c.a.Helper()
	var found []ginauth.Device
	for _, d := range c.devices() {
		if d.Kind == kind {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		c.a.Fatalf("%d devices of kind %q", len(found), kind)
	}
	return found[0]
}

// outages are the ways in which a store fails. To hang takes its time.
func outages(b *backend) []fault {
	if testing.Short() && b.name != "memory" {
		return []fault{faultRefuse, faultCorrupt}
	}
	return []fault{faultRefuse, faultHang, faultCorrupt}
}

// newStamp gives a user another security stamp.
func (a *app) newStamp(u *models.User) {
	a.b.users.change(u.AuthID(), func(u *models.User) { u.SecurityStamp += "'" })
}

// disable disables a user.
func (a *app) disable(u *models.User) {
	now := a.clock.Now()
	a.b.users.change(u.AuthID(), func(u *models.User) { u.DisabledAt = &now })
}

// moveTo changes the address of a client's user by way of a mail, whose link c
// opens, and returns the answer.
func (c *client) moveTo(email string, box *ginauthtest.Mailbox) *response {
	c.a.Helper()
	c.post("/email?to="+email, nil).want(c.a.T, 204)
	return c.get(linkPath(c.a, box))
}
