package experiments_test

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
	"github.com/ginauth/ginauth/internal/testapp"
	signed "github.com/ginauth/ginauth/jwt"
)

func TestAccessTokenWithOtherClaimsIsRefused(t *testing.T) { // J07–J11, J19
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

// TestTokensAreOfOneKind presents every kind of token at every place that takes one.
func TestTokensAreOfOneKind(t *testing.T) { // J10, S19
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
		own, err := a.JWT().Encode(signed.Spec{Kind: "invitation", Subject: a.Alice.AuthID(), Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]string{
			"access": p.AccessToken, "refresh": p.RefreshToken, "personal": alice.Personal("read").Text, "session": alice.Session(),
			"device": alice.Cookies[testapp.DeviceCookie], "form": alice.Get(testapp.FormTokenPath).Want(t, 200).Text, "application": own, "none": "",
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

// TestHugeTokensAreRefusedUnread checks that what is too long is refused before it is decoded.
func TestHugeTokensAreRefusedUnread(t *testing.T) { // J12
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
