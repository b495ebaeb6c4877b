package routes_test

import (
	"context"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/routes"
)

// showOutcome adds pages that show what became of a form: /sign-in and /sign-up for everybody, and
// /home and /settings for users.
func showOutcome(a *testapp.App, r *gin.Engine) {
	show := func(c *gin.Context) {
		o, ok := routes.OutcomeOf(c)
		c.JSON(200, map[string]any{"there": ok, "outcome": o, "password": o.Error("password"), "failed": o.Failed()})
	}
	for _, path := range []string{"/sign-in", "/sign-up", "/plain"} {
		r.GET(path, a.StartSession(), ginauth.Public(), show)
	}
	for _, path := range []string{"/home", "/settings"} {
		r.GET(path, a.StartSession(), a.Auth(), show)
	}
}

// shown is what a page of showOutcome shows.
type shown struct {
	There, Failed bool
	Password      string
	Outcome       routes.Outcome
}

func look(t *testing.T, c *testapp.Client, path string) (s shown) {
	t.Helper()
	c.Get(path).Want(t, 200).JSON(t, &s)
	return s
}

// on makes a browser send forms as if they were on a page of the site.
func on(t *testing.T, c *testapp.Client, path string) *testapp.Client {
	t.Helper()
	at := c.Copy().Get("/plain").Request.URL
	c.Header.Set("Referer", at.Scheme+"://"+at.Host+path)
	return c
}

func TestFormIsShownAgainWithItsFaults(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{options: routes.Options{Back: true, RegisterFields: []string{"company", "pin"}}, pages: showOutcome})
		c := on(t, a.Browser(), "/sign-up?plan=2")
		body := url.Values{
			"name": {strings.Repeat("n", 300)}, "email": {"nobody"}, "password": {"CANARY"}, "company": {"Acme & Söhne"}, "pin": {"1234"},
		}
		c.Form("/register", body.Encode()).WantRedirect(t, "/sign-up?error=invalid_input&field=name&plan=2")
		if c.Cookies[testapp.SessionCookie] != "" {
			t.Error("the form of a guest made a session")
		}
		for name, value := range c.Cookies {
			if strings.Contains(value, "CANARY") {
				t.Errorf("cookie %s is %q", name, value)
			}
		}
		s := look(t, c, "/sign-up")
		o := s.Outcome
		if !s.There || !s.Failed || o.Route != routes.Register || o.Code != "invalid_input" || len(o.Errors) != 3 ||
			len(o.Errors["name"]) != 1 || len(o.Errors["email"]) != 1 || len(o.Errors["password"]) == 0 ||
			!strings.HasPrefix(s.Password, "The password ") || !strings.HasSuffix(s.Password, ".") {
			t.Errorf("outcome %+v", s)
		}
		if want := map[string]string{"name": body.Get("name"), "email": "nobody", "company": "Acme & Söhne"}; !maps.Equal(o.Old, want) {
			t.Errorf("kept %v, want %v", o.Old, want)
		}
		if s := look(t, c, "/sign-up"); s.There {
			t.Errorf("shown twice: %+v", s)
		}
	})
}

func TestLoginFormIsShownAgain(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{pages: showOutcome, options: routes.Options{
			Pages: map[routes.Route]routes.Page{routes.Login: {Failed: "/sign-in"}},
		}})
		c := a.Browser()
		c.Form("/login", "email=&password=").WantRedirect(t, "/sign-in?error=invalid_input&field=email")
		if o := look(t, c, "/sign-in").Outcome; len(o.Errors["email"]) != 1 || len(o.Errors["password"]) != 1 {
			t.Errorf("errors %v", o.Errors)
		}
		form := "email=" + url.QueryEscape(testapp.Alice) + "&password=wrong&remember=on"
		for range 5 {
			c.Form("/login", form).WantRedirect(t, "/sign-in?error=invalid_credentials")
		}
		o := look(t, c, "/sign-in").Outcome
		if o.Message == "" || o.Old["email"] != testapp.Alice || o.Old["remember"] != "on" || len(o.Old) != 2 || len(o.Errors) != 0 {
			t.Errorf("outcome %+v", o)
		}
		c.Form("/login", form).WantRedirect(t, "/sign-in?error=too_many_attempts")
		if o := look(t, c, "/sign-in").Outcome; o.Code != "too_many_attempts" || o.RetryAfter < 1 {
			t.Errorf("outcome %+v", o)
		}
	})
}

// A form goes back to a page of this site and to no other.
func TestFormGoesBackToItsPage(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{options: routes.Options{Back: true}, pages: showOutcome})
	c := on(t, a.LoggedIn(testapp.Alice), "/settings?tab=2")
	c.Header.Set("Accept", testapp.BrowserAccept)
	wrong := "current_password=wrong&password=" + url.QueryEscape(testapp.NewPassword)
	c.Form("/password", wrong).WantRedirect(t, "/settings?error=invalid_input&field=current_password&tab=2")
	if o := look(t, c, "/settings").Outcome; len(o.Old) != 0 || len(o.Errors["current_password"]) != 1 {
		t.Errorf("outcome %+v", o)
	}
	c.Form("/password", "current_password="+url.QueryEscape(testapp.Password)+"&password="+url.QueryEscape(testapp.NewPassword)).
		WantRedirect(t, "/settings?tab=2")
	// What only this response tells is not lost.
	c.Form("/tokens", "name=deploy").Want(t, 201)
	own := c.Header.Get("Referer")
	for _, referer := range []string{
		"", "https://evil.example/settings", "//evil.example/settings", "javascript:alert(1)", "/settings", "%",
		strings.Replace(own, "/settings", "//evil.example/", 1), strings.Replace(own, "/settings", `/\evil.example/`, 1),
	} {
		c.Header.Set("Referer", referer)
		if r := c.Form("/password", wrong); r.StatusCode != 422 && r.StatusCode != 429 {
			t.Errorf("from %q: status %d to %q", referer, r.StatusCode, r.Header.Get("Location"))
		}
	}
}

