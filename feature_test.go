package ginauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// funcFeature is a feature whose Setup is a function.
type funcFeature struct {
	name  string
	setup func(*ginauth.Setup) error
}

func (f funcFeature) Name() string { return f.name }

func (f funcFeature) Setup(s *ginauth.Setup) error {
	if f.setup == nil {
		return nil
	}
	return f.setup(s)
}

// featureOf returns a feature that cannot fail to be set up.
func featureOf(name string, setup func(*ginauth.Setup)) ginauth.Feature {
	return funcFeature{name, func(s *ginauth.Setup) error { setup(s); return nil }}
}

// checkedBy returns a feature with one check of logins.
func checkedBy(check ginauth.LoginCheck) ginauth.Feature {
	return featureOf("checks", func(s *ginauth.Setup) { s.BeforeLogin(check) })
}

// featureDoors are the ways into an account. Each handler makes one call.
var featureDoors = map[string]struct {
	password bool // the client gives a password
	logsIn   bool // the user stays logged in after the request
	call     func(context.Context, *ginauth.Authenticator, models.Authenticatable, ginauth.Credentials) error
}{
	"Attempt": {true, true, func(ctx context.Context, a *ginauth.Authenticator, _ models.Authenticatable, c ginauth.Credentials) error {
		_, err := a.Attempt(ctx, c)
		return err
	}},
	"AttemptWhen": {true, true, func(ctx context.Context, a *ginauth.Authenticator, _ models.Authenticatable, c ginauth.Credentials) error {
		_, err := a.AttemptWhen(ctx, c, func(models.Authenticatable) bool { return true })
		return err
	}},
	"Attempt by the JWT guard": {true, false, func(ctx context.Context, a *ginauth.Authenticator, _ models.Authenticatable, c ginauth.Credentials) error {
		_, err := a.Guard("api").Attempt(ctx, c)
		return err
	}},
	"Once": {true, false, func(ctx context.Context, a *ginauth.Authenticator, _ models.Authenticatable, c ginauth.Credentials) error {
		_, err := a.Once(ctx, c)
		return err
	}},
	"Validate": {true, false, func(ctx context.Context, a *ginauth.Authenticator, _ models.Authenticatable, c ginauth.Credentials) error {
		_, err := a.Validate(ctx, c)
		return err
	}},
	"Login": {false, true, func(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable, _ ginauth.Credentials) error {
		_, err := a.Login(ctx, u)
		return err
	}},
	"LoginUsingID": {false, true, func(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable, _ ginauth.Credentials) error {
		_, err := a.LoginUsingID(ctx, u.AuthID())
		return err
	}},
	"Basic":                    {password: true},
	"Basic that logs users in": {password: true, logsIn: true},
}

// featureApp is an application with features and one user.
type featureApp struct {
	*ginauthtest.Auth
	engine  *gin.Engine
	alice   *models.User
	lastErr error // of the last call of a door
}

func newFeatureApp(t *testing.T, features ...ginauth.Feature) *featureApp {
	t.Helper()
	a := &featureApp{engine: gin.New()}
	a.Auth = ginauthtest.New(t, func(c *ginauth.Config) { c.Features = features })
	a.alice = a.CreateUser(t, "Alice", "alice@example.com")
	a.engine.Use(a.StartSession())
	for name, door := range featureDoors {
		path := "/" + strings.ReplaceAll(name, " ", "-")
		switch name {
		case "Basic":
			a.engine.POST(path, a.Basic(), noContent)
		case "Basic that logs users in":
			a.engine.POST(path, a.Basic(ginauth.BasicStartsSession()), noContent)
		default:
			a.handle(path, func(ctx context.Context, auth *ginauth.Authenticator, c *gin.Context) error {
				return door.call(ctx, auth, a.alice, ginauth.Credentials{"email": a.alice.Email, "password": c.Query("password")})
			})
		}
	}
	a.engine.GET("/me", a.Manager.Auth(), noContent)
	return a
}

func noContent(c *gin.Context) { c.Status(http.StatusNoContent) }

