package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// rightCode is what proves the factor of a testFactor.
const rightCode = "246810"

// testFactor is a second factor that users have or do not have as a test says.
type testFactor struct {
	owned  atomic.Bool
	broken atomic.Bool // of the store
	asked  atomic.Int32
}

func (f *testFactor) Name() string { return "test-factor" }

func (f *testFactor) Setup(s *ginauth.Setup) error {
	s.Challenge(ginauth.Challenge{Name: "backup", Backup: true, Has: func(context.Context, string, models.Authenticatable) (bool, error) {
		return true, nil
	}})
	s.Challenge(ginauth.Challenge{Name: "code", Methods: []string{"otp"}, Has: func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		f.asked.Add(1)
		if _, limited := ctx.Deadline(); !limited || owner != "users:"+u.AuthID() {
			return false, errors.New("the context has no deadline, or the owner is another one: " + owner)
		}
		if f.broken.Load() {
			return false, errors.New("no answer")
		}
		return f.owned.Load(), nil
	}})
	return nil
}

// prove is the check of a code.
func prove(code string) func(context.Context, string, models.Authenticatable) (bool, error) {
	return func(context.Context, string, models.Authenticatable) (bool, error) {
		if code == "outage" {
			return false, ginauth.Unavailable("read factor", errors.New("no answer"))
		}
		return code == rightCode, nil
	}
}

// answerForm answers a challenge.
type answerForm struct{ Token, Factor, Code string }

type pendingAnswer struct {
	Pending *struct {
		Token     string
		Factors   []string
		ExpiresIn int64 `json:"expires_in"`
	}
}

// factorApp is an application whose users may have a second factor.
type factorApp struct {
	*testapp.App
	factor *testFactor
}

func newFactorApp(t *testing.T, b *testapp.Backend, change ...func(*ginauth.Config)) *factorApp {
	t.Helper()
	f := new(testFactor)
	f.owned.Store(true)
	configure := func(c *ginauth.Config) { c.Features = append(c.Features, f) }
	return &factorApp{testapp.New(t, b, testapp.Configure(append(change, configure)...), testapp.Routes(mountFactors)), f}
}

func mountFactors(a *testapp.App, r *gin.Engine) {
	r.POST("/answer", func(c *gin.Context) {
		in, ok := testapp.Decode[answerForm](c)
		if !ok {
			return
		}
		var options []factor.AnswerOption
		if c.Query("trust") != "" {
			options = append(options, factor.TrustDevice())
		}
		res, err := ginauth.From(c).AnswerChallenge(c.Request.Context(), in.Token, in.Factor, prove(in.Code), options...)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		testapp.AnswerLogin(c, res)
	})
	r.POST("/confirm-factor", a.Auth("web", "api"), func(c *gin.Context) {
		if in, ok := testapp.Decode[answerForm](c); ok {
			testapp.Answer(c, nil, ginauth.From(c).ConfirmFactor(c.Request.Context(), in.Factor, prove(in.Code)))
		}
	})
	for path, level := range map[string]factor.Level{"/level/one": factor.LevelOne, "/level/two": factor.LevelTwo} {
		r.GET(path, a.Auth("web", "api", "token"), a.RequireLevel(level, 10*time.Minute), func(c *gin.Context) {
			proved, err := ginauth.From(c).Authentication(c.Request.Context())
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.String(200, strings.Join(proved.Methods, " "))
		})
	}
	r.GET("/pending", func(c *gin.Context) {
		p, err := ginauth.From(c).PendingLogin(c.Request.Context())
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, gin.H{"pending": p})
	})
	login := func(path, guard string, login func(context.Context, *ginauth.Authenticator, ...ginauth.LoginOption) (*ginauth.LoginResult, error)) {
		r.POST(path, func(c *gin.Context) {
			var options []ginauth.LoginOption
			if c.Query("remember") != "" {
				options = append(options, ginauth.Remember())
			}
			if token := c.GetHeader("X-Trust"); token != "" {
				options = append(options, ginauth.TrustToken(token))
			}
			res, err := login(c.Request.Context(), ginauth.From(c).Guard(guard), options...)
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
			testapp.AnswerLogin(c, res)
		})
	}
	credentials := ginauth.Credentials{"email": testapp.Alice, "password": testapp.Password}
	for _, guard := range []string{"web", "api"} {
		login("/"+guard+"/Attempt", guard, func(ctx context.Context, auth *ginauth.Authenticator, o ...ginauth.LoginOption) (*ginauth.LoginResult, error) {
			return auth.Attempt(ctx, credentials, o...)
		})
		login("/"+guard+"/AttemptWhen", guard, func(ctx context.Context, auth *ginauth.Authenticator, o ...ginauth.LoginOption) (*ginauth.LoginResult, error) {
			return auth.AttemptWhen(ctx, credentials, func(models.Authenticatable) bool { return true }, o...)
		})
		login("/"+guard+"/Login", guard, func(ctx context.Context, auth *ginauth.Authenticator, o ...ginauth.LoginOption) (*ginauth.LoginResult, error) {
			return auth.Login(ctx, a.Alice, o...)
		})
		login("/"+guard+"/LoginUsingID", guard, func(ctx context.Context, auth *ginauth.Authenticator, o ...ginauth.LoginOption) (*ginauth.LoginResult, error) {
			return auth.LoginUsingID(ctx, a.Alice.AuthID(), o...)
		})
		login("/"+guard+"/Once", guard, func(ctx context.Context, auth *ginauth.Authenticator, _ ...ginauth.LoginOption) (*ginauth.LoginResult, error) {
			return auth.Once(ctx, credentials)
		})
		login("/"+guard+"/Validate", guard, func(ctx context.Context, auth *ginauth.Authenticator, _ ...ginauth.LoginOption) (*ginauth.LoginResult, error) {
			u, err := auth.Validate(ctx, credentials)
			return &ginauth.LoginResult{User: u}, err
		})
	}
	r.POST("/web/Basic", a.Basic(), testapp.Me)
	r.POST("/web/BasicStartsSession", a.Basic(ginauth.BasicStartsSession()), testapp.Me)
	r.POST("/web/BasicGuard", a.Basic(ginauth.BasicGuard("api")), testapp.Me)
}

