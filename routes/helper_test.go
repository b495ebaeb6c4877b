package routes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// Secrets of the tests say that they are: see leaks_test.go.
const (
	alice   = "alice@example.com"
	bob     = "bob@example.com"
	pass    = "CANARY correct horse battery staple"
	newPass = "CANARY ocelots juggle nine marbles"
	baseURL = "https://app.example"
)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// users is a provider that tests can look into.
type users interface {
	models.UserProvider
	models.Registrar
	change(id string, f func(*models.User))
	count() int
}

type sqlUsers struct {
	*gormstore.UserStore[models.User, *models.User]
	db *gorm.DB
}

func (p sqlUsers) change(id string, f func(*models.User)) {
	n, _ := strconv.ParseUint(id, 10, 64)
	u := models.User{ID: n}
	if err := p.db.Take(&u).Error; err != nil {
		panic(err)
	}
	f(&u)
	if err := p.db.Save(&u).Error; err != nil {
		panic(err)
	}
}

func (p sqlUsers) count() int {
	var n int64
	if err := p.db.Model(&models.User{}).Count(&n).Error; err != nil {
		panic(err)
	}
	return int(n)
}

type backend struct {
	set   stores.Set
	users users
}

func eachBackend(t *testing.T, test func(t *testing.T, b backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, memory(t)) })
	t.Run("sqlite", func(t *testing.T) {
		dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate&_synchronous=off"
		db := testservers.Connect(t, sqlite.Open(dsn))
		if err := db.AutoMigrate(models.All()...); err != nil {
			t.Fatal(err)
		}
		test(t, backend{gormstore.New(db), sqlUsers{gormstore.Users[models.User](db), db}})
	})
}

func memory(t *testing.T) backend {
	t.Helper()
	set := memstore.New(memstore.Options{PruneEvery: -1})
	t.Cleanup(func() { _ = set.Close() })
	return backend{set, newMemoryUsers()}
}

// app is an application whose only routes are those of the package, and a few that
// show what the tests ask about.
type app struct {
	*testing.T
	b      backend
	m      *ginauth.Manager
	engine *gin.Engine
	srv    *httptest.Server
	clock  *clock
	alice  string // the identifiers of two users
	bob    string
	mails  chan mail.Message
	// opening counts the connections that are still to be opened.
	opening sync.WaitGroup

	mu      sync.Mutex
	events  []events.Event
	logs    bytes.Buffer
	bodies  bytes.Buffer // of all answers, but for the routes that show secrets
	broken  error        // what the mailer answers
	secrets []string     // that answers and mails have handed out
}

func (a *app) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logs.Write(p)
}

// setup is what a test changes.
type setup struct {
	config  func(*ginauth.Config)
	options routes.Options
	group   string
}

func newApp(t *testing.T, b backend, s setup) *app {
	t.Helper()
	a := &app{
		T: t, b: b, mails: make(chan mail.Message, 1024),
		clock: &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
	cfg := ginauth.Config{
		Key: "base64:c2Vzc2lvbnMgYXJlIGZ1biwgMzIgYnl0ZXMgbG9uZyE=", Users: b.users, Stores: b.set, Now: a.clock.Now,
		Logger:       slog.New(slog.NewTextHandler(a, &slog.HandlerOptions{Level: slog.LevelDebug})),
		StoreTimeout: 20 * time.Second, // the race detector is slow
		Hashing: hashing.Config{
			Driver:      hashing.Argon2id{Memory: 64, Time: 1, Threads: 1}, // good for tests alone
			Concurrency: 4, Queue: 4096, InsecureAllowWeakParameters: true,
		},
		Mail:  ginauth.MailConfig{Mailer: mail.MailerFunc(a.send), BaseURL: baseURL, AppName: "Example"},
		Audit: a.audit,
		Pages: ginauth.PagesConfig{Login: "/sign-in", Home: "/home", ConfirmPassword: "/confirm"},
	}
	if s.config != nil {
		s.config(&cfg)
	}
	var err error
	if a.m, err = ginauth.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.m.Close(context.Background())
		a.checkLeaks()
	})
	a.alice, a.bob = a.addUser("Alice", alice), a.addUser("Bob", bob)
	a.engine = gin.New()
	a.engine.Use(a.m.Recovery())
	routes.Mount(a.engine.Group(s.group), a.m, s.options)
	a.engine.GET("/page", a.m.StartSession(), a.m.Auth(), func(c *gin.Context) { c.String(200, "page") })
	a.engine.GET("/open", ginauth.Public(), func(c *gin.Context) {
		a.opening.Done()
		a.opening.Wait()
		c.Status(204)
	})
	a.engine.GET("/form-token", a.m.StartSession(), ginauth.Public(), func(c *gin.Context) {
		token, err := ginauth.From(c).Session().Token()
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(200, token)
	})
	a.srv = httptest.NewUnstartedServer(a.engine)
	a.srv.Config.ErrorLog = log.New(a, "", 0) // a panic would be told there
	a.srv.StartTLS()
	t.Cleanup(a.srv.Close)
	transport := a.srv.Client().Transport.(*http.Transport)
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1024
	return a
}

