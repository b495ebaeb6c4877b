package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// madeToken is a personal token as the answer to its making shows it.
type madeToken struct {
	ID, Token string
	LastUsed  time.Time `json:"last_used"`
}

// personal makes a token with the abilities.
func (a *app) personal(c *client, abilities ...string) madeToken {
	a.Helper()
	return a.makeToken(c, ginauth.TokenSpec{Name: "deploy", Abilities: abilities})
}

func (a *app) makeToken(c *client, n ginauth.TokenSpec) madeToken {
	a.Helper()
	var made madeToken
	if err := json.Unmarshal([]byte(c.post("/tokens", n).want(a.T, 201).body), &made); err != nil || made.Token == "" {
		a.Fatalf("no token: %v", err)
	}
	return made
}

func (a *app) listTokens(c *client) []madeToken {
	a.Helper()
	var tokens []madeToken
	if err := json.Unmarshal([]byte(c.get("/tokens").want(a.T, 200).body), &tokens); err != nil {
		a.Fatal(err)
	}
	return tokens
}

func TestPersonalTokens(t *testing.T) { // Z01, Z03, Z04
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		alice, bob := a.loggedIn(aliceEmail), a.loggedIn(bobEmail)
		reads := a.personal(alice, "read")
		both := a.personal(alice, "read", "write")
		all := a.personal(alice, "*")
		none := a.personal(alice)
		for path, want := range map[string][4]int{ // of reads, both, all, none
			"/token/me":      {200, 200, 200, 200},
			"/read":          {200, 200, 200, 403},
			"/read-write":    {403, 200, 200, 403},
			"/read-or-write": {200, 200, 200, 403},
			"/read-or-login": {200, 200, 200, 403},
		} {
			for i, token := range []madeToken{reads, both, all, none} {
				if res := a.bearing(token.Token).get(path); res.StatusCode != want[i] {
					t.Errorf("%s with token %d: %d %s", path, i, res.StatusCode, res.body)
				}
			}
		}
		access := a.bearing(a.apiLogin(aliceEmail).Access)
		for _, c := range []*client{alice, access} {
			c.get("/read").want(t, 403)
			c.get("/read-or-login").want(t, 200)
		}
		// A token makes and ends none.
		a.bearing(all.Token).post("/tokens", ginauth.TokenSpec{Name: "x"}).want(t, 403)
		a.bearing(all.Token).do("DELETE", "/tokens/"+reads.ID, "", "").want(t, 403)

		if n := len(a.listTokens(alice)); n != 4 {
			t.Errorf("%d tokens are listed", n)
		}
		if body := alice.get("/tokens").body; strings.Contains(body, reads.Token) || strings.Contains(body, "token\"") {
			t.Errorf("the list shows tokens: %s", body)
		}
		if n := len(a.listTokens(bob)); n != 0 {
			t.Errorf("%d tokens are bob's", n)
		}
		bob.do("DELETE", "/tokens/"+reads.ID, "", "").want(t, 404)
		bob.do("DELETE", "/tokens/..%2fx", "", "").want(t, 404)
		alice.do("DELETE", "/tokens/"+reads.ID, "", "").want(t, 204)
		alice.do("DELETE", "/tokens/"+reads.ID, "", "").want(t, 404)
		a.bearing(reads.Token).get("/token/me").isBadToken(t)
		a.bearing(both.Token).get("/token/me").want(t, 200)
		if n := len(eventsOf[events.TokenRevoked](a)); n != 1 {
			t.Errorf("%d events of a revocation", n)
		}
	})
}

// What a handler makes of the abilities it is given stays with its request.
func TestPersonalTokenAbilitiesEdited(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			tokenRoutes(a, r)
			r.GET("/edit", a.m.Auth("token"), func(c *gin.Context) {
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
		})
		alice := a.loggedIn(aliceEmail)
		for _, abilities := range [][]string{{"list"}, {"list", "write"}, {"a", "b", "c", "d", "e"}} {
			token := a.bearing(a.personal(alice, abilities...).Token)
			for range 2 {
				token.get("/edit").want(t, 200)
				token.get("/read").want(t, 403)
			}
		}
	})
}

