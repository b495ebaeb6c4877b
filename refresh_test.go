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
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestRefreshReuse(t *testing.T) { // R01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		first, other := a.IssueTokens(testapp.Alice), a.IssueTokens(testapp.Alice)
		second := a.Refresh(first.RefreshToken).Tokens(t)
		a.Clock.Advance(10 * time.Second)
		res := a.Refresh(first.RefreshToken).Want(t, 401)
		if !strings.Contains(res.Text, `"invalid_token"`) {
			t.Errorf("body %s", res.Text)
		}
		a.Refresh(second.RefreshToken).Want(t, 401)
		a.Bearer(first.AccessToken).Get("/api/me").WantBadToken(t)
		a.Bearer(second.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(first.RefreshToken).Want(t, 401)
		reused := testapp.EventsOf[events.TokenReused](a)
		if len(reused) != 1 || reused[0].UserID != a.Alice.AuthID() || reused[0].Kind != "refresh" {
			t.Errorf("events %+v", reused)
		}
		a.Bearer(other.AccessToken).Get("/api/me").Want(t, 200) // another login
	})
}

func TestRefreshRetry(t *testing.T) { // R03
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		first := a.IssueTokens(testapp.Alice)
		second := a.Refresh(first.RefreshToken).Tokens(t)
		a.Clock.Advance(10*time.Second - time.Millisecond)
		again := a.Refresh(first.RefreshToken).Tokens(t)
		if again.RefreshToken != second.RefreshToken {
			t.Error("a retry gets another refresh token")
		}
		if again.AccessToken == second.AccessToken {
			t.Error("a retry gets the same access token")
		}
		a.Bearer(again.AccessToken).Get("/api/me").Want(t, 200)
		third := a.Refresh(second.RefreshToken).Tokens(t)
		if len(testapp.EventsOf[events.TokenReused](a)) != 0 {
			t.Error("a retry is taken for theft")
		}
		// Whoever uses the successor has had the answer: the parent is replayed.
		a.Refresh(first.RefreshToken).Want(t, 401)
		a.Refresh(third.RefreshToken).Want(t, 401)
	})
}

func TestRefreshWithoutGrace(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Refresh.Grace = -1 }))
		first := a.IssueTokens(testapp.Alice)
		second := a.Refresh(first.RefreshToken).Tokens(t)
		a.Refresh(first.RefreshToken).Want(t, 401)
		a.Refresh(second.RefreshToken).Want(t, 401)
	})
}

func TestRefreshRetryAcrossKeys(t *testing.T) { // EXP-24
	b := testapp.Memory(t)
	a := testapp.New(t, b)
	first := a.IssueTokens(testapp.Alice)
	second := a.Refresh(first.RefreshToken).Tokens(t)
	rotated := a.Sibling(func(c *ginauth.Config) {
		c.Key, c.PreviousKeys = ginauth.NewKey(), []ginauth.Key{testapp.Key}
	})
	if again := rotated.Refresh(first.RefreshToken).Tokens(t); again.RefreshToken != second.RefreshToken {
		t.Error("a retry under a new application key gets another refresh token")
	}
	rotated.Bearer(second.AccessToken).Get("/api/me").Want(t, 200)
	third := rotated.Refresh(second.RefreshToken).Tokens(t)
	dropped := a.Sibling(func(c *ginauth.Config) { c.Key = ginauth.NewKey() })
	dropped.Bearer(third.AccessToken).Get("/api/me").WantBadToken(t)
	dropped.Refresh(third.RefreshToken).Want(t, 401) // bound to the stamp under a key that is gone
}

// TestRefreshRace refreshes one token many times at once.
func TestRefreshRace(t *testing.T) { // EXP-01, R02
	n := 1000
	if !testsize.Full() {
		n = 100
	}
	for name, grace := range map[string]time.Duration{"grace": 0, "no grace": -1} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				configure := func(c *ginauth.Config) { c.Refresh.Grace, c.StoreTimeout = grace, time.Minute }
				a := testapp.New(t, b, testapp.Configure(configure))
				apps := []*testapp.App{a, a.Sibling(configure)}
				for range testsize.Rounds(50, 4) {
					raceRefresh(t, apps, n, grace == 0)
				}
			})
		})
	}
}

