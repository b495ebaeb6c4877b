package social

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Client is what a site gave to the application.
type Client struct {
	ID     string
	Secret Secret
	// Scopes are asked for. Default: those that the profile needs.
	Scopes []string
	// Audiences are client ids of the application's apps, see OIDCConfig.Audiences.
	Audiences []string
	// Transport sends the requests. Default: http.DefaultTransport.
	Transport http.RoundTripper
}

func (c Client) oidc(name, title, issuer string) OIDCConfig {
	return OIDCConfig{
		Name: name, Title: title, Issuer: issuer, ClientID: c.ID, ClientSecret: c.Secret, Scopes: c.Scopes, Audiences: c.Audiences,
		Transport: c.Transport,
	}
}

func (c Client) oauth2(name, title, authorize, token string, scopes ...string) OAuth2Config {
	if len(c.Scopes) > 0 {
		scopes = c.Scopes
	}
	return OAuth2Config{
		Name: name, Title: title, ClientID: c.ID, ClientSecret: c.Secret, Scopes: scopes, AuthorizationURL: authorize,
		TokenURL: token, Transport: c.Transport,
	}
}

// Google returns the provider "google". If domains are given, only users of these Google Workspace domains may log in.
//
//   - The address counts as verified if Google is responsible for it: it ends in gmail.com, or the claim hd names a
//     Workspace domain. Another address was verified when the Google account was made, and may have changed hands.
//   - The parameter hd only chooses what the account chooser shows. The claim hd is what is checked.
//   - prompt=login is ignored by Google.
func Google(c Client, domains ...string) Provider {
	o := c.oidc("google", "Google", "https://accounts.google.com")
	o.Params = map[string]string{}
	if len(domains) == 1 {
		o.Params["hd"] = domains[0]
	}
	o.Map = func(p *Profile) error {
		domain := text(p.Claims, "hd")
		if len(domains) > 0 && !slices.Contains(domains, domain) {
			return refuse("the user is not of the domain")
		}
		p.EmailVerified = p.EmailVerified && (domain != "" || strings.HasSuffix(strings.ToLower(p.Email), "@gmail.com"))
		return nil
	}
	return OIDC(o)
}

// GitHub returns the provider "github", or one for a GitHub Enterprise Server at an address.
//
//   - It has no OpenID Connect. The subject is the numeric id: a login name can be changed, and taken by somebody else.
//   - The public address of a profile need not be verified. The primary address of /user/emails is taken, which says so.
//   - Without the scope user:email the account has no address.
func GitHub(c Client, server ...string) Provider {
	site, api := "https://github.com", "https://api.github.com"
	if len(server) > 0 {
		site = strings.TrimSuffix(server[0], "/")
		api = site + "/api/v3"
	}
	o := c.oauth2("github", "GitHub", site+"/login/oauth/authorize", site+"/login/oauth/access_token", "read:user", "user:email")
	o.SecretInBody = true
	o.Fetch = func(ctx context.Context, a *API) (*Profile, error) {
		user := make(map[string]any)
		if err := a.Get(ctx, api+"/user", &user); err != nil {
			return nil, err
		}
		p := &Profile{Subject: number(user["id"]), Name: first(text(user, "name"), text(user, "login")), Claims: user}
		var emails []struct {
			Email             string
			Primary, Verified bool
		}
		var status *statusError
		if err := a.Get(ctx, api+"/user/emails", &emails); errors.As(err, &status) && (status.code == 403 || status.code == 404) {
			return p, nil // there is no such scope
		} else if err != nil {
			return nil, err
		}
		for _, e := range emails {
			if e.Primary {
				p.Email, p.EmailVerified = e.Email, e.Verified
			}
		}
		return p, nil
	}
	return OAuth2(o)
}

// GitLab returns the provider "gitlab", or one for a GitLab at an address. email_verified is that of the confirmed
// primary address. On a server of one's own, administrators can confirm any address.
func GitLab(c Client, server ...string) Provider {
	site := "https://gitlab.com"
	if len(server) > 0 {
		site = strings.TrimSuffix(server[0], "/")
	}
	return OIDC(c.oidc("gitlab", "GitLab", site))
}

// tenantID is how Entra writes a tenant.
var tenantID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Entra returns the provider "entra", for Microsoft Entra ID. Tenant is the id of the one tenant whose users may log in,
// or "organizations" or "common" for those of many; then tenants name which, and without any all may.
//
//   - The address is not verified, whatever it says: administrators of any tenant can give a user any address, which
//     took over accounts elsewhere ("nOAuth"). It counts as verified only by the optional claim xms_edov.
//   - The issuer has the tenant in it. It is compared with the claim tid of the same token, and tid with the tenants.
//   - The subject is the tenant and sub, which differs between applications.
func Entra(c Client, tenant string, tenants ...string) Provider {
	if tenantID.MatchString(tenant) {
		tenants = []string{tenant}
	}
	o := c.oidc("entra", "Microsoft", "https://login.microsoftonline.com/"+url.PathEscape(tenant)+"/v2.0")
	o.issuerOf = func(claims map[string]any) (string, error) {
		id := text(claims, "tid")
		if !tenantID.MatchString(id) || len(tenants) > 0 && !slices.Contains(tenants, id) {
			return "", refuse("the user is of another tenant")
		}
		return "https://login.microsoftonline.com/" + id + "/v2.0", nil
	}
	o.Map = func(p *Profile) error {
		p.Subject = text(p.Claims, "tid") + ":" + p.Subject
		owner := p.Claims["xms_edov"]
		p.EmailVerified = yes(owner) || owner == "1" || owner == json.Number("1")
		return nil
	}
	return OIDC(o)
}

