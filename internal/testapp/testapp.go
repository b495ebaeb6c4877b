// Package testapp is the one harness for tests of whole applications: those of
// the root package, of routes, of features, and the experiments. It uses the
// public API of this module and Gin, and nothing that only the module can reach.
//
// New starts an application on a TCP listener of its own. It has the routes of
// file routes.go, two users, a clock that stands still, and records of its mails,
// events and logs:
//
//	func TestLogoutEndsSession(t *testing.T) {
//		testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
//			a := testapp.New(t, b)
//			c := a.LoggedIn(testapp.Alice)
//			old := c.Session()
//			c.Post("/logout", nil).Want(t, 204)
//			c.With(old).Get("/me").Want401(t)
//		})
//	}
//
// A Backend is what an application runs on, in memory or on a server. Its method
// Faulty wraps it in stores that fail on demand, see Faults. Race releases
// goroutines at once, and a Hold stops a request where the test says.
//
// No test sleeps to let time pass: App.Clock moves when it is told to.
package testapp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
)

// What the two users of every application log in with. Both have the password
// Password. Alice's address is verified, and Bob's is not.
const (
	Alice = "alice@example.com"
	Bob   = "bob@example.com"
	// Password and NewPassword hold a word that no answer and no log may have.
	Password    = "CANARY correct horse battery staple"
	NewPassword = "CANARY ocelots juggle nine marbles"
)

// Settings of every application.
const (
	// Key is the application key.
	Key = ginauth.Key("base64:c2Vzc2lvbnMgYXJlIGZ1biwgMzIgYnl0ZXMgbG9uZyE=")
	// BaseURL is where the links in mails lead to.
	BaseURL = "https://app.example"
	// StoreTimeout is long: a test that waits for it sets a shorter one.
	StoreTimeout = 5 * time.Second
)

// The cookies of an application, and headers of its clients.
const (
	SessionCookie  = "__Host-ginauth"
	RememberCookie = SessionCookie + "_remember_web" // of the guard "web"
	DeviceCookie   = SessionCookie + "_device"
	IntendedCookie = SessionCookie + "_intended"
	Firefox        = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	BrowserAccept  = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
)

// App is an application under test. It is safe for concurrent use, but for its
// exported fields, which a test sets before it sends requests.
type App struct {
	// TB is the test that the application belongs to, and ends with.
	testing.TB
	*ginauth.Manager
	Backend *Backend
	// Engine has the routes.
	Engine *gin.Engine
	// Server listens with TLS.
	Server *httptest.Server
	Clock  *ginauthtest.Clock
	Outbox *Outbox
	Events *ginauthtest.Events
	Logs   *Logs
	// Alice and Bob are the two users, as they were when they were created.
	Alice, Bob *models.User
	// Slow holds requests of GET /slow.
	Slow     *Hold
	settings settings
	handler  atomic.Pointer[http.Handler]
	opening  opening
}

// settings are what a test changes.
type settings struct {
	configure []func(*ginauth.Config)
	routes    []func(*App, *gin.Engine)
	// only says that there are no routes but these.
	only  bool
	leaks *leaks // nil if nobody looks for any
}

// Option changes an application before it starts.
type Option func(*settings)

// Configure changes the configuration. Of several the last comes last.
func Configure(change ...func(*ginauth.Config)) Option {
	return func(s *settings) { s.configure = append(s.configure, change...) }
}

// Routes adds routes.
func Routes(add ...func(a *App, r *gin.Engine)) Option {
	return func(s *settings) { s.routes = append(s.routes, add...) }
}

// OnlyRoutes adds routes to an engine that has none and only recovers from
// panics. StartSession is for the routes to use.
func OnlyRoutes(add ...func(a *App, r *gin.Engine)) Option {
	return func(s *settings) { s.routes, s.only = append(s.routes, add...), true }
}

// New starts an application on a backend that has no users yet.
func New(t testing.TB, b *Backend, options ...Option) *App {
	t.Helper()
	a := &App{TB: t, Backend: b, Clock: ginauthtest.NewClock(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))}
	for _, change := range options {
		change(&a.settings)
	}
	a.manage()
	a.Alice = a.AddUser("Alice", Alice, Password)
	a.Bob = a.AddUser("Bob", Bob, Password, func(u *models.User) { u.EmailVerifiedAt = nil })
	a.start()
	return a
}

