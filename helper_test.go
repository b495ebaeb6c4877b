package ginauth_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

const (
	aliceEmail = "alice@example.com"
	bobEmail   = "bob@example.com"
	goodPass   = "correct horse battery staple"
	testKey    = ginauth.Key("base64:c2Vzc2lvbnMgYXJlIGZ1biwgMzIgYnl0ZXMgbG9uZyE=")
)

// testClock is a clock that moves when it is told to.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *testClock { return &testClock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// userBackend is a user provider that the tests can look into.
type userBackend interface {
	models.UserProvider
	models.Registrar
	models.PasswordUpdater
	models.PasswordChanger
	models.StampChanger
	models.EmailVerifier
	models.EmailChanger
	change(id string, f func(*models.User))
}

// memoryUsers is a provider for tests.
type memoryUsers struct {
	mu      sync.Mutex
	byID    map[string]models.User
	lookups atomic.Int64
}

func newMemoryUsers() *memoryUsers { return &memoryUsers{byID: make(map[string]models.User)} }

func (p *memoryUsers) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.byID[id]; ok {
		return &u, ctx.Err()
	}
	return nil, ctx.Err()
}

func (p *memoryUsers) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	p.lookups.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.byID {
		if field == "email" && u.EmailCanonical == canonical {
			return &u, ctx.Err()
		}
	}
	return nil, ctx.Err()
}

func (p *memoryUsers) CanonicalIdentifier(field, value string) (string, error) {
	if field != "email" {
		return "", models.ErrUnknownField
	}
	canonical, err := canon.Identifier(value)
	if err != nil {
		return "", fmt.Errorf("%w: %w", models.ErrBadIdentifier, err)
	}
	return canonical, nil
}

func (p *memoryUsers) CreateUser(_ context.Context, u models.Authenticatable) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	user := u.(*models.User)
	user.ID = uint64(len(p.byID) + 1)
	user.EmailCanonical, _ = canon.Identifier(user.Email)
	user.SecurityStamp = "stamp-" + user.AuthID()
	p.byID[user.AuthID()] = *user
	return nil
}

func (p *memoryUsers) RehashPassword(_ context.Context, id, oldHash, newHash string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.byID[id]
	if !ok || u.Password != oldHash {
		return false, nil
	}
	u.Password = newHash
	p.byID[id] = u
	return true, nil
}

func (p *memoryUsers) ChangePassword(ctx context.Context, id, oldStamp, newHash, newStamp string) (models.Authenticatable, error) {
	return p.changeIf(id, func(u *models.User) bool {
		same := u.SecurityStamp == oldStamp
		u.Password, u.SecurityStamp = newHash, newStamp
		return same
	}), ctx.Err()
}

func (p *memoryUsers) change(id string, f func(*models.User)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.byID[id]
	f(&u)
	p.byID[id] = u
}

func (p *memoryUsers) PrototypeUser() models.Authenticatable { return &models.User{} }