func TestPersonalTokenInput(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		alice := a.loggedIn(aliceEmail)
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
			if res := alice.post("/tokens", n); res.StatusCode != 422 || !strings.Contains(res.body, `"field"`) {
				t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
			}
		}
		a.client().post("/tokens", ginauth.TokenSpec{Name: "x"}).want(t, 401)
	})
}

func TestPersonalTokenFormat(t *testing.T) { // Z02
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) { c.PersonalTokens.Prefix = "acme" }, tokenRoutes)
		alice, bob := a.loggedIn(aliceEmail), a.loggedIn(bobEmail)
		own, foreign := a.personal(alice, "read").Token, a.personal(bob, "read").Token
		if !strings.HasPrefix(own, "acme_") || len(own) != len("acme_")+32+1+49 {
			t.Errorf("token %q", own)
		}
		secret := own[len("acme_")+32:]
		for _, token := range []string{
			"", "acme", "acme_", "acme__", "acme_0" + secret, "acme_1=1" + secret, "acme_1 OR 1" + secret, "acme_12345678901234567890" + secret,
			foreign[:len("acme_")+32] + secret, own[:len(own)-49], own[:len(own)-1], own + "0", "gat" + own[4:], strings.ToUpper(own),
			own[:20] + "_" + own[20:], own[:len("acme_")+32] + secret[1:],
		} {
			a.bearing(token).get("/token/me").is401(t)
		}
		if name := a.bearing(own).get("/token/me").want(t, 200).name(t); name != "Alice" {
			t.Errorf("the token is %s's", name)
		}
	})
}

func TestPersonalTokenEnds(t *testing.T) { // Z03, S17
	for name, test := range map[string]struct {
		end  func(a *app)
		want [2]int // of an ordinary one, and of one that ends with the password
	}{
		"expired": {func(a *app) { a.clock.advance(time.Hour) }, [2]int{401, 401}},
		"disabled": {func(a *app) {
			a.b.users.change(a.alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		}, [2]int{401, 401}},
		"password changed": {func(a *app) { a.b.users.change(a.alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another" }) }, [2]int{200, 401}},
		"all revoked": {func(a *app) {
			if err := a.m.RevokeTokens(context.Background(), "token", a.alice.AuthID()); err != nil {
				a.Error(err)
			}
		}, [2]int{401, 401}},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				a := newApp(t, b, nil, tokenRoutes)
				alice := a.loggedIn(aliceEmail)
				var tokens []madeToken
				for _, ends := range []bool{false, true} {
					tokens = append(tokens, a.makeToken(alice, ginauth.TokenSpec{
						Name: "x", Abilities: []string{"read"}, Lifetime: time.Hour, RevokeOnPasswordChange: ends}))
				}
				test.end(a)
				for i, token := range tokens {
					a.bearing(token.Token).get("/read").want(t, test.want[i])
				}
			})
		})
	}
}

func TestPersonalTokenLastUse(t *testing.T) { // Z03
	b, f := memoryBackend(t).faultyTokens()
	a := newApp(t, b, func(c *ginauth.Config) { c.StoreTimeout = 100 * time.Millisecond }, tokenRoutes)
	alice := a.loggedIn(aliceEmail)
	token := a.personal(alice, "read")
	use := func() { t.Helper(); a.bearing(token.Token).get("/read").want(t, 200) }
	touched := func(n int) { // off the request, so it takes a moment
		t.Helper()
		for f.count("touch") < n {
			use()
		}
	}
	touched(1)
	for range 100 {
		use()
	}
	a.clock.advance(59 * time.Second)
	together(20, func(int) { use() })
	if n := f.count("touch"); n != 1 {
		t.Errorf("%d writes within a minute", n)
	}
	a.clock.advance(time.Second)
	touched(2)
	f.set("touch", faultHang)
	a.clock.advance(time.Minute)
	touched(3)
	f.set("touch", faultPanic)
	a.clock.advance(time.Minute)
	touched(4)
	if err := a.m.Close(context.Background()); err != nil { // waits for them
		t.Fatal(err)
	}
	if !strings.Contains(a.logs.String(), "last use") || strings.Contains(a.logs.String(), "CANARY-panic") {
		t.Error("the log does not say that the write failed, or says too much")
	}
}