// A guest who follows the link of a mail reads, on the login page, that the address is verified.
func TestMessageSurvivesTheLoginPage(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{pages: showOutcome, options: routes.Options{
			Pages: map[routes.Route]routes.Page{routes.VerifyEmail: {Done: "/home"}},
		}})
		link := unverified(a)
		c := a.Browser()
		c.Form(link, "password="+url.QueryEscape(testapp.Password)).WantRedirect(t, "/home")
		c.Get("/home").WantRedirect(t, "/sign-in")
		s := look(t, c, "/sign-in")
		if !s.There || s.Failed || s.Outcome.Route != routes.VerifyEmail || !s.Outcome.Result["verified"] || s.Outcome.Result["password_ended"] {
			t.Errorf("shown %+v", s)
		}
		if s := look(t, c, "/sign-in"); s.There {
			t.Errorf("shown twice: %+v", s)
		}
		c.Form("/login", "email="+url.QueryEscape(testapp.Bob)+"&password="+url.QueryEscape(testapp.Password)).WantRedirect(t, "/home")
	})
}

// A form that needs a confirmed password is on the page to which the browser returns.
func TestConfirmedPasswordReturnsToTheForm(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{pages: showOutcome, options: routes.Options{
			Pages: map[routes.Route]routes.Page{routes.ConfirmPassword: {Done: "/plain"}, routes.ChangeEmail: {Done: "/plain"}},
		}})
		c := a.Browser()
		c.Form("/login", "remember=on&email="+url.QueryEscape(testapp.Alice)+"&password="+url.QueryEscape(testapp.Password)).WantRedirect(t, "/home")
		delete(c.Cookies, testapp.SessionCookie) // the browser was closed
		on(t, c, "/settings?tab=2")
		c.Form("/email", "email=new%40example.com").WantRedirect(t, "/confirm")
		c.Form("/confirm-password", "password="+url.QueryEscape(testapp.Password)).WantRedirect(t, "/settings?tab=2")
		c.Form("/email", "email=new%40example.com").WantRedirect(t, "/plain")
		a.Outbox.Next(a, mail.EmailChange, "new@example.com")
		c.Form("/confirm-password", "password="+url.QueryEscape(testapp.Password)).WantRedirect(t, "/plain") // only once
		// A request of a script is no page to go back to.
		c = c.Only(testapp.RememberCookie)
		c.Header.Set("Accept", testapp.BrowserAccept)
		on(t, c, "/settings").Header.Set("Sec-Fetch-Mode", "cors")
		c.Form("/email", "email=new%40example.com").WantRedirect(t, "/confirm")
		c.Form("/confirm-password", "password="+url.QueryEscape(testapp.Password)).WantRedirect(t, "/plain")
	})
}

func TestLoginAfterRegister(t *testing.T) {
	ann := fields{"name": "Ann", "email": "ann@example.com", "password": testapp.NewPassword}
	for name, row := range map[string]struct {
		setup  setup
		status int
		in     bool
	}{
		"by default": {setup{}, 201, false},
		"asked for":  {setup{options: routes.Options{LoginAfterRegister: true}}, 201, true},
		"existence is hidden": {setup{
			options: routes.Options{LoginAfterRegister: true}, config: hideTaken,
		}, 202, false},
		"refused by a feature": {setup{
			options: routes.Options{LoginAfterRegister: true},
			config:  func(c *ginauth.Config) { c.Features = []ginauth.Feature{refusal{}} },
		}, 201, false},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := newApp(t, b, row.setup)
				c := a.Client()
				c.Post("/register", ann).Want(t, row.status)
				if in := c.Get("/me").StatusCode == 200; in != row.in {
					t.Errorf("logged in: %v", in)
				}
			})
		})
	}
	a := newApp(t, testapp.Memory(t), setup{options: routes.Options{
		LoginAfterRegister: true, Pages: map[routes.Route]routes.Page{routes.Register: {Done: "/welcome"}},
	}})
	c := a.Browser()
	c.Get("/page?x=1").WantRedirect(t, "/sign-in")
	c.Form("/register", "name=Ann&email=ann%40example.com&password="+url.QueryEscape(testapp.NewPassword)).WantRedirect(t, "/page?x=1")
	c.Get("/page").Want(t, 200)
}

// refusal is a feature that lets nobody log in.
type refusal struct{}

func (refusal) Name() string { return "refusal" }

func (refusal) Setup(s *ginauth.Setup) error {
	s.BeforeLogin(func(context.Context, *ginauth.Authenticator, *ginauth.LoginRequest) error {
		return ginauth.ErrInvalidCredentials
	})
	return nil
}