// app is an application under test, on a real TCP listener.
type app struct {
	*testing.T
	b      *backend
	m      *ginauth.Manager
	engine *gin.Engine
	routes func(*app, *gin.Engine)
	srv    *httptest.Server
	clock  *testClock
	alice  *models.User
	bob    *models.User

	mu     sync.Mutex
	events []events.Event
	logs   lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// cheapHashing is good for tests alone.
var cheapHashing = hashing.Config{
	Driver:                      hashing.Argon2id{Memory: 64, Time: 1, Threads: 1},
	Concurrency:                 4,
	Queue:                       4096,
	InsecureAllowWeakParameters: true,
}

// newApp starts the application. configure may change the configuration before,
// routes adds to the routes.
func newApp(t *testing.T, b *backend, configure func(*ginauth.Config), routes func(*app, *gin.Engine)) *app {
	t.Helper()
	a := &app{T: t, b: b, clock: newClock(), routes: routes}
	cfg := ginauth.Config{
		Key: testKey, Users: b.users, Stores: b.set, Hashing: cheapHashing, Now: a.clock.Now,
		Logger:       slog.New(slog.NewTextHandler(&a.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		StoreTimeout: 5 * time.Second,
		Audit: func(_ context.Context, e events.Event) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.events = append(a.events, e)
		},
	}
	if configure != nil {
		configure(&cfg)
	}
	m, err := ginauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	a.m = m
	a.alice = a.addUser("Alice", aliceEmail, goodPass, true)
	a.bob = a.addUser("Bob", bobEmail, goodPass, false)
	a.engine = gin.New()
	a.engine.Use(m.Recovery())
	a.engine.Use(m.StartSession())
	a.standardRoutes()
	if routes != nil {
		routes(a, a.engine)
	}
	a.srv = httptest.NewTLSServer(a.engine)
	t.Cleanup(a.srv.Close)
	transport := a.srv.Client().Transport.(*http.Transport)
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1024
	return a
}

func (a *app) addUser(name, email, password string, verified bool) *models.User {
	a.Helper()
	hash, err := a.m.Hasher().Hash(context.Background(), password)
	if err != nil {
		a.Fatal(err)
	}
	u := &models.User{Name: name, Email: email, Password: hash}
	if verified {
		now := a.clock.Now()
		u.EmailVerifiedAt = &now
	}
	if err := a.b.users.CreateUser(context.Background(), u); err != nil {
		a.Fatal(err)
	}
	return u
}

type loginForm struct{ Email, Password string }

// login is the handler that the README shows.
func login(c *gin.Context) {
	var in loginForm
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	res, err := ginauth.From(c).Attempt(c.Request.Context(), ginauth.Credentials{"email": in.Email, "password": in.Password})
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(200, res.User)
}

func logout(c *gin.Context) {
	if err := ginauth.From(c).Logout(c.Request.Context()); err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Status(204)
}

func me(c *gin.Context) {
	u, _ := ginauth.UserAs[*models.User](c)
	c.JSON(200, u)
}

func setKey(c *gin.Context) {
	if err := ginauth.From(c).Session().Put(c.Query("k"), c.Query("v")); err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Status(204)
}

func getAll(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().All()) }

func (a *app) standardRoutes() {
	r := a.engine
	r.GET("/", func(c *gin.Context) { c.String(200, "hello") })
	r.POST("/login", a.m.ThrottleLogins(), login)
	r.POST("/logout", logout)
	r.GET("/me", a.m.Auth(), me)
	r.POST("/set", setKey)
	r.GET("/all", getAll)
	r.GET("/verified", a.m.Auth(), a.m.EnsureEmailVerified(), me)
	r.GET("/guest", a.m.Guest(), func(c *gin.Context) { c.String(200, "guest") })
}

// client is a browser, more or less: it keeps cookies.
type client struct {
	a       *app
	cookies map[string]string
	header  http.Header
	http    *http.Client
}

func (a *app) client() *client {
	transport := a.srv.Client().Transport
	return &client{a: a, cookies: map[string]string{}, header: http.Header{}, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

const sessionCookie = "__Host-ginauth"

func (c *client) session() string { return c.cookies[sessionCookie] }

// with returns a client that has this session cookie and no other cookie.
func (c *client) with(session string) *client {
	other := c.a.client()
	if session != "" {
		other.cookies[sessionCookie] = session
	}
	return other
}

type response struct {
	*http.Response
	body string
}

// try sends a request and returns the error of the transport, if any.
func (c *client) try(ctx context.Context, method, path, contentType, body string) (*response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.a.srv.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	var cookies []string
	for name, value := range c.cookies {
		cookies = append(cookies, name+"="+value)
	}
	if len(cookies) > 0 && req.Header.Get("Cookie") == "" {
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	for _, cookie := range res.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		} else {
			c.cookies[cookie.Name] = cookie.Value
		}
	}
	return &response{res, string(data)}, nil
}

func (c *client) do(method, path, contentType, body string) *response {
	c.a.Helper()
	res, err := c.try(context.Background(), method, path, contentType, body)
	if err != nil {
		c.a.Fatalf("%s %s: %v", method, path, err)
	}
	return res
}

func (c *client) get(path string) *response { c.a.Helper(); return c.do("GET", path, "", "") }

func (c *client) post(path string, body any) *response {
	c.a.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.a.Fatal(err)
	}
	return c.do("POST", path, "application/json", string(data))
}

func (c *client) login(email, password string) *response {
	c.a.Helper()
	return c.post("/login", loginForm{email, password})
}

// want fails the test if the status is another one.
func (r *response) want(t testing.TB, status int) *response {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d; body %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	return r
}

// is401 asserts that the answer is nobody's, and names no user.
func (r *response) is401(t testing.TB) {
	t.Helper()
	r.want(t, 401)
	if strings.Contains(r.body, "Alice") || strings.Contains(r.body, aliceEmail) {
		t.Fatalf("a 401 names a user: %s", r.body)
	}
}

func (r *response) name(t testing.TB) string {
	t.Helper()
	var u struct{ Name string }
	if err := json.Unmarshal([]byte(r.body), &u); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return u.Name
}

// loggedIn returns a client that is logged in.
func (a *app) loggedIn(email string) *client {
	a.Helper()
	c := a.client()
	c.login(email, goodPass).want(a.T, 200)
	return c
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

// together runs f n times at once: all goroutines wait for one signal.
func together(n int, f func(i int)) {
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

// fault is what a faulty store does instead of its work.
type fault int32

const (
	faultNone fault = iota
	faultRefuse
	faultHang
	faultSlow
	faultCorrupt
	faultPanic
)

var errRefused = errors.New("dial tcp 10.1.2.3:5432: connect: connection refused (CANARY-dsn)")

// faults decides which calls fail.
type faults struct {
	mu    sync.Mutex
	modes map[string]fault // by operation; "" is all
	late  time.Duration    // what faultSlow waits
	calls map[string]int
	asked bool // whether a session has ended, since set was called
}

func newFaults() *faults {
	return &faults{modes: map[string]fault{}, calls: map[string]int{}, late: 2 * time.Second}
}

func (f *faults) set(op string, mode fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.modes, f.asked = map[string]fault{op: mode}, false
}

// delay makes operations late, and no other.
func (f *faults) delay(late time.Duration, ops ...string) {
	f.set("", faultNone)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late = late
	for _, op := range ops {
		f.modes[op] = faultSlow
	}
}

// askedBefore reports whether it was called since set was.
func (f *faults) askedBefore() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.asked
	f.asked = true
	return before
}

func (f *faults) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

func (f *faults) meet(ctx context.Context, op string) error {
	f.mu.Lock()
	f.calls[op]++
	f.calls[""]++
	mode, late := cmp.Or(f.modes[op], f.modes[""]), f.late
	f.mu.Unlock()
	switch mode {
	case faultRefuse:
		return errRefused
	case faultHang:
		<-ctx.Done()
		return ctx.Err()
	case faultSlow: // by default longer than any deadline
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(late):
			return nil
		}
	case faultCorrupt:
		return fmt.Errorf("%w: row", stores.ErrCorrupt)
	case faultPanic:
		panic("store panic CANARY-panic")
	}
	return nil
}

type faultySessions struct {
	stores.Sessions
	f *faults
}

func (s faultySessions) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	if err := s.f.meet(ctx, "load"); err != nil {
		return stores.Session{}, false, err
	}
	return s.Sessions.Load(ctx, row)
}

