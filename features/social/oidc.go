package social

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/ginauth/ginauth/stores"
)

// OIDCConfig configures a provider of OpenID Connect.
type OIDCConfig struct {
	// Name and Title are those of the Provider. Title defaults to Name.
	Name, Title string
	// Issuer is the address of the provider, exactly as its ID tokens have it. Its endpoints and keys are read from
	// "/.well-known/openid-configuration" below it, when they are first needed.
	Issuer string
	// ClientID and ClientSecret are what the provider gave to the application. A public client has no secret.
	ClientID     string
	ClientSecret Secret
	// Scopes are asked for. Default: "openid", "email", "profile".
	Scopes []string
	// Audiences are client ids of the application's apps. Their ID tokens are accepted by POST /social/{provider}/token,
	// and nowhere else.
	Audiences []string
	// Params are further parameters of the authorization request, such as acr_values.
	Params map[string]string
	// FormPost asks for the response as a form (response_mode=form_post).
	FormPost bool
	// UserInfo also reads the claims of the userinfo endpoint, for providers whose ID tokens have no email address.
	UserInfo bool
	// Map changes the profile that was made from the standard claims. The error wraps ErrRefused if the user may not log in.
	Map func(p *Profile) error
	// Secret makes the client secret for each request, in place of ClientSecret.
	Secret func(now time.Time) (string, error)
	// Transport sends the requests. Default: http.DefaultTransport.
	Transport http.RoundTripper

	// inBody sends the client secret in the body, whatever the provider says that it accepts.
	inBody bool
	// issuerOf returns the issuer that an ID token must have, by its claims. Default: Issuer.
	issuerOf func(claims map[string]any) (string, error)
}

// algorithms are what ID tokens may be signed with: all with keys that the application could not sign with itself.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// OIDC returns a provider of OpenID Connect, which is found by its issuer. email_verified is believed: configure only
// providers that check addresses, or change the profile with Map.
func OIDC(c OIDCConfig) Provider {
	if c.Title == "" {
		c.Title = c.Name
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{oidc.ScopeOpenID, "email", "profile"}
	}
	return &oidcProvider{OIDCConfig: c, client: bounded(c.Transport), turn: make(chan struct{}, 1), now: time.Now}
}

type oidcProvider struct {
	OIDCConfig
	client *http.Client
	now    func() time.Time

	turn  chan struct{} // holds one element while the provider is discovered
	mu    sync.Mutex
	found *discovered
}

// discovered is what a provider says about itself.
type discovered struct {
	endpoint       oauth2.Endpoint
	keys           oidc.KeySet
	algorithms     []string
	userInfo       string
	endSession     string
	issuerRequired bool // in responses (RFC 9207)
}

func (p *oidcProvider) Name() string  { return p.OIDCConfig.Name }
func (p *oidcProvider) Title() string { return p.OIDCConfig.Title }

// AnswersByForm reports whether the response is a form.
func (p *oidcProvider) AnswersByForm() bool { return p.FormPost }

// setClock makes the provider use the application's clock.
func (p *oidcProvider) setClock(now func() time.Time) { p.now = now }

func (p *oidcProvider) Check() error {
	if !slices.Contains(p.Scopes, oidc.ScopeOpenID) {
		return errors.New("there is no \"openid\" in Scopes")
	}
	return errors.Join(checkClient(p.OIDCConfig.Name, p.ClientID), secureURL(p.Issuer))
}

// metadata is what is read of a discovery document.
type metadata struct {
	Issuer         string   `json:"issuer"`
	Authorization  string   `json:"authorization_endpoint"`
	Token          string   `json:"token_endpoint"`
	Keys           string   `json:"jwks_uri"`
	UserInfo       string   `json:"userinfo_endpoint"`
	EndSession     string   `json:"end_session_endpoint"`
	Algorithms     []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	IssuerInAnswer bool     `json:"authorization_response_iss_parameter_supported"`
}

