package social_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

const invalid = "social_attempt_invalid"

// stranger checks that a response logged nobody in.
func (a *app) stranger(t *testing.T, c *testapp.Client) {
	t.Helper()
	c.Get("/me").Want(t, 401)
}

// TestStates sends a state that is forged, replayed, swapped or another browser's.
func TestStates(t *testing.T) {
	a := start(t, testapp.Memory(t), func(_ *social.Options, c *ginauth.Config) { c.Throttle.InsecureDisable = true })
	c := a.Client()
	first, second := a.begin(t, c, "one", "login"), a.begin(t, c, "one", "login")
	q1, q2 := agree(t, first, carol), agree(t, second, dave)
	with := func(q url.Values, name, value string) url.Values {
		changed := url.Values{}
		for n, v := range q {
			changed[n] = v
		}
		changed[name] = strings.Fields(value)
		return changed
	}
	for _, state := range []string{"", "x", strings.Repeat("a", 43), q1.Get("state") + "=", q1.Get("state") + " " + q1.Get("state")} {
		wantCode(t, a.callback(c, "one", with(q1, "state", state)), 400, invalid)
	}
	// Login CSRF: the attacker's response in the victim's browser.
	victim := a.Client()
	wantCode(t, a.callback(victim, "one", q1), 400, invalid)
	_ = a.begin(t, victim, "one", "login")
	wantCode(t, a.callback(victim, "one", q1), 400, invalid)
	a.stranger(t, victim)
	// The response of one provider at the callback of the other.
	wantCode(t, a.callback(c, "two", q1), 400, invalid)
	// Swapped codes: each belongs to the verifier of its own attempt.
	wantCode(t, a.callback(c, "one", with(q1, "code", q2.Get("code"))), 401, "social_refused")
	wantCode(t, a.callback(c, "one", q1), 400, invalid)          // the state was used
	wantCode(t, a.callback(c, "one", q2), 401, "social_refused") // and so was the code
	a.stranger(t, c)

	// A complete login cannot be repeated, also with the cookie that was kept.
	at := a.begin(t, c, "one", "login")
	kept := c.Copy()
	q := agree(t, at, carol)
	a.callback(c, "one", q).Want(t, 200)
	wantCode(t, a.callback(kept, "one", q), 400, invalid)
	fresh := with(q, "code", a.one.Code(carol, testapp.BaseURL+"/auth/one/callback", at.Query().Get("nonce"), at.Query().Get("code_challenge")))
	wantCode(t, a.callback(kept, "one", fresh), 400, invalid)
	// Ten minutes.
	late := a.begin(t, c, "one", "login")
	q = agree(t, late, carol)
	a.Clock.Advance(10*time.Minute + time.Second)
	wantCode(t, a.callback(c, "one", q), 400, invalid)
	// Parameters that occur twice, or are too long.
	q = agree(t, a.begin(t, c, "one", "login"), carol)
	q.Add("code", "x")
	wantCode(t, a.callback(c, "one", q), 400, invalid)
	wantCode(t, a.callback(c, "one", url.Values{"state": {strings.Repeat("a", 43)}, "code": {strings.Repeat("a", 5000)}}), 400, invalid)
}

// TestTabs begins more logins than a browser keeps.
func TestTabs(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	var all []url.Values
	for range 7 {
		a.Clock.Advance(time.Second)
		all = append(all, agree(t, a.begin(t, c, "one", "login"), carol))
	}
	cookies := 0
	for name, value := range c.Cookies {
		if strings.HasPrefix(name, "__Host-ginauth_social_") {
			cookies++
			if len(value) > 1000 {
				t.Errorf("a cookie of %d bytes", len(value))
			}
		}
	}
	if cookies != 5 {
		t.Errorf("%d cookies", cookies)
	}
	for i, q := range all {
		if r := a.callback(c, "one", q); (r.StatusCode == 200) != (i >= 2) {
			t.Errorf("tab %d: status %d", i, r.StatusCode)
		}
	}
	// The cookies of somebody who makes them up are removed.
	c.Cookies["__Host-ginauth_social_0000000000000000"] = "x"
	a.begin(t, c, "one", "login")
	if c.Cookies["__Host-ginauth_social_0000000000000000"] != "" {
		t.Error("the cookie is kept")
	}
}

