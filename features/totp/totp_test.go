package totp_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"fmt"
	"image/png"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

// TestVectors are those of RFC 6238, appendix B, for SHA-1.
func TestVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037",
		20000000000: "65353130",
	} {
		if got := totp.CodeAtForTest(secret, at/30, 8); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

// app is an application with the feature.
type app struct {
	*testapp.App
	codes *totp.Feature
}

func start(t *testing.T, b *testapp.Backend, change ...func(*ginauth.Config)) *app {
	t.Helper()
	f := totp.New(totp.Options{})
	change = append(change, func(c *ginauth.Config) { c.Features = append(c.Features, f) })
	mount := func(_ *testapp.App, r *gin.Engine) { f.Mount(r) }
	return &app{testapp.New(t, b, testapp.Configure(change...), testapp.Routes(mount)), f}
}

type enrolment struct {
	Enrolment, Secret, URL string
	PNG                    []byte
}

type codeForm struct {
	Token     string `json:"token,omitempty"`
	Enrolment string `json:"enrolment,omitempty"`
	Code      string `json:"code"`
}

// code returns the code of a secret, some steps from now.
func (a *app) code(t *testing.T, secret string, steps int64) string {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil || len(raw) != 20 {
		t.Fatalf("secret %q: %v", secret, err)
	}
	return totp.CodeAtForTest(raw, a.Clock.Now().Unix()/30+steps, 6)
}

// enrol enrols the user of a client, and returns the secret.
func (a *app) enrol(t *testing.T, c *testapp.Client) string {
	t.Helper()
	var e enrolment
	c.Post("/totp/enrolment", nil).Want(t, 200).JSON(t, &e)
	c.Post("/totp", codeForm{Enrolment: e.Enrolment, Code: a.code(t, e.Secret, 0)}).Want(t, 204)
	a.Clock.Advance(time.Minute) // the code is used
	return e.Secret
}

// pending logs in up to the second factor.
func (a *app) pending(t *testing.T, c *testapp.Client, path string) string {
	t.Helper()
	var got struct{ Pending *ginauth.PendingLogin }
	c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200).JSON(t, &got)
	if got.Pending == nil || len(got.Pending.Factors) != 1 || got.Pending.Factors[0] != "totp" {
		t.Fatalf("pending %+v", got.Pending)
	}
	return got.Pending.Token
}

func TestEnrolAndLogIn(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		elsewhere, c := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Alice)
		tokens := a.IssueTokens(testapp.Alice)
		c.Get("/totp").Want(t, 200)
		secret := a.enrol(t, c)
		c.Get("/me").Want(t, 200)
		elsewhere.Get("/me").Want(t, 401) // a first factor ends other logins
		a.Bearer(tokens.AccessToken).Get("/api/me").Want(t, 401)
		a.Refresh(tokens.RefreshToken).Want(t, 401)
		if text := c.Get("/totp").Text; !strings.Contains(text, `"enabled":true`) {
			t.Error(text)
		}
		c.Post("/totp/enrolment", nil).Want(t, 409)
		if m := a.Outbox.Next(t, mail.FactorChanged, testapp.Alice); !strings.Contains(m.Text, "was added") {
			t.Error(m.Text)
		}
		testapp.WantEvents[totp.Enabled](a.App, 1)

		n := a.Client()
		token := a.pending(t, n, "/login")
		n.Post("/login/totp", codeForm{Token: token, Code: a.code(t, secret, 5)}).Want(t, 401)
		n.Get("/me").Want(t, 401)
		n.Post("/login/totp", codeForm{Token: token, Code: a.code(t, secret, 0)}).Want(t, 200)
		n.Get("/me").Want(t, 200)

		a.Clock.Advance(time.Minute)
		token = a.pending(t, a.Client(), "/api/login")
		pair := a.Client().Post("/login/totp", codeForm{Token: token, Code: a.code(t, secret, 0)}).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)

		a.Clock.Advance(15 * time.Minute)
		n.Post("/totp/delete", nil).Want(t, 403) // the code of the login is too old
		n.Post("/totp/confirm", codeForm{Code: a.code(t, secret, 7)}).Want(t, 401)
		n.Post("/totp/confirm", codeForm{Code: a.code(t, secret, 0)}).Want(t, 204)
		n.Post("/totp/confirm", codeForm{Code: a.code(t, secret, 0)}).Want(t, 401) // used
		n.Post("/totp/delete", nil).Want(t, 204)
		n.Delete("/totp").Want(t, 404)
		if m := a.Outbox.Next(t, mail.FactorChanged, testapp.Alice); !strings.Contains(m.Text, "was removed") {
			t.Error(m.Text)
		}
		testapp.WantEvents[totp.Disabled](a.App, 1)
		a.LoggedIn(testapp.Alice)
	})
}

