package pages_test

import (
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// setup is what a test changes.
type setup struct {
	config  func(*ginauth.Config)
	options pages.Options
	routes  routes.Options
}

// newApp starts an application with the pages and the routes. What it says is checked for leaks.
func newApp(t *testing.T, s setup) *testapp.App {
	t.Helper()
	return testapp.New(t, testapp.Memory(t), testapp.CheckLeaks(), testapp.Configure(func(c *ginauth.Config) {
		c.StoreTimeout = 20 * time.Second // the race detector is slow
		c.Pages, c.ErrorHandler = pages.Config(""), pages.ErrorHandler
		c.Pages.APIPrefixes = []string{"/api/"}
		if s.config != nil {
			s.config(c)
		}
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		pages.Mount(r, a.Manager, s.options)
		routes.Mount(r, a.Manager, s.routes)
		r.Use(a.StartSession())
		r.NoRoute(pages.NotFound)
		r.GET("/home", a.Auth(), func(c *gin.Context) { pages.Render(c, 200, "home", "Home", "hello") })
		r.GET("/verified", a.Auth(), a.EnsureEmailVerified(), func(c *gin.Context) { c.String(200, "verified") })
		r.GET("/forbidden", func(c *gin.Context) { ginauth.Abort(c, ginauth.ErrForbidden) })
		r.GET("/outage", func(c *gin.Context) { ginauth.Abort(c, ginauth.ErrUnavailable) })
		r.GET("/throttled", func(c *gin.Context) { ginauth.Abort(c, &ginauth.ThrottledError{RetryAfter: 90 * time.Second}) })
	}))
}

func home() fstest.MapFS {
	return fstest.MapFS{"home.html": {Data: []byte(`{{define "content"}}<h1>{{.Title}}</h1><p>{{.Data}}, {{.User.Name}}</p>{{end}}`)}}
}

func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

// wants fails the test unless the page has all texts.
func wants(t *testing.T, r *testapp.Response, texts ...string) {
	t.Helper()
	page := html.UnescapeString(r.Text)
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("%s has no %q:\n%s", r.Request.URL.Path, text, page)
		}
	}
}

func lacks(t *testing.T, r *testapp.Response, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(html.UnescapeString(r.Text), text) {
			t.Errorf("%s has %q:\n%s", r.Request.URL.Path, text, r.Text)
		}
	}
}

// signIn signs a browser in by the form.
func signIn(t *testing.T, a *testapp.App, email string) *testapp.Client {
	t.Helper()
	c := a.Browser()
	c.Form("/login", form("email", email, "password", testapp.Password)).Want(t, 303)
	return c
}

func TestEveryPageIsSafeAndAccessible(t *testing.T) {
	a := newApp(t, setup{options: pages.Options{Templates: home()}})
	guest, user := a.Browser(), signIn(t, a, testapp.Alice)
	user.Form("/confirm-password", form("password", testapp.Password)).Want(t, 303)
	var all []*testapp.Response
	for _, path := range []string{"/login", "/register", "/verify-email", "/forgot-password", "/reset-password", "/verify-email/1/2"} {
		all = append(all, guest.Get(path).Want(t, 200))
	}
	for _, path := range []string{"/profile", "/password", "/email", "/tokens/new", "/tokens", "/devices", "/confirm-password", "/home", "/confirm-email/x"} {
		all = append(all, user.Get(path).Want(t, 200))
	}
	all = append(all, guest.Get("/nowhere").Want(t, 404), guest.Get("/forbidden").Want(t, 403), guest.Get("/outage").Want(t, 503),
		guest.Get("/throttled").Want(t, 429))
	for _, r := range all {
		checkPage(t, r)
	}
}

var (
	inline = regexp.MustCompile(`(?i)<style|<script(>|[^>]*>[^<])| style=| on[a-z]+=|javascript:`)
	inputs = regexp.MustCompile(`<(?:input|select) id="([a-z_]+)"[^>]*>`)
	ids    = regexp.MustCompile(` id="([^"]+)"`)
)

