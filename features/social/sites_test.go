package social_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
)

// sites sends the requests to all sites to one server, which knows the host that was asked.
type sites struct{ server *httptest.Server }

func (s sites) RoundTrip(r *http.Request) (*http.Response, error) {
	to := r.Clone(r.Context())
	to.Header.Set("X-Site", r.URL.Scheme+"://"+r.URL.Host)
	u := must(url.Parse(s.server.URL))
	to.URL.Scheme, to.URL.Host, to.Host = u.Scheme, u.Host, u.Host
	return http.DefaultTransport.RoundTrip(to)
}

// site starts a server for all sites. A handler is found by the site and the path.
func site(t *testing.T, handlers map[string]http.HandlerFunc) sites {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := handlers[r.Header.Get("X-Site")+r.URL.Path]
		if !ok {
			t.Errorf("unexpected request for %s%s", r.Header.Get("X-Site"), r.URL.Path)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		h(w, r)
	}))
	t.Cleanup(server.Close)
	return sites{server}
}

func write(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// bearer answers a request with the token that tokens gives.
func bearer(t *testing.T, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access" {
			t.Errorf("%s with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(body))
	}
}

// tokens is a token endpoint that takes the secret in the header or in the body.
func tokens(t *testing.T, inBody bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, password, basic := r.BasicAuth()
		if basic == inBody {
			t.Errorf("the secret is in the header: %v", basic)
		}
		if !basic {
			id, password = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
		}
		if id != "id" || password != "secret" || r.PostFormValue("code") != "code" || r.PostFormValue("code_verifier") == "" {
			t.Errorf("token request %v", r.PostForm)
		}
		_, _ = w.Write([]byte(`{"access_token":"access","token_type":"Bearer","expires_in":60}`))
	}
}

// exchange redeems a code.
func exchange(t *testing.T, p social.Provider) (*social.Profile, error) {
	t.Helper()
	if err := p.Check(); err != nil {
		t.Fatalf("%s: %v", p.Name(), err)
	}
	address, err := p.AuthorizationURL(t.Context(), social.Authorization{RedirectURI: "https://app.example/cb", State: "s", Nonce: "n", Challenge: "c"})
	if err != nil {
		t.Fatalf("%s: %v", p.Name(), err)
	}
	q := must(url.Parse(address)).Query()
	if !strings.HasPrefix(address, "https://") || q.Get("code_challenge_method") != "S256" || q.Get("state") != "s" || q.Get("scope") == "" ||
		q.Get("response_type") != "code" || q.Get("client_id") != "id" {
		t.Errorf("%s: %s", p.Name(), address)
	}
	return p.Exchange(t.Context(), social.Exchange{RedirectURI: "https://app.example/cb", Code: "code", Verifier: strings.Repeat("v", 43), Nonce: "n"})
}

var client = social.Client{ID: "id", Secret: "secret"}

func at(s sites) social.Client {
	c := client
	c.Transport = s
	return c
}