// TestCodeWorksOnce uses a code again, however it is written (K01, K04).
func TestCodeWorksOnce(t *testing.T) {
	a := start(t, testapp.Memory(t), testapp.Unlimited)
	secret := a.enrol(t, a.LoggedIn(testapp.Alice))
	for _, step := range []int64{-2, 2} {
		c := a.Client()
		a.pending(t, c, "/login")
		c.Post("/login/totp", codeForm{Code: a.code(t, secret, step)}).Want(t, 401)
	}
	for _, step := range []int64{-1, 0, 1} { // in this order: a step before the last one is used up
		code := a.code(t, secret, step)
		c := a.Client()
		a.pending(t, c, "/login")
		c.Post("/login/totp", codeForm{Code: code[:3] + " " + code[3:]}).Want(t, 200)
		wide := ""
		for _, digit := range code {
			wide += string(digit - '0' + '０')
		}
		for _, again := range []string{code, code[:3] + " " + code[3:], " " + code, wide} {
			c := a.Client()
			a.pending(t, c, "/login")
			c.Post("/login/totp", codeForm{Code: again}).Want(t, 401)
		}
		a.Clock.Advance(15 * time.Minute) // the failures are forgotten
		a.Clock.Advance(time.Minute)
	}
	c := a.Client()
	a.pending(t, c, "/login")
	for _, malformed := range []string{"", "12345", "1234567", "12345x", strings.Repeat("1", 1<<10), "-12345"} {
		c.Post("/login/totp", codeForm{Code: malformed}).WantField(t, "code")
	}
}

func TestSecretsOfAnotherSystem(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
		for _, wrong := range []string{"", "JBSWY3DPEHPK3PXP", "1BSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", strings.Repeat(secret, 9)} {
			if err := a.codes.Import(t.Context(), "web", a.Alice.AuthID(), wrong); ginauth.StatusOf(err) != 422 {
				t.Errorf("%q: %v", wrong, err)
			}
		}
		if err := a.codes.Import(t.Context(), "web", a.Alice.AuthID(), secret); err != nil {
			t.Fatal(err)
		}
		if err := a.codes.Import(t.Context(), "api", a.Alice.AuthID(), secret); ginauth.StatusOf(err) != 409 {
			t.Errorf("imported twice: %v", err)
		}
		code, err := totp.Code(secret, a.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		c := a.Client()
		c.Post("/login/totp", codeForm{Token: a.pending(t, c, "/login"), Code: code}).Want(t, 200)
		c.Get("/me").Want(t, 200)
	})
	if _, err := totp.Code("!", time.Now()); ginauth.StatusOf(err) != 422 {
		t.Error(err)
	}
}

// TestParallelUsesOfOneCode sends one code with 200 pending logins at once: one wins (EXP-03).
func TestParallelUsesOfOneCode(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, testapp.Unlimited)
		secret := a.enrol(t, a.LoggedIn(testapp.Alice))
		const n = 5 // more would meet the limit of 10 guesses
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = a.pending(t, a.Client(), "/api/login")
		}
		code := a.code(t, secret, 0)
		var won atomic.Int32
		a.Race(200, func(i int) {
			r, err := a.Client().TryPost("/login/totp", codeForm{Token: tokens[i%n], Code: code})
			if err != nil {
				t.Error(err)
			} else if r.StatusCode == 200 {
				won.Add(1)
			} else if r.StatusCode != 401 && r.StatusCode != 429 {
				t.Errorf("status %d: %s", r.StatusCode, r.Text)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d logins by one code", won.Load())
		}
	})
}

