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
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestRememberCookie(t *testing.T) { // M01, C01
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c := a.client()
		line := setCookie(t, c.post("/remember", loginForm{aliceEmail, goodPass}).want(t, 204), rememberCookie)
		for _, flag := range []string{"; Path=/", "; Max-Age=2592000", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
			if !strings.Contains(line, flag) {
				t.Errorf("cookie %q lacks %q", line, flag)
			}
		}
		if strings.Contains(line, "Domain") {
			t.Errorf("cookie %q has a domain", line)
		}
		value := c.cookies[rememberCookie]
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(value, "grm_"))
		if err != nil || len(raw) != 16+16+32 {
			t.Fatalf("the cookie has %d bytes, %v", len(raw), err)
		}
		stored, _, err := b.set.Tokens.Find(t.Context(), hex.EncodeToString(raw[:16]), hex.EncodeToString(raw[16:32]))
		if err != nil || stored.Digest != stores.DigestOf(raw[32:]) || stored.Kind != stores.Remember {
			t.Errorf("stored %+v, %v", stored, err)
		}
		if b.atRest != nil {
			dump, err := b.atRest.dump()
			if err != nil || strings.Contains(dump, value[4:]) || strings.Contains(dump, string(raw[32:])) {
				t.Errorf("the store holds the secret: %v", err)
			}
		}
		again := a.remembered(aliceEmail)
		if other := again.cookies[rememberCookie]; other[4:30] == value[4:30] || other[60:] == value[60:] {
			t.Error("two devices share a part of their cookies")
		}
		plain := a.loggedIn(aliceEmail)
		if _, ok := plain.cookies[rememberCookie]; ok {
			t.Error("a device is remembered that did not ask for it")
		}
	})
}

func TestRememberAtEveryLogin(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, func(a *app, r *gin.Engine) {
		r.POST("/login-by-id", func(c *gin.Context) {
			res, err := ginauth.From(c).Guard(c.Query("guard")).LoginUsingID(c.Request.Context(), a.alice.AuthID(), ginauth.Remember())
			answer(c, res, err)
		})
		r.POST("/login-user", func(c *gin.Context) {
			res, err := ginauth.From(c).Login(c.Request.Context(), a.alice, ginauth.Remember())
			answer(c, res, err)
		})
	})
	for path, want := range map[string]bool{"/login-by-id?guard=web": true, "/login-user": true, "/login-by-id?guard=api": false} {
		c := a.client()
		c.post(path, nil)
		if got := c.cookies[rememberCookie] != ""; got != want {
			t.Errorf("%s: remembered %v", path, got)
		}
		if want {
			c.only(rememberCookie).get("/me").want(t, 200)
		}
	}
	a.client().post("/login-user", nil).want(t, 204)
}

func TestRememberedLogin(t *testing.T) { // M02
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		first := a.remembered(aliceEmail)
		if got := first.get("/via").want(t, 200).body; got != "false" {
			t.Errorf("a login by password is by cookie: %s", got)
		}
		a.clock.advance(3 * time.Hour) // the session has ended
		for _, guest := range []bool{false, true} {
			c := first.only(rememberCookie)
			if guest {
				c.post("/set?k=cart&v=full", nil).want(t, 204)
			}
			was := maps.Clone(c.cookies)
			if got := c.get("/via").want(t, 200).body; got != "true" {
				t.Errorf("a login by cookie is by password: %s", got)
			}
			if c.session() == "" || c.session() == was[sessionCookie] || c.session() == first.session() {
				t.Errorf("session %q, before %q", c.session(), was[sessionCookie])
			}
			if guest {
				a.client().with(was[sessionCookie]).get("/me").is401(t)
				if body := c.get("/all").body; !strings.Contains(body, "full") {
					t.Errorf("the guest's session is lost: %s", body)
				}
			}
			if c.cookies[rememberCookie] == was[rememberCookie] {
				t.Error("the cookie was not replaced")
			}
			if name := c.only(sessionCookie).get("/me").want(t, 200).name(t); name != "Alice" {
				t.Errorf("remembered as %q", name)
			}
			c.get("/guest").want(t, 403)
			logins := eventsOf[loginEvent](a)
			if last := logins[len(logins)-1]; !last.Remembered || last.UserID != a.alice.AuthID() || last.Guard != "web" || last.Address == "" {
				t.Errorf("event %+v", last)
			}
			first = c
		}
		if n := len(eventsOf[loginEvent](a)); n != 3 {
			t.Errorf("%d Login events", n)
		}
	})
}

