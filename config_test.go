package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestNewReportsAllFaultsAtOnce(t *testing.T) { // C02, J03, P07
	_, err := ginauth.New(ginauth.Config{
		Key:          "base64:c2hvcnQ=",
		PreviousKeys: []ginauth.Key{"CANARY-not-a-key"},
		StoreTimeout: -1,
		DefaultGuard: "typo",
		EventQueue:   -1,
		Guards:       map[string]ginauth.GuardConfig{"a b": {}, "web": {}},
		Session: ginauth.SessionConfig{
			IdleTimeout: time.Minute, TouchInterval: time.Hour,
			Cookie: ginauth.CookieConfig{Name: "__Host-x", Domain: "example.com", InsecureAllowHTTP: true, SameSite: http.SameSiteNoneMode, MaxAge: -1},
		},
		Throttle:    ginauth.ThrottleConfig{Address: ginauth.Limit{Attempts: -1, Per: time.Minute}},
		CrossOrigin: ginauth.CrossOriginConfig{TrustedOrigins: []string{"example.com"}, InsecureBypassPatterns: []string{"{"}},
		Pages:       ginauth.PagesConfig{Login: "//evil.example", APIPrefixes: []string{"api"}},
		Hashing:     hashing.Config{Driver: hashing.Argon2id{Memory: 1024, Time: 1}},
		Stores:      stores.Set{Sessions: memstore.NewSessions(memstore.Options{PruneEvery: -1})},
	})
	if !errors.Is(err, ginauth.ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, field := range []string{
		"Key:", "PreviousKeys[0]", "StoreTimeout", "DefaultGuard", "EventQueue", `Guards["a b"]`, "TouchInterval", "Cookie.Domain",
		"InsecureAllowHTTP", "SameSite", "MaxAge", "Throttle.Address", "TrustedOrigins", "InsecureBypassPatterns", "Pages.Login",
		"APIPrefixes", "Hashing", "Stores.Tokens", "Stores.Limiter",
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s", field)
		}
	}
	if strings.Contains(err.Error(), "CANARY") {
		t.Error("the error quotes a key")
	}
}