// TestMixUp sends the response of one provider where another was asked, and responses without issuer (RFC 9207).
func TestMixUp(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	q := agree(t, a.begin(t, c, "one", "login"), carol)
	q.Set("iss", a.two.Issuer)
	wantCode(t, a.callback(c, "one", q), 401, "social_refused")
	q = agree(t, a.begin(t, c, "one", "login"), carol)
	q.Del("iss") // the provider says that it always sends it
	wantCode(t, a.callback(c, "one", q), 401, "social_refused")
	q = agree(t, a.begin(t, c, "one", "login"), carol)
	wantCode(t, a.callback(c, "two", q), 400, invalid)
	if n := a.two.Calls("/token"); n != 0 {
		t.Errorf("the other provider got %d codes", n)
	}
	if n := a.one.Calls("/token"); n != 0 {
		t.Errorf("a code was redeemed %d times", n)
	}
	a.stranger(t, c)
}

// TestIDTokens changes the ID token in each way that has to be noticed.
func TestIDTokens(t *testing.T) {
	a := start(t, testapp.Memory(t), func(_ *social.Options, c *ginauth.Config) { c.Throttle.InsecureDisable = true })
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(a.one.PublicKey()))})
	claim := func(name string, value any) func(*socialtest.Token) {
		return func(t *socialtest.Token) { t.Claims[name] = value }
	}
	now := a.Clock.Now()
	for name, change := range map[string]func(*socialtest.Token){
		"no nonce":         func(t *socialtest.Token) { delete(t.Claims, "nonce") },
		"wrong nonce":      claim("nonce", strings.Repeat("a", 43)),
		"empty nonce":      claim("nonce", ""),
		"other issuer":     claim("iss", a.two.Issuer),
		"no issuer":        func(t *socialtest.Token) { delete(t.Claims, "iss") },
		"other audience":   claim("aud", "another"),
		"app's audience":   claim("aud", "app-1"), // only for apps
		"no audience":      func(t *socialtest.Token) { delete(t.Claims, "aud") },
		"two, without azp": claim("aud", []string{a.one.ClientID, "another"}),
		"other azp":        claim("azp", "another"),
		"azp is no text":   claim("azp", 1),
		"expired":          claim("exp", now.Add(-time.Second).Unix()),
		"no expiry":        func(t *socialtest.Token) { delete(t.Claims, "exp") },
		"old":              claim("iat", now.Add(-time.Hour).Unix()),
		"from the future":  claim("iat", now.Add(time.Hour).Unix()),
		"not yet valid":    claim("nbf", now.Add(time.Hour).Unix()),
		"other at_hash":    claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"no subject":       func(t *socialtest.Token) { delete(t.Claims, "sub") },
		"long subject":     claim("sub", strings.Repeat("a", 256)),
		"bad subject":      claim("sub", "a\x00b"),
		"alg none": func(t *socialtest.Token) {
			t.Method, t.Key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
		},
		"key confusion": func(t *socialtest.Token) { t.Method, t.Key = jwt.SigningMethodHS256, public },
		"client secret": func(t *socialtest.Token) { t.Method, t.Key = jwt.SigningMethodHS256, []byte(secret) },
		"other key":     func(t *socialtest.Token) { t.Method, t.Key = jwt.SigningMethodES256, a.one.OtherKey() },
		"unknown key":   func(t *socialtest.Token) { t.Header["kid"] = "2" },
		"embedded key": func(t *socialtest.Token) {
			t.Header["jwk"] = map[string]any{"kty": "oct", "k": "AAAA"}
			t.Method, t.Key = jwt.SigningMethodES256, a.one.OtherKey()
		},
	} {
		t.Run(name, func(t *testing.T) {
			a.one.Tamper(change)
			c := a.Client()
			wantCode(t, a.signIn(t, c, carol), 401, "social_refused")
			a.stranger(t, c)
		})
	}
	a.one.Tamper(func(t *socialtest.Token) {
		t.Claims["aud"], t.Claims["azp"] = []string{"x", a.one.ClientID}, a.one.ClientID
	})
	a.signIn(t, a.Client(), carol).Want(t, 200)
	a.one.Tamper(nil)
	if n := a.Backend.Users.Count(); n != 3 {
		t.Errorf("%d users", n)
	}
	if log := a.Logs.String(); strings.Contains(log, "CANARY") {
		t.Error("a secret is in the log")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestBrokenProviders asks providers that are down, slow or answer something else.
func TestBrokenProviders(t *testing.T) {
	a := start(t, testapp.Memory(t), func(_ *social.Options, c *ginauth.Config) { c.Throttle.InsecureDisable = true })
	for name, answer := range map[string]http.HandlerFunc{
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>access_token=CANARY"))
		},
		"text": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte("<html>CANARY"))
		},
		"status 500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "CANARY", 500) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, a.two.Issuer+"/token", http.StatusTemporaryRedirect)
		},
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("a", 2<<20) + `"}`))
		},
		"empty": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			a.one.AnswerTokens(answer)
			c := a.Client()
			r := a.signIn(t, c, carol).Want(t, 503)
			if strings.Contains(r.Text, "CANARY") {
				t.Error(r.Text)
			}
			a.stranger(t, c)
		})
	}
	if a.two.Calls("/token") != 0 {
		t.Error("a redirect of the token endpoint was followed")
	}
	a.one.AnswerTokens(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"CANARY"}`))
	})
	wantCode(t, a.signIn(t, a.Client(), carol), 401, "social_refused")
	a.one.AnswerTokens(nil)

	// Without an ID token.
	a.one.AnswerTokens(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"x","token_type":"Bearer"}`))
	})
	wantCode(t, a.signIn(t, a.Client(), carol), 401, "social_refused")
	a.one.AnswerTokens(nil)
	a.signIn(t, a.Client(), carol).Want(t, 200)
	if strings.Contains(a.Logs.String(), "CANARY") {
		t.Error("what the provider said is in the log")
	}
	a.one.server.Close()
	c := a.Client()
	q := url.Values{}
	{
		var got target
		c.Post("/auth/one", nil).Want(t, 200).JSON(t, &got) // it is known already
		u := must(url.Parse(got.URL))
		q.Set("state", u.Query().Get("state"))
		q.Set("code", "x")
		q.Set("iss", a.one.Issuer)
	}
	a.callback(c, "one", q).Want(t, 503)
	a.two.server.Close()
	a.Client().Post("/auth/two", nil).Want(t, 503).WantNoCookies(t)
}

