package ginauth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestPersonalTokensGrantTheirAbilities(t *testing.T) { // Z01, Z03, Z04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice, bob := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Bob)
		reads := alice.Personal("read")
		both := alice.Personal("read", "write")
		all := alice.Personal("*")
		none := alice.Personal()
		for path, want := range map[string][4]int{ // of reads, both, all, none
			"/token/me":              {200, 200, 200, 200},
			"/ability/read":          {200, 200, 200, 403},
			"/ability/read-write":    {403, 200, 200, 403},
			"/ability/read-or-write": {200, 200, 200, 403},
			"/ability/read-or-login": {200, 200, 200, 403},
		} {
			for i, token := range []ginauth.PersonalToken{reads, both, all, none} {
				if res := a.Bearer(token.Text).Get(path); res.StatusCode != want[i] {
					t.Errorf("%s with token %d: %d %s", path, i, res.StatusCode, res.Text)
				}
			}
		}
		access := a.Bearer(a.IssueTokens(testapp.Alice).AccessToken)
		for _, c := range []*testapp.Client{alice, access} {
			c.Get("/ability/read").Want(t, 403)
			c.Get("/ability/read-or-login").Want(t, 200)
		}
		// A token makes and ends none.
		a.Bearer(all.Text).Post("/tokens", ginauth.TokenSpec{Name: "x"}).Want(t, 403)
		a.Bearer(all.Text).Do("DELETE", "/tokens/"+reads.ID, "", "").Want(t, 403)

		if n := len(alice.Tokens()); n != 4 {
			t.Errorf("%d tokens are listed", n)
		}
		if body := alice.Get("/tokens").Text; strings.Contains(body, reads.Text) || strings.Contains(body, "token\"") {
			t.Errorf("the list shows tokens: %s", body)
		}
		if n := len(bob.Tokens()); n != 0 {
			t.Errorf("%d tokens are bob's", n)
		}
		bob.Do("DELETE", "/tokens/"+reads.ID, "", "").Want(t, 404)
		bob.Do("DELETE", "/tokens/..%2fx", "", "").Want(t, 404)
		alice.Do("DELETE", "/tokens/"+reads.ID, "", "").Want(t, 204)
		alice.Do("DELETE", "/tokens/"+reads.ID, "", "").Want(t, 404)
		a.Bearer(reads.Text).Get("/token/me").WantBadToken(t)
		a.Bearer(both.Text).Get("/token/me").Want(t, 200)
		if n := len(testapp.EventsOf[events.TokenRevoked](a)); n != 1 {
			t.Errorf("%d events of a revocation", n)
		}
	})
}

// What a handler makes of the abilities it is given stays with its request.
func TestEditedAbilitiesStayInTheirRequest(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/edit", a.Auth("token"), func(c *gin.Context) {
				token, err := ginauth.From(c).Token(c.Request.Context())
				if err != nil || token == nil {
					t.Errorf("%+v, %v", token, err)
					return
				}
				for i := range token.Abilities {
					token.Abilities[i] = "*"
				}
				token.Abilities = append(token.Abilities, "*")
			})
		}))
		alice := a.LoggedIn(testapp.Alice)
		for _, abilities := range [][]string{{"list"}, {"list", "write"}, {"a", "b", "c", "d", "e"}} {
			token := a.Bearer(alice.Personal(abilities...).Text)
			for range 2 {
				token.Get("/edit").Want(t, 200)
				token.Get("/ability/read").Want(t, 403)
			}
		}
	})
}

func TestPersonalTokenInputIsChecked(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice := a.LoggedIn(testapp.Alice)
		many := make([]string, 65)
		for i := range many {
			many[i] = fmt.Sprint("a", i)
		}
		for name, n := range map[string]ginauth.TokenSpec{
			"no name": {}, "blank name": {Name: " "}, "long name": {Name: strings.Repeat("x", 256)}, "line break": {Name: "a\nb"},
			"negative lifetime": {Name: "x", Lifetime: -1}, "empty ability": {Name: "x", Abilities: []string{""}},
			"ability with a space": {Name: "x", Abilities: []string{"a b"}}, "long ability": {Name: "x", Abilities: []string{strings.Repeat("x", 65)}},
			"many abilities": {Name: "x", Abilities: many},
		} {
			if res := alice.Post("/tokens", n); res.StatusCode != 422 || !strings.Contains(res.Text, `"field"`) {
				t.Errorf("%s: %d %s", name, res.StatusCode, res.Text)
			}
		}
		a.Client().Post("/tokens", ginauth.TokenSpec{Name: "x"}).Want(t, 401)
	})
}