// checkPage looks for what a Content-Security-Policy forbids, and for what every page has.
func checkPage(t *testing.T, r *testapp.Response) {
	t.Helper()
	path := r.Request.URL.Path
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin", "Content-Language": "en",
	} {
		if got := r.Header.Get(name); got != want && name != "Cache-Control" || !strings.Contains(got, want) {
			t.Errorf("%s: %s is %q, want %q", path, name, got, want)
		}
	}
	if policy := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: Content-Security-Policy %q", path, policy)
	}
	if found := inline.FindString(r.Text); found != "" {
		t.Errorf("%s has %q inline", path, found)
	}
	wants(t, r, `<html lang="en" dir="ltr">`, `<main id="main"`, "<h1>", `<a class="skip" href="#main">`, `name="viewport"`)
	for _, match := range inputs.FindAllStringSubmatch(r.Text, -1) {
		wants(t, r, `<label for="`+match[1]+`">`)
		if strings.HasPrefix(match[0], "<input") && !strings.Contains(match[0], "checkbox") {
			wants(t, r, `autocomplete="`)
		}
	}
	seen := map[string]bool{}
	for _, match := range ids.FindAllStringSubmatch(r.Text, -1) {
		if seen[match[1]] {
			t.Errorf("%s: id %q occurs twice", path, match[1])
		}
		seen[match[1]] = true
	}
}

func TestFieldsAreForPasswordManagers(t *testing.T) {
	a := newApp(t, setup{})
	user := signIn(t, a, testapp.Alice)
	for path, fields := range map[string][]string{
		"/login":           {`name="email" type="email" value="" autocomplete="username webauthn"`, `name="password" type="password" value="" autocomplete="current-password"`},
		"/register":        {`autocomplete="name"`, `autocomplete="username"`, `autocomplete="new-password"`},
		"/reset-password":  {`autocomplete="username"`, `autocomplete="new-password"`},
		"/forgot-password": {`autocomplete="username"`},
	} {
		wants(t, a.Browser().Get(path).Want(t, 200), fields...)
	}
	wants(t, user.Get("/password").Want(t, 200), `autocomplete="current-password"`, `autocomplete="new-password"`, `autocomplete="username"`)
}

func TestRegisterVerifyAndSignIn(t *testing.T) {
	a := newApp(t, setup{options: pages.Options{Templates: home()}})
	c := a.Browser()
	c.Get("/home").WantRedirect(t, "/login")
	c.Form("/register", form("name", "Carol", "email", "carol@example.com", "password", testapp.NewPassword)).WantRedirect(t, "/verify-email")
	wants(t, c.Get("/verify-email").Want(t, 200), "Almost done", `value="carol@example.com"`)
	lacks(t, c.Get("/verify-email").Want(t, 200), "Almost done") // once

	link := a.Outbox.Path(t, "verify_email")
	page := c.Get(link).Want(t, 200)
	wants(t, page, "Verify this email address", `<form method="post" data-press>`)
	lacks(t, page, link)
	c.Form(link, "").WantRedirect(t, "/home") // which was asked for
	c.Get("/home").WantRedirect(t, "/login")
	wants(t, c.Get("/login").Want(t, 200), "Your email address is verified.")
	c.Form("/login", form("email", "carol@example.com", "password", testapp.NewPassword, "remember", "on")).WantRedirect(t, "/home")
	if c.Remember() == "" {
		t.Error("the device is not remembered")
	}
	wants(t, c.Get("/home").Want(t, 200), "hello, Carol", "Sign out")
	wants(t, c.Get("/profile").Want(t, 200), "Carol", "carol@example.com", "verified")
	c.Form("/logout", "").WantRedirect(t, "/login")
	wants(t, c.Get("/login").Want(t, 200), "You are signed out.")
}

// TestLinkIsPressedWhereItWasAskedFor opens the link to verify an address in browsers. A script presses its button only in
// the one that registered, or is logged in as the user.
func TestLinkIsPressedWhereItWasAskedFor(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	c.Form("/register", form("name", "Carol", "email", "carol@example.com", "password", testapp.NewPassword)).WantRedirect(t, "/verify-email")
	link := a.Outbox.Path(t, "verify_email")
	script := regexp.MustCompile(`<script src="(/ginauth/[0-9a-f]+/press.js)" defer></script>`)
	path := script.FindStringSubmatch(c.Get(link).Want(t, 200).Text)
	if path == nil {
		t.Fatal("where it was asked for it has no script")
	}
	c.Get(path[1]).Want(t, 200)
	lacks(t, a.Browser().Get(link).Want(t, 200), "press") // a mail scanner, for example
	bob := a.Browser()
	bob.LogIn(testapp.Bob, testapp.Password)
	lacks(t, bob.Get(link).Want(t, 200), "press")
	lacks(t, c.Get("/verify-email/1/2?expires=3&signature=4").Want(t, 200), "press")
	carol := a.Browser()
	carol.LogIn("carol@example.com", testapp.NewPassword)
	wants(t, carol.Get(link).Want(t, 200), "data-press")
	c.Form(link, form("password", "wrong")).Want(t, 303)
	lacks(t, c.Get(link).Want(t, 200), "press") // a person reads what is wrong
}

