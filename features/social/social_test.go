package social_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

// The users at the provider. Alice and Bob have the addresses of the two users of every test application.
const (
	carol   = "carol-1" // with a verified address that nobody has here
	dave    = "dave-2"  // without an address
	mallory = "mallory" // with Alice's address, which nobody verified
	alice   = "alice-3" // with Alice's address, verified
	bob     = "bob-4"   // with Bob's address, verified there but not here
)

func users() []socialtest.User {
	return []socialtest.User{
		{Subject: carol, Email: "Carol@Example.com", Name: "Carol", EmailVerified: true},
		{Subject: dave, Name: "Dave"},
		{Subject: mallory, Email: testapp.Alice, Name: "Mallory"},
		{Subject: alice, Email: testapp.Alice, Name: "Alice", EmailVerified: true},
		{Subject: bob, Email: testapp.Bob, Name: "Bob", EmailVerified: true},
	}
}

const secret = "CANARY client secret"

// op is a provider that listens.
type op struct {
	*socialtest.Provider
	name   string
	server *httptest.Server
}

func newOP(t *testing.T, name string) *op {
	t.Helper()
	o := &op{name: name}
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.ServeHTTP(w, r) }))
	t.Cleanup(o.server.Close)
	o.Provider = socialtest.New(o.server.URL, "client-"+name, secret, users()...)
	o.RedirectURIs = []string{testapp.BaseURL + "/auth/" + name + "/callback", "com.example.app:/callback"}
	return o
}

func (o *op) config() social.OIDCConfig {
	return social.OIDCConfig{
		Name: o.name, Title: "Example", Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: secret, Audiences: []string{"app-1"},
	}
}

// app is an application with the feature and two providers.
type app struct {
	*testapp.App
	*social.Feature
	one, two *op
}

type change = func(*social.Options, *ginauth.Config)

func start(t *testing.T, b *testapp.Backend, changes ...change) *app {
	t.Helper()
	a := &app{one: newOP(t, "one"), two: newOP(t, "two")}
	form := a.two.config()
	form.FormPost = true
	o := social.Options{
		Providers: []social.Provider{social.OIDC(a.one.config()), social.OIDC(form)}, RedirectURIs: []string{"com.example.app:/callback"},
	}
	configure := func(c *ginauth.Config) {
		for _, change := range changes {
			change(&o, c)
		}
		a.Feature = social.New(o)
		c.Features = append(c.Features, a.Feature)
	}
	a.App = testapp.New(t, b, testapp.Configure(configure), testapp.Routes(func(_ *testapp.App, r *gin.Engine) { a.Mount(r) }))
	a.one.Now, a.two.Now = a.Clock.Now, a.Clock.Now
	return a
}

func linkVerified(o *social.Options, _ *ginauth.Config) { o.LinkVerified = []string{"one"} }

// url is where the browser is sent to.
type target struct{ URL string }