func TestTokenGuesses(t *testing.T) { // T08
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		alice := a.loggedIn(aliceEmail)
		token := a.personal(alice, "read")
		alice.do("DELETE", "/tokens/"+token.ID, "", "").want(t, 204)
		other := newApp(t, memoryBackend(t), nil, tokenRoutes)
		guess := other.personal(other.loggedIn(aliceEmail), "read").Token // of the right shape, and nobody's
		for range 30 {
			a.bearing(guess).get("/token/me").isBadToken(t)
		}
		res := a.bearing(guess).get("/token/me").want(t, 429)
		if res.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		a.bearing(a.personal(alice, "read").Token).get("/token/me").want(t, 200)
		a.bearing("gat_typo").get("/token/me").isBadToken(t)
	})
}

func TestAbilityMistakesPanic(t *testing.T) { // A10
	a := newApp(t, memoryBackend(t), nil, nil)
	for name, f := range map[string]func(){
		"none": func() { a.m.RequireAbilities() }, "any of none": func() { a.m.RequireAnyAbility() },
		"empty": func() { a.m.RequireAbilitiesOrLogin("") }, "all": func() { a.m.RequireAnyAbilityOrLogin("*") },
		"space": func() { a.m.RequireAbilities("a b") }, "basic of no guard": func() { a.m.Basic(ginauth.BasicGuard("typo")) },
		"basic session without one": func() { a.m.Basic(ginauth.BasicGuard("token"), ginauth.BasicStartsSession()) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func basicRoutes(a *app, r *gin.Engine) {
	r.GET("/basic/me", a.m.Basic(), me)
	r.POST("/basic/post", a.m.Basic(), me)
	r.GET("/basic/session", a.m.Basic(ginauth.BasicStartsSession()), me)
}

func (a *app) basic(name, password string) *client {
	c := a.client()
	c.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
	return c
}

func TestBasic(t *testing.T) { // T08
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, basicRoutes)
		alice := a.basic(aliceEmail, goodPass)
		if name := alice.get("/basic/me").want(t, 200).name(t); name != "Alice" {
			t.Errorf("name %q", name)
		}
		if len(alice.cookies) != 0 {
			t.Errorf("a request that keeps nothing sets %v", alice.cookies)
		}
		res := a.client().get("/basic/me")
		res.is401(t)
		if got := res.Header.Get("WWW-Authenticate"); got != `Basic realm="web", charset="UTF-8"` {
			t.Errorf("challenge %q", got)
		}
		// A browser sends the password by itself.
		alice.header.Set("Sec-Fetch-Site", "cross-site")
		alice.post("/basic/post", nil).want(t, 403)

		for range 5 {
			a.basic(bobEmail, "wrong").get("/basic/me").is401(t)
		}
		a.basic(bobEmail, goodPass).get("/basic/me").want(t, 429)
		a.client().login(bobEmail, goodPass).want(t, 429) // one count for all doors
	})
}

func TestBasicStartsSession(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, basicRoutes)
		alice := a.basic(aliceEmail, goodPass)
		alice.get("/basic/session").want(t, 200)
		before := a.m.Hasher().Computations()
		alice.header.Del("Authorization")
		for range 10 {
			alice.get("/basic/session").want(t, 200)
		}
		alice.get("/me").want(t, 200)
		if a.m.Hasher().Computations() != before {
			t.Error("a password was hashed for a request with a session")
		}
	})
}