// TestSites logs in at sites without OpenID Connect, as they answer.
func TestSites(t *testing.T) {
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte("access"))
	proof := hex.EncodeToString(mac.Sum(nil))
	for name, test := range map[string]struct {
		provider func(social.Client) social.Provider
		answers  map[string]http.HandlerFunc
		want     social.Profile
	}{
		"github": {
			func(c social.Client) social.Provider { return social.GitHub(c) },
			map[string]http.HandlerFunc{
				"https://github.com/login/oauth/access_token": tokens(t, true),
				"https://api.github.com/user":                 bearer(t, `{"id":9007199254740993,"login":"octocat","email":"public@example.com"}`),
				"https://api.github.com/user/emails": bearer(t, `[{"email":"other@example.com","primary":false,"verified":true},
					{"email":"octo@example.com","primary":true,"verified":true}]`),
			},
			social.Profile{Subject: "9007199254740993", Name: "octocat", Email: "octo@example.com", EmailVerified: true},
		},
		"github, not verified": {
			func(c social.Client) social.Provider { return social.GitHub(c) },
			map[string]http.HandlerFunc{
				"https://github.com/login/oauth/access_token": tokens(t, true),
				"https://api.github.com/user":                 bearer(t, `{"id":7,"name":"Octo"}`),
				"https://api.github.com/user/emails":          bearer(t, `[{"email":"octo@example.com","primary":true,"verified":false}]`),
			},
			social.Profile{Subject: "7", Name: "Octo", Email: "octo@example.com"},
		},
		"github enterprise, without the scope": {
			func(c social.Client) social.Provider { return social.GitHub(c, "https://git.example/") },
			map[string]http.HandlerFunc{
				"https://git.example/login/oauth/access_token": tokens(t, true),
				"https://git.example/api/v3/user":              bearer(t, `{"id":7,"login":"octo","email":"public@example.com"}`),
				"https://git.example/api/v3/user/emails":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
			},
			social.Profile{Subject: "7", Name: "octo"},
		},
		"discord": {
			func(c social.Client) social.Provider { return social.Discord(c) },
			map[string]http.HandlerFunc{
				"https://discord.com/api/oauth2/token": tokens(t, false),
				"https://discord.com/api/users/@me":    bearer(t, `{"id":"80351110224678912","username":"nelly","email":"n@example.com","verified":false}`),
			},
			social.Profile{Subject: "80351110224678912", Name: "nelly", Email: "n@example.com"},
		},
		"facebook": {
			func(c social.Client) social.Provider { return social.Facebook(c) },
			map[string]http.HandlerFunc{
				"https://graph.facebook.com/v24.0/oauth/access_token": tokens(t, true),
				"https://graph.facebook.com/v24.0/me": func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Query().Get("appsecret_proof") != proof {
						t.Error("the proof of the secret is wrong")
					}
					_, _ = w.Write([]byte(`{"id":"1234","name":"Mark","email":"m@example.com","email_verified":true}`))
				},
			},
			social.Profile{Subject: "1234", Name: "Mark", Email: "m@example.com"},
		},
		"linkedin": {
			func(c social.Client) social.Provider { return social.LinkedIn(c) },
			map[string]http.HandlerFunc{
				"https://www.linkedin.com/oauth/v2/accessToken": tokens(t, true),
				"https://api.linkedin.com/v2/userinfo":          bearer(t, `{"sub":"782bbtaQ","name":"John","email":"j@example.com","email_verified":"true"}`),
			},
			social.Profile{Subject: "782bbtaQ", Name: "John", Email: "j@example.com", EmailVerified: true},
		},
		"x": {
			func(c social.Client) social.Provider { return social.X(c) },
			map[string]http.HandlerFunc{
				"https://api.x.com/2/oauth2/token": tokens(t, false),
				"https://api.x.com/2/users/me":     bearer(t, `{"data":{"id":"2244994945","username":"dev","name":"Dev"}}`),
			},
			social.Profile{Subject: "2244994945", Name: "Dev"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := exchange(t, test.provider(at(site(t, test.answers))))
			if err != nil {
				t.Fatal(err)
			}
			if p.Subject != test.want.Subject || p.Name != test.want.Name || p.Email != test.want.Email || p.EmailVerified != test.want.EmailVerified {
				t.Errorf("%s %q %s %v", p.Subject, p.Name, p.Email, p.EmailVerified)
			}
		})
	}
}

// TestSitesThatBreak answers with nothing that identifies a user.
func TestSitesThatBreak(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no id":      write(`{"username":"x"}`),
		"id is text": write(`{"id":7}`),
		"HTML":       write(`<html>`),
		"huge":       write(`{"id":"1","bio":"` + strings.Repeat("a", 300_000) + `"}`),
		"larger":     write(`{"id":"1","bio":"` + strings.Repeat("a", 3<<20) + `"}`),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		},
		"status 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
	} {
		p, err := exchange(t, social.Discord(at(site(t, map[string]http.HandlerFunc{
			"https://discord.com/api/oauth2/token": tokens(t, false), "https://discord.com/api/users/@me": h,
		}))))
		if err == nil {
			t.Errorf("%s: %+v", name, p.Claims)
		}
	}
}

// idp serves a provider of OpenID Connect in place of a site.
func idp(t *testing.T, issuer string, u socialtest.User, change func(*socialtest.Token)) (sites, *socialtest.Provider) {
	t.Helper()
	o := socialtest.New(issuer, "id", "secret", u)
	o.RedirectURIs = []string{"https://app.example/cb"}
	o.Tamper(change)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := must(url.Parse(issuer)).Path
		r.URL.Path = strings.TrimPrefix(r.URL.Path, path)
		o.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return sites{server}, o
}

// oidcProfile logs a user in at a site with OpenID Connect.
func oidcProfile(
	t *testing.T, issuer string, u socialtest.User, change func(*socialtest.Token), make func(social.Client) social.Provider,
) (*social.Profile, error) {
	t.Helper()
	s, o := idp(t, issuer, u, change)
	p := make(at(s))
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	verifier := strings.Repeat("v", 43)
	code := o.Code(u.Subject, "https://app.example/cb", "n", challenge(verifier))
	return p.Exchange(t.Context(), social.Exchange{
		RedirectURI: "https://app.example/cb", Code: code, Verifier: verifier, Nonce: "n", Issuer: issuer,
	})
}