func raceRefresh(t *testing.T, apps []*testapp.App, n int, grace bool) {
	t.Helper()
	a := apps[0]
	first := a.IssueTokens(testapp.Alice)
	var mu sync.Mutex
	statuses, children := map[int]int{}, map[string]int{}
	testapp.Race(n, func(i int) {
		res, err := apps[i%len(apps)].Client().Try(context.Background(), "POST", "/api/refresh", "application/json",
			fmt.Sprintf(`{"refresh_token":%q}`, first.RefreshToken))
		if err != nil {
			t.Error(err)
			return
		}
		var p ginauth.TokenPair
		_ = json.Unmarshal([]byte(res.Text), &p)
		mu.Lock()
		defer mu.Unlock()
		statuses[res.StatusCode]++
		if res.StatusCode == 200 {
			children[p.RefreshToken]++
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
	live, err := a.Backend.Set.Tokens.TokensOf(context.Background(), "users:"+a.Alice.AuthID(), stores.Refresh)
	if err != nil || len(live) != 1 {
		t.Fatalf("%d live tokens, error %v", len(live), err)
	}
	for child := range children {
		a.Refresh(child).Tokens(t)
	}
	if err := a.RevokeTokens(context.Background(), "api", a.Alice.AuthID()); err != nil {
		t.Fatal(err)
	}
}

// TestRevokeAgainstRefresh ends a login while it is refreshed.
func TestRevokeAgainstRefresh(t *testing.T) { // EXP-02, R04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		for range testsize.Rounds(1000, 50) {
			p := a.IssueTokens(testapp.Alice)
			var mu sync.Mutex
			issued := []ginauth.TokenPair{p}
			testapp.Race(4, func(i int) {
				if i == 0 {
					a.Bearer(p.AccessToken).Post("/api/logout", nil).Want(t, 204)
					return
				}
				res := a.Refresh(p.RefreshToken)
				var next ginauth.TokenPair
				if res.StatusCode == 200 && json.Unmarshal([]byte(res.Text), &next) == nil {
					mu.Lock()
					defer mu.Unlock()
					issued = append(issued, next)
				}
			})
			for _, p := range issued {
				a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
				a.Refresh(p.RefreshToken).Want(t, 401)
			}
		}
	})
}

func TestRefreshLifetimes(t *testing.T) { // R05
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		idle, busy := a.IssueTokens(testapp.Alice), a.IssueTokens(testapp.Alice)
		for day := range 30 {
			if day == 7 {
				a.Refresh(idle.RefreshToken).Want(t, 401)
			}
			if day > 0 {
				busy = a.Refresh(busy.RefreshToken).Tokens(t)
			}
			a.Clock.Advance(24 * time.Hour)
		}
		a.Refresh(busy.RefreshToken).Want(t, 401)
		a.Bearer(busy.AccessToken).Get("/api/me").Want401(t)
	})
}

func TestRefreshInput(t *testing.T) { // R07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		p := a.IssueTokens(testapp.Alice)
		for body, want := range map[string]int{
			`{"refresh_token":""}`: 401, `{"refresh_token":null}`: 401, `{}`: 401, `{"refresh_token":["x"]}`: 422, `{"refresh_token":1}`: 422,
			`{"refresh_token":"0123456789012345678901234567890123456789"}`:                     401,
			fmt.Sprintf(`{"refresh_token":%q}`, p.AccessToken):                                 401,
			fmt.Sprintf(`{"refresh_token":%q}`, p.RefreshToken[:len(p.RefreshToken)-4]+"AAAA"): 401,
			fmt.Sprintf(`{"refresh_token":%q}`, strings.Repeat("A", 10<<10)):                   401,
			fmt.Sprintf(`{"refresh_token":%q}`, "grt_"+strings.Repeat("A", 86)):                401,
			fmt.Sprintf(`{"refresh_token":%q}`, a.LoggedIn(testapp.Alice).Personal().Text):     401,
		} {
			if res := a.Client().Do("POST", "/api/refresh", "application/json", body); res.StatusCode != want {
				t.Errorf("%.60s: %d %s", body, res.StatusCode, res.Text)
			}
		}
		// Another user's session or token beside it changes nothing.
		bob := a.LoggedIn(testapp.Bob)
		bob.Header.Set("Authorization", "Bearer "+a.IssueTokens(testapp.Bob).AccessToken)
		next := bob.Post("/api/refresh", map[string]string{"refresh_token": p.RefreshToken}).Tokens(t)
		if name := a.Bearer(next.AccessToken).Get("/api/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("the token is %s's", name)
		}
	})
}

// TestRefreshFaults cuts the store off at each step of a refresh.
func TestRefreshFaults(t *testing.T) { // R08, F01, F05, F09
	for _, op := range []testapp.Op{testapp.FindToken, testapp.RotateToken, testapp.RotatedToken} {
		for _, mode := range []testapp.Fault{testapp.Refuse, testapp.Hang, testapp.Corrupt} {
			t.Run(fmt.Sprint(op, " ", mode), func(t *testing.T) {
				testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
					b, f := b.Faulty()
					a := testapp.New(t, b)
					hasty := a.Sibling(func(c *ginauth.Config) { c.StoreTimeout = 100 * time.Millisecond })
					p := a.IssueTokens(testapp.Alice)
					f.Set(mode, op)
					hasty.Refresh(p.RefreshToken).Want(t, 503)
					f.Clear()
					next := a.Refresh(p.RefreshToken).Tokens(t) // whether or not it was stored
					a.Bearer(next.AccessToken).Get("/api/me").Want(t, 200)
					a.Refresh(next.RefreshToken).Tokens(t)
					if len(testapp.EventsOf[events.TokenReused](a)) != 0 {
						t.Errorf("%s, %s: a retry after an outage is taken for theft", op, mode)
					}
				})
			})
		}
	}
}

