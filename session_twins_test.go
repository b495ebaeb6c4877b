package ginauth_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// twice returns a client that sends the values as cookies of one name, in this order.
func twice(a *testapp.App, name string, values ...string) *testapp.Client {
	c := a.Client()
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, name+"="+v)
	}
	c.Header.Set("Cookie", strings.Join(pairs, "; "))
	return c
}

func TestOneOfTwoCookiesOpensTheSession(t *testing.T) { // S15
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice, bob := a.LoggedIn(testapp.Alice).Session(), a.LoggedIn(testapp.Bob).Session()
		out := a.LoggedIn(testapp.Alice)
		ended := out.Session()
		out.Post("/logout", nil).Want(t, 204)
		other := strings.Repeat("A", len(alice))
		for name, pair := range map[string][2]string{
			"another application": {alice, "s%3Aabc.def"}, "unknown": {alice, other}, "ended": {alice, ended}, "empty": {alice, ""}, "too long": {alice, strings.Repeat("x", 5000)},
		} {
			for _, values := range [][]string{{pair[0], pair[1]}, {pair[1], pair[0]}, {pair[1], pair[0], pair[1]}} {
				if got := twice(a, testapp.SessionCookie, values...).Get("/me").Want(t, 200).UserName(t); got != "Alice" {
					t.Errorf("%s: %q", name, got)
				}
			}
		}
		// Two that open sessions are of two users, and nobody can tell who planted which.
		for _, values := range [][]string{{alice, bob}, {bob, alice}, {alice, bob, other}} {
			twice(a, testapp.SessionCookie, values...).Get("/me").Want401(t)
		}
		twice(a, testapp.SessionCookie, alice, alice).Get("/me").Want(t, 200)
		twice(a, testapp.SessionCookie, alice, "1", "2", "3").Get("/me").Want(t, 200)
		twice(a, testapp.SessionCookie, alice, "1", "2", "3", "4").Get("/me").Want401(t) // each may cost a call of the store
		for _, form := range []string{testapp.SessionCookie + "; %s", testapp.SessionCookie + " =x; %s", "%s; " + testapp.SessionCookie} {
			c := a.Client()
			c.Header.Set("Cookie", strings.ReplaceAll(form, "%s", testapp.SessionCookie+"="+alice))
			c.Get("/me").Want(t, 200)
		}
	})
}

func TestSeveralCookiesAreToldOnce(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	alice := a.LoggedIn(testapp.Alice).Session()
	for range 5 {
		twice(a, testapp.SessionCookie, alice, "other").Get("/me").Want(t, 200)
	}
	if n := strings.Count(a.Logs.String(), "level=WARN msg=\"ginauth: a browser sent several cookies of one name"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if strings.Contains(a.Logs.String(), alice) {
		t.Error("the log holds a session cookie")
	}
}

// jarBrowser is a browser with a cookie jar that knows domains and paths. All hosts lead to the
// application.
type jarBrowser struct {
	t      *testing.T
	client *http.Client
}

func newJarBrowser(t *testing.T) *jarBrowser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &jarBrowser{t, &http.Client{Jar: jar}}
}

// visit sends a request to an application under a host name, and returns the status.
func (b *jarBrowser) visit(a *testapp.App, method, target string, body string) int {
	b.t.Helper()
	b.client.Transport = &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, a.Server.Listener.Addr().String())
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	defer b.client.CloseIdleConnections()
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// values returns the values of the cookies of a name that are sent to a URL.
func (b *jarBrowser) values(target, name string) (values []string) {
	u, _ := url.Parse(target)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			values = append(values, c.Value)
		}
	}
	return values
}

