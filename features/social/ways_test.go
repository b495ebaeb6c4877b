package social_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/oauth2"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// TestLastWayStays unlinks what a user without a password logs in with.
func TestLastWayStays(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, func(_ *social.Options, c *ginauth.Config) { c.Throttle.InsecureDisable = true })
		c := a.Client()
		a.signIn(t, c, dave).Want(t, 200)
		only := a.identities(t, c)[0].ID
		wantCode(t, c.Delete("/identities/"+only), 409, "social_last_way")
		a.callback(c, "one", agree(t, a.begin(t, c, "one", "link"), carol)).Want(t, 204)
		list := a.identities(t, c)
		if len(list) != 2 {
			t.Fatalf("%+v", list)
		}
		// Of parallel requests that unlink both, one is refused.
		other := a.Client()
		a.signIn(t, other, dave).Want(t, 200)
		clients := []*testapp.Client{c, other}
		var done atomic.Int32
		a.Race(2, func(i int) {
			switch r := clients[i].Delete("/identities/" + list[i].ID); r.StatusCode {
			case 204:
				done.Add(1)
			case 409, 401, 503:
			default:
				t.Errorf("status %d: %s", r.StatusCode, r.Text)
			}
		})
		left, err := a.Backend.Set.Identities.IdentitiesOf(t.Context(), a.ownerOf(t, carol, dave))
		if err != nil || len(left) != 1 {
			t.Errorf("%d identities are left (%v), %d requests succeeded", len(left), err, done.Load())
		}
	})
}

// ownerOf returns the owner of the first of some subjects that somebody has.
func (a *app) ownerOf(t *testing.T, subjects ...string) string {
	t.Helper()
	for _, subject := range subjects {
		if i, found, err := a.Backend.Set.Identities.FindIdentity(t.Context(), "one", subject); err == nil && found {
			return i.Owner
		}
	}
	t.Fatal("nobody has these subjects")
	return ""
}

