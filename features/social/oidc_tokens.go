package social

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/ginauth/ginauth/stores"
)

// algorithms are what ID tokens may be signed with: all with keys that the application could not sign with itself.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
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

// profile makes a profile of standard claims.
func (p *oidcProvider) profile(claims map[string]any, user string) (*Profile, error) {
	profile := &Profile{
		Subject: text(claims, "sub"), Email: text(claims, "email"), EmailVerified: yes(claims["email_verified"]), Name: text(claims, "name"),
		ACR: text(claims, "acr"), SID: text(claims, "sid"), AuthTime: moment(claims["auth_time"]), Claims: claims,
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

// moment reads a time in seconds, of which some providers write parts, or which they write as a text. It is zero if there is
// none. What cannot be read counts as long ago.
func moment(value any) time.Time {
	text, _ := value.(string)
	switch number, ok := value.(json.Number); {
	case value == nil:
		return time.Time{}
	case ok:
		text = number.String()
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0 && seconds < 1<<40) {
		seconds = 0
	}
	return time.Unix(int64(seconds), 0).UTC()
}