// discover returns what the provider says about itself, which is read once. An error is not kept.
func (p *oidcProvider) discover(ctx context.Context) (*discovered, error) {
	if d := p.known(); d != nil {
		return d, nil
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if d := p.known(); d != nil {
		return d, nil
	}
	var m metadata
	address := strings.TrimSuffix(p.Issuer, "/") + "/.well-known/openid-configuration"
	if err := getJSON(ctx, p.client, address, http.Header{}, &m); err != nil {
		return nil, err
	}
	d, err := p.accept(m)
	if err != nil {
		return nil, fmt.Errorf("social: discovery of %s: %w", p.OIDCConfig.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = d
	return d, nil
}

func (p *oidcProvider) known() *discovered {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found
}

// accept checks a discovery document.
func (p *oidcProvider) accept(m metadata) (*discovered, error) {
	if p.issuerOf == nil && m.Issuer != p.Issuer {
		return nil, errors.New("the document is of another issuer")
	}
	for _, address := range []string{m.Authorization, m.Token, m.Keys} {
		if err := secureURL(address); err != nil {
			return nil, err
		}
	}
	for _, optional := range []*string{&m.UserInfo, &m.EndSession} {
		if secureURL(*optional) != nil {
			*optional = ""
		}
	}
	allowed := slices.DeleteFunc(slices.Clone(m.Algorithms), func(name string) bool { return !slices.Contains(algorithms, name) })
	if len(allowed) == 0 {
		allowed = []string{oidc.RS256}
	}
	style := oauth2.AuthStyleInHeader
	if p.secretless() || p.inBody || len(m.AuthMethods) > 0 && !slices.Contains(m.AuthMethods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	// The keys are read on behalf of all requests, by the client's own deadline.
	remote := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), p.client), m.Keys)
	return &discovered{
		endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style},
		keys:     keys{remote}, algorithms: allowed, userInfo: m.UserInfo, endSession: m.EndSession, issuerRequired: m.IssuerInAnswer,
	}, nil
}

func (p *oidcProvider) secretless() bool { return p.ClientSecret == "" && p.Secret == nil }

// keys tells an outage of the endpoint of keys from a wrong signature.
type keys struct{ oidc.KeySet }

// outage is where keys leaves an error for the caller of a verifier, which returns texts alone.
type outage struct{ err error }

type outageKey struct{}

func (k keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, token)
	if into, ok := ctx.Value(outageKey{}).(*outage); ok && err != nil && strings.HasPrefix(err.Error(), "fetching keys") {
		into.err = plainError(err)
	}
	return payload, err
}

func (p *oidcProvider) config(d *discovered, redirect string) (*oauth2.Config, error) {
	c := &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: string(p.ClientSecret), RedirectURL: redirect, Scopes: p.Scopes, Endpoint: d.endpoint,
	}
	if p.Secret == nil {
		return c, nil
	}
	text, err := p.Secret(p.now())
	c.ClientSecret = text
	return c, err
}

func (p *oidcProvider) AuthorizationURL(ctx context.Context, a Authorization) (string, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	params := map[string]string{"nonce": a.Nonce}
	for name, value := range p.Params {
		params[name] = value
	}
	if a.Again {
		params["prompt"] = "login"
	}
	if p.FormPost {
		params["response_mode"] = "form_post"
	}
	c := &oauth2.Config{ClientID: p.ClientID, RedirectURL: a.RedirectURI, Scopes: p.Scopes, Endpoint: d.endpoint}
	return authorizationURL(c, a, params), nil
}

