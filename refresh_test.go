package ginauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestRefreshReuse(t *testing.T) { // R01
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		first, other := a.apiLogin(aliceEmail), a.apiLogin(aliceEmail)
		second := a.refresh(first.Refresh).pair(t)
		a.clock.advance(10 * time.Second)
		res := a.refresh(first.Refresh).want(t, 401)
		if !strings.Contains(res.body, `"invalid_token"`) {
			t.Errorf("body %s", res.body)
		}
		a.refresh(second.Refresh).want(t, 401)
		a.bearing(first.Access).get("/api/me").isBadToken(t)
		a.bearing(second.Access).get("/api/me").isBadToken(t)
		a.refresh(first.Refresh).want(t, 401)
		reused := eventsOf[events.TokenReused](a)
		if len(reused) != 1 || reused[0].UserID != a.alice.AuthID() || reused[0].Kind != "refresh" {
			t.Errorf("events %+v", reused)
		}
		a.bearing(other.Access).get("/api/me").want(t, 200) // another login
	})
}

func TestRefreshRetry(t *testing.T) { // R03
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		first := a.apiLogin(aliceEmail)
		second := a.refresh(first.Refresh).pair(t)
		a.clock.advance(10*time.Second - time.Millisecond)
		again := a.refresh(first.Refresh).pair(t)
		if again.Refresh != second.Refresh {
			t.Error("a retry gets another refresh token")
		}
		if again.Access == second.Access {
			t.Error("a retry gets the same access token")
		}
		a.bearing(again.Access).get("/api/me").want(t, 200)
		third := a.refresh(second.Refresh).pair(t)
		if len(eventsOf[events.TokenReused](a)) != 0 {
			t.Error("a retry is taken for theft")
		}
		// Whoever uses the successor has had the answer: the parent is replayed.
		a.refresh(first.Refresh).want(t, 401)
		a.refresh(third.Refresh).want(t, 401)
	})
}

func TestRefreshWithoutGrace(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) { c.Refresh.Grace = -1 }, tokenRoutes)
		first := a.apiLogin(aliceEmail)
		second := a.refresh(first.Refresh).pair(t)
		a.refresh(first.Refresh).want(t, 401)
		a.refresh(second.Refresh).want(t, 401)
	})
}

func TestRefreshRetryAcrossKeys(t *testing.T) { // EXP-24
	b := memoryBackend(t)
	a := newApp(t, b, nil, tokenRoutes)
	first := a.apiLogin(aliceEmail)
	second := a.refresh(first.Refresh).pair(t)
	rotated := newSibling(a, func(c *ginauth.Config) {
		c.Key, c.PreviousKeys = ginauth.NewKey(), []ginauth.Key{testKey}
	})
	if again := rotated.refresh(first.Refresh).pair(t); again.Refresh != second.Refresh {
		t.Error("a retry under a new application key gets another refresh token")
	}
	rotated.bearing(second.Access).get("/api/me").want(t, 200)
	third := rotated.refresh(second.Refresh).pair(t)
	dropped := newSibling(a, func(c *ginauth.Config) { c.Key = ginauth.NewKey() })
	dropped.bearing(third.Access).get("/api/me").isBadToken(t)
	dropped.refresh(third.Refresh).want(t, 401) // bound to the stamp under a key that is gone
}

// TestRefreshRace refreshes one token many times at once.
func TestRefreshRace(t *testing.T) { // EXP-01, R02
	n := 1000
	if !long() {
		n = 100
	}
	for name, grace := range map[string]time.Duration{"grace": 0, "no grace": -1} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				configure := func(c *ginauth.Config) { c.Refresh.Grace, c.StoreTimeout = grace, time.Minute }
				a := newApp(t, b, configure, tokenRoutes)
				apps := []*app{a, newSibling(a, configure)}
				for range rounds(50, 4) {
					raceRefresh(t, apps, n, grace == 0)
				}
			})
		})
	}
}