func TestRememberedOverManySessions(t *testing.T) { // M09
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c, unused := a.remembered(aliceEmail), a.remembered(aliceEmail)
		for range 29 {
			a.clock.advance(24 * time.Hour)
			c.get("/me").want(t, 200)
		}
		a.clock.advance(24*time.Hour - time.Second)
		line := setCookie(t, unused.only(rememberCookie).get("/me").want(t, 200), rememberCookie)
		if !strings.Contains(line, "; Max-Age=1;") {
			t.Errorf("a replaced cookie lives on: %q", line)
		}
		a.clock.advance(time.Second)
		for name, old := range map[string]*client{"used each day": c, "used first on the last day": unused} {
			res := old.only(rememberCookie).get("/me")
			res.is401(t)
			if line := setCookie(t, res, rememberCookie); !strings.Contains(line, "Max-Age=0") {
				t.Errorf("%s: %q", name, line)
			}
		}
	})
}

func TestStolenRememberCookie(t *testing.T) { // M03
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		victim, elsewhere := a.remembered(aliceEmail), a.remembered(aliceEmail)
		remembered := elsewhere.only(rememberCookie)
		remembered.get("/me").want(t, 200)
		thief := victim.only(rememberCookie)
		thief.get("/me").want(t, 200)
		a.clock.advance(10 * time.Second)
		res := victim.only(rememberCookie).get("/me")
		res.is401(t)
		if line := setCookie(t, res, rememberCookie); !strings.Contains(line, "Max-Age=0") {
			t.Errorf("cookie %q", line)
		}
		thief.only(sessionCookie).get("/me").is401(t)
		thief.only(rememberCookie).get("/me").is401(t)
		victim.only(rememberCookie).get("/me").is401(t)
		reused := eventsOf[events.TokenReused](a)
		if len(reused) != 1 || reused[0].UserID != a.alice.AuthID() || reused[0].Kind != "remember" || reused[0].Guard != "web" {
			t.Errorf("events %+v", reused)
		}
		// The login by password was begun by nobody's cookie, the other device's
		// has another series.
		victim.only(sessionCookie).get("/me").want(t, 200)
		remembered.only(sessionCookie).get("/me").want(t, 200)
		remembered.only(rememberCookie).get("/me").want(t, 200)
	})
}

func TestLostAnswerToRememberCookie(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c := a.remembered(aliceEmail)
		lost, again := c.only(rememberCookie), c.only(rememberCookie)
		lost.get("/me").want(t, 200)
		a.clock.advance(10*time.Second - time.Millisecond)
		again.get("/me").want(t, 200)
		if lost.cookies[rememberCookie] != again.cookies[rememberCookie] {
			t.Error("a retry gets another cookie")
		}
		a.clock.advance(time.Hour)
		again.only(rememberCookie).get("/me").want(t, 200)
		if n := len(eventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
	})
}

