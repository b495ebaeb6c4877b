package ginauth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

func TestRefreshReuseEndsTheFamily(t *testing.T) { // R01
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

func TestRefreshRetryGetsTheSameSuccessor(t *testing.T) { // R03
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

func TestReplayOfAnyAncestorEndsTheLogin(t *testing.T) { // R01, B01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for _, age := range []int{2, 3, 40} {
			texts := []string{a.IssueTokens(testapp.Alice).RefreshToken}
			for range age {
				texts = append(texts, a.Refresh(texts[len(texts)-1]).Tokens(t).RefreshToken)
			}
			// Who knows the names of the family and of its tokens, but no secret, cannot end it.
			forged := []byte(texts[0])
			forged[70] = 'A' + (forged[70]+1)%26
			a.Refresh(string(forged)).Want(t, 401)
			last := a.Refresh(texts[age]).Tokens(t)
			thefts := len(testapp.EventsOf[events.TokenReused](a))
			a.Refresh(texts[0]).Want(t, 401)
			a.Refresh(last.RefreshToken).Want(t, 401)
			a.Bearer(last.AccessToken).Get("/api/me").WantBadToken(t)
			a.Refresh(texts[0]).Want(t, 401)
			reused := testapp.EventsOf[events.TokenReused](a)[thefts:]
			if len(reused) != 1 || reused[0].UserID != a.Alice.AuthID() {
				t.Errorf("after %d rotations the events of theft are %+v, want one of Alice", age, reused)
			}
		}
	})
}

// TestUnusedTokenIsNoTheft presents a refresh token that expired because nobody used it, while the
// login could still live, before and after the store has pruned the token.
func TestUnusedTokenIsNoTheft(t *testing.T) { // R01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Refresh.IdleTimeout = time.Hour }))
		p := a.IssueTokens(testapp.Alice)
		a.Clock.Advance(2 * time.Hour)
		for range 2 {
			a.Refresh(p.RefreshToken).Want(t, 401)
			if pruner, ok := b.Set.Tokens.(stores.Pruner); ok {
				if _, err := pruner.Prune(t.Context(), a.Clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		testapp.WantEvents[events.TokenReused](a, 0)
	})
}

func TestRotationsOfOneLoginAreLimited(t *testing.T) { // B01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Refresh.Rotations = ginauth.Limit{Attempts: 3, Per: time.Hour}
		}))
		first, other := a.IssueTokens(testapp.Alice), a.IssueTokens(testapp.Alice)
		a.Clock.Advance(time.Minute) // the window begins with the first rotation, not with the login
		last, parent := first, first
		for range 3 {
			parent, last = last, a.Refresh(last.RefreshToken).Tokens(t)
		}
		a.Clock.Advance(5 * time.Second)
		for range 5 { // a retry within the grace time gets the same successor, and does not count
			if again := a.Refresh(parent.RefreshToken).Tokens(t); again.RefreshToken != last.RefreshToken {
				t.Fatal("a retry gets another refresh token")
			}
		}
		res := a.Refresh(last.RefreshToken).Want(t, 429)
		if got := res.Header.Get("Retry-After"); got != "3595" {
			t.Errorf("Retry-After %q", got)
		}
		a.Bearer(last.AccessToken).Get("/api/me").Want(t, 200)
		a.Refresh(other.RefreshToken).Want(t, 200) // each login has its own limit
		a.Clock.Advance(3594 * time.Second)
		a.Refresh(last.RefreshToken).Want(t, 429)
		a.Clock.Advance(time.Second)
		last = a.Refresh(last.RefreshToken).Tokens(t) // the refusals changed nothing
		a.Refresh(last.RefreshToken).Want(t, 200)
		a.Refresh(first.RefreshToken).Want(t, 401) // the limit hides no theft
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 1 {
			t.Errorf("%d events of theft, want 1", n)
		}
	})
}

func TestParallelRotationsStayWithinTheLimit(t *testing.T) { // B02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Refresh.Rotations = ginauth.Limit{Attempts: 2, Per: time.Hour}
			c.StoreTimeout = 20 * time.Second
		}))
		last := a.IssueTokens(testapp.Alice)
		for _, want := range []int{200, 200, 429} {
			answers := make([]*testapp.Response, 20)
			testapp.Race(len(answers), func(i int) { answers[i] = a.Refresh(last.RefreshToken) })
			for _, res := range answers {
				res.Want(t, want)
			}
			if want == 200 {
				last = answers[0].Tokens(t)
			}
		}
	})
}

func TestRefreshWithoutGraceAllowsNoRetry(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Refresh.Grace = -1 }))
		first := a.IssueTokens(testapp.Alice)
		second := a.Refresh(first.RefreshToken).Tokens(t)
		a.Refresh(first.RefreshToken).Want(t, 401)
		a.Refresh(second.RefreshToken).Want(t, 401)
	})
}

func TestRefreshRetryWorksAcrossKeys(t *testing.T) { // EXP-24
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

func TestRefreshTokensExpire(t *testing.T) { // R05
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

func TestBadRefreshInputIsRefused(t *testing.T) { // R07
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
		next := bob.Post("/api/refresh", testapp.RefreshBody(p.RefreshToken)).Tokens(t)
		if name := a.Bearer(next.AccessToken).Get("/api/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("the token is %s's", name)
		}
	})
}
