package magiclink_test

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

func withPages(c *ginauth.Config) { c.Pages.Login, c.Pages.Home = "/sign-in", "/home" }

// The browser that asked goes on by itself, to the page that it wanted.
func TestBrowserLogsInByLink(t *testing.T) {
	a := start(t, testapp.Memory(t), both, testapp.UnlimitedMails, withPages)
	c := a.Browser()
	c.Get("/me?tab=2").WantRedirect(t, "/sign-in")
	c.Form("/magic-link", "email=alice%40example.com&remember=on").WantRedirect(t, "/magic-link")
	waiting := c.Get("/magic-link").Want(t, 200)
	screen := codeForm.FindString(waiting.Text)
	if screen == "" || !strings.Contains(waiting.Text, `action="/magic-link/code"`) {
		t.Errorf("page %s", waiting.Text)
	}
	if again := c.Get("/magic-link").Text; codeForm.FindString(again) != screen {
		t.Error("another code after a reload")
	}
	m := a.Outbox.Next(t, mail.LoginLink, testapp.Alice)
	path := testapp.PathOf(t, m)
	page := c.Get(path).Want(t, 200)
	script := regexp.MustCompile(`(?s)<script>(.*)</script>`).FindStringSubmatch(page.Text)
	if script == nil {
		t.Fatalf("page %s", page.Text)
	}
	sum := sha256.Sum256([]byte(script[1]))
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) ||
		strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if strings.Contains(page.Text, path) || strings.Contains(waiting.Text, "gol_") {
		t.Error("the page contains the link")
	}
	c.Form(path, "").WantRedirect(t, "/me?tab=2")
	c.Get("/me").Want(t, 200)
	if c.Remember() == "" {
		t.Error("the device is not remembered")
	}
	if left := c.Cookies[testapp.SessionCookie+"_onetime"]; left != "" {
		t.Error("the cookie of the login is left")
	}
	if used := c.Form(path, "").Want(t, 403); !strings.Contains(used.Text, "does not work") {
		t.Errorf("page %s", used.Text)
	}
}

// Another browser is asked for the code, and is told what is wrong with it.
func TestAnotherBrowserTypesTheCode(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{}, testapp.Unlimited, withPages)
	path, r := a.link(t, a.Client(), testapp.Alice)
	c := a.Browser()
	if page := c.Get(path).Want(t, 200); !strings.Contains(page.Text, `name="code"`) || strings.Contains(page.Text, "<script") {
		t.Errorf("page %s", page.Text)
	}
	for body, row := range map[string]struct {
		status int
		says   string
	}{
		"": {422, "Please type the code."}, "code=": {422, "Please type the code."}, "code=abc": {422, "Please type the code."},
		"code=" + wrong(r.Code): {401, "The code is not right."},
	} {
		if page := c.Form(path, body).Want(t, row.status); !strings.Contains(page.Text, row.says) || !strings.Contains(page.Text, `name="code"`) {
			t.Errorf("%q: page %s", body, page.Text)
		}
	}
	for range 4 {
		c.Form(path, "code="+wrong(r.Code)).Want(t, 401)
	}
	if page := c.Form(path, "code="+r.Code).Want(t, 429); page.Header.Get("Retry-After") == "" {
		t.Errorf("page %s", page.Text)
	}
	path, r = a.link(t, a.Client(), testapp.Alice)
	c.Form(path, "code="+strings.ToLower(r.Code)).WantRedirect(t, "/home")
}

func TestBrowserTypesTheCodeOfTheMail(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{Mails: magiclink.Codes}, testapp.Unlimited, withPages)
	c := a.Browser()
	c.Form("/magic-link", "email=alice%40example.com").WantRedirect(t, "/magic-link")
	if page := c.Get("/magic-link").Want(t, 200); codeForm.MatchString(page.Text) {
		t.Errorf("the page shows a code: %s", page.Text)
	}
	code := codeIn(t, a.Outbox.Next(t, mail.LoginCode, testapp.Alice))
	if page := c.Form("/magic-link/code", "code="+wrong(code)).Want(t, 401); !strings.Contains(page.Text, "The code is not right.") {
		t.Errorf("page %s", page.Text)
	}
	c.Form("/magic-link/code", "code="+code).WantRedirect(t, "/home")
	if strings.Contains(a.Browser().Get("/magic-link").Want(t, 200).Text, "<strong>") {
		t.Error("a browser that did not ask sees a code")
	}
}

// An application shows pages of its own.
func TestOwnPages(t *testing.T) {
	var kinds []magiclink.PageKind
	show := func(c *gin.Context, status int, p magiclink.Page) {
		kinds = append(kinds, p.Kind)
		c.String(status, "%s %s %v", p.Kind, p.Screen, p.Err)
	}
	a := start(t, testapp.Memory(t), magiclink.Options{Page: show}, testapp.Unlimited)
	c := a.Browser()
	c.Form("/magic-link", "email=alice%40example.com")
	c.Get("/magic-link").Want(t, 200)
	path := testapp.PathOf(t, a.Outbox.Next(t, mail.LoginLink, testapp.Alice))
	c.Get(path).Want(t, 200)
	a.Browser().Get(path).Want(t, 200)
	a.Clock.Advance(10 * time.Minute)
	c.Form(path, "").Want(t, 403)
	want := []magiclink.PageKind{magiclink.PageWaiting, magiclink.PageContinue, magiclink.PageScreen, magiclink.PageFailed}
	for i, kind := range want {
		if i >= len(kinds) || kinds[i] != kind {
			t.Errorf("pages %v, want %v", kinds, want)
		}
	}
}
