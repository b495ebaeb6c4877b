package officehours_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/docs/officehours"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

const password = "correct horse battery staple"

// monday is the midnight at which a Monday begins.
var monday = time.Date(2030, 1, 7, 0, 0, 0, 0, time.UTC)

// app is an application with the feature, on a TLS server and a database. Its office is open on Mondays from 9 to
// 17. Alice may set the hours, Bob may not.
type app struct {
	t      *testing.T
	db     *gorm.DB
	auth   *ginauth.Manager
	clock  *ginauthtest.Clock
	events *ginauthtest.Events
	server *httptest.Server
}

func newApp(t *testing.T, others ...ginauth.Feature) *app {
	t.Helper()
	gin.SetMode(gin.TestMode)
	a := &app{t: t, db: openDatabase(t), clock: ginauthtest.NewClock(monday), events: new(ginauthtest.Events)}
	hours := officehours.New(a.db)
	users := gormstore.Users[models.User](a.db)
	var err error
	a.auth, err = ginauth.New(ginauth.Config{
		Key: ginauth.NewKey(), Users: users, Stores: gormstore.New(a.db), Hashing: ginauthtest.CheapHashing(),
		Features: append(others, hours),
		Session:  ginauth.SessionConfig{IdleTimeout: 20 * time.Hour},
		Now:      a.clock.Now, Audit: a.events.Record, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.auth.Close(context.Background()) })
	ginauth.DefineUser(a.auth.Gate(), "set-office-hours", func(_ context.Context, u *models.User) bool { return u.Name == "Alice" })
	hash, err := a.auth.Hasher().Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Alice", "Bob"} {
		if err := users.CreateUser(t.Context(), &models.User{Name: name, Email: name + "@example.com", Password: hash}); err != nil {
			t.Fatal(err)
		}
	}
	r := gin.New()
	hours.Mount(r)
	a.routes(r.Group("", a.auth.StartSession()), hours)
	a.server = httptest.NewTLSServer(r)
	t.Cleanup(a.server.Close)
	return a
}

