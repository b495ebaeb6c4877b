package ginauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/testapp"
)

// newProof returns a proof that is right.
func newProof(t *testing.T, at time.Time, level factor.Level, methods ...string) factor.Proof {
	t.Helper()
	p, err := factor.NewProof(at, level, methods...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newProvedApp is a factorApp with doors that prove something in place of a password.
func newProvedApp(t *testing.T, b *testapp.Backend, features ...ginauth.Feature) *factorApp {
	t.Helper()
	return newProvedAppWith(t, b, func(c *ginauth.Config) { c.Features = append(c.Features, features...) })
}

// newProvedAppWith is newProvedApp with a change of the configuration.
func newProvedAppWith(t *testing.T, b *testapp.Backend, change func(*ginauth.Config)) *factorApp {
	t.Helper()
	f := new(testFactor)
	f.owned.Store(true)
	proofs := func(a *testapp.App, r *gin.Engine) {
		mountFactors(a, r)
		door := func(path, guard string, level factor.Level, methods ...string) {
			r.POST(path, func(c *gin.Context) {
				options := []ginauth.LoginOption{ginauth.ProvedBy(newProof(t, a.Clock.Now(), level, methods...))}
				if c.Query("remember") != "" {
					options = append(options, ginauth.Remember())
				}
				if token := c.GetHeader("X-Trust"); token != "" {
					options = append(options, ginauth.TrustToken(token))
				}
				res, err := ginauth.From(c).Guard(guard).Login(c.Request.Context(), a.Alice, options...)
				if err != nil {
					ginauth.Abort(c, err)
					return
				}
				testapp.AnswerLogin(c, res)
			})
		}
		for _, guard := range []string{"web", "api"} {
			door("/"+guard+"/link", guard, factor.LevelOne, "email")
			door("/"+guard+"/passkey", guard, factor.LevelTwo, "hwk", "user")
		}
		r.GET("/enrol/me", a.AllowEnrolment(), a.Auth("web", "api"), testapp.Me)
		r.GET("/proved", a.Auth("web", "api"), func(c *gin.Context) {
			proved, err := ginauth.From(c).Authentication(c.Request.Context())
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.JSON(200, proved)
		})
	}
	configure := func(c *ginauth.Config) { c.Features = append(c.Features, f) }
	return &factorApp{testapp.New(t, b, testapp.Configure(configure, change), testapp.Routes(proofs)), f}
}

// wantProved checks what a login was proved by.
func wantProved(t *testing.T, c *testapp.Client, level factor.Level, methods string) (got factor.Authentication) {
	t.Helper()
	c.Get("/proved").Want(t, 200).JSON(t, &got)
	if got.Level != level || strings.Join(got.Methods, " ") != methods {
		t.Errorf("level %d by %v, want %d by %s", got.Level, got.Methods, level, methods)
	}
	return got
}

// client returns a client that is logged in by what a door answered.
func (a *factorApp) client(t *testing.T, c *testapp.Client, guard string, r *testapp.Response) *testapp.Client {
	t.Helper()
	if r.Want(t, 200); guard == "api" {
		return a.Bearer(r.Tokens(t).AccessToken)
	}
	return c
}

// TestProofInPlaceOfAPassword logs in by a proof of one factor, by a session and by tokens.
func TestProofInPlaceOfAPassword(t *testing.T) {
	for _, guard := range []string{"web", "api"} {
		t.Run(guard, func(t *testing.T) {
			a := newProvedApp(t, testapp.Memory(t))
			began := a.Clock.Now()
			c := a.Client()
			token := wantPending(t, c.Post("/"+guard+"/link", nil))
			c.Get("/me").Want(t, 401)
			a.Clock.Advance(5 * time.Minute)
			c = a.client(t, c, guard, c.Post("/answer", answerForm{token, "code", rightCode}))
			got := wantProved(t, c, factor.LevelTwo, "otp email mfa")
			if guard == "web" && (!got.First.Equal(began) || !got.Factor.Equal(began.Add(5*time.Minute)) || !got.Password.IsZero()) {
				t.Errorf("times %+v", got)
			}
			a.factor.owned.Store(false)
			c = a.Client()
			c = a.client(t, c, guard, c.Post("/"+guard+"/link", nil))
			wantProved(t, c, factor.LevelOne, "email")
			c.Get("/level/one").Want(t, 200)
			wantStepUp(t, c.Get("/level/two"), "2")
			a.Clock.Advance(10 * time.Minute)
			wantStepUp(t, c.Get("/level/one"), "1")
		})
	}
}

// TestCompleteProofAsksNoChallenge logs in by a proof of two factors.
func TestCompleteProofAsksNoChallenge(t *testing.T) {
	for _, guard := range []string{"web", "api"} {
		t.Run(guard, func(t *testing.T) {
			a := newProvedApp(t, testapp.Memory(t))
			c := a.Client()
			c = a.client(t, c, guard, c.Post("/"+guard+"/passkey", nil))
			wantProved(t, c, factor.LevelTwo, "hwk user mfa")
			c.Get("/level/two").Want(t, 200)
			a.Clock.Advance(10 * time.Minute)
			wantStepUp(t, c.Get("/level/two"), "2")
			c.Post("/confirm-factor", answerForm{"", "code", rightCode}).Want(t, 204)
			c.Get("/level/two").Want(t, 200)
			wantProved(t, c, factor.LevelTwo, "otp hwk user mfa")
		})
	}
}

// TestProofStaysWithTheLogin keeps what a login was proved by over a change of the password, and over refreshes.
func TestProofStaysWithTheLogin(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := newProvedApp(t, b)
		c := a.Client()
		c.Post("/web/passkey?remember=1", nil).Want(t, 200)
		c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
		wantProved(t, c, factor.LevelTwo, "pwd hwk user mfa")
		a.Clock.Advance(25 * time.Hour) // the device comes back, and proves no second factor
		c.Get("/me").Want(t, 403)
	})
	a := newProvedApp(t, testapp.Memory(t))
	pair := a.Client().Post("/api/passkey", nil).Want(t, 200).Tokens(t)
	for range 3 {
		a.Clock.Advance(3 * time.Minute)
		pair = a.Refresh(pair.RefreshToken).Want(t, 200).Tokens(t)
		wantProved(t, a.Bearer(pair.AccessToken), factor.LevelTwo, "hwk user mfa")
		a.Bearer(pair.AccessToken).Get("/level/two").Want(t, 200)
	}
	a.Clock.Advance(time.Minute)
	pair = a.Refresh(pair.RefreshToken).Want(t, 200).Tokens(t)
	wantStepUp(t, a.Bearer(pair.AccessToken).Get("/level/two"), "2") // a new token is no new proof
}