func TestErrorsAreBesideTheirFields(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	c.Form("/register", form("name", "Da\"ve<b>", "email", "dave@", "password", "short")).WantRedirect(t, "/register")
	page := c.Get("/register").Want(t, 200)
	checkPage(t, page)
	wants(t, page, "Use at least 15 characters.", `value="dave@"`, `aria-describedby="password-hint password-problem" aria-invalid="true"`, "Error: ")
	if strings.Contains(page.Text, "<b>") || strings.Contains(page.Text, "short\"") || strings.Count(page.Text, " autofocus") != 1 {
		t.Errorf("input is not escaped, or a password is kept, or the focus is not at the first fault: %s", page.Text)
	}
	lacks(t, c.Get("/register").Want(t, 200), "dave@", "Error: ")

	c.Form("/login", form("email", "nobody@example.com", "password", "wrong", "remember", "on")).WantRedirect(t, "/login")
	page = c.Get("/login").Want(t, 200)
	wants(t, page, "do not match an account", `value="nobody@example.com"`, `role="alert"`, " checked>")

	user := signIn(t, a, testapp.Alice)
	user.Form("/password", form("current_password", "wrong", "password", testapp.NewPassword)).WantRedirect(t, "/password")
	wants(t, user.Get("/password").Want(t, 200), "The current password is incorrect.")
	user.Form("/devices/delete", form("password", "wrong")).WantRedirect(t, "/devices")
	wants(t, user.Get("/devices").Want(t, 200), "The current password is incorrect.")
}

func TestFlashIsOnlyForItsPage(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	c.Form("/login", form("email", "x@example.com", "password", "wrong")).WantRedirect(t, "/login")
	lacks(t, c.Get("/forgot-password").Want(t, 200), "do not match", "x@example.com")
	wants(t, c.Get("/login").Want(t, 200), "do not match")
	if c.Session() != "" {
		t.Error("the form of a guest made a session")
	}
}

// A fault of something that the page has no field for is shown, too.
func TestFaultsWithoutAFieldAreShown(t *testing.T) {
	a := newApp(t, setup{config: func(c *ginauth.Config) { c.PersonalTokens.MaxPerUser = 1 }})
	c := signIn(t, a, testapp.Alice)
	c.Form("/tokens", form("name", "one")).Want(t, 201)
	c.Form("/tokens", form("name", "two")).WantRedirect(t, "/tokens/new")
	wants(t, c.Get("/tokens/new").Want(t, 200), "There are 1 tokens, which is the limit.", `value="two"`)
}

func TestThrottledFormSaysHowLongToWait(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	for range 5 {
		c.Form("/login", form("email", testapp.Alice, "password", "wrong")).WantRedirect(t, "/login")
	}
	c.Form("/login", form("email", testapp.Alice, "password", "wrong")).WantRedirect(t, "/login")
	wants(t, c.Get("/login").Want(t, 200), "Too many attempts. Try again in 1 min.")
	if r := c.Get("/throttled").Want(t, 429); r.Header.Get("Retry-After") != "90" {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	} else {
		wants(t, r, "Too many attempts. Try again in 2 min.")
	}
}

func TestResetByMailedLink(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	c.Form("/forgot-password", form("email", testapp.Alice)).WantRedirect(t, "/forgot-password")
	wants(t, c.Get("/forgot-password").Want(t, 200), "we sent a link to its email address")
	const page = "/reset-password"
	token := testapp.TokenOf(t, a.Outbox.Path(t, "reset_password"))
	wants(t, c.Get(page).Want(t, 200), `value="`+testapp.Alice+`"`, `<script src="/ginauth/`)
	lacks(t, a.Browser().Get(page).Want(t, 200), testapp.Alice)

	c.Form(page, form("email", testapp.Alice, "token", token, "password", "short")).WantRedirect(t, "/reset-password#token="+token)
	wants(t, c.Get(page).Want(t, 200), "Use at least 15 characters.")
	c.Form(page, form("email", testapp.Alice, "token", "gpr_x", "password", testapp.NewPassword)).WantRedirect(t, "/reset-password")
	wants(t, c.Get(page).Want(t, 200), "This link is invalid or has expired.")
	c.Form(page, form("email", testapp.Alice, "token", token, "password", testapp.NewPassword)).WantRedirect(t, "/login")
	wants(t, c.Get("/login").Want(t, 200), "Sign in with the new one.", `value="`+testapp.Alice+`"`)
	c.Form("/login", form("email", testapp.Alice, "password", testapp.NewPassword)).WantRedirect(t, "/profile")
}