// handle adds a route for POST that answers the error of a call.
func (a *featureApp) handle(path string, call func(context.Context, *ginauth.Authenticator, *gin.Context) error) {
	a.engine.POST(path, func(c *gin.Context) {
		if a.lastErr = call(c.Request.Context(), ginauth.From(c), c); a.lastErr != nil {
			ginauth.Abort(c, a.lastErr)
			return
		}
		noContent(c)
	})
}

// browser keeps the cookies of its responses.
type featureBrowser struct {
	a       *featureApp
	cookies map[string]string
}

func (a *featureApp) browser() *featureBrowser { return &featureBrowser{a, map[string]string{}} }

func (b *featureBrowser) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://app.test"+path, nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.a.engine.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

// open goes through a door.
func (b *featureBrowser) open(door, password string) *httptest.ResponseRecorder {
	path := "/" + strings.ReplaceAll(door, " ", "-")
	if strings.HasPrefix(door, "Basic") {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(b.a.alice.Email, password)
		return b.do("POST", path, "Authorization", r.Header.Get("Authorization"))
	}
	return b.do("POST", path+"?password="+strings.ReplaceAll(password, " ", "+"))
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d; body %s", w.Code, status, w.Body)
	}
}

func TestLoginChecksAreAskedAtEveryDoor(t *testing.T) {
	for name, door := range featureDoors {
		t.Run(name, func(t *testing.T) {
			var refuse error
			var asked []ginauth.LoginRequest
			a := newFeatureApp(t, checkedBy(func(ctx context.Context, auth *ginauth.Authenticator, r *ginauth.LoginRequest) error {
				if _, limited := ctx.Deadline(); !limited {
					t.Error("the check has no store timeout")
				}
				if auth.Request().Method != "POST" || auth.GuardName() == "" {
					t.Error("the check does not get the request's Authenticator")
				}
				asked = append(asked, *r)
				return refuse
			}))
			b := a.browser()
			wantStatus(t, b.open(name, ginauthtest.Password), 204)
			me := 401
			if door.logsIn {
				me = 204
			}
			wantStatus(t, b.do("GET", "/me"), me)
			if len(asked) != 1 || asked[0].User.AuthID() != a.alice.AuthID() || asked[0].Confirmed != door.password {
				t.Fatalf("the check was asked about %v", asked)
			}
			a.Events.Clear()
			refuse = fmt.Errorf("not now: %w", ginauth.ErrForbidden)
			b = a.browser()
			wantStatus(t, b.open(name, ginauthtest.Password), 403)
			wantStatus(t, b.do("GET", "/me"), 401)
			if len(asked) != 2 || len(b.cookies) != 0 {
				t.Errorf("the check was asked %d times, cookies %v", len(asked), b.cookies)
			}
			ginauthtest.AssertNotDispatched[events.Login](t, a.Events)
			ginauthtest.AssertNotDispatched[events.Authenticated](t, a.Events)
			ginauthtest.AssertNotDispatched[events.TokenCreated](t, a.Events)
			if door.password {
				wantStatus(t, b.open(name, "a wrong password"), 401)
			}
			if len(asked) != 2 {
				t.Error("the check was asked about a wrong password")
			}
		})
	}
}

// TestRefusalLooksLikeWrongPassword compares a check's refusal with a wrong password: the response, the error,
// the events and the count of attempts.
func TestRefusalLooksLikeWrongPassword(t *testing.T) {
	type outcome struct {
		Status int
		Header http.Header
		Body   string
		Err    string
		Events []events.Event
	}
	observe := func(t *testing.T, door, password string, features ...ginauth.Feature) []outcome {
		a := newFeatureApp(t, features...)
		var seen []outcome
		for range 6 { // of which the last exceeds the limit
			a.Events.Clear()
			a.lastErr = nil
			w := a.browser().open(door, password)
			dispatched := a.Events.All()
			for i, e := range dispatched { // the key of the digest, and the clock, are of each manager
				meta := e.EventMeta()
				if meta.Account == "" {
					t.Errorf("%s: event %s has no account", door, e.EventName())
				}
				meta.Account, meta.Time = "", time.Time{}
				v := reflect.New(reflect.TypeOf(e)).Elem()
				v.Set(reflect.ValueOf(e))
				v.FieldByName("Meta").Set(reflect.ValueOf(meta))
				dispatched[i] = v.Interface().(events.Event)
			}
			seen = append(seen, outcome{w.Code, w.Header(), w.Body.String(), fmt.Sprint(a.lastErr), dispatched})
		}
		return seen
	}
	hidden := checkedBy(func(context.Context, *ginauth.Authenticator, *ginauth.LoginRequest) error {
		return fmt.Errorf("blocked on purpose: %w", ginauth.ErrInvalidCredentials)
	})
	for name, door := range featureDoors {
		if !door.password {
			continue
		}
		t.Run(name, func(t *testing.T) {
			refused := observe(t, name, ginauthtest.Password, hidden)
			wrong := observe(t, name, "a wrong password")
			if !reflect.DeepEqual(refused, wrong) {
				t.Errorf("refused: %+v\nwrong password: %+v", refused, wrong)
			}
			if refused[0].Status != 401 || refused[5].Status != 429 || len(refused[0].Events) != 2 {
				t.Errorf("first %+v, last %+v", refused[0], refused[5])
			}
			if failed, ok := refused[0].Events[1].(events.Failed); !ok || failed.UserID == "" {
				t.Errorf("event %#v, want a Failed with the user", refused[0].Events[1])
			}
		})
	}
}

