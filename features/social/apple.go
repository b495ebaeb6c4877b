package social

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// AppleClient is what Apple gave to the application.
type AppleClient struct {
	// ID is the Services ID, as in "com.example.web".
	ID string
	// TeamID is the team's, and KeyID names the PrivateKey: the PEM file "AuthKey_….p8".
	TeamID, KeyID string
	PrivateKey    Secret
	// Scopes are asked for. Default: "openid", "name", "email".
	Scopes []string
	// Audiences are the bundle ids of the application's apps, see OIDCConfig.Audiences.
	Audiences []string
	// Transport sends the requests. Default: http.DefaultTransport.
	Transport http.RoundTripper
}

// appleTime is how long a client secret can be used: it is made for one request.
const appleTime = 5 * time.Minute

// Apple returns the provider "apple".
//
//   - The response is a form (response_mode=form_post), because the scopes ask for a name or an address.
//   - The client secret is a token that is signed with ES256 for each request, so that none expires unnoticed.
//   - The name is sent once, when the user agrees for the first time, and nobody signs it: it is what the browser says.
//   - email_verified can be a text. An address of privaterelay.appleid.com forwards to the user, until the user stops it.
func Apple(c AppleClient) Provider {
	o := OIDCConfig{
		Name: "apple", Title: "Apple", Issuer: "https://appleid.apple.com", ClientID: c.ID, Scopes: c.Scopes, Audiences: c.Audiences,
		FormPost: true, Transport: c.Transport, inBody: true,
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"openid", "name", "email"}
	}
	key, err := parseAppleKey(c.PrivateKey)
	o.Secret = func(now time.Time) (string, error) {
		if err != nil {
			return "", err
		}
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": c.TeamID, "sub": c.ID, "aud": o.Issuer, "iat": now.Unix(), "exp": now.Add(appleTime).Unix(),
		})
		token.Header["kid"] = c.KeyID
		return token.SignedString(key)
	}
	o.Map = func(p *Profile) error {
		var user struct {
			Name struct{ FirstName, LastName string }
		}
		if sent := text(p.Claims, "user"); sent != "" && json.Unmarshal([]byte(sent), &user) == nil {
			p.Name = strings.TrimSpace(user.Name.FirstName + " " + user.Name.LastName)
		}
		return nil
	}
	return &appleProvider{OIDC(o).(*oidcProvider), err}
}

// appleProvider is a provider whose key may be wrong.
type appleProvider struct {
	*oidcProvider
	err error
}

func (p *appleProvider) Check() error {
	if p.err != nil {
		return p.err
	}
	return p.oidcProvider.Check()
}

func parseAppleKey(text Secret) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, errKey
	}
	return key, nil
}
