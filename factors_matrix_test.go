package ginauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// factorStates are what a user can be in before a login, and what becomes of the login by each kind of door: "complete",
// "pending", "enrols" or "refused".
var factorStates = []struct {
	name, suspends, refuses string
	set                     func(*factorApp)
	trusted, must           bool
}{
	{name: "none", suspends: "complete", refuses: "complete", set: func(a *factorApp) { a.factor.owned.Store(false) }},
	{name: "a factor", suspends: "pending", refuses: "refused", set: func(a *factorApp) { a.factor.owned.Store(true) }},
	{name: "recovery only", suspends: "complete", refuses: "complete", set: func(a *factorApp) { a.factor.owned.Store(false) }},
	{name: "must enrol", suspends: "enrols", refuses: "refused", must: true, set: func(a *factorApp) { a.factor.owned.Store(false) }},
	{name: "must, and has", suspends: "pending", refuses: "refused", must: true, set: func(a *factorApp) { a.factor.owned.Store(true) }},
	{name: "must, recovery only", suspends: "enrols", refuses: "refused", must: true, set: func(a *factorApp) { a.factor.owned.Store(false) }},
	{name: "trusted device", suspends: "complete", refuses: "refused", trusted: true, set: func(a *factorApp) { a.factor.owned.Store(true) }},
}

// TestMatrixOfDoorsAndFactors lets only complete logins reach a protected handler (K07).
func TestMatrixOfDoorsAndFactors(t *testing.T) {
	for _, guard := range []string{"web", "api"} {
		for _, state := range factorStates {
			for _, door := range append(doors(guard), "/"+guard+"/link", "/"+guard+"/passkey") {
				t.Run(door+" "+state.name, func(t *testing.T) {
					a := newMatrixApp(t, state.must)
					c := a.Client()
					if state.trusted {
						a.factor.owned.Store(true)
						token := wantPending(t, c.Post("/"+guard+"/Attempt", nil))
						r := c.Post("/answer?trust=1", answerForm{token, "code", rightCode}).Want(t, 200)
						if c = a.Client(); guard == "web" {
							c = a.onlyTrust(r, c)
						} else {
							c.Header.Set("X-Trust", r.Tokens(t).TrustToken)
						}
					}
					state.set(a)
					want := state.suspends
					name := door[strings.LastIndex(door, "/")+1:]
					switch {
					case name == "passkey":
						want = "complete" // by two factors in one
					case doorsOfLogins[name] == "refuses", name == "Basic", name == "BasicGuard":
						want = state.refuses
					case name == "BasicStartsSession" && want == "pending":
						want = "refused"
					}
					a.wantOutcome(t, c, guard, name, a.through(c, door), want)
				})
			}
		}
	}
}

// newMatrixApp is an application with all doors and a route for enrolment.
func newMatrixApp(t *testing.T, must bool) *factorApp {
	t.Helper()
	return newProvedAppWith(t, testapp.Memory(t), func(c *ginauth.Config) {
		if must {
			c.Factors.Required = func(context.Context, models.Authenticatable) bool { return true }
		}
	})
}

// onlyTrust gives a client the cookie of a trusted device from a response.
func (a *factorApp) onlyTrust(r *testapp.Response, c *testapp.Client) *testapp.Client {
	for _, cookie := range r.Response.Cookies() {
		if strings.Contains(cookie.Name, "trusted_web") {
			c.Cookies[cookie.Name] = cookie.Value
		}
	}
	return c
}

// wantOutcome checks what became of a login, and that it reaches what it should and nothing else.
func (a *factorApp) wantOutcome(t *testing.T, c *testapp.Client, guard, door string, r *testapp.Response, want string) {
	t.Helper()
	once := doorsOfLogins[door] == "refuses" || door == "Basic" || door == "BasicGuard"
	switch want {
	case "complete":
		if r.Want(t, 200); once {
			return // and keeps nothing
		}
		if strings.Contains(r.Text, `"pending"`) {
			t.Fatalf("pending: %s", r.Text)
		}
		c = a.client(t, c, guard, r)
		c.Get("/proved").Want(t, 200)
		if level := map[bool]int{true: 200, false: 403}[door == "passkey"]; c.Get("/level/two").StatusCode != level {
			t.Errorf("/level/two: want %d", level)
		}
		return
	case "enrols":
		r.Want(t, map[bool]int{true: 403, false: 200}[door == "BasicStartsSession" && r.StatusCode == 403])
		if r.StatusCode == 200 {
			c = a.client(t, c, guard, r)
		}
		c.Get("/enrol/me").Want(t, 200)
	case "pending":
		wantPending(t, r)
		c.Get("/enrol/me").Want(t, 401)
	default:
		r.Want(t, 403)
		c.Get("/enrol/me").Want(t, 401)
	}
	if status := c.Get("/proved").StatusCode; status != 401 && status != 403 {
		t.Errorf("an incomplete login reaches a handler: %d", status)
	}
}

