package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestPreflightReportsWhatIsWrong(t *testing.T) { // A20
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
	for _, want := range []string{"GET /open", `"nobody-defined-this"`, `"edit"`, "*ginauth_test.plainUser", "Key:", "Stores:", "ClientIP", "InsecureDisable", "Weak"} {
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
	if text := fmt.Sprint(m.Preflight(context.Background(), r)); strings.Contains(text, "ClientIP:") {
		t.Errorf("trusted proxies are set: %s", text)
	}
}

// draft is a resource whose policy is for the value.
type draft struct{}

type draftPolicy struct{}

func (draftPolicy) Edit(context.Context, *models.User, draft) bool { return true }

func TestPreflightReportsPolicyOfAnotherType(t *testing.T) {
	m, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users), Hashing: ginauthtest.CheapHashing()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	ginauth.RegisterPolicy[*models.User, *testapp.Post](m.Gate(), testapp.PostPolicy{})
	ginauth.RegisterPolicy[*models.User, draft](m.Gate(), draftPolicy{})
	m.Authorize("view", ginauth.Load("id", func(context.Context, string) (*testapp.Post, bool, error) { return nil, false, nil }))
	m.Authorize("edit", ginauth.OfType[draft]())
	if text := fmt.Sprint(m.Preflight(context.Background(), nil)); strings.Contains(text, "policy") {
		t.Errorf("the types fit: %s", text)
	}
	m.Authorize("view", ginauth.Load("id", func(context.Context, string) (testapp.Post, bool, error) { return testapp.Post{}, false, nil }))
	m.Authorize("edit", ginauth.OfType[*draft]())
	text := fmt.Sprint(m.Preflight(context.Background(), nil))
	for _, want := range []string{
		"policy ginauth_test.draftPolicy: is for ginauth_test.draft, and Authorize asks about *ginauth_test.draft",
		"policy testapp.PostPolicy: is for *testapp.Post, and Authorize asks about testapp.Post",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}

func TestPreflightReportsTokensInMemory(t *testing.T) {
	b := testapp.Cookie(t)
	findings := func(configure func(*ginauth.Config)) string {
		cfg := ginauth.Config{Key: testapp.Key, Stores: b.Set, Hashing: ginauthtest.CheapHashing()}
		configure(&cfg)
		m, err := ginauth.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(context.Background())
		return fmt.Sprint(m.Preflight(context.Background(), nil))
	}
	const subject = "Stores.Tokens: are in memory beside Stores.ClientSessions"
	if got := findings(func(*ginauth.Config) {}); !strings.Contains(got, subject) {
		t.Errorf("found %s", got)
	}
	for name, fine := range map[string]func(*ginauth.Config){
		"no key":           func(c *ginauth.Config) { c.Key = "" }, // the sessions end with the process too
		"tokens elsewhere": func(c *ginauth.Config) { c.Stores.Tokens = elsewhereTokens{b.Set.Tokens} },
		"rows": func(c *ginauth.Config) {
			c.Stores.Sessions, c.Stores.ClientSessions = testapp.Memory(t).Set.Sessions, nil
		},
	} {
		if got := findings(fine); strings.Contains(got, subject) {
			t.Errorf("%s: found %s", name, got)
		}
	}
}

// plainSessions and plainTokens have no optional capability.
type (
	plainSessions struct{ stores.Sessions }
	plainTokens   struct{ stores.Tokens }
)

func TestPreflightReportsStoresWithoutLimits(t *testing.T) { // B01
	limited := memstore.New(memstore.Options{})
	plain := stores.Set{Sessions: plainSessions{limited.Sessions}, Tokens: plainTokens{limited.Tokens}, Limiter: limited.Limiter}
	for name, c := range map[string]struct {
		set  stores.Set
		want []string
	}{"limited": {limited, nil}, "plain": {plain, []string{"Stores.Sessions", "Stores.Tokens"}}} {
		auth, err := ginauth.New(ginauth.Config{Key: testapp.Key, Users: new(ginauthtest.Users), Stores: c.set})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range auth.Preflight(t.Context(), nil) {
			if strings.Contains(f.Problem, "fill the store") {
				got = append(got, f.Subject)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: findings of %q, want %q", name, got, c.want)
		}
		if err := auth.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestPreflightReportsGuardAfterHandler(t *testing.T) {
	m, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	r := gin.New()
	handler := func(c *gin.Context) { c.String(200, "secret") }
	r.GET("/after", handler, m.Auth())
	r.GET("/alone", m.Auth())
	r.GET("/before", m.Auth(), handler)
	r.GET("/guest", m.StartSession(), m.Guest(), handler)
	r.Group("/group", m.Auth()).GET("", handler)
	text := fmt.Sprint(m.Preflight(context.Background(), r))
	for path, reported := range map[string]bool{"/after": true, "/alone": true, "/before": false, "/guest": false, "/group": false} {
		if strings.Contains(text, "GET "+path+": has neither Auth nor Guest before its handler") != reported {
			t.Errorf("%s: %s", path, text)
		}
	}
}

func TestPreflightTriesClientIP(t *testing.T) {
	quiet := func(proxies ...string) *gin.Engine {
		r := gin.New()
		if err := r.SetTrustedProxies(proxies); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, tt := range []struct {
		name   string
		change func(*ginauth.Config)
		engine *gin.Engine
		want   string // "" if nothing is wrong
	}{
		{"of Gin, every proxy", func(c *ginauth.Config) { c.ClientIP = (*gin.Context).ClientIP }, gin.New(), "SetTrustedProxies"},
		{"of Gin, no proxy", func(c *ginauth.Config) { c.ClientIP = (*gin.Context).ClientIP }, quiet(), ""},
		{"of Gin, one proxy", func(c *ginauth.Config) { c.ClientIP = (*gin.Context).ClientIP }, quiet("127.0.0.1"), "X-Real-Ip"},
		{"of Gin, proxies of IPv6", func(c *ginauth.Config) { c.ClientIP = (*gin.Context).ClientIP }, quiet("fd00::/8"), "X-Real-Ip"},
		{"trusted proxies", func(c *ginauth.Config) {
			c.TrustedProxies = []string{"10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fd00::/8", "unix"}
		}, gin.New(), ""},
		{"first entry of every peer", func(c *ginauth.Config) {
			c.ClientIP = func(c *gin.Context) string { return strings.Split(c.GetHeader("X-Forwarded-For"), ", ")[0] }
		}, gin.New(), "every peer"},
		{"first entry of one peer", func(c *ginauth.Config) {
			c.ClientIP = func(c *gin.Context) string {
				if c.RemoteIP() != "127.0.0.1" {
					return c.RemoteIP()
				}
				return strings.Split(c.GetHeader("X-Forwarded-For"), ", ")[0]
			}
		}, gin.New(), "first IP address"},
		{"a header of the proxy's own", func(c *ginauth.Config) {
			c.ClientIP = func(c *gin.Context) string { return c.GetHeader("Fly-Client-Ip") }
		}, gin.New(), ""},
		{"panics", func(c *ginauth.Config) {
			c.ClientIP = func(c *gin.Context) string { return c.Request.URL.Path }
		}, gin.New(), "panics"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := testapp.New(t, testapp.Memory(t), testapp.Configure(tt.change))
			var got string
			for _, f := range a.Preflight(context.Background(), tt.engine) {
				if f.Subject == "ClientIP" {
					got += f.Problem
				}
			}
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// TestPreflightFindsAnotherApplication starts applications with keys of their own on one store. Machines of one
// application, a rotated key and a mark that has expired are no finding, and a store that cannot be written is no fault.
func TestPreflightFindsAnotherApplication(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		now := time.Now()
		finds := func(tokens stores.Tokens, key ginauth.Key, previous ...ginauth.Key) bool {
			t.Helper()
			set := b.Set
			set.Tokens = tokens
			m, err := ginauth.New(ginauth.Config{
				Key: key, PreviousKeys: previous, Stores: set, Hashing: ginauthtest.CheapHashing(), Now: func() time.Time { return now },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close(context.Background())
			return strings.Contains(fmt.Sprint(m.Preflight(t.Context(), nil)), "another Key")
		}
		old, key, other := ginauth.NewKey(), ginauth.NewKey(), ginauth.NewKey()
		for i, step := range []struct {
			tokens   stores.Tokens
			key      ginauth.Key
			previous []ginauth.Key
			days     int // that have passed
			want     bool
		}{
			{readOnlyTokens{b.Set.Tokens}, other, nil, 0, false}, // leaves no mark
			{b.Set.Tokens, old, nil, 0, false},
			{b.Set.Tokens, old, nil, 0, false},
			{b.Set.Tokens, key, []ginauth.Key{old}, 20, false},
			{readOnlyTokens{b.Set.Tokens}, other, nil, 0, true},
			{b.Set.Tokens, other, nil, 0, true},
			{b.Set.Tokens, key, []ginauth.Key{old}, 0, true},
			{b.Set.Tokens, key, nil, 29, true},
			{b.Set.Tokens, key, nil, 31, false},
		} {
			now = now.AddDate(0, 0, step.days)
			if got := finds(step.tokens, step.key, step.previous...); got != step.want {
				t.Errorf("step %d: found another application: %v", i, got)
			}
		}
	})
}

// readOnlyTokens stores nothing.
type readOnlyTokens struct{ stores.Tokens }

func (readOnlyTokens) Create(context.Context, stores.Token) (bool, error) {
	return false, errors.New("read-only")
}
