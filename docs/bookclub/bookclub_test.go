package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/net/html"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
)

const (
	password = "correct horse battery staple"
	next     = "ocelots juggle nine marbles"
	email    = "nina@example.com"
)

// club is the application on a TLS server.
type club struct {
	t      *testing.T
	db     *gorm.DB
	clock  *ginauthtest.Clock
	mails  *ginauthtest.Mailbox
	server *httptest.Server
}

func newApp(t *testing.T) *club {
	t.Helper()
	gin.SetMode(gin.TestMode)
	db, err := open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	a := &club{t: t, db: db, clock: ginauthtest.NewClock(time.Now()), mails: new(ginauthtest.Mailbox)}
	t.Cleanup(a.closeDB)
	a.server = httptest.NewUnstartedServer(nil)
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	r, auth, err := newClub(db, ginauth.Config{
		Key: ginauth.NewKey(), Hashing: ginauthtest.CheapHashing(), Now: a.clock.Now,
		Mail:   ginauth.MailConfig{Mailer: a.mails, BaseURL: a.server.URL, AppName: "Book club"},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	a.server.Config.Handler = r
	return a
}

func (a *club) closeDB() {
	if pool, err := a.db.DB(); err == nil {
		_ = pool.Close()
	}
}

// person is a person at a browser without scripts, which shows a page.
type person struct {
	*club
	http *http.Client
	url  *url.URL
	page *html.Node
	text string
}

func (a *club) person() *person {
	jar, _ := cookiejar.New(nil) // never fails
	return &person{club: a, http: &http.Client{Transport: a.server.Client().Transport, Jar: jar}}
}

// visit opens a page, which has a status.
func (p *person) visit(path string, status int) {
	p.t.Helper()
	p.send(http.MethodGet, path, nil, status)
}

// send sends a request, follows redirects, and shows the page.
func (p *person) send(method, path string, form url.Values, status int) {
	p.t.Helper()
	if !strings.HasPrefix(path, "https://") {
		path = p.server.URL + path
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	r.Header.Set("Accept-Language", "en")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", p.server.URL)
		r.Header.Set("Referer", p.url.String())
	}
	res, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		p.t.Fatalf("%s %s: status %d, want %d, %v: %s", method, path, res.StatusCode, status, err, body)
	}
	p.url, p.text = res.Request.URL, html.UnescapeString(string(body))
	if p.page, err = html.Parse(strings.NewReader(string(body))); err != nil {
		p.t.Fatal(err)
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self'; ") {
		p.t.Errorf("%s: Content-Security-Policy %q", p.url.Path, policy)
	}
	p.sees(`<link rel="stylesheet" href="/static/club.css">`, `src="/static/logo.svg"`)
}

// attribute returns an attribute of an element, or "".
func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// submit fills the form of the page with an action, as pairs of name and text, and sends it. Every field must be there.
func (p *person) submit(status int, action string, fields ...string) {
	p.t.Helper()
	for n := range p.page.Descendants() {
		if n.Data != "form" || attribute(n, "action") != action || attribute(n, "method") != "post" {
			continue
		}
		form, known := url.Values{}, make(map[string]bool)
		for in := range n.Descendants() {
			known[attribute(in, "name")] = true
			if in.Data == "input" && attribute(in, "type") != "checkbox" {
				form.Set(attribute(in, "name"), attribute(in, "value"))
			}
		}
		for i := 0; i+1 < len(fields); i += 2 {
			if !known[fields[i]] {
				p.t.Fatalf("%s: the form %q has no field %q", p.url.Path, action, fields[i])
			}
			form.Set(fields[i], fields[i+1])
		}
		if action == "" {
			action = p.url.String()
		}
		p.send(http.MethodPost, action, form, status)
		return
	}
	p.t.Fatalf("%s has no form %q:\n%s", p.url.Path, action, p.text)
}

// at fails the test unless the page has a path.
func (p *person) at(path string) {
	p.t.Helper()
	if p.url.Path != path {
		p.t.Fatalf("it is at %s, want %s:\n%s", p.url.Path, path, p.text)
	}
}

func (p *person) sees(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.text, text) {
			p.t.Errorf("%s does not show %q:\n%s", p.url.Path, text, p.text)
		}
	}
}

// find returns what a pattern finds in the page.
func (p *person) find(pattern string) string {
	p.t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(p.text)
	if match == nil {
		p.t.Fatalf("%s has no %s:\n%s", p.url.Path, pattern, p.text)
	}
	return match[1]
}

// signIn signs in with a password.
func (p *person) signIn(password string) {
	p.t.Helper()
	p.visit("/login", 200)
	p.submit(200, "/login", "email", email, "password", password)
}