func TestChangeOfDomainOrPathLogsNobodyOutForever(t *testing.T) {
	const login, site = `{"email":"` + testapp.Alice + `","password":"` + testapp.Password + `"}`, "https://app.example.com"
	scope := func(domain, path string) func(*ginauth.Config) {
		return func(c *ginauth.Config) {
			c.Session.Cookie = ginauth.CookieConfig{Name: "app", Domain: domain, Path: path}
		}
	}
	for name, change := range map[string][2]func(*ginauth.Config){
		"to a domain":        {scope("", ""), scope("example.com", "")},
		"to the host":        {scope("example.com", ""), scope("", "")},
		"to a wider domain":  {scope("app.example.com", ""), scope("example.com", "")},
		"from a path":        {scope("", "/me"), scope("", "/")},
		"from path and wide": {scope("example.com", "/me"), scope("", "/")},
	} {
		t.Run(name, func(t *testing.T) {
			before := testapp.New(t, testapp.Memory(t), testapp.Configure(change[0]))
			after := before.Sibling(change[1])
			b := newJarBrowser(t)
			for _, app := range []*testapp.App{before, after} { // the second login leaves two cookies
				if status := b.visit(app, "POST", site+"/remember", login); status != 204 {
					t.Fatalf("login: %d", status)
				}
			}
			if n := len(b.values(site+"/me", "app")); n != 2 {
				t.Fatalf("%d session cookies, the test needs two", n)
			}
			_ = b.visit(after, "POST", site+"/logout", "") // of one of the two sessions, or of none
			if status := b.visit(after, "POST", site+"/remember", login); status != 204 {
				t.Fatalf("login: %d", status)
			}
			for range 2 {
				b.visit(after, "GET", site+"/me", "")
			}
			if status := b.visit(after, "GET", site+"/me", ""); status != 200 {
				t.Errorf("after the change: %d", status)
			}
			if n := len(b.values(site+"/me", "app")); n != 1 {
				t.Errorf("%d session cookies are left", n)
			}
		})
	}
}

func TestDeadTwinIsDeletedAndTheLivingCookieStays(t *testing.T) {
	const site = "https://app.example.com"
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Session.Cookie.Name = "app" }))
	logged := a.LoggedIn(testapp.Alice).Cookies["app"]
	for _, living := range []string{"", "app.example.com", "example.com"} {
		for _, dead := range []string{"", "app.example.com", "example.com"} {
			if dead == living {
				continue
			}
			b := newJarBrowser(t)
			u, _ := url.Parse(site)
			b.client.Jar.SetCookies(u, []*http.Cookie{
				{Name: "app", Value: strings.Repeat("A", len(logged)), Domain: dead, Path: "/", Secure: true},
				{Name: "app", Value: logged, Domain: living, Path: "/", Secure: true},
			})
			if status := b.visit(a, "GET", site+"/me", ""); status != 200 {
				t.Errorf("living at %q, dead at %q: %d", living, dead, status)
			}
			if values := b.values(site, "app"); len(values) != 1 || values[0] != logged {
				t.Errorf("living at %q, dead at %q: left %q", living, dead, values)
			}
			if status := b.visit(a, "GET", site+"/me", ""); status != 200 {
				t.Errorf("living at %q, dead at %q, again: %d", living, dead, status)
			}
		}
	}
}

func TestOneOfTwoRememberCookiesLogsIn(t *testing.T) { // M08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for _, first := range []bool{true, false} {
			alice := a.Remembered(testapp.Alice).Remember()
			values := []string{alice, "grm_" + strings.Repeat("A", len(alice)-4)}
			if !first {
				values[0], values[1] = values[1], values[0]
			}
			if got := twice(a, testapp.RememberCookie, values...).Get("/me").Want(t, 200).UserName(t); got != "Alice" {
				t.Errorf("remembered %q", got)
			}
		}
		alice, bob := a.Remembered(testapp.Alice).Remember(), a.Remembered(testapp.Bob).Remember()
		twice(a, testapp.RememberCookie, alice, bob).Get("/me").Want401(t)
		a.WithRemember(alice).Get("/me").Want(t, 200) // nothing was used up
	})
}

// net/http reads 3,000 cookies and no more.
func TestManyCookiesDoNotHideOurs(t *testing.T) { // X02
	a := testapp.New(t, testapp.Memory(t))
	alice := a.LoggedIn(testapp.Alice).Session()
	for _, n := range []int{0, 2999, 3000, 3001, 5000} {
		c := a.Client()
		c.Header.Set("Cookie", strings.Repeat("a=b; ", n)+testapp.SessionCookie+"="+alice)
		c.Get("/me").Want(t, 200)
		c.Header.Set("Sec-Fetch-Site", "cross-site")
		c.Header.Set("Authorization", "Bearer x")
		c.Post("/set?k=a&v=b", nil).Want(t, 403)
	}
}