// begin begins an attempt and returns the address of the provider.
func (a *app) begin(t *testing.T, c *testapp.Client, provider, what string) *url.URL {
	t.Helper()
	var got target
	c.Post("/auth/"+provider, map[string]string{"for": what}).Want(t, 200).JSON(t, &got)
	u, err := url.Parse(got.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// agree lets a user agree at the provider, and returns the response: the query of the callback.
func agree(t *testing.T, at *url.URL, subject string) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.PostForm(at.String(), url.Values{"user": {subject}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), testapp.BaseURL+"/auth/") {
		t.Fatalf("the provider responds with %d to %v (%v)", res.StatusCode, to, err)
	}
	return to.Query()
}

func (a *app) callback(c *testapp.Client, provider string, q url.Values) *testapp.Response {
	return c.Get("/auth/" + provider + "/callback?" + q.Encode())
}

// signIn is a whole login at provider "one".
func (a *app) signIn(t *testing.T, c *testapp.Client, subject string) *testapp.Response {
	t.Helper()
	return a.callback(c, "one", agree(t, a.begin(t, c, "one", "login"), subject))
}

func wantCode(t *testing.T, r *testapp.Response, status int, code string) {
	t.Helper()
	var got struct{ Code, Message string }
	r.Want(t, status).JSON(t, &got)
	if got.Code != code || strings.Contains(r.Text, "CANARY") {
		t.Errorf("code %q, want %q: %s", got.Code, code, r.Text)
	}
}

type identities struct{ Identities []social.Identity }

func (a *app) identities(t *testing.T, c *testapp.Client) []social.Identity {
	t.Helper()
	var got identities
	c.Get("/identities").Want(t, 200).JSON(t, &got)
	return got.Identities
}

func TestFirstLoginRegisters(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		c := a.Client()
		a.signIn(t, c, carol).Want(t, 200)
		c.Get("/me").Want(t, 200)
		list := a.identities(t, c)
		if len(list) != 1 || list[0].Provider != "one" || list[0].Email != "Carol@Example.com" || list[0].Title != "Example" {
			t.Errorf("identities %+v", list)
		}
		u, err := a.Backend.Users.UserByIdentifier(t.Context(), "email", "carol@example.com")
		if err != nil || u == nil || u.AuthPassword() != "" || !a.User(u.AuthID()).AuthEmailVerified() {
			t.Errorf("user %v, %v", u, err)
		}
		users := a.Backend.Users.Count()
		again := a.Client()
		a.signIn(t, again, carol).Want(t, 200)
		if got := a.identities(t, again); len(got) != 1 || got[0].ID != list[0].ID || a.Backend.Users.Count() != users {
			t.Errorf("the second login: %+v", got)
		}
		testapp.WantEvents[events.Registered](a.App, 1)
		testapp.WantEvents[social.IdentityLinked](a.App, 1)
		testapp.WantEvents[social.LoggedIn](a.App, 2)
		// A password can be added later, by the mailbox.
		token := a.ResetToken("carol@example.com")
		if err := a.Reset("carol@example.com", token, testapp.NewPassword); err != nil {
			t.Fatal(err)
		}
		a.Client().LogIn("carol@example.com", testapp.NewPassword).Want(t, 200)
		a.signIn(t, a.Client(), carol).Want(t, 200)
		for _, m := range a.RestOfMails() {
			if strings.Contains(m, "factor") || strings.Contains(m, "verify") {
				t.Errorf("a mail of the first login: %s", m)
			}
		}
	})
}

// TestUsersWithoutAddress lets several users without an address log in.
func TestUsersWithoutAddress(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		for _, subject := range []string{dave, mallory} {
			c := a.Client()
			a.signIn(t, c, subject).Want(t, 200)
			if name := c.Get("/me").Want(t, 200).UserName(t); strings.ToLower(name) != strings.Split(subject, "-")[0] {
				t.Errorf("name %q", name)
			}
			a.signIn(t, a.Client(), subject).Want(t, 200)
			c.Get("/devices").Want(t, 200)
			c.Post("/email?to="+subject+"@example.com", nil).Want(t, 204)
			link := testapp.PathOf(t, a.Outbox.Next(t, mail.EmailChange, subject+"@example.com"))
			c.Get(link).Want(t, 204)
			if u, err := a.Backend.Users.UserByIdentifier(t.Context(), "email", subject+"@example.com"); err != nil || u == nil {
				t.Errorf("the address was not added: %v", err)
			}
		}
		for _, email := range []string{"", " ", "none:"} {
			c := a.Client()
			if c.LogIn(email, testapp.Password).StatusCode == 200 {
				t.Errorf("%q logs in", email)
			}
		}
	})
}

// TestUnverifiedAddressTakesNothingOver signs in with the address of a user, which the provider has not verified (J05).
func TestUnverifiedAddressTakesNothingOver(t *testing.T) {
	a := start(t, testapp.Memory(t), linkVerified)
	c := a.Client()
	a.signIn(t, c, mallory).Want(t, 200)
	if a.Events == nil || c.Get("/me").UserName(t) != "Mallory" {
		t.Error("the stranger is somebody else")
	}
}

