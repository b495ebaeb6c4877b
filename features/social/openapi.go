package social

import (
	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// Endpoints describes the endpoints for routes.OpenAPI. Those that a provider calls, or sends a browser back to, are left
// out.
func (f *Feature) Endpoints() []routes.Endpoint {
	const tag = "social login"
	type address struct {
		URL string `json:"url"`
	}
	list := []routes.Endpoint{
		{Route: "GET /identities", ID: "identities", Tag: tag, Summary: "List the accounts elsewhere that log in.", Users: true,
			Success: map[int]any{200: struct {
				Identities []Identity `json:"identities"`
				Providers  []Button   `json:"providers"`
			}{}}},
		{Route: "DELETE /identities/:id", ID: "unlinkIdentity", Tag: tag, Summary: "Unlink an account elsewhere.", Users: true,
			Success: map[int]any{200: ginauth.TokenPair{}, 204: nil}},
	}
	for _, p := range f.options.Providers {
		name := p.Name()
		list = append(list,
			routes.Endpoint{Route: routes.Route("POST /auth/" + name), ID: "logInBy_" + name, Tag: tag,
				Summary: "Get the URL at which to log in by " + p.Title() + ".", Input: struct {
					For string `json:"for,omitempty"`
				}{}, Success: map[int]any{200: address{}}},
			routes.Endpoint{Route: routes.Route("POST /auth/" + name + "/logout"), ID: "logOutOf_" + name, Tag: tag,
				Summary: "Log out here, and get the URL at which to log out of " + p.Title() + ".", Success: map[int]any{200: address{}}})
		if f.tokenGuard() != "" {
			list = append(list, routes.Endpoint{Route: routes.Route("POST /social/" + name + "/token"), ID: "issueTokensBy_" + name, Tag: tag,
				Guesses: true, Summary: "Get tokens for what " + p.Title() + " gave an app.", Input: struct {
					IDToken     string `json:"id_token,omitempty"`
					Nonce       string `json:"nonce,omitempty"`
					Code        string `json:"code,omitempty"`
					Verifier    string `json:"verifier,omitempty"`
					RedirectURI string `json:"redirect_uri,omitempty"`
					Issuer      string `json:"iss,omitempty"`
				}{}, Success: map[int]any{200: routes.LoginAnswer{Tokens: true}}})
		}
	}
	return list
}
