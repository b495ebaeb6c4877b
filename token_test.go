package ginauth_test

import (
	"context"
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
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestTokenLogin(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		p := a.IssueTokens(testapp.Alice)
		if p.TokenType != "Bearer" || p.ExpiresIn != 900 {
			t.Errorf("%+v", p)
		}
		alice := a.Bearer(p.AccessToken)
		if name := alice.Get("/api/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("the token is %q's", name)
		}
		a.Client().Get("/api/me").Want401(t)
		next := a.Refresh(p.RefreshToken).Tokens(t)
		if next.RefreshToken == p.RefreshToken || next.AccessToken == p.AccessToken {
			t.Error("a token came back unchanged")
		}
		a.Bearer(next.AccessToken).Get("/api/me").Want(t, 200)
		alice.Post("/api/logout", nil).Want(t, 204)
		alice.Get("/api/me").WantBadToken(t)
		a.Bearer(next.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(next.RefreshToken).Want(t, 401)
		if n := len(testapp.EventsOf[events.Login](a)); n != 1 {
			t.Errorf("%d Login events", n)
		}
	})
}

func TestTokenLoginRefusals(t *testing.T) { // E01, T08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		wrong := a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, "wrong")).Want(t, 401)
		nobody := a.Client().Post("/api/login", testapp.Credentials("nobody@example.com", "wrong")).Want(t, 401)
		if wrong.Text != nobody.Text {
			t.Errorf("%s and %s", wrong.Text, nobody.Text)
		}
		// The doors of both guards share one count: four are left.
		for range 2 {
			a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
			a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, "wrong")).Want(t, 401)
		}
		a.Client().Post("/api/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 429)
	})
}

func TestAccessTokenClaims(t *testing.T) { // J07–J11, J19
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			testapp.SignByJWTSecret(c)
			c.JWT.Leeway = 30 * time.Second
		}))
		good := testapp.JWTClaims(t, a.IssueTokens(testapp.Alice).AccessToken)
		now := float64(a.Clock.Now().Unix())
		ok := func(name string, change func(jwt.MapClaims)) {
			t.Run(name, func(t *testing.T) { withClaims(a, good, change).Want(t, 200) })
		}
		bad := func(name string, change func(jwt.MapClaims)) {
			t.Run(name, func(t *testing.T) { withClaims(a, good, change).WantBadToken(t) })
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
		for i, v := range []string{print[:42], print[:40], print + "A", print + "=", print[:42] + "!", "A" + print[:42], strings.Repeat("A", 43)} {
			bad(fmt.Sprintf("fpr %d", i), set("fpr", v))
		}
		for _, v := range []any{0, -1, 1e300, "1893553445"} {
			bad(fmt.Sprintf("exp %v", v), set("exp", v))
		}
		for _, v := range []any{"https://issuer.example/", "https://issuer", "HTTPS://issuer.example", []string{testapp.JWTIssuer}} {
			bad(fmt.Sprintf("iss %v", v), set("iss", v))
		}
		bad("aud of another", set("aud", "https://other.example"))
		ok("aud among several", set("aud", []string{"https://other.example", testapp.JWTAudience}))
		for _, v := range []any{"1=1", "1 OR 1=1", "+1", " 1", "0x1", "01", "1.0", "99999999999999999999", 1, a.Bob.AuthID()} {
			bad(fmt.Sprintf("sub %v", v), set("sub", v))
		}
		for _, v := range []string{"refresh", "personal", "Access", "session"} {
			bad("kind "+v, set("kind", v))
		}
		bad("another login's family", set("fam", strings.Repeat("0", 32)))
	})
}

// withClaims asks with a token that has changed claims and a right signature.
func withClaims(a *testapp.App, good jwt.MapClaims, change func(jwt.MapClaims)) *testapp.Response {
	a.Helper()
	claims := maps.Clone(good)
	change(claims)
	return a.Bearer(testapp.ForgeJWT(a, claims, nil)).Get("/api/me")
}

