package pages_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/pages"
)

// withSite is an application whose users sign in with another site, too. It returns the site's handler.
func withSite(t *testing.T) (*testapp.App, *socialtest.Provider) {
	t.Helper()
	var provider *socialtest.Provider
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	provider = socialtest.New(server.URL, "client", "secret",
		socialtest.User{Subject: "1", Name: "Olga", Email: "olga@example.com", EmailVerified: true},
		socialtest.User{Subject: "2", Name: "Alice", Email: testapp.Alice, EmailVerified: true})
	provider.RedirectURIs = []string{testapp.BaseURL + "/auth/site/callback"}
	signIn := social.New(social.Options{
		Providers: []social.Provider{social.OIDC(social.OIDCConfig{
			Name: "site", Title: "The <Site>", Issuer: provider.Issuer, ClientID: "client", ClientSecret: "secret",
		})},
		ErrorPage: "/login", Home: "/identities",
	})
	a := withFeatures(t, pages.Options{SignIn: signIn.Buttons}, []ginauth.Feature{signIn})
	provider.Now = a.Clock.Now
	return a, provider
}

var leadsTo = regexp.MustCompile(`https?://[^"' ]+/authorize[^"' ]+`)

// visitSite sends a browser to the site by a form, where its user says who that is, and back. Subject "" says nothing.
func visitSite(t *testing.T, c *testapp.Client, what, subject string) *testapp.Response {
	t.Helper()
	address := leadsTo.FindString(html.UnescapeString(c.Form("/auth/site", form("for", what)).Want(t, 200).Text))
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.PostForm(address, url.Values{"user": {subject}})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	back, err := r.Location()
	if err != nil {
		t.Fatalf("the site answers %d: %v", r.StatusCode, err)
	}
	return c.Get("/auth/site/callback?" + back.RawQuery)
}

func TestAccountsAreConnectedOnAPage(t *testing.T) {
	a, _ := withSite(t)
	c := signIn(t, a, testapp.Alice)
	wants(t, c.Get("/profile").Want(t, 200), `href="/identities"`)
	none := c.Get("/identities").Want(t, 200)
	checkPage(t, none)
	wants(t, none, "You have connected no account.", `action="/auth/site"`, `name="for" value="link"`, "Connect The <Site>")

	visitSite(t, c, "link", "").WantRedirect(t, "/identities?social=social_denied")
	denied := c.Get("/identities").Want(t, 200)
	wants(t, denied, "The other site did not say who you are.", `role="alert"`)
	visitSite(t, c, "link", "1").WantRedirect(t, "/identities")
	list := c.Get("/identities").Want(t, 200)
	checkPage(t, list)
	wants(t, list, "The account is connected.", "olga@example.com", "The <Site>")
	lacks(t, list, "You have connected no account.")
	path := found(t, list, `action="(/identities/[^"]+/delete)"`)

	guest := a.Browser()
	visitSite(t, guest, "login", "1").WantRedirect(t, "/profile")
	wants(t, guest.Get("/profile").Want(t, 200), testapp.Alice)
	c.Form(path, "").WantRedirect(t, "/identities")
	wants(t, c.Get("/identities").Want(t, 200), "The account is disconnected.", "You have connected no account.")
	guest.Get("/profile").WantRedirect(t, "/login")
}

func TestLastConnectedAccountStays(t *testing.T) {
	a, _ := withSite(t)
	c := a.Browser()
	visitSite(t, c, "login", "1").WantRedirect(t, "/profile") // who has no password
	path := found(t, c.Get("/identities").Want(t, 200), `action="(/identities/[^"]+/delete)"`)
	to := c.Form(path, "").Want(t, 303).Header.Get("Location")
	if !strings.HasPrefix(to, "/identities") {
		t.Fatalf("refused at %s", to)
	}
	wants(t, c.Get(to).Want(t, 200), "It is your last way to sign in.", "olga@example.com")
}

func TestSignInPageHasButtons(t *testing.T) {
	a, _ := withSite(t)
	for _, path := range []string{"/login", "/register"} {
		shown := a.Browser().Get(path).Want(t, 200)
		checkPage(t, shown)
		wants(t, shown, `<form method="post" action="/auth/site">`, "Continue with The <Site>")
	}
	c := a.Browser()
	c.Header.Set("Accept-Language", "de")
	wants(t, c.Get("/login").Want(t, 200), "Weiter mit The <Site>")
	visitSite(t, c, "login", "2").WantRedirect(t, "/login?social=social_link_required")
	wants(t, c.Get("/login").Want(t, 200), "Zu dieser E-Mail-Adresse gibt es schon ein Konto.")
	lacks(t, c.Get("/login").Want(t, 200), "Zu dieser E-Mail-Adresse") // once
}
