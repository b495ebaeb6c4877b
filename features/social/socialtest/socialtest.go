// Package socialtest has an OpenID Connect provider for tests and demonstrations, on this machine. It checks what a strict
// provider checks: the redirect URI, the client's secret, PKCE with S256, and that a code is used once. Tests can make it
// misbehave.
//
// It identifies anybody as anybody: never let others reach it.
package socialtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// User is an account at the provider.
type User struct {
	Subject, Email, Name string
	EmailVerified        bool
	// Claims are further claims of the user's ID tokens and of the userinfo endpoint.
	Claims map[string]any
}

// Token is an ID token or a logout token that is about to be signed. Tests change it.
type Token struct {
	Header map[string]any
	Claims map[string]any
	// Method and Key sign it. Default: RS256 with the provider's key.
	Method jwt.SigningMethod
	Key    any
}

// Provider is an OpenID Connect provider. Set its fields before it serves. Its methods are safe for concurrent use.
type Provider struct {
	// Issuer is the address that the provider is served at.
	Issuer string
	// ClientID and ClientSecret are those of its one client. Without a secret the client is a public one.
	ClientID, ClientSecret string
	// RedirectURIs are those of the client.
	RedirectURIs []string
	// Users are the accounts.
	Users []User
	// Now is its clock. Default: time.Now.
	Now func() time.Time
	// NoIssuer leaves the parameter iss out of its responses (RFC 9207).
	NoIssuer bool

	mu     sync.Mutex
	tamper func(*Token)
	answer http.HandlerFunc // in place of the token endpoint
	codes  map[string]grant
	access map[string]grant
	calls  map[string]int
	key    *rsa.PrivateKey
	other  *ecdsa.PrivateKey
}

// grant is what a code stands for.
type grant struct {
	user                                           User
	redirect, nonce, challenge, clientID, sid, acr string
}

// New returns a provider with a new key.
func New(issuer, clientID, clientSecret string, users ...User) *Provider {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &Provider{
		Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret, Users: users, Now: time.Now, key: key, other: other,
		codes: make(map[string]grant), access: make(map[string]grant), calls: make(map[string]int),
	}
}

// Tamper changes each token before it is signed. Nil ends that.
func (p *Provider) Tamper(change func(*Token)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper = change
}

// AnswerTokens makes a handler the token endpoint. Nil ends that.
func (p *Provider) AnswerTokens(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = h
}

// Calls returns how often a path was requested.
func (p *Provider) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

// PublicKey returns the key that tokens are checked with.
func (p *Provider) PublicKey() *rsa.PublicKey { return &p.key.PublicKey }

// ServeHTTP serves the endpoints.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.calls[r.URL.Path]++
	answer := p.answer
	p.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.discovery(w)
	case "/keys":
		p.keys(w)
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		if answer != nil {
			answer(w, r)
			return
		}
		p.token(w, r)
	case "/userinfo":
		p.userInfo(w, r)
	case "/end":
		http.Redirect(w, r, r.URL.Query().Get("post_logout_redirect_uri"), http.StatusSeeOther)
	default:
		http.NotFound(w, r)
	}
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *Provider) discovery(w http.ResponseWriter) {
	respond(w, http.StatusOK, map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token",
		"jwks_uri": p.Issuer + "/keys", "userinfo_endpoint": p.Issuer + "/userinfo", "end_session_endpoint": p.Issuer + "/end",
		"id_token_signing_alg_values_supported":          []string{"RS256", "ES256", "HS256", "none"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "client_secret_post"},
		"authorization_response_iss_parameter_supported": !p.NoIssuer,
		"code_challenge_methods_supported":               []string{"S256"},
		"response_types_supported":                       []string{"code"},
		"subject_types_supported":                        []string{"public"},
		"response_modes_supported":                       []string{"query", "form_post"},
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"claims_supported":                               []string{"sub", "email", "email_verified", "name", "sid", "auth_time"},
	})
}

func (p *Provider) keys(w http.ResponseWriter) {
	text := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	respond(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": text(p.key.N), "e": text(big.NewInt(int64(p.key.E))),
	}}})
}

