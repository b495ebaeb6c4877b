package ginauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestConfigOfSessionsInCookies(t *testing.T) {
	memory := memstore.New(memstore.Options{PruneEvery: -1})
	defer memory.Close()
	carrier := cookiestore.New()
	for name, row := range map[string]struct {
		set  stores.Set
		key  ginauth.Key
		says []string // of the error; none: it is accepted
	}{
		"complete":           {set: stores.Set{ClientSessions: carrier, Tokens: memory.Tokens, Limiter: memory.Limiter}, key: testKey},
		"all for a process":  {set: stores.Set{ClientSessions: carrier, Tokens: memory.Tokens, Limiter: memory.Limiter}},
		"carrier alone":      {stores.Set{ClientSessions: carrier}, testKey, []string{"Stores.Tokens: is missing: nothing else remembers", "Stores.Limiter"}},
		"both":               {stores.Set{Sessions: memory.Sessions, ClientSessions: carrier, Tokens: memory.Tokens, Limiter: memory.Limiter}, testKey, []string{"Stores.ClientSessions: is named beside"}},
		"neither":            {stores.Set{Tokens: memory.Tokens, Limiter: memory.Limiter}, testKey, []string{"Stores.Sessions: is missing"}},
		"key":                {stores.Set{ClientSessions: carrier, Tokens: elsewhereTokens{memory.Tokens}, Limiter: memory.Limiter}, "", []string{"Key: is empty"}},
		"both and no tokens": {stores.Set{Sessions: memory.Sessions, ClientSessions: carrier}, testKey, []string{"Stores.ClientSessions", "Stores.Tokens", "Stores.Limiter"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ginauth.New(ginauth.Config{Key: row.key, Stores: row.set})
			if err == nil {
				defer m.Close(context.Background())
			}
			if (err == nil) != (len(row.says) == 0) {
				t.Fatalf("error %v", err)
			}
			for _, want := range row.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

// elsewhereTokens are not in memory, for all New can tell.
type elsewhereTokens struct{ stores.Tokens }

func TestVerifyReportsForgetfulTokens(t *testing.T) {
	b := cookieBackend(t)
	findings := func(configure func(*ginauth.Config)) string {
		cfg := ginauth.Config{Key: testKey, Stores: b.set, Hashing: cheapHashing}
		configure(&cfg)
		m, err := ginauth.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(context.Background())
		return fmt.Sprint(m.Preflight(context.Background(), nil))
	}
	const subject = "Stores.Tokens: are in memory beside Stores.ClientSessions"
	if got := findings(func(*ginauth.Config) {}); !strings.Contains(got, subject) {
		t.Errorf("found %s", got)
	}
	for name, fine := range map[string]func(*ginauth.Config){
		"no key":           func(c *ginauth.Config) { c.Key = "" }, // the sessions end with the process too
		"tokens elsewhere": func(c *ginauth.Config) { c.Stores.Tokens = elsewhereTokens{b.set.Tokens} },
		"rows": func(c *ginauth.Config) {
			c.Stores.Sessions, c.Stores.ClientSessions = memoryBackend(t).set.Sessions, nil
		},
	} {
		if got := findings(fine); strings.Contains(got, subject) {
			t.Errorf("%s: found %s", name, got)
		}
	}
}

func TestSessionTooLargeForItsCookie(t *testing.T) { // C05
	var answered error
	b := cookieBackend(t)
	b.set.ClientSessions = roomyCarrier{b.set.ClientSessions}
	a := newApp(t, b, func(c *ginauth.Config) {
		c.ErrorHandler = func(_ *gin.Context, _ int, err error) bool { answered = err; return false }
	}, func(_ *app, r *gin.Engine) {
		fill := func(c *gin.Context) {
			if err := ginauth.From(c).Session().Put("big", strings.Repeat("x", 4000)); err != nil {
				t.Error(err)
			}
			c.Header("X-Handler", "1")
		}
		r.POST("/overflow", fill, func(c *gin.Context) { c.String(200, "saved") })
		r.POST("/login-overflow", fill, login)
	})
	c := a.client()
	c.post("/set?k=a&v=b", nil).want(t, 204)
	before := c.session()
	for _, path := range []string{"/overflow", "/login-overflow"} {
		for _, c := range []*client{c, a.client()} {
			answered = nil
			had := c.session()
			res := c.post(path, loginForm{aliceEmail, goodPass}).want(t, 500)
			if len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("X-Handler") != "" || strings.Contains(res.body, "saved") || strings.Contains(res.body, "Alice") {
				t.Errorf("%s: %v %s", path, res.Header, res.body)
			}
			if !errors.Is(answered, ginauth.ErrSessionTooLarge) || errors.Is(answered, ginauth.ErrUnavailable) || c.session() != had {
				t.Errorf("%s: %v", path, answered)
			}
		}
	}
	if logs := a.logs.String(); !strings.Contains(logs, "bytes with its name, at most 4096 are allowed") {
		t.Errorf("the log does not name the size: %s", logs)
	}
	if len(eventsOf[loginEvent](a)) > 0 {
		t.Error("a login that was not stored is told of")
	}
	if got := a.client().with(before).get("/all").body; got != `{"a":"b"}` {
		t.Errorf("the session before holds %s", got)
	}
	c.login(aliceEmail, goodPass).want(t, 200)
	c.get("/me").want(t, 200)
}

// roomyCarrier promises more room than there is, so that what does not fit is
// found when it is sealed.
type roomyCarrier struct{ stores.ClientSessions }

func (roomyCarrier) Room(string) int { return 1 << 20 }

func TestFullCookieIsRefusedWhereItIsFilled(t *testing.T) { // C05
	var err error
	a := newApp(t, cookieBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.POST("/fill", func(c *gin.Context) {
			if err = ginauth.From(c).Session().Put("big", strings.Repeat("x", 4000)); err != nil {
				ginauth.Abort(c, err)
			}
		})
	})
	c := a.client()
	if c.post("/fill", nil).want(t, 422); !errors.Is(err, ginauth.ErrInvalidInput) || !strings.Contains(err.Error(), `"big"`) || len(c.cookies) > 0 {
		t.Fatalf("err %v, cookies %v", err, c.cookies)
	}
}

func TestLoginThatDoesNotFitIsNotDropped(t *testing.T) { // C05
	b := cookieBackend(t)
	p := plainUsers{newMemoryUsers(), &plainUser{id: strings.Repeat("7", 3000)}}
	a := newApp(t, b, func(c *ginauth.Config) { c.Users = p }, nil)
	p.user.hash, _ = a.m.Hasher().Hash(context.Background(), goodPass)
	res := a.client().login("x@example.com", goodPass).want(t, 500)
	if len(res.Header["Set-Cookie"]) > 0 || strings.Contains(res.body, "777") {
		t.Errorf("%v %s", res.Header, res.body)
	}
}

func TestFullCookieStillLogsIn(t *testing.T) { // C05
	a := newApp(t, cookieBackend(t), nil, nil)
	c := a.client()
	n, status := 0, 204
	for ; status == 204; n++ {
		status = c.post(fmt.Sprintf("/set?k=k%d&v=%s", n, strings.Repeat("v", 100)), nil).StatusCode
	}
	if status != 422 || n < 15 {
		t.Fatalf("status %d after %d values", status, n)
	}
	res := c.login(aliceEmail, goodPass).want(t, 200)
	if line, _, _ := strings.Cut(setCookie(t, res, sessionCookie), ";"); len(line) > 4097 { // with the equals sign
		t.Errorf("%d bytes", len(line))
	}
	c.get("/me").want(t, 200)
}

// sealedSession seals a session as the application under test does.
func sealedSession(t *testing.T, name string, key ginauth.Key, purpose string, s stores.Session) string {
	t.Helper()
	raw, err := keys.Parse(string(key))
	if err != nil {
		t.Fatal(err)
	}
	text, err := cookiestore.New().Seal(seal.New(keys.NewRing(raw).Derive(purpose)), name, s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestForgedCookieSessions(t *testing.T) { // S13, S14, S19
	a := newApp(t, cookieBackend(t), nil, nil)
	now := a.clock.Now()
	session := func(login []byte) stores.Session {
		return stores.Session{
			Row: strings.Repeat("ab", 16), Created: now, LastSeen: now, Expires: now.Add(time.Hour),
			Values: stores.NewValues(map[string][]byte{"_ginauth.login.web": login, "k": []byte("sv")}),
		}
	}
	c := a.client().with(sealedSession(t, sessionCookie, testKey, "session cookie", session(nil)))
	if c.get("/all").body == "{}" {
		t.Fatal("this test does not seal as the manager does")
	}
	for name, login := range map[string][]byte{
		"json": []byte(`{"id":{"a":1}}`), "no id": loginRecord(""), "0": loginRecord("0"), "1=1": loginRecord("1=1"),
		"or": loginRecord("1 OR 1=1"), "other fingerprint": loginRecord("1"), "nothing": nil,
	} {
		res := a.client().with(sealedSession(t, sessionCookie, testKey, "session cookie", session(login))).get("/me")
		if (res.StatusCode != 401 && res.StatusCode != 503) || strings.Contains(res.body, "Alice") {
			t.Errorf("%s: status %d: %s", name, res.StatusCode, res.body)
		}
	}
	for name, text := range map[string]string{
		"other cookie":  sealedSession(t, "__Host-other", testKey, "session cookie", session(nil)),
		"other purpose": sealedSession(t, sessionCookie, testKey, "known device", session(nil)),
		"other key":     sealedSession(t, sessionCookie, ginauth.NewKey(), "session cookie", session(nil)),
	} {
		res := a.client().with(text).get("/all")
		if res.body != "{}" || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %s %v", name, res.body, res.Header)
		}
	}
	alice := a.loggedIn(aliceEmail)
	swapped := a.client().with(alice.cookies[sessionCookie+"_device"])
	swapped.cookies[sessionCookie+"_device"] = alice.session()
	swapped.get("/me").is401(t)
	swapped.login(aliceEmail, goodPass).want(t, 200)
}

func TestCookieSessionsOfTwoNames(t *testing.T) { // S19
	b := cookieBackend(t)
	first := newApp(t, b, nil, nil)
	second := newSibling(first, func(c *ginauth.Config) { c.Session.Cookie.Name = "__Host-second" })
	alice := first.loggedIn(aliceEmail)
	c := second.client()
	c.cookies["__Host-second"] = alice.session()
	c.get("/me").is401(t)
	c.cookies["__Host-second"] = second.loggedIn(bobEmail).cookies["__Host-second"]
	c.get("/me").want(t, 200)
}

func TestCookieSessionsAreReissuedUnderANewKey(t *testing.T) { // C09
	b := cookieBackend(t)
	first := newApp(t, b, nil, nil)
	guest := first.client()
	guest.post("/set?k=cart&v=book", nil).want(t, 204)
	newKey := ginauth.NewKey()
	second := newSibling(first, func(c *ginauth.Config) { c.Key, c.PreviousKeys = newKey, []ginauth.Key{testKey} })
	moved := second.client().with(guest.session())
	if moved.get("/all").want(t, 200); moved.session() == guest.session() {
		t.Fatal("the cookie was not sealed anew")
	}
	again := moved.session()
	if moved.get("/all").want(t, 200); moved.session() != again {
		t.Error("a cookie under the current key was sealed anew")
	}
	third := newSibling(first, func(c *ginauth.Config) { c.Key = newKey })
	if got := third.client().with(moved.session()).get("/all").body; got != `{"cart":"book"}` {
		t.Errorf("under the new key the session holds %s", got)
	}
	if got := third.client().with(guest.session()).get("/all").body; got != "{}" {
		t.Errorf("under the dropped key the session holds %s", got)
	}
}

func TestCookieSessionsAcrossProcesses(t *testing.T) { // S04
	eachNotes(t, func(t *testing.T, b *backend) {
		first := newApp(t, b, nil, nil)
		second := newSibling(first, func(*ginauth.Config) {})
		c := first.loggedIn(aliceEmail)
		other := second.client().with(c.session())
		other.get("/me").want(t, 200)
		old := c.session()
		c.login(aliceEmail, goodPass).want(t, 200) // a new id ends the old one everywhere
		second.client().with(old).get("/me").is401(t)
		other = second.client().with(c.session())
		other.get("/me").want(t, 200)
		other.post("/logout", nil).want(t, 204)
		c.get("/me").is401(t)
	})
}

func TestEndedCookieSessionsAreRemembered(t *testing.T) {
	b := sqliteBackend(t)
	db := b.db
	b.set.Sessions, b.set.ClientSessions = nil, cookiestore.New()
	a := newApp(t, b, func(c *ginauth.Config) { c.Session.AbsoluteTimeout = 24 * time.Hour }, nil)
	for name, row := range map[string]struct {
		client *client
		until  time.Duration // from now: what could open the cookie, and an hour
	}{
		"user":  {a.loggedIn(aliceEmail), 25 * time.Hour},
		"guest": {a.client(), 3 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			db.Where("1 = 1").Delete(&models.Token{})
			row.client.post("/set?k=a&v=b", nil).want(t, 204)
			old := row.client.session()
			row.client.post("/logout", nil).want(t, 204)
			var notes []models.Token
			if err := db.Find(&notes).Error; err != nil || len(notes) != 1 {
				t.Fatalf("%d notes, %v", len(notes), err)
			}
			until := time.UnixMicro(notes[0].Expires)
			if notes[0].Kind != string(stores.Revoked) || notes[0].Owner != "" || !until.Equal(a.clock.Now().Add(row.until)) {
				t.Errorf("note %+v until %v", notes[0], until)
			}
			if _, err := b.set.Tokens.(stores.Pruner).Prune(context.Background(), until.Add(-time.Second)); err != nil {
				t.Fatal(err)
			}
			if got := a.client().with(old).get("/all").body; got != "{}" {
				t.Errorf("the ended session holds %s", got)
			}
		})
	}
}

func TestOutageWhenACookieSessionIsStored(t *testing.T) { // F01, F03, F08
	b, f := cookieBackend(t).faulty()
	a := newApp(t, b, nil, nil)
	c := a.loggedIn(aliceEmail)
	cookie := c.session()
	a.clock.advance(2 * time.Minute)
	for _, request := range []string{"POST /set?k=a&v=b", "GET /me"} { // a change, and a touch
		f.set("update", faultRefuse)
		method, path, _ := strings.Cut(request, " ")
		res := c.do(method, path, "", "").want(t, 503)
		if len(res.Header["Set-Cookie"]) > 0 || c.session() != cookie || strings.Contains(res.body, "Alice") {
			t.Errorf("%s: %v %s", request, res.Header, res.body)
		}
	}
	for _, path := range []string{"/login", "/logout"} { // ending the id before
		f.set("delete", faultRefuse)
		if res := c.post(path, loginForm{aliceEmail, goodPass}).want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	f.set("create", faultRefuse)
	c.post("/login", loginForm{aliceEmail, goodPass}).want(t, 503)
	f.set("", faultNone)
	c.get("/me").want(t, 200)
}

func TestUntouchedCookieSessionCostsNothing(t *testing.T) {
	b, f := cookieBackend(t).faulty()
	a := newApp(t, b, nil, nil)
	c := a.loggedIn(aliceEmail)
	asked := func(request string) (finds, seals int) {
		t.Helper()
		finds, seals = f.count("load"), f.count("create")
		method, path, _ := strings.Cut(request, " ")
		c.do(method, path, "", "")
		return f.count("load") - finds, f.count("create") - seals
	}
	for _, row := range []struct {
		request      string
		wait         time.Duration
		finds, seals int
	}{
		{"GET /", 0, 0, 0}, {"GET /me", 0, 1, 0}, {"GET /me", 0, 1, 0}, {"GET /me", time.Minute, 2, 1}, {"GET /me", 0, 1, 0}, {"POST /set?k=a&v=b", 0, 2, 1},
	} {
		a.clock.advance(row.wait)
		if finds, seals := asked(row.request); finds != row.finds || seals != row.seals {
			t.Errorf("%s after %v: asked %d times, sealed %d times", row.request, row.wait, finds, seals)
		}
	}
}

func TestCookieSessionsOutsideRequests(t *testing.T) {
	var name string
	a := newApp(t, cookieBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.GET("/id", func(c *gin.Context) { name = ginauth.From(c).Session().ID(); c.Status(200) })
		r.POST("/renew", func(c *gin.Context) {
			s := ginauth.From(c).Session()
			if err := s.Regenerate(); err != nil {
				t.Error(err)
			}
			name = s.ID()
		})
	})
	ctx := context.Background()
	c := a.loggedIn(aliceEmail)
	c.post("/set?k=a&v=b", nil).want(t, 204)
	c.post("/renew", nil).want(t, 200)
	renewed := name
	c.get("/id").want(t, 200)
	if name != renewed || name == "" || strings.Contains(c.session(), name) {
		t.Errorf("name %q, announced as %q", name, renewed)
	}
	if _, err := a.m.Session(ctx, name); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ginauth.ErrUnavailable) {
		t.Errorf("by its name: %v", err)
	}
	for _, id := range []string{"", "x", strings.Repeat("a", 5000), base64.RawURLEncoding.EncodeToString(make([]byte, 48))} {
		if _, err := a.m.Session(ctx, id); !errors.Is(err, ginauth.ErrSessionEnded) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	s, err := a.m.Session(ctx, c.session())
	if err != nil || s.Get("a") != "b" {
		t.Fatalf("by its cookie: %v", err)
	}
	if err := s.Save(ctx); err != nil {
		t.Errorf("saving no change: %v", err)
	}
	s, _ = a.m.Session(ctx, c.session())
	if err := s.Put("x", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("saving a change: %v", err)
	}
	s, _ = a.m.Session(ctx, c.session())
	if err := s.Invalidate(); err != nil {
		t.Fatal(err)
	}
	c.get("/me").is401(t)
}

func TestHijackWithASessionInItsCookie(t *testing.T) {
	var hijackErr error
	a := newApp(t, cookieBackend(t), nil, func(_ *app, r *gin.Engine) {
		hijack := func(c *gin.Context) {
			var conn net.Conn
			if conn, _, hijackErr = c.Writer.Hijack(); hijackErr != nil {
				c.Status(500)
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"))
			_ = conn.Close()
		}
		r.GET("/read", func(c *gin.Context) { ginauth.From(c).Session().Has("k") }, hijack)
		r.GET("/write", put, hijack)
	})
	c := a.client()
	c.post("/set?k=a&v=b", nil).want(t, 204)
	if got := c.get("/read").want(t, 200).body; got != "hi" {
		t.Errorf("body %q", got)
	}
	if c.get("/write").want(t, 500); hijackErr == nil {
		t.Error("a change that nothing can carry was accepted")
	}
}

func TestFormTokenOfACookieSession(t *testing.T) {
	a := newApp(t, cookieBackend(t), nil, func(_ *app, r *gin.Engine) {
		r.GET("/token", func(c *gin.Context) { token, _ := ginauth.From(c).Session().Token(); c.String(200, token) })
	})
	c := a.client()
	token := c.get("/token").body
	c.post("/set?k=a&v=b", nil).want(t, 204)
	a.clock.advance(2 * time.Minute)
	if c.get("/token").body != token {
		t.Error("sealing the session anew changed its form token")
	}
}
