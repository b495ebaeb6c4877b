package ginauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// The key, issuer and audience of the applications that are given tokens made
// by hand.
const (
	jwtSecret   = "an HMAC secret for tests, of 40 bytes ok"
	jwtIssuer   = "https://issuer.example"
	jwtAudience = "https://api.example"
	jwtKID      = "k1"
)

func withJWTKey(c *ginauth.Config) {
	c.JWT.SigningKey = ginauth.JWTSecret(jwtKID, "", []byte(jwtSecret))
	c.JWT.Issuer, c.JWT.Audience = jwtIssuer, jwtAudience
}

// pair is what a login by tokens answers.
type pair struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
}

func (r *response) pair(t testing.TB) pair {
	t.Helper()
	var p pair
	if err := json.Unmarshal([]byte(r.want(t, 200).body), &p); err != nil || p.Access == "" || p.Refresh == "" {
		t.Fatalf("no pair of tokens in %s: %v", r.body, err)
	}
	return p
}

// tokenRoutes are the routes of an application for programs.
func tokenRoutes(a *app, r *gin.Engine) {
	m := a.m
	r.POST("/api/login", m.ThrottleLogins(), func(c *gin.Context) {
		var in loginForm
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		res, err := ginauth.From(c).Guard("api").Attempt(c.Request.Context(), ginauth.Credentials{"email": in.Email, "password": in.Password})
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, res.Tokens)
	})
	r.POST("/api/refresh", func(c *gin.Context) {
		var in struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		res, err := ginauth.From(c).Guard("api").Refresh(c.Request.Context(), in.RefreshToken)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, res.Tokens)
	})
	r.POST("/api/logout", m.Auth("api"), logout)
	r.GET("/api/me", m.Auth("api"), me)
	r.GET("/token/me", m.Auth("token"), me)
	r.GET("/any/me", m.Auth("web", "api", "token"), me)
	r.GET("/bearer/me", m.Auth("api", "token"), me)
	r.POST("/tokens", m.Auth("web", "api", "token"), func(c *gin.Context) {
		var in ginauth.TokenSpec
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		token, err := ginauth.From(c).CreateToken(c.Request.Context(), in)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(201, token)
	})
	r.GET("/tokens", m.Auth("web", "api", "token"), func(c *gin.Context) {
		tokens, err := ginauth.From(c).Tokens(c.Request.Context())
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, tokens)
	})
	r.DELETE("/tokens/:id", m.Auth("web", "api", "token"), func(c *gin.Context) {
		if err := ginauth.From(c).RevokeToken(c.Request.Context(), c.Param("id")); err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.Status(204)
	})
	r.GET("/read", m.Auth("web", "api", "token"), m.RequireAbilities("read"), me)
	r.GET("/read-write", m.Auth("token"), m.RequireAbilities("read", "write"), me)
	r.GET("/read-or-write", m.Auth("token"), m.RequireAnyAbility("read", "write"), me)
	r.GET("/read-or-login", m.Auth("web", "api", "token"), m.RequireAbilitiesOrLogin("read"), me)
}

// bearing returns a client without cookies that sends a token.
func (a *app) bearing(token string) *client {
	c := a.client()
	c.header.Set("Authorization", "Bearer "+token)
	return c
}

func (a *app) apiLogin(email string) pair {
	a.Helper()
	return a.client().post("/api/login", loginForm{email, goodPass}).pair(a.T)
}

func (a *app) refresh(token string) *response {
	a.Helper()
	return a.client().post("/api/refresh", map[string]string{"refresh_token": token})
}

// isBadToken asserts the one answer that every bad token gets.
func (r *response) isBadToken(t testing.TB) {
	t.Helper()
	r.is401(t)
	if got := r.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
		t.Errorf("challenge %q", got)
	}
	if want := `{"code":"unauthenticated","message":"Authentication is required."}`; r.body != want {
		t.Errorf("body %s, want %s", r.body, want)
	}
}