// code types a code of the authenticator app.
func (p *person) code(secret string) {
	p.t.Helper()
	p.clock.Advance(time.Minute) // a code is good for one use
	code, err := totp.Code(secret, p.clock.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	p.submit(200, "/login/totp", "code", code)
}

// TestMember is the way of a member: join, verify, read, set an authenticator app up, sign in with it, and reset the
// password.
func TestMember(t *testing.T) {
	a := newApp(t)
	p := a.person()
	join(p)
	p.visit("/books", 200)
	p.at("/login")
	p.signIn(password)
	p.at("/books") // which was asked for
	p.submit(200, "/books", "title", "Emma")
	p.at("/books")
	p.sees("Emma", "Nina (Jane Austen)")

	secret, recovery := enrol(p)
	p.submit(200, "/logout")
	p.at("/login")
	p.signIn(password)
	p.at("/login/second-factor")
	p.visit("/books", 200) // the password alone opens nothing
	p.at("/login")
	p.signIn(password)
	p.code(secret)
	p.at("/books")
	p.submit(200, "/logout")
	p.signIn(password)
	p.submit(200, "/login/recovery", "code", recovery)
	p.at("/books")
	p.submit(200, "/logout")

	reset(p)
	p.signIn(password)
	p.at("/login")
	p.signIn(next)
	p.code(secret)
	p.at("/books")
}

// join registers and verifies the email address.
func join(p *person) {
	p.t.Helper()
	p.visit("/register", 200)
	p.sees("Join the club", "Favorite author", "The others see it beside your books.")
	p.submit(200, "/register", "name", "Nina", "email", email, "password", password, "author", strings.Repeat("é", 101))
	p.at("/register")
	p.sees("must have 1 to 100 characters", `id="author-problem"`, `value="Nina"`, `value="`+email+`"`)
	p.submit(200, "/register", "password", password, "author", "Jane Austen")
	p.at("/verify-email")
	p.visit(p.mails.Link(p.t, mail.VerifyEmail), 200)
	p.submit(200, "")
	p.at("/login")
	p.sees("Your email address is verified.")
}

// enrol sets an authenticator app up, and makes recovery codes. It returns the secret of the app and one of the codes.
func enrol(p *person) (secret, recovery string) {
	p.t.Helper()
	p.visit("/totp", 200)
	p.submit(200, "/totp/enrolment")
	p.sees(`class="qr"`)
	secret = p.find(`secret=([A-Z2-7]+)`)
	code, err := totp.Code(secret, p.clock.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	p.submit(200, "/totp", "code", code)
	p.at("/recovery-codes")
	p.submit(200, "/recovery-codes")
	return secret, p.find(`<li><code>([^<]+)</code></li>`)
}

// reset chooses a new password by a mailed link, without a script that reads a fragment.
func reset(p *person) {
	p.t.Helper()
	p.visit("/login", 200)
	p.visit("/forgot-password", 200)
	p.submit(200, "/forgot-password", "email", email)
	p.visit(p.mails.Link(p.t, mail.ResetPassword), 200)
	p.at("/reset-password")
	if p.url.RawQuery != "" {
		p.t.Errorf("the address of the page keeps the token: %s", p.url)
	}
	p.submit(200, "/reset-password", "password", next)
	p.at("/login")
}

// TestLanguage changes the language, as a guest and as a member.
func TestLanguage(t *testing.T) {
	a := newApp(t)
	p := a.person()
	join(p)
	p.visit("/language", 200)
	p.submit(200, "/language", "language", "de")
	p.sees(`<html lang="de"`, "Sprache")
	p.visit("/register", 200)
	p.sees("Mitglied werden", "Lieblingsautor", "Die anderen sehen das neben Ihren Büchern.")
	p.submit(200, "/register", "name", "Tim", "email", "tim@example.com", "password", password)
	p.sees("Geben Sie 1 bis 100 Zeichen ein.")
	p.signIn(password)
	p.visit("/books", 200)
	p.sees("Bücher", "Hier wird nichts gelesen.", "Abmelden")
	p.visit("/nowhere", 404)
	p.sees("Hier wird nichts gelesen. 404")
	p.visit("/language", 200)
	p.sees("Abmelden") // the page knows who is signed in
	p.submit(422, "/language", "language", "xx")
	p.visit("/language", 200)
	p.submit(200, "/language", "language", "en")
	p.visit("/books", 200)
	p.sees(`<html lang="en"`, "Nothing is read here.", "Sign out")
}

// TestErrorsArePages shows the replaced page for errors of the suite and of the club.
func TestErrorsArePages(t *testing.T) {
	a := newApp(t)
	p := a.person()
	p.visit("/nowhere", 404)
	p.sees("Nothing is read here. 404", `<a href="/books">`)
	join(p)
	p.signIn(password)
	p.visit("/books", 200)
	p.submit(422, "/books", "title", strings.Repeat("x", 201))
	p.sees("Nothing is read here. 422")
	for range 5 {
		p.person().signIn("wrong")
	}
	other := p.person()
	other.visit("/login", 200)
	other.submit(200, "/login", "email", email, "password", "wrong")
	other.at("/login")
	other.sees(`class="failure" role="alert"`, "Too many attempts")
	a.closeDB()
	p.visit("/books", 503)
	p.sees("Nothing is read here. 503")
}

// TestFiles asks for what the pages show.
func TestFiles(t *testing.T) {
	a := newApp(t)
	for path, kind := range map[string]string{"/static/club.css": "text/css", "/static/logo.svg": "image/svg+xml"} {
		res, err := a.server.Client().Get(a.server.URL + path)
		if err != nil || res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %v, %v", path, res, err)
		}
	}
}

// TestRun runs the program.
func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "club.db")}, in, io.Discard)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(strings.TrimPrefix(strings.TrimSpace(line), "listening on ") + "/login")
	if err != nil || res.StatusCode != 200 {
		t.Errorf("the page to sign in: %v, %v", res, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
