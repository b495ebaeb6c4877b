package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestRememberCookie(t *testing.T) { // M01, C01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Client()
		line := c.Post("/remember", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 204).SetCookie(t, testapp.RememberCookie)
		for _, flag := range []string{"; Path=/", "; Max-Age=2592000", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
			if !strings.Contains(line, flag) {
				t.Errorf("cookie %q lacks %q", line, flag)
			}
		}
		if strings.Contains(line, "Domain") {
			t.Errorf("cookie %q has a domain", line)
		}
		value := c.Cookies[testapp.RememberCookie]
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(value, "grm_"))
		if err != nil || len(raw) != 16+16+32 {
			t.Fatalf("the cookie has %d bytes, %v", len(raw), err)
		}
		stored, _, err := b.Set.Tokens.Find(t.Context(), hex.EncodeToString(raw[:16]), hex.EncodeToString(raw[16:32]))
		if err != nil || stored.Digest != stores.DigestOf(raw[32:]) || stored.Kind != stores.Remember {
			t.Errorf("stored %+v, %v", stored, err)
		}
		if dump := b.Dump(t); strings.Contains(dump, value[4:]) || strings.Contains(dump, string(raw[32:])) {
			t.Error("the store holds the secret")
		}
		again := a.Remembered(testapp.Alice)
		if other := again.Cookies[testapp.RememberCookie]; other[4:30] == value[4:30] || other[60:] == value[60:] {
			t.Error("two devices share a part of their cookies")
		}
		plain := a.LoggedIn(testapp.Alice)
		if _, ok := plain.Cookies[testapp.RememberCookie]; ok {
			t.Error("a device is remembered that did not ask for it")
		}
	})
}

func TestRememberAtEveryLogin(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/login-by-id", func(c *gin.Context) {
			res, err := ginauth.From(c).Guard(c.Query("guard")).LoginUsingID(c.Request.Context(), a.Alice.AuthID(), ginauth.Remember())
			testapp.Answer(c, res, err)
		})
		r.POST("/login-user", func(c *gin.Context) {
			res, err := ginauth.From(c).Login(c.Request.Context(), a.Alice, ginauth.Remember())
			testapp.Answer(c, res, err)
		})
	}))
	for path, want := range map[string]bool{"/login-by-id?guard=web": true, "/login-user": true, "/login-by-id?guard=api": false} {
		c := a.Client()
		c.Post(path, nil)
		if got := c.Cookies[testapp.RememberCookie] != ""; got != want {
			t.Errorf("%s: remembered %v", path, got)
		}
		if want {
			c.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
		}
	}
	a.Client().Post("/login-user", nil).Want(t, 204)
}

func TestRememberedLogin(t *testing.T) { // M02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		first := a.Remembered(testapp.Alice)
		if got := first.Get("/via").Want(t, 200).Text; got != "false" {
			t.Errorf("a login by password is by cookie: %s", got)
		}
		a.Clock.Advance(3 * time.Hour) // the session has ended
		for _, guest := range []bool{false, true} {
			c := first.Only(testapp.RememberCookie)
			if guest {
				c.Post("/set?k=cart&v=full", nil).Want(t, 204)
			}
			was := maps.Clone(c.Cookies)
			if got := c.Get("/via").Want(t, 200).Text; got != "true" {
				t.Errorf("a login by cookie is by password: %s", got)
			}
			if c.Session() == "" || c.Session() == was[testapp.SessionCookie] || c.Session() == first.Session() {
				t.Errorf("session %q, before %q", c.Session(), was[testapp.SessionCookie])
			}
			if guest {
				a.Client().With(was[testapp.SessionCookie]).Get("/me").Want401(t)
				if body := c.Get("/all").Text; !strings.Contains(body, "full") {
					t.Errorf("the guest's session is lost: %s", body)
				}
			}
			if c.Cookies[testapp.RememberCookie] == was[testapp.RememberCookie] {
				t.Error("the cookie was not replaced")
			}
			if name := c.Only(testapp.SessionCookie).Get("/me").Want(t, 200).UserName(t); name != "Alice" {
				t.Errorf("remembered as %q", name)
			}
			c.Get("/guest").Want(t, 403)
			logins := testapp.EventsOf[events.Login](a)
			if last := logins[len(logins)-1]; !last.Remembered || last.UserID != a.Alice.AuthID() || last.Guard != "web" || last.Address == "" {
				t.Errorf("event %+v", last)
			}
			first = c
		}
		if n := len(testapp.EventsOf[events.Login](a)); n != 3 {
			t.Errorf("%d Login events", n)
		}
	})
}

