package experiments_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// factoredApp is an application with the ready-made routes, all second factors and logins by mail.
type factoredApp struct {
	*testapp.App
	must     atomic.Bool // every login needs a second factor
	secret   string      // of the authenticator app, or ""
	device   *passkeytest.Device
	spare    []string // recovery codes
	password string
}

func newFactoredApp(t *testing.T) *factoredApp {
	t.Helper()
	a := &factoredApp{password: testapp.Password}
	codes, spare := totp.New(totp.Options{}), recovery.New(recovery.Options{})
	keys, links := passkey.New(passkey.Options{}), magiclink.New(magiclink.Options{Mails: magiclink.LinksAndCodes})
	mount := func(_ *testapp.App, r *gin.Engine) {
		codes.Mount(r)
		spare.Mount(r)
		keys.Mount(r)
		links.Mount(r)
	}
	a.App = testapp.New(t, testapp.Memory(t), testapp.Configure(testapp.UnlimitedMails, func(c *ginauth.Config) {
		c.Features = []ginauth.Feature{codes, spare, keys, links}
		c.Factors.Required = func(context.Context, models.Authenticatable) bool { return a.must.Load() }
	}), testapp.OnlyRoutes(mountRoutes, mount))
	return a
}

// ceremony is a challenge for the authenticator, and its answer.
type ceremony struct {
	Ceremony   string          `json:"ceremony"`
	PublicKey  json.RawMessage `json:"publicKey,omitempty"`
	Credential json.RawMessage `json:"credential,omitempty"`
	Token      string          `json:"token,omitempty"`
}

// sign answers the challenge of a path.
func (a *factoredApp) sign(t *testing.T, c *testapp.Client, path, token string) (in ceremony) {
	t.Helper()
	c.Post(path, map[string]string{"token": token}).Want(t, 200).JSON(t, &in)
	do := a.device.Get
	if path == "/passkeys/options" {
		do = a.device.Create
	}
	var err error
	if in.Credential, err = do(in.PublicKey); err != nil {
		t.Fatal(err)
	}
	in.PublicKey, in.Token = nil, token
	return in
}