// An answer that never left gave nobody anything: the cookie that it should have
// replaced is still good, however long the outage lasts. What did leave counts.
func TestRememberAfterAnOutage(t *testing.T) { // M03, M10, F08
	eachBackend(t, func(t *testing.T, b *backend) {
		b, onTokens := b.faultyTokens()
		b, onOthers := b.faultyKeepingTokens()
		box := new(ginauthtest.Mailbox)
		a := newApp(t, b, func(c *ginauth.Config) { c.Mail = ginauth.MailConfig{Mailer: box, BaseURL: "https://app.example"} },
			func(a *app, r *gin.Engine) {
				accountRoutes(a, r)
				r.GET("/panics", a.m.Auth(), func(*gin.Context) { panic("x") })
				r.GET("/fails", a.m.Auth(), func(c *gin.Context) { c.Status(503) })
			})
		thefts := func() int { return len(eventsOf[events.TokenReused](a)) }
		for name, row := range map[string]struct {
			f        *faults
			op, path string
			status   int
			times    int // the last time an hour before the outage ends
		}{
			"no session can be stored":  {onOthers, "create", "/me", 503, 3},
			"no note can be made":       {onTokens, "mark delivered", "/me", 503, 3},
			"the answer is lost":        {onTokens, "rotated", "/me", 503, 1},
			"the handler panics":        {onTokens, "", "/panics", 500, 3},
			"the handler says that 503": {onTokens, "", "/fails", 503, 3},
		} {
			c, before := a.remembered(aliceEmail), thefts()
			for range row.times {
				if row.op != "" {
					row.f.set(row.op, faultRefuse)
				}
				if res := c.only(rememberCookie).get(row.path).want(t, row.status); len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s: cookies %q", name, res.Header["Set-Cookie"])
				}
				row.f.set("", faultNone)
				a.clock.advance(time.Hour)
			}
			next := c.only(rememberCookie)
			next.get("/me").want(t, 200)
			if thefts() != before {
				t.Errorf("%s: taken for a theft", name)
			}
			// This answer was given: who comes with the cookie again is another.
			a.clock.advance(10 * time.Second)
			c.only(rememberCookie).get("/me").is401(t)
			next.get("/me").is401(t)
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
			eachBackend(t, func(t *testing.T, b *backend) {
				arrived, done := make(chan struct{}), make(chan struct{})
				box := new(ginauthtest.Mailbox)
				a := newApp(t, b, func(c *ginauth.Config) { c.Mail = ginauth.MailConfig{Mailer: box, BaseURL: "https://app.example"} },
					func(a *app, r *gin.Engine) {
						accountRoutes(a, r)
						r.GET(path, a.m.Auth(), func(c *gin.Context) {
							arrived <- struct{}{}
							<-c.Request.Context().Done()
							switch path {
							case "/fails":
								ginauth.Abort(c, ginauth.Unavailable("do as told", c.Request.Context().Err()))
							case "/panics":
								panic("x")
							}
						})
					})
				a.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == path {
						defer close(done)
					}
					a.engine.ServeHTTP(w, r)
				})
				c := a.remembered(aliceEmail)
				ctx, cancel := context.WithCancel(t.Context())
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					_, _ = c.only(rememberCookie).try(ctx, "GET", path, "", "")
				}()
				<-arrived
				cancel()
				<-gone
				<-done
				a.clock.advance(time.Hour)
				c.only(rememberCookie).get("/me").is401(t)
				if n := len(eventsOf[events.TokenReused](a)); n != 1 {
					t.Errorf("%d thefts found, want 1", n)
				}
			})
		})
	}
}

func TestRememberRace(t *testing.T) { // M04, EXP-11
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b, func(c *ginauth.Config) {
			c.Throttle.InsecureDisable = true
			c.StoreTimeout = 20 * time.Second
		})
		for range rounds(50, 2) {
			raceRemember(t, a)
			if t.Failed() {
				return
			}
		}
	})
}