// through sends a client through a door.
func (a *factorApp) through(c *testapp.Client, door string) *testapp.Response {
	if strings.Contains(door, "Basic") {
		c.Header.Set("Authorization", a.BasicAuth(testapp.Alice, testapp.Password).Header.Get("Authorization"))
		defer c.Header.Del("Authorization")
	}
	return c.Post(door, nil)
}

// wantPending returns the token of a pending login.
func wantPending(t *testing.T, r *testapp.Response) string {
	t.Helper()
	var got pendingAnswer
	r.Want(t, 200).JSON(t, &got)
	if got.Pending == nil || !slices.Equal(got.Pending.Factors, []string{"code", "backup"}) ||
		got.Pending.ExpiresIn != 600 || strings.Contains(r.Text, "Alice") {
		t.Fatalf("not pending: %s", r.Text)
	}
	return got.Pending.Token
}

// doorsOfLogins are the ways in by their methods, with what they do for a user with a second factor: they suspend
// the login or refuse it. Others continue a login that was complete.
var doorsOfLogins = map[string]string{
	"Attempt": "suspends", "AttemptWhen": "suspends", "Login": "suspends", "LoginUsingID": "suspends",
	"Once": "refuses", "Validate": "refuses",
	"Refresh": "continues", "EndOtherLogins": "continues", "ChangePassword": "continues", "LogoutOtherDevices": "continues",
	"AnswerChallenge": "completes",
}

// TestEveryDoorIsKnown fails when a way into an account is added. It must go through the pipeline and be in the matrix.
func TestEveryDoorIsKnown(t *testing.T) {
	leads := map[reflect.Type]bool{
		reflect.TypeFor[*ginauth.LoginResult](): true,
	}
	handle := reflect.TypeFor[*ginauth.Authenticator]()
	for i := range handle.NumMethod() {
		m := handle.Method(i)
		in := false
		for out := range m.Type.Outs() {
			in = in || leads[out]
		}
		for arg := range m.Type.Ins() {
			in = in || arg == reflect.TypeFor[ginauth.Credentials]()
		}
		if in && doorsOfLogins[m.Name] == "" {
			t.Errorf("Authenticator.%s is a door that the matrix of doors and factors does not know", m.Name)
		}
	}
	options := []any{ginauth.BasicStartsSession, ginauth.BasicGuard, ginauth.BasicField}
	if len(options) != 3 {
		t.Error("unreachable")
	}
}