// TestResetLinkInTheQuery follows a link whose token is in the query: the page works without a script, and the token is
// in no address from the first redirect on. Opening the link, as mail scanners do, uses nothing up.
func TestResetLinkInTheQuery(t *testing.T) {
	a := newApp(t, setup{config: func(c *ginauth.Config) { c.Mail.ResetTokenInQuery = true }})
	a.Browser().Form("/forgot-password", form("email", testapp.Alice)).WantRedirect(t, "/forgot-password")
	link := a.Outbox.Path(t, "reset_password")
	token := testapp.TokenOf(t, link)
	if !strings.HasPrefix(link, "/reset-password?email=") {
		t.Fatalf("link %q", link)
	}
	a.Browser().Get(link).WantRedirect(t, "/reset-password")
	c := a.Browser()
	first := c.Get(link)
	first.WantRedirect(t, "/reset-password")
	if first.Header.Get("Referrer-Policy") != "no-referrer" || first.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", first.Header)
	}
	page := c.Get("/reset-password").Want(t, 200)
	wants(t, page, `value="`+testapp.Alice+`"`, `type="hidden" value="`+token+`"`)
	lacks(t, page, "<script")
	lacks(t, a.Browser().Get("/reset-password").Want(t, 200), token)
	lacks(t, c.Get("/login").Want(t, 200), token)
	c.Form("/reset-password", form("token", token, "password", "short")).WantRedirect(t, "/reset-password")
	wants(t, c.Get("/reset-password").Want(t, 200), "Use at least 15 characters.", token)
	c.Form("/reset-password", form("token", token, "password", testapp.NewPassword)).WantRedirect(t, "/login")
	lacks(t, c.Get("/reset-password").Want(t, 200), token)
	c.Get(link).WantRedirect(t, "/reset-password")
	c.Form("/reset-password", form("token", token, "password", testapp.NewPassword)).WantRedirect(t, "/reset-password")
	again := c.Get("/reset-password").Want(t, 200)
	wants(t, again, "This link is invalid or has expired.", `id="token"`)
	lacks(t, again, token)
	for _, bad := range []string{"?token=" + strings.Repeat("a", 300), "?token=%22%3E", "?email=a%40b"} {
		c.Get("/reset-password"+bad).Want(t, 200)
	}
}

func TestSensitivePagesAskForThePassword(t *testing.T) {
	a := newApp(t, setup{})
	c := signIn(t, a, testapp.Alice)
	a.Clock.Advance(16 * time.Minute)
	for _, path := range []string{"/email", "/tokens/new"} {
		c.Get(path).WantRedirect(t, "/confirm-password")
	}
	wants(t, c.Get("/confirm-password").Want(t, 200), "Confirm your password", `autocomplete="current-password"`)
	c.Form("/confirm-password", form("password", "wrong")).WantRedirect(t, "/confirm-password")
	wants(t, c.Get("/confirm-password").Want(t, 200), "The current password is incorrect.")
	c.Form("/confirm-password", form("password", testapp.Password)).WantRedirect(t, "/tokens/new")
	c.Form("/email", form("email", "new@example.com")).WantRedirect(t, "/profile")
	wants(t, c.Get("/profile").Want(t, 200), "We sent a link to the new email address.")
	link := a.Outbox.Path(t, "email_change")
	wants(t, c.Get(link).Want(t, 200), "Confirm this email address")
	c.Form(link, "").WantRedirect(t, "/profile")
	wants(t, c.Get("/profile").Want(t, 200), "new@example.com", "Your email address was changed.")
}

func TestTokensAndDevices(t *testing.T) {
	a := newApp(t, setup{})
	c := signIn(t, a, testapp.Alice)
	c.Form("/tokens", form("name", "", "abilities", "posts:read", "expires_in", "604800")).WantRedirect(t, "/tokens/new")
	wants(t, c.Get("/tokens/new").Want(t, 200), "Fill in this field.", `value="posts:read"`, `value="604800" selected`)
	made := c.Form("/tokens", form("name", "deploy", "abilities", "posts:read", "expires_in", "604800")).Want(t, 201)
	wants(t, made, "Copy the token now", "gat_")
	list := c.Get("/tokens").Want(t, 200)
	wants(t, list, "deploy", "posts:read", "never used")
	lacks(t, list, "gat_")
	wants(t, c.As(testapp.Firefox).Get("/devices").Want(t, 200), "this device", "deploy")

	other := signIn(t, a, testapp.Alice)
	wants(t, c.Get("/devices").Want(t, 200), "deploy")
	c.Form(regexp.MustCompile(`/tokens/[^"]+/delete`).FindString(list.Text), "").WantRedirect(t, "/tokens")
	wants(t, c.Get("/tokens").Want(t, 200), "The token was deleted.", "You have no personal tokens.")
	c.Form("/devices/delete", form("password", testapp.Password)).WantRedirect(t, "/devices")
	other.Get("/profile").WantRedirect(t, "/login")
	c.Get("/profile").Want(t, 200)
}

