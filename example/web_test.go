package main

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// browse sends a request as a browser does, follows redirects, and returns the
// page.
func (c *client) browse(method, path string, form url.Values, status int) string {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, baseURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		c.t.Fatalf("%s %s = %d %s, %v, want %d", method, path, res.StatusCode, data, err, status)
	}
	return html.UnescapeString(string(data))
}

func (c *client) sees(page string, texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			c.t.Errorf("the page has no %q:\n%s", text, page)
		}
	}
}

// TestNewcomer walks the way of a person who opens the example.
func TestNewcomer(t *testing.T) {
	c, email := newClient(t), newEmail()
	c.sees(c.browse("GET", "/", nil, 200), "Notes worth sharing", "Welcome", "Sign in")
	c.sees(c.browse("GET", "/login", nil, 200), "alice@example.com", seedPassword)
	c.sees(c.browse("GET", "/write", nil, 200), "<h1>Sign in</h1>")
	c.sees(c.browse("POST", "/register", url.Values{"name": {"Nina"}, "email": {email}, "password": {"short"}}, 200), "Use at least 15 characters.")
	c.sees(c.browse("POST", "/register", url.Values{"name": {"Nina"}, "email": {email}, "password": {seedPassword}}, 200), "we sent you a mail")
	c.sees(c.browse("POST", "/login", url.Values{"email": {email}, "password": {seedPassword}}, 200), "<h1>Write</h1>") // where she wanted to go

	c.sees(c.browse("POST", "/posts", url.Values{"title": {" "}, "body": {"x"}}, 422), "title must have 1 to 200 characters", ">x</textarea>")
	page := c.browse("POST", "/posts", url.Values{"title": {"<First>"}, "body": {"My words"}}, 200)
	c.sees(page, "The draft is saved.", "<First>", "My words", "draft", "Publish")
	post := regexp.MustCompile(`/posts/\d+`).FindString(page)
	c.sees(c.browse("POST", post+"/publish", nil, 200), "Send the link again") // not verified

	mails := c.browse("GET", "/_mail", nil, 200)
	c.sees(mails, "to "+email)
	verify := regexp.MustCompile(regexp.QuoteMeta(baseURL) + `(/verify-email/[^"]+)`).FindStringSubmatch(mails)[1]
	c.sees(c.browse("GET", verify, nil, 200), "Verify this email address")
	c.browse("POST", verify, nil, 200)
	c.sees(c.browse("POST", post+"/publish", nil, 200), "The post is published.")
	c.sees(newClient(t).browse("GET", "/", nil, 200), "<First>", "Nina")
	c.sees(c.browse("POST", post, url.Values{"title": {"Second"}, "body": {"More"}}, 200), "The post is saved.", "Second")
	c.sees(c.browse("POST", post+"/delete", nil, 200), "The post is deleted.")
	c.browse("GET", post, nil, 404)
	c.sees(c.browse("POST", "/logout", nil, 200), "You are signed out.")
}

func TestAdminSeesUsers(t *testing.T) {
	admin := newClient(t)
	admin.sees(admin.browse("POST", "/login", url.Values{"email": {"admin@example.com"}, "password": {seedPassword}}, 200), `href="/admin"`)
	admin.sees(admin.browse("GET", "/admin", nil, 200), "bob@example.com")
	alice := newClient(t)
	alice.browse("POST", "/login", url.Values{"email": {"alice@example.com"}, "password": {seedPassword}}, 200)
	alice.sees(alice.browse("GET", "/admin", nil, 403), "No access")
}

// Mails have links into accounts, so only a developer on this machine sees them.
func TestMailboxIsForDevelopers(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), "GET", baseURL+"/_mail", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != 404 {
		t.Errorf("through a proxy: %d", res.StatusCode)
	}
}

// The mails and the code are for nobody else, whatever the address of the request is said to be.
func TestDeveloperPagesAreForThisMachine(t *testing.T) {
	r := gin.New()
	r.GET("/_mail", developerOnly, func(c *gin.Context) { c.String(200, "mails") })
	for name, row := range map[string]struct {
		remote, header, mode string
		status               int
	}{
		"this machine":    {"127.0.0.1:4000", "", gin.TestMode, 200},
		"by IPv6":         {"[::1]:4000", "", gin.TestMode, 200},
		"another":         {"192.0.2.9:4000", "", gin.TestMode, 404},
		"through a proxy": {"127.0.0.1:4000", "Forwarded", gin.TestMode, 404},
		"release mode":    {"127.0.0.1:4000", "", gin.ReleaseMode, 404},
	} {
		req := httptest.NewRequest("GET", "/_mail", nil)
		req.RemoteAddr = row.remote
		if row.header != "" {
			req.Header.Set(row.header, "for=127.0.0.1")
		}
		gin.SetMode(row.mode)
		res := httptest.NewRecorder()
		r.ServeHTTP(res, req)
		data, err := demoData(nil)
		gin.SetMode(gin.TestMode)
		if res.Code != row.status {
			t.Errorf("%s: %d, want %d", name, res.Code, row.status)
		}
		if shown := data.(gin.H)["shown"]; err != nil || shown != (row.mode != gin.ReleaseMode) {
			t.Errorf("%s: passwords of the demonstration are shown: %v, %v", name, shown, err)
		}
	}
}

// What the pages of the blog say must be in every language, or a page is half in English.
func TestTextsAreInEveryLanguage(t *testing.T) {
	files, err := filepath.Glob("web/*.html")
	if err != nil {
		t.Fatal(err)
	}
	known := texts()
	if len(known) != 5 {
		t.Errorf("%d languages beside English", len(known))
	}
	shared := map[string]bool{ // those of package pages
		"Create an account": true, "Delete": true, "Name": true, "Email address": true, "verified": true, "not verified": true,
	}
	for _, file := range append(files, "web.go") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`\bT "([^"]*)"|b\.show\(c, p, "([^"]*)"|pages\.Notice\(c, "([^"]*)"|Text: "([^"]*)"|title :?= "([^"]*)"`)
		for _, match := range found.FindAllStringSubmatch(string(data), -1) {
			text := strings.Join(match[1:], "")
			for lang, all := range known {
				if all[text] == "" && !shared[text] {
					t.Errorf("%s: %q is not in %s", file, text, lang)
				}
			}
		}
	}
}
