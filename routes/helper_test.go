package routes_test

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// All secrets in the tests contain CANARY. See leaks_test.go.
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

// app is an application with the routes of the package and a few routes for the
// tests.
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
	heard  chan events.Event // the same events as in events
	// opening counts the connections that are not open yet.
	opening sync.WaitGroup

	mu      sync.Mutex
	events  []events.Event
	logs    bytes.Buffer
	bodies  bytes.Buffer // of all responses that must contain no secret
	broken  error        // the error of the mailer
	secrets []string     // secrets in responses and mails
}

func (a *app) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.logs.Write(p)
}

// setup holds the settings that a test changes.
type setup struct {
	config  func(*ginauth.Config)
	options routes.Options
	group   string
}

func newApp(t *testing.T, b backend, s setup) *app {
	t.Helper()
	a := &app{
		T: t, b: b, mails: make(chan mail.Message, 1024), heard: make(chan events.Event, 1024),
		clock: &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
	cfg := ginauth.Config{
		Key: "base64:c2Vzc2lvbnMgYXJlIGZ1biwgMzIgYnl0ZXMgbG9uZyE=", Users: b.users, Stores: b.Set, Now: a.clock.Now,
		Logger:       slog.New(slog.NewTextHandler(a, &slog.HandlerOptions{Level: slog.LevelDebug})),
		StoreTimeout: 20 * time.Second, // the race detector is slow
		Hashing: hashing.Config{
			Driver:      hashing.Argon2id{Memory: 64, Time: 1, Threads: 1}, // for tests only
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
	a.srv.Config.ErrorLog = log.New(a, "", 0) // receives the text of panics
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

// mail waits for the next mail and checks its kind and recipient.
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

// link returns the path, query and fragment of the link in a mail.
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

// rest closes the manager, which waits for its background work. It returns the
// kinds of the mails that the test has not read.
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
	select {
	case a.heard <- e:
	default: // full; no test reads that many
	}
}

// await waits for an event that is dispatched after the response.
func await[E events.Event](a *app) {
	a.Helper()
	for {
		select {
		case e := <-a.heard:
			if _, ok := e.(E); ok {
				return
			}
		case <-time.After(20 * time.Second):
			a.Fatalf("no event %T", *new(E))
		}
	}
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

// wantEvents checks the number of events of a type, and that each has a time
// and an address.
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

// together calls f n times at the same time. All goroutines wait for one
// signal, and the connections of their requests are already open.
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

// open opens n connections. The server responds when it has received n
// requests.
func (a *app) open(n int) {
	a.Helper()
	a.opening.Add(n)
	var done sync.WaitGroup
	for range n {
		done.Go(func() { a.client().get("/open") })
	}
	done.Wait()
}

// racers returns the number of concurrent requests in tests of races. It is
// lower with -short.
func racers() int {
	if testing.Short() {
		return 40
	}
	return 200
}