// doors returns the paths of the doors of a guard.
func doors(guard string) (paths []string) {
	for name, does := range doorsOfLogins {
		if does == "suspends" || does == "refuses" {
			paths = append(paths, "/"+guard+"/"+name)
		}
	}
	if guard == "web" {
		paths = append(paths, "/web/Basic", "/web/BasicStartsSession", "/web/BasicGuard")
	}
	return paths
}

// TestNoDoorSkipsTheSecondFactor is the matrix of doors, states of factors, and guards (K07, M06).
func TestNoDoorSkipsTheSecondFactor(t *testing.T) {
	for _, guard := range []string{"web", "api"} {
		for _, door := range doors(guard) {
			for _, state := range []string{"none", "owned", "outage"} {
				t.Run(door+" "+state, func(t *testing.T) {
					a := newFactorApp(t, testapp.Memory(t))
					a.factor.owned.Store(state == "owned")
					a.factor.broken.Store(state == "outage")
					c := a.Client()
					r := a.through(c, door)
					refuses := doorsOfLogins[door[strings.LastIndex(door, "/")+1:]] != "suspends"
					switch {
					case state == "none":
						r.Want(t, 200)
						return
					case state == "outage":
						r.Want(t, 503)
					case refuses:
						r.Want(t, 403)
					default:
						wantPending(t, r)
					}
					c.Get("/me").Want(t, 401)
					a.factor.broken.Store(false)
					for _, e := range a.Events.All() {
						switch e.(type) {
						case events.Login, events.TokenCreated, events.Authenticated:
							t.Errorf("event %#v", e)
						}
					}
					if c.Remember() != "" {
						t.Error("the device is remembered")
					}
				})
			}
		}
	}
}

func TestAnswerCompletesTheLogin(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newFactorApp(t, b)
		c := a.Client()
		c.Post("/set?k=theme&v=dark", nil).Want(t, 204)
		before := c.Session()
		token := wantPending(t, c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)))
		during := c.Session()
		c.Get("/pending").Want(t, 200)
		c.Post("/answer", answerForm{token, "code", "1"}).Want(t, 401)
		c.Post("/answer", answerForm{token, "other", rightCode}).Want(t, 422)
		c.Post("/answer", answerForm{token, "code", "outage"}).Want(t, 503)
		c.Get("/me").Want(t, 401)
		c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 200)
		c.Get("/me").Want(t, 200)
		if after := c.Session(); before == during || during == after || before == "" || after == "" {
			t.Errorf("the session's id did not change: %q, %q, %q", before, during, after)
		}
		a.With(before).Get("/me").Want(t, 401)
		a.With(during).Get("/me").Want(t, 401)
		if got := c.Get("/all").Text; !strings.Contains(got, "dark") {
			t.Errorf("values of the anonymous session are lost: %s", got)
		}
		c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 401) // used up
		testapp.WantEvents[events.LoginPending](a.App, 1)
		testapp.WantEvents[events.FactorFailed](a.App, 1)
		testapp.WantEvents[events.Login](a.App, 1)
		testapp.WantEvents[events.Authenticated](a.App, 1)
	})
}

func TestBrowserNeedsNoToken(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t))
	c := a.Client()
	wantPending(t, c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)))
	c.Post("/answer", answerForm{"", "code", rightCode}).Want(t, 200)
	c.Get("/me").Want(t, 200)
}