// TestOtherWays lets a user with an identity of another feature unlink the last one here.
func TestOtherWays(t *testing.T) {
	a := start(t, testapp.Memory(t), func(o *social.Options, _ *ginauth.Config) { o.OtherWays = []string{"passkey"} })
	c := a.Client()
	a.signIn(t, c, dave).Want(t, 200)
	only := a.identities(t, c)[0].ID
	wantCode(t, c.Delete("/identities/"+only), 409, "social_last_way")
	err := a.Backend.Set.Identities.CreateIdentity(t.Context(), stores.Identity{
		Provider: "passkey", Subject: "handle", Owner: a.ownerOf(t, dave), Created: a.Clock.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if list := a.identities(t, c); len(list) != 1 {
		t.Errorf("an identity of another feature is listed: %+v", list)
	}
	c.Delete("/identities/"+only).Want(t, 204)
}

// TestConfirmByProvider proves again who a user without a password is.
func TestConfirmByProvider(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	a.signIn(t, c, carol).Want(t, 200)
	c.Get("/sudo").Want(t, 200) // the login is fresh
	for range 3 {
		a.Clock.Advance(time.Hour + 10*time.Minute)
		c.Get("/me").Want(t, 200)
	}
	c.Get("/sudo").WantConfirmation(t)
	at := a.begin(t, c, "one", "confirm")
	if at.Query().Get("prompt") != "login" || at.Query().Get("max_age") != "60" {
		t.Errorf("%v", at)
	}
	wantCode(t, a.callback(c, "one", agree(t, at, dave)), 409, "social_identity_taken") // not the user's
	c.Get("/sudo").WantConfirmation(t)
	before := a.Clock.Now().Add(-2 * time.Minute).Unix() // the session there goes on
	for _, said := range []any{before, float64(before) + 0.5, fmt.Sprint(before), "then"} {
		a.one.Tamper(func(t *socialtest.Token) { t.Claims["auth_time"] = said })
		wantCode(t, a.callback(c, "one", agree(t, a.begin(t, c, "one", "confirm"), carol)), 401, "social_refused")
		c.Get("/sudo").WantConfirmation(t)
	}
	a.one.Tamper(func(t *socialtest.Token) { delete(t.Claims, "auth_time") }) // as if max_age was taken out of the URL
	wantCode(t, a.callback(c, "one", agree(t, a.begin(t, c, "one", "confirm"), carol)), 401, "social_refused")
	a.one.Tamper(nil)
	a.callback(c, "one", agree(t, a.begin(t, c, "one", "confirm"), carol)).Want(t, 200)
	c.Get("/sudo").Want(t, 200)
	a.Client().Post("/auth/one", map[string]string{"for": "confirm"}).Want(t, 401)
}

// TestSecondFactor asks for it as at every door, unless the provider is trusted to have asked.
func TestSecondFactor(t *testing.T) {
	b := testapp.Memory(t)
	codes := recovery.New(recovery.Options{})
	pin := pinned{}
	a := start(t, b, linkVerified, func(o *social.Options, c *ginauth.Config) {
		c.Features = append(c.Features, codes, pin)
		o.BackChannelLogout = []string{"one"}
		o.Proof = func(_ string, p *social.Profile) (factor.Level, []string) {
			if p.ACR == "high" {
				return factor.LevelTwo, []string{"otp"}
			}
			return factor.LevelOne, nil
		}
	})
	a.Engine.POST("/pin", func(c *gin.Context) {
		auth := ginauth.From(c)
		res, err := auth.AnswerChallenge(c.Request.Context(), "", "pin", func(context.Context, string, models.Authenticatable) (bool, error) { return true, nil })
		testapp.Answer(c, res, err)
	})
	a.Engine.GET("/two", a.Auth("web"), a.RequireLevel(factor.LevelTwo, time.Hour), testapp.Me)
	c := a.Client()
	var got struct{ Pending *ginauth.PendingLogin }
	a.signIn(t, c, alice).Want(t, 200).JSON(t, &got)
	if got.Pending == nil {
		t.Fatal("the login is complete")
	}
	a.stranger(t, c)
	testapp.WantEvents[social.LoggedIn](a.App, 0)
	c.Post("/pin", nil).Want(t, 204)
	c.Get("/two").Want(t, 200)
	// The session that waited belongs to the provider all the same.
	c2 := a.Client()
	c2.Form("/oidc/one/logout", url.Values{"logout_token": {a.one.LogoutToken(alice, "sid-"+alice)}}.Encode()).Want(t, 200)
	a.stranger(t, c)

	a.one.Tamper(func(t *socialtest.Token) { t.Claims["acr"] = "high" })
	c = a.Client()
	a.signIn(t, c, alice).Want(t, 200)
	c.Get("/two").Want(t, 200)
}

// pinned is a second factor of every user.
type pinned struct{}

func (pinned) Name() string { return "pinned" }

func (pinned) Setup(s *ginauth.Setup) error {
	s.Challenge(ginauth.Challenge{Name: "pin", Methods: []string{"pin"}, Has: func(context.Context, string, models.Authenticatable) (bool, error) {
		return true, nil
	}})
	return nil
}

type tokenBody struct {
	IDToken     string `json:"id_token,omitempty"`
	Nonce       string `json:"nonce,omitempty"`
	Code        string `json:"code,omitempty"`
	Verifier    string `json:"verifier,omitempty"`
	RedirectURI string `json:"redirect_uri,omitempty"`
	Issuer      string `json:"iss,omitempty"`
}

// TestTokensForApps exchanges ID tokens and codes that apps got.
func TestTokensForApps(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, func(_ *social.Options, c *ginauth.Config) { c.Throttle.InsecureDisable = true })
		user, nonce := a.one.Users[0], strings.Repeat("n", 32)
		forApp := func(audience any) string {
			a.one.Tamper(func(t *socialtest.Token) { t.Claims["aud"] = audience })
			defer a.one.Tamper(nil)
			return a.one.IDToken(user, nonce, "")
		}
		post := func(in tokenBody) *testapp.Response { return a.Client().Post("/social/one/token", in) }
		token := forApp("app-1")
		pair := post(tokenBody{IDToken: token, Nonce: nonce}).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
		a.Refresh(pair.RefreshToken).Want(t, 200)
		wantCode(t, post(tokenBody{IDToken: token, Nonce: nonce}), 400, invalid) // used
		wantCode(t, post(tokenBody{IDToken: forApp("app-2"), Nonce: nonce}), 401, "social_refused")
		wantCode(t, post(tokenBody{IDToken: forApp("app-1"), Nonce: strings.Repeat("x", 32)}), 401, "social_refused")
		wantCode(t, post(tokenBody{IDToken: a.two.IDToken(user, nonce, ""), Nonce: nonce}), 401, "social_refused")
		post(tokenBody{IDToken: token}).WantField(t, "nonce")
		post(tokenBody{}).WantField(t, "id_token")
		post(tokenBody{IDToken: token, Code: "x", Nonce: nonce}).WantField(t, "id_token")
		post(tokenBody{IDToken: strings.Repeat("a", 70_000), Nonce: nonce}).Want(t, 413)

		const redirect = "com.example.app:/callback"
		verifier := strings.Repeat("v", 43)
		code := func() string { return a.one.Code(dave, redirect, nonce, challenge(verifier)) }
		post(tokenBody{Code: code(), Verifier: verifier, RedirectURI: redirect, Nonce: nonce, Issuer: a.one.Issuer}).Want(t, 200).Tokens(t)
		post(tokenBody{Code: code(), Verifier: verifier, RedirectURI: "https://evil.example/"}).WantField(t, "redirect_uri")
		post(tokenBody{Code: code(), Verifier: "short", RedirectURI: redirect}).WantField(t, "verifier")
		wantCode(t, post(tokenBody{Code: code(), Verifier: verifier, RedirectURI: redirect, Nonce: nonce}), 401, "social_refused") // without iss
		wantCode(t, post(tokenBody{Code: code(), Verifier: strings.Repeat("w", 43), RedirectURI: redirect, Nonce: nonce, Issuer: a.one.Issuer}), 401, "social_refused")
		wantCode(t, post(tokenBody{Code: code(), Verifier: verifier, RedirectURI: redirect, Nonce: "other", Issuer: a.one.Issuer}), 401, "social_refused")
		wantCode(t, post(tokenBody{Code: code(), Verifier: verifier, RedirectURI: redirect, Issuer: a.one.Issuer}), 401, "social_refused")
	})
}