// TestRulesAskForAStepUp lets a rule of the gate say yes once a factor was proved.
func TestRulesAskForAStepUp(t *testing.T) {
	rules := func(a *testapp.App, r *gin.Engine) {
		mountFactors(a, r)
		ginauth.DefineUser(a.Gate(), "pay", func(context.Context, models.Authenticatable) ginauth.Decision {
			return ginauth.StepUp(factor.LevelTwo, 10*time.Minute)
		})
		ginauth.DefineUserGuest(a.Gate(), "peek", func(context.Context, models.Authenticatable) ginauth.Decision {
			return ginauth.StepUp(factor.LevelOne, 0)
		})
		r.POST("/pay", a.Auth("web", "api"), a.Authorize("pay"), func(c *gin.Context) { c.Status(204) })
		r.GET("/can", a.Auth("web", "api"), func(c *gin.Context) { c.JSON(200, ginauth.From(c).Can(c.Request.Context(), "pay")) })
		r.GET("/peek", a.StartSession(), a.Authorize("peek"), func(c *gin.Context) { c.Status(204) })
	}
	b, faults := testapp.Memory(t).Faulty()
	f := new(testFactor)
	a := &factorApp{testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Features = append(c.Features, f)
		c.Pages.SecondFactor = "/second"
	}), testapp.Routes(rules)), f}
	clients := map[string]*testapp.Client{
		"session": a.LoggedIn(testapp.Alice), "token": a.Bearer(a.Client().Post("/api/Attempt", nil).Want(t, 200).Tokens(t).AccessToken),
	}
	f.owned.Store(true)
	for name, c := range clients {
		t.Run(name, func(t *testing.T) {
			r := c.Post("/pay", nil)
			wantStepUp(t, r, "2")
			if challenge := r.Header.Get("WWW-Authenticate"); (name == "token") != strings.Contains(challenge, "insufficient_user_authentication") {
				t.Errorf("challenge %q", challenge)
			}
			if text := c.Get("/can").Want(t, 200).Text; text != "false" {
				t.Errorf("can pay: %s", text)
			}
			c.Post("/confirm-factor", answerForm{"", "code", rightCode}).Want(t, 204)
			c.Post("/pay", nil).Want(t, 204)
			if text := c.Get("/can").Want(t, 200).Text; text != "true" {
				t.Errorf("can pay: %s", text)
			}
		})
	}
	token := clients["token"]
	a.Clock.Advance(9 * time.Minute)
	faults.Set(testapp.Refuse, testapp.FindToken)
	token.Post("/pay", nil).Want(t, 503)
	faults.Clear()
	a.Clock.Advance(time.Minute)
	for _, c := range clients {
		wantStepUp(t, c.Post("/pay", nil), "2")
	}
	a.Client().Get("/peek").Want(t, 401)
	browser := clients["session"]
	browser.Header.Set("Accept", testapp.BrowserAccept)
	browser.Post("/pay", nil).WantRedirect(t, "/second")
}

// TestResetFactors lets an administrator remove the factors of a user who has lost them.
func TestResetFactors(t *testing.T) {
	f := new(testFactor)
	f.owned.Store(true)
	reset := 0
	other := featureOf("other", func(s *ginauth.Setup) {
		s.Challenge(ginauth.Challenge{Name: "other", Has: func(context.Context, string, models.Authenticatable) (bool, error) { return false, nil },
			Reset: func(_ context.Context, owner string) error {
				if reset++; owner != "users:1" {
					t.Errorf("owner %q", owner)
				}
				if reset == 2 {
					return errors.New("no answer")
				}
				return nil
			}})
	})
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Features = append(c.Features, f, other) }),
		testapp.Routes(mountFactors))
	c := a.Client()
	token := wantPending(t, c.Post("/web/Attempt", nil))
	c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 200)
	waiting := a.Client()
	token = wantPending(t, waiting.Post("/web/Attempt", nil))
	if err := a.ResetFactors(context.Background(), "web", a.Alice.AuthID()); err != nil {
		t.Fatal(err)
	}
	c.Get("/me").Want(t, 401)
	waiting.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 401)
	ginauthtest.AssertCount[events.FactorsReset](t, a.Events, 1)
	ginauthtest.AssertCount[events.UserRevoked](t, a.Events, 1)
	if reset != 1 {
		t.Errorf("the factor was reset %d times", reset)
	}
	if err := a.ResetFactors(context.Background(), "web", a.Alice.AuthID()); err == nil {
		t.Error("a factor that could not be removed is no error")
	}
}