func TestTokenLogin(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		p := a.apiLogin(aliceEmail)
		if p.Type != "Bearer" || p.ExpiresIn != 900 {
			t.Errorf("%+v", p)
		}
		alice := a.bearing(p.Access)
		if name := alice.get("/api/me").want(t, 200).name(t); name != "Alice" {
			t.Errorf("the token is %q's", name)
		}
		a.client().get("/api/me").is401(t)
		next := a.refresh(p.Refresh).pair(t)
		if next.Refresh == p.Refresh || next.Access == p.Access {
			t.Error("a token came back unchanged")
		}
		a.bearing(next.Access).get("/api/me").want(t, 200)
		alice.post("/api/logout", nil).want(t, 204)
		alice.get("/api/me").isBadToken(t)
		a.bearing(next.Access).get("/api/me").isBadToken(t)
		a.refresh(next.Refresh).want(t, 401)
		if n := len(eventsOf[loginEvent](a)); n != 1 {
			t.Errorf("%d Login events", n)
		}
	})
}

func TestTokenLoginRefusals(t *testing.T) { // E01, T08
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		wrong := a.client().post("/api/login", loginForm{aliceEmail, "wrong"}).want(t, 401)
		nobody := a.client().post("/api/login", loginForm{"nobody@example.com", "wrong"}).want(t, 401)
		if wrong.body != nobody.body {
			t.Errorf("%s and %s", wrong.body, nobody.body)
		}
		// The doors of both guards share one count: four are left.
		for range 2 {
			a.client().login(aliceEmail, "wrong").want(t, 401)
			a.client().post("/api/login", loginForm{aliceEmail, "wrong"}).want(t, 401)
		}
		a.client().post("/api/login", loginForm{aliceEmail, goodPass}).want(t, 429)
	})
}

// signed returns a token of the test key, whatever the claims.
func signed(t testing.TB, typ string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"], token.Header["typ"] = jwtKID, typ
	text, err := token.SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claimsOf returns the claims of a token, unchecked.
func claimsOf(t testing.TB, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestAccessTokenClaims(t *testing.T) { // J07–J11, J19
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) {
			withJWTKey(c)
			c.JWT.Leeway = 30 * time.Second
		}, tokenRoutes)
		good := claimsOf(t, a.apiLogin(aliceEmail).Access)
		now := float64(a.clock.Now().Unix())
		ok := func(name string, change func(jwt.MapClaims)) {
			t.Run(name, func(t *testing.T) { a.withClaims(good, change).want(t, 200) })
		}
		bad := func(name string, change func(jwt.MapClaims)) {
			t.Run(name, func(t *testing.T) { a.withClaims(good, change).isBadToken(t) })
		}
		set := func(claim string, v any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[claim] = v } }
		drop := func(claim string) func(jwt.MapClaims) { return func(c jwt.MapClaims) { delete(c, claim) } }

		ok("unchanged", func(jwt.MapClaims) {})
		ok("exp just within leeway", set("exp", now-29))
		bad("exp at the leeway's edge", set("exp", now-30))
		ok("nbf at the leeway's edge", set("nbf", now+30))
		bad("nbf beyond", set("nbf", now+31))
		bad("iat beyond", set("iat", now+31))
		for _, claim := range []string{"exp", "iat", "jti", "sub", "kind", "iss", "aud", "fam", "fpr"} {
			bad("without "+claim, drop(claim))
			for _, v := range []any{nil, "", []int{1}, map[string]int{}, true} {
				bad(fmt.Sprintf("%s %v", claim, v), set(claim, v))
			}
		}
		print := good["fpr"].(string)
		for _, v := range []string{print[:42], print[:40], print + "A", print + "=", print[:42] + "!", "A" + print[:42], strings.Repeat("A", 43)} {
			bad("fpr "+v, set("fpr", v))
		}
		for _, v := range []any{0, -1, 1e300, "1893553445"} {
			bad(fmt.Sprintf("exp %v", v), set("exp", v))
		}
		for _, v := range []any{"https://issuer.example/", "https://issuer", "HTTPS://issuer.example", []string{jwtIssuer}} {
			bad(fmt.Sprintf("iss %v", v), set("iss", v))
		}
		bad("aud of another", set("aud", "https://other.example"))
		ok("aud among several", set("aud", []string{"https://other.example", jwtAudience}))
		for _, v := range []any{"1=1", "1 OR 1=1", "+1", " 1", "0x1", "01", "1.0", "99999999999999999999", 1, a.bob.AuthID()} {
			bad(fmt.Sprintf("sub %v", v), set("sub", v))
		}
		for _, v := range []string{"refresh", "personal", "Access", "session"} {
			bad("kind "+v, set("kind", v))
		}
		bad("another login's family", set("fam", strings.Repeat("0", 32)))
	})
}

