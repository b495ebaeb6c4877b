package social

import (
	"context"
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
	tellsAuthTime  bool // when it is asked to
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
	Claims         []string `json:"claims_supported"`
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
		tellsAuthTime: slices.Contains(m.Claims, "auth_time"),
	}, nil
}

func (p *oidcProvider) secretless() bool { return p.ClientSecret == "" && p.Secret == nil }

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
		params["prompt"], params["max_age"] = "login", "60" // by which auth_time is required
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
		profile.Token, profile.authTimeMissing = token, d.tellsAuthTime && profile.AuthTime.IsZero()
	}
	return profile, err
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