func TestRememberedOverManySessions(t *testing.T) { // M09
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c, unused := a.Remembered(testapp.Alice), a.Remembered(testapp.Alice)
		for range 29 {
			a.Clock.Advance(24 * time.Hour)
			c.Get("/me").Want(t, 200)
		}
		a.Clock.Advance(24*time.Hour - time.Second)
		line := unused.Only(testapp.RememberCookie).Get("/me").Want(t, 200).SetCookie(t, testapp.RememberCookie)
		if !strings.Contains(line, "; Max-Age=1;") {
			t.Errorf("a replaced cookie lives on: %q", line)
		}
		a.Clock.Advance(time.Second)
		for name, old := range map[string]*testapp.Client{"used each day": c, "used first on the last day": unused} {
			res := old.Only(testapp.RememberCookie).Get("/me")
			res.Want401(t)
			if line := res.SetCookie(t, testapp.RememberCookie); !strings.Contains(line, "Max-Age=0") {
				t.Errorf("%s: %q", name, line)
			}
		}
	})
}

func TestStolenRememberCookie(t *testing.T) { // M03
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		victim, elsewhere := a.Remembered(testapp.Alice), a.Remembered(testapp.Alice)
		remembered := elsewhere.Only(testapp.RememberCookie)
		remembered.Get("/me").Want(t, 200)
		thief := victim.Only(testapp.RememberCookie)
		thief.Get("/me").Want(t, 200)
		a.Clock.Advance(10 * time.Second)
		res := victim.Only(testapp.RememberCookie).Get("/me")
		res.Want401(t)
		if line := res.SetCookie(t, testapp.RememberCookie); !strings.Contains(line, "Max-Age=0") {
			t.Errorf("cookie %q", line)
		}
		thief.Only(testapp.SessionCookie).Get("/me").Want401(t)
		thief.Only(testapp.RememberCookie).Get("/me").Want401(t)
		victim.Only(testapp.RememberCookie).Get("/me").Want401(t)
		reused := testapp.EventsOf[events.TokenReused](a)
		if len(reused) != 1 || reused[0].UserID != a.Alice.AuthID() || reused[0].Kind != "remember" || reused[0].Guard != "web" {
			t.Errorf("events %+v", reused)
		}
		// The login by password was begun by nobody's cookie, the other device's
		// has another series.
		victim.Only(testapp.SessionCookie).Get("/me").Want(t, 200)
		remembered.Only(testapp.SessionCookie).Get("/me").Want(t, 200)
		remembered.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
	})
}

func TestLostAnswerToRememberCookie(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Remembered(testapp.Alice)
		lost, again := c.Only(testapp.RememberCookie), c.Only(testapp.RememberCookie)
		lost.Get("/me").Want(t, 200)
		a.Clock.Advance(10*time.Second - time.Millisecond)
		again.Get("/me").Want(t, 200)
		if lost.Cookies[testapp.RememberCookie] != again.Cookies[testapp.RememberCookie] {
			t.Error("a retry gets another cookie")
		}
		a.Clock.Advance(time.Hour)
		again.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
	})
}