func openDatabase(t *testing.T) *gorm.DB {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.db")
	db, err := gorm.Open(sqlite.Open("file:"+file+"?_busy_timeout=10000&_txlock=immediate"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	if err := gormstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&models.User{}, &officehours.Hours{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Create(&officehours.Hours{Weekday: time.Monday, Opens: 9 * 60, Closes: 17 * 60}).Error; err != nil {
		t.Fatal(err)
	}
	return db
}

// slotKey is how the session stores the value of the feature.
const slotKey = "_ginauth.feature.office-hours.ends"

// routes adds the routes of the application.
func (a *app) routes(r gin.IRouter, hours *officehours.Feature) {
	answer := func(c *gin.Context, err error) {
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.Status(204)
	}
	r.POST("/login", func(c *gin.Context) {
		var in struct{ Email, Password, Guard string }
		err := ginauth.DecodeJSON(c, &in)
		if err == nil {
			_, err = ginauth.From(c).Guard(in.Guard).Attempt(c.Request.Context(),
				ginauth.Credentials{"email": in.Email, "password": in.Password}, ginauth.Remember())
		}
		answer(c, err)
	})
	r.POST("/link", func(c *gin.Context) { // a login that the application makes itself
		_, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1")
		answer(c, err)
	})
	r.GET("/me", a.auth.Auth(), hours.EndAtClosing, func(c *gin.Context) { c.Status(204) })
	r.GET("/session", func(c *gin.Context) {
		s := ginauth.From(c).Session()
		if s.Get(slotKey) != nil || s.Has(slotKey) {
			a.t.Error("the application reads the value of the feature")
		}
		c.JSON(200, s.All())
	})
	r.POST("/forge", func(c *gin.Context) {
		s := ginauth.From(c).Session()
		for _, err := range []error{s.Put(slotKey, "2099-01-01T00:00:00Z"), s.Forget(slotKey)} {
			if !errors.Is(err, ginauth.ErrInvalidInput) {
				a.t.Errorf("the application changes the value of the feature: error %v", err)
			}
		}
		answer(c, s.Flush())
	})
}

// at sets the clock to an hour of the Monday.
func (a *app) at(hour, minute int) {
	a.clock.Set(monday.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute))
}

// client is an HTTP client with cookies.
type client struct {
	*app
	http *http.Client
}

func (a *app) client() *client {
	jar, _ := cookiejar.New(nil) // never fails
	c := *a.server.Client()
	c.Jar = jar
	return &client{a, &c}
}

// do sends a request, requires a status and returns the body.
func (c *client) do(status int, method, path string, body any) string {
	c.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, strings.NewReader(string(data)))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != status {
		c.t.Fatalf("%s %s: status %d, want %d; body %s", method, path, res.StatusCode, status, text)
	}
	return string(text)
}

func (c *client) login(status int, name, password string) string {
	c.t.Helper()
	return c.do(status, "POST", "/login", map[string]string{"email": name + "@example.com", "password": password, "guard": "web"})
}

func TestLoginIsRefusedAtNight(t *testing.T) {
	a := newApp(t)
	for _, night := range []struct{ hour, minute int }{{3, 0}, {8, 59}, {17, 0}, {24 + 12, 0}} { // Tuesday has no hours
		a.at(night.hour, night.minute)
		a.events.Clear()
		c := a.client()
		if body := c.login(403, "alice", password); !strings.Contains(body, `"forbidden"`) {
			t.Errorf("body %s", body)
		}
		c.do(401, "GET", "/me", nil)
		refused := ginauthtest.AssertDispatched[officehours.Refused](t, a.events)
		if refused.UserID != "1" || refused.Guard != "web" || refused.Address != "127.0.0.1" || !refused.Time.Equal(a.clock.Now()) {
			t.Errorf("event %+v", refused)
		}
		ginauthtest.AssertNotDispatched[events.Login](t, a.events)
	}
	a.at(4, 0)
	a.events.Clear()
	c := a.client()
	c.do(403, "POST", "/link", nil)
	c.do(403, "POST", "/login", map[string]string{"email": "bob@example.com", "password": password, "guard": "api"})
	ginauthtest.AssertCount[officehours.Refused](t, a.events, 2)
	c.login(401, "alice", "wrong") // and no event: the feature is not asked
	ginauthtest.AssertCount[officehours.Refused](t, a.events, 2)
	ginauthtest.AssertNotDispatched[events.TokenCreated](t, a.events)
}

func TestLoginIsAllowedByDay(t *testing.T) {
	a := newApp(t)
	a.at(9, 0)
	for _, login := range []func(c *client){
		func(c *client) { c.login(204, "alice", password) },
		func(c *client) { c.do(204, "POST", "/link", nil) },
	} {
		a.at(9, 0)
		c := a.client()
		login(c)
		c.do(204, "GET", "/me", nil)
		if body := c.do(200, "GET", "/session", nil); body != "{}" {
			t.Errorf("the application sees %s", body)
		}
		c.do(204, "POST", "/forge", nil)
		a.at(16, 59)
		c.do(204, "GET", "/me", nil)
		a.at(17, 0)
		if body := c.do(401, "GET", "/me", nil); !strings.Contains(body, `"session_ended"`) {
			t.Errorf("body %s", body)
		}
		a.at(16, 59) // it stays ended, and the device is not remembered
		if body := c.do(401, "GET", "/me", nil); !strings.Contains(body, `"unauthenticated"`) {
			t.Errorf("body %s", body)
		}
	}
	ginauthtest.AssertCount[events.Login](t, a.events, 2)
	ginauthtest.AssertNotDispatched[officehours.Refused](t, a.events)
	c := a.client()
	c.do(204, "POST", "/login", map[string]string{"email": "bob@example.com", "password": password, "guard": "api"})
	if body := c.do(200, "GET", "/session", nil); body != "{}" {
		t.Errorf("a login by tokens made a session: %s", body)
	}
	if n := rows(t, a.db, &models.Session{}); n != 0 {
		t.Errorf("%d sessions, want none: two have ended, and tokens need none", n)
	}
}

func rows(t *testing.T, db *gorm.DB, model any) (n int64) {
	t.Helper()
	if err := db.Model(model).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAdministratorSetsHours(t *testing.T) {
	a := newApp(t)
	type hours map[string]int
	late := hours{"weekday": 1, "opens": 10 * 60, "closes": 22 * 60}
	a.at(12, 0)
	a.client().do(401, "PUT", "/office-hours", late)
	bob, alice := a.client(), a.client()
	bob.login(204, "bob", password)
	bob.do(403, "PUT", "/office-hours", late)
	alice.login(204, "alice", password)
	for _, wrong := range []hours{
		{"weekday": 7, "opens": 0, "closes": 60}, {"weekday": -1, "opens": 0, "closes": 60},
		{"weekday": 1, "opens": 60, "closes": 0}, {"weekday": 1, "opens": -1, "closes": 60},
		{"weekday": 1, "opens": 0, "closes": 24*60 + 1},
	} {
		alice.do(422, "PUT", "/office-hours", wrong)
	}
	alice.do(204, "PUT", "/office-hours", late)
	sunday := hours{"weekday": 0, "opens": 0, "closes": 24 * 60}
	alice.do(204, "PUT", "/office-hours", sunday)
	alice.do(204, "PUT", "/office-hours", sunday)
	if n := rows(t, a.db, &officehours.Hours{}); n != 2 {
		t.Errorf("%d rows, want one for each weekday", n)
	}
	a.at(9, 30)
	a.client().login(403, "bob", password)
	a.at(21, 59)
	c := a.client()
	c.login(204, "bob", password)
	c.do(204, "GET", "/me", nil)
	for _, hour := range []int{-24, -1} { // from the first to the last hour of Sunday
		a.at(hour, 0)
		a.client().login(204, "bob", password)
	}
}

func TestOutageRefusesLogins(t *testing.T) {
	a := newApp(t)
	a.at(12, 0)
	if found := findings(t, a.auth); len(found) != 0 {
		t.Errorf("findings %v", found)
	}
	if err := a.db.Migrator().DropTable(&officehours.Hours{}); err != nil {
		t.Fatal(err)
	}
	c := a.client()
	c.login(503, "alice", password)
	c.do(401, "GET", "/me", nil)
	ginauthtest.AssertNotDispatched[officehours.Refused](t, a.events)
	ginauthtest.AssertNotDispatched[events.Login](t, a.events)
	if found := findings(t, a.auth); len(found) != 1 {
		t.Errorf("findings %v, want one", found)
	}
}

// findings returns what the feature found.
func findings(t *testing.T, auth *ginauth.Manager) (found []ginauth.Finding) {
	t.Helper()
	for _, f := range auth.Preflight(t.Context(), nil) {
		if f.Subject == "office hours" {
			found = append(found, f)
		}
	}
	return found
}

// outage is a feature that makes the next hook after a login fail.
type outage struct{ hook func() }

func (*outage) Name() string { return "outage" }

func (o *outage) Setup(s *ginauth.Setup) error {
	s.AfterLogin(func(context.Context, *ginauth.Authenticator, *ginauth.LoginResult) { o.hook() })
	return nil
}

// TestSessionWithoutEndHasEnded loses the table between the check and the hook, which cannot store the end then.
func TestSessionWithoutEndHasEnded(t *testing.T) {
	o := new(outage)
	a := newApp(t, o)
	o.hook = func() {
		if err := a.db.Migrator().DropTable(&officehours.Hours{}); err != nil {
			t.Error(err)
		}
	}
	a.at(12, 0)
	c := a.client()
	c.login(204, "alice", password)
	c.do(401, "GET", "/me", nil)
}

func TestConfigurationErrors(t *testing.T) {
	db := openDatabase(t)
	for name, features := range map[string][]ginauth.Feature{
		`Features["office-hours"]: is the name of two features`: {officehours.New(db), officehours.New(db)},
		`Features["office-hours"]: New was given no database`:   {officehours.New(nil)},
	} {
		_, err := ginauth.New(ginauth.Config{Features: features})
		if !errors.Is(err, ginauth.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %s", err, name)
		}
	}
}