func TestBadTokensLookAlike(t *testing.T) { // J01, J04–J06, J10, J12, J16, J17
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.SignByJWTSecret))
		good := a.IssueTokens(testapp.Alice)
		claims := testapp.JWTClaims(t, good.AccessToken)
		parts := strings.Split(good.AccessToken, ".")
		expired := maps.Clone(claims)
		expired["exp"] = a.Clock.Now().Add(-time.Hour).Unix()
		unsigned := testapp.UnsignedJWT(t, claims)
		header := func(change map[string]any) string { return testapp.ForgeJWT(t, claims, change) }
		var asked atomic.Int32
		listener := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		defer listener.Close()
		for name, token := range map[string]string{
			"garbage": "garbage", "dots": "a.b.c", "two segments": parts[0] + "." + parts[1],
			"four segments": good.AccessToken + ".AAAA", "no signature": parts[0] + "." + parts[1] + ".",
			"alg none": unsigned, "alg none with the signature": unsigned + parts[2],
			"other signature": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
			"padded":          good.AccessToken + "=", "expired": testapp.ForgeJWT(t, expired, nil),
			"expired with a bad signature": testapp.ForgeJWT(t, expired, nil)[:len(good.AccessToken)-4] + "AAAA",
			"kid unknown":                  header(map[string]any{"kid": "k2"}), "kid path": header(map[string]any{"kid": "../../dev/null"}),
			"kid SQL": header(map[string]any{"kid": "' OR 1=1 --"}), "kid number": header(map[string]any{"kid": 1}),
			"kid URL": header(map[string]any{"kid": a.Server.URL}), "crit": header(map[string]any{"crit": []string{"exp"}}),
			"jku": header(map[string]any{"jku": listener.URL}), "x5u": header(map[string]any{"x5u": listener.URL, "kid": "x"}),
			"jwk": header(map[string]any{"jwk": map[string]string{"kty": "oct", "k": "AAAA"}}), "x5c": header(map[string]any{"x5c": []string{"AAAA"}}), "typ JWT": header(map[string]any{"typ": "JWT"}),
			"typ missing": header(map[string]any{"typ": nil}), "b64": header(map[string]any{"b64": false}),
			"too long": good.AccessToken + strings.Repeat("A", 9<<10), "refresh token": good.RefreshToken,
			"the session's cookie": a.LoggedIn(testapp.Alice).Session(),
		} {
			t.Run(name, func(t *testing.T) { a.Bearer(token).Get("/api/me").WantBadToken(t) })
		}
		a.Bearer(good.AccessToken).Get("/api/me").Want(t, 200)
		if asked.Load() != 0 {
			t.Error("a URL in a header was followed")
		}
		a.Bearer("garbage").Get("/any/me").WantBadToken(t)
		if got := a.Client().Get("/any/me").Header.Get("WWW-Authenticate"); got != `Session realm="web"` {
			t.Errorf("challenge without a token %q", got)
		}
	})
}

func TestBearerTransport(t *testing.T) { // J13
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		token := a.IssueTokens(testapp.Alice).AccessToken
		get := func(path string, header ...string) *testapp.Response {
			c := a.Client()
			c.Header["Authorization"] = header
			return c.Get(path)
		}
		get("/api/me", "Bearer "+token).Want(t, 200)
		get("/api/me", "bearer "+token).Want(t, 200)
		get("/api/me", "BEARER "+token).Want(t, 200)
		for _, header := range [][]string{
			{"Bearer"}, {"Bearer "}, {"Bearer  " + token}, {"Bearer\t" + token}, {"Bearer " + token + " b"}, {"Bearer a " + token},
			{token}, {"Token " + token}, {"Bearer " + token, "Bearer " + token}, {"Basic eDp5", "Bearer " + token}, {"Bearer " + token + ","},
		} {
			get("/api/me", header...).Want401(t)
		}
		get("/api/me?token=" + token + "&access_token=" + token).Want401(t)
		c := a.Client()
		c.Cookies["token"], c.Cookies["access_token"] = token, token
		c.Get("/api/me").Want401(t)
		if got := a.Client().Get("/api/me").Header.Get("WWW-Authenticate"); got != "Bearer" {
			t.Errorf("challenge without a token %q", got)
		}
	})
}

func TestTokenFromElsewhere(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.JWT.Source = func(r *http.Request) string { return r.Header.Get("X-Token") }
	}))
	token := a.IssueTokens(testapp.Alice).AccessToken
	c := a.Client()
	c.Header.Set("X-Token", token)
	c.Get("/api/me").Want(t, 200)
	a.Bearer(token).Get("/api/me").Want401(t)
}

func TestCookieOfOneBearerOfAnother(t *testing.T) { // J18
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		bob := a.LoggedIn(testapp.Bob)
		bob.Header.Set("Authorization", "Bearer "+a.IssueTokens(testapp.Alice).AccessToken)
		if name := bob.Get("/any/me").Want(t, 200).UserName(t); name != "Bob" {
			t.Errorf("%s wins over the guard named first", name)
		}
		if name := bob.Get("/bearer/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("%s is the bearer", name)
		}
		personal := a.LoggedIn(testapp.Alice).Personal("read")
		bob.Header.Set("Authorization", "Bearer "+personal.Text)
		bob.Get("/ability/read").Want(t, 403) // the cookie decided, and it has no abilities
		bob.Header.Set("Sec-Fetch-Site", "cross-site")
		bob.Do("DELETE", "/tokens/"+personal.ID, "", "").Want(t, 403)
	})
}