func raceRemember(t *testing.T, a *app) {
	t.Helper()
	const n = 50
	c, thefts := a.remembered(aliceEmail), len(eventsOf[events.TokenReused](a))
	tabs := make([]*client, n)
	for i := range tabs {
		tabs[i] = c.only(rememberCookie)
	}
	together(n, func(i int) { _, _ = a.client().try(context.Background(), "GET", "/", "", "") }) // opens connections
	together(n, func(i int) {
		res, err := tabs[i].try(context.Background(), "GET", "/me", "", "")
		if err != nil || res.StatusCode != 200 {
			t.Errorf("tab %d: %v %v", i, res, err)
		}
	})
	for _, tab := range tabs {
		if tab.cookies[rememberCookie] != tabs[0].cookies[rememberCookie] {
			t.Error("two series are left")
		}
	}
	if n := len(eventsOf[events.TokenReused](a)); n != thefts {
		t.Errorf("%d events of theft", n-thefts)
	}
	if id := tabs[0].device("remember").ID; id == "" {
		t.Error("no series is left")
	}
	a.clock.advance(10 * time.Second)
	together(4, func(int) { // replayed
		res, err := c.only(rememberCookie).try(context.Background(), "GET", "/me", "", "")
		if err != nil || res.StatusCode != 401 {
			t.Errorf("a replay: %v %v", res, err)
		}
	})
	if n := len(eventsOf[events.TokenReused](a)); n != thefts+1 {
		t.Errorf("%d events of theft, want 1", n-thefts)
	}
	for _, tab := range tabs {
		tab.only(sessionCookie).get("/me").is401(t)
	}
	tabs[0].only(rememberCookie).get("/me").is401(t)
	c.post("/logout", nil).want(t, 204)
}

func TestBadRememberCookies(t *testing.T) { // M08, C04, S19, J10
	eachBackend(t, func(t *testing.T, b *backend) {
		b, f := b.faultyTokens()
		a, _ := accounts(t, b)
		alice, bob := a.remembered(aliceEmail).cookies[rememberCookie], a.remembered(bobEmail).cookies[rememberCookie]
		tokens := a.apiLogin(aliceEmail)
		personal := a.personal(a.loggedIn(aliceEmail), "*")
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
			"a refresh token":                        tokens.Refresh,
			"a refresh token under the prefix":       "grm_" + strings.TrimPrefix(tokens.Refresh, "grt_"),
			"an access token":                        tokens.Access,
			"a personal token":                       personal.Token,
			"Alice's with padding":                   alice + "=",
			"nobody's":                               mix(make([]byte, 64)),
			"the user's id":                          a.alice.AuthID(),
			"an injection":                           "grm_' OR 1=1 --",
			"one more character":                     alice + "A",
			"the cookie's own name before the value": rememberCookie + alice,
		}
		step := 1
		if testing.Short() || b.name != "memory" {
			step = 9
		}
		for i := 4; i < len(alice); i += step {
			flipped := []byte(alice)
			flipped[i] = map[bool]byte{true: 'B', false: 'A'}[flipped[i] == 'A']
			bad["flipped at "+string(rune('0'+i))] = string(flipped)
		}
		var first *response
		for name, value := range bad {
			before := f.count("find token")
			res := a.withRemember(value).get("/me")
			res.is401(t)
			if line := setCookie(t, res, rememberCookie); !strings.Contains(line, "Max-Age=0") || !strings.Contains(line, "; Secure") {
				t.Errorf("%s: %q", name, line)
			}
			if reads := f.count("find token") - before; reads > 1 {
				t.Errorf("%s: %d reads", name, reads)
			}
			if first == nil {
				first = res
			}
			same(t, name, first, res)
		}
		// None of it has ended anything.
		if n := len(eventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
		a.withRemember(alice).get("/me").want(t, 200)
		if name := a.withRemember(bob).get("/me").want(t, 200).name(t); name != "Bob" {
			t.Errorf("Bob's cookie is %q's", name)
		}
	})
}