// TestNobodyElseSaysWhatWasProved lets checks, other options and other methods try.
func TestNobodyElseSaysWhatWasProved(t *testing.T) {
	var forged factor.Proof
	check := featureOf("forger", func(s *ginauth.Setup) {
		s.BeforeLogin(func(_ context.Context, _ *ginauth.Authenticator, r *ginauth.LoginRequest) error {
			ginauth.ProvedBy(forged)(r)
			return nil
		})
	})
	a := newProvedApp(t, testapp.Memory(t), check)
	forged = newProof(t, a.Clock.Now(), factor.LevelTwo, "hwk")
	for _, door := range []string{"/web/Attempt", "/web/Login", "/web/link", "/api/Attempt", "/api/link"} {
		wantPending(t, a.Client().Post(door, nil))
	}
	c := a.LoggedInBy(t, forged)
	wantPending(t, c)
}

// LoggedInBy attempts a login by the password with a proof as an option.
func (a *factorApp) LoggedInBy(t *testing.T, p factor.Proof) *testapp.Response {
	t.Helper()
	b := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Features = append(c.Features, a.factor) }),
		testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/attempt", func(c *gin.Context) {
				res, ok := testapp.Attempt(c, ginauth.From(c), ginauth.ProvedBy(p))
				if ok {
					testapp.AnswerLogin(c, res)
				}
			})
		}))
	return b.Client().Post("/attempt", testapp.Credentials(testapp.Alice, testapp.Password))
}

// TestProofsAreChecked gives Login what is no proof.
func TestProofsAreChecked(t *testing.T) {
	var given factor.Proof
	a := newProvedApp(t, testapp.Memory(t))
	b := testapp.New(t, testapp.Memory(t), testapp.Routes(func(b *testapp.App, r *gin.Engine) {
		r.POST("/login-by", func(c *gin.Context) {
			_, err := ginauth.From(c).Login(c.Request.Context(), b.Alice, ginauth.ProvedBy(given))
			if errors.Is(err, ginauth.ErrConfig) {
				c.Status(418)
				return
			}
			testapp.Answer(c, nil, err)
		})
	}))
	for name, p := range map[string]factor.Proof{
		"without a time": {Level: factor.LevelTwo}, "without a level": {At: a.Clock.Now()}, "of level 3": {At: a.Clock.Now(), Level: 3},
	} {
		if given = p; b.Client().Post("/login-by", nil).StatusCode != 418 {
			t.Errorf("a proof %s logs in", name)
		}
	}
	now := a.Clock.Now()
	for name, err := range map[string]error{
		"zero time": errOf(factor.NewProof(time.Time{}, factor.LevelOne)), "level 0": errOf(factor.NewProof(now, 0)),
		"level 3": errOf(factor.NewProof(now, 3)), "unknown method": errOf(factor.NewProof(now, factor.LevelOne, "guess")),
		"mfa": errOf(factor.NewProof(now, factor.LevelOne, "mfa")),
	} {
		if err == nil {
			t.Errorf("%s is a proof", name)
		}
	}
}

func errOf(_ factor.Proof, err error) error { return err }