func TestAccessTokenEnds(t *testing.T) { // S17, J15, P12, R06
	for name, end := range map[string]func(a *testapp.App){
		"disabled": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { now := time.Now(); u.DisabledAt = &now })
		},
		"password changed": func(a *testapp.App) {
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another" })
		},
		"expired": func(a *testapp.App) { a.Clock.Advance(15*time.Minute + 10*time.Second) },
		"all tokens ended": func(a *testapp.App) {
			if err := a.RevokeTokens(context.Background(), "api", a.Alice.AuthID()); err != nil {
				a.Error(err)
			}
		},
		"signed out everywhere": func(a *testapp.App) {
			if _, err := a.Backend.Set.Tokens.RevokeOwner(context.Background(), a.Clock.Now(), "users:"+a.Alice.AuthID(), "", stores.Refresh); err != nil {
				a.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := testapp.New(t, b)
				alice, bob := a.IssueTokens(testapp.Alice), a.IssueTokens(testapp.Bob)
				a.Bearer(alice.AccessToken).Get("/api/me").Want(t, 200)
				end(a)
				a.Bearer(alice.AccessToken).Get("/api/me").WantBadToken(t)
				if name != "expired" {
					a.Refresh(alice.RefreshToken).Want(t, 401)
					a.Bearer(bob.AccessToken).Get("/api/me").Want(t, 200)
				}
			})
		})
	}
}

func TestRevokeSignedToken(t *testing.T) { // J14, J15
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.SignByJWTSecret))
		other := a.Sibling(testapp.SignByJWTSecret)
		ctx := context.Background()
		p := a.IssueTokens(testapp.Alice)
		unsigned := testapp.UnsignedJWT(t, testapp.JWTClaims(t, p.AccessToken))
		for range 100 {
			if err := a.JWT().Revoke(ctx, unsigned); ginauth.StatusOf(err) != 401 {
				t.Fatalf("revoking an unsigned token: %v", err)
			}
		}
		a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
		if err := a.JWT().Revoke(ctx, p.AccessToken); err != nil {
			t.Fatal(err)
		}
		if err := a.JWT().Revoke(ctx, p.AccessToken); err != nil {
			t.Errorf("revoking again: %v", err)
		}
		a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		other.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		a.Clock.Advance(15*time.Minute + 9*time.Second) // a second before it is over
		if p, ok := b.Set.Tokens.(stores.Pruner); ok {
			if _, err := p.Prune(ctx, a.Clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		a.Bearer(p.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(p.RefreshToken).Want(t, 200) // the login lives on
	})
}

func TestApplicationTokens(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		j, ctx := a.JWT(), context.Background()
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
		a.Bearer(text).Get("/api/me").WantBadToken(t)
		if _, err := j.Decode(ctx, "access", a.IssueTokens(testapp.Alice).AccessToken); ginauth.StatusOf(err) != 401 {
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
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		role := "admin"
		type roles struct {
			Role string `json:"role"`
		}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.JWT.Claims = func(_ context.Context, u models.Authenticatable) (any, error) { return roles{role}, nil }
		}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/role", a.Auth("web", "api"), func(c *gin.Context) {
				claims, ok := ginauth.Claims[roles](c)
				c.JSON(200, []any{claims.Role, ok})
			})
		}))
		p := a.IssueTokens(testapp.Alice)
		if got := a.Bearer(p.AccessToken).Get("/role").Want(t, 200).Text; got != `["admin",true]` {
			t.Error(got)
		}
		if got := a.LoggedIn(testapp.Alice).Get("/role").Want(t, 200).Text; got != `["",false]` {
			t.Errorf("a session has claims: %s", got)
		}
		role = "user" // read afresh at the next refresh
		if got := a.Bearer(a.Refresh(p.RefreshToken).Tokens(t).AccessToken).Get("/role").Text; got != `["user",true]` {
			t.Error(got)
		}
	})
}

// TestHugeTokens checks that what is too long is refused before it is decoded.
func TestHugeTokens(t *testing.T) { // J12
	a := testapp.New(t, testapp.Memory(t))
	a.Engine.GET("/direct", a.Auth("api", "token"), testapp.Me)
	for _, size := range []int{9 << 10, 64 << 10, 900 << 10} {
		req := httptest.NewRequest("GET", "/direct", nil)
		req.Header.Set("Authorization", "Bearer "+strings.Repeat("A", size/2)+"."+strings.Repeat("A", size/2)+".AAAA")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := httptest.NewRecorder()
		a.Engine.ServeHTTP(w, req)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; w.Code != 401 || used > 64<<10 {
			t.Errorf("a token of %d bytes: status %d, %d bytes allocated", size, w.Code, used)
		}
	}
	body := `{"refresh_token":"` + strings.Repeat("A", 1<<20) + `"}`
	a.Client().Do("POST", "/api/refresh", "application/json", body).Want(t, 413)
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
			users, alice := new(ginauthtest.Users), &models.User{Name: "Alice", Email: testapp.Alice}
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