// page lets a person choose an account.
var page = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Demo provider</title></head>
<body><h1>Demo provider</h1><p>Who are you? This provider believes everybody.</p>
{{range .Users}}<form method="post"><button name="user" value="{{.Subject}}">{{.Name}} ({{.Email}})</button></form>{{end}}
<form method="post"><button name="user" value="">Cancel</button></form></body></html>`))

// form sends the response as a form.
var form = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Back</title></head>
<body onload="document.forms[0].submit()"><form method="post" action="{{.Action}}">
{{range $name, $values := .Values}}<input type="hidden" name="{{$name}}" value="{{index $values 0}}">{{end}}
<button>Continue</button></form></body></html>`))

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect := q.Get("redirect_uri")
	if !slices.Contains(p.RedirectURIs, redirect) || q.Get("client_id") != p.ClientID {
		http.Error(w, "the client or its redirect URI is not known", http.StatusBadRequest) // nobody is redirected
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, p)
		return
	}
	values := url.Values{"state": {q.Get("state")}}
	if !p.NoIssuer {
		values.Set("iss", p.Issuer)
	}
	i := slices.IndexFunc(p.Users, func(u User) bool { return u.Subject == r.PostFormValue("user") })
	switch {
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 ||
		!slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		values.Set("error", "invalid_request")
	case i < 0:
		values.Set("error", "access_denied")
		values.Set("error_description", "<script>CANARY of the provider</script>")
	default:
		values.Set("code", p.grant(grant{
			user: p.Users[i], redirect: redirect, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), clientID: p.ClientID,
			sid: "sid-" + p.Users[i].Subject, acr: q.Get("acr_values"),
		}))
	}
	if q.Get("response_mode") == "form_post" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = form.Execute(w, map[string]any{"Action": redirect, "Values": map[string][]string(values)})
		return
	}
	http.Redirect(w, r, redirect+"?"+values.Encode(), http.StatusSeeOther)
}

func (p *Provider) grant(g grant) string {
	code := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[code] = g
	return code
}

// Code returns a code for a user, as if the user had agreed to a request with these parameters.
func (p *Provider) Code(subject, redirect, nonce, challenge string) string {
	i := slices.IndexFunc(p.Users, func(u User) bool { return u.Subject == subject })
	return p.grant(grant{
		user: p.Users[i], redirect: redirect, nonce: nonce, challenge: challenge, clientID: p.ClientID, sid: "sid-" + subject,
	})
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) { respond(w, status, map[string]string{"error": code}) }
	if r.Method != http.MethodPost || !p.authenticated(r) {
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	if r.PostFormValue("grant_type") == "refresh_token" {
		p.refresh(w, r)
		return
	}
	p.mu.Lock()
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	if !ok || g.redirect != r.PostFormValue("redirect_uri") || subtle.ConstantTimeCompare([]byte(g.challenge), []byte(challenge)) != 1 {
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	access := rand.Text()
	p.issue(w, access, "refresh-"+access, g)
}

func (p *Provider) issue(w http.ResponseWriter, access, refresh string, g grant) {
	p.mu.Lock()
	p.access[access], p.access[refresh] = g, g
	p.mu.Unlock()
	respond(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh,
		"id_token": p.IDToken(g.user, g.nonce, access),
	})
}

func (p *Provider) refresh(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	g, ok := p.access[r.PostFormValue("refresh_token")]
	p.mu.Unlock()
	if !ok {
		respond(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	p.issue(w, rand.Text(), r.PostFormValue("refresh_token"), g)
}

// authenticated reports whether a token request is the client's.
func (p *Provider) authenticated(r *http.Request) bool {
	id, password, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		password, _ = url.QueryUnescape(password)
	} else {
		id, password = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	return id == p.ClientID && subtle.ConstantTimeCompare([]byte(password), []byte(p.ClientSecret)) == 1
}

func (u User) claims() map[string]any {
	claims := map[string]any{"sub": u.Subject, "name": u.Name}
	if u.Email != "" {
		claims["email"], claims["email_verified"] = u.Email, u.EmailVerified
	}
	maps.Copy(claims, u.Claims)
	return claims
}

// IDToken returns an ID token for a user, with at_hash if there is an access token.
func (p *Provider) IDToken(u User, nonce, access string) string {
	now := p.Now()
	claims := u.claims()
	maps.Copy(claims, map[string]any{
		"iss": p.Issuer, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Unix(),
		"nonce": nonce, "sid": "sid-" + u.Subject,
	})
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	return p.sign(Token{Header: map[string]any{"kid": "1"}, Claims: claims})
}

// LogoutToken returns a logout token. The subject or the sid may be "".
func (p *Provider) LogoutToken(subject, sid string) string {
	now := p.Now()
	claims := map[string]any{
		"iss": p.Issuer, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if sid != "" {
		claims["sid"] = sid
	}
	return p.sign(Token{Header: map[string]any{"kid": "1", "typ": "logout+jwt"}, Claims: claims})
}

func (p *Provider) sign(t Token) string {
	t.Method, t.Key = jwt.SigningMethodRS256, crypto.PrivateKey(p.key)
	p.mu.Lock()
	if p.tamper != nil {
		p.tamper(&t)
	}
	p.mu.Unlock()
	token := jwt.NewWithClaims(t.Method, jwt.MapClaims(t.Claims))
	maps.Copy(token.Header, t.Header)
	text, err := token.SignedString(t.Key)
	if err != nil {
		panic(err) // a test gave a key that does not fit
	}
	return text
}

// OtherKey returns a key that the provider does not publish.
func (p *Provider) OtherKey() *ecdsa.PrivateKey { return p.other }

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	g, ok := p.access[access]
	p.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	respond(w, http.StatusOK, g.user.claims())
}
