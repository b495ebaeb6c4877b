package bench_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

func jwtJobs() []job {
	return []job{
		{name: "jwt-first", sides: []side{{"ginauth", openFirst}, {"gin-jwt", openGinJWTFirst}}},
		{name: "jwt-seen", modes: growth, sides: []side{
			{"ginauth", openSeen},
			{"gin-jwt", openGinJWT},
			{"golang-jwt", openGolangJWT},
			{"hmac-json", openHMAC(true)},
			{"hmac", openHMAC(false)},
		}},
		{name: "jwt-issue", sides: []side{{"ginauth", openIssue}, {"gin-jwt", openGinJWTIssue}}},
		{name: "jwt-sign", sides: []side{{"ginauth", openSign}, {"golang-jwt", openGolangJWTSign}}},
	}
}

// tokenApp is an application whose logins are JWTs.
type tokenApp struct {
	http.Handler
	auth *ginauth.Manager
}

// newTokenApp returns an application on the given stores. All applications have
// the same key, so each accepts the tokens of the others.
func newTokenApp(tb testing.TB, set stores.Set) tokenApp {
	auth := newAuth(tb, ginauth.Config{Stores: set})
	r := newEngine()
	r.POST("/login/:user", auth.Guest("api"), func(c *gin.Context) {
		res, err := ginauth.From(c).Guard("api").LoginUsingID(c.Request.Context(), c.Param("user"))
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(http.StatusOK, res.Tokens)
	})
	r.GET("/me", auth.Auth("api"), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		c.Writer.WriteHeader(http.StatusOK)
		_, _ = c.Writer.WriteString(u.AuthID())
	})
	return tokenApp{r, auth}
}

func memoryStores(tb testing.TB) stores.Set {
	set := memstore.New(memstore.Options{})
	tb.Cleanup(func() { _ = set.Close() })
	return set
}

// accessToken logs a client in and returns its access token.
func accessToken(tb testing.TB, handler http.Handler, client int) string {
	tb.Helper()
	w := send(handler, "POST", "/login/"+userID(client), client, nil)
	var pair struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &pair); err != nil || w.Code != http.StatusOK || pair.AccessToken == "" {
		tb.Fatalf("login: %d %q, %v", w.Code, w.Body, err)
	}
	return pair.AccessToken
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// tokenRequests logs n clients in and returns one request for each.
func tokenRequests(tb testing.TB, handler http.Handler, n int) []expectation {
	requests := make([]expectation, n)
	for i := range requests {
		requests[i] = expectation{newRequest("GET", "/me", i, bearer(accessToken(tb, handler, i))), userID(i)}
	}
	return requests
}

// openSeen uses the same tokens repeatedly.
func openSeen(tb testing.TB) target {
	app := newTokenApp(tb, stores.Set{})
	t := serve(app, tokenRequests(tb, app, clients))
	t.check = func(tb testing.TB) {
		checkTokens(tb, app)
		token := accessToken(tb, app, 9)
		want(tb, app, "GET", "/me", bearer(token), http.StatusOK, userID(9))
		if err := app.auth.Revoke(context.Background(), token); err != nil {
			tb.Fatal(err)
		}
		want(tb, app, "GET", "/me", bearer(token), http.StatusUnauthorized, anyBody)
	}
	return t
}

// firstTokens is the number of tokens that are used in turn if each must be
// new.
func firstTokens(tb testing.TB) int {
	if isBenchmark(tb) {
		return 4096
	}
	return clients
}

// openFirst never uses a token twice with the same manager. It creates as many
// managers as needed, all on the same stores.
func openFirst(tb testing.TB) target {
	set := memoryStores(tb)
	issuer := newTokenApp(tb, set)
	requests := tokenRequests(tb, issuer, firstTokens(tb))
	var apps []tokenApp
	var shown atomic.Int64
	return target{
		prepare: func(tb testing.TB, times int) {
			apps = make([]tokenApp, times/len(requests)+1)
			for i := range apps {
				apps[i] = newTokenApp(tb, set)
			}
			shown.Store(0)
		},
		worker: func() func() bool {
			var c conversation
			return func() bool {
				i := int(shown.Add(1)) - 1
				return c.ask(apps[i/len(requests)], &requests[i%len(requests)])
			}
		},
		check: func(tb testing.TB) { checkTokens(tb, issuer) },
	}
}

// checkTokens checks that a token identifies its user, and that forged and
// missing tokens are refused.
func checkTokens(tb testing.TB, handler http.Handler) {
	tb.Helper()
	token := accessToken(tb, handler, 5)
	want(tb, handler, "GET", "/me", bearer(token), http.StatusOK, userID(5))
	last := token[len(token)-2:]
	forged := token[:len(token)-2] + map[bool]string{true: "BA", false: "AA"}[last == "AA"]
	want(tb, handler, "GET", "/me", bearer(forged), http.StatusUnauthorized, anyBody)
	want(tb, handler, "GET", "/me", nil, http.StatusUnauthorized, anyBody)
}

// openIssue responds with an access token and a refresh token.
func openIssue(tb testing.TB) target {
	app := newTokenApp(tb, stores.Set{})
	t := serve(app, issueRequests(tb))
	t.check = func(tb testing.TB) { checkTokens(tb, app) }
	return t
}

// issueRequests logs in many users, so that each has few logins, as users have.
func issueRequests(tb testing.TB) []expectation {
	n := clients
	if isBenchmark(tb) {
		n = 16384
	}
	requests := make([]expectation, n)
	for i := range requests {
		requests[i] = expectation{newRequest("POST", "/login/"+userID(i), i, nil), anyBody}
	}
	return requests
}

// openSign signs a token with the claims of gin-jwt's access token.
func openSign(tb testing.TB) target {
	auth := newAuth(tb, ginauth.Config{})
	claims := struct {
		Role string `json:"role"`
	}{"member"}
	sign := func() (string, error) {
		return auth.JWT().Encode(jwt.Spec{Kind: "bench", Subject: "100000", Lifetime: time.Hour, Claims: claims})
	}
	return target{
		worker: func() func() bool {
			return func() bool {
				token, err := sign()
				return err == nil && token != ""
			}
		},
		check: func(tb testing.TB) {
			token, err := sign()
			if err != nil {
				tb.Fatal(err)
			}
			got, err := auth.JWT().Decode(context.Background(), "bench", token)
			if err != nil || got.Subject != "100000" {
				tb.Errorf("decoded %v, %v", got, err)
			}
		},
	}
}