func (a *factoredApp) code(t *testing.T) string {
	t.Helper()
	a.Clock.Advance(time.Minute) // the last one may be used up
	code, err := totp.Code(a.secret, a.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (a *factoredApp) enrolApp(t *testing.T, c *testapp.Client) {
	t.Helper()
	var begun struct{ Enrolment, Secret string }
	c.Post("/totp/enrolment", nil).Want(t, 200).JSON(t, &begun)
	a.secret = begun.Secret
	c.Post("/totp", map[string]string{"enrolment": begun.Enrolment, "code": a.code(t)}).Want(t, 204)
}

func (a *factoredApp) enrolPasskey(t *testing.T, c *testapp.Client) {
	t.Helper()
	a.device = passkeytest.New(testapp.BaseURL)
	c.Post("/passkeys", a.sign(t, c, "/passkeys/options", "")).Want(t, 201)
}

func (a *factoredApp) enrolSpare(t *testing.T, c *testapp.Client) {
	t.Helper()
	var made struct{ Codes []string }
	c.Post("/recovery-codes", nil).Want(t, 200).JSON(t, &made)
	a.spare = made.Codes
}

// realStates are what Alice has, and what a login by one factor then is.
var realStates = []struct {
	name, login string
	factors     []string
	set         func(*testing.T, *factoredApp, *testapp.Client)
	trusted     bool
}{
	{name: "none", login: "complete", set: func(*testing.T, *factoredApp, *testapp.Client) {}},
	{name: "app", login: "pending", factors: []string{"totp"}, set: func(t *testing.T, a *factoredApp, c *testapp.Client) {
		a.enrolApp(t, c)
	}},
	{name: "passkey", login: "pending", factors: []string{"passkey"}, set: func(t *testing.T, a *factoredApp, c *testapp.Client) {
		a.enrolPasskey(t, c)
	}},
	{name: "all", login: "pending", factors: []string{"passkey", "recovery", "totp"}, set: func(t *testing.T, a *factoredApp, c *testapp.Client) {
		a.enrolApp(t, c)
		a.enrolPasskey(t, c)
		a.enrolSpare(t, c)
	}},
	{name: "recovery codes alone", login: "complete", set: func(t *testing.T, a *factoredApp, c *testapp.Client) {
		a.enrolApp(t, c)
		a.enrolSpare(t, c)
		c.Delete("/totp").Want(t, 204)
		a.secret = ""
	}},
	{name: "must enrol", login: "enrols", set: func(_ *testing.T, a *factoredApp, _ *testapp.Client) { a.must.Store(true) }},
	{name: "must, and has", login: "pending", factors: []string{"totp"}, set: func(t *testing.T, a *factoredApp, c *testapp.Client) {
		a.enrolApp(t, c)
		a.must.Store(true)
	}},
	{name: "trusted device", login: "complete", trusted: true, set: func(t *testing.T, a *factoredApp, c *testapp.Client) {
		a.enrolApp(t, c)
		a.enrolPasskey(t, c)
	}},
}

var mailedCode = regexp.MustCompile(`\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b`)

// ask asks for a mail that logs in.
func (a *factoredApp) ask(t *testing.T, c *testapp.Client, path string) (request string, m mail.Message) {
	t.Helper()
	var r struct{ Request string }
	c.Post(path, map[string]string{"email": testapp.Alice}).Want(t, 202).JSON(t, &r)
	return r.Request, a.Outbox.Next(t, mail.LoginLink, testapp.Alice)
}

// realDoors are the ways in by one factor. Each returns the response that says what became of the login.
var realDoors = map[string]func(*testing.T, *factoredApp, *testapp.Client) *testapp.Response{
	"password": func(_ *testing.T, a *factoredApp, c *testapp.Client) *testapp.Response {
		return c.Post("/login", testapp.Credentials(testapp.Alice, a.password))
	},
	"password for tokens": func(_ *testing.T, a *factoredApp, c *testapp.Client) *testapp.Response {
		return c.Post("/token", testapp.Credentials(testapp.Alice, a.password))
	},
	"reset, then password": func(t *testing.T, a *factoredApp, c *testapp.Client) *testapp.Response {
		c.Post("/forgot-password", map[string]string{"email": testapp.Alice}).Want(t, 202)
		_, token, _ := strings.Cut(a.Outbox.Next(t, mail.ResetPassword, testapp.Alice).Text, "token=")
		token, _, _ = strings.Cut(token, "\n")
		token, _, _ = strings.Cut(token, "&")
		a.password = testapp.NewPassword
		c.Post("/reset-password", map[string]string{
			"email": testapp.Alice, "token": strings.TrimSpace(token), "password": a.password,
		}).Want(t, 204)
		c.Get("/me").Want(t, 401)
		return c.Post("/login", testapp.Credentials(testapp.Alice, a.password))
	},
	"mailed link": func(t *testing.T, a *factoredApp, c *testapp.Client) *testapp.Response {
		_, m := a.ask(t, c, "/magic-link")
		return c.Post(testapp.PathOf(t, m), nil)
	},
	"mailed code": func(t *testing.T, a *factoredApp, c *testapp.Client) *testapp.Response {
		request, m := a.ask(t, c, "/magic-link")
		return c.Post("/magic-link/code", map[string]string{"request": request, "code": mailedCode.FindString(m.Text)})
	},
	"mailed code for tokens": func(t *testing.T, a *factoredApp, c *testapp.Client) *testapp.Response {
		request, m := a.ask(t, c, "/token/magic-link")
		return c.Post("/token/magic-link/code", map[string]string{"request": request, "code": mailedCode.FindString(m.Text)})
	},
}

// TestRealFactorsAtEveryDoor goes through every door of the routes with the factors of the suite: only complete logins
// reach a protected handler, and each factor completes one (K07, M06).
func TestRealFactorsAtEveryDoor(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many applications, and nothing at the same time")
	}
	for _, state := range realStates {
		for name, door := range realDoors {
			t.Run(state.name+"/"+name, func(t *testing.T) {
				want, factors, times := state.login, state.factors, 1
				if state.trusted {
					factors = []string{"passkey", "totp"}
					if strings.HasPrefix(name, "reset") || strings.HasSuffix(name, "tokens") {
						want = "pending" // the stamp is another, or the client has no cookie
					}
				}
				if want == "pending" {
					times = len(factors)
				}
				for i := range times {
					a := newFactoredApp(t)
					state.set(t, a, a.owner(t))
					c := a.Client()
					if state.trusted {
						c = a.trusting(t)
					}
					a.check(t, c, door(t, a, c), want, factors, i)
				}
			})
		}
	}
}

// owner is Alice, logged in by her password and known by a confirmed one.
func (a *factoredApp) owner(t *testing.T) *testapp.Client {
	t.Helper()
	c := a.Client()
	c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200)
	return c
}

// trusting is a browser that completed a login and is trusted since.
func (a *factoredApp) trusting(t *testing.T) *testapp.Client {
	t.Helper()
	c := a.Client()
	c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200)
	c.Post("/login/totp", map[string]any{"code": a.code(t), "trust": true}).Want(t, 200)
	c.Post("/logout", nil).Want(t, 204)
	return c
}