func TestImpossibleCookies(t *testing.T) { // C02
	for name, c := range map[string]ginauth.CookieConfig{
		"host with domain":        {Domain: "example.com"},
		"host with path":          {Path: "/x"},
		"host without TLS":        {InsecureAllowHTTP: true},
		"secure prefix, no TLS":   {Name: "__Secure-x", InsecureAllowHTTP: true},
		"SameSite=None, no TLS":   {Name: "x", InsecureAllowHTTP: true, SameSite: http.SameSiteNoneMode},
		"name":                    {Name: "a b"},
		"name with a semicolon":   {Name: "a;b"},
		"path with a line break":  {Name: "x", Path: "/\r\nSet-Cookie: a=b"},
		"domain with a semicolon": {Name: "x", Domain: "a;b"},
	} {
		if _, err := ginauth.New(ginauth.Config{Session: ginauth.SessionConfig{Cookie: c}}); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// elsewhere is a store that is not in memory, for all New can tell.
type elsewhere struct{ stores.Sessions }

func TestKeyIsNeededOutsideMemory(t *testing.T) {
	set := memstore.New(memstore.Options{PruneEvery: -1})
	defer set.Close()
	set.Sessions = elsewhere{set.Sessions}
	_, err := ginauth.New(ginauth.Config{Stores: set})
	if err == nil || !strings.Contains(err.Error(), "Key") || !strings.Contains(err.Error(), "memory") {
		t.Fatalf("error %v", err)
	}
	for _, key := range []ginauth.Key{"", "x", "change-me-in-production-min-32-chars!!", "base64:" + ginauth.Key(strings.Repeat("A", 43)) + "=", ginauth.Key(strings.Repeat("0", 64))} {
		if _, err := ginauth.New(ginauth.Config{Stores: set, Key: key}); err == nil {
			t.Errorf("key %q is accepted", string(key))
		}
	}
	m, err := ginauth.New(ginauth.Config{Stores: set, Key: ginauth.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Close(context.Background())
}

func TestRegistrationFindsSlips(t *testing.T) {
	m, err := ginauth.New(ginauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	testapp.MustPanic(t, "no user provider", func() { m.Auth() })
	testapp.MustPanic(t, `"typo"`, func() { m.Auth("typo") })
	testapp.MustPanic(t, `"typo"`, func() { m.Guest("typo") })
	testapp.MustPanic(t, "one resource", func() { m.Authorize("x", 1, 2) })
	testapp.MustPanic(t, "no resource", func() { m.Authorize("x", 1) })
	testapp.MustPanic(t, "Authorize", func() { m.Authorize("") })
	testapp.MustPanic(t, "Load", func() { ginauth.Load[int]("id", nil) })
	testapp.MustPanic(t, "SetDefault", func() { ginauth.SetDefault(nil) })
}

func TestConfigIsCopied(t *testing.T) {
	cfg := ginauth.Config{Pages: ginauth.PagesConfig{APIPrefixes: []string{"/api/"}}, Guards: map[string]ginauth.GuardConfig{"admin": {Users: new(ginauthtest.Users)}}}
	m, err := ginauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	if cfg.StoreTimeout != 0 || cfg.DefaultGuard != "" || cfg.Session.IdleTimeout != 0 {
		t.Error("New changed the caller's Config")
	}
	m.Auth() // the only guard is the default one
}

// badGuard finds users in a header, or fails.
type badGuard struct{ users models.UserProvider }

func (g badGuard) Identify(ctx context.Context, a *ginauth.Authenticator) (ginauth.Identity, error) {
	switch id := a.Request().Header.Get("X-User"); id {
	case "":
		return ginauth.Identity{}, nil
	case "error":
		return ginauth.Identity{}, errors.New("CANARY-guard")
	default:
		u, err := g.users.UserByID(ctx, id)
		return ginauth.Identity{User: u}, err
	}
}

func (badGuard) Challenge(*http.Request) string { return `Header name="X-User"` }

func TestGuardsOfOnesOwn(t *testing.T) {
	b := testapp.Memory(t)
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{
			"web":    {},
			"header": {New: func(s ginauth.GuardSetup) (ginauth.Guard, error) { return badGuard{b.Users}, nil }},
		}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.GET("/both", a.Auth("header", "web"), func(c *gin.Context) {
			c.String(200, ginauth.From(c).GuardName())
		})
		r.GET("/header", a.Auth("header"), testapp.Me)
		r.POST("/header-login", func(c *gin.Context) {
			au := ginauth.From(c).Guard("header")
			_, err := au.LoginUsingID(c.Request.Context(), "1")
			if !errors.Is(err, errors.ErrUnsupported) || !errors.Is(au.Logout(c.Request.Context()), errors.ErrUnsupported) {
				t.Errorf("a stateless guard logs in: %v", err)
			}
		})
	}))
	c := a.Client()
	if res := c.Get("/header").Want(t, 401); res.Header.Get("WWW-Authenticate") != `Header name="X-User"` {
		t.Errorf("challenge %q", res.Header.Get("WWW-Authenticate"))
	}
	c.Header.Set("X-User", "error")
	if res := c.Get("/both").Want(t, 503); strings.Contains(res.Text, "CANARY") {
		t.Errorf("body %s", res.Text)
	}
	c.Header.Set("X-User", "1")
	if got := c.Get("/both").Want(t, 200).Text; got != "header" {
		t.Errorf("guard %q", got)
	}
	c = a.LoggedIn(testapp.Bob)
	if got := c.Get("/both").Want(t, 200).Text; got != "web" {
		t.Errorf("guard %q", got)
	}
	c.Post("/header-login", nil).Want(t, 200)
}

func TestTwoSessionGuards(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		staff := new(ginauthtest.Users)
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/staff", a.Auth("staff"), testapp.Me)
			r.POST("/staff-in", func(c *gin.Context) {
				if _, err := ginauth.From(c).Guard("staff").LoginUsingID(c.Request.Context(), "1"); err != nil {
					t.Error(err)
				}
			})
			r.POST("/staff-out", func(c *gin.Context) {
				if err := ginauth.From(c).Guard("staff").Logout(c.Request.Context()); err != nil {
					t.Error(err)
				}
			})
		}))
		u := *a.Alice
		u.Name = "Staff"
		if err := staff.CreateUser(context.Background(), &u); err != nil {
			t.Fatal(err)
		}
		c := a.LoggedIn(testapp.Bob)
		c.Get("/staff").Want401(t)
		c.Post("/staff-in", nil).Want(t, 200)
		both := c.Session()
		if c.Get("/staff").Want(t, 200).UserName(t) != "Staff" || c.Get("/me").Want(t, 200).UserName(t) != "Bob" {
			t.Error("two guards in one session")
		}
		c.Post("/staff-out", nil).Want(t, 200)
		c.Get("/staff").Want401(t)
		if c.Get("/me").Want(t, 200).UserName(t) != "Bob" || c.Session() == both {
			t.Error("leaving one guard")
		}
		a.Client().With(both).Get("/me").Want401(t)
		c.Post("/logout", nil).Want(t, 204)
		if c.Get("/me").Want401(t); c.Session() != "" {
			t.Error("the last guard's logout left a session")
		}
	})
}