func TestAPIClientsGetJSON(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Client()
	c.Post("/login", map[string]string{"email": testapp.Alice, "password": "wrong"}).Want(t, 401)
	c.Post("/login", map[string]string{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200)
	for _, path := range []string{"/devices", "/tokens", "/confirm-password", "/me"} {
		if r := c.Get(path).Want(t, 200); !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %s", path, r.Header.Get("Content-Type"))
		}
	}
	if r := c.Get("/nowhere").Want(t, 404); !strings.Contains(r.Text, `"not_found"`) {
		t.Errorf("%s", r.Text)
	}
}

func TestErrorPages(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	wants(t, c.Get("/nowhere").Want(t, 404), "Page not found", "404")
	wants(t, c.Get("/forbidden").Want(t, 403), "No access")
	wants(t, c.Get("/outage").Want(t, 503), "Not available at the moment")
	c.Header.Set("Sec-Fetch-Site", "cross-site")
	wants(t, c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).Want(t, 403), "another site")
	bob := signIn(t, a, testapp.Bob)
	bob.Get("/verified").WantRedirect(t, "/verify-email")
	wants(t, bob.Get("/verify-email").Want(t, 200), "Send the link again", `value="`+testapp.Bob+`"`)
}

func TestFailedLinkLeadsToANewOne(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	c.Form("/verify-email/1/2?expires=3&signature=4", "").WantRedirect(t, "/verify-email")
	wants(t, c.Get("/verify-email").Want(t, 200), "This link is not valid or has expired.", "Send the link again")
	c.Form("/verify-email/resend", form("email", testapp.Bob)).WantRedirect(t, "/verify-email")
	wants(t, c.Get("/verify-email").Want(t, 200), "we sent a new link to it")
	a.Outbox.Path(t, "verify_email")
}

func TestAssetsAreKept(t *testing.T) {
	a := newApp(t, setup{})
	c := a.Browser()
	page := c.Get("/reset-password").Want(t, 200)
	for _, path := range regexp.MustCompile(`/ginauth/[^"]+`).FindAllString(page.Text, -1) {
		r := c.Get(path).Want(t, 200)
		if !strings.Contains(r.Header.Get("Cache-Control"), "immutable") || len(r.Text) > 12<<10 {
			t.Errorf("%s: %s, %d bytes", path, r.Header.Get("Cache-Control"), len(r.Text))
		}
	}
}

func TestNoticeIsShownOnce(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		pages.Mount(r, a.Manager, pages.Options{Texts: map[string]map[string]string{"de": {"Saved": "Gespeichert"}}})
		r.POST("/save", a.StartSession(), ginauth.Public(), func(c *gin.Context) { pages.Notice(c, "Saved"); c.Redirect(303, "/login") })
	}))
	c := a.Browser()
	c.Header.Set("Accept-Language", "de")
	c.Form("/save", "").WantRedirect(t, "/login")
	wants(t, c.Get("/login").Want(t, 200), `<p class="notice" role="status">Gespeichert</p>`)
	lacks(t, c.Get("/login").Want(t, 200), "Gespeichert")
}

// TestNotFoundNeedsNoSession asks a router that starts no session for what it does not have.
func TestNotFoundNeedsNoSession(t *testing.T) {
	auth, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users), Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close(t.Context())
	r := gin.New()
	pages.Mount(r, auth, pages.Options{Name: "Blog"})
	r.NoRoute(pages.NotFound)
	for accept, want := range map[string]string{"text/html": "<title>Page not found · Blog</title>", "application/json": `{"code":"not_found"`} {
		req := httptest.NewRequest("GET", "/nowhere", nil)
		req.Header.Set("Accept", accept)
		res := httptest.NewRecorder()
		r.ServeHTTP(res, req)
		if res.Code != 404 || !strings.Contains(res.Body.String(), want) {
			t.Errorf("%s: status %d: %s", accept, res.Code, res.Body)
		}
	}
}