// check looks at what became of a login, and completes it by the i-th of the factors.
func (a *factoredApp) check(t *testing.T, c *testapp.Client, r *testapp.Response, want string, factors []string, i int) {
	t.Helper()
	var got struct {
		Pending *ginauth.PendingLogin `json:"pending"`
		ginauth.TokenPair
	}
	r.Want(t, 200).JSON(t, &got)
	if (got.Pending != nil) != (want == "pending") {
		t.Fatalf("%s, want it %s", r.Text, want)
	}
	if got.AccessToken != "" {
		c = a.Bearer(got.AccessToken)
	}
	switch want {
	case "complete":
		c.Get("/me").Want(t, 200)
	case "enrols":
		if status := c.Get("/me").StatusCode; status != 401 && status != 403 {
			t.Errorf("/me: %d", status)
		}
		c.Get("/passkeys").Want(t, 200)
		c.Get("/devices").Want(t, 403)
	case "pending":
		slices.Sort(got.Pending.Factors)
		if !slices.Equal(got.Pending.Factors, factors) {
			t.Fatalf("pending for %v, want %v", got.Pending.Factors, factors)
		}
		for _, path := range []string{"/me", "/devices", "/passkeys", "/totp"} {
			c.Get(path).Want(t, 401)
		}
		r = a.complete(t, c, factors[i], got.Pending.Token)
		if r.JSON(t, &got); got.AccessToken != "" {
			c = a.Bearer(got.AccessToken)
		}
		c.Get("/me").Want(t, 200)
		c.Get("/devices").Want(t, 200)
	}
}

// complete answers the challenge of a pending login by a factor.
func (a *factoredApp) complete(t *testing.T, c *testapp.Client, name, token string) *testapp.Response {
	t.Helper()
	switch name {
	case "totp":
		return c.Post("/login/totp", map[string]string{"token": token, "code": a.code(t)}).Want(t, 200)
	case "recovery":
		return c.Post("/login/recovery", map[string]string{"token": token, "code": a.spare[0]}).Want(t, 200)
	default:
		return c.Post("/login/passkey/second", a.sign(t, c, "/login/passkey/second/options", token)).Want(t, 200)
	}
}

// TestPasskeyAloneAtEveryState logs in by a passkey, which is two factors in one.
func TestPasskeyAloneAtEveryState(t *testing.T) {
	for _, state := range realStates {
		a := newFactoredApp(t)
		state.set(t, a, a.owner(t))
		if a.device == nil {
			continue
		}
		t.Run(state.name, func(t *testing.T) {
			a.must.Store(true)
			c := a.Client()
			c.Post("/login/passkey", a.sign(t, c, "/login/passkey/options", "")).Want(t, 200)
			c.Get("/me").Want(t, 200)
			n := a.Client()
			pair := n.Post("/token/passkey", a.sign(t, n, "/login/passkey/options", "")).Want(t, 200).Tokens(t)
			a.Bearer(pair.AccessToken).Get("/me").Want(t, 200)
		})
	}
}

// TestRememberedDeviceProvesOneFactor comes back with the remember cookie alone.
func TestRememberedDeviceProvesOneFactor(t *testing.T) {
	for _, state := range realStates {
		t.Run(state.name, func(t *testing.T) {
			a := newFactoredApp(t)
			state.set(t, a, a.owner(t))
			c := a.Client()
			if state.trusted {
				c = a.trusting(t)
			}
			r := c.Post("/login", map[string]any{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200)
			var got struct{ Pending *ginauth.PendingLogin }
			if r.JSON(t, &got); got.Pending != nil {
				a.complete(t, c, state.factors[0], got.Pending.Token)
			}
			if c.Remember() == "" {
				t.Skip("such a login is not remembered")
			}
			back := c.Copy()
			delete(back.Cookies, testapp.SessionCookie)
			switch status := back.Get("/me").StatusCode; {
			case state.login == "complete" && status != 200, state.login != "complete" && status != 403:
				t.Errorf("/me: %d, and a login is %s", status, state.login)
			}
		})
	}
}

// TestPendingLoginsOfOneClientStayBounded shows a remember-me cookie alone again and again: while a second factor is
// missing it is not used up (B01).
func TestPendingLoginsOfOneClientStayBounded(t *testing.T) {
	a := newFactoredApp(t)
	a.enrolApp(t, a.owner(t))
	c := a.Client()
	var got struct{ Pending *ginauth.PendingLogin }
	c.Post("/login", map[string]any{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200).JSON(t, &got)
	a.complete(t, c, "totp", got.Pending.Token)
	for range 130 {
		a.Clock.Advance(time.Second)
		a.WithRemember(c.Remember()).Get("/me").Want(t, 403)
	}
	waiting, err := a.Backend.Set.Tokens.TokensOf(t.Context(), a.Owner("web", a.Alice.AuthID()), 1000, stores.Pending)
	if err != nil || len(waiting) > 100 {
		t.Errorf("%d logins wait, error %v", len(waiting), err)
	}
	// The last of them can be completed.
	last := a.WithRemember(c.Remember())
	last.Get("/me").Want(t, 403)
	last.Post("/login/totp", map[string]string{"code": a.code(t)}).Want(t, 200)
	last.Get("/me").Want(t, 200)
}