// Discord returns the provider "discord". The address is verified if the field verified says so. It can be missing.
func Discord(c Client) Provider {
	const api = "https://discord.com/api"
	o := c.oauth2("discord", "Discord", "https://discord.com/oauth2/authorize", api+"/oauth2/token", "identify", "email")
	o.Fetch = func(ctx context.Context, a *API) (*Profile, error) {
		user := make(map[string]any)
		err := a.Get(ctx, api+"/users/@me", &user)
		return &Profile{
			Subject: text(user, "id"), Name: first(text(user, "global_name"), text(user, "username")), Email: text(user, "email"),
			EmailVerified: user["verified"] == true, Claims: user,
		}, err
	}
	return OAuth2(o)
}

// Facebook returns the provider "facebook".
//
//   - The address is never verified: Facebook does not say whether it is, and users without one have none.
//   - The id is that of the user for this application.
//   - Requests carry a proof of the client secret (appsecret_proof), so that a stolen token is useless elsewhere.
func Facebook(c Client) Provider {
	const api = "https://graph.facebook.com/v24.0"
	o := c.oauth2("facebook", "Facebook", "https://www.facebook.com/v24.0/dialog/oauth", api+"/oauth/access_token", "email", "public_profile")
	o.SecretInBody = true
	o.Fetch = func(ctx context.Context, a *API) (*Profile, error) {
		mac := hmac.New(sha256.New, []byte(c.Secret))
		mac.Write([]byte(a.AccessToken()))
		user := make(map[string]any)
		err := a.Get(ctx, api+"/me?fields=id,name,email&appsecret_proof="+hex.EncodeToString(mac.Sum(nil)), &user)
		return &Profile{Subject: text(user, "id"), Name: text(user, "name"), Email: text(user, "email"), Claims: user}, err
	}
	return OAuth2(o)
}

// LinkedIn returns the provider "linkedin". Its ID tokens have no nonce, so they are not used: the userinfo endpoint says
// who the user is.
func LinkedIn(c Client) Provider {
	const site = "https://www.linkedin.com/oauth/v2"
	o := c.oauth2("linkedin", "LinkedIn", site+"/authorization", site+"/accessToken", "openid", "profile", "email")
	o.SecretInBody = true
	o.Fetch = func(ctx context.Context, a *API) (*Profile, error) {
		user := make(map[string]any)
		err := a.Get(ctx, "https://api.linkedin.com/v2/userinfo", &user)
		return &Profile{
			Subject: text(user, "sub"), Name: text(user, "name"), Email: text(user, "email"), EmailVerified: yes(user["email_verified"]),
			Claims: user,
		}, err
	}
	return OAuth2(o)
}

// Slack returns the provider "slack". If teams are given, only users of these workspaces may log in. The subject is the
// workspace and the user: identifiers of users are told apart within a workspace. The address is verified as its
// workspace says, whose administrators can change it, so it never counts as verified for a user of another team than
// those that are named.
func Slack(c Client, teams ...string) Provider {
	o := c.oidc("slack", "Slack", "https://slack.com")
	o.Map = func(p *Profile) error {
		team := text(p.Claims, "https://slack.com/team_id")
		if team == "" || len(teams) > 0 && !slices.Contains(teams, team) {
			return refuse("the user is of another workspace")
		}
		p.Subject = team + ":" + p.Subject
		p.EmailVerified = p.EmailVerified && len(teams) > 0
		return nil
	}
	return OIDC(o)
}

// X returns the provider "x". The address is confirmed_email, which needs the scope users.email and a permission of the
// application; without them the account has none. The user name can change and is not the subject.
func X(c Client) Provider {
	const api = "https://api.x.com/2"
	o := c.oauth2("x", "X", "https://x.com/i/oauth2/authorize", api+"/oauth2/token", "users.read", "tweet.read", "users.email")
	o.Fetch = func(ctx context.Context, a *API) (*Profile, error) {
		var answer struct{ Data map[string]any }
		err := a.Get(ctx, api+"/users/me?user.fields=confirmed_email", &answer)
		email := text(answer.Data, "confirmed_email")
		return &Profile{
			Subject: text(answer.Data, "id"), Name: first(text(answer.Data, "name"), text(answer.Data, "username")), Email: email,
			EmailVerified: email != "", Claims: answer.Data,
		}, err
	}
	return OAuth2(o)
}

// number returns a number as text, or "".
func number(value any) string {
	n, _ := value.(json.Number)
	if strings.Trim(n.String(), "0123456789") != "" || n == "0" {
		return ""
	}
	return n.String()
}

// first returns the first of some texts that is not "".
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

var errKey = errors.New("social: Apple: the private key is not a PEM file with a P-256 key")
