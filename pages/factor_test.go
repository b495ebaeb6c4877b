package pages_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

// codeOf returns the code of a secret at a time.
func codeOf(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.Code(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// factors is an application with the pages of second factors.
func factors(t *testing.T) *testapp.App {
	t.Helper()
	features := []ginauth.Feature{totp.New(totp.Options{}), recovery.New(recovery.Options{})}
	return testapp.New(t, testapp.Memory(t), testapp.CheckLeaks(), testapp.Configure(func(c *ginauth.Config) {
		c.StoreTimeout = 20 * time.Second // the race detector is slow
		c.Pages, c.ErrorHandler, c.Features = pages.Config(""), pages.ErrorHandler, features
		c.Mail.AppName = "Blog"
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		pages.Mount(r, a.Manager, pages.Options{})
		routes.Mount(r, a.Manager, routes.Options{})
		for _, f := range features {
			f.(interface{ Mount(routes.Router) }).Mount(r)
		}
		r.GET("/safe", a.StartSession(), a.Auth(), a.RequireLevel(factor.LevelTwo, 5*time.Minute), func(c *gin.Context) { c.String(200, "safe") })
	}))
}

// found returns what a pattern finds in a page, without HTML.
func found(t *testing.T, r *testapp.Response, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(html.UnescapeString(r.Text))
	if match == nil {
		t.Fatalf("no %s in %s", pattern, r.Text)
	}
	return match[1]
}

// enrol sets an app up by the pages, and returns its secret.
func enrol(t *testing.T, a *testapp.App, c *testapp.Client) (secret string) {
	t.Helper()
	shown := c.Form("/totp/enrolment", "").Want(t, 200)
	secret = found(t, shown, `secret=([A-Z2-7]+)`)
	token := found(t, shown, `name="enrolment" value="([^"]+)"`)
	c.Form("/totp", form("enrolment", token, "code", codeOf(t, secret, a.Clock.Now()))).WantRedirect(t, "/recovery-codes")
	return secret
}

func TestAuthenticatorAppIsSetUpAndRemoved(t *testing.T) {
	a := factors(t)
	c := signIn(t, a, testapp.Alice)
	wants(t, c.Get("/profile").Want(t, 200), `href="/totp"`)
	page := c.Get("/totp").Want(t, 200)
	checkPage(t, page)
	wants(t, page, "not set up", `action="/totp/enrolment"`)

	a.Clock.Advance(16 * time.Minute)
	on(t, c, "/totp").Form("/totp/enrolment", "").WantRedirect(t, "/confirm-password")
	c.Form("/confirm-password", form("password", testapp.Password)).WantRedirect(t, "/totp")
	shown := c.Form("/totp/enrolment", "").Want(t, 200)
	checkPage(t, shown)
	secret := found(t, shown, `secret=([A-Z2-7]+)`)
	token := found(t, shown, `name="enrolment" value="([^"]+)"`)
	wants(t, shown, `<svg class="qr" role="img" aria-label="QR code" `, `href="otpauth://totp/Blog`, secret[:4]+" "+secret[4:8])

	for code, problem := range map[string]string{"12": "Type the 6 digits of the code.", "000000": "This code is not right, or was used before."} {
		again := c.Form("/totp", form("enrolment", token, "code", code))
		if again.StatusCode != 422 && again.StatusCode != 401 {
			t.Errorf("code %q: status %d", code, again.StatusCode)
		}
		checkPage(t, again)
		wants(t, again, problem, `aria-invalid="true"`, "Error: ", "secret="+secret, token)
	}
	c.Form("/totp", form("enrolment", "x", "code", "123456")).WantRedirect(t, "/totp")
	wants(t, c.Get("/totp").Want(t, 200), "This QR code has expired.")
	c.Form("/totp", form("enrolment", token, "code", codeOf(t, secret, a.Clock.Now()))).WantRedirect(t, "/recovery-codes")
	wants(t, c.Get("/recovery-codes").Want(t, 200), "Now make recovery codes", "You have no recovery codes.")
	wants(t, c.Get("/totp").Want(t, 200), `action="/totp/delete"`)
	c.Form("/totp/enrolment", "").Want(t, 409)

	a.Clock.Advance(16 * time.Minute)
	on(t, c, "/totp").Form("/totp/delete", "").WantRedirect(t, "/login/second-factor")
	c.Form("/totp/confirm", form("code", codeOf(t, secret, a.Clock.Now()))).WantRedirect(t, "/totp")
	c.Form("/totp/delete", "").WantRedirect(t, "/totp")
	wants(t, c.Get("/totp").Want(t, 200), "The authenticator app is removed.", "not set up")
}

// on makes a browser send forms as if they were on a page of the site.
func on(t *testing.T, c *testapp.Client, path string) *testapp.Client {
	t.Helper()
	at := c.Copy().Get("/login").Request.URL
	c.Header.Set("Referer", at.Scheme+"://"+at.Host+path)
	return c
}

func TestSecondFactorIsAskedFor(t *testing.T) {
	a := factors(t)
	owner := signIn(t, a, testapp.Alice)
	secret := enrol(t, a, owner)
	a.Clock.Advance(time.Minute)

	const page = "/login/second-factor"
	c := a.Browser()
	c.Get(page).WantRedirect(t, "/login")
	c.Get("/devices").WantRedirect(t, "/login")
	c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, page)
	asked := c.Get(page).Want(t, 200)
	checkPage(t, asked)
	wants(t, asked, "One more step", `autocomplete="one-time-code"`, `action="/login/totp"`)
	lacks(t, asked, "/login/recovery")
	c.Form("/login/totp", form("code", "x")).WantRedirect(t, page)
	wants(t, c.Get(page).Want(t, 200), "Type the 6 digits of the code.", `aria-invalid="true"`)
	c.Form("/login/totp", form("code", "000000")).WantRedirect(t, page)
	wants(t, c.Get(page).Want(t, 200), "This code is not right, or was used before.")
	c.Form("/login/totp", form("code", codeOf(t, secret, a.Clock.Now()))).WantRedirect(t, "/devices")
	c.Get("/devices").Want(t, 200)

	late := a.Browser()
	late.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, page)
	a.Clock.Advance(11 * time.Minute)
	late.Form("/login/totp", form("code", codeOf(t, secret, a.Clock.Now()))).WantRedirect(t, "/login")
	wants(t, late.Get("/login").Want(t, 200), "Your session has ended. Sign in again.")
}