// A login without a password has no attempt that could fail.
func TestRefusalWithoutPassword(t *testing.T) {
	a := newFeatureApp(t, checkedBy(func(context.Context, *ginauth.Authenticator, *ginauth.LoginRequest) error {
		return fmt.Errorf("blocked: %w", ginauth.ErrInvalidCredentials)
	}))
	wantStatus(t, a.browser().open("Login", ""), 401)
	if !errors.Is(a.lastErr, ginauth.ErrInvalidCredentials) || len(a.Events.All()) != 0 {
		t.Errorf("error %v, events %v", a.lastErr, a.Events.All())
	}
}

type featureError struct{ reason string }

func (e *featureError) Error() string { return e.reason }

func TestOtherErrorsOfChecksPassThrough(t *testing.T) {
	own := &featureError{"a second factor is due"}
	for name, test := range map[string]struct {
		err    error
		status int
	}{
		"outage":     {ginauth.Unavailable("load hours", errors.New("disk")), 503},
		"forbidden":  {fmt.Errorf("closed: %w", ginauth.ErrForbidden), 403},
		"unverified": {ginauth.ErrEmailNotVerified, 403},
		"own error":  {own, 500},
	} {
		t.Run(name, func(t *testing.T) {
			a := newFeatureApp(t, checkedBy(func(context.Context, *ginauth.Authenticator, *ginauth.LoginRequest) error {
				return test.err
			}))
			for range 5 {
				wantStatus(t, a.browser().open("Attempt", ginauthtest.Password), test.status)
				if a.lastErr != test.err {
					t.Fatalf("error %v, want %v", a.lastErr, test.err)
				}
			}
			ginauthtest.AssertNotDispatched[events.Failed](t, a.Events)
			ginauthtest.AssertNotDispatched[events.Authenticated](t, a.Events)
			// A refused login keeps its attempt: the check may not be asked without limit.
			wantStatus(t, a.browser().open("Attempt", ginauthtest.Password), 429)
		})
	}
}

func TestLoginChecksRunInOrder(t *testing.T) {
	var asked []string
	var refuse string
	check := func(name string) ginauth.Feature {
		return featureOf(name, func(s *ginauth.Setup) {
			s.BeforeLogin(func(context.Context, *ginauth.Authenticator, *ginauth.LoginRequest) error {
				asked = append(asked, name)
				if name == refuse {
					return ginauth.ErrForbidden
				}
				return nil
			})
		})
	}
	a := newFeatureApp(t, check("z"), check("b"), check("a"))
	wantStatus(t, a.browser().open("Attempt", ginauthtest.Password), 204)
	if !slices.Equal(asked, []string{"z", "b", "a"}) {
		t.Errorf("asked %q", asked)
	}
	asked, refuse = nil, "b"
	wantStatus(t, a.browser().open("Attempt", ginauthtest.Password), 403)
	if !slices.Equal(asked, []string{"z", "b"}) {
		t.Errorf("asked %q, want none after the refusal", asked)
	}
}