// withClaims asks with a token that has changed claims and a right signature.
func (a *app) withClaims(good jwt.MapClaims, change func(jwt.MapClaims)) *response {
	a.Helper()
	claims := maps.Clone(good)
	change(claims)
	return a.bearing(signed(a.T, "at+jwt", claims)).get("/api/me")
}

func TestBadTokensLookAlike(t *testing.T) { // J01, J04–J06, J10, J12, J16, J17
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, withJWTKey, tokenRoutes)
		good := a.apiLogin(aliceEmail)
		claims := claimsOf(t, good.Access)
		parts := strings.Split(good.Access, ".")
		expired := maps.Clone(claims)
		expired["exp"] = a.clock.Now().Add(-time.Hour).Unix()
		none := jwt.NewWithClaims(jwt.SigningMethodNone, claims)
		none.Header["kid"], none.Header["typ"] = jwtKID, "at+jwt"
		unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
		if err != nil {
			t.Fatal(err)
		}
		header := func(change map[string]any) string {
			token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
			token.Header["kid"], token.Header["typ"] = jwtKID, "at+jwt"
			for k, v := range change {
				token.Header[k] = v
			}
			text, err := token.SignedString([]byte(jwtSecret))
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		var asked atomic.Int32
		listener := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		defer listener.Close()
		for name, token := range map[string]string{
			"garbage": "garbage", "dots": "a.b.c", "two segments": parts[0] + "." + parts[1],
			"four segments": good.Access + ".AAAA", "no signature": parts[0] + "." + parts[1] + ".",
			"alg none": unsigned, "alg none with the signature": unsigned + parts[2],
			"other signature": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
			"padded":          good.Access + "=", "expired": signed(t, "at+jwt", expired),
			"expired with a bad signature": signed(t, "at+jwt", expired)[:len(good.Access)-4] + "AAAA",
			"kid unknown":                  header(map[string]any{"kid": "k2"}), "kid path": header(map[string]any{"kid": "../../dev/null"}),
			"kid SQL": header(map[string]any{"kid": "' OR 1=1 --"}), "kid number": header(map[string]any{"kid": 1}),
			"kid URL": header(map[string]any{"kid": a.srv.URL}), "crit": header(map[string]any{"crit": []string{"exp"}}),
			"jku": header(map[string]any{"jku": listener.URL}), "x5u": header(map[string]any{"x5u": listener.URL, "kid": "x"}),
			"jwk": header(map[string]any{"jwk": map[string]string{"kty": "oct", "k": "AAAA"}}), "x5c": header(map[string]any{"x5c": []string{"AAAA"}}), "typ JWT": header(map[string]any{"typ": "JWT"}),
			"typ missing": header(map[string]any{"typ": nil}), "b64": header(map[string]any{"b64": false}),
			"too long": good.Access + strings.Repeat("A", 9<<10), "refresh token": good.Refresh,
			"the session's cookie": a.loggedIn(aliceEmail).session(),
		} {
			t.Run(name, func(t *testing.T) { a.bearing(token).get("/api/me").isBadToken(t) })
		}
		a.bearing(good.Access).get("/api/me").want(t, 200)
		if asked.Load() != 0 {
			t.Error("a URL in a header was followed")
		}
		a.bearing("garbage").get("/any/me").isBadToken(t)
		if got := a.client().get("/any/me").Header.Get("WWW-Authenticate"); got != `Session realm="web"` {
			t.Errorf("challenge without a token %q", got)
		}
	})
}