func TestEnrolmentIsRefused(t *testing.T) {
	a := start(t, testapp.Memory(t))
	a.Client().Post("/totp/enrolment", nil).Want(t, 401)
	a.LoggedIn(testapp.Bob).Post("/totp/enrolment", nil).Want(t, 403) // the address is not verified
	c := a.LoggedIn(testapp.Alice)
	var e enrolment
	c.Post("/totp/enrolment", nil).Want(t, 200).JSON(t, &e)
	right := a.code(t, e.Secret, 0)
	c.Post("/totp", codeForm{Enrolment: e.Enrolment, Code: a.code(t, e.Secret, 9)}).Want(t, 401)
	c.Post("/totp", codeForm{Enrolment: e.Enrolment + "x", Code: right}).WantField(t, "enrolment")
	carol := a.AddUser("Carol", "carol@example.com", testapp.Password)
	a.LoggedIn(carol.Email).Post("/totp", codeForm{Enrolment: e.Enrolment, Code: right}).WantField(t, "enrolment")
	a.Clock.Advance(10 * time.Minute)
	c.Post("/totp", codeForm{Enrolment: e.Enrolment, Code: a.code(t, e.Secret, 0)}).WantField(t, "enrolment")
	a.Clock.Advance(10 * time.Minute)
	for _, path := range []string{"/totp/enrolment", "/totp"} {
		c.Post(path, nil).WantConfirmation(t)
	}
	c.Post("/totp/delete", nil).Want(t, 403)
	if _, err := ginauth.New(ginauth.Config{
		Key: testapp.Key, Features: []ginauth.Feature{totp.New(totp.Options{})},
		Stores: stores.Set{Sessions: a.Backend.Set.Sessions, Tokens: a.Backend.Set.Tokens, Limiter: a.Backend.Set.Limiter},
	}); err == nil || !strings.Contains(err.Error(), "Stores.Factors is missing") {
		t.Errorf("without a store: %v", err)
	}
}

func TestEnrolmentShowsURLAndQRCode(t *testing.T) {
	a := start(t, testapp.Memory(t))
	r := a.LoggedIn(testapp.Alice).Post("/totp/enrolment", nil).Want(t, 200)
	var e enrolment
	r.JSON(t, &e)
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", r.Header.Get("Cache-Control"))
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Example:alice@example.com" || q.Get("secret") != e.Secret ||
		q.Get("issuer") != "Example" || q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" {
		t.Errorf("URL %s", e.URL)
	}
	if image, err := png.Decode(bytes.NewReader(e.PNG)); err != nil || image.Bounds().Dx() < 200 {
		t.Errorf("image: %v", err)
	}
	shown := totp.Enrolment{Secret: e.Secret, Token: e.Enrolment, URL: e.URL}
	svg, err := shown.SVG()
	if err != nil || !strings.Contains(string(svg), "<svg") || strings.Contains(string(svg), "<script") {
		t.Errorf("SVG %.100s, %v", svg, err)
	}
	var width, height, x, y int
	_, path, _ := strings.Cut(string(svg), ` d="`)
	_, box, _ := strings.Cut(string(svg), `viewBox="`)
	_, _ = fmt.Sscanf(path, "M%d,%d", &x, &y)
	if _, err := fmt.Sscanf(box, "0 0 %d %d", &width, &height); err != nil || x != 4 || y != 4 || (width-8-17)%4 != 0 {
		t.Errorf("no margin of 4 modules: %.60s, %.300s", path, svg)
	}
	if text := fmt.Sprintf("%v %+v %#v", shown, shown, shown); strings.Contains(text, e.Secret) {
		t.Errorf("prints %s", text)
	}
}