func TestPendingLoginIsBound(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t))
	login := testapp.Credentials(testapp.Alice, testapp.Password)
	for name, spoil := range map[string]func(c *testapp.Client){
		"to its session":  func(c *testapp.Client) { clear(c.Cookies) },
		"to the stamp":    func(*testapp.Client) { a.NewStamp(a.Alice) },
		"to 10 minutes":   func(*testapp.Client) { a.Clock.Advance(10 * time.Minute) },
		"to a living one": func(*testapp.Client) { _ = a.RevokeUser(context.Background(), "web", a.Alice.AuthID()) },
	} {
		t.Run(name, func(t *testing.T) {
			c := a.Client()
			token := wantPending(t, c.Post("/login", login))
			spoil(c)
			c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 401)
			c.Get("/me").Want(t, 401)
		})
	}
	t.Run("of tokens to nothing but the token", func(t *testing.T) {
		token := wantPending(t, a.Client().Post("/api/login", login))
		pair := a.Client().Post("/answer", answerForm{token, "code", rightCode}).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
		a.Refresh(pair.RefreshToken).Want(t, 200) // continues a complete login
	})
	t.Run("and is no other token", func(t *testing.T) {
		token := wantPending(t, a.Client().Post("/api/login", login))
		a.Bearer(token).Get("/api/me").Want(t, 401)
		a.Refresh(token).Want(t, 401)
	})
	a.Disable(a.Alice)
}

func TestGuessesAreCounted(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t))
	login := func() (*testapp.Client, string) {
		c := a.Client()
		return c, wantPending(t, c.Post("/web/Login", nil))
	}
	c, token := login()
	for range 5 {
		c.Post("/answer", answerForm{token, "code", "1"}).Want(t, 401)
	}
	c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 429)
	c, token = login()
	for range 5 {
		c.Post("/answer", answerForm{token, "backup", "1"}).Want(t, 401)
	}
	c, token = login()
	c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 429) // 10 failures over all factors
	a.Clock.Advance(15 * time.Minute)
	c, token = login()
	c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 200)
	ginauthtest.AssertCount[events.FactorFailed](t, a.Events, 10)
}

// TestParallelAnswersMakeOneLogin answers one challenge 200 times at once (EXP-03).
func TestParallelAnswersMakeOneLogin(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t), testapp.Unlimited)
	token := wantPending(t, a.Client().Post("/api/Login", nil))
	var complete, refused atomic.Int32
	a.Race(200, func(int) {
		r, err := a.Client().TryPost("/answer", answerForm{token, "code", rightCode})
		switch {
		case err != nil:
			t.Error(err)
		case r.StatusCode == http.StatusOK:
			complete.Add(1)
		case r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusTooManyRequests:
			refused.Add(1)
		default:
			t.Errorf("status %d: %s", r.StatusCode, r.Text)
		}
	})
	if complete.Load() != 1 || refused.Load() != 199 {
		t.Errorf("%d logins, %d refusals", complete.Load(), refused.Load())
	}
}

// TestAttemptIsClearedOnlyByCompleteLogin logs in by a right password again and again.
func TestAttemptIsClearedOnlyByCompleteLogin(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t))
	login := testapp.Credentials(testapp.Alice, testapp.Password)
	for range 4 {
		wantPending(t, a.Client().Post("/login", login))
	}
	c := a.Client()
	token := wantPending(t, c.Post("/login", login))
	a.Client().Post("/login", login).Want(t, 429)
	c.Post("/answer", answerForm{token, "code", rightCode}).Want(t, 200)
	wantPending(t, a.Client().Post("/login", login))
	if c.Cookies[testapp.DeviceCookie] == "" {
		t.Error("the device is not known to the account")
	}
}

// TestRememberedDeviceProvesNoSecondFactor comes back by a remember-me cookie.
func TestRememberedDeviceProvesNoSecondFactor(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t), func(c *ginauth.Config) { c.Pages.SecondFactor = "/second" })
	c := a.Client()
	wantPending(t, c.Post("/web/Login?remember=1", nil))
	c.Post("/answer", answerForm{"", "code", rightCode}).Want(t, 200)
	if c.Remember() == "" {
		t.Fatal("the device is not remembered")
	}
	a.Clock.Advance(25 * time.Hour) // the session is over
	c.Get("/").Want(t, 200)
	if c.Get("/me").Want(t, 403); !strings.Contains(c.Get("/me").Text, "second_factor_required") {
		t.Error(c.Get("/me").Text)
	}
	id := c.Session()
	c.Header.Set("Accept", testapp.BrowserAccept)
	c.Get("/me").WantRedirect(t, "/second")
	c.Header.Del("Accept")
	if c.Session() != id {
		t.Error("each request began another pending login")
	}
	var shown pendingAnswer
	if c.Get("/pending").JSON(t, &shown); shown.Pending == nil || shown.Pending.Token != "" || len(shown.Pending.Factors) != 2 {
		t.Errorf("pending %+v", shown.Pending)
	}
	c.Post("/answer", answerForm{"", "code", "1"}).Want(t, 401)
	c.Post("/answer", answerForm{"", "code", rightCode}).Want(t, 200)
	c.Get("/me").Want(t, 200)
	a.Clock.Advance(25 * time.Hour)
	c.Get("/me").Want(t, 403)
}