// An answer that never left gave nobody anything: the cookie that it should have
// replaced is still good, however long the outage lasts. What did leave counts.
func TestRememberAfterAnOutage(t *testing.T) { // M03, M10, F08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		box := new(ginauthtest.Mailbox)
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Mail = ginauth.MailConfig{Mailer: box, BaseURL: "https://app.example"} }), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/panics", a.Auth(), func(*gin.Context) { panic("x") })
			r.GET("/fails", a.Auth(), func(c *gin.Context) { c.Status(503) })
		}))
		thefts := func() int { return len(testapp.EventsOf[events.TokenReused](a)) }
		for name, row := range map[string]struct {
			op     testapp.Op
			path   string
			status int
			times  int // the last time an hour before the outage ends
		}{
			"no session can be stored":  {testapp.CreateSession, "/me", 503, 3},
			"no note can be made":       {testapp.TouchToken, "/me", 503, 3},
			"the answer is lost":        {testapp.RotatedToken, "/me", 503, 1},
			"the handler panics":        {"", "/panics", 500, 3},
			"the handler says that 503": {"", "/fails", 503, 3},
		} {
			c, before := a.Remembered(testapp.Alice), thefts()
			for range row.times {
				if row.op != "" {
					f.Set(testapp.Refuse, row.op)
				}
				if res := c.Only(testapp.RememberCookie).Get(row.path).Want(t, row.status); len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s: cookies %q", name, res.Header["Set-Cookie"])
				}
				f.Clear()
				a.Clock.Advance(time.Hour)
			}
			next := c.Only(testapp.RememberCookie)
			next.Get("/me").Want(t, 200)
			if thefts() != before {
				t.Errorf("%s: taken for a theft", name)
			}
			// This answer was given: who comes with the cookie again is another.
			a.Clock.Advance(10 * time.Second)
			c.Only(testapp.RememberCookie).Get("/me").Want401(t)
			next.Get("/me").Want401(t)
			if thefts() != before+1 {
				t.Errorf("%s: %d thefts found, want 1", name, thefts()-before)
			}
		}
	})
}

// Who hangs up before the answer has had the request done all the same. That is no
// outage, and leaves the trace of any other use.
func TestThiefWhoHangsUp(t *testing.T) { // M03, F07
	for _, path := range []string{"/stays", "/fails", "/panics"} {
		t.Run(path[1:], func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				arrived, done := make(chan struct{}), make(chan struct{})
				box := new(ginauthtest.Mailbox)
				a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Mail = ginauth.MailConfig{Mailer: box, BaseURL: "https://app.example"} }), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
					r.GET(path, a.Auth(), func(c *gin.Context) {
						arrived <- struct{}{}
						<-c.Request.Context().Done()
						switch path {
						case "/fails":
							ginauth.Abort(c, ginauth.Unavailable("do as told", c.Request.Context().Err()))
						case "/panics":
							panic("x")
						}
					})
				}))
				a.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == path {
						defer close(done)
					}
					a.Engine.ServeHTTP(w, r)
				}))
				c := a.Remembered(testapp.Alice)
				ctx, cancel := context.WithCancel(t.Context())
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					_, _ = c.Only(testapp.RememberCookie).Try(ctx, "GET", path, "", "")
				}()
				<-arrived
				cancel()
				<-gone
				<-done
				a.Clock.Advance(time.Hour)
				c.Only(testapp.RememberCookie).Get("/me").Want401(t)
				if n := len(testapp.EventsOf[events.TokenReused](a)); n != 1 {
					t.Errorf("%d thefts found, want 1", n)
				}
			})
		})
	}
}

func TestRememberRace(t *testing.T) { // M04, EXP-11
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Throttle.InsecureDisable = true
			c.StoreTimeout = 20 * time.Second
		}))
		for range testsize.Rounds(50, 2) {
			raceRemember(t, a)
			if t.Failed() {
				return
			}
		}
	})
}

