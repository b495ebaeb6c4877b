package routes_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// X05: GET changes nothing, and no header or field overrides the method.
func TestMethodCannotBeOverridden(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	c := a.loggedIn(alice)
	c.get("/logout").want(t, 404)
	c.get("/tokens/1/delete").want(t, 404)
	c.get("/devices/1").want(t, 404)
	c.header.Set("X-HTTP-Method-Override", "DELETE")
	c.header.Set("X-Method-Override", "DELETE")
	c.form("/devices?_method=DELETE", "_method=DELETE&password="+pass).want(t, 404)
	c.form("/devices/1", "_method=DELETE").want(t, 404)
	c.get("/me").want(t, 200)
}

// X10, W09: headers forbid frames, caching and Referer.
func TestResponsesHaveSecurityHeaders(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	c := a.loggedIn(alice)
	for _, r := range []*response{
		c.get("/me").want(t, 200), a.client().get("/me").want(t, 401), a.client().login(alice, "wrong").want(t, 401),
		a.client().get("/verify-email/1/2?expires=3&signature=4").want(t, 403),
		a.client().get("/confirm-email/x").want(t, 403),
		a.client().post("/forgot-password", fields{"email": alice}).want(t, 202),
		a.client().post("/reset-password", fields{"email": alice, "token": "x", "password": newPass}).want(t, 422),
		a.client().do("POST", "/login", "text/plain", "{}").want(t, 415),
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
	a := newApp(t, memory(t), setup{config: func(c *ginauth.Config) { c.Pages.APIPrefixes = []string{"/devices"} }})
	program := a.client()
	for _, accept := range []string{"", "*/*", "application/json", "application/json, text/html"} {
		program.header.Set("Accept", accept)
		program.header.Set("X-Requested-With", "anything")
		program.get("/me").want(t, 401)
	}
	browser := a.browser()
	browser.get("/me").wantRedirect(t, "/sign-in")
	browser.header.Set("X-Requested-With", "XMLHttpRequest")
	browser.get("/me").wantRedirect(t, "/sign-in")
	browser.get("/devices").want(t, 401)
}

// X07: after a login, a browser is redirected once to the page that it
// requested before. The next user of the browser is not.
func TestLoginRedirectsToIntendedPage(t *testing.T) {
	a := newApp(t, memory(t), setup{options: routes.Options{Pages: map[routes.Route]routes.Page{
		routes.Login:  {Failed: "/sign-in?again=1"},
		routes.Logout: {Done: "/bye"},
	}}})
	login := "email=alice%40example.com&password=" + strings.ReplaceAll(pass, " ", "+")
	c := a.browser()
	c.form("/login", login).wantRedirect(t, "/home")
	c.form("/logout", "").wantRedirect(t, "/bye")

	c.get("/page?x=1").wantRedirect(t, "/sign-in")
	c.form("/login", "email=alice%40example.com&password=wrong").wantRedirect(t, "/sign-in?again=1&error=invalid_credentials")
	c.form("/login", login).wantRedirect(t, "/page?x=1")
	c.form("/login", login).wantRedirect(t, "/home") // only once

	c.form("/logout", "").wantRedirect(t, "/bye")
	c.get("/page").wantRedirect(t, "/sign-in")
	c.form("/logout", "").wantRedirect(t, "/bye")
	c.form("/login", login).wantRedirect(t, "/home") // the logout removed it

	other := a.browser()
	other.header.Set("Sec-Fetch-Mode", "cors")
	other.get("/page").wantRedirect(t, "/sign-in")
	other.form("/login", login).wantRedirect(t, "/home") // not a navigation
	for _, target := range []string{"//evil.example", "/%5Cevil.example", "https://evil.example"} {
		c := a.browser()
		c.cookies["__Host-ginauth_intended"] = target
		c.form("/login?redirect="+target+"&next="+target, login).wantRedirect(t, "/home")
	}
}

func TestFailedFormNamesTheField(t *testing.T) {
	a := newApp(t, memory(t), setup{options: routes.Options{Pages: map[routes.Route]routes.Page{
		routes.Register: {Done: "/welcome", Failed: "/sign-up"},
	}}})
	c := a.browser()
	c.form("/register", "name=Ann&email=ann%40example.com&password=short").wantRedirect(t, "/sign-up?error=invalid_input&field=password")
	c.form("/register", "name=Ann&name=Bob").wantRedirect(t, "/sign-up?error=invalid_input&field=name")
	c.form("/register", "name=Ann&email=ann%40example.com&password=CANARY+ocelots+juggle+nine").wantRedirect(t, "/welcome")
	// API clients get JSON, also if there is a page.
	a.client().form("/register", "name=Ann&email=ann%40example.com&password=short").wantField(t, "password")
}
