package experiments_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// boundedTokens starts an application in which a user may have that many families of each kind.
func boundedTokens(t *testing.T, b *testapp.Backend, limit int) *testapp.App {
	t.Helper()
	return testapp.New(t, b, testapp.Configure(testapp.Unlimited, testapp.StoreTime(time.Minute), func(c *ginauth.Config) {
		c.Refresh.Rotations = ginauth.Limit{Attempts: 1_000_000, Per: time.Hour} // here the number of families is what is limited
		c.Refresh.MaxPerUser, c.Account.MaxRememberedDevices, c.PersonalTokens.MaxPerUser = limit, limit, limit
	}))
}

// livingOf counts the tokens of a user that can be used.
func livingOf(t *testing.T, b *testapp.Backend, kind stores.Kind) int {
	t.Helper()
	found, err := b.Set.Tokens.TokensOf(t.Context(), "users:1", 1_000_000, kind)
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// TestParallelTokensKeepTheLimit lets one user get many tokens of a kind at once. Exactly as many
// stay as a user may have. Each login that ended has its event, and a personal token too many is
// refused.
func TestParallelTokensKeepTheLimit(t *testing.T) { // B02
	for _, c := range []struct {
		kind  stores.Kind
		limit int
		get   func(a *testapp.App, session *testapp.Client) int
	}{
		{stores.Refresh, 100, func(a *testapp.App, _ *testapp.Client) int {
			return a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, testapp.Password)).StatusCode
		}},
		{stores.Remember, 30, func(a *testapp.App, _ *testapp.Client) int {
			return a.Client().Post("/remember", testapp.Credentials(testapp.Alice, testapp.Password)).StatusCode
		}},
		{stores.Personal, 100, func(_ *testapp.App, session *testapp.Client) int {
			return session.Copy().Post("/tokens", ginauth.TokenSpec{Name: "x", Abilities: []string{"read"}}).StatusCode
		}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				calls, limit := 3*c.limit, c.limit
				if testing.Short() {
					calls, limit = calls/5, limit/5
				}
				a := boundedTokens(t, b, limit)
				session := a.LoggedIn(testapp.Alice)
				var refused atomic.Int64
				a.Race(calls, func(int) {
					switch status := c.get(a, session); {
					case status == 422 && c.kind == stores.Personal:
						refused.Add(1)
					case status/100 != 2:
						t.Errorf("status %d", status)
					}
				})
				if n := livingOf(t, b, c.kind); n != limit {
					t.Errorf("%d at once leave %d, want %d", calls, n, limit)
				}
				if c.kind == stores.Personal {
					if n := int(refused.Load()); n != calls-limit {
						t.Errorf("%d were refused, want %d", n, calls-limit)
					}
					return
				}
				for _, e := range testapp.WantEvents[events.TokenEvicted](a, calls-limit) {
					if e.UserID != a.Alice.AuthID() || e.Kind != string(c.kind) || e.TokenID == "" {
						t.Errorf("event %+v", e)
					}
				}
			})
		})
	}
}

// TestTokensOfOneClientStayBounded lets one client do over and over what makes tokens. A small
// store is never full of what its user left behind.
func TestTokensOfOneClientStayBounded(t *testing.T) { // B01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		const limit = 10
		a := boundedTokens(t, b, limit)
		session := a.LoggedIn(testapp.Alice)
		pair := a.IssueTokens(testapp.Alice)
		loops := map[string]func(){
			"login":    func() { a.IssueTokens(testapp.Alice) },
			"remember": func() { a.Remembered(testapp.Alice) },
			"login and logout": func() {
				a.Bearer(a.IssueTokens(testapp.Alice).AccessToken).Post("/api/logout", nil).Want(t, 204)
			},
			"remember and logout": func() { a.Remembered(testapp.Alice).Post("/logout", nil).Want(t, 204) },
			"refresh": func() {
				if r := a.Refresh(pair.RefreshToken); r.StatusCode == 200 {
					pair = r.Tokens(t)
					return
				}
				pair = a.IssueTokens(testapp.Alice) // another loop ended the login
			},
			"personal and revoked": func() {
				made := session.CreateToken(ginauth.TokenSpec{Name: "x"})
				session.Call("DELETE", "/tokens/"+made.ID, nil).Want(t, 204)
			},
		}
		for name, once := range loops {
			session = a.LoggedIn(testapp.Alice) // the sessions of another loop ended the last one
			repeat := func(n int) uint64 {
				for range n {
					a.Clock.Advance(time.Millisecond)
					once()
				}
				a.Events.Clear()
				return heapInUse()
			}
			before := repeat(2 * limit)
			after := repeat(testsize.Of(100_000, 24))
			for _, kind := range []stores.Kind{stores.Refresh, stores.Remember, stores.Personal} {
				if n := livingOf(t, b, kind); n > limit {
					t.Errorf("%s: the user has %d of kind %s, want at most %d", name, n, kind, limit)
				}
			}
			if testsize.Full() && after > before+32<<20 {
				t.Errorf("%s: the heap has grown from %d to %d MiB", name, before>>20, after>>20)
			}
		}
		wantFewFamilies(t, b, 3*limit+1)
	})
}

// wantFewFamilies checks how many families a database holds, those that have ended included.
func wantFewFamilies(t *testing.T, b *testapp.Backend, most int64) {
	t.Helper()
	if b.DB == nil || b.Set.ClientSessions != nil {
		return
	}
	var n int64
	if err := b.DB.Table("auth_token_families").Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	if n > most {
		t.Errorf("the store holds %d families, want at most %d", n, most)
	}
}

// TestLogoutWithFullTokenStore keeps sessions in cookies and fills the store of tokens, which also
// holds the sessions that ended.
func TestLogoutWithFullTokenStore(t *testing.T) { // B01
	b := testapp.Cookie(t)
	b.Set.Tokens = memstore.NewTokens(memstore.Options{MaxTokens: 20, PruneEvery: -1})
	a := boundedTokens(t, b, 100)
	c := a.LoggedIn(testapp.Alice)
	full := false
	for range 40 {
		r := a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, testapp.Password))
		full = full || r.StatusCode == 503
	}
	if !full {
		t.Fatal("the store is not full")
	}
	before := c.Copy()
	c.Post("/logout", nil).Want(t, 204)
	before.Get("/me").Want401(t)
}