func raceRemember(t *testing.T, a *testapp.App) {
	t.Helper()
	const n = 50
	c, thefts := a.Remembered(testapp.Alice), len(testapp.EventsOf[events.TokenReused](a))
	tabs := make([]*testapp.Client, n)
	for i := range tabs {
		tabs[i] = c.Only(testapp.RememberCookie)
	}
	testapp.Race(n, func(i int) { _, _ = a.Client().Try(context.Background(), "GET", "/", "", "") }) // opens connections
	testapp.Race(n, func(i int) {
		res, err := tabs[i].Try(context.Background(), "GET", "/me", "", "")
		if err != nil || res.StatusCode != 200 {
			t.Errorf("tab %d: %v %v", i, res, err)
		}
	})
	for _, tab := range tabs {
		if tab.Cookies[testapp.RememberCookie] != tabs[0].Cookies[testapp.RememberCookie] {
			t.Error("two series are left")
		}
	}
	if n := len(testapp.EventsOf[events.TokenReused](a)); n != thefts {
		t.Errorf("%d events of theft", n-thefts)
	}
	if id := tabs[0].Device("remember").ID; id == "" {
		t.Error("no series is left")
	}
	a.Clock.Advance(10 * time.Second)
	testapp.Race(4, func(int) { // replayed
		res, err := c.Only(testapp.RememberCookie).Try(context.Background(), "GET", "/me", "", "")
		if err != nil || res.StatusCode != 401 {
			t.Errorf("a replay: %v %v", res, err)
		}
	})
	if n := len(testapp.EventsOf[events.TokenReused](a)); n != thefts+1 {
		t.Errorf("%d events of theft, want 1", n-thefts)
	}
	for _, tab := range tabs {
		tab.Only(testapp.SessionCookie).Get("/me").Want401(t)
	}
	tabs[0].Only(testapp.RememberCookie).Get("/me").Want401(t)
	c.Post("/logout", nil).Want(t, 204)
}

func TestBadRememberCookies(t *testing.T) { // M08, C04, S19, J10
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b)
		alice, bob := a.Remembered(testapp.Alice).Cookies[testapp.RememberCookie], a.Remembered(testapp.Bob).Cookies[testapp.RememberCookie]
		tokens := a.IssueTokens(testapp.Alice)
		personal := a.LoggedIn(testapp.Alice).Personal("*")
		raw := func(text string) []byte {
			data, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "grm_"))
			return data
		}
		mix := func(parts ...[]byte) string {
			var all []byte
			for _, p := range parts {
				all = append(all, p...)
			}
			return "grm_" + base64.RawURLEncoding.EncodeToString(all)
		}
		av, bv := raw(alice), raw(bob)
		bad := map[string]string{
			"Bob's series, Alice's secret":           mix(bv[:32], av[32:]),
			"Bob's family alone":                     mix(bv[:16], av[16:]),
			"Bob's token alone":                      mix(av[:16], bv[16:32], av[32:]),
			"no secret":                              mix(av[:32]),
			"a secret of one byte":                   mix(av[:32], av[32:33]),
			"a secret of 10000 bytes":                mix(av[:32], make([]byte, 10000)),
			"no prefix":                              alice[4:],
			"a refresh token":                        tokens.RefreshToken,
			"a refresh token under the prefix":       "grm_" + strings.TrimPrefix(tokens.RefreshToken, "grt_"),
			"an access token":                        tokens.AccessToken,
			"a personal token":                       personal.Text,
			"Alice's with padding":                   alice + "=",
			"nobody's":                               mix(make([]byte, 64)),
			"the user's id":                          a.Alice.AuthID(),
			"an injection":                           "grm_' OR 1=1 --",
			"one more character":                     alice + "A",
			"the cookie's own name before the value": testapp.RememberCookie + alice,
		}
		step := 1
		if testing.Short() || b.Name != "memory" {
			step = 9
		}
		for i := 4; i < len(alice); i += step {
			flipped := []byte(alice)
			flipped[i] = map[bool]byte{true: 'B', false: 'A'}[flipped[i] == 'A']
			bad["flipped at "+string(rune('0'+i))] = string(flipped)
		}
		var first *testapp.Response
		for name, value := range bad {
			before := f.Count(testapp.FindToken)
			res := a.WithRemember(value).Get("/me")
			res.Want401(t)
			if line := res.SetCookie(t, testapp.RememberCookie); !strings.Contains(line, "Max-Age=0") || !strings.Contains(line, "; Secure") {
				t.Errorf("%s: %q", name, line)
			}
			if reads := f.Count(testapp.FindToken) - before; reads > 1 {
				t.Errorf("%s: %d reads", name, reads)
			}
			if first == nil {
				first = res
			}
			testapp.Same(t, first, res, name)
		}
		// None of it has ended anything.
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
		a.WithRemember(alice).Get("/me").Want(t, 200)
		if name := a.WithRemember(bob).Get("/me").Want(t, 200).UserName(t); name != "Bob" {
			t.Errorf("Bob's cookie is %q's", name)
		}
	})
}