func TestVerifyReportsWhatIsWrong(t *testing.T) { // A20
	gin.SetMode(gin.ReleaseMode)
	defer gin.SetMode(gin.TestMode)
	users := new(ginauthtest.Users)
	m, err := ginauth.New(ginauth.Config{
		Users: users, ClientIP: (*gin.Context).ClientIP, Hashing: ginauthtest.CheapHashing(),
		Throttle: ginauth.ThrottleConfig{InsecureDisable: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	ginauth.Define(m.Gate(), "edit", func(context.Context, *plainUser, *thing) bool { return true })
	r := gin.New()
	r.Use(m.StartSession())
	r.GET("/open", func(*gin.Context) {})
	r.GET("/public", ginauth.Public(), func(*gin.Context) {})
	r.GET("/guarded", m.Auth(), m.Authorize("nobody-defined-this"), func(*gin.Context) {})
	r.GET("/guests/:id", m.Guest(), func(*gin.Context) {})
	var report []string
	for _, f := range m.Preflight(context.Background(), r) {
		report = append(report, f.String())
	}
	text := strings.Join(report, "\n")
	for _, want := range []string{"GET /open", `"nobody-defined-this"`, `"edit"`, "*ginauth_test.plainUser", "Key:", "Stores:", "SetTrustedProxies", "InsecureDisable", "Weak"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not mention %s:\n%s", want, text)
		}
	}
	for _, fine := range []string{"/public", "/guarded", "/guests"} {
		if strings.Contains(text, fine) {
			t.Errorf("the report mentions %s:\n%s", fine, text)
		}
	}
	if err := r.SetTrustedProxies(nil); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(m.Preflight(context.Background(), r)); strings.Contains(text, "SetTrustedProxies") {
		t.Errorf("trusted proxies are set: %s", text)
	}
}

func TestZeroConfiguration(t *testing.T) {
	r := gin.New()
	r.Use(ginauth.StartSession())
	r.GET("/", func(c *gin.Context) {
		n, _ := ginauth.From(c).Session().Increment("n", 1)
		c.String(200, "%d", n)
	})
	srv := httptest.NewServer(r)
	defer srv.Close()
	jar := ""
	for want := 1; want <= 3; want++ {
		req, _ := http.NewRequest("GET", srv.URL, nil)
		req.Header.Set("Cookie", jar)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, 8)
		n, _ := res.Body.Read(body)
		res.Body.Close()
		if got := string(body[:n]); got != fmt.Sprint(want) {
			t.Fatalf("visit %d counted as %s", want, got)
		}
		if line := res.Header.Get("Set-Cookie"); line != "" {
			jar, _, _ = strings.Cut(line, ";")
		}
	}
}