// TestBackChannelLogout ends the sessions that a provider began, and no others.
func TestBackChannelLogout(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, func(o *social.Options, c *ginauth.Config) {
			o.BackChannelLogout, o.LinkVerified = []string{"one"}, []string{"one"}
			c.Throttle.InsecureDisable = true
		})
		logout := func(token string) *testapp.Response {
			return a.Client().Form("/oidc/one/logout", url.Values{"logout_token": {token}}.Encode())
		}
		password := a.LoggedIn(testapp.Alice)
		for name, token := range map[string]func() string{
			"sid and sub": func() string { return a.one.LogoutToken(alice, "sid-"+alice) },
			"sub":         func() string { return a.one.LogoutToken(alice, "") },
			"sid":         func() string { return a.one.LogoutToken("", "sid-"+alice) },
		} {
			c := a.Client()
			a.signIn(t, c, alice).Want(t, 200)
			other := a.Client()
			a.signIn(t, other, carol).Want(t, 200)
			logout(a.one.LogoutToken(alice, "another")).Want(t, 200)
			c.Get("/me").Want(t, 200)
			text := token()
			logout(text).Want(t, 200)
			if c.Get("/me").StatusCode != 401 {
				t.Errorf("%s: the session lives", name)
			}
			password.Get("/me").Want(t, 200)
			other.Get("/me").Want(t, 200)
			logout(text).Want(t, 400) // it was used
		}
		pair := a.Client().Post("/social/one/token", tokenBody{IDToken: a.one.IDToken(a.one.Users[3], strings.Repeat("n", 16), ""), Nonce: strings.Repeat("n", 16)}).Want(t, 200).Tokens(t)
		logout(a.one.LogoutToken(alice, "")).Want(t, 200)
		a.Refresh(pair.RefreshToken).Want(t, 401)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 401)
		logout(a.one.LogoutToken("nobody", "")).Want(t, 200)

		c := a.Client()
		a.signIn(t, c, alice).Want(t, 200)
		for name, change := range map[string]func(*socialtest.Token){
			"nonce":     func(t *socialtest.Token) { t.Claims["nonce"] = "x" },
			"no event":  func(t *socialtest.Token) { delete(t.Claims, "events") },
			"audience":  func(t *socialtest.Token) { t.Claims["aud"] = "app-1" },
			"issuer":    func(t *socialtest.Token) { t.Claims["iss"] = a.two.Issuer },
			"no id":     func(t *socialtest.Token) { delete(t.Claims, "jti") },
			"nobody":    func(t *socialtest.Token) { delete(t.Claims, "sub") },
			"old":       func(t *socialtest.Token) { t.Claims["iat"] = a.Clock.Now().Add(-time.Hour).Unix() },
			"expired":   func(t *socialtest.Token) { t.Claims["exp"] = a.Clock.Now().Add(-time.Minute).Unix() },
			"no expiry": func(t *socialtest.Token) { delete(t.Claims, "exp") },
		} {
			a.one.Tamper(change)
			if r := logout(a.one.LogoutToken(alice, "")); r.StatusCode != 400 {
				t.Errorf("%s: status %d", name, r.StatusCode)
			}
			a.one.Tamper(nil)
		}
		logout(a.one.IDToken(a.one.Users[3], "x", "")).Want(t, 400)
		logout("").Want(t, 400)
		c.Get("/me").Want(t, 200)
		a.Client().Form("/oidc/two/logout", "").Want(t, 404) // not asked for
	})
}