func TestRememberCookieIsNothingElse(t *testing.T) { // S19, J10
	a, _ := accounts(t, memoryBackend(t))
	value := a.remembered(aliceEmail).cookies[rememberCookie]
	a.bearing(value).get("/any/me").is401(t)
	a.refresh(value).want(t, 401)
	a.refresh("grt_"+strings.TrimPrefix(value, "grm_")).want(t, 401)
	a.client().with(value).get("/me").is401(t)
	if err := a.m.Broker("web").Reset(t.Context(), ginauth.PasswordReset{
		Email: aliceEmail, Token: "gpr_" + strings.TrimPrefix(value, "grm_"), Password: nextPass,
	}); ginauth.StatusOf(err) != 422 {
		t.Errorf("reset by a remember-me cookie: %v", err)
	}
	a.withRemember(value).get("/me").want(t, 200)
	two := a.client()
	two.header.Set("Cookie", rememberCookie+"="+value+"; "+rememberCookie+"=grm_other")
	two.get("/me").is401(t)
}

func TestRememberCookieEnds(t *testing.T) { // M07, S17
	for name, end := range map[string]func(a *app){
		"stamp":    func(a *app) { a.newStamp(a.alice) },
		"disabled": func(a *app) { a.disable(a.alice) },
		"deleted":  func(a *app) { a.b.users.change(a.alice.AuthID(), func(u *models.User) { u.ID = 77 }) },
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				if name == "deleted" && b.name != "memory" {
					t.Skip("a row does not change its key")
				}
				a, _ := accounts(t, b)
				unused, used := a.remembered(aliceEmail), a.remembered(aliceEmail).only(rememberCookie)
				used.get("/me").want(t, 200)
				end(a)
				used.only(sessionCookie).get("/me").is401(t)
				for _, c := range []*client{unused, used} {
					res := c.only(rememberCookie).get("/me")
					res.is401(t)
					if name == "stamp" { // whoever changed it may have got another cookie
						if len(res.Header["Set-Cookie"]) > 0 {
							t.Errorf("at once: cookies %q", res.Header["Set-Cookie"])
						}
						a.clock.advance(10 * time.Second)
						res = c.only(rememberCookie).get("/me")
						res.is401(t)
					}
					if line := setCookie(t, res, rememberCookie); !strings.Contains(line, "Max-Age=0") {
						t.Errorf("cookie %q", line)
					}
				}
				if n := len(eventsOf[events.TokenReused](a)); n != 0 {
					t.Errorf("%d events of theft", n)
				}
			})
		})
	}
}

func TestLogoutForgetsTheDevice(t *testing.T) { // M07
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		other := a.remembered(aliceEmail)
		both, cookie, session := a.remembered(aliceEmail), a.remembered(aliceEmail), a.remembered(aliceEmail)
		cases := map[string]struct{ c, out *client }{
			"both cookies":           {both, both},
			"the cookie alone":       {cookie, cookie.only(rememberCookie)},
			"the session's id alone": {session, session.only(sessionCookie)},
		}
		for name, test := range cases {
			value := test.c.cookies[rememberCookie]
			res := test.out.post("/logout", nil).want(t, 204)
			if test.out.cookies[rememberCookie] != "" {
				t.Errorf("%s: the cookie stays: %q", name, res.Header["Set-Cookie"])
			}
			a.withRemember(value).get("/me").is401(t)
		}
		both.only(sessionCookie).get("/me").is401(t)
		other.only(rememberCookie).get("/me").want(t, 200)
		if n := len(eventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
	})
}

