package ginauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/models"
)

// newEnrolApp is an application in which every user must have a factor, and has none yet.
func newEnrolApp(t *testing.T, b *testapp.Backend, change ...func(*ginauth.Config)) *factorApp {
	t.Helper()
	f := new(testFactor)
	configure := func(c *ginauth.Config) {
		c.Features = append(c.Features, f)
		c.Factors.Required = func(ctx context.Context, u models.Authenticatable) bool {
			_, limited := ctx.Deadline()
			return limited && u.AuthID() != "3"
		}
		c.Pages = ginauth.PagesConfig{Login: "/login-page", EnrolFactor: "/enrol-page", APIPrefixes: []string{"/api/"}}
	}
	routes := func(a *testapp.App, r *gin.Engine) {
		mountFactors(a, r)
		enrol := r.Group("/enrol", a.AllowEnrolment(), a.Auth("web", "api"))
		enrol.GET("/me", testapp.Me)
		enrol.POST("/password", func(c *gin.Context) {
			if in, ok := testapp.Decode[testapp.PasswordForm](c); ok {
				testapp.Answer(c, nil, ginauth.From(c).ConfirmPassword(c.Request.Context(), in.Password))
			}
		})
		enrol.GET("/sudo", a.ConfirmPassword(), testapp.Me)
		enrol.POST("/factor", func(c *gin.Context) {
			f.owned.Store(true)
			res, err := ginauth.From(c).EndOtherLogins(c.Request.Context())
			testapp.Answer(c, res, err)
		})
		enrol.POST("/useless", func(c *gin.Context) {
			res, err := ginauth.From(c).EndOtherLogins(c.Request.Context())
			testapp.Answer(c, res, err)
		})
		r.POST("/enrol-logout", a.AllowEnrolment(), func(c *gin.Context) {
			testapp.Answer(c, nil, ginauth.From(c).Guard(c.Query("guard")).Logout(c.Request.Context()))
		})
		r.GET("/optional", func(c *gin.Context) {
			a := ginauth.From(c)
			ctx := c.Request.Context()
			if a.Check(ctx) || a.Guard("api").Check(ctx) || !a.Guest(ctx) {
				c.Status(200)
				return
			}
			c.Status(401)
		})
		r.GET("/late", a.Auth("web", "api"), a.AllowEnrolment(), testapp.Me)
	}
	return &factorApp{testapp.New(t, b, testapp.Configure(append([]func(*ginauth.Config){configure}, change...)...), testapp.Routes(routes)), f}
}

// wantEnrolment checks that a client can enrol and do nothing else.
func wantEnrolment(t *testing.T, c *testapp.Client) {
	t.Helper()
	own := "/me"
	if c.Header.Get("Authorization") != "" {
		own = "/api/me"
	}
	for _, path := range []string{own, "/sudo", "/devices", "/level/one", "/level/two", "/late"} {
		if r := c.Get(path).Want(t, 403); !strings.Contains(r.Text, `"factor_required"`) {
			t.Errorf("%s: %s", path, r.Text)
		}
	}
	c.Get("/optional").Want(t, 401)
	for _, path := range []string{"/password", "/logout-others", "/confirm"} {
		c.Post(path, testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 403)
	}
	c.Post("/confirm-factor", answerForm{"", "code", rightCode}).Want(t, 403)
	c.Get("/enrol/me").Want(t, 200)
}

// TestLoginThatMustEnrol can do nothing but enrol, by a session.
func TestLoginThatMustEnrol(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := newEnrolApp(t, b)
		for _, door := range doors("web") {
			t.Run(door, func(t *testing.T) {
				c := a.Client()
				r := a.through(c, door)
				if refuses := doorsOfLogins[door[strings.LastIndex(door, "/")+1:]] == "refuses"; refuses || strings.Contains(door, "Basic") && !strings.Contains(door, "Starts") {
					if r.Want(t, 403); !strings.Contains(r.Text, `"factor_required"`) {
						t.Error(r.Text)
					}
					c.Get("/enrol/me").Want(t, 401)
					return
				}
				wantEnrolment(t, c)
			})
		}
		c := a.Client()
		c.Post("/web/Attempt?remember=1", nil).Want(t, 200)
		other := a.Client()
		other.Post("/web/Attempt", nil).Want(t, 200)
		c.Header.Set("Accept", testapp.BrowserAccept)
		c.Get("/me").WantRedirect(t, "/enrol-page")
		c.Header.Del("Accept")
		a.Clock.Advance(25 * time.Hour) // the device comes back
		wantEnrolment(t, c)
		c.Get("/enrol/sudo").WantConfirmation(t)
		c.Post("/enrol/password", testapp.Passwords("", testapp.Password)).Want(t, 204)
		c.Get("/enrol/sudo").Want(t, 200)
		wantEnrolment(t, c)
		c.Post("/enrol/useless", nil).Want(t, 204)
		wantEnrolment(t, c)
		before := c.Session()
		c.Post("/enrol/factor", nil).Want(t, 204)
		c.Get("/me").Want(t, 200)
		a.Clock.Advance(time.Minute)
		a.With(before).Get("/enrol/me").Want(t, 401)
		other.Get("/enrol/me").Want(t, 401)
		wantPending(t, a.Client().Post("/web/Attempt", nil))
	})
}