func TestBasicHeader(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, basicRoutes)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	get := func(values ...string) *response {
		c := a.client()
		c.header["Authorization"] = values
		return c.get("/basic/me")
	}
	good := encode(aliceEmail + ":" + goodPass)
	get("basic "+good).want(t, 200)
	for _, values := range [][]string{
		{"Basic"}, {"Basic "}, {"Basic x"}, {"Basic " + good, "Basic " + good}, {"Bearer " + good}, {"Basic  " + good},
		{"Basic " + encode("no colon")}, {"Basic " + encode(":")}, {"Basic " + encode(aliceEmail+":")}, {"Basic " + encode("x\xff:y\xff")},
		{"Basic " + encode(aliceEmail+":"+strings.Repeat("x", 5000))}, {"Basic " + strings.Repeat("A", 9<<10)}, {"Basic " + encode("a\x00@x:y")},
	} {
		if res := get(values...); res.StatusCode != 401 && res.StatusCode != 400 {
			t.Errorf("%.40q: status %d %s", values, res.StatusCode, res.body)
		}
	}
}

// faultyTokens wraps a backend's token store.
func (b *backend) faultyTokens() (*backend, *faults) {
	f := newFaults()
	wrapped := *b
	wrapped.set.Tokens = faultyTokens{b.set.Tokens, f}
	return &wrapped, f
}

type faultyTokens struct {
	stores.Tokens
	f *faults
}

func (s faultyTokens) Create(ctx context.Context, t stores.Token) (bool, error) {
	if err := s.f.meet(ctx, "create token"); err != nil {
		return false, err
	}
	return s.Tokens.Create(ctx, t)
}

func (s faultyTokens) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	if err := s.f.meet(ctx, "find token"); err != nil {
		return stores.Token{}, false, err
	}
	return s.Tokens.Find(ctx, family, id)
}

func (s faultyTokens) Lives(ctx context.Context, now time.Time, families ...string) ([]stores.Life, error) {
	if err := s.f.meet(ctx, "lives"); err != nil {
		return nil, err
	}
	return s.Tokens.Lives(ctx, now, families...)
}

func (s faultyTokens) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (stores.Rotated, error) {
	if err := s.f.meet(ctx, "rotate"); err != nil {
		return stores.RotateDead, err
	}
	rotated, err := s.Tokens.Rotate(ctx, now, parent, child)
	if err2 := s.f.meet(ctx, "rotated"); err2 != nil { // done, and the answer is lost
		return stores.RotateDead, err2
	}
	return rotated, err
}

func (s faultyTokens) RevokeFamily(ctx context.Context, now time.Time, family string) (bool, error) {
	if err := s.f.meet(ctx, "revoke family"); err != nil {
		return false, err
	}
	return s.Tokens.RevokeFamily(ctx, now, family)
}

func (s faultyTokens) RevokeOwner(ctx context.Context, now time.Time, owner, except string, kinds ...stores.Kind) (int, error) {
	if err := s.f.meet(ctx, "revoke owner"); err != nil {
		return 0, err
	}
	return s.Tokens.RevokeOwner(ctx, now, owner, except, kinds...)
}

func (s faultyTokens) TokensOf(ctx context.Context, owner string, kinds ...stores.Kind) ([]stores.Token, error) {
	if err := s.f.meet(ctx, "tokens of"); err != nil {
		return nil, err
	}
	return s.Tokens.TokensOf(ctx, owner, kinds...)
}

func (s faultyTokens) Touch(ctx context.Context, now time.Time, family, id string) error {
	if err := s.f.meet(ctx, "touch"); err != nil {
		return err
	}
	return s.Tokens.Touch(ctx, now, family, id)
}

func (s faultyTokens) MarkDelivered(ctx context.Context, now time.Time, family, id string) error {
	if err := s.f.meet(ctx, "mark delivered"); err != nil {
		return err
	}
	return s.Tokens.MarkDelivered(ctx, now, family, id)
}
