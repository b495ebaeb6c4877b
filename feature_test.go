package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
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

// featureApp is an application with features and a route for each door.
type featureApp struct {
	*testapp.App
	lastErr error // of the last call of a door
}

// handle adds a route for POST that answers the error of a call.
func (a *featureApp) handle(path string, call func(context.Context, *ginauth.Authenticator, *gin.Context) error) {
	a.Engine.POST(path, func(c *gin.Context) {
		a.lastErr = call(c.Request.Context(), ginauth.From(c), c)
		testapp.Answer(c, nil, a.lastErr)
	})
}

// open sends a client through a door.
func (a *featureApp) open(c *testapp.Client, door, password string) *testapp.Response {
	path := "/" + strings.ReplaceAll(door, " ", "-")
	if strings.HasPrefix(door, "Basic") {
		c.Header = a.BasicAuth(testapp.Alice, password).Header
		defer c.Header.Del("Authorization")
		return c.Post(path, nil)
	}
	return c.Post(path+"?password="+url.QueryEscape(password), nil)
}

func newFeatureApp(t *testing.T, features ...ginauth.Feature) *featureApp {
	t.Helper()
	a := new(featureApp)
	a.App = testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Features = features }))
	for name, door := range featureDoors {
		path := "/" + strings.ReplaceAll(name, " ", "-")
		switch name {
		case "Basic":
			a.Engine.POST(path, a.Basic(), noContent)
		case "Basic that logs users in":
			a.Engine.POST(path, a.Basic(ginauth.BasicStartsSession()), noContent)
		default:
			a.handle(path, func(ctx context.Context, auth *ginauth.Authenticator, c *gin.Context) error {
				return door.call(ctx, auth, a.Alice, ginauth.Credentials{"email": a.Alice.Email, "password": c.Query("password")})
			})
		}
	}
	return a
}

func noContent(c *gin.Context) { c.Status(http.StatusNoContent) }

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
			b := a.Client()
			a.open(b, name, testapp.Password).Want(t, 204)
			me := 401
			if door.logsIn {
				me = 200
			}
			b.Get("/me").Want(t, me)
			if len(asked) != 1 || asked[0].User.AuthID() != a.Alice.AuthID() || asked[0].Confirmed != door.password {
				t.Fatalf("the check was asked about %v", asked)
			}
			a.Events.Clear()
			refuse = fmt.Errorf("not now: %w", ginauth.ErrForbidden)
			b = a.Client()
			a.open(b, name, testapp.Password).Want(t, 403)
			b.Get("/me").Want(t, 401)
			if len(asked) != 2 || len(b.Cookies) != 0 {
				t.Errorf("the check was asked %d times, cookies %v", len(asked), b.Cookies)
			}
			ginauthtest.AssertNotDispatched[events.Login](t, a.Events)
			ginauthtest.AssertNotDispatched[events.Authenticated](t, a.Events)
			ginauthtest.AssertNotDispatched[events.TokenCreated](t, a.Events)
			if door.password {
				a.open(b, name, "a wrong password").Want(t, 401)
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
			res := a.open(a.Client(), door, password)
			res.Header.Del("Date")
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
			seen = append(seen, outcome{res.StatusCode, res.Header, res.Text, fmt.Sprint(a.lastErr), dispatched})
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
			refused := observe(t, name, testapp.Password, hidden)
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
func TestRefusalWithoutPasswordIsNoFailedAttempt(t *testing.T) {
	a := newFeatureApp(t, checkedBy(func(context.Context, *ginauth.Authenticator, *ginauth.LoginRequest) error {
		return fmt.Errorf("blocked: %w", ginauth.ErrInvalidCredentials)
	}))
	a.open(a.Client(), "Login", "").Want(t, 401)
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
				a.open(a.Client(), "Attempt", testapp.Password).Want(t, test.status)
				if a.lastErr != test.err {
					t.Fatalf("error %v, want %v", a.lastErr, test.err)
				}
			}
			ginauthtest.AssertNotDispatched[events.Failed](t, a.Events)
			ginauthtest.AssertNotDispatched[events.Authenticated](t, a.Events)
			// A refused login keeps its attempt: the check may not be asked without limit.
			a.open(a.Client(), "Attempt", testapp.Password).Want(t, 429)
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
	a.open(a.Client(), "Attempt", testapp.Password).Want(t, 204)
	if !slices.Equal(asked, []string{"z", "b", "a"}) {
		t.Errorf("asked %q", asked)
	}
	asked, refuse = nil, "b"
	a.open(a.Client(), "Attempt", testapp.Password).Want(t, 403)
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
					_, err := auth.Login(ctx, a.Alice, options...)
					return err
				})
				b := a.Client()
				b.Post("/in", nil).Want(t, 204)
				a.Clock.Advance(25 * time.Hour) // the session is over
				status := 401
				if decided {
					status = 200
				}
				b.Get("/me").Want(t, status)
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
		_, err := auth.Login(ctx, a.Alice, ginauth.Remember())
		return err
	})
	b := a.Client()
	b.Post("/in", nil).Want(t, 204)
	a.Clock.Advance(25 * time.Hour) // the session is over
	refuse = ginauth.ErrForbidden
	b.Get("/me").Want(t, 401)
	refuse = ginauth.Unavailable("ask", errors.New("down"))
	b.Get("/me").Want(t, 503)
	refuse = nil
	b.Get("/me").Want(t, 200)
	b.Get("/me").Want(t, 200) // by the session
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
			a.open(a.Client(), name, testapp.Password).Want(t, 204)
			want := 0
			if door.logsIn || name == "Attempt by the JWT guard" {
				want = 1
			}
			if len(results) != want {
				t.Fatalf("%d calls, want %d", len(results), want)
			}
			if want == 1 && (results[0].User.AuthID() != a.Alice.AuthID() || (results[0].Tokens != nil) == door.logsIn) {
				t.Errorf("result %+v", results[0])
			}
			refuse = ginauth.ErrForbidden
			a.open(a.Client(), name, testapp.Password).Want(t, 403)
			if door.password {
				a.open(a.Client(), name, "a wrong password").Want(t, 401)
			}
			if len(results) != want {
				t.Error("a refused login ran the hook")
			}
		})
	}
}