func TestRevocationOutage(t *testing.T) { // F01, F05
	for _, mode := range []testapp.Fault{testapp.Refuse, testapp.Hang, testapp.Slow, testapp.Corrupt} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				b, f := b.Faulty()
				a := testapp.New(t, b)
				hasty := a.Sibling(func(c *ginauth.Config) { c.StoreTimeout = 100 * time.Millisecond })
				p := a.IssueTokens(testapp.Alice)
				token := a.LoggedIn(testapp.Alice).Personal("read").Text
				f.Set(mode, testapp.TokenOps()...)
				began := time.Now()
				for _, res := range []*testapp.Response{
					hasty.Bearer(p.AccessToken).Get("/api/me"), hasty.Bearer(token).Get("/token/me"),
					hasty.Bearer(p.AccessToken).Post("/api/logout", nil), hasty.Client().Post("/api/login", testapp.Credentials(testapp.Alice, testapp.Password)),
				} {
					res.Want(t, 503)
					if res.Header.Get("Set-Cookie") != "" || res.Header.Get("Retry-After") == "" || strings.Contains(res.Text, "CANARY") {
						t.Errorf("%v %s", res.Header, res.Text)
					}
				}
				if took := time.Since(began); took > 4*600*time.Millisecond {
					t.Errorf("took %v", took)
				}
				f.Clear()
				a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
				a.Bearer(p.AccessToken).Post("/api/logout", nil).Want(t, 204)
			})
		})
	}
}

func TestRevocationOutageIgnored(t *testing.T) { // F05
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.JWT.InsecureIgnoreRevocationOutage = true }))
	p := a.IssueTokens(testapp.Alice)
	f.Set(testapp.Refuse, testapp.Lives)
	a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
	if !strings.Contains(a.Logs.String(), "revocation could not be checked") {
		t.Error("the log does not say so")
	}
	found := false
	for _, finding := range a.Preflight(context.Background(), a.Engine) {
		found = found || strings.Contains(finding.Subject, "InsecureIgnoreRevocationOutage")
	}
	if !found {
		t.Error("Preflight does not report it")
	}
}

func TestStaleTokenLogin(t *testing.T) { // EXP-09
	b := testapp.Memory(t)
	a := testapp.New(t, b)
	p := a.IssueTokens(testapp.Alice)
	b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "changed while the password was hashed" })
	a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
	a.Refresh(p.RefreshToken).Want(t, 401)
}

// TestTokenKinds presents every kind of token at every place that takes one.
func TestTokenKinds(t *testing.T) { // J10, S19
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET(testapp.FormTokenPath, testapp.FormToken)
			r.GET("/check-form-token", func(c *gin.Context) {
				c.Status(403)
				if ginauth.From(c).Session().ValidToken(c.GetHeader("X-Form")) {
					c.Status(204)
				}
			})
		}))
		alice := a.LoggedIn(testapp.Alice)
		p := a.IssueTokens(testapp.Alice)
		own, err := a.JWT().Encode(ginauth.JWTSpec{Kind: "invitation", Subject: a.Alice.AuthID(), Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]string{
			"access": p.AccessToken, "refresh": p.RefreshToken, "personal": alice.Personal("read").Text, "session": alice.Session(),
			"device": alice.Cookies[testapp.SessionCookie+"_device"], "form": alice.Get(testapp.FormTokenPath).Want(t, 200).Text, "application": own, "none": "",
		}
		places := map[string]func(token string) bool{
			"access":   func(token string) bool { return a.Bearer(token).Get("/api/me").StatusCode == 200 },
			"refresh":  func(token string) bool { return a.Refresh(token).StatusCode == 200 },
			"personal": func(token string) bool { return a.Bearer(token).Get("/token/me").StatusCode == 200 },
			"session":  func(token string) bool { return a.Client().With(token).Get("/me").StatusCode == 200 },
			"application": func(token string) bool {
				_, err := a.JWT().Decode(context.Background(), "invitation", token)
				return err == nil
			},
			"form": func(token string) bool {
				alice.Header.Set("X-Form", token)
				return alice.Get("/check-form-token").StatusCode == 204
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

func TestRevokeByHolder(t *testing.T) { // J14, R06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		p, ctx := a.IssueTokens(testapp.Alice), context.Background()
		personal := a.LoggedIn(testapp.Alice).Personal("read")
		for _, token := range []string{"", "x", "a.b.c", p.RefreshToken[:len(p.RefreshToken)-8] + "AAAAAAAA", strings.Repeat("A", 1<<20)} {
			if err := a.Revoke(ctx, token); ginauth.StatusOf(err) != 401 {
				t.Errorf("%.20q: %v", token, err)
			}
		}
		a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
		for i, token := range []string{personal.Text, p.AccessToken, p.RefreshToken} {
			if err := a.Revoke(ctx, token); err != nil {
				t.Errorf("token %d: %v", i, err)
			}
		}
		a.Bearer(personal.Text).Get("/token/me").WantBadToken(t)
		a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(p.RefreshToken).Want(t, 401)
		if n := len(testapp.EventsOf[events.TokenRevoked](a)); n != 3 {
			t.Errorf("%d events", n)
		}
		if err := a.Revoke(ctx, p.RefreshToken); ginauth.StatusOf(err) != 401 {
			t.Errorf("again: %v", err)
		}
	})
}
