package social

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/ginauth/ginauth/stores"
)

// OAuth2Config configures a provider that has OAuth 2.0 and no OpenID Connect.
type OAuth2Config struct {
	// Name and Title are those of the Provider. Title defaults to Name.
	Name, Title string
	// ClientID and ClientSecret are what the provider gave to the application.
	ClientID     string
	ClientSecret Secret
	// AuthorizationURL and TokenURL are the endpoints of the provider.
	AuthorizationURL, TokenURL string
	// Scopes are asked for.
	Scopes []string
	// Issuer is compared with the parameter iss of a response (RFC 9207). If it is "", the parameter is not looked at.
	Issuer string
	// Params are further parameters of the authorization request.
	Params map[string]string
	// SecretInBody sends the client secret in the body of token requests, for providers that take it nowhere else.
	// Default: HTTP Basic.
	SecretInBody bool
	// Fetch returns the profile of the user that a token is of. The client sends the token, follows no redirects and
	// reads 1 MiB at most. Required.
	Fetch func(ctx context.Context, api *API) (*Profile, error)
	// Transport sends the requests. Default: http.DefaultTransport.
	Transport http.RoundTripper
}

// API reads from a provider with a user's access token.
type API struct {
	client *http.Client
	token  *oauth2.Token
}

// AccessToken returns the user's access token at the provider.
func (a *API) AccessToken() string { return a.token.AccessToken }

// Get reads JSON from an address, with the access token as a bearer token. Numbers in an any are json.Number.
func (a *API) Get(ctx context.Context, address string, into any) error {
	return getJSON(ctx, a.client, address, http.Header{"Authorization": {"Bearer " + a.token.AccessToken}}, into)
}

// OAuth2 returns a provider that has OAuth 2.0 and no OpenID Connect. There is no ID token, so who the user is depends
// on the provider's API: Fetch maps its answer. Codes are bound to the login by PKCE, if the provider has it, and by the
// state.
func OAuth2(c OAuth2Config) Provider {
	if c.Title == "" {
		c.Title = c.Name
	}
	return &oauth2Provider{OAuth2Config: c, client: bounded(c.Transport)}
}

type oauth2Provider struct {
	OAuth2Config
	client *http.Client
}

func (p *oauth2Provider) Name() string  { return p.OAuth2Config.Name }
func (p *oauth2Provider) Title() string { return p.OAuth2Config.Title }

func (p *oauth2Provider) Check() error {
	if p.Fetch == nil {
		return errors.New("has no Fetch")
	}
	return errors.Join(checkClient(p.OAuth2Config.Name, p.ClientID), secureURL(p.OAuth2Config.AuthorizationURL), secureURL(p.TokenURL))
}

// checkClient checks what all providers need.
func checkClient(name, clientID string) error {
	switch {
	case !stores.ValidIdentityProvider(name) || strings.Trim(name, "-") == "":
		return fmt.Errorf("the name %.40q has to be 1 to %d lower-case letters, digits and hyphens", name, stores.MaxIdentityProvider)
	case clientID == "":
		return errors.New("has no ClientID")
	}
	return nil
}

func (p *oauth2Provider) config(redirect string) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if p.SecretInBody || p.ClientSecret == "" {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: string(p.ClientSecret), RedirectURL: redirect, Scopes: p.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.OAuth2Config.AuthorizationURL, TokenURL: p.TokenURL, AuthStyle: style},
	}
}

func (p *oauth2Provider) AuthorizationURL(_ context.Context, a Authorization) (string, error) {
	return authorizationURL(p.config(a.RedirectURI), a, p.Params), nil
}

// authorizationURL returns the address of an authorization request.
func authorizationURL(c *oauth2.Config, a Authorization, params map[string]string) string {
	options := []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("code_challenge", a.Challenge), oauth2.SetAuthURLParam("code_challenge_method", "S256"),
	}
	for name, value := range params {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	return c.AuthCodeURL(a.State, options...)
}

func (p *oauth2Provider) Exchange(ctx context.Context, e Exchange) (*Profile, error) {
	if p.Issuer != "" && e.Issuer != "" && !equal(p.Issuer, e.Issuer) {
		return nil, refuse("the response names another issuer")
	}
	token, err := redeem(ctx, p.client, p.config(e.RedirectURI), e)
	if err != nil {
		return nil, err
	}
	return p.profile(ctx, token)
}

func (p *oauth2Provider) profile(ctx context.Context, token *oauth2.Token) (*Profile, error) {
	profile, err := p.Fetch(ctx, &API{p.client, token})
	if err != nil {
		return nil, err
	}
	if profile == nil || !stores.ValidIdentitySubject(profile.Subject) {
		return nil, refuse("it names no subject")
	}
	profile.Token = token
	return profile, nil
}

// Refresh returns a token that has not expired.
func (p *oauth2Provider) Refresh(ctx context.Context, token *oauth2.Token) (*oauth2.Token, error) {
	return refresh(ctx, p.client, p.config(""), token)
}

// redeem exchanges a code for tokens. What the provider says about an error stays out of ours: it can repeat secrets.
func redeem(ctx context.Context, client *http.Client, c *oauth2.Config, e Exchange) (*oauth2.Token, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	token, err := c.Exchange(ctx, e.Code, oauth2.VerifierOption(e.Verifier))
	return token, tokenError(err)
}

func refresh(ctx context.Context, client *http.Client, c *oauth2.Config, token *oauth2.Token) (*oauth2.Token, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	fresh, err := c.TokenSource(ctx, token).Token()
	return fresh, tokenError(err)
}

// tokenError explains the error of a token endpoint. An error that RFC 6749 has is a refusal, anything else an outage.
func tokenError(err error) error {
	var answered *oauth2.RetrieveError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answered) && answered.ErrorCode != "" && known(answered.ErrorCode):
		return refuse("token endpoint: %s", answered.ErrorCode)
	case errors.As(err, &answered) && answered.Response != nil:
		return fmt.Errorf("social: the token endpoint responded with status %d and no answer of OAuth 2.0", answered.Response.StatusCode)
	}
	if plain := plainError(err); plain != err {
		return plain
	}
	return errors.New("social: the answer of the token endpoint cannot be read")
}

// known reports whether an error code is one of RFC 6749, 5.2.
func known(code string) bool {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"bad_verification_code": // of GitHub
		return true
	}
	return false
}

// equal compares in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