// TestVerifiedAddressIsLinked follows the rules for the address of an account that there is.
func TestVerifiedAddressIsLinked(t *testing.T) {
	strict := start(t, testapp.SQLite(t))
	guest := strict.Client()
	wantCode(t, strict.signIn(t, guest, alice), 409, "social_link_required")
	guest.Get("/me").Want(t, 401)
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, linkVerified)
		c := a.Client()
		wantCode(t, a.signIn(t, c, bob), 409, "social_link_required") // Bob's address is not verified here
		c.Get("/me").Want(t, 401)
		a.signIn(t, c, alice).Want(t, 200)
		if name := c.Get("/me").UserName(t); name != "Alice" {
			t.Errorf("logged in as %q", name)
		}
		if m := a.Outbox.Next(t, mail.FactorChanged, testapp.Alice); !strings.Contains(m.Text, "was linked") || !strings.Contains(m.Subject, "ways to log in") {
			t.Errorf("%s: %s", m.Subject, m.Text)
		}
		a.LoggedIn(testapp.Alice) // the password stays
	})
}

// TestLinkAndUnlink links while the user is logged in.
func TestLinkAndUnlink(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		a.Client().Post("/auth/one", map[string]string{"for": "link"}).Want(t, 401)
		a.verify(a.Bob)
		c := a.LoggedIn(testapp.Bob)
		q := agree(t, a.begin(t, c, "one", "link"), carol)
		a.callback(c, "one", q).Want(t, 204)
		a.callback(c, "one", agree(t, a.begin(t, c, "one", "link"), carol)).Want(t, 204) // again
		if m := a.Outbox.Next(t, mail.FactorChanged, testapp.Bob); !strings.Contains(m.Text, "was linked") {
			t.Error(m.Text)
		}
		other := a.Client()
		a.signIn(t, other, carol).Want(t, 200)
		if name := other.Get("/me").UserName(t); name != "Bob" {
			t.Errorf("logged in as %q", name)
		}
		// Another account cannot have it.
		d := a.LoggedIn(testapp.Alice)
		wantCode(t, a.callback(d, "one", agree(t, a.begin(t, d, "one", "link"), carol)), 409, "social_identity_taken")

		list := a.identities(t, c)
		d.Delete("/identities/"+list[0].ID).Want(t, 404)
		c.Delete("/identities/x").Want(t, 404)
		a.Clock.Advance(4 * time.Hour)
		c = a.LoggedIn(testapp.Bob)
		a.Clock.Advance(time.Hour + 50*time.Minute)
		c.Get("/me").Want(t, 200)
		a.Clock.Advance(time.Hour + 50*time.Minute) // the password is not fresh any more
		c.Delete("/identities/" + list[0].ID).WantConfirmation(t)
		c.Post("/auth/one", map[string]string{"for": "link"}).WantConfirmation(t)
		c.Confirm(testapp.Password).Want(t, 204)
		elsewhere := a.Client()
		a.signIn(t, elsewhere, carol).Want(t, 200)
		c.Delete("/identities/"+list[0].ID).Want(t, 204)
		elsewhere.Get("/me").Want(t, 401) // it was logged in by what is unlinked
		c.Get("/me").Want(t, 200)
		if m := a.Outbox.Next(t, mail.FactorChanged, testapp.Bob); !strings.Contains(m.Text, "was unlinked") {
			t.Error(m.Text)
		}
		testapp.WantEvents[social.IdentityUnlinked](a.App, 1)
		n := a.Client()
		a.signIn(t, n, carol).Want(t, 200) // an account of its own
		if name := n.Get("/me").UserName(t); name != "Carol" {
			t.Errorf("logged in as %q", name)
		}
	})
}

// TestProviderIsNotEchoed cancels at the provider.
func TestProviderIsNotEchoed(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	wantCode(t, a.signIn(t, c, "nobody"), 403, "social_denied")
	browser := a.Browser()
	at := onward(t, browser.Form("/auth/one", ""))
	r := a.callback(browser, "one", agree(t, at, "nobody")).Want(t, 403)
	if strings.Contains(r.Text, "CANARY") || strings.Contains(r.Text, "script>C") {
		t.Error(r.Text)
	}
	testapp.WantEvents[social.Failed](a.App, 2)
}

// TestErrorPage redirects browsers to a page with the code.
func TestErrorPage(t *testing.T) {
	a := start(t, testapp.Memory(t), func(o *social.Options, _ *ginauth.Config) { o.ErrorPage = "/login" })
	c := a.Browser()
	a.callback(c, "one", url.Values{"state": {strings.Repeat("a", 43)}, "code": {"x"}}).WantRedirect(t, "/login?social=social_attempt_invalid")
}