func TestLoginCheckDecidesAboutRemember(t *testing.T) {
	for _, asked := range []bool{true, false} {
		for _, decided := range []bool{true, false} {
			t.Run(fmt.Sprintf("asked %v, decided %v", asked, decided), func(t *testing.T) {
				calls := 0
				a := newFeatureApp(t, checkedBy(func(_ context.Context, _ *ginauth.Authenticator, r *ginauth.LoginRequest) error {
					if calls++; calls == 1 && r.Remember != asked {
						t.Errorf("the check sees Remember %v", r.Remember)
					}
					r.Remember = decided
					return nil
				}))
				a.handle("/in", func(ctx context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
					var options []ginauth.LoginOption
					if asked {
						options = append(options, ginauth.Remember())
					}
					_, err := auth.Login(ctx, a.alice, options...)
					return err
				})
				b := a.browser()
				wantStatus(t, b.do("POST", "/in"), 204)
				a.Clock.Advance(25 * time.Hour) // the session is over
				status := 401
				if decided {
					status = 204
				}
				wantStatus(t, b.do("GET", "/me"), status)
			})
		}
	}
}

// TestRememberedDeviceIsChecked refuses a user who returns by a remember-me cookie. The cookie stays good for
// when the check admits the user again.
func TestRememberedDeviceIsChecked(t *testing.T) {
	var refuse error
	var hooks int
	a := newFeatureApp(t, featureOf("checks", func(s *ginauth.Setup) {
		s.BeforeLogin(func(ctx context.Context, auth *ginauth.Authenticator, r *ginauth.LoginRequest) error {
			if u, err := auth.User(ctx); u != nil || err != nil || r.User == nil {
				t.Errorf("during the check the user is %v, %v", u, err)
			}
			return refuse
		})
		s.AfterLogin(func(ctx context.Context, auth *ginauth.Authenticator, res *ginauth.LoginResult) {
			if id, err := auth.ID(ctx); err != nil || id != res.User.AuthID() {
				t.Errorf("after the login the user is %q, %v", id, err)
			}
			hooks++
		})
	}))
	a.handle("/in", func(ctx context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		_, err := auth.Login(ctx, a.alice, ginauth.Remember())
		return err
	})
	b := a.browser()
	wantStatus(t, b.do("POST", "/in"), 204)
	a.Clock.Advance(25 * time.Hour) // the session is over
	refuse = ginauth.ErrForbidden
	wantStatus(t, b.do("GET", "/me"), 401)
	refuse = ginauth.Unavailable("ask", errors.New("down"))
	wantStatus(t, b.do("GET", "/me"), 503)
	refuse = nil
	wantStatus(t, b.do("GET", "/me"), 204)
	wantStatus(t, b.do("GET", "/me"), 204) // by the session
	if hooks != 2 {
		t.Errorf("%d hooks ran, want one for each of 2 logins", hooks)
	}
}

func TestAfterLoginRunsOnceForEachLogin(t *testing.T) {
	for name, door := range featureDoors {
		t.Run(name, func(t *testing.T) {
			var refuse error
			var results []*ginauth.LoginResult
			a := newFeatureApp(t, featureOf("hooks", func(s *ginauth.Setup) {
				s.BeforeLogin(func(context.Context, *ginauth.Authenticator, *ginauth.LoginRequest) error { return refuse })
				s.AfterLogin(func(ctx context.Context, auth *ginauth.Authenticator, res *ginauth.LoginResult) {
					if id, err := auth.ID(ctx); err != nil || id != res.User.AuthID() {
						t.Errorf("the user is %q, %v", id, err)
					}
					results = append(results, res)
				})
			}))
			wantStatus(t, a.browser().open(name, ginauthtest.Password), 204)
			want := 0
			if door.logsIn || name == "Attempt by the JWT guard" {
				want = 1
			}
			if len(results) != want {
				t.Fatalf("%d calls, want %d", len(results), want)
			}
			if want == 1 && (results[0].User.AuthID() != a.alice.AuthID() || (results[0].Tokens != nil) == door.logsIn) {
				t.Errorf("result %+v", results[0])
			}
			refuse = ginauth.ErrForbidden
			wantStatus(t, a.browser().open(name, ginauthtest.Password), 403)
			if door.password {
				wantStatus(t, a.browser().open(name, "a wrong password"), 401)
			}
			if len(results) != want {
				t.Error("a refused login ran the hook")
			}
		})
	}
}