// TestTokensThatMustEnrol does the same by tokens.
func TestTokensThatMustEnrol(t *testing.T) {
	a := newEnrolApp(t, testapp.Memory(t))
	pair := a.Client().Post("/api/Attempt", nil).Want(t, 200).Tokens(t)
	wantEnrolment(t, a.Bearer(pair.AccessToken))
	head, _ := base64.RawURLEncoding.DecodeString(strings.Split(pair.AccessToken, ".")[0])
	body, _ := base64.RawURLEncoding.DecodeString(strings.Split(pair.AccessToken, ".")[1])
	if !strings.Contains(string(head), `"enrolment+jwt"`) || !strings.Contains(string(body), `"aud":"urn:ginauth:enrolment"`) {
		t.Errorf("other services may take the token for an access token: %s %s", head, body)
	}
	if _, err := a.JWT().Decode(context.Background(), "enrolment", pair.AccessToken); err == nil {
		t.Error("the token is one of the application's own")
	}
	forged, err := a.JWT().Encode(jwt.Spec{Kind: "enrolment", Subject: a.Alice.AuthID(), Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	a.Bearer(forged).Get("/enrol/me").Want(t, 401)
	pair = a.Refresh(pair.RefreshToken).Want(t, 200).Tokens(t)
	c := a.Bearer(pair.AccessToken)
	wantEnrolment(t, c)
	c.Post("/enrol/password", testapp.Passwords("", testapp.Password)).Want(t, 204)
	wantEnrolment(t, c)
	out := a.Client().Post("/api/Attempt", nil).Want(t, 200).Tokens(t)
	a.Bearer(out.AccessToken).Post("/enrol-logout?guard=api", nil).Want(t, 204)
	a.Bearer(out.AccessToken).Get("/enrol/me").Want(t, 401)
	full := c.Post("/enrol/factor", nil).Want(t, 200).Tokens(t)
	a.Bearer(full.AccessToken).Get("/api/me").Want(t, 200)
	a.Bearer(a.Refresh(full.RefreshToken).Want(t, 200).Tokens(t).AccessToken).Get("/api/me").Want(t, 200)
	c.Get("/enrol/me").Want(t, 401)
	a.Refresh(pair.RefreshToken).Want(t, 401)
}

// TestGraceToEnrol lets users log in for a while.
func TestGraceToEnrol(t *testing.T) {
	var until time.Time
	a := newEnrolApp(t, testapp.Memory(t), func(c *ginauth.Config) {
		c.Factors.GraceUntil = func(context.Context, models.Authenticatable) time.Time { return until }
	})
	until = a.Clock.Now().Add(time.Hour)
	c := a.Client()
	c.Post("/web/Attempt", nil).Want(t, 200)
	c.Get("/me").Want(t, 200)
	if basic := a.through(a.Client(), "/web/Basic"); basic.StatusCode != 200 {
		t.Error(basic.Text)
	}
	a.Clock.Advance(time.Hour)
	c.Get("/me").Want(t, 200) // as long as the login lasts
	late := a.Client()
	late.Post("/web/Attempt", nil).Want(t, 200)
	wantEnrolment(t, late)
	c.Post("/enrol/useless", nil).Want(t, 204) // a login that continues is a new one
	wantEnrolment(t, c)
}

// TestRequiredNeedsAFactor looks for what no user could enrol.
func TestRequiredNeedsAFactor(t *testing.T) {
	must := func(context.Context, models.Authenticatable) bool { return true }
	until := func(context.Context, models.Authenticatable) time.Time { return time.Time{} }
	for name, c := range map[string]ginauth.Config{
		"no feature": {Factors: ginauth.FactorsConfig{Required: must}},
		"only grace": {Factors: ginauth.FactorsConfig{GraceUntil: until}, Features: []ginauth.Feature{new(testFactor)}},
	} {
		if _, err := ginauth.New(c); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOtherUsersNeedNotEnrol logs in whom the rule is not for, and looks at events.
func TestOtherUsersNeedNotEnrol(t *testing.T) {
	a := newEnrolApp(t, testapp.Memory(t), func(c *ginauth.Config) {
		c.Factors.Required = func(_ context.Context, u models.Authenticatable) bool { return u.AuthID() != "1" }
	})
	c := a.LoggedIn(testapp.Alice)
	c.Get("/me").Want(t, 200)
	a.LoggedIn(testapp.Bob).Get("/me").Want(t, 403)
	testapp.WantEvents[events.Login](a.App, 2)
}