func raceRefresh(t *testing.T, apps []*app, n int, grace bool) {
	t.Helper()
	a := apps[0]
	first := a.apiLogin(aliceEmail)
	var mu sync.Mutex
	statuses, children := map[int]int{}, map[string]int{}
	together(n, func(i int) {
		res, err := apps[i%len(apps)].client().try(context.Background(), "POST", "/api/refresh", "application/json",
			fmt.Sprintf(`{"refresh_token":%q}`, first.Refresh))
		if err != nil {
			t.Error(err)
			return
		}
		var p pair
		_ = json.Unmarshal([]byte(res.body), &p)
		mu.Lock()
		defer mu.Unlock()
		statuses[res.StatusCode]++
		if res.StatusCode == 200 {
			children[p.Refresh]++
		}
	})
	if !grace {
		if statuses[200] != 1 || statuses[401] != n-1 {
			t.Fatalf("without a grace time: %v", statuses)
		}
		return
	}
	if statuses[200] != n || len(children) != 1 {
		t.Fatalf("%v, %d successors", statuses, len(children))
	}
	live, err := a.b.set.Tokens.TokensOf(context.Background(), "users:"+a.alice.AuthID(), stores.Refresh)
	if err != nil || len(live) != 1 {
		t.Fatalf("%d live tokens, error %v", len(live), err)
	}
	for child := range children {
		a.refresh(child).pair(t)
	}
	if err := a.m.RevokeTokens(context.Background(), "api", a.alice.AuthID()); err != nil {
		t.Fatal(err)
	}
}

// TestRevokeAgainstRefresh ends a login while it is refreshed.
func TestRevokeAgainstRefresh(t *testing.T) { // EXP-02, R04
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) { c.Throttle.InsecureDisable = true }, tokenRoutes)
		for range rounds(1000, 50) {
			p := a.apiLogin(aliceEmail)
			var mu sync.Mutex
			issued := []pair{p}
			together(4, func(i int) {
				if i == 0 {
					a.bearing(p.Access).post("/api/logout", nil).want(t, 204)
					return
				}
				res := a.refresh(p.Refresh)
				var next pair
				if res.StatusCode == 200 && json.Unmarshal([]byte(res.body), &next) == nil {
					mu.Lock()
					defer mu.Unlock()
					issued = append(issued, next)
				}
			})
			for _, p := range issued {
				a.bearing(p.Access).get("/api/me").isBadToken(t)
				a.refresh(p.Refresh).want(t, 401)
			}
		}
	})
}

func TestRefreshLifetimes(t *testing.T) { // R05
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		idle, busy := a.apiLogin(aliceEmail), a.apiLogin(aliceEmail)
		for day := range 30 {
			if day == 7 {
				a.refresh(idle.Refresh).want(t, 401)
			}
			if day > 0 {
				busy = a.refresh(busy.Refresh).pair(t)
			}
			a.clock.advance(24 * time.Hour)
		}
		a.refresh(busy.Refresh).want(t, 401)
		a.bearing(busy.Access).get("/api/me").is401(t)
	})
}

func TestRefreshInput(t *testing.T) { // R07
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		p := a.apiLogin(aliceEmail)
		for body, want := range map[string]int{
			`{"refresh_token":""}`: 401, `{"refresh_token":null}`: 401, `{}`: 401, `{"refresh_token":["x"]}`: 422, `{"refresh_token":1}`: 422,
			`{"refresh_token":"0123456789012345678901234567890123456789"}`:                401,
			fmt.Sprintf(`{"refresh_token":%q}`, p.Access):                                 401,
			fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh[:len(p.Refresh)-4]+"AAAA"):      401,
			fmt.Sprintf(`{"refresh_token":%q}`, strings.Repeat("A", 10<<10)):              401,
			fmt.Sprintf(`{"refresh_token":%q}`, "grt_"+strings.Repeat("A", 86)):           401,
			fmt.Sprintf(`{"refresh_token":%q}`, a.personal(a.loggedIn(aliceEmail)).Token): 401,
		} {
			if res := a.client().do("POST", "/api/refresh", "application/json", body); res.StatusCode != want {
				t.Errorf("%.60s: %d %s", body, res.StatusCode, res.body)
			}
		}
		// Another user's session or token beside it changes nothing.
		bob := a.loggedIn(bobEmail)
		bob.header.Set("Authorization", "Bearer "+a.apiLogin(bobEmail).Access)
		next := bob.post("/api/refresh", map[string]string{"refresh_token": p.Refresh}).pair(t)
		if name := a.bearing(next.Access).get("/api/me").want(t, 200).name(t); name != "Alice" {
			t.Errorf("the token is %s's", name)
		}
	})
}