func (s faultySessions) Create(ctx context.Context, row stores.Session) error {
	if err := s.f.meet(ctx, "create"); err != nil {
		return err
	}
	return s.Sessions.Create(ctx, row)
}

func (s faultySessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if err := s.f.meet(ctx, "update"); err != nil {
		return stores.Gone, err
	}
	return s.Sessions.Update(ctx, row, d)
}

func (s faultySessions) Delete(ctx context.Context, row string) (bool, error) {
	if err := s.f.meet(ctx, "delete"); err != nil {
		return false, err
	}
	return s.Sessions.Delete(ctx, row)
}

// carrierTokens fails where sessions in cookies depend on it: all that asks what
// has ended is a load, and from the second time on an update as well; noting that
// something ended is a delete.
type carrierTokens struct {
	stores.Tokens
	f *faults
}

func (s carrierTokens) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	err := s.f.meet(ctx, "load")
	if err == nil && s.f.askedBefore() {
		err = s.f.meet(ctx, "update")
	}
	if err != nil {
		return stores.Token{}, false, err
	}
	return s.Tokens.Find(ctx, family, id)
}

func (s carrierTokens) Create(ctx context.Context, t stores.Token) (bool, error) {
	if err := s.f.meet(ctx, "delete"); err != nil {
		return false, err
	}
	return s.Tokens.Create(ctx, t)
}