func (p *oidcProvider) Exchange(ctx context.Context, e Exchange) (*Profile, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	if (e.Issuer != "" || d.issuerRequired) && p.issuerOf == nil && !equal(e.Issuer, p.Issuer) {
		return nil, refuse("the response names another issuer, or none")
	}
	c, err := p.config(d, e.RedirectURI)
	if err != nil {
		return nil, err
	}
	token, err := redeem(ctx, p.client, c, e)
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	checked, claims, err := p.verify(ctx, d, raw, e.Nonce, []string{p.ClientID})
	if err != nil {
		return nil, err
	}
	if checked.AccessTokenHash != "" && checked.VerifyAccessToken(token.AccessToken) != nil {
		return nil, refuse("the access token is not that of the ID token")
	}
	if p.UserInfo {
		if err := p.addUserInfo(ctx, d, token, claims); err != nil {
			return nil, err
		}
	}
	profile, err := p.profile(claims, e.User)
	if err == nil {
		profile.Token = token
	}
	return profile, err
}

// VerifyIDToken returns who an ID token is about that an app of Audiences, or this client, got for itself.
func (p *oidcProvider) VerifyIDToken(ctx context.Context, raw, nonce string) (*Profile, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	_, claims, err := p.verify(ctx, d, raw, nonce, append([]string{p.ClientID}, p.Audiences...))
	if err != nil {
		return nil, err
	}
	return p.profile(claims, "")
}

// verify checks an ID token (OpenID Connect Core, 3.1.3.7) for one of the client ids.
func (p *oidcProvider) verify(
	ctx context.Context, d *discovered, raw, nonce string, clients []string,
) (*oidc.IDToken, map[string]any, error) {
	if raw == "" || len(raw) > maxToken {
		return nil, nil, refuse("there is no ID token, or one that is too large")
	}
	token, claims, err := p.checkToken(ctx, d, raw)
	if err != nil {
		return nil, nil, err
	}
	azp, named := claims["azp"].(string)
	now := p.now()
	switch {
	case nonce == "" || !equal(token.Nonce, nonce):
		return nil, nil, refuse("the ID token has another nonce, or none")
	case !slices.ContainsFunc(clients, func(id string) bool { return slices.Contains(token.Audience, id) }):
		return nil, nil, refuse("the ID token is for another audience")
	case named && !slices.Contains(clients, azp), !named && (claims["azp"] != nil || len(token.Audience) > 1):
		return nil, nil, refuse("the ID token was issued to another client")
	case token.IssuedAt.After(now.Add(leeway)) || token.IssuedAt.Before(now.Add(-maxAge)):
		return nil, nil, refuse("the ID token is from another time")
	case !stores.ValidIdentitySubject(token.Subject):
		return nil, nil, refuse("the ID token has no subject")
	}
	return token, claims, nil
}

const (
	// leeway is how much the clock of a provider may differ.
	leeway = time.Minute
	// maxAge is how old an ID token may be.
	maxAge = 15 * time.Minute
)

// checkToken checks the signature, the issuer and the time of an ID token.
func (p *oidcProvider) checkToken(ctx context.Context, d *discovered, raw string) (*oidc.IDToken, map[string]any, error) {
	var broken outage
	ctx = context.WithValue(ctx, outageKey{}, &broken)
	token, err := p.verifier(d).Verify(ctx, raw)
	switch {
	case broken.err != nil:
		return nil, nil, broken.err
	case err != nil:
		return nil, nil, refuse("the ID token is not signed by the provider, or has expired")
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, nil, refuse("the claims cannot be read")
	}
	claims := make(map[string]any)
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		return nil, nil, refuse("the claims cannot be read")
	}
	if err := p.checkIssuer(token.Issuer, claims); err != nil {
		return nil, nil, err
	}
	return token, claims, nil
}

func (p *oidcProvider) verifier(d *discovered) *oidc.IDTokenVerifier {
	return oidc.NewVerifier(p.Issuer, d.keys, &oidc.Config{
		SkipClientIDCheck: true, SkipIssuerCheck: p.issuerOf != nil, SupportedSigningAlgs: d.algorithms, Now: p.now,
	})
}

func (p *oidcProvider) checkIssuer(issuer string, claims map[string]any) error {
	if p.issuerOf == nil {
		return nil // the verifier has compared it
	}
	want, err := p.issuerOf(claims)
	if err == nil && !equal(want, issuer) {
		err = refuse("the ID token is of another issuer")
	}
	return err
}