// TestBackChannelLogoutWithoutIndex ends everything of the user where nobody can list the sessions.
func TestBackChannelLogoutWithoutIndex(t *testing.T) {
	a := start(t, testapp.Cookie(t), func(o *social.Options, _ *ginauth.Config) { o.BackChannelLogout = []string{"one"} })
	c := a.Client()
	a.signIn(t, c, carol).Want(t, 200)
	a.Client().Form("/oidc/one/logout", url.Values{"logout_token": {a.one.LogoutToken(carol, "")}}.Encode()).Want(t, 200)
	a.stranger(t, c)
}

// TestLogoutAtProvider sends the browser to the provider after a logout here.
func TestLogoutAtProvider(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.Client()
	a.signIn(t, c, carol).Want(t, 200)
	var got target
	c.Post("/auth/one/logout", nil).Want(t, 200).JSON(t, &got)
	u := must(url.Parse(got.URL))
	if !strings.HasPrefix(got.URL, a.one.Issuer+"/end?") || u.Query().Get("post_logout_redirect_uri") != testapp.BaseURL+"/" || u.Query().Get("client_id") != "client-one" {
		t.Errorf("sent to %s", got.URL)
	}
	a.stranger(t, c)
}

// TestKeepTokens stores the tokens of a provider, sealed, and renews them.
func TestKeepTokens(t *testing.T) {
	a := start(t, testapp.SQLite(t), func(o *social.Options, _ *ginauth.Config) { o.KeepTokens = []string{"one"} })
	a.Engine.GET("/provider/:name", a.Auth("web"), func(c *gin.Context) {
		token, err := a.Token(c.Request.Context(), ginauth.From(c), c.Param("name"))
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(http.StatusOK, gin.H{"token": token.AccessToken, "refresh": token.RefreshToken})
	})
	c := a.Client()
	a.signIn(t, c, carol).Want(t, 200)
	c.Get("/provider/two").Want(t, 404)
	var first, second struct{ Token, Refresh string }
	c.Get("/provider/one").Want(t, 200).JSON(t, &first)
	// The tests' clock is years ahead, so each one has expired.
	c.Get("/provider/one").Want(t, 200).JSON(t, &second)
	if first.Token == "" || first.Token == second.Token || first.Refresh != second.Refresh || a.one.Calls("/token") != 3 {
		t.Errorf("%+v, %+v, %d calls", first, second, a.one.Calls("/token"))
	}
	i, _, err := a.Backend.Set.Identities.FindIdentity(t.Context(), "one", carol)
	if err != nil || strings.Contains(string(i.Data), second.Token) || strings.Contains(string(i.Data), second.Refresh) {
		t.Errorf("the token is stored as it is: %s", i.Data)
	}
	dropped := start(t, testapp.Memory(t))
	dropped.signIn(t, dropped.Client(), carol).Want(t, 200)
	if i, _, _ = dropped.Backend.Set.Identities.FindIdentity(t.Context(), "one", carol); strings.Contains(string(i.Data), "tokens") {
		t.Errorf("tokens are stored: %s", i.Data)
	}
}

// broken fails on demand.
type broken struct {
	stores.Identities
	fail atomic.Bool
}

var errBroken = errors.New("broken")

func (b *broken) FindIdentity(ctx context.Context, provider, subject string) (stores.Identity, bool, error) {
	if b.fail.Load() {
		return stores.Identity{}, false, errBroken
	}
	return b.Identities.FindIdentity(ctx, provider, subject)
}

func (b *broken) IdentitiesOf(ctx context.Context, owner string) ([]stores.Identity, error) {
	if b.fail.Load() {
		return nil, errBroken
	}
	return b.Identities.IdentitiesOf(ctx, owner)
}