// faultyCarrier fails to seal.
type faultyCarrier struct {
	stores.ClientSessions
	f *faults
}

func (c faultyCarrier) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	// Sealing waits for nothing: a fault that does ends at once.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.f.meet(ctx, "create"); err != nil {
		return "", err
	}
	return c.ClientSessions.Seal(with, cookie, s)
}

type faultyLimiter struct {
	stores.Limiter
	f *faults
}

func (l faultyLimiter) Reserve(ctx context.Context, now time.Time, w ...stores.Window) (stores.Grant, error) {
	if err := l.f.meet(ctx, "take"); err != nil {
		return stores.Grant{}, err
	}
	return l.Limiter.Reserve(ctx, now, w...)
}

func (l faultyLimiter) Peek(ctx context.Context, now time.Time, w ...stores.Window) (stores.Grant, error) {
	if err := l.f.meet(ctx, "peek"); err != nil {
		return stores.Grant{}, err
	}
	return l.Limiter.Peek(ctx, now, w...)
}

func (l faultyLimiter) Reset(ctx context.Context, keys ...stores.Digest) error {
	if err := l.f.meet(ctx, "reset"); err != nil {
		return err
	}
	return l.Limiter.Reset(ctx, keys...)
}

func (l faultyLimiter) Refund(ctx context.Context, slots ...stores.Slot) error {
	if err := l.f.meet(ctx, "put back"); err != nil {
		return err
	}
	return l.Limiter.Refund(ctx, slots...)
}

type faultyUsers struct {
	userBackend
	f *faults
}

func (p faultyUsers) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if err := p.f.meet(ctx, "user by id"); err != nil {
		return nil, err
	}
	return p.userBackend.UserByID(ctx, id)
}

func (p faultyUsers) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	if err := p.f.meet(ctx, "user by identifier"); err != nil {
		return nil, err
	}
	return p.userBackend.UserByIdentifier(ctx, field, canonical)
}

// faulty wraps a backend's stores and users.
func (b *backend) faulty() (*backend, *faults) {
	f := newFaults()
	set := stores.Set{Tokens: b.set.Tokens, Limiter: faultyLimiter{b.set.Limiter, f}}
	if b.set.ClientSessions != nil {
		set.ClientSessions, set.Tokens = faultyCarrier{b.set.ClientSessions, f}, carrierTokens{b.set.Tokens, f}
	} else {
		set.Sessions = faultySessions{b.set.Sessions, f}
	}
	return &backend{name: b.name, db: b.db, users: faultyUsers{b.users, f}, set: set}, f
}

type loginEvent = events.Login

func eventNames(a *app) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, e := range a.events {
		names = append(names, e.EventName())
	}
	return strings.Join(names, " ")
}