// TestSitesOfOpenIDConnect checks what each site's claims mean.
func TestSitesOfOpenIDConnect(t *testing.T) {
	const tenant, other = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
	google := func(domains ...string) func(social.Client) social.Provider {
		return func(c social.Client) social.Provider { return social.Google(c, domains...) }
	}
	entra := func(at string, tenants ...string) func(social.Client) social.Provider {
		return func(c social.Client) social.Provider { return social.Entra(c, at, tenants...) }
	}
	slack := func(teams ...string) func(social.Client) social.Provider {
		return func(c social.Client) social.Provider { return social.Slack(c, teams...) }
	}
	const microsoft = "https://login.microsoftonline.com/"
	issuedBy := func(id string) func(*socialtest.Token) {
		return func(t *socialtest.Token) { t.Claims["iss"] = microsoft + id + "/v2.0" }
	}
	for name, test := range map[string]struct {
		issuer       string
		make         func(social.Client) social.Provider
		email        string
		verified     bool
		claims       map[string]any
		change       func(*socialtest.Token)
		wantVerified bool
		subject      string
		refused      bool
	}{
		"google, gmail":      {issuer: "https://accounts.google.com", make: google(), email: "a@Gmail.com", verified: true, wantVerified: true, subject: "1"},
		"google, workspace":  {issuer: "https://accounts.google.com", make: google("corp.example"), email: "a@corp.example", verified: true, claims: map[string]any{"hd": "corp.example"}, wantVerified: true, subject: "1"},
		"google, elsewhere":  {issuer: "https://accounts.google.com", make: google(), email: "a@yahoo.example", verified: true, subject: "1"},
		"google, other hd":   {issuer: "https://accounts.google.com", make: google("corp.example"), email: "a@evil.example", verified: true, claims: map[string]any{"hd": "evil.example"}, refused: true},
		"google, no hd":      {issuer: "https://accounts.google.com", make: google("corp.example"), email: "a@corp.example", verified: true, refused: true},
		"google, short iss":  {issuer: "https://accounts.google.com", make: google(), email: "a@gmail.com", verified: true, wantVerified: true, subject: "1", change: func(t *socialtest.Token) { t.Claims["iss"] = "accounts.google.com" }},
		"gitlab":             {issuer: "https://gitlab.com", make: func(c social.Client) social.Provider { return social.GitLab(c) }, email: "a@b.example", verified: true, wantVerified: true, subject: "1"},
		"gitlab, own server": {issuer: "https://git.example", make: func(c social.Client) social.Provider { return social.GitLab(c, "https://git.example/") }, email: "a@b.example", subject: "1"},
		"entra, nOAuth":      {issuer: microsoft + tenant + "/v2.0", make: entra(tenant), email: "victim@b.example", verified: true, claims: map[string]any{"tid": tenant}, subject: tenant + ":1"},
		"entra, owner":       {issuer: microsoft + tenant + "/v2.0", make: entra(tenant), email: "a@b.example", claims: map[string]any{"tid": tenant, "xms_edov": 1}, wantVerified: true, subject: tenant + ":1"},
		"entra, other tid":   {issuer: microsoft + tenant + "/v2.0", make: entra(tenant), email: "a@b.example", claims: map[string]any{"tid": other}, change: issuedBy(other), refused: true},
		"entra, false tid":   {issuer: microsoft + "common/v2.0", make: entra("common"), email: "a@b.example", claims: map[string]any{"tid": tenant}, change: issuedBy(other), refused: true},
		"entra, no tid":      {issuer: microsoft + "common/v2.0", make: entra("common"), email: "a@b.example", change: issuedBy(tenant), refused: true},
		"entra, common":      {issuer: microsoft + "common/v2.0", make: entra("common", tenant), email: "a@b.example", claims: map[string]any{"tid": tenant}, change: issuedBy(tenant), subject: tenant + ":1"},
		"entra, not listed":  {issuer: microsoft + "common/v2.0", make: entra("common", tenant), email: "a@b.example", claims: map[string]any{"tid": other}, change: issuedBy(other), refused: true},
		"slack":              {issuer: "https://slack.com", make: slack(), email: "a@b.example", verified: true, claims: map[string]any{"https://slack.com/team_id": "T1"}, subject: "T1:1"},
		"slack, team":        {issuer: "https://slack.com", make: slack("T1"), email: "a@b.example", verified: true, claims: map[string]any{"https://slack.com/team_id": "T1"}, wantVerified: true, subject: "T1:1"},
		"slack, other team":  {issuer: "https://slack.com", make: slack("T1"), email: "a@b.example", verified: true, claims: map[string]any{"https://slack.com/team_id": "T2"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			u := socialtest.User{Subject: "1", Name: "Ann", Email: test.email, EmailVerified: test.verified, Claims: test.claims}
			p, err := oidcProfile(t, test.issuer, u, test.change, test.make)
			switch {
			case test.refused && !errors.Is(err, social.ErrRefused):
				t.Errorf("error %v, profile %v", err, p)
			case test.refused:
			case err != nil:
				t.Error(err)
			case p.Subject != test.subject || p.EmailVerified != test.wantVerified || p.Email != test.email:
				t.Errorf("%s %s %v", p.Subject, p.Email, p.EmailVerified)
			}
		})
	}
}