// A logout that could not forget the device has ended nothing that another try
// would need, also if the client no longer has the cookie that is to be forgotten.
func TestLogoutDuringAnOutage(t *testing.T) { // F04, M07
	eachBackend(t, func(t *testing.T, b *backend) {
		b, onTokens := b.faultyTokens()
		b, onOthers := b.faultyKeepingTokens()
		a, _ := accounts(t, b)
		type outage struct {
			f  *faults
			op string
		}
		ending := outage{onOthers, "delete"}
		if b.set.ClientSessions != nil {
			ending = outage{onTokens, "create token"} // where it is noted
		}
		for _, row := range []outage{{onTokens, "revoke family"}, ending} {
			for _, cookies := range [][]string{{sessionCookie}, {rememberCookie}, {sessionCookie, rememberCookie}} {
				c := a.remembered(aliceEmail)
				out := a.client()
				for _, name := range cookies {
					out.cookies[name] = c.cookies[name]
				}
				row.f.set(row.op, faultRefuse)
				res := out.post("/logout", nil)
				row.f.set("", faultNone)
				if cookies[0] == sessionCookie || row.op == "revoke family" { // else no session is there to end
					if res.want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
						t.Errorf("%s with %q: cookies %q", row.op, cookies, res.Header["Set-Cookie"])
					}
				}
				out.post("/logout", nil).want(t, 204)
				c.only(rememberCookie).get("/me").is401(t)
				if cookies[0] == sessionCookie {
					c.only(sessionCookie).get("/me").is401(t)
				}
			}
		}
		if n := len(eventsOf[events.Logout](a)); n != 4 {
			t.Errorf("%d logouts, want those of the four sessions", n)
		}
	})
}

// A request with an id that was replaced ends nothing at all.
func TestLogoutOfAReplacedSession(t *testing.T) { // M07
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c := a.remembered(aliceEmail)
		old := c.with(c.session())
		old.cookies[rememberCookie] = c.cookies[rememberCookie]
		c.confirm(goodPass).want(t, 204) // has another id, and the same cookie
		if res := old.post("/logout", nil).want(t, 409); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("cookies %q", res.Header["Set-Cookie"])
		}
		c.get("/me").want(t, 200)
		c.only(rememberCookie).get("/me").want(t, 200)
	})
}

func TestRememberOutage(t *testing.T) { // M10, F01
	eachBackend(t, func(t *testing.T, b *backend) {
		b, onTokens := b.faultyTokens()
		b, onOthers := b.faultyKeepingTokens()
		a, _ := accounts(t, b, func(c *ginauth.Config) { c.StoreTimeout = 200 * time.Millisecond })
		c := a.remembered(aliceEmail)
		for _, mode := range outages(b) {
			for _, row := range []struct {
				f      *faults
				op     string
				method string
				path   string
			}{
				{onTokens, "find token", "GET", "/me"}, {onTokens, "rotate", "GET", "/me"}, {onTokens, "rotated", "GET", "/me"},
				{onOthers, "create", "GET", "/me"}, {onOthers, "user by id", "GET", "/me"},
				{onTokens, "find token", "GET", "/via"}, {onTokens, "find token", "GET", "/guest"},
				{onTokens, "find token", "POST", "/logout"}, {onTokens, "revoke family", "POST", "/logout"},
				{onTokens, "create token", "POST", "/remember"},
			} {
				row.f.set(row.op, mode)
				body := ""
				if row.path == "/remember" {
					body = `{"email":"` + aliceEmail + `","password":"` + goodPass + `"}`
				}
				res := c.only(rememberCookie).do(row.method, row.path, "application/json", body).want(t, 503)
				if len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s %s: cookies %q", row.op, row.path, res.Header["Set-Cookie"])
				}
				row.f.set("", faultNone)
			}
			next := c.only(rememberCookie)
			next.get("/me").want(t, 200)
			// A session that a cookie began asks whether the cookie's series lives.
			onTokens.set("lives", mode)
			if res := next.only(sessionCookie).get("/me").want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("lives: cookies %q", res.Header["Set-Cookie"])
			}
			onTokens.set("", faultNone)
			next.only(sessionCookie).get("/me").want(t, 200)
			a.clock.advance(time.Hour)
			c = next
		}
		if n := len(eventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
	})
}

// faultyKeepingTokens is faulty, with the tokens as they are.
func (b *backend) faultyKeepingTokens() (*backend, *faults) {
	wrapped, f := b.faulty()
	wrapped.set.Tokens = b.set.Tokens
	return wrapped, f
}