// addUserInfo adds the claims of the userinfo endpoint, which must be about the same subject.
func (p *oidcProvider) addUserInfo(ctx context.Context, d *discovered, token *oauth2.Token, claims map[string]any) error {
	if d.userInfo == "" {
		return errors.New("social: the provider has no userinfo endpoint")
	}
	more := make(map[string]any)
	if err := (&API{p.client, token}).Get(ctx, d.userInfo, &more); err != nil {
		return err
	}
	if subject, _ := more["sub"].(string); !equal(subject, text(claims, "sub")) {
		return refuse("the userinfo endpoint speaks of another subject")
	}
	for name, value := range more {
		if _, signed := claims[name]; !signed {
			claims[name] = value
		}
	}
	return nil
}

// profile makes a profile of standard claims.
func (p *oidcProvider) profile(claims map[string]any, user string) (*Profile, error) {
	profile := &Profile{
		Subject: text(claims, "sub"), Email: text(claims, "email"), EmailVerified: yes(claims["email_verified"]), Name: text(claims, "name"),
		ACR: text(claims, "acr"), SID: text(claims, "sid"), Claims: claims,
	}
	if methods, ok := claims["amr"].([]any); ok {
		for _, method := range methods[:min(len(methods), 16)] {
			if name, ok := method.(string); ok {
				profile.AMR = append(profile.AMR, name)
			}
		}
	}
	if user != "" {
		claims["user"] = user
	}
	if p.Map != nil {
		if err := p.Map(profile); err != nil {
			return nil, err
		}
	}
	if !stores.ValidIdentitySubject(profile.Subject) {
		return nil, refuse("it names no subject")
	}
	return profile, nil
}

// text returns a claim that is a text, or "".
func text(claims map[string]any, name string) string {
	value, _ := claims[name].(string)
	return value
}

// yes reads a boolean that some providers write as a text.
func yes(value any) bool { return value == true || value == "true" }

// VerifyLogout checks a logout token.
func (p *oidcProvider) VerifyLogout(ctx context.Context, raw string) (Logout, error) {
	if raw == "" || len(raw) > maxToken {
		return Logout{}, refuse("there is no logout token, or one that is too large")
	}
	if p.issuerOf != nil {
		return Logout{}, refuse("the provider has several issuers, and no back-channel logout here")
	}
	d, err := p.discover(ctx)
	if err != nil {
		return Logout{}, err
	}
	var broken outage
	ctx = context.WithValue(ctx, outageKey{}, &broken)
	verifier := oidc.NewVerifier(p.Issuer, d.keys, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: d.algorithms, Now: p.now})
	token, err := verifier.VerifyLogout(ctx, raw)
	now := p.now()
	switch {
	case broken.err != nil:
		return Logout{}, broken.err
	case err != nil:
		return Logout{}, refuse("the logout token is not one of the provider's, or has expired")
	case token.IssuedAt.After(now.Add(leeway)) || token.IssuedAt.Before(now.Add(-maxAge)):
		return Logout{}, refuse("the logout token is from another time")
	case token.TokenID == "":
		return Logout{}, refuse("the logout token has no identifier")
	}
	return Logout{Subject: token.Subject, SID: token.SessionID, ID: token.TokenID}, nil
}

// EndSessionURL returns the address at which the provider ends its session (OpenID Connect RP-Initiated Logout 1.0).
func (p *oidcProvider) EndSessionURL(ctx context.Context, redirect string) (string, error) {
	d, err := p.discover(ctx)
	if err != nil || d.endSession == "" {
		return "", err
	}
	u, err := url.Parse(d.endSession)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("client_id", p.ClientID)
	query.Set("post_logout_redirect_uri", redirect)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Refresh returns a token that has not expired.
func (p *oidcProvider) Refresh(ctx context.Context, token *oauth2.Token) (*oauth2.Token, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.config(d, "")
	if err != nil {
		return nil, err
	}
	return refresh(ctx, p.client, c, token)
}