// TestApple makes its client secret, and reads the name that is sent once.
func TestApple(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})
	u := socialtest.User{Subject: "001.a", Email: "x@privaterelay.appleid.com", Claims: map[string]any{"email_verified": "true"}}
	s, o := idp(t, "https://appleid.apple.com", u, nil)
	var sent string
	o.AnswerTokens(func(w http.ResponseWriter, r *http.Request) {
		sent = r.PostFormValue("client_secret")
		id := o.IDToken(u, "n", "access")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": "access", "token_type": "Bearer", "id_token": id})
	})
	p := social.Apple(social.AppleClient{ID: "id", TeamID: "TEAM", KeyID: "KEY", PrivateKey: social.Secret(text), Transport: s})
	if by, ok := p.(social.FormPoster); p.Check() != nil || !ok || !by.AnswersByForm() {
		t.Fatalf("%v", p.Check())
	}
	address := must(p.AuthorizationURL(t.Context(), social.Authorization{RedirectURI: "https://app.example/cb", State: "s", Nonce: "n", Challenge: "c"}))
	if q := must(url.Parse(address)).Query(); q.Get("response_mode") != "form_post" || q.Get("scope") != "openid name email" {
		t.Error(address)
	}
	profile, err := p.Exchange(t.Context(), social.Exchange{
		RedirectURI: "https://app.example/cb", Code: "code", Verifier: "v", Nonce: "n", Issuer: "https://appleid.apple.com",
		User: `{"name":{"firstName":"Tim","lastName":"Apple"},"email":"evil@example.com"}`,
	})
	if err != nil || profile.Name != "Tim Apple" || profile.Email != u.Email || !profile.EmailVerified || profile.Subject != "001.a" {
		t.Fatalf("%+v, %v", profile, err)
	}
	claims := jwt.MapClaims{}
	token, err := jwt.ParseWithClaims(sent, claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("https://appleid.apple.com"), jwt.WithIssuer("TEAM"), jwt.WithSubject("id"))
	if err != nil || token.Header["kid"] != "KEY" {
		t.Errorf("client secret: %v", err)
	}
	if until, err := claims.GetExpirationTime(); err != nil || time.Until(until.Time) > 10*time.Minute {
		t.Errorf("it expires %v, %v", until, err)
	}
}

// TestUserInfo adds claims that the ID token does not have, of the same subject.
func TestUserInfo(t *testing.T) {
	const issuer = "https://id.example"
	make := func(c social.Client) social.Provider {
		return social.OIDC(social.OIDCConfig{Name: "id", Issuer: issuer, ClientID: c.ID, ClientSecret: c.Secret, UserInfo: true, Transport: c.Transport})
	}
	u := socialtest.User{Subject: "1", Email: "a@b.example", EmailVerified: true}
	hide := func(t *socialtest.Token) { delete(t.Claims, "email"); delete(t.Claims, "email_verified") }
	p, err := oidcProfile(t, issuer, u, hide, make)
	if err != nil || p.Email != u.Email || !p.EmailVerified {
		t.Errorf("%+v, %v", p, err)
	}
	swap := func(t *socialtest.Token) { maps.Copy(t.Claims, map[string]any{"sub": "2"}) }
	if _, err := oidcProfile(t, issuer, u, swap, make); !errors.Is(err, social.ErrRefused) {
		t.Errorf("another subject: %v", err)
	}
}

// TestDiscovery refuses documents that would send codes elsewhere.
func TestDiscovery(t *testing.T) {
	good := map[string]any{
		"issuer": "https://id.example", "authorization_endpoint": "https://id.example/a", "token_endpoint": "https://id.example/t",
		"jwks_uri": "https://id.example/k",
	}
	provider := func(name string, value any) social.Provider {
		body := maps.Clone(good)
		body[name] = value
		s := site(t, map[string]http.HandlerFunc{"https://id.example/.well-known/openid-configuration": write(string(must(json.Marshal(body))))})
		return social.OIDC(social.OIDCConfig{Name: "id", Issuer: "https://id.example", ClientID: "id", Transport: s})
	}
	for name, value := range map[string]string{
		"issuer": "https://evil.example", "token_endpoint": "http://id.example/t", "authorization_endpoint": "javascript:alert(1)", "jwks_uri": "",
	} {
		if address, err := provider(name, value).AuthorizationURL(context.Background(), social.Authorization{}); err == nil {
			t.Errorf("%s: %s", name, address)
		}
	}
	if _, err := provider("x", "y").AuthorizationURL(context.Background(), social.Authorization{}); err != nil {
		t.Error(err)
	}
}