// TestSlowProvider lets the client disconnect, whose request then ends.
func TestSlowProvider(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	q := agree(t, a.begin(t, c, "one", "login"), carol)
	arrived := make(chan struct{})
	ended := make(chan struct{})
	a.one.AnswerTokens(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // a server notices that its client has gone once it has read the body
		close(arrived)
		<-r.Context().Done() // ends with the request of the application
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := c.Try(ctx, http.MethodGet, "/auth/one/callback?"+q.Encode(), "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	<-ended
}

// TestParallelFirstLogins registers one user, however many logins arrive at once.
func TestParallelFirstLogins(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		oneUser(t, start(t, b, unlimited), carol)
	})
	oneUser(t, start(t, testapp.Memory(t), unlimited), dave) // without an address, which would be taken
}

func unlimited(_ *social.Options, c *ginauth.Config) { c.Throttle.InsecureDisable = true }

// oneUser checks that parallel first logins of a subject make one user.
func oneUser(t *testing.T, a *app, subject string) {
	n := 200
	if testing.Short() {
		n = 40
	}
	before := a.Backend.Users.Count()
	clients, queries := make([]*testapp.Client, n), make([]url.Values, n)
	for i := range clients {
		clients[i] = a.Client()
		queries[i] = agree(t, a.begin(t, clients[i], "one", "login"), subject)
	}
	var ok atomic.Int32
	a.Race(n, func(i int) {
		switch r := a.callback(clients[i], "one", queries[i]); r.StatusCode {
		case 200:
			ok.Add(1)
		case 409, 503: // it waited too long
		default:
			t.Errorf("status %d: %s", r.StatusCode, r.Text)
		}
	})
	if got := a.Backend.Users.Count() - before; got != 1 || ok.Load() == 0 {
		t.Errorf("%d users, %d logins", got, ok.Load())
	}
	testapp.WantEvents[events.Registered](a.App, 1)
}