func TestBearerTransport(t *testing.T) { // J13
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		token := a.apiLogin(aliceEmail).Access
		get := func(path string, header ...string) *response {
			c := a.client()
			c.header["Authorization"] = header
			return c.get(path)
		}
		get("/api/me", "Bearer "+token).want(t, 200)
		get("/api/me", "bearer "+token).want(t, 200)
		get("/api/me", "BEARER "+token).want(t, 200)
		for _, header := range [][]string{
			{"Bearer"}, {"Bearer "}, {"Bearer  " + token}, {"Bearer\t" + token}, {"Bearer " + token + " b"}, {"Bearer a " + token},
			{token}, {"Token " + token}, {"Bearer " + token, "Bearer " + token}, {"Basic eDp5", "Bearer " + token}, {"Bearer " + token + ","},
		} {
			get("/api/me", header...).is401(t)
		}
		get("/api/me?token=" + token + "&access_token=" + token).is401(t)
		c := a.client()
		c.cookies["token"], c.cookies["access_token"] = token, token
		c.get("/api/me").is401(t)
		if got := a.client().get("/api/me").Header.Get("WWW-Authenticate"); got != "Bearer" {
			t.Errorf("challenge without a token %q", got)
		}
	})
}

func TestTokenFromElsewhere(t *testing.T) {
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.JWT.Source = func(r *http.Request) string { return r.Header.Get("X-Token") }
	}, tokenRoutes)
	token := a.apiLogin(aliceEmail).Access
	c := a.client()
	c.header.Set("X-Token", token)
	c.get("/api/me").want(t, 200)
	a.bearing(token).get("/api/me").is401(t)
}

func TestCookieOfOneBearerOfAnother(t *testing.T) { // J18
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		bob := a.loggedIn(bobEmail)
		bob.header.Set("Authorization", "Bearer "+a.apiLogin(aliceEmail).Access)
		if name := bob.get("/any/me").want(t, 200).name(t); name != "Bob" {
			t.Errorf("%s wins over the guard named first", name)
		}
		if name := bob.get("/bearer/me").want(t, 200).name(t); name != "Alice" {
			t.Errorf("%s is the bearer", name)
		}
		personal := a.personal(a.loggedIn(aliceEmail), "read")
		bob.header.Set("Authorization", "Bearer "+personal.Token)
		bob.get("/read").want(t, 403) // the cookie decided, and it has no abilities
		bob.header.Set("Sec-Fetch-Site", "cross-site")
		bob.do("DELETE", "/tokens/"+personal.ID, "", "").want(t, 403)
	})
}

func TestAccessTokenEnds(t *testing.T) { // S17, J15, P12, R06
	for name, end := range map[string]func(a *app){
		"disabled": func(a *app) {
			a.b.users.change(a.alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		},
		"password changed": func(a *app) { a.b.users.change(a.alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another" }) },
		"expired":          func(a *app) { a.clock.advance(15*time.Minute + 10*time.Second) },
		"all tokens ended": func(a *app) {
			if err := a.m.RevokeTokens(context.Background(), "api", a.alice.AuthID()); err != nil {
				a.Error(err)
			}
		},
		"signed out everywhere": func(a *app) {
			if _, err := a.b.set.Tokens.RevokeOwner(context.Background(), a.clock.Now(), "users:"+a.alice.AuthID(), "", stores.Refresh); err != nil {
				a.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				a := newApp(t, b, nil, tokenRoutes)
				alice, bob := a.apiLogin(aliceEmail), a.apiLogin(bobEmail)
				a.bearing(alice.Access).get("/api/me").want(t, 200)
				end(a)
				a.bearing(alice.Access).get("/api/me").isBadToken(t)
				if name != "expired" {
					a.refresh(alice.Refresh).want(t, 401)
					a.bearing(bob.Access).get("/api/me").want(t, 200)
				}
			})
		})
	}
}

func TestRevokeSignedToken(t *testing.T) { // J14, J15
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, withJWTKey, tokenRoutes)
		other := newSibling(a, withJWTKey)
		ctx := context.Background()
		p := a.apiLogin(aliceEmail)
		forged := claimsOf(t, p.Access)
		unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, forged).SignedString(jwt.UnsafeAllowNoneSignatureType)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := a.m.JWT().Revoke(ctx, unsigned); ginauth.StatusOf(err) != 401 {
				t.Fatalf("revoking an unsigned token: %v", err)
			}
		}
		a.bearing(p.Access).get("/api/me").want(t, 200)
		if err := a.m.JWT().Revoke(ctx, p.Access); err != nil {
			t.Fatal(err)
		}
		if err := a.m.JWT().Revoke(ctx, p.Access); err != nil {
			t.Errorf("revoking again: %v", err)
		}
		a.bearing(p.Access).get("/api/me").isBadToken(t)
		other.bearing(p.Access).get("/api/me").isBadToken(t)
		a.clock.advance(15*time.Minute + 9*time.Second) // a second before it is over
		if p, ok := b.set.Tokens.(stores.Pruner); ok {
			if _, err := p.Prune(ctx, a.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		a.bearing(p.Access).get("/api/me").isBadToken(t)
		a.refresh(p.Refresh).want(t, 200) // the login lives on
	})
}