func TestRememberCookieIsNothingElse(t *testing.T) { // S19, J10
	a := testapp.New(t, testapp.Memory(t))
	value := a.Remembered(testapp.Alice).Cookies[testapp.RememberCookie]
	a.Bearer(value).Get("/any/me").Want401(t)
	a.Refresh(value).Want(t, 401)
	a.Refresh("grt_"+strings.TrimPrefix(value, "grm_")).Want(t, 401)
	a.Client().With(value).Get("/me").Want401(t)
	if err := a.Reset(testapp.Alice, "gpr_"+strings.TrimPrefix(value, "grm_"), testapp.NewPassword); ginauth.StatusOf(err) != 422 {
		t.Errorf("reset by a remember-me cookie: %v", err)
	}
	a.WithRemember(value).Get("/me").Want(t, 200)
	two := a.Client()
	two.Header.Set("Cookie", testapp.RememberCookie+"="+value+"; "+testapp.RememberCookie+"=grm_other")
	two.Get("/me").Want401(t)
}

func TestRememberCookieEnds(t *testing.T) { // M07, S17
	for name, end := range map[string]func(a *testapp.App){
		"stamp":    func(a *testapp.App) { a.NewStamp(a.Alice) },
		"disabled": func(a *testapp.App) { a.Disable(a.Alice) },
		"deleted":  func(a *testapp.App) { a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.ID = 77 }) },
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				if name == "deleted" && b.Name != "memory" {
					t.Skip("a row does not change its key")
				}
				a := testapp.New(t, b)
				unused, used := a.Remembered(testapp.Alice), a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
				used.Get("/me").Want(t, 200)
				end(a)
				used.Only(testapp.SessionCookie).Get("/me").Want401(t)
				for _, c := range []*testapp.Client{unused, used} {
					res := c.Only(testapp.RememberCookie).Get("/me")
					res.Want401(t)
					if name == "stamp" { // whoever changed it may have got another cookie
						if len(res.Header["Set-Cookie"]) > 0 {
							t.Errorf("at once: cookies %q", res.Header["Set-Cookie"])
						}
						a.Clock.Advance(10 * time.Second)
						res = c.Only(testapp.RememberCookie).Get("/me")
						res.Want401(t)
					}
					if line := res.SetCookie(t, testapp.RememberCookie); !strings.Contains(line, "Max-Age=0") {
						t.Errorf("cookie %q", line)
					}
				}
				if n := len(testapp.EventsOf[events.TokenReused](a)); n != 0 {
					t.Errorf("%d events of theft", n)
				}
			})
		})
	}
}

func TestLogoutForgetsTheDevice(t *testing.T) { // M07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		other := a.Remembered(testapp.Alice)
		both, cookie, session := a.Remembered(testapp.Alice), a.Remembered(testapp.Alice), a.Remembered(testapp.Alice)
		cases := map[string]struct{ c, out *testapp.Client }{
			"both cookies":           {both, both},
			"the cookie alone":       {cookie, cookie.Only(testapp.RememberCookie)},
			"the session's id alone": {session, session.Only(testapp.SessionCookie)},
		}
		for name, test := range cases {
			value := test.c.Cookies[testapp.RememberCookie]
			res := test.out.Post("/logout", nil).Want(t, 204)
			if test.out.Cookies[testapp.RememberCookie] != "" {
				t.Errorf("%s: the cookie stays: %q", name, res.Header["Set-Cookie"])
			}
			a.WithRemember(value).Get("/me").Want401(t)
		}
		both.Only(testapp.SessionCookie).Get("/me").Want401(t)
		other.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
	})
}

