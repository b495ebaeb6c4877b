package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

const (
	password = "correct horse battery staple"
	front    = "https://app.example.com"
	email    = "ann@example.com"
)

// app is the API on a TLS server.
type app struct {
	t      *testing.T
	db     *gorm.DB
	clock  *ginauthtest.Clock
	mails  *ginauthtest.Mailbox
	server *httptest.Server
}

func newApp(t *testing.T) *app {
	t.Helper()
	gin.SetMode(gin.TestMode)
	db, err := open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t: t, db: db, clock: ginauthtest.NewClock(time.Now()), mails: new(ginauthtest.Mailbox)}
	t.Cleanup(a.closeDB)
	r, auth, err := newAPI(db, ginauth.Config{
		Key: ginauth.NewKey(), Mail: ginauth.MailConfig{Mailer: a.mails}, Hashing: ginauthtest.CheapHashing(), Now: a.clock.Now,
		JWT: ginauth.JWTConfig{Leeway: -1}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}, []string{front, "http://localhost:5173"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	a.server = httptest.NewTLSServer(r)
	t.Cleanup(a.server.Close)
	return a
}

func (a *app) closeDB() {
	if pool, err := a.db.DB(); err == nil {
		_ = pool.Close()
	}
}

// client is a page of an origin in a browser, or, without an origin, an application on a phone.
type client struct {
	*app
	http   *http.Client
	origin string
	bearer string
}

func (a *app) browser(origin string) *client {
	jar, _ := cookiejar.New(nil) // never fails
	return &client{app: a, http: &http.Client{Transport: a.server.Client().Transport, Jar: jar}, origin: origin}
}

func (a *app) phone() *client { return &client{app: a, http: a.server.Client()} }

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

// get returns the text in a field of the JSON.
func (r answer) get(t *testing.T, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(r.body), &fields); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	text, _ := fields[name].(string)
	return text
}