func TestMalformedPersonalTokensAreRefused(t *testing.T) { // Z02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.PersonalTokens.Prefix = "acme" }))
		alice, bob := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Bob)
		own, foreign := alice.Personal("read").Text, bob.Personal("read").Text
		if !strings.HasPrefix(own, "acme_") || len(own) != len("acme_")+32+1+49 {
			t.Errorf("token %q", own)
		}
		secret := own[len("acme_")+32:]
		for _, token := range []string{
			"", "acme", "acme_", "acme__", "acme_0" + secret, "acme_1=1" + secret, "acme_1 OR 1" + secret, "acme_12345678901234567890" + secret,
			foreign[:len("acme_")+32] + secret, own[:len(own)-49], own[:len(own)-1], own + "0", "gat" + own[4:], strings.ToUpper(own),
			own[:20] + "_" + own[20:], own[:len("acme_")+32] + secret[1:],
		} {
			a.Bearer(token).Get("/token/me").Want401(t)
		}
		if name := a.Bearer(own).Get("/token/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("the token is %s's", name)
		}
	})
}

func TestPersonalTokenEndsWithItsOwner(t *testing.T) { // Z03, S17
	for name, test := range map[string]struct {
		end  func(a *testapp.App)
		want [2]int // of an ordinary one, and of one that ends with the password
	}{
		"expired": {func(a *testapp.App) { a.Clock.Advance(time.Hour) }, [2]int{401, 401}},
		"disabled": {func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		}, [2]int{401, 401}},
		"password changed": {func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = u.SecurityStamp[:16] + ".another" })
		}, [2]int{200, 401}},
		"all revoked": {func(a *testapp.App) {
			if err := a.RevokeTokens(context.Background(), "token", a.Alice.AuthID()); err != nil {
				a.Error(err)
			}
		}, [2]int{401, 401}},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := testapp.New(t, b)
				alice := a.LoggedIn(testapp.Alice)
				var tokens []ginauth.PersonalToken
				for _, ends := range []bool{false, true} {
					tokens = append(tokens, alice.CreateToken(ginauth.TokenSpec{
						Name: "x", Abilities: []string{"read"}, Lifetime: time.Hour, RevokeOnPasswordChange: ends}))
				}
				test.end(a)
				for i, token := range tokens {
					a.Bearer(token.Text).Get("/ability/read").Want(t, test.want[i])
				}
			})
		})
	}
}

func TestPersonalTokensHaveALimit(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	for i := range 100 {
		c.Post("/tokens", ginauth.TokenSpec{Name: fmt.Sprint(i)}).Want(t, 201)
	}
	c.Post("/tokens", ginauth.TokenSpec{Name: "one more"}).Want(t, 422)
	a.LoggedIn(testapp.Bob).Post("/tokens", ginauth.TokenSpec{Name: "bob's"}).Want(t, 201)
}

func TestPersonalTokenUseIsRecordedOnceAMinute(t *testing.T) { // Z03
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Configure(testapp.StoreTime(100*time.Millisecond)))
	alice := a.LoggedIn(testapp.Alice)
	token := alice.Personal("read")
	use := func() { t.Helper(); a.Bearer(token.Text).Get("/ability/read").Want(t, 200) }
	touched := func(n int) { // off the request, so it takes a moment
		t.Helper()
		for f.Count(testapp.TouchToken) < n {
			use()
		}
	}
	touched(1)
	for range 100 {
		use()
	}
	a.Clock.Advance(59 * time.Second)
	testapp.Race(20, func(int) { use() })
	if n := f.Count(testapp.TouchToken); n != 1 {
		t.Errorf("%d writes within a minute", n)
	}
	a.Clock.Advance(time.Second)
	touched(2)
	f.Set(testapp.Hang, testapp.TouchToken)
	a.Clock.Advance(time.Minute)
	touched(3)
	f.Set(testapp.Panic, testapp.TouchToken)
	a.Clock.Advance(time.Minute)
	touched(4)
	if err := a.Close(context.Background()); err != nil { // waits for them
		t.Fatal(err)
	}
	if !strings.Contains(a.Logs.String(), "last use") || strings.Contains(a.Logs.String(), "CANARY-panic") {
		t.Error("the log does not say that the write failed, or says too much")
	}
}