// A logout that could not forget the device has ended nothing that another try
// would need, also if the client no longer has the cookie that is to be forgotten.
func TestLogoutDuringAnOutage(t *testing.T) { // F04, M07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b)
		for _, op := range []testapp.Op{testapp.RevokeFamily, testapp.DeleteSession} {
			for _, cookies := range [][]string{{testapp.SessionCookie}, {testapp.RememberCookie}, {testapp.SessionCookie, testapp.RememberCookie}} {
				c := a.Remembered(testapp.Alice)
				out := a.Client()
				for _, name := range cookies {
					out.Cookies[name] = c.Cookies[name]
				}
				f.Set(testapp.Refuse, op)
				res := out.Post("/logout", nil)
				f.Clear()
				if cookies[0] == testapp.SessionCookie || op == testapp.RevokeFamily { // else no session is there to end
					if res.Want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
						t.Errorf("%s with %q: cookies %q", op, cookies, res.Header["Set-Cookie"])
					}
				}
				out.Post("/logout", nil).Want(t, 204)
				c.Only(testapp.RememberCookie).Get("/me").Want401(t)
				if cookies[0] == testapp.SessionCookie {
					c.Only(testapp.SessionCookie).Get("/me").Want401(t)
				}
			}
		}
		if n := len(testapp.EventsOf[events.Logout](a)); n != 4 {
			t.Errorf("%d logouts, want those of the four sessions", n)
		}
	})
}

// A request with an id that was replaced ends nothing at all.
func TestLogoutOfAReplacedSession(t *testing.T) { // M07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		c := a.Remembered(testapp.Alice)
		old := c.With(c.Session())
		old.Cookies[testapp.RememberCookie] = c.Cookies[testapp.RememberCookie]
		c.Confirm(testapp.Password).Want(t, 204) // has another id, and the same cookie
		if res := old.Post("/logout", nil).Want(t, 409); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("cookies %q", res.Header["Set-Cookie"])
		}
		c.Get("/me").Want(t, 200)
		c.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
	})
}

func TestRememberOutage(t *testing.T) { // M10, F01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.StoreTimeout = 200 * time.Millisecond }))
		c := a.Remembered(testapp.Alice)
		for _, mode := range testapp.Outages(b) {
			for _, row := range []struct {
				op     testapp.Op
				method string
				path   string
			}{
				{testapp.FindToken, "GET", "/me"}, {testapp.RotateToken, "GET", "/me"}, {testapp.RotatedToken, "GET", "/me"},
				{testapp.CreateSession, "GET", "/me"}, {testapp.UserByID, "GET", "/me"},
				{testapp.FindToken, "GET", "/via"}, {testapp.FindToken, "GET", "/guest"},
				{testapp.FindToken, "POST", "/logout"}, {testapp.RevokeFamily, "POST", "/logout"},
				{testapp.CreateToken, "POST", "/remember"},
			} {
				f.Set(mode, row.op)
				body := ""
				if row.path == "/remember" {
					body = `{"email":"` + testapp.Alice + `","password":"` + testapp.Password + `"}`
				}
				res := c.Only(testapp.RememberCookie).Do(row.method, row.path, "application/json", body).Want(t, 503)
				if len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s %s: cookies %q", row.op, row.path, res.Header["Set-Cookie"])
				}
				f.Clear()
			}
			next := c.Only(testapp.RememberCookie)
			next.Get("/me").Want(t, 200)
			// A session that a cookie began asks whether the cookie's series lives.
			f.Set(mode, testapp.Lives)
			if res := next.Only(testapp.SessionCookie).Get("/me").Want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("lives: cookies %q", res.Header["Set-Cookie"])
			}
			f.Clear()
			next.Only(testapp.SessionCookie).Get("/me").Want(t, 200)
			a.Clock.Advance(time.Hour)
			c = next
		}
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
	})
}

