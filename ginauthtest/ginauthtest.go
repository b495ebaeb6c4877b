package ginauthtest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/models"
)

// Password is the password of the users that CreateUser creates.
const Password = "a password for tests alone"

// BaseURL is the base URL of links in mails.
const BaseURL = "https://app.test"

// CheapHashing returns a hashing configuration that takes microseconds for each
// hash. Passwords hashed with it are easy to guess, so use it only in tests.
func CheapHashing() hashing.Config {
	return hashing.Config{
		Driver: hashing.Argon2id{Memory: 64, Time: 1, Threads: 1}, Concurrency: 4, Queue: 4096,
		InsecureAllowWeakParameters: true,
	}
}

// Auth is a manager for tests, together with the objects that tests inspect and
// control. It is safe for concurrent use.
type Auth struct {
	*ginauth.Manager
	// Clock is the manager's clock. It starts at the time of New, truncated to
	// seconds.
	Clock *Clock
	// Users holds the manager's users.
	Users *Users
	// Mailbox receives the manager's mails.
	Mailbox *Mailbox
	// Events records the manager's events, except those caused by this package,
	// such as the logins of ActingAs.
	Events *Events

	engine *gin.Engine // has one route, whose handler is runTask
}

// New returns a manager that keeps everything in memory. It has cheap hashes,
// its own clock, users, a mailbox and a record of events. The functions in
// configure can change the configuration before the manager is created. If they
// replace Users, Now or Mail.Mailer, the corresponding field of Auth is not
// used. Config.Audit is called in addition to the record of events.
//
// The manager logs to the output of the test, from slog.LevelInfo on. It is
// closed when the test ends. The test fails if the configuration is not valid.
func New(t testing.TB, configure ...func(*ginauth.Config)) *Auth {
	t.Helper()
	a := &Auth{
		Clock: NewClock(time.Now().Truncate(time.Second)), Users: new(Users), Mailbox: new(Mailbox), Events: new(Events),
	}
	out := &testWriter{w: t.Output()}
	cfg := ginauth.Config{
		Key: newKey(), Users: a.Users, Hashing: CheapHashing(), Now: a.Clock.Now,
		Mail:   ginauth.MailConfig{Mailer: a.Mailbox, BaseURL: BaseURL},
		Logger: slog.New(slog.NewTextHandler(out, nil)),
	}
	for _, f := range configure {
		f(&cfg)
	}
	cfg.Audit = a.record(cfg.Audit)
	var err error
	if a.Manager, err = ginauth.New(cfg); err != nil {
		t.Fatalf("ginauthtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Errorf("ginauthtest: close: %v", err)
		}
		out.close()
	})
	a.engine = gin.New()
	a.engine.GET("/", a.StartSession(), runTask)
	return a
}

// newKey returns a random application key.
func newKey() ginauth.Key {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return ginauth.Key("base64:" + base64.StdEncoding.EncodeToString(key[:]))
}

// record returns an audit sink that records events and passes them to next.
func (a *Auth) record(next func(context.Context, events.Event)) func(context.Context, events.Event) {
	return func(ctx context.Context, e events.Event) {
		if isOurs(ctx) {
			return
		}
		a.Events.Record(ctx, e)
		if next != nil {
			next(ctx, e)
		}
	}
}

// CreateUser stores a user with a verified email address and the password
// Password, and returns it. The functions in change can modify the user before
// it is stored. CreateUser is not a registration: it dispatches no event and
// sends no mail.
func (a *Auth) CreateUser(t testing.TB, name, email string, change ...func(*models.User)) *models.User {
	t.Helper()
	hash, err := a.Hasher().Hash(context.Background(), Password)
	if err != nil {
		t.Fatalf("ginauthtest: CreateUser: %v", err)
	}
	now := a.Clock.Now()
	u := &models.User{Name: name, Email: email, Password: hash, EmailVerifiedAt: &now, CreatedAt: now, UpdatedAt: now}
	for _, f := range change {
		f(u)
	}
	if err := a.Users.CreateUser(context.Background(), u); err != nil {
		t.Fatalf("ginauthtest: CreateUser: %v", err)
	}
	return u
}

// testWriter writes to the output of a test until the test ends. A later write
// to that output would panic.
type testWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}

func (w *testWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.w = io.Discard
}
