package ginauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// newError returns the error of New, and closes what it made.
func newError(t *testing.T, c ginauth.Config) error {
	t.Helper()
	m, err := ginauth.New(c)
	if err == nil {
		t.Cleanup(func() { _ = m.Close(context.Background()) })
	} else if !errors.Is(err, ginauth.ErrConfig) {
		t.Errorf("error %v", err)
	}
	return err
}

func TestNewRefusesDomainsThatBrowsersIgnore(t *testing.T) {
	for domain, instead := range map[string]string{
		"https://example.com":      `"example.com"`,
		"https://app.example:8080": `"app.example"`,
		"example.com:8080":         `"example.com"`,
		"example.com/path":         `"example.com"`,
		"*.example.com":            `"example.com"`,
		"my_app.example.com":       "rename the host",
		"localhost":                "leave Domain empty",
		"com":                      "leave Domain empty",
		"192.0.2.1":                "leave Domain empty",
		"[2001:db8::1]":            "leave Domain empty",
		"2001:db8::1":              "leave Domain empty",
		"example.com.":             `"example.com"`,
		"a b.example":              "is not a domain",
		"a;b.example":              "is not a domain",
		"-a.example":               "is not a domain",
		".":                        "is not a domain",
	} {
		err := newError(t, ginauth.Config{Session: ginauth.SessionConfig{Cookie: ginauth.CookieConfig{Name: "app", Domain: domain}}})
		if err == nil || !strings.Contains(err.Error(), "Session.Cookie.Domain") || !strings.Contains(err.Error(), instead) {
			t.Errorf("%q: %v; want advice %s", domain, err, instead)
		}
	}
}

func TestNewWritesDomainsAsBrowsersDo(t *testing.T) {
	for domain, sent := range map[string]string{
		"example.com": "example.com", ".example.com": "example.com", "Example.COM": "example.com", "bücher.example": "xn--bcher-kva.example",
	} {
		a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
			c.Session.Cookie.Name, c.Session.Cookie.Domain = "app", domain
		}))
		if line := a.Client().Post("/set?k=a&v=b", nil).Want(t, 204).SetCookie(t, "app"); !strings.Contains(line, "; Domain="+sent+";") {
			t.Errorf("%q: cookie %q", domain, line)
		}
	}
}

func TestNewRefusesOriginsThatBrowsersNeverSend(t *testing.T) {
	for origin, instead := range map[string]string{
		"*": "CrossOrigin.TrustOrigin", "https://*.example.com": "CrossOrigin.TrustOrigin", "null": "name an origin",
		"admin.example": `"https://admin.example"`, "https://admin.example/path": `"https://admin.example"`,
		"https://user@admin.example": `"https://admin.example"`, "https://admin.example?x=1": `"https://admin.example"`,
		"https://": "has no host", "https://a b": "is not an origin", "": "has no scheme",
	} {
		err := newError(t, ginauth.Config{CrossOrigin: ginauth.CrossOriginConfig{TrustedOrigins: []string{origin}}})
		if err == nil || !strings.Contains(err.Error(), "CrossOrigin.TrustedOrigins") || !strings.Contains(err.Error(), instead) {
			t.Errorf("%q: %v; want advice %s", origin, err, instead)
		}
	}
}

func TestTrustedOriginsAreComparedAsBrowsersWriteThem(t *testing.T) {
	for configured, sent := range map[string]string{
		"https://Admin.Example": "https://admin.example", "https://admin.example:443": "https://admin.example",
		"http://admin.example:80": "http://admin.example", "HTTPS://admin.example": "https://admin.example",
		"https://admin.example/": "https://admin.example", "https://admin.example:8443": "https://admin.example:8443",
		"https://bücher.example": "https://xn--bcher-kva.example", "http://[2001:DB8:0::1]:8080": "http://[2001:db8::1]:8080",
		"capacitor://localhost": "capacitor://localhost", "chrome-extension://abcdefgh": "chrome-extension://abcdefgh",
	} {
		a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
			c.CrossOrigin.TrustedOrigins = []string{configured}
		}))
		c := a.Client()
		c.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {sent}}
		c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200)
		c = a.Client()
		c.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
		c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 403)
	}
}