func TestApplicationTokens(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, tokenRoutes)
		j, ctx := a.m.JWT(), context.Background()
		type invitation struct {
			Team string `json:"team"`
			Role string `json:"role"`
		}
		text, err := j.Encode(ginauth.JWTSpec{Kind: "invitation", Subject: "carol@example.com", Lifetime: time.Hour, Claims: invitation{"red", "admin"}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := j.Decode(ctx, "invitation", text)
		if err != nil {
			t.Fatal(err)
		}
		var got invitation
		if err := d.Claims(&got); err != nil || got != (invitation{"red", "admin"}) || d.Subject != "carol@example.com" {
			t.Errorf("%+v %+v %v", d, got, err)
		}
		if _, err := j.Decode(ctx, "other", text); ginauth.StatusOf(err) != 401 {
			t.Errorf("as another kind: %v", err)
		}
		a.bearing(text).get("/api/me").isBadToken(t)
		if _, err := j.Decode(ctx, "access", a.apiLogin(aliceEmail).Access); ginauth.StatusOf(err) != 401 {
			t.Errorf("an access token as the application's: %v", err)
		}
		if err := j.Revoke(ctx, text); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Decode(ctx, "invitation", text); ginauth.StatusOf(err) != 401 {
			t.Errorf("revoked: %v", err)
		}
		for name, n := range map[string]ginauth.JWTSpec{
			"no kind": {Subject: "x", Lifetime: time.Hour}, "access": {Kind: "access", Subject: "x", Lifetime: time.Hour},
			"no subject": {Kind: "k", Lifetime: time.Hour}, "no lifetime": {Kind: "k", Subject: "x"},
			"reserved claim": {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: map[string]any{"exp": 1}},
			"folded claim":   {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: map[string]any{"SUB": "y"}},
			"no object":      {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: []int{1}},
			"too long":       {Kind: "k", Subject: "x", Lifetime: time.Hour, Claims: map[string]any{"a": strings.Repeat("x", 9<<10)}},
		} {
			if _, err := j.Encode(n); err == nil {
				t.Errorf("%s: a token is made", name)
			}
		}
	})
}

func TestOwnClaims(t *testing.T) { // J19
	eachBackend(t, func(t *testing.T, b *backend) {
		role := "admin"
		type roles struct {
			Role string `json:"role"`
		}
		a := newApp(t, b, func(c *ginauth.Config) {
			c.JWT.Claims = func(_ context.Context, u models.Authenticatable) (any, error) { return roles{role}, nil }
		}, func(a *app, r *gin.Engine) {
			tokenRoutes(a, r)
			r.GET("/role", a.m.Auth("web", "api"), func(c *gin.Context) {
				claims, ok := ginauth.Claims[roles](c)
				c.JSON(200, []any{claims.Role, ok})
			})
		})
		p := a.apiLogin(aliceEmail)
		if got := a.bearing(p.Access).get("/role").want(t, 200).body; got != `["admin",true]` {
			t.Error(got)
		}
		if got := a.loggedIn(aliceEmail).get("/role").want(t, 200).body; got != `["",false]` {
			t.Errorf("a session has claims: %s", got)
		}
		role = "user" // read afresh at the next refresh
		if got := a.bearing(a.refresh(p.Refresh).pair(t).Access).get("/role").body; got != `["user",true]` {
			t.Error(got)
		}
	})
}

