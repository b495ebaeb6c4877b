package routes_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/routes"
)

// X05: GET changes nothing, and no header or field overrides the method.
func TestMethodCannotBeOverridden(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	c := a.LoggedIn(testapp.Alice)
	c.Get("/logout").Want(t, 404)
	c.Get("/tokens/1/delete").Want(t, 404)
	c.Get("/devices/1").Want(t, 404)
	c.Header.Set("X-HTTP-Method-Override", "DELETE")
	c.Header.Set("X-Method-Override", "DELETE")
	c.Form("/devices?_method=DELETE", "_method=DELETE&password="+testapp.Password).Want(t, 404)
	c.Form("/devices/1", "_method=DELETE").Want(t, 404)
	c.Get("/me").Want(t, 200)
}

// X10, W09: headers forbid frames, caching and Referer.
func TestResponsesHaveSecurityHeaders(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	c := a.LoggedIn(testapp.Alice)
	for _, r := range []*testapp.Response{
		c.Get("/me").Want(t, 200), a.Client().Get("/me").Want(t, 401), a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401),
		a.Client().Post("/verify-email/1/2?expires=3&signature=4", "{}").Want(t, 403),
		a.Client().Post("/confirm-email/x", "{}").Want(t, 403),
		a.Client().Post("/forgot-password", fields{"email": testapp.Alice}).Want(t, 202),
		a.Client().Post("/reset-password", fields{"email": testapp.Alice, "token": "x", "password": testapp.NewPassword}).Want(t, 422),
		a.Client().Do("POST", "/login", "text/plain", "{}").Want(t, 415),
	} {
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "frame-ancestors 'none'", "Server": "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", r.Request.URL.Path, name, got, want)
			}
		}
	}
}

// X11: API clients get a status and browsers a redirect, depending on Accept
// and the path prefix.
func TestOnlyBrowsersAreRedirected(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{config: func(c *ginauth.Config) { c.Pages.APIPrefixes = []string{"/devices"} }})
	program := a.Client()
	for _, accept := range []string{"", "*/*", "application/json", "application/json, text/html"} {
		program.Header.Set("Accept", accept)
		program.Header.Set("X-Requested-With", "anything")
		program.Get("/me").Want(t, 401)
	}
	browser := a.Browser()
	browser.Get("/me").WantRedirect(t, "/sign-in")
	browser.Header.Set("X-Requested-With", "XMLHttpRequest")
	browser.Get("/me").WantRedirect(t, "/sign-in")
	browser.Get("/devices").Want(t, 401)
}

// X07: after a login, a browser is redirected once to the page that it
// requested before. The next user of the browser is not.
func TestLoginRedirectsToIntendedPage(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{options: routes.Options{Pages: map[routes.Route]routes.Page{
		routes.Login:  {Failed: "/sign-in?again=1"},
		routes.Logout: {Done: "/bye"},
	}}})
	login := "email=alice%40example.com&password=" + strings.ReplaceAll(testapp.Password, " ", "+")
	c := a.Browser()
	c.Form("/login", login).WantRedirect(t, "/home")
	c.Form("/logout", "").WantRedirect(t, "/bye")

	c.Get("/page?x=1").WantRedirect(t, "/sign-in")
	c.Form("/login", "email=alice%40example.com&password=wrong").WantRedirect(t, "/sign-in?again=1&error=invalid_credentials")
	c.Form("/login", login).WantRedirect(t, "/page?x=1")
	c.Form("/login", login).WantRedirect(t, "/home") // only once

	c.Form("/logout", "").WantRedirect(t, "/bye")
	c.Get("/page").WantRedirect(t, "/sign-in")
	c.Form("/logout", "").WantRedirect(t, "/bye")
	c.Form("/login", login).WantRedirect(t, "/home") // the logout removed it

	other := a.Browser()
	other.Header.Set("Sec-Fetch-Mode", "cors")
	other.Get("/page").WantRedirect(t, "/sign-in")
	other.Form("/login", login).WantRedirect(t, "/home") // not a navigation
	for _, target := range []string{"//evil.example", "/%5Cevil.example", "https://evil.example"} {
		c := a.Browser()
		c.Cookies[testapp.IntendedCookie] = target
		c.Form("/login?redirect="+target+"&next="+target, login).WantRedirect(t, "/home")
	}
}

func TestFailedFormNamesTheField(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{options: routes.Options{Pages: map[routes.Route]routes.Page{
		routes.Register: {Done: "/welcome", Failed: "/sign-up"},
	}}})
	c := a.Browser()
	c.Form("/register", "name=Ann&email=ann%40example.com&password=short").WantRedirect(t, "/sign-up?error=invalid_input&field=password")
	c.Form("/register", "name=Ann&name=Bob").WantRedirect(t, "/sign-up?error=invalid_input&field=name")
	c.Form("/register", "name=Ann&email=ann%40example.com&password=CANARY+ocelots+juggle+nine").WantRedirect(t, "/welcome")
	// API clients get JSON, also if there is a page.
	a.Client().Form("/register", "name=Ann&email=ann%40example.com&password=short").WantField(t, "password")
}