func TestTrustOriginDecidesAboutTenants(t *testing.T) {
	var asked []string
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.CrossOrigin.TrustedOrigins = []string{"https://named.example"}
		c.CrossOrigin.TrustOrigin = func(r *http.Request, origin string) bool {
			asked = append(asked, origin)
			return origin == "https://shop.example" && r.URL.Path == "/set"
		}
	}))
	for _, row := range []struct {
		origin, path string
		status       int
		asked        bool
	}{
		{"https://shop.example", "/set?k=a&v=b", 204, true},
		{"https://shop.example", "/logout", 403, true},
		{"https://shop.example.evil", "/set?k=a&v=b", 403, true},
		{"https://named.example", "/set?k=a&v=b", 204, false},
		{"null", "/set?k=a&v=b", 403, false},
		{"", "/set?k=a&v=b", 403, false},
		{"https://" + strings.Repeat("a", 400), "/set?k=a&v=b", 403, false},
	} {
		asked = nil
		c := a.Client()
		c.Header.Set("Sec-Fetch-Site", "cross-site")
		if row.origin != "" {
			c.Header.Set("Origin", row.origin)
		}
		if c.Post(row.path, nil).Want(t, row.status); (len(asked) > 0) != row.asked {
			t.Errorf("%.40s %s: asked about %q", row.origin, row.path, asked)
		}
	}
}

func TestRefusedOriginIsNamedInTheLog(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	c := a.Client()
	c.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://spa.example"}}
	c.Post("/login", nil).Want(t, 403)
	if logs := a.Logs.String(); !strings.Contains(logs, "CrossOrigin.TrustedOrigins") || !strings.Contains(logs, "https://spa.example") {
		t.Errorf("log %s", logs)
	}
}

func TestPublicIsAMethodToo(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		r.GET("/open", a.Public(), func(c *gin.Context) { c.Status(200) })
		r.GET("/forgotten", func(c *gin.Context) { c.Status(200) })
	}))
	found := ""
	for _, f := range a.Preflight(context.Background(), a.Engine) {
		found += f.String() + "\n"
	}
	if strings.Contains(found, "/open") || !strings.Contains(found, "/forgotten") {
		t.Errorf("findings %s", found)
	}
	a.Client().Get("/open").Want(t, 200)
}

func TestPartitionedCookies(t *testing.T) {
	for name, c := range map[string]ginauth.CookieConfig{
		"SameSite": {Partitioned: true},
		"Secure":   {Name: "x", Partitioned: true, InsecureAllowHTTP: true},
	} {
		if err := newError(t, ginauth.Config{Session: ginauth.SessionConfig{Cookie: c}}); err == nil || !strings.Contains(err.Error(), "Cookie.Partitioned") {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Session.Cookie.Partitioned, c.Session.Cookie.SameSite = true, http.SameSiteNoneMode
	}))
	res := a.Client().Post("/remember", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 204)
	for _, name := range []string{testapp.SessionCookie, testapp.RememberCookie} {
		if line := res.SetCookie(t, name); !strings.Contains(line, "; Partitioned") || !strings.Contains(line, "; Secure; SameSite=None") {
			t.Errorf("cookie %q", line)
		}
	}
}

func TestNewRefusesMaxAgeThatEndsASessionInUse(t *testing.T) {
	session := func(maxAge time.Duration) ginauth.Config {
		return ginauth.Config{Session: ginauth.SessionConfig{Cookie: ginauth.CookieConfig{MaxAge: maxAge}}}
	}
	for _, d := range []time.Duration{time.Second, 2 * time.Hour, 24*time.Hour - 1} {
		if err := newError(t, session(d)); err == nil || !strings.Contains(err.Error(), "write 24h0m0s or more") {
			t.Errorf("%v: %v", d, err)
		}
	}
	for _, d := range []time.Duration{0, 24 * time.Hour, 400 * 24 * time.Hour} {
		if err := newError(t, session(d)); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
}
