package socialservertest_test

import (
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
)

// listen returns a server on a port of this machine that does not serve yet, and its address.
func listen(t *testing.T) (*httptest.Server, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Listener.Close()
	server.Listener = listener
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return server, "http://localhost:" + port
}

// application starts one that signs in with a provider.
func application(t *testing.T, server *httptest.Server, base, issuer string) (*social.Feature, *ginauthtest.Users) {
	t.Helper()
	gin.SetMode(gin.TestMode)
	users := new(ginauthtest.Users)
	signIn := social.New(social.Options{Providers: []social.Provider{social.OIDC(social.OIDCConfig{
		Name: "zitadel", Issuer: issuer, ClientID: "web", ClientSecret: "secret", UserInfo: true,
	})}})
	auth, err := ginauth.New(ginauth.Config{
		Users: users, Mail: ginauth.MailConfig{BaseURL: base}, Features: []ginauth.Feature{signIn}, Pages: ginauth.PagesConfig{Home: "/me"},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(t.Context()) })
	r := gin.New()
	signIn.Mount(r)
	r.GET("/me", auth.StartSession(), auth.Auth("web"), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		c.String(http.StatusOK, "%s %s %v", u.Name, u.Email, u.AuthEmailVerified())
	})
	server.Config.Handler = r
	server.Start()
	t.Cleanup(server.Close)
	return signIn, users
}

func read(t *testing.T, res *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// browser returns a client with cookies, which asks for HTML.
type browser struct{ *http.Client }

func newBrowser(t *testing.T) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return browser{&http.Client{Jar: jar, Transport: acceptHTML{}}}
}

type acceptHTML struct{}

func (acceptHTML) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept", "text/html")
	return http.DefaultTransport.RoundTrip(r)
}

var refresh = regexp.MustCompile(`content="0;url=([^"]+)"`)

// signIn goes to the provider, logs in there, and comes back.
func (b browser) signIn(t *testing.T, base, issuer, name string) string {
	t.Helper()
	res, err := b.PostForm(base+"/auth/zitadel", nil)
	found := refresh.FindStringSubmatch(read(t, res, err))
	if found == nil {
		t.Fatal("the page leads nowhere")
	}
	res, err = b.Get(html.UnescapeString(found[1]))
	page := read(t, res, err)
	at := res.Request.URL
	if !strings.HasPrefix(at.String(), issuer) || !strings.Contains(page, "password") {
		t.Fatalf("the browser is at %s: %s", at, page)
	}
	res, err = b.PostForm(at.Scheme+"://"+at.Host+at.Path, url.Values{
		"username": {name}, "password": {"verysecure"}, "id": {at.Query().Get("authRequestID")},
	})
	page = read(t, res, err)
	if res.StatusCode != http.StatusOK || res.Request.URL.String() != base+"/me" {
		t.Fatalf("the browser is at %s with status %d: %s", res.Request.URL, res.StatusCode, page)
	}
	return page
}

func TestSignInWithZitadel(t *testing.T) {
	provider, issuer := listen(t)
	app, base := listen(t)
	storage.RegisterClients(storage.WebClient("web", "secret", base+"/auth/zitadel/callback"))
	handler := exampleop.SetupServer(issuer, storage.NewStorage(storage.NewUserStore(issuer)), nil, false)
	provider.Config.Handler = handler
	provider.Start()
	t.Cleanup(provider.Close)
	_, users := application(t, app, base, issuer)

	for range 2 { // the first login registers
		if page := newBrowser(t).signIn(t, base, issuer, "test-user@localhost"); page != "Test User test-user@zitadel.ch true" {
			t.Errorf("logged in as %q", page)
		}
	}
	if page := newBrowser(t).signIn(t, base, issuer, "test-user2"); !strings.HasPrefix(page, "Test User2 ") {
		t.Errorf("logged in as %q", page)
	}
	if users.Get("1") == nil || users.Get("2") == nil || users.Get("3") != nil {
		t.Error("there are not two users")
	}
}