// TestBrowserReturnsToIntendedPage signs a browser in that was redirected to the login page.
func TestBrowserReturnsToIntendedPage(t *testing.T) {
	a := start(t, testapp.Memory(t), func(_ *social.Options, c *ginauth.Config) { c.Pages.Login = "/login" })
	c := a.Browser()
	c.Get("/me?tab=2").WantRedirect(t, "/login")
	at := onward(t, c.Form("/auth/one", "next=//evil.example&redirect_uri=https://evil.example/"))
	if at.Query().Get("redirect_uri") != testapp.BaseURL+"/auth/one/callback" || at.Query().Get("code_challenge_method") != "S256" {
		t.Fatalf("%v", at)
	}
	q := agree(t, at, carol)
	q.Set("next", "https://evil.example/")
	a.callback(c, "one", q).WantRedirect(t, "/me?tab=2")
}

// TestFormPost signs in by a response that is a form, which comes from another site and so without cookies.
func TestFormPost(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	at := a.begin(t, c, "two", "login")
	if at.Query().Get("response_mode") != "form_post" {
		t.Errorf("%v", at)
	}
	state := at.Query().Get("state")
	code := a.two.Code(carol, testapp.BaseURL+"/auth/two/callback", at.Query().Get("nonce"), at.Query().Get("code_challenge"))
	body := url.Values{"state": {state}, "code": {code}, "iss": {a.two.Issuer}}.Encode()
	foreign := a.Client() // what a browser sends from another site has no cookies
	foreign.Header.Set("Origin", a.two.Issuer)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	r := foreign.Form("/auth/two/callback", body).Want(t, 303)
	to := r.Header.Get("Location")
	if !strings.HasPrefix(to, "/auth/two/callback?response=") || strings.Contains(to, code) || strings.Contains(to, state) {
		t.Fatalf("redirected to %s", to)
	}
	a.WithCookie("a", "b").Get(to).Want(t, 400)                  // another browser
	c.Get(strings.Replace(to, "/two/", "/one/", 1)).Want(t, 400) // another provider
	c.Get(to).Want(t, 200)
	c.Get("/me").Want(t, 200)
	c.Get(to).Want(t, 400)
	for _, body := range []string{"", "state=x", "state=" + state + "&state=" + state, "state=" + state + "&code=" + strings.Repeat("a", 5000), "%zz"} {
		foreign.Form("/auth/two/callback", body).Want(t, 400)
	}
	foreign.Post("/auth/two/callback", map[string]string{"state": state}).Want(t, 400)
	foreign.Form("/auth/two/callback", "state="+state+"&x="+strings.Repeat("a", 100_000)).Want(t, 400)
}

// TestGetBeginsNothing follows a link to the endpoint that begins a login.
func TestGetBeginsNothing(t *testing.T) {
	a := start(t, testapp.Memory(t))
	r := a.Browser().Get("/auth/one").Want(t, 405).WantNoCookies(t)
	if r.Header.Get("Allow") != "POST" {
		t.Error(r.Header)
	}
	c := a.Browser()
	c.Header.Set("Sec-Fetch-Site", "cross-site")
	c.Form("/auth/one", "").Want(t, 403) // a page of another site
	a.Client().Post("/auth/three", nil).Want(t, 404)
	a.Client().Post("/auth/one", map[string]string{"for": "admin"}).WantField(t, "for")
	a.Client().Post("/auth/one", map[string]any{"for": 1}).WantField(t, "for")
}

// challenge returns the challenge of a verifier.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

var refresh = regexp.MustCompile(`<meta http-equiv="refresh" content="0;url=([^"]+)">`)

// onward returns where a page sends the browser.
func onward(t *testing.T, r *testapp.Response) *url.URL {
	t.Helper()
	found := refresh.FindStringSubmatch(r.Want(t, 200).Text)
	if found == nil {
		t.Fatalf("the page leads nowhere: %s", r.Text)
	}
	return must(url.Parse(html.UnescapeString(found[1])))
}

// sprint prints a value in every way.
func sprint(v any) string {
	data, _ := json.Marshal(v)
	return fmt.Sprintf("%v %+v %#v %s", v, v, v, data)
}
