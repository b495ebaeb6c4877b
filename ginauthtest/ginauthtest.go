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

// Password is the password of the users that CreateUser makes.
const Password = "a password for tests alone"

// BaseURL is where links in mails lead to.
const BaseURL = "https://app.test"

// CheapHashing returns a configuration that hashes within microseconds. What it
// makes is easy to guess: it is for tests alone.
func CheapHashing() hashing.Config {
	return hashing.Config{
		Driver: hashing.Argon2id{Memory: 64, Time: 1, Threads: 1}, Concurrency: 4, Queue: 4096,
		InsecureAllowWeakParameters: true,
	}
}

// Auth is a manager with what tests look into. It is safe for concurrent use.
type Auth struct {
	*ginauth.Manager
	// Clock is the manager's clock. It begins at the time of New, in full
	// seconds.
	Clock *Clock
	// Users are the manager's users.
	Users *Users
	// Mailbox has the manager's mails.
	Mailbox *Mailbox
	// Events are those of the manager, without those of what this package does
	// itself, as the logins of ActingAs.
	Events *Events

	engine *gin.Engine // of one route, by which requests get a login
}

// New returns a manager that keeps everything in memory: cheap hashes, a clock
// of its own, users, a mailbox, and a record of events. What configure changes
// about the configuration comes last; where it puts something else in place of
// what a field of Auth is for, that field has nothing more to do with the
// manager. Config.Audit is called beside the record. The manager logs to the
// test, from slog.LevelInfo on, and is closed when the test ends.
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

// newKey returns an application key that nobody else has.
func newKey() ginauth.Key {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return ginauth.Key("base64:" + base64.StdEncoding.EncodeToString(key[:]))
}

// record returns an audit sink that notes events, and hands them on.
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

// CreateUser stores a user with a verified address and the password Password,
// changed before as change says, and returns the user as stored. It is not a
// registration: there is no event and no mail.
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

// testWriter writes to a test until that has ended: what a goroutine of the
// application says later must not end the process.
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
