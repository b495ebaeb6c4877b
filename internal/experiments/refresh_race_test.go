package experiments_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
)

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
		res, err := apps[i%len(apps)].Client().TryPost("/api/refresh", testapp.RefreshBody(first.RefreshToken))
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
	live, err := a.Backend.Set.Tokens.TokensOf(context.Background(), "users:"+a.Alice.AuthID(), 1_000_000, stores.Refresh)
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