// TestRefreshFaults cuts the store off at each step of a refresh.
func TestRefreshFaults(t *testing.T) { // R08, F01, F05, F09
	for _, op := range []string{"find token", "rotate", "rotated"} {
		for _, mode := range []fault{faultRefuse, faultHang, faultCorrupt} {
			t.Run(fmt.Sprint(op, " ", mode), func(t *testing.T) {
				eachBackend(t, func(t *testing.T, b *backend) {
					b, f := b.faultyTokens()
					a := newApp(t, b, nil, tokenRoutes)
					hasty := newSibling(a, func(c *ginauth.Config) { c.StoreTimeout = 100 * time.Millisecond })
					p := a.apiLogin(aliceEmail)
					f.set(op, mode)
					hasty.refresh(p.Refresh).want(t, 503)
					f.set("", faultNone)
					next := a.refresh(p.Refresh).pair(t) // whether or not it was stored
					a.bearing(next.Access).get("/api/me").want(t, 200)
					a.refresh(next.Refresh).pair(t)
					if len(eventsOf[events.TokenReused](a)) != 0 {
						t.Errorf("%s %d: a retry after an outage is taken for theft", op, mode)
					}
				})
			})
		}
	}
}

func TestRevocationOutage(t *testing.T) { // F01, F05
	for _, mode := range []fault{faultRefuse, faultHang, faultSlow, faultCorrupt} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				b, f := b.faultyTokens()
				a := newApp(t, b, nil, tokenRoutes)
				hasty := newSibling(a, func(c *ginauth.Config) { c.StoreTimeout = 100 * time.Millisecond })
				p := a.apiLogin(aliceEmail)
				token := a.personal(a.loggedIn(aliceEmail), "read").Token
				f.set("", mode)
				began := time.Now()
				for _, res := range []*response{
					hasty.bearing(p.Access).get("/api/me"), hasty.bearing(token).get("/token/me"),
					hasty.bearing(p.Access).post("/api/logout", nil), hasty.client().post("/api/login", loginForm{aliceEmail, goodPass}),
				} {
					res.want(t, 503)
					if res.Header.Get("Set-Cookie") != "" || res.Header.Get("Retry-After") == "" || strings.Contains(res.body, "CANARY") {
						t.Errorf("%v %s", res.Header, res.body)
					}
				}
				if took := time.Since(began); took > 4*600*time.Millisecond {
					t.Errorf("took %v", took)
				}
				f.set("", faultNone)
				a.bearing(p.Access).get("/api/me").want(t, 200)
				a.bearing(p.Access).post("/api/logout", nil).want(t, 204)
			})
		})
	}
}

func TestRevocationOutageIgnored(t *testing.T) { // F05
	b, f := memoryBackend(t).faultyTokens()
	a := newApp(t, b, func(c *ginauth.Config) { c.JWT.InsecureIgnoreRevocationOutage = true }, tokenRoutes)
	p := a.apiLogin(aliceEmail)
	f.set("lives", faultRefuse)
	a.bearing(p.Access).get("/api/me").want(t, 200)
	if !strings.Contains(a.logs.String(), "revocation could not be checked") {
		t.Error("the log does not say so")
	}
	found := false
	for _, finding := range a.m.Preflight(context.Background(), a.engine) {
		found = found || strings.Contains(finding.Subject, "InsecureIgnoreRevocationOutage")
	}
	if !found {
		t.Error("Preflight does not report it")
	}
}