// guards starts an application with three guards that keep logins in sessions:
// "web" and "admin" have the same users, "staff" has its own. Each logs its
// first user in.
func guards(t *testing.T) *app {
	staff := newMemoryUsers()
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "admin": {}, "staff": {Users: staff}}
	}, func(a *app, r *gin.Engine) {
		for _, guard := range []string{"web", "admin", "staff"} {
			r.GET("/in/"+guard, a.m.Auth(guard), me)
			r.POST("/in/"+guard, func(c *gin.Context) {
				res, err := ginauth.From(c).Guard(guard).LoginUsingID(c.Request.Context(), "1", ginauth.Remember())
				answer(c, res, err)
			})
			r.DELETE("/in/"+guard, func(c *gin.Context) {
				answer(c, nil, ginauth.From(c).Guard(guard).Logout(c.Request.Context()))
			})
		}
	})
	boss := &models.User{Name: "Boss", Email: aliceEmail, Password: "x"}
	if err := staff.CreateUser(t.Context(), boss); err != nil || boss.AuthID() != a.alice.AuthID() {
		t.Fatal(boss, err)
	}
	return a
}

func cookieOf(guard string) string { return sessionCookie + "_remember_" + guard }

func TestRememberCookieIsOfOneGuard(t *testing.T) { // S19
	a := guards(t)
	for _, from := range []string{"web", "admin", "staff"} {
		c := a.client()
		c.post("/in/"+from, nil).want(t, 204)
		for _, to := range []string{"web", "admin", "staff"} {
			other := a.client()
			other.cookies[cookieOf(to)] = c.cookies[cookieOf(from)]
			if from != to {
				other.get("/in/" + to).is401(t)
			}
		}
		c.only(cookieOf(from)).get("/in/"+from).want(t, 200)
	}
}

func TestRememberedByTwoGuards(t *testing.T) {
	a := guards(t)
	c := a.client()
	c.post("/in/web", nil).want(t, 204)
	c.post("/in/staff", nil).want(t, 204)
	back := a.client()
	back.cookies[cookieOf("web")], back.cookies[cookieOf("staff")] = c.cookies[cookieOf("web")], c.cookies[cookieOf("staff")]
	if name := back.get("/in/web").want(t, 200).name(t); name != "Alice" {
		t.Errorf("web: %q", name)
	}
	if name := back.get("/in/staff").want(t, 200).name(t); name != "Boss" {
		t.Errorf("staff: %q", name)
	}
	one := back.only(sessionCookie)
	one.get("/in/web").want(t, 200)
	one.get("/in/staff").want(t, 200)

	web := back.cookies[cookieOf("web")]
	back.do("DELETE", "/in/web", "", "").want(t, 204)
	back.get("/in/web").is401(t)
	back.get("/in/staff").want(t, 200)
	if back.cookies[cookieOf("staff")] == "" || back.cookies[cookieOf("web")] != "" {
		t.Errorf("cookies %v", back.cookies)
	}
	a.withCookie(cookieOf("web"), web).get("/in/web").is401(t)
	back.only(cookieOf("staff")).get("/in/staff").want(t, 200)
}

// withCookie returns a client that has this cookie, and no other.
func (a *app) withCookie(name, value string) *client {
	c := a.client()
	c.cookies[name] = value
	return c
}

func TestRememberAcrossKeys(t *testing.T) { // C09
	eachBackend(t, func(t *testing.T, b *backend) {
		next := ginauth.NewKey()
		first, _ := accounts(t, b)
		moved, stays := first.remembered(aliceEmail), first.remembered(aliceEmail)
		second := newSibling(first, func(c *ginauth.Config) { c.Key, c.PreviousKeys = next, []ginauth.Key{testKey} })
		c := second.withRemember(moved.cookies[rememberCookie])
		c.get("/me").want(t, 200)
		third := newSibling(first, func(cfg *ginauth.Config) { cfg.Key = next })
		third.withRemember(c.cookies[rememberCookie]).get("/me").want(t, 200)
		third.withRemember(stays.cookies[rememberCookie]).get("/me").is401(t)
	})
}