// TestLinkIsBoundToTheUser begins a link as one user and completes it as another.
func TestLinkIsBoundToTheUser(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	q := agree(t, a.begin(t, c, "one", "link"), carol)
	c.Post("/logout", nil).Want(t, 204)
	wantCode(t, a.callback(c, "one", q), 400, invalid)
	c = a.LoggedIn(testapp.Alice)
	q = agree(t, a.begin(t, c, "one", "link"), carol)
	c.LogIn(testapp.Bob, testapp.Password).Want(t, 200)
	wantCode(t, a.callback(c, "one", q), 400, invalid)
	if list := a.identities(t, c); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	// The attacker's response to a link in the browser of a user who is logged in.
	a.verify(a.Bob)
	evil := a.LoggedIn(testapp.Bob)
	q = agree(t, a.begin(t, evil, "one", "link"), mallory)
	victim := a.LoggedIn(testapp.Alice)
	wantCode(t, a.callback(victim, "one", q), 400, invalid)
}

// verify verifies a user's address.
func (a *app) verify(u *models.User) {
	now := a.Clock.Now()
	a.Backend.Users.Change(u.AuthID(), func(u *models.User) { u.EmailVerifiedAt = &now })
}

// TestLinkBeforeTheAddressIsProved links an identity to an account whose address somebody else owns (N05).
func TestLinkBeforeTheAddressIsProved(t *testing.T) {
	a := start(t, testapp.Memory(t))
	evil := a.LoggedIn(testapp.Bob) // registered, and never verified
	evil.Post("/auth/one", map[string]string{"for": "link"}).Want(t, 403)
	// The attempt was begun while the address was verified, and is completed when it is not.
	a.verify(a.Bob)
	q := agree(t, a.begin(t, evil, "one", "link"), mallory)
	a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
	a.callback(evil, "one", q).Want(t, 403)
	if err := a.Reset(testapp.Bob, a.ResetToken(testapp.Bob), testapp.NewPassword); err != nil {
		t.Fatal(err)
	}
	n := a.Client()
	a.signIn(t, n, mallory).Want(t, 200)
	if name := n.Get("/me").UserName(t); name == "Bob" {
		t.Errorf("the stranger is %s", name)
	}
}

// TestLinkNeedsTheStrongestProof links and unlinks by a login that has proved a password and a trusted device only.
func TestLinkNeedsTheStrongestProof(t *testing.T) {
	a := start(t, testapp.Memory(t), func(o *social.Options, c *ginauth.Config) {
		c.Features = append(c.Features, pinned{})
		o.Proof = func(string, *social.Profile) (factor.Level, []string) { return factor.LevelTwo, []string{"otp"} }
	})
	right := func(context.Context, string, models.Authenticatable) (bool, error) { return true, nil }
	a.Engine.POST("/pin", a.StartSession(), func(c *gin.Context) {
		res, err := ginauth.From(c).AnswerChallenge(c.Request.Context(), "", "pin", right, factor.TrustDevice())
		testapp.Answer(c, res, err)
	})
	c := a.Client()
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	c.Post("/pin", nil).Want(t, 204)
	a.callback(c, "one", agree(t, a.begin(t, c, "one", "link"), carol)).Want(t, 204)
	c.Post("/logout", nil).Want(t, 204)
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	c.Get("/me").Want(t, 200) // the device is trusted
	for _, r := range []*testapp.Response{
		c.Post("/auth/one", map[string]string{"for": "link"}), c.Delete("/identities/" + a.identities(t, c)[0].ID),
	} {
		if r.Want(t, 403); !strings.Contains(r.Text, "step_up_required") {
			t.Error(r.Text)
		}
	}
}

