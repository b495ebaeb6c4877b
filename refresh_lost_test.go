package ginauth_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// retryUnused lets clients whose response was lost go on for a day.
func retryUnused(c *ginauth.Config) { c.Refresh.RetryUnused = 24 * time.Hour }

// TestLostRefreshResponse loses the response to a refresh. The client sends its former token again
// when it has a network.
func TestLostRefreshResponse(t *testing.T) { // R08
	for name, row := range map[string]struct {
		config  func(*ginauth.Config)
		offline time.Duration
		// meanwhile is what happens to the response that was lost.
		meanwhile func(a *testapp.App, lost ginauth.TokenPair)
		goesOn    bool
	}{
		"by default within the grace time": {nil, 5 * time.Second, nil, true},
		"by default later":                 {nil, time.Hour, nil, false},
		"configured":                       {retryUnused, time.Hour, nil, true},
		"configured, too late":             {retryUnused, 24 * time.Hour, nil, false},
		"the access token was used": {retryUnused, time.Hour, func(a *testapp.App, lost ginauth.TokenPair) {
			a.Bearer(lost.AccessToken).Get("/api/me").Want(a, 200)
		}, false},
		"the refresh token was used": {retryUnused, time.Hour, func(a *testapp.App, lost ginauth.TokenPair) {
			a.Refresh(lost.RefreshToken).Tokens(a)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				change := row.config
				if change == nil {
					change = func(*ginauth.Config) {}
				}
				a := testapp.New(t, b, testapp.Configure(change))
				before := a.IssueTokens(testapp.Alice)
				a.Bearer(before.AccessToken).Get("/api/me").Want(t, 200)
				lost := a.Refresh(before.RefreshToken).Tokens(t)
				if row.meanwhile != nil {
					row.meanwhile(a, lost)
				}
				a.Clock.Advance(row.offline)
				if !row.goesOn {
					a.Refresh(before.RefreshToken).Want(t, 401)
					a.Refresh(lost.RefreshToken).Want(t, 401) // the login has ended
					return
				}
				again := a.Refresh(before.RefreshToken).Tokens(t)
				if again.RefreshToken != lost.RefreshToken {
					t.Error("a second successor was made")
				}
				a.Bearer(again.AccessToken).Get("/api/me").Want(t, 200)
				a.Clock.Advance(time.Minute)
				a.Refresh(again.RefreshToken).Tokens(t)
				a.Refresh(before.RefreshToken).Want(t, 401)
			})
		})
	}
}

// thiefFollows lets a client refresh once per quarter of an hour and use what it got. A thief who
// has a copy of its first refresh token sends the client's former token after each refresh. It
// returns how many tokens the thief gets before the login ends, at most n.
func thiefFollows(t *testing.T, change func(*ginauth.Config), n int) (stolen int) {
	t.Helper()
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(change))
	client := a.IssueTokens(testapp.Alice)
	copied := client.RefreshToken
	for stolen < n {
		a.Clock.Advance(15 * time.Minute)
		next := a.Refresh(client.RefreshToken)
		if next.StatusCode != 200 {
			return stolen
		}
		client = next.Tokens(t)
		a.Bearer(client.AccessToken).Get("/api/me").Want(t, 200)
		a.Clock.Advance(time.Minute)
		got := a.Refresh(copied)
		if got.StatusCode != 200 {
			return stolen
		}
		copied = got.Tokens(t).RefreshToken
		stolen++
	}
	return stolen
}

// TestThiefIsNoticed measures what each way to tolerate a lost response costs: how long a thief
// who follows the client gets its tokens.
func TestThiefIsNoticed(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*ginauth.Config)
		want   int
	}{
		"by default":   {func(*ginauth.Config) {}, 0},
		"RetryUnused":  {retryUnused, 0},
		"a long Grace": {func(c *ginauth.Config) { c.Refresh.Grace = 24 * time.Hour }, 50}, // never
	} {
		if got := thiefFollows(t, row.change, 50); got != row.want {
			t.Errorf("%s: the thief got %d tokens, want %d", name, got, row.want)
		}
	}
}

// TestUseOfAccessTokensIsRecordedOnce counts what RetryUnused costs.
func TestUseOfAccessTokensIsRecordedOnce(t *testing.T) {
	b, faults := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Configure(retryUnused))
	pair := a.IssueTokens(testapp.Alice)
	calls := func() int {
		before := faults.Count(testapp.TokenOps()...)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
		return faults.Count(testapp.TokenOps()...) - before
	}
	if first, second := calls(), calls(); first != 2 || second != 1 {
		t.Errorf("%d calls of the store, then %d, want 2 and 1", first, second)
	}
	pair = a.Refresh(pair.RefreshToken).Tokens(t)
	faults.Set(testapp.Outages(b)[0], testapp.MarkDelivered)
	a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
	faults.Clear()
	if first, second := calls(), calls(); first != 2 || second != 1 {
		t.Errorf("after an outage %d calls of the store, then %d, want 2 and 1", first, second)
	}
}