func (a *app) addUser(name, email string) string {
	a.Helper()
	hash, err := a.m.Hasher().Hash(context.Background(), pass)
	if err != nil {
		a.Fatal(err)
	}
	verified := a.clock.Now()
	u := &models.User{Name: name, Email: email, Password: hash, EmailVerifiedAt: &verified}
	if err := a.b.users.CreateUser(context.Background(), u); err != nil {
		a.Fatal(err)
	}
	return u.AuthID()
}

func (a *app) user(id string) *models.User {
	a.Helper()
	u, err := a.b.users.UserByID(context.Background(), id)
	if err != nil || u == nil {
		a.Fatalf("user %s: %v, %v", id, u, err)
	}
	return u.(*models.User)
}

func (a *app) send(_ context.Context, m mail.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken == nil {
		a.mails <- m
	}
	return a.broken
}

// mail waits for the next mail and checks what it is.
func (a *app) mail(kind, to string) mail.Message {
	a.Helper()
	select {
	case m := <-a.mails:
		if m.Kind != kind || m.To.Email != to {
			a.Fatalf("mail %s to %s, want %s to %s", m.Kind, m.To.Email, kind, to)
		}
		return m
	case <-time.After(20 * time.Second):
		a.Fatalf("no mail %s to %s", kind, to)
	}
	panic("not reached")
}

var linkPattern = regexp.MustCompile(`https?://\S+`)

// link returns the path of the link in a mail, with query and fragment.
func (a *app) link(m mail.Message) string {
	a.Helper()
	links := linkPattern.FindAllString(m.Text, -1)
	if len(links) != 1 || !strings.HasPrefix(links[0], baseURL+"/") {
		a.Fatalf("links %q", links)
	}
	link := strings.TrimPrefix(links[0], baseURL)
	a.keep(link[strings.LastIndexAny(link, "=/")+1:])
	return link
}

// rest closes the manager, which waits for what it does in the background, and
// returns the kinds of the mails that nobody has asked for.
func (a *app) rest() []string {
	a.Helper()
	if err := a.m.Close(context.Background()); err != nil && a.broken == nil {
		a.Fatal(err)
	}
	var kinds []string
	for {
		select {
		case m := <-a.mails:
			kinds = append(kinds, m.Kind)
		default:
			return kinds
		}
	}
}

func (a *app) audit(_ context.Context, e events.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
}

func eventsOf[E events.Event](a *app) []E {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []E
	for _, e := range a.events {
		if typed, ok := e.(E); ok {
			found = append(found, typed)
		}
	}
	return found
}

// wantEvents asserts how many events of a type there were, and that each says
// when, and where from.
func wantEvents[E events.Event](a *app, n int) []E {
	a.Helper()
	found := eventsOf[E](a)
	if len(found) != n {
		a.Errorf("%d events %T, want %d", len(found), *new(E), n)
	}
	for _, e := range found {
		if meta := e.EventMeta(); meta.Time.IsZero() || meta.Address == "" {
			a.Errorf("%T has time %v and address %q", e, meta.Time, meta.Address)
		}
	}
	return found
}

// client is a browser, more or less: it keeps cookies and follows no redirects.
type client struct {
	a       *app
	cookies map[string]string
	header  http.Header
	http    *http.Client
}