// heldIdentities holds the storing of an identity.
type heldIdentities struct {
	stores.Identities
	hold *testapp.Hold
}

func (h *heldIdentities) CreateIdentity(ctx context.Context, i stores.Identity) error {
	h.hold.Wait()
	return h.Identities.CreateIdentity(ctx, i)
}

// TestNoLinkAfterTheLoginEnded ends all logins of a user while one of them links an identity: none is linked.
func TestNoLinkAfterTheLoginEnded(t *testing.T) {
	b := testapp.Memory(t)
	held := &heldIdentities{b.Set.Identities, testapp.NewHold()}
	b.Set.Identities = held
	a := start(t, b, func(_ *social.Options, c *ginauth.Config) { c.StoreTimeout = time.Minute })
	c := a.LoggedIn(testapp.Alice)
	q := agree(t, a.begin(t, c, "one", "link"), carol)
	done := make(chan *testapp.Response)
	go func() { done <- a.callback(c, "one", q) }()
	held.hold.Arrived()
	if err := a.RevokeUser(t.Context(), "web", a.Alice.AuthID()); err != nil {
		t.Fatal(err)
	}
	held.hold.Release()
	(<-done).Want(t, 401)
	if list, err := b.Set.Identities.IdentitiesOf(t.Context(), a.App.Owner("web", a.Alice.AuthID())); err != nil || len(list) != 0 {
		t.Errorf("linked: %+v, error %v", list, err)
	}
	testapp.WantEvents[social.IdentityLinked](a.App, 0)
}

// TestIdentityOfDeletedUser gives the identifier of a deleted user to another one.
func TestIdentityOfDeletedUser(t *testing.T) {
	a := start(t, testapp.SQLite(t))
	a.verify(a.Bob)
	c := a.LoggedIn(testapp.Bob)
	a.callback(c, "one", agree(t, a.begin(t, c, "one", "link"), carol)).Want(t, 204)
	id := a.Bob.AuthID()
	a.Backend.Users.Remove(id)
	a.signIn(t, a.Client(), carol).Want(t, 401)
	again := a.AddUser("Eve", "eve@example.com", testapp.Password, func(u *models.User) { u.ID = a.Bob.ID })
	if again.AuthID() != id {
		t.Fatalf("identifier %s", again.AuthID())
	}
	n := a.Client()
	a.signIn(t, n, carol).Want(t, 200)
	if name := n.Get("/me").UserName(t); name != "Carol" {
		t.Errorf("logged in as %q", name)
	}
}

// TestDisabledUser is refused as everywhere.
func TestDisabledUser(t *testing.T) {
	a := start(t, testapp.Memory(t), linkVerified)
	a.signIn(t, a.Client(), alice).Want(t, 200)
	a.Disable(a.Alice)
	c := a.Client()
	a.signIn(t, c, alice).Want(t, 401)
	a.stranger(t, c)
}

// TestNoRegistration refuses who has no account.
func TestNoRegistration(t *testing.T) {
	a := start(t, testapp.Memory(t), func(o *social.Options, _ *ginauth.Config) { o.NoRegistration = true })
	wantCode(t, a.signIn(t, a.Client(), carol), 403, "social_no_account")
	c := a.LoggedIn(testapp.Alice)
	a.callback(c, "one", agree(t, a.begin(t, c, "one", "link"), carol)).Want(t, 204)
	a.signIn(t, a.Client(), carol).Want(t, 200)
}

// TestGuessesAreThrottled sends made-up responses.
func TestGuessesAreThrottled(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	for i := range 31 {
		r := a.callback(c, "one", url.Values{"state": {strings.Repeat("a", 43)}, "code": {"x"}})
		if want := 400; i == 30 {
			r.Want(t, 429)
		} else {
			r.Want(t, want)
		}
	}
}
