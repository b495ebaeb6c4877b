package testapp

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
)

// PasswordForm is what the routes of accounts read: the password that a user has,
// and the next one. To confirm one, it is in Password.
type PasswordForm struct {
	Current  string `json:"current"`
	Password string `json:"password"`
}

// Passwords returns the body of a change of password. To confirm one, it is the
// second.
func Passwords(current, password string) PasswordForm { return PasswordForm{current, password} }

// mountAccounts adds the routes of accounts to those of the guard "web". The
// routes for users are also for users by token, where there are such guards.
//
//	POST /remember                           log in and be remembered
//	GET  /via                                whether the cookie for that was used
//	GET  /sudo /sudo-token                   behind a confirmed password
//	POST /confirm /password /logout-others   read a PasswordForm
//	POST /email, GET /confirm-email/:token   change the address to ?to=
//	GET  /devices, DELETE /devices/:id
//	POST /register /forgot /reset            for guests
//	POST /verify/resend, GET /verify-email/:id/:hash
func mountAccounts(a *App, r *gin.Engine, guards []string) {
	users := a.Auth(guards...)
	passwords := func(f func(*gin.Context, *ginauth.Authenticator, PasswordForm)) gin.HandlerFunc {
		return func(c *gin.Context) {
			if in, ok := Decode[PasswordForm](c); ok {
				f(c, ginauth.From(c), in)
			}
		}
	}
	r.POST("/remember", func(c *gin.Context) {
		if _, ok := Attempt(c, ginauth.From(c), ginauth.Remember()); ok {
			c.Status(204)
		}
	})
	r.GET("/via", a.Auth("web"), func(c *gin.Context) { c.JSON(200, ginauth.From(c).ViaRemember(c.Request.Context())) })
	r.GET("/sudo", users, a.ConfirmPassword(), Me)
	r.POST("/confirm", users, passwords(func(c *gin.Context, auth *ginauth.Authenticator, in PasswordForm) {
		Answer(c, nil, auth.ConfirmPassword(c.Request.Context(), in.Password))
	}))
	r.POST("/password", users, passwords(func(c *gin.Context, auth *ginauth.Authenticator, in PasswordForm) {
		res, err := auth.ChangePassword(c.Request.Context(), in.Current, in.Password)
		Answer(c, res, err)
	}))
	r.POST("/logout-others", users, passwords(func(c *gin.Context, auth *ginauth.Authenticator, in PasswordForm) {
		res, err := auth.LogoutOtherDevices(c.Request.Context(), in.Password)
		Answer(c, res, err)
	}))
	r.POST("/email", users, func(c *gin.Context) {
		Answer(c, nil, ginauth.From(c).RequestEmailChange(c.Request.Context(), c.Query("to")))
	})
	r.GET("/confirm-email/:token", func(c *gin.Context) {
		Answer(c, nil, ginauth.From(c).ConfirmEmail(c.Request.Context(), c.Param("token")))
	})
	r.GET("/devices", users, func(c *gin.Context) {
		devices, err := ginauth.From(c).Devices(c.Request.Context())
		show(c, 200, devices, err)
	})
	r.DELETE("/devices/:id", users, func(c *gin.Context) {
		Answer(c, nil, ginauth.From(c).RevokeDevice(c.Request.Context(), c.Param("id")))
	})
	mountGuests(a, r)
}

// mountGuests adds the routes of accounts that need no login.
func mountGuests(a *App, r *gin.Engine) {
	r.POST("/register", func(c *gin.Context) {
		if in, ok := Decode[struct{ Name, Email, Password string }](c); ok {
			u, err := a.Register(ginauth.From(c).EventContext(c.Request.Context()), ginauth.Registration{Name: in.Name, Email: in.Email, Password: in.Password})
			show(c, http.StatusCreated, u, err)
		}
	})
	r.POST("/forgot", func(c *gin.Context) {
		if in, ok := Decode[struct{ Email string }](c); ok {
			Answer(c, nil, a.Broker("web").SendResetLink(ginauth.From(c).EventContext(c.Request.Context()), in.Email))
		}
	})
	r.POST("/reset", func(c *gin.Context) {
		if in, ok := Decode[ginauth.PasswordReset](c); ok {
			Answer(c, nil, a.Broker("web").Reset(ginauth.From(c).EventContext(c.Request.Context()), in))
		}
	})
	r.POST("/verify/resend", func(c *gin.Context) {
		if in, ok := Decode[struct{ Email string }](c); ok {
			Answer(c, nil, a.ResendVerification(ginauth.From(c).EventContext(c.Request.Context()), in.Email))
		}
	})
	r.GET("/verify-email/:id/:hash", func(c *gin.Context) {
		_, err := a.VerifyEmail(ginauth.From(c).EventContext(c.Request.Context()), c.Request.URL)
		Answer(c, nil, err)
	})
}

// Confirm confirms the password of the client's user.
func (c *Client) Confirm(password string) *Response {
	c.t.Helper()
	return c.Post("/confirm", Passwords("", password))
}

// Devices lists what is logged in.
func (c *Client) Devices() []ginauth.Device {
	c.t.Helper()
	var devices []ginauth.Device
	c.Get("/devices").Want(c.t, 200).JSON(c.t, &devices)
	return devices
}

// Device returns the one device of a kind.
func (c *Client) Device(kind string) ginauth.Device {
	c.t.Helper()
	var found []ginauth.Device
	for _, d := range c.Devices() {
		if d.Kind == kind {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		c.t.Fatalf("%d devices of kind %q", len(found), kind)
	}
	return found[0]
}

// OwnSession returns the client's session among its user's devices.
func (c *Client) OwnSession() ginauth.Device {
	c.t.Helper()
	devices := c.Devices()
	i := slices.IndexFunc(devices, func(d ginauth.Device) bool { return d.Current && d.Kind == "session" })
	if i < 0 {
		c.t.Fatalf("no session is current: %+v", devices)
	}
	return devices[i]
}

// ChangeEmail changes the address of a client's user by way of a mail, whose link
// the client opens, and returns the response to that.
func (a *App) ChangeEmail(c *Client, email string) *Response {
	a.Helper()
	c.Post("/email?to="+email, nil).Want(a, 204)
	return c.Get(a.Outbox.Path(a, mail.EmailChange))
}

// ResetToken asks for a link to choose another password and returns its token.
func (a *App) ResetToken(email string) string {
	a.Helper()
	if err := a.Broker("web").SendResetLink(a.Context(), email); err != nil {
		a.Fatal(err)
	}
	return TokenOf(a, PathOf(a, a.Outbox.Await(a, mail.ResetPassword)))
}

// TokenOf returns the token of a link to choose a password.
func TokenOf(t testing.TB, link string) string {
	t.Helper()
	_, token, ok := strings.Cut(link, "&token=")
	if !ok {
		t.Fatalf("link %q", link)
	}
	return token
}

// Reset resets a password.
func (a *App) Reset(email, token, password string) error {
	return a.Broker("web").Reset(a.Context(), ginauth.PasswordReset{Email: email, Token: token, Password: password})
}