// TestUsersWithoutFactorsCostNoStoreCall compares the calls of a login with those without features.
func TestUsersWithoutFactorsCostNoStoreCall(t *testing.T) {
	calls := func(features ...ginauth.Feature) int {
		b, faults := testapp.Memory(t).Faulty()
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Features = features }))
		a.LoggedIn(testapp.Alice)
		return faults.Count()
	}
	f := new(testFactor)
	if without, with := calls(), calls(f); without != with || f.asked.Load() != 1 {
		t.Errorf("%d calls without a feature, %d with one, which was asked %d times", without, with, f.asked.Load())
	}
}

func TestChallengesNeedNamesOfTheirOwn(t *testing.T) {
	has := func(context.Context, string, models.Authenticatable) (bool, error) { return false, nil }
	for name, c := range map[string]ginauth.Challenge{
		"empty name": {Has: has}, "unknown method": {Name: "x", Has: has, Methods: []string{"guess"}}, "no Has": {Name: "x"}, "taken": {Name: "code", Has: has},
	} {
		bad := featureOf("bad", func(s *ginauth.Setup) { s.Challenge(c) })
		if _, err := ginauth.New(ginauth.Config{Features: []ginauth.Feature{new(testFactor), bad}}); !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// factorOfAll is a second factor that every user of every guard has.
type factorOfAll struct{}

func (factorOfAll) Name() string { return "factor-of-all" }

func (factorOfAll) Setup(s *ginauth.Setup) error {
	s.Challenge(ginauth.Challenge{Name: "code", Methods: []string{"otp"}, Has: func(context.Context, string, models.Authenticatable) (bool, error) {
		return true, nil
	}})
	return nil
}

// TestSecondFactorCountsForItsGuard comes back by the remember-me cookies of two guards, whose users have the same identifier,
// and proves the factor of one of them in the request that asks for both.
func TestSecondFactorCountsForItsGuard(t *testing.T) {
	staff := new(ginauthtest.Users)
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "staff": {Users: staff}}
		c.Features = append(c.Features, factorOfAll{})
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/answer", func(c *gin.Context) {
			res, err := ginauth.From(c).AnswerChallenge(c.Request.Context(), "", "code", prove(rightCode))
			testapp.Answer(c, res, err)
		})
		for _, guard := range []string{"web", "staff"} {
			guardRoutes(a, r, guard)
		}
		r.POST("/both", func(c *gin.Context) {
			both := ginauth.From(c)
			_, err := both.AnswerChallenge(c.Request.Context(), "", "code", prove(rightCode))
			user, webErr := both.Guard("web").User(c.Request.Context())
			other, staffErr := both.Guard("staff").User(c.Request.Context())
			c.String(200, fmt.Sprint(err, webErr, staffErr, user != nil, other != nil))
		})
	}))
	if boss := testapp.AddUser(t, a.Manager, staff, "Boss", testapp.Alice, testapp.NewPassword); boss.AuthID() != a.Alice.AuthID() {
		t.Fatal("the two have different identifiers")
	}
	c := a.Client()
	for _, guard := range []string{"web", "staff"} {
		c.Post("/in/"+guard+"?remember=1", nil)
		c.Post("/answer", nil)
		c.Get("/in/"+guard).Want(t, 200)
	}
	a.Clock.Advance(25 * time.Hour) // the session is over
	c.Get("/in/web").Want(t, 403)   // begins the pending login of web
	if got := c.Post("/both", nil).Want(t, 200).Text; got != "<nil> <nil> <nil> true false" {
		t.Error(got)
	}
	c.Get("/in/web").Want(t, 200)
	c.Get("/in/staff").Want(t, 403)
}