// TestHugeTokens checks that what is too long is refused before it is decoded.
func TestHugeTokens(t *testing.T) { // J12
	a := newApp(t, memoryBackend(t), nil, tokenRoutes)
	a.engine.GET("/direct", a.m.Auth("api", "token"), me)
	for _, size := range []int{9 << 10, 64 << 10, 900 << 10} {
		req := httptest.NewRequest("GET", "/direct", nil)
		req.Header.Set("Authorization", "Bearer "+strings.Repeat("A", size/2)+"."+strings.Repeat("A", size/2)+".AAAA")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := httptest.NewRecorder()
		a.engine.ServeHTTP(w, req)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; w.Code != 401 || used > 64<<10 {
			t.Errorf("a token of %d bytes: status %d, %d bytes allocated", size, w.Code, used)
		}
	}
	body := `{"refresh_token":"` + strings.Repeat("A", 1<<20) + `"}`
	a.client().do("POST", "/api/refresh", "application/json", body).want(t, 413)
}

// An event is not made for nobody, and made for whoever hears it: an audit sink
// alone, or a listener alone, also one that came after other logins.
func TestTokenLoginIsHeard(t *testing.T) {
	for name, sink := range map[string]func(*ginauth.Config, *[]events.Event) func(*ginauth.Manager){
		"audit": func(cfg *ginauth.Config, heard *[]events.Event) func(*ginauth.Manager) {
			cfg.Audit = func(_ context.Context, e events.Event) { *heard = append(*heard, e) }
			return func(*ginauth.Manager) { *heard = nil }
		},
		"listener": func(_ *ginauth.Config, heard *[]events.Event) func(*ginauth.Manager) {
			return func(m *ginauth.Manager) {
				ginauth.On(m, func(_ context.Context, e events.Event) { *heard = append(*heard, e) })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			users, alice := newMemoryUsers(), &models.User{Name: "Alice", Email: aliceEmail}
			if err := users.CreateUser(t.Context(), alice); err != nil {
				t.Fatal(err)
			}
			var heard []events.Event
			cfg := ginauth.Config{Users: users}
			listen := sink(&cfg, &heard)
			m, err := ginauth.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			r := gin.New()
			r.POST("/login", m.Guest("api"), func(c *gin.Context) {
				if _, err := ginauth.From(c).Guard("api").LoginUsingID(c.Request.Context(), alice.AuthID()); err != nil {
					ginauth.Abort(c, err)
				}
			})
			logIn := func() {
				w, req := httptest.NewRecorder(), httptest.NewRequest("POST", "/login", nil)
				req.Header.Set("User-Agent", "Mozilla/5.0")
				if r.ServeHTTP(w, req); w.Code != http.StatusOK {
					t.Fatal(w.Code, w.Body)
				}
			}
			logIn()
			listen(m)
			logIn()
			if err := m.Close(context.Background()); err != nil { // which waits for the listeners
				t.Fatal(err)
			}
			if len(heard) != 2 || heard[0].EventName() != "token_created" || heard[1].EventName() != "login" {
				t.Fatalf("heard %+v", heard)
			}
			for _, e := range heard {
				meta := e.EventMeta()
				if meta.Guard != "api" || meta.UserID != alice.AuthID() || meta.Address != "192.0.2.1" || meta.UserAgent != "Mozilla/5.0" || meta.Time.IsZero() {
					t.Errorf("%s: %+v", e.EventName(), meta)
				}
			}
			if created := heard[0].(events.TokenCreated); created.Kind != "refresh" || created.TokenID == "" {
				t.Errorf("%+v", created)
			}
		})
	}
}
