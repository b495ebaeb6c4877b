package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/mail"
)

// person is a browser.
type person struct {
	t    *testing.T
	base string
	http *http.Client
}

// do sends a form, or a GET without one, follows redirects and returns the page.
func (p *person) do(path string, form url.Values, status int) string {
	p.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		p.t.Fatalf("%s %s: status %d, want %d, %v: %s", method, path, res.StatusCode, status, err, page)
	}
	return res.Request.URL.Path + "\n" + string(page)
}

// TestBackend clicks through the backend on PostgreSQL: register, verify, sign in, notes of one's own and of others, and
// the role of an editor.
func TestBackend(t *testing.T) {
	gin.SetMode(gin.TestMode)
	db, box := testservers.Postgres(t), new(ginauthtest.Mailbox)
	t.Setenv("APP_KEY", string(ginauth.NewKey()))
	r, auth := backend(db, ginauth.MailConfig{Mailer: box, BaseURL: "https://app.example"})
	defer auth.Close(t.Context())
	server := httptest.NewTLSServer(r)
	defer server.Close()
	const password = "correct horse battery staple"
	join := func(name string) *person {
		jar, _ := cookiejar.New(nil)
		p := &person{t, server.URL, &http.Client{Transport: server.Client().Transport, Jar: jar}}
		p.do("/register", url.Values{"name": {name}, "email": {name + "@example.com"}, "password": {password}}, 200)
		link, err := url.Parse(box.Link(t, mail.VerifyEmail))
		if err != nil {
			t.Fatal(err)
		}
		p.do(link.RequestURI(), nil, 200)
		p.do(link.RequestURI(), url.Values{}, 200)
		page := p.do("/login", url.Values{"email": {name + "@example.com"}, "password": {password}}, 200)
		if !strings.HasPrefix(page, "/profile\n") || !strings.Contains(page, name+"@example.com") {
			t.Fatalf("after the login: %s", page)
		}
		return p
	}
	ann, bob := join("ann"), join("bob")
	var users []User
	if err := db.Order("id").Find(&users).Error; err != nil || len(users) != 2 {
		t.Fatal(users, err)
	}
	if err := db.Create(&Note{ID: "first", Owner: users[0].AuthID(), Text: "mine"}).Error; err != nil {
		t.Fatal(err)
	}
	if page := ann.do("/notes/first", nil, 200); !strings.Contains(page, "mine") {
		t.Errorf("the note: %s", page)
	}
	bob.do("/notes/first", nil, 403)
	bob.do("/notes/none", nil, 404)
	if err := db.Model(&users[1]).Update("role", "editor").Error; err != nil {
		t.Fatal(err)
	}
	bob.do("/notes/first", nil, 200)
	bob.do("/logout", url.Values{}, 200)
	if page := bob.do("/notes/first", nil, 200); !strings.HasPrefix(page, "/login\n") {
		t.Errorf("without a login: %s", page)
	}
}