// TestSecretIsSealedAndRotates looks at what is stored, and moves the factor to another key.
func TestSecretIsSealedAndRotates(t *testing.T) {
	b := testapp.Memory(t)
	a := start(t, b)
	secret := a.enrol(t, a.LoggedIn(testapp.Alice))
	owner := "users:" + a.Alice.AuthID()
	stored := func() stores.Factor {
		found, err := b.Set.Factors.FactorsOf(t.Context(), owner)
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	before := stored()
	raw, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if strings.Contains(string(before.Data), secret) || bytes.Contains(before.Data, raw) {
		t.Error("the secret is stored in clear")
	}
	if strings.Contains(a.Logs.String(), secret) {
		t.Error("the secret is in the log")
	}
	next := ginauth.NewKey()
	with := func(key ginauth.Key, previous ...ginauth.Key) *app {
		f := totp.New(totp.Options{})
		s := a.Sibling(func(c *ginauth.Config) { c.Key, c.PreviousKeys, c.Features = key, previous, []ginauth.Feature{f} })
		engine := gin.New()
		engine.Use(s.StartSession())
		engine.POST("/login", testapp.Login)
		engine.GET("/me", s.Auth(), testapp.Me)
		f.Mount(engine)
		s.Serve(engine)
		return &app{s, f}
	}
	rotated := with(next, testapp.Key)
	c := rotated.Client()
	rotated.pending(t, c, "/login")
	c.Post("/login/totp", codeForm{Code: a.code(t, secret, 0)}).Want(t, 200)
	if bytes.Equal(stored().Data, before.Data) {
		t.Error("the secret was not sealed again")
	}
	a.Clock.Advance(time.Minute)
	alone := with(next) // the former key is gone
	c = alone.Client()
	alone.pending(t, c, "/login")
	c.Post("/login/totp", codeForm{Code: a.code(t, secret, 0)}).Want(t, 200)
	c.Get("/me").Want(t, 200)
}

// TestRoutesOfTheSuite logs in by package routes.
func TestRoutesOfTheSuite(t *testing.T) {
	f := totp.New(totp.Options{})
	a := &app{testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Features, c.Pages.SecondFactor, c.Pages.Home = []ginauth.Feature{f}, "/second", "/home"
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		routes.Mount(r, a.Manager, routes.Options{Without: []routes.Route{routes.ShowVerifyEmail, routes.ShowConfirmEmail}})
		f.Mount(r)
	})), f}
	secret := a.enrol(t, a.LoggedIn(testapp.Alice))
	b := a.Browser()
	b.Form("/login", "email=alice%40example.com&password="+url.QueryEscape(testapp.Password)).WantRedirect(t, "/second")
	b.Form("/login/totp", "code="+a.code(t, secret, 0)).WantRedirect(t, "/home")
	a.Clock.Advance(time.Minute)
	token := a.pending(t, a.Client(), "/token")
	a.Client().Post("/login/totp", codeForm{Token: token, Code: a.code(t, secret, 0)}).Want(t, 200).Tokens(t)
}

// TestOutageIsNoWrongCode takes the factors away.
func TestOutageIsNoWrongCode(t *testing.T) {
	b := testapp.Memory(t)
	broken := &brokenFactors{Factors: b.Set.Factors}
	b.Set.Factors = broken
	a := start(t, b)
	secret := a.enrol(t, a.LoggedIn(testapp.Alice))
	c := a.Client()
	a.pending(t, c, "/login")
	broken.down.Store(true)
	c.Post("/login/totp", codeForm{Code: a.code(t, secret, 0)}).Want(t, 503)
	a.Client().Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 503)
	broken.down.Store(false)
	c.Post("/login/totp", codeForm{Code: a.code(t, secret, 0)}).Want(t, 200)
	testapp.WantEvents[events.FactorFailed](a.App, 0)
}

type brokenFactors struct {
	stores.Factors
	down atomic.Bool
}

func (b *brokenFactors) FactorsOf(ctx context.Context, owner string, kinds ...string) ([]stores.Factor, error) {
	if b.down.Load() {
		return nil, context.DeadlineExceeded
	}
	return b.Factors.FactorsOf(ctx, owner, kinds...)
}