func TestOnRevoke(t *testing.T) {
	type call struct{ feature, realm, user string }
	var calls []call
	broken := errors.New("no answer")
	fails := map[string]error{}
	revoking := func(name string) ginauth.Feature {
		return featureOf(name, func(s *ginauth.Setup) {
			s.OnRevoke(func(ctx context.Context, realm, user string) error {
				if _, limited := ctx.Deadline(); !limited || ctx.Err() != nil {
					t.Errorf("context: limited %v, error %v", limited, ctx.Err())
				}
				calls = append(calls, call{name, realm, user})
				return fails[name]
			})
		})
	}
	a := newFeatureApp(t, revoking("one"), revoking("two"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a revocation survives a disconnect
	want := []call{{"one", "users", a.alice.AuthID()}, {"two", "users", a.alice.AuthID()}}
	if err := a.RevokeUser(ctx, "web", a.alice.AuthID()); err != nil || !slices.Equal(calls, want) {
		t.Fatalf("error %v, calls %v", err, calls)
	}
	ginauthtest.AssertCount[events.UserRevoked](t, a.Events, 1)
	calls, fails["one"] = nil, ginauth.Unavailable("delete devices", broken)
	err := a.RevokeUser(ctx, "web", a.alice.AuthID())
	if !errors.Is(err, ginauth.ErrUnavailable) || !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls %v: the failure of one feature keeps what another issued", calls)
	}
	ginauthtest.AssertCount[events.UserRevoked](t, a.Events, 1) // it is not complete
	delete(fails, "one")
	if err := a.RevokeUser(ctx, "web", a.alice.AuthID()); err != nil {
		t.Errorf("repeated: %v", err)
	}
	ginauthtest.AssertCount[events.UserRevoked](t, a.Events, 2)
}

// xUserGuard takes the user's identifier from a header.
type xUserGuard struct{ users models.UserProvider }

func (g xUserGuard) Identify(ctx context.Context, a *ginauth.Authenticator) (ginauth.Identity, error) {
	u, err := g.users.UserByID(ctx, a.Request().Header.Get("X-User"))
	return ginauth.Identity{User: u}, err
}

func addsHeaderGuard(name string) ginauth.Feature {
	return featureOf("header-guard", func(s *ginauth.Setup) {
		s.Guard(name, ginauth.GuardConfig{New: func(g ginauth.GuardSetup) (ginauth.Guard, error) {
			return xUserGuard{g.Users}, nil
		}})
	})
}

func TestSetupAddsGuard(t *testing.T) {
	given := map[string]ginauth.GuardConfig{"web": {}}
	auth := ginauthtest.New(t, func(c *ginauth.Config) {
		c.Features, c.Guards, c.DefaultGuard = []ginauth.Feature{addsHeaderGuard("header")}, given, "header"
	})
	if len(given) != 1 {
		t.Errorf("the caller's Guards changed: %v", slices.Collect(maps.Keys(given)))
	}
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	r := gin.New()
	r.GET("/", auth.Manager.Auth("header"), noContent)
	r.GET("/default", auth.Manager.Auth(), noContent)
	for _, path := range []string{"/", "/default"} {
		for id, status := range map[string]int{alice.AuthID(): 204, "77": 401, "": 401} {
			w := httptest.NewRecorder()
			req := httptest.NewRequest("GET", path, nil)
			req.Header.Set("X-User", id)
			r.ServeHTTP(w, req)
			wantStatus(t, w, status)
		}
	}
	_, err := ginauth.New(ginauth.Config{Users: auth.Users, Features: []ginauth.Feature{addsHeaderGuard("web")}})
	if !errors.Is(err, ginauth.ErrConfig) || !strings.Contains(err.Error(), `Features["header-guard"]: adds a guard "web"`) {
		t.Errorf("a guard of a name that is taken: %v", err)
	}
	if _, err = ginauth.New(ginauth.Config{DefaultGuard: "none"}); !errors.Is(err, ginauth.ErrConfig) {
		t.Errorf("a default guard that does not exist: %v", err)
	}
}

func TestSetupSealer(t *testing.T) {
	sealers := func(key ginauth.Key, previous ...ginauth.Key) map[string]stores.Sealer {
		made := make(map[string]stores.Sealer)
		feature := func(name string, purposes ...string) ginauth.Feature {
			return featureOf(name, func(s *ginauth.Setup) {
				for _, purpose := range purposes {
					made[name+"/"+purpose] = s.Sealer(purpose)
				}
			})
		}
		ginauthtest.New(t, func(c *ginauth.Config) {
			c.Key, c.PreviousKeys = key, previous
			c.Features = []ginauth.Feature{feature("one", "code", "device", "-b c"), feature("two", "code"), feature("one-b", "c")}
		})
		return made
	}
	first, second := ginauth.NewKey(), ginauth.NewKey()
	old, rotated, other := sealers(first), sealers(second, first), sealers(second)
	now := time.Now()
	for name, sealer := range old {
		text, err := sealer.Seal(now, time.Hour, []byte("value"), []byte("alice"))
		if err != nil {
			t.Fatal(err)
		}
		for opener, by := range old {
			if value, _, ok := by.Open(now, text, []byte("alice")); ok != (opener == name) || ok && string(value) != "value" {
				t.Errorf("what %s sealed is opened by %s: %v", name, opener, ok)
			}
		}
		if _, key, ok := rotated[name].Open(now, text, []byte("alice")); !ok || key != 1 {
			t.Errorf("%s: after a rotation: opened %v, key %d", name, ok, key)
		}
		if _, _, ok := other[name].Open(now, text, []byte("alice")); ok {
			t.Errorf("%s: opened without the key", name)
		}
		if _, _, ok := sealer.Open(now, text, []byte("bob")); ok {
			t.Errorf("%s: opened in another context", name)
		}
		if _, _, ok := sealer.Open(now.Add(time.Hour), text, []byte("alice")); ok {
			t.Errorf("%s: opened after its time", name)
		}
	}
}

// lockedLog is a log that goroutines write to.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestEveryRunsUntilClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedLog
		var runs atomic.Int64
		ran := make(chan context.Context)
		manager, err := ginauth.New(ginauth.Config{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Features: []ginauth.Feature{featureOf("jobs", func(s *ginauth.Setup) {
				s.Every(time.Minute, func(ctx context.Context) error {
					switch runs.Add(1) {
					case 1:
						return errors.New("no answer")
					case 2:
						panic("a secret")
					}
					select {
					case ran <- ctx:
					case <-ctx.Done():
					}
					return nil
				})
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ctx := <-ran
		<-ran
		if passed := time.Since(began); passed != 4*time.Minute || ctx.Err() != nil {
			t.Errorf("4 runs took %v; context: %v", passed, ctx.Err())
		}
		if err := manager.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := runs.Load()
		<-time.NewTimer(time.Hour).C // in no time: the clock of the test is a synthetic one
		if ctx.Err() == nil || runs.Load() != after {
			t.Errorf("after Close: context %v, %d further runs", ctx.Err(), runs.Load()-after)
		}
		text := log.b.String()
		if !strings.Contains(text, `job="feature jobs"`) || !strings.Contains(text, "no answer") ||
			!strings.Contains(text, "panic in a background job") || strings.Contains(text, "a secret") {
			t.Errorf("log: %s", text)
		}
	})
}

// A job may use the manager, so it does not run before New has made all of it.
func TestEveryWaitsForNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		_, err := ginauth.New(ginauth.Config{Features: []ginauth.Feature{
			featureOf("jobs", func(s *ginauth.Setup) {
				s.Every(time.Minute, func(context.Context) error { runs.Add(1); return nil })
			}),
			funcFeature{"slow", func(*ginauth.Setup) error {
				<-time.NewTimer(time.Hour).C
				return errors.New("cannot be set up")
			}},
		}})
		if err == nil || runs.Load() != 0 {
			t.Errorf("error %v, %d runs of the job of a manager that was not made", err, runs.Load())
		}
	})
}