// do sends a request as the client does, and requires a status.
func (c *client) do(status int, method, path string, body any, headers ...string) answer {
	c.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	if body == nil {
		data = nil
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, strings.NewReader(string(data)))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.origin != "" {
		r.Header.Set("Origin", c.origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		c.t.Fatalf("%s %s: status %d, want %d, %v: %s", method, path, res.StatusCode, status, err, text)
	}
	return answer{res, string(text)}
}

// readable checks that the script of an origin may read the response.
func (c *client) readable(r answer) {
	c.t.Helper()
	h := r.Header
	allowed := h.Get("Access-Control-Allow-Origin") == c.origin && h.Get("Access-Control-Allow-Credentials") == "true"
	if !allowed || !strings.Contains(h.Get("Vary"), "Origin") {
		c.t.Errorf("%s %s: status %d: a script of %s cannot read it: %v",
			r.Request.Method, r.Request.URL.Path, r.StatusCode, c.origin, h)
	}
}

func (c *client) register(email string) {
	c.t.Helper()
	c.do(201, "POST", "/register", map[string]string{"name": "Ann", "email": email, "password": password})
}

func (c *client) login(status int, email, password string) answer {
	c.t.Helper()
	return c.do(status, "POST", "/login", map[string]string{"email": email, "password": password})
}

func (c *client) preflight(status int, method, path, headers string) answer {
	c.t.Helper()
	return c.do(status, "OPTIONS", path, nil,
		"Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
}

func TestPreflight(t *testing.T) {
	a := newApp(t)
	for _, path := range []string{"/login", "/tasks", "/devices/1"} {
		c := a.browser(front)
		r := c.preflight(204, "DELETE", path, "authorization,content-type")
		c.readable(r)
		for header, want := range map[string]string{
			"Access-Control-Allow-Methods": "DELETE",
			"Access-Control-Allow-Headers": "Authorization,Content-Type",
			"Access-Control-Max-Age":       "43200",
		} {
			if got := r.Header.Get(header); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		if len(r.Cookies()) > 0 {
			t.Errorf("%s: a preflight got cookies", path)
		}
		for _, origin := range strangers {
			r := a.browser(origin).preflight(403, "POST", path, "content-type")
			if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("%s: %s may read %q", path, origin, got)
			}
		}
	}
}

// strangers are origins that are not trusted.
var strangers = []string{
	"https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "https://app.example.com:8443", "null",
}

// TestErrorsAreReadable checks that scripts can read every error, also one that takes the place of a handler's response.
func TestErrorsAreReadable(t *testing.T) {
	a := newApp(t)
	c := a.browser(front)
	c.readable(c.do(401, "GET", "/tasks", nil))
	c.readable(c.login(401, email, "wrong"))
	c.readable(c.do(422, "POST", "/register", map[string]string{"name": "", "email": "x", "password": "short"}))
	c.readable(c.do(404, "GET", "/nowhere", nil))
	c.register(email)
	c.readable(c.login(200, email, password))
	r := c.do(403, "POST", "/tokens", map[string]string{"name": "deploy"}) // the email address is not verified
	c.readable(r)
	for range 5 {
		a.browser(front).login(401, "eve@example.com", "wrong")
	}
	r = a.browser(front).login(429, "eve@example.com", "wrong")
	c.readable(r)
	if r.Header.Get("Retry-After") == "" || r.Header.Get("Access-Control-Expose-Headers") != "Retry-After" {
		t.Errorf("a script cannot read when to come back: %v", r.Header)
	}
	if err := a.db.Migrator().DropTable(&models.Session{}); err != nil {
		t.Fatal(err)
	}
	c.readable(a.browser(front).login(503, email, password)) // the session cannot be stored
	a.closeDB()
	r = c.do(503, "GET", "/tasks", nil)
	c.readable(r)
	if r.get(t, "code") != "unavailable" || len(r.Cookies()) > 0 {
		t.Errorf("in an outage: %s, cookies %v", r.body, r.Cookies())
	}
}

func TestStrangersAreRefused(t *testing.T) {
	a := newApp(t)
	c := a.browser(front)
	c.register(email)
	for _, origin := range strangers {
		// CORS refuses it without a body, because it comes before StartSession.
		r := a.browser(origin).login(403, email, password)
		if len(r.Cookies()) > 0 || r.Header.Get("Access-Control-Allow-Origin") != "" || r.body != "" {
			t.Errorf("%s: cookies %v, header %v: %s", origin, r.Cookies(), r.Header, r.body)
		}
		a.browser(origin).do(403, "POST", "/token", map[string]string{"email": email, "password": password})
	}
	c.login(200, email, password)
	for _, origin := range strangers {
		c.origin = origin // a page of a stranger, in the browser of the user
		c.do(403, "POST", "/tasks", map[string]string{"text": "not mine"})
		c.do(403, "POST", "/logout", nil)
		c.do(403, "GET", "/tasks", nil)
	}
	// Without the header Origin, ginauth itself refuses what comes from elsewhere.
	c.origin = ""
	for _, site := range []string{"cross-site", "same-site"} {
		r := c.do(403, "POST", "/tasks", map[string]string{"text": "not mine"}, "Sec-Fetch-Site", site)
		if r.get(t, "code") != "cross_origin" {
			t.Errorf("%s: %s", site, r.body)
		}
	}
	c.origin = front
	if r := c.do(200, "GET", "/tasks", nil); r.body != "[]" {
		t.Errorf("tasks %s", r.body)
	}
}

func TestSession(t *testing.T) {
	a := newApp(t)
	c := a.browser(front)
	c.register(email)
	r := c.login(200, email, password)
	var session *http.Cookie
	for _, cookie := range r.Cookies() { // that of the session, and that of the known device
		if !strings.HasPrefix(cookie.Name, "__Host-ginauth") || !cookie.Secure || !cookie.HttpOnly ||
			cookie.SameSite != http.SameSiteLaxMode || cookie.Domain != "" || cookie.Path != "/" {
			t.Errorf("cookie %v", cookie)
		}
		if cookie.Name == "__Host-ginauth" {
			session = cookie
		}
	}
	if session == nil {
		t.Fatalf("cookies %v", r.Cookies())
	}
	c.do(201, "POST", "/tasks", map[string]string{"text": "buy milk"})
	c.do(422, "POST", "/tasks", map[string]string{"text": ""})
	if r := c.do(200, "GET", "/tasks", nil); r.body != `[{"id":1,"text":"buy milk"}]` {
		t.Errorf("tasks %s", r.body)
	}
	bob := a.browser("http://localhost:5173") // the second front end
	bob.register("bob@example.com")
	bob.login(200, "bob@example.com", password)
	if r := bob.do(200, "GET", "/tasks", nil); r.body != "[]" {
		t.Errorf("the tasks of another: %s", r.body)
	}
	c.do(204, "POST", "/logout", nil)
	c.do(401, "GET", "/tasks", nil)
	c.do(401, "GET", "/tasks", nil, "Cookie", session.Name+"="+session.Value) // kept by a thief
	bob.do(200, "GET", "/tasks", nil)
}

// TestTokens is the way of a mobile application.
func TestTokens(t *testing.T) {
	a := newApp(t)
	p := a.phone()
	p.register(email)
	signIn := func() answer {
		r := p.do(200, "POST", "/token", map[string]string{"email": email, "password": password})
		p.bearer = r.get(t, "access_token")
		return r
	}
	refresh := func(status int, token string) answer {
		p.bearer = ""
		r := p.do(status, "POST", "/token/refresh", map[string]string{"refresh_token": token})
		if status == 200 {
			p.bearer = r.get(t, "access_token")
		}
		return r
	}
	first := signIn()
	if len(first.Cookies()) > 0 {
		t.Errorf("a login by tokens got cookies: %v", first.Cookies())
	}
	p.do(201, "POST", "/tasks", map[string]string{"text": "buy milk"})
	a.clock.Advance(15*time.Minute + time.Second)
	if r := p.do(401, "GET", "/tasks", nil); !strings.Contains(r.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("an expired token: %v", r.Header)
	}
	second := refresh(200, first.get(t, "refresh_token"))
	if second.get(t, "refresh_token") == first.get(t, "refresh_token") {
		t.Error("the refresh token is not replaced")
	}
	if r := p.do(200, "GET", "/tasks", nil); !strings.Contains(r.body, "buy milk") {
		t.Errorf("tasks %s", r.body)
	}
	// The used refresh token is stolen if it comes again later. It ends the login.
	a.clock.Advance(time.Minute)
	refresh(401, first.get(t, "refresh_token"))
	p.bearer = second.get(t, "access_token")
	p.do(401, "GET", "/tasks", nil)
	refresh(401, second.get(t, "refresh_token"))

	third := signIn()
	p.do(200, "GET", "/tasks", nil)
	p.do(204, "POST", "/logout", nil)
	p.do(401, "GET", "/tasks", nil)
	refresh(401, third.get(t, "refresh_token"))
}

func TestMails(t *testing.T) {
	a := newApp(t)
	c := a.browser(front)
	c.register(email)
	link := a.link(mail.VerifyEmail)
	c.do(404, "GET", link.RequestURI(), nil) // the page is that of the front end
	c.do(200, "POST", link.RequestURI(), nil)
	if r := c.login(200, email, password); !strings.Contains(r.body, `"email_verified":true`) {
		t.Errorf("after the verification: %s", r.body)
	}
	c.do(202, "POST", "/forgot-password", map[string]string{"email": email})
	link = a.link(mail.ResetPassword)
	fragment, err := url.ParseQuery(link.EscapedFragment())
	if err != nil || link.Path != "/new-password" || link.RawQuery != "" || fragment.Get("email") != email {
		t.Fatalf("reset link %s: %v", link, err)
	}
	const next = "ocelots juggle nine marbles"
	in := map[string]string{"email": email, "token": fragment.Get("token"), "password": next}
	c.do(204, "POST", "/reset-password", in)
	c.do(422, "POST", "/reset-password", in)
	c.do(401, "GET", "/tasks", nil) // its session has ended
	c.login(401, email, password)
	c.login(200, email, next)

	c.do(204, "POST", "/confirm-password", map[string]string{"password": next})
	c.do(202, "PUT", "/email", map[string]string{"email": "anna@example.com"})
	link = a.link(mail.EmailChange)
	c.do(404, "GET", link.RequestURI(), nil)
	c.do(200, "POST", link.RequestURI(), map[string]string{"password": ""}) // what the page of the front end sends
	c.login(200, "anna@example.com", next)
}

// link returns the link of the newest mail of a kind, which leads to the front end.
func (a *app) link(kind string) *url.URL {
	a.t.Helper()
	link, err := url.Parse(a.mails.Link(a.t, kind))
	if err != nil || link.Scheme+"://"+link.Host != front {
		a.t.Fatalf("the link %s does not lead to the front end: %v", link, err)
	}
	return link
}

// TestRun runs the program, and asks its front end for files.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-api", "127.0.0.1:0", "-front", "127.0.0.1:0", "-db", filepath.Join(dir, "spa.db"), "-client", dir}
	if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "npm run build") {
		t.Errorf("without the client: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ginauth.js"), []byte("export {}"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, in, io.Discard) }()
	lines := bufio.NewReader(out)
	var addresses [3]string
	for i := range addresses {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = strings.TrimSpace(line[strings.Index(line, "http://"):])
	}
	for path, want := range map[string]string{
		"/": "text/html", "/new-password": "text/html", "/verify-email/1/hash": "text/html", "/../go.mod": "text/html",
		"/app.js": "text/javascript", "/app.css": "text/css", "/client/ginauth.js": "text/javascript",
		"/config.json": "application/json",
	} {
		res, err := http.Get(addresses[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		policy := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), want) ||
			!strings.Contains(policy, "connect-src 'self' "+addresses[0]+";") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: status %d, header %v", path, res.StatusCode, res.Header)
		}
		if path == "/config.json" && !strings.Contains(string(body), addresses[0]) {
			t.Errorf("%s: %s", path, body)
		}
	}
	res, err := http.Get(addresses[0] + "/tasks")
	if err != nil || res.StatusCode != 401 {
		t.Errorf("the API: %v, %v", res, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