// TestBrokenStore fails closed.
func TestBrokenStore(t *testing.T) {
	store := &broken{}
	a := start(t, testapp.Memory(t), func(_ *social.Options, c *ginauth.Config) {
		store.Identities = c.Stores.Identities
		c.Stores.Identities = store
	})
	c := a.Client()
	a.signIn(t, c, carol).Want(t, 200)
	store.fail.Store(true)
	c.Get("/identities").Want(t, 503)
	guest := a.Client()
	a.signIn(t, guest, carol).Want(t, 503)
	a.stranger(t, guest)
}

// TestForget removes what a deleted user had.
func TestForget(t *testing.T) {
	a := start(t, testapp.Memory(t))
	a.Engine.POST("/delete-me", a.Auth("web"), func(c *gin.Context) {
		auth := ginauth.From(c)
		id, err := auth.ID(c.Request.Context())
		testapp.Answer(c, nil, errors.Join(err, a.Forget(c.Request.Context(), auth, id)))
	})
	c := a.Client()
	a.signIn(t, c, carol).Want(t, 200)
	c.Post("/delete-me", nil).Want(t, 204)
	if list := a.identities(t, c); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestConfiguration reports everything that is wrong.
func TestConfiguration(t *testing.T) {
	good := social.OIDCConfig{Name: "one", Issuer: "https://id.example", ClientID: "x"}
	with := func(change func(*social.OIDCConfig)) social.Options {
		o := good
		change(&o)
		return social.Options{Providers: []social.Provider{social.OIDC(o)}}
	}
	one := social.OIDC(good)
	for want, o := range map[string]social.Options{
		"nothing in Options.Providers": {},
		"item 0 of Options.Providers":  {Providers: []social.Provider{nil}},
		"two providers":                {Providers: []social.Provider{one, one}},
		"LinkVerified names":           {Providers: []social.Provider{one}, LinkVerified: []string{"two"}},
		"KeepTokens names":             {Providers: []social.Provider{one}, KeepTokens: []string{"two"}},
		"has none":                     {Providers: []social.Provider{social.GitHub(social.Client{ID: "x"})}, BackChannelLogout: []string{"github"}},
		"OtherWays":                    {Providers: []social.Provider{one}, OtherWays: []string{"A B"}},
		"has no ClientID":              with(func(o *social.OIDCConfig) { o.ClientID = "" }),
		"has to be 1 to 32":            with(func(o *social.OIDCConfig) { o.Name = "One!" }),
		"is not an https URL":          with(func(o *social.OIDCConfig) { o.Issuer = "http://id.example" }),
		"is not an absolute":           with(func(o *social.OIDCConfig) { o.Issuer = "" }),
		`no "openid"`:                  with(func(o *social.OIDCConfig) { o.Scopes = []string{"email"} }),
		"is not a PEM file":            {Providers: []social.Provider{social.Apple(social.AppleClient{ID: "x", PrivateKey: "CANARY"})}},
		"has no Fetch":                 {Providers: []social.Provider{social.OAuth2(social.OAuth2Config{Name: "one", ClientID: "x"})}},
	} {
		_, err := ginauth.New(ginauth.Config{Features: []ginauth.Feature{social.New(o)}, Mail: ginauth.MailConfig{BaseURL: "https://app.example"}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "CANARY") || !errors.Is(err, ginauth.ErrConfig) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	_, err := ginauth.New(ginauth.Config{
		Features: []ginauth.Feature{social.New(social.Options{Providers: []social.Provider{one}})},
		Stores:   stores.Set{Sessions: testapp.Memory(t).Set.Sessions, Tokens: testapp.Memory(t).Set.Tokens, Limiter: testapp.Memory(t).Set.Limiter},
	})
	for _, want := range []string{"Stores.Identities is missing", "Mail.BaseURL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

// TestSecretsAreRedacted prints what holds secrets.
func TestSecretsAreRedacted(t *testing.T) {
	o := social.Client{ID: "x", Secret: "CANARY"}
	a := start(t, testapp.Memory(t))
	for _, text := range []string{
		sprint(o), sprint(social.OIDCConfig{ClientSecret: "CANARY"}), sprint(social.AppleClient{PrivateKey: "CANARY"}),
		sprint(&social.Profile{Token: &oauth2.Token{AccessToken: "CANARY"}}), sprint(a.Feature),
	} {
		if strings.Contains(text, "CANARY") {
			t.Error(text)
		}
	}
}