func TestFeaturePreflight(t *testing.T) {
	type key struct{}
	want := []ginauth.Finding{{Subject: "one", Problem: "is on fire"}, {Subject: "two", Problem: "is wet"}}
	a := newFeatureApp(t,
		featureOf("one", func(s *ginauth.Setup) {
			s.Preflight(func(ctx context.Context) []ginauth.Finding {
				if ctx.Value(key{}) == nil {
					t.Error("the check has another context")
				}
				return want[:1]
			})
			s.Preflight(func(context.Context) []ginauth.Finding { return nil })
		}),
		featureOf("two", func(s *ginauth.Setup) {
			s.Preflight(func(context.Context) []ginauth.Finding { return want[1:] })
		}))
	found := a.Preflight(context.WithValue(t.Context(), key{}, true), nil)
	if len(found) < 2 || !slices.Equal(found[len(found)-2:], want) {
		t.Errorf("found %v", found)
	}
}

func TestFaultsOfFeaturesAreReportedAtOnce(t *testing.T) {
	long := strings.Repeat("x", 65)
	features := []ginauth.Feature{
		nil,
		funcFeature{name: "twice"}, funcFeature{name: "twice"},
		funcFeature{"broken", func(*ginauth.Setup) error { return errors.New("table is missing") }},
		featureOf("greedy", func(s *ginauth.Setup) {
			s.Guard("web", ginauth.GuardConfig{})
			s.Guard("no guard", ginauth.GuardConfig{})
			s.Every(0, func(context.Context) error { return nil })
			s.Every(-time.Second, func(context.Context) error { return nil })
		}),
		funcFeature{name: long[:64]},
	}
	bad := []string{"", "with space", "dot.ted", "under_score", "sl/ash", "ümlaut", "new\nline", long}
	for _, name := range bad {
		features = append(features, funcFeature{name, func(*ginauth.Setup) error {
			t.Errorf("feature %q was set up", name)
			return nil
		}})
	}
	config := ginauth.Config{Key: "base64:c2hvcnQ=", StoreTimeout: -1, Features: features}
	_, err := ginauth.New(config)
	if !errors.Is(err, ginauth.ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		"StoreTimeout", "Key: ", "Features[0]: is nil", `Features["twice"]: is the name of two features`,
		`Features["broken"]: table is missing`, `Features["greedy"]: adds a guard "web"`, `Guards["no guard"]: is not a name`,
		`Features["greedy"]: Every: 0s`, `Features["greedy"]: Every: -1s`,
	} {
		if strings.Count(err.Error(), want) != 1 {
			t.Errorf("the error does not say %q once:\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "is not a name of 1 to 64 letters, digits and hyphens"); n != len(bad) {
		t.Errorf("%d names are refused, want %d:\n%v", n, len(bad), err)
	}
	if strings.Contains(err.Error(), long) || strings.Contains(err.Error(), "new\nline") {
		t.Errorf("the error quotes a name as it is:\n%v", err)
	}
}

func TestSetupHandsOutTheManagersParts(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var set stores.Set
	var manager *ginauth.Manager
	auth := ginauthtest.New(t, func(c *ginauth.Config) {
		c.Now = func() time.Time { return now }
		c.Features = []ginauth.Feature{featureOf("parts", func(s *ginauth.Setup) {
			set, manager = s.Stores(), s.Manager()
			if got := s.Clock()(); got != now {
				t.Errorf("the clock shows %v", got)
			}
		})}
	})
	if set.Sessions == nil || set.Tokens == nil || set.Limiter == nil || manager != auth.Manager {
		t.Errorf("stores %v, manager %p, want %p", set, manager, auth.Manager)
	}
}

// TestSessionSlotIsReserved tries every method of sessions on the key of a feature's value.
func TestSessionSlotIsReserved(t *testing.T) {
	const key = "_ginauth.feature.one.due"
	slots := map[string]ginauth.SessionSlot{}
	slotsOf := func(name string, keys ...string) ginauth.Feature {
		return featureOf(name, func(s *ginauth.Setup) {
			for _, key := range keys {
				slots[name+" "+key] = s.SessionSlot(key)
			}
		})
	}
	a := newFeatureApp(t, slotsOf("one", "due", "due.x", strings.Repeat("x", 300)), slotsOf("two", "due"))
	slot := slots["one due"]
	a.handle("/put", func(_ context.Context, auth *ginauth.Authenticator, c *gin.Context) error {
		return slot.Put(auth.Session(), []byte(c.Query("value")))
	})
	a.handle("/forget", func(_ context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		return slot.Forget(auth.Session())
	})
	a.handle("/flush", func(_ context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		return auth.Session().Flush()
	})
	a.engine.GET("/slots", func(c *gin.Context) {
		got := make(map[string]string)
		for name, slot := range slots {
			if value := slot.Get(ginauth.From(c).Session()); value != nil {
				got[name] = string(value)
			}
		}
		c.JSON(200, got)
	})
	a.engine.POST("/application", func(c *gin.Context) {
		s := ginauth.From(c).Session()
		for name, err := range map[string]error{
			"Put": s.Put(key, "forged"), "Forget": s.Forget(key), "Flash": s.Flash(key, "forged"), "Now": s.Now(key, "forged"),
			"Push": s.Push(key, "forged"), "Increment": func() error { _, err := s.Increment(key, 1); return err }(),
		} {
			if !errors.Is(err, ginauth.ErrInvalidInput) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		if _, ok := ginauth.Value[[]byte](s, key); ok || s.Get(key) != nil || s.Has(key) || len(s.All()) != 0 {
			t.Errorf("the application reads %v, all %v", s.Get(key), s.All())
		}
		if err := slots["one "+strings.Repeat("x", 300)].Put(s, nil); !errors.Is(err, ginauth.ErrInvalidInput) {
			t.Errorf("a key that is too long: %v", err)
		}
		noContent(c)
	})
	a.engine.POST("/contrib", func(c *gin.Context) {
		s := sessions.Default(c)
		if s.Get(key) != nil {
			t.Error("sessions.Default reads the value")
		}
		s.Clear()
		noContent(c)
	})
	b := a.browser()
	want := func(slots string) {
		t.Helper()
		if got := b.do("GET", "/slots").Body.String(); got != slots {
			t.Fatalf("slots %s, want %s", got, slots)
		}
	}
	wantStatus(t, b.do("POST", "/put?value=noon"), 204)
	const noon = `{"one due":"noon"}`
	want(noon) // the slots of other keys and features stay empty
	wantStatus(t, b.do("POST", "/application"), 204)
	wantStatus(t, b.do("POST", "/contrib"), 204)
	wantStatus(t, b.do("POST", "/flush"), 204)
	want(noon)
	wantStatus(t, b.open("Login", ""), 204) // an anonymous session keeps its values
	want(noon)
	wantStatus(t, b.do("POST", "/forget"), 204)
	want(`{}`)
	wantStatus(t, b.do("POST", "/put?value=late"), 204)
	want(`{"one due":"late"}`)
}

// TestSessionSlotIsOfOneUser logs another user in to the same session.
func TestSessionSlotIsOfOneUser(t *testing.T) {
	var slot ginauth.SessionSlot
	var fresh string
	a := newFeatureApp(t, featureOf("factor", func(s *ginauth.Setup) {
		slot = s.SessionSlot("passed")
		s.AfterLogin(func(_ context.Context, auth *ginauth.Authenticator, res *ginauth.LoginResult) {
			if fresh == "" {
				return
			}
			if err := slot.Put(auth.Session(), []byte(res.User.AuthID()+fresh)); err != nil {
				t.Error(err)
			}
		})
	}))
	bob := a.CreateUser(t, "Bob", "bob@example.com")
	a.handle("/bob", func(ctx context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		_, err := auth.Login(ctx, bob)
		return err
	})
	a.handle("/put", func(_ context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		return slot.Put(auth.Session(), []byte("alice passed"))
	})
	a.engine.GET("/slot", func(c *gin.Context) {
		data, _ := json.Marshal(string(slot.Get(ginauth.From(c).Session())))
		c.String(200, "%s", data)
	})
	b := a.browser()
	wantStatus(t, b.open("Login", ""), 204)
	wantStatus(t, b.do("POST", "/put"), 204)
	wantStatus(t, b.do("POST", "/bob"), 204)
	if got := b.do("GET", "/slot").Body.String(); got != `""` {
		t.Errorf("Bob has %s", got)
	}
	fresh = " passed"
	wantStatus(t, b.open("Login", ""), 204)
	if got := b.do("GET", "/slot").Body.String(); got != `"1 passed"` {
		t.Errorf("after a login the value is %s", got)
	}
}