// Sibling starts another process of the same application, as far as the stores
// can tell: on the same backend, by the same clock, with the same users and
// routes. The configuration is that of New, without what Configure changed, and
// with what is changed here. Events, logs and mails are its own, and nobody looks
// for leaks in them.
func (a *App) Sibling(change ...func(*ginauth.Config)) *App {
	a.Helper()
	b := &App{TB: a.TB, Backend: a.Backend, Clock: a.Clock, Alice: a.Alice, Bob: a.Bob, settings: a.settings}
	b.settings.configure, b.settings.leaks = change, nil
	b.manage()
	b.start()
	return b
}

// manage makes the manager.
func (a *App) manage() {
	a.Helper()
	a.Outbox, a.Events, a.Logs, a.Slow = newOutbox(), new(ginauthtest.Events), new(Logs), NewHold()
	config := ginauth.Config{
		Key: Key, Users: a.Backend.Users, Stores: a.Backend.Set, Hashing: ginauthtest.CheapHashing(), Now: a.Clock.Now,
		Mail:         ginauth.MailConfig{Mailer: a.Outbox, BaseURL: BaseURL, AppName: "Example"},
		Logger:       slog.New(slog.NewTextHandler(a.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		StoreTimeout: StoreTimeout,
		Audit:        a.Events.Record,
		// Bob's address is not verified.
		PersonalTokens: ginauth.PersonalTokensConfig{InsecureUnverified: true},
	}
	for _, change := range a.settings.configure {
		change(&config)
	}
	var err error
	if a.Manager, err = ginauth.New(config); err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() {
		_ = a.Close(context.Background())
		if l := a.settings.leaks; l != nil {
			l.check(a)
		}
	})
	a.Engine = gin.New()
	a.Engine.Use(a.Recovery())
	if !a.settings.only {
		a.Engine.Use(a.StartSession())
		mount(a, a.Engine, config.Guards)
	}
}

// start adds the test's routes and starts the server.
func (a *App) start() {
	a.Helper()
	for _, add := range a.settings.routes {
		add(a, a.Engine)
	}
	a.Serve(a.Engine)
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	a.Server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(a.Logs, nil), slog.LevelError)
	a.Server.StartTLS()
	a.Cleanup(a.Server.Close)
	transport := a.Server.Client().Transport.(*http.Transport)
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1024
}

// Serve lets the server pass requests to h from now on.
func (a *App) Serve(h http.Handler) { a.handler.Store(&h) }

func (a *App) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == openPath {
		a.opening.arrive()
		return
	}
	(*a.handler.Load()).ServeHTTP(w, r)
}

// AddUser stores a user whose address is verified, changed before as change says.
func (a *App) AddUser(name, email, password string, change ...func(*models.User)) *models.User {
	a.Helper()
	return AddUser(a, a.Manager, a.Backend.Users, name, email, password, change...)
}

// AddUser stores a user by way of a provider that need not be the application's.
func AddUser(
	t testing.TB, m *ginauth.Manager, users models.Registrar, name, email, password string, change ...func(*models.User),
) *models.User {
	t.Helper()
	hash, err := m.Hasher().Hash(context.Background(), password)
	if err != nil {
		t.Fatal(err)
	}
	u := &models.User{
		Name: name, Email: email, Password: hash, EmailVerifiedAt: new(time.Now()),
		SecurityStamp: "CANARY-stamp-" + strings.ToLower(name),
	}
	for _, f := range change {
		f(u)
	}
	if err := users.CreateUser(context.Background(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

// User returns a user as stored.
func (a *App) User(id string) *models.User {
	a.Helper()
	u, err := a.Backend.Users.UserByID(context.Background(), id)
	user, ok := u.(*models.User)
	if err != nil || !ok {
		a.Fatalf("user %s: %v, %v", id, u, err)
	}
	return user
}

// Disable disables a user.
func (a *App) Disable(u *models.User) {
	now := a.Clock.Now()
	a.Backend.Users.Change(u.AuthID(), func(u *models.User) { u.DisabledAt = &now })
}

// NewStamp gives a user another security stamp, which ends what was issued before.
func (a *App) NewStamp(u *models.User) {
	a.Backend.Users.Change(u.AuthID(), func(u *models.User) { u.SecurityStamp += "'" })
}

// MustPanic fails the test unless f panics with a value whose text contains want.
func MustPanic(t testing.TB, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
			t.Errorf("panic %v, want one that says %q", r, want)
		}
	}()
	f()
}