func TestRecoveryCodesArePages(t *testing.T) {
	a := factors(t)
	owner := signIn(t, a, testapp.Alice)
	enrol(t, a, owner)
	list := owner.Form("/recovery-codes", "").Want(t, 200)
	checkPage(t, list)
	codes := regexp.MustCompile(`<code>([A-Z2-7-]+)</code>`).FindAllStringSubmatch(list.Text, -1)
	if len(codes) != 10 {
		t.Fatalf("%d codes in %s", len(codes), list.Text)
	}
	shown := owner.Get("/recovery-codes").Want(t, 200)
	checkPage(t, shown)
	wants(t, shown, "Unused codes: 10")
	lacks(t, shown, codes[0][1])

	const page = "/login/second-factor"
	for i, code := range codes[:8] {
		c := a.Browser()
		c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, page)
		if i == 0 { // what is wrong with a recovery code is not said about the app
			c.Form("/login/recovery", form("code", "nonsense")).WantRedirect(t, page)
			asked := c.Get(page).Want(t, 200)
			checkPage(t, asked)
			wants(t, asked, `id="recovery_code-problem">This is not a recovery code.`, "<details open>", `id="recovery_code" name="code"`)
			lacks(t, asked, `id="code-problem"`)
			c.Form("/login/recovery", form("code", "ABCDEF-ABCDEF-ABCDEF-ABCDEF")).WantRedirect(t, page)
			wants(t, c.Get(page).Want(t, 200), `id="recovery_code-problem">This code is not right, or was used before.`)
		}
		c.Form("/login/recovery", form("code", code[1])).WantRedirect(t, "/profile")
		profile := c.Get("/profile").Want(t, 200)
		if left := 9 - i; strings.Contains(profile.Text, "You have few recovery codes left.") != (left < 3) {
			t.Errorf("with %d codes left: %s", left, profile.Text)
		}
		a.Clock.Advance(20 * time.Minute)
	}
}

func TestLevelIsProvedAgainOnAPage(t *testing.T) {
	a := factors(t)
	c := signIn(t, a, testapp.Alice)
	const page = "/login/second-factor"
	c.Get("/safe").WantRedirect(t, page)
	none := c.Get(page).Want(t, 200)
	checkPage(t, none)
	wants(t, none, "You have no second factor yet.", `href="/totp"`, `href="/confirm-password"`)

	secret := enrol(t, a, c)
	a.Clock.Advance(6 * time.Minute)
	c.Get("/safe").WantRedirect(t, page)
	asked := c.Get(page).Want(t, 200)
	checkPage(t, asked)
	wants(t, asked, `action="/totp/confirm"`)
	lacks(t, asked, "/login/recovery", "/login/totp")
	c.Form("/totp/confirm", form("code", "000000")).WantRedirect(t, page)
	wants(t, c.Get(page).Want(t, 200), "This code is not right, or was used before.")
	c.Form("/totp/confirm", form("code", codeOf(t, secret, a.Clock.Now()))).WantRedirect(t, "/safe")
	c.Get("/safe").Want(t, 200)
}

func TestTooManyCodesAreToldOnThePage(t *testing.T) {
	a := factors(t)
	enrol(t, a, signIn(t, a, testapp.Alice))
	const page = "/login/second-factor"
	c := a.Browser()
	c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, page)
	for range 12 {
		c.Form("/login/totp", form("code", "000000")).WantRedirect(t, page)
	}
	wants(t, c.Get(page), "Too many attempts.")
}