func (a *app) client() *client {
	return &client{a: a, cookies: map[string]string{}, header: http.Header{}, http: &http.Client{
		Transport:     a.srv.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// browser is a client that asks for HTML.
func (a *app) browser() *client {
	c := a.client()
	c.header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	return c
}

// bearer is a client that shows a token and keeps no cookies.
func (a *app) bearer(token string) *client {
	c := a.client()
	c.header.Set("Authorization", "Bearer "+token)
	return c
}

type response struct {
	*http.Response
	body string
}

func (c *client) do(method, path, contentType, body string) *response {
	c.a.Helper()
	req, err := http.NewRequest(method, c.a.srv.URL+path, strings.NewReader(body))
	if err != nil {
		c.a.Fatal(err)
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for name, value := range c.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.a.Errorf("%s %s: %v", method, path, err)
		return &response{&http.Response{Request: req, Header: http.Header{}}, ""}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.a.Error(err)
	}
	for _, cookie := range res.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		} else {
			c.cookies[cookie.Name] = cookie.Value
		}
	}
	answer := &response{res, string(data)}
	c.a.keepAnswer(path, answer)
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	// Not those that hand tokens out.
	if !bytes.Contains(data, []byte(`"token":`)) && !bytes.Contains(data, []byte(`"access_token":`)) && path != "/form-token" {
		c.a.bodies.Write(data)
	}
	return answer
}

func (c *client) get(path string) *response { c.a.Helper(); return c.do("GET", path, "", "") }

// call sends a JSON body; v is a text of JSON, or a value.
func (c *client) call(method, path string, v any) *response {
	c.a.Helper()
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			c.a.Fatal(err)
		}
		text = string(data)
	}
	return c.do(method, path, "application/json", text)
}

func (c *client) post(path string, v any) *response { c.a.Helper(); return c.call("POST", path, v) }

func (c *client) form(path, body string) *response {
	c.a.Helper()
	return c.do("POST", path, "application/x-www-form-urlencoded", body)
}

type fields map[string]any

func (c *client) login(email, password string) *response {
	c.a.Helper()
	return c.post("/login", fields{"email": email, "password": password})
}

func (a *app) loggedIn(email string) *client {
	a.Helper()
	c := a.client()
	c.login(email, pass).want(a, 200)
	return c
}

const sessionCookie = "__Host-ginauth"

// with returns a client that has one session cookie and nothing else.
func (a *app) with(session string) *client {
	c := a.client()
	c.cookies[sessionCookie] = session
	return c
}

// want fails the test if the status is another one.
func (r *response) want(t testing.TB, status int) *response {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d; body %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	return r
}

// wantField asserts a 422 that names a field.
func (r *response) wantField(t testing.TB, name string) {
	t.Helper()
	r.want(t, 422)
	var body struct{ Code, Field string }
	r.json(t, &body)
	if body.Code != "invalid_input" || body.Field != name {
		t.Errorf("body %s, want a fault of %q", r.body, name)
	}
}

func (r *response) wantRedirect(t testing.TB, to string) {
	t.Helper()
	r.want(t, 303)
	if got := r.Header.Get("Location"); got != to {
		t.Errorf("%s: redirected to %q, want %q", r.Request.URL.Path, got, to)
	}
}

func (r *response) json(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
}

// same asserts that two answers cannot be told apart: status, headers but for
// Date and the values of cookies, and body.
func same(t testing.TB, a, b *response) {
	t.Helper()
	if got, want := fingerprint(a), fingerprint(b); got != want {
		t.Errorf("answers differ:\n%s\n\n%s", got, want)
	}
}

func fingerprint(r *response) string {
	h := r.Header.Clone()
	h.Del("Date")
	for i, line := range h["Set-Cookie"] {
		name, _, _ := strings.Cut(line, "=")
		h["Set-Cookie"][i] = name
	}
	var b strings.Builder
	b.WriteString(strconv.Itoa(r.StatusCode) + "\n")
	_ = h.Write(&b)
	return b.String() + r.body
}

// together runs f n times at once: all goroutines wait for one signal, and the
// connections for what they send are open already.
func (a *app) together(n int, f func(i int)) {
	a.Helper()
	a.open(n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// open opens n connections: the server answers when it has seen n requests.
func (a *app) open(n int) {
	a.Helper()
	a.opening.Add(n)
	var done sync.WaitGroup
	for range n {
		done.Go(func() { a.client().get("/open") })
	}
	done.Wait()
}

// racers is how many requests race: enough to find out, and fewer where the tests
// are to be quick.
func racers() int {
	if testing.Short() {
		return 40
	}
	return 200
}