func TestStaleTokenLogin(t *testing.T) { // EXP-09
	b := memoryBackend(t)
	a := newApp(t, b, nil, tokenRoutes)
	p := a.apiLogin(aliceEmail)
	b.users.change(a.alice.AuthID(), func(u *models.User) { u.SecurityStamp = "changed while the password was hashed" })
	a.bearing(p.Access).get("/api/me").isBadToken(t)
	a.refresh(p.Refresh).want(t, 401)
}

// TestTokenKinds presents every kind of token at every place that takes one.
func TestTokenKinds(t *testing.T) { // J10, S19
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) { tokenRoutes(a, r); formTokenRoute(a, r) })
		alice := a.loggedIn(aliceEmail)
		p := a.apiLogin(aliceEmail)
		own, err := a.m.JWT().Encode(ginauth.JWTSpec{Kind: "invitation", Subject: a.alice.AuthID(), Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]string{
			"access": p.Access, "refresh": p.Refresh, "personal": a.personal(alice, "read").Token, "session": alice.session(),
			"device": alice.cookies[sessionCookie+"_device"], "form": alice.get("/form-token").want(t, 200).body, "application": own, "none": "",
		}
		places := map[string]func(token string) bool{
			"access":   func(token string) bool { return a.bearing(token).get("/api/me").StatusCode == 200 },
			"refresh":  func(token string) bool { return a.refresh(token).StatusCode == 200 },
			"personal": func(token string) bool { return a.bearing(token).get("/token/me").StatusCode == 200 },
			"session":  func(token string) bool { return a.client().with(token).get("/me").StatusCode == 200 },
			"application": func(token string) bool {
				_, err := a.m.JWT().Decode(context.Background(), "invitation", token)
				return err == nil
			},
			"form": func(token string) bool {
				alice.header.Set("X-Form", token)
				return alice.get("/check-form-token").StatusCode == 204
			},
		}
		for kind, token := range kinds {
			if token == "" && kind != "none" {
				t.Errorf("no %s token to try", kind)
			}
			for place, accepts := range places {
				if got := accepts(token); got != (kind == place) {
					t.Errorf("a token of kind %s where %s is wanted: accepted %v", kind, place, got)
				}
			}
		}
	})
}

func formTokenRoute(_ *app, r *gin.Engine) {
	r.GET("/form-token", func(c *gin.Context) {
		token, err := ginauth.From(c).Session().Token()
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(200, token)
	})
	r.GET("/check-form-token", func(c *gin.Context) {
		c.Status(403)
		if ginauth.From(c).Session().ValidToken(c.GetHeader("X-Form")) {
			c.Status(204)
		}
	})
}

func TestRevokeByHolder(t *testing.T) { // J14, R06
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		p, ctx := a.apiLogin(aliceEmail), context.Background()
		personal := a.personal(a.loggedIn(aliceEmail), "read")
		for _, token := range []string{"", "x", "a.b.c", p.Refresh[:len(p.Refresh)-8] + "AAAAAAAA", strings.Repeat("A", 1<<20)} {
			if err := a.m.Revoke(ctx, token); ginauth.StatusOf(err) != 401 {
				t.Errorf("%.20q: %v", token, err)
			}
		}
		a.bearing(p.Access).get("/api/me").want(t, 200)
		for i, token := range []string{personal.Token, p.Access, p.Refresh} {
			if err := a.m.Revoke(ctx, token); err != nil {
				t.Errorf("token %d: %v", i, err)
			}
		}
		a.bearing(personal.Token).get("/token/me").isBadToken(t)
		a.bearing(p.Access).get("/api/me").isBadToken(t)
		a.refresh(p.Refresh).want(t, 401)
		if n := len(eventsOf[events.TokenRevoked](a)); n != 3 {
			t.Errorf("%d events", n)
		}
		if err := a.m.Revoke(ctx, p.Refresh); ginauth.StatusOf(err) != 401 {
			t.Errorf("again: %v", err)
		}
	})
}
