package ginauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestRememberCookieIsRandomAndStoredAsDigest(t *testing.T) { // M01, C01
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

func TestEveryLoginCanBeRemembered(t *testing.T) {
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

func TestRememberCookieLogsIn(t *testing.T) { // M02
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

func TestRememberLifetimeCanBeginAgain(t *testing.T) { // M09
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Account.RememberLifetime, c.Account.RememberAbsoluteTimeout = 10*24*time.Hour, 25*24*time.Hour
		}))
		used, unused := a.Remembered(testapp.Alice), a.Remembered(testapp.Alice)
		for _, step := range []struct {
			days int
			age  string
		}{{9, "; Max-Age=864000;"}, {9, "; Max-Age=604800;"}, {6, "; Max-Age=86400;"}} {
			a.Clock.Advance(time.Duration(step.days) * 24 * time.Hour)
			used = used.Only(testapp.RememberCookie)
			line := used.Get("/me").Want(t, 200).SetCookie(t, testapp.RememberCookie)
			if !strings.Contains(line, step.age) {
				t.Errorf("cookie %q, want %q", line, step.age)
			}
		}
		a.Clock.Advance(24 * time.Hour)
		used.Only(testapp.RememberCookie).Get("/me").Want401(t) // 25 days after the login
		unused.Only(testapp.RememberCookie).Get("/me").Want401(t)
		unused = a.Remembered(testapp.Alice)
		a.Clock.Advance(10 * 24 * time.Hour)
		unused.Only(testapp.RememberCookie).Get("/me").Want401(t)
	})
}

func TestRememberGraceIsASetting(t *testing.T) { // M03, M04
	for grace, want := range map[time.Duration][2]int{-1: {401, 401}, 0: {200, 401}, time.Minute: {200, 200}} {
		a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Account.RememberGrace = grace }))
		for i, wait := range []time.Duration{9 * time.Second, 30 * time.Second} {
			value := a.Remembered(testapp.Alice).Remember()
			a.WithRemember(value).Get("/me").Want(t, 200)
			a.Clock.Advance(wait)
			a.WithRemember(value).Get("/me").Want(t, want[i])
		}
	}
	err := newError(t, ginauth.Config{Account: ginauth.AccountConfig{RememberAbsoluteTimeout: time.Hour}})
	if err == nil || !strings.Contains(err.Error(), "Account.RememberAbsoluteTimeout") {
		t.Errorf("an absolute timeout that is shorter than the lifetime: %v", err)
	}
}

func TestRememberCookieEndsAfter30Days(t *testing.T) { // M09
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

func TestStolenRememberCookieEndsItsSeries(t *testing.T) { // M03
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

func TestLostAnswerToRememberCookieCanBeRetried(t *testing.T) {
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

func TestReplayOfAnyRememberCookieEndsItsSeries(t *testing.T) { // M03, B01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		first := a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
		last := first.Only(testapp.RememberCookie)
		for range 5 {
			last = last.Only(testapp.RememberCookie)
			last.Get("/me").Want(t, 200)
		}
		first.Get("/me").Want401(t)
		last.Get("/me").Want401(t)
		last.Only(testapp.RememberCookie).Get("/me").Want401(t)
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 1 {
			t.Errorf("%d events of theft, want 1", n)
		}
	})
}

func TestRememberedLoginsOfOneDeviceAreLimited(t *testing.T) { // B01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Refresh.Rotations = ginauth.Limit{Attempts: 3, Per: time.Hour}
		}))
		c, other := a.Remembered(testapp.Alice), a.Remembered(testapp.Alice)
		for range 3 {
			c = c.Only(testapp.RememberCookie)
			c.Get("/me").Want(t, 200)
		}
		spent := c.Only(testapp.RememberCookie)
		res := spent.Get("/me").Want(t, 429)
		if got := res.Header.Get("Retry-After"); got != "3600" {
			t.Errorf("Retry-After %q", got)
		}
		if spent.Cookies[testapp.RememberCookie] == "" {
			t.Error("the cookie is deleted")
		}
		c.Get("/me").Want(t, 200) // the session that it began goes on
		other.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
		a.Clock.Advance(time.Hour)
		spent.Get("/me").Want(t, 200)
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

func TestRememberCookieEndsWithItsUser(t *testing.T) { // M07, S17
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

// A request with an id that was replaced ends nothing at all.
func TestLogoutWithReplacedIDEndsNothing(t *testing.T) { // M07
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

func TestRememberCookieMovesToNewKey(t *testing.T) { // C09
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