// guards starts an application with three guards that keep logins in sessions:
// "web" and "admin" have the same users, "staff" has its own. Each logs its
// first user in.
func guards(t *testing.T) *testapp.App {
	staff := new(ginauthtest.Users)
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "admin": {}, "staff": {Users: staff}}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		for _, guard := range []string{"web", "admin", "staff"} {
			r.GET("/in/"+guard, a.Auth(guard), testapp.Me)
			r.POST("/in/"+guard, func(c *gin.Context) {
				res, err := ginauth.From(c).Guard(guard).LoginUsingID(c.Request.Context(), "1", ginauth.Remember())
				testapp.Answer(c, res, err)
			})
			r.DELETE("/in/"+guard, func(c *gin.Context) {
				testapp.Answer(c, nil, ginauth.From(c).Guard(guard).Logout(c.Request.Context()))
			})
		}
	}))
	boss := &models.User{Name: "Boss", Email: testapp.Alice, Password: "x"}
	if err := staff.CreateUser(t.Context(), boss); err != nil || boss.AuthID() != a.Alice.AuthID() {
		t.Fatal(boss, err)
	}
	return a
}

func cookieOf(guard string) string { return testapp.SessionCookie + "_remember_" + guard }

func TestRememberCookieIsOfOneGuard(t *testing.T) { // S19
	a := guards(t)
	for _, from := range []string{"web", "admin", "staff"} {
		c := a.Client()
		c.Post("/in/"+from, nil).Want(t, 204)
		for _, to := range []string{"web", "admin", "staff"} {
			other := a.Client()
			other.Cookies[cookieOf(to)] = c.Cookies[cookieOf(from)]
			if from != to {
				other.Get("/in/" + to).Want401(t)
			}
		}
		c.Only(cookieOf(from)).Get("/in/"+from).Want(t, 200)
	}
}

func TestRememberedByTwoGuards(t *testing.T) {
	a := guards(t)
	c := a.Client()
	c.Post("/in/web", nil).Want(t, 204)
	c.Post("/in/staff", nil).Want(t, 204)
	back := a.Client()
	back.Cookies[cookieOf("web")], back.Cookies[cookieOf("staff")] = c.Cookies[cookieOf("web")], c.Cookies[cookieOf("staff")]
	if name := back.Get("/in/web").Want(t, 200).UserName(t); name != "Alice" {
		t.Errorf("web: %q", name)
	}
	if name := back.Get("/in/staff").Want(t, 200).UserName(t); name != "Boss" {
		t.Errorf("staff: %q", name)
	}
	one := back.Only(testapp.SessionCookie)
	one.Get("/in/web").Want(t, 200)
	one.Get("/in/staff").Want(t, 200)

	web := back.Cookies[cookieOf("web")]
	back.Do("DELETE", "/in/web", "", "").Want(t, 204)
	back.Get("/in/web").Want401(t)
	back.Get("/in/staff").Want(t, 200)
	if back.Cookies[cookieOf("staff")] == "" || back.Cookies[cookieOf("web")] != "" {
		t.Errorf("cookies %v", back.Cookies)
	}
	a.WithCookie(cookieOf("web"), web).Get("/in/web").Want401(t)
	back.Only(cookieOf("staff")).Get("/in/staff").Want(t, 200)
}

func TestRememberAcrossKeys(t *testing.T) { // C09
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		next := ginauth.NewKey()
		first := testapp.New(t, b)
		moved, stays := first.Remembered(testapp.Alice), first.Remembered(testapp.Alice)
		second := first.Sibling(func(c *ginauth.Config) { c.Key, c.PreviousKeys = next, []ginauth.Key{testapp.Key} })
		c := second.WithRemember(moved.Cookies[testapp.RememberCookie])
		c.Get("/me").Want(t, 200)
		third := first.Sibling(func(cfg *ginauth.Config) { cfg.Key = next })
		third.WithRemember(c.Cookies[testapp.RememberCookie]).Get("/me").Want(t, 200)
		third.WithRemember(stays.Cookies[testapp.RememberCookie]).Get("/me").Want401(t)
	})
}
