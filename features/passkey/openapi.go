package passkey

import (
	"encoding/json"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// What the endpoints take and return.
type (
	answerInput struct {
		Ceremony   string          `json:"ceremony"`
		Credential json.RawMessage `json:"credential"`
	}
	nameInput struct {
		Name string `json:"name"`
	}
	tokenInput struct {
		Token string `json:"token,omitempty"`
	}
	identifierInput struct {
		Identifier string `json:"identifier,omitempty"`
	}
	signalsBody struct {
		Signals *Signals `json:"signals"`
	}
	deletedBody struct {
		signalsBody
		Tokens ginauth.TokenPair `json:"tokens,omitzero"`
	}
)

// Endpoints describes the endpoints for routes.OpenAPI.
func (f *Feature) Endpoints() []routes.Endpoint {
	begun := map[int]any{200: Ceremony{}}
	list := []routes.Endpoint{
		{Route: "POST /login/passkey/options", ID: "beginPasskeyLogin", Summary: "Begin a login by a passkey.",
			Input: identifierInput{}, Success: begun},
		{Route: "POST /login/passkey/second/options", ID: "beginPasskeyAnswer", Summary: "Begin the proof of a pending login.",
			Guesses: true, Input: tokenInput{}, Success: begun},
		{Route: "POST /login/passkey/second", ID: "answerPasskey", Summary: "Complete a pending login by a passkey.", Guesses: true,
			Input: struct {
				tokenInput
				answerInput
				Trust bool `json:"trust,omitempty"`
			}{}, Success: map[int]any{200: routes.LoginAnswer{Session: true, Tokens: true}}},
		{Route: "GET /passkeys", ID: "passkeys", Summary: "List the passkeys.", Users: true, Success: map[int]any{200: struct {
			Passkeys []Passkey `json:"passkeys"`
			signalsBody
		}{}}},
		{Route: "POST /passkeys/options", ID: "beginPasskey", Summary: "Begin to add a passkey.", Users: true, Success: begun},
		{Route: "POST /passkeys", ID: "addPasskey", Summary: "Add a passkey.", Users: true, Input: struct {
			answerInput
			Name string `json:"name,omitempty"`
		}{}, Success: map[int]any{201: struct {
			Passkey Passkey           `json:"passkey"`
			Tokens  ginauth.TokenPair `json:"tokens,omitzero"`
		}{}}},
		{Route: "POST /passkeys/confirm/options", ID: "beginPasskeyStepUp", Summary: "Begin to prove the passkey again.", Users: true,
			Success: begun},
		{Route: "POST /passkeys/confirm", ID: "stepUpByPasskey", Summary: "Prove the passkey again.", Users: true, Input: answerInput{},
			Success: map[int]any{200: struct {
				Next string `json:"next"`
			}{}, 204: nil}},
		{Route: "PATCH /passkeys/:id", ID: "renamePasskey", Summary: "Rename a passkey.", Users: true, Input: nameInput{},
			Success: map[int]any{200: signalsBody{}}},
		{Route: "DELETE /passkeys/:id", ID: "deletePasskey", Summary: "Delete a passkey.", Users: true, Success: map[int]any{200: deletedBody{}}},
		{Route: "GET /passkeys.js", ID: "passkeyScript", Summary: "Get the script for pages.", Media: "text/javascript",
			Success: map[int]any{200: ""}},
	}
	list = append(list, f.loginEndpoints()...)
	for i := range list {
		list[i].Tag, list[i].OnlyJSON = "passkeys", true
	}
	return list
}

// loginEndpoints describes the endpoints that log in by a passkey alone.
func (f *Feature) loginEndpoints() (list []routes.Endpoint) {
	for _, guard := range routes.FeatureGuards(f.auth, f.options.Guards) {
		can, _ := f.auth.Capabilities(guard)
		e := routes.Endpoint{Route: "POST /login/passkey", ID: "logInByPasskey", Summary: "Log in by a passkey and start a session.",
			Success: map[int]any{200: routes.LoginAnswer{Session: true}}, Guesses: true}
		switch {
		case can.Sessions:
		case can.AccessTokens:
			e.Route, e.ID, e.Summary = "POST /token/passkey", "issueTokensByPasskey", "Log in by a passkey and get tokens."
			e.Success = map[int]any{200: routes.LoginAnswer{Tokens: true}}
		default:
			continue
		}
		e.Input = struct {
			answerInput
			identifierInput
			Remember bool `json:"remember,omitempty"`
		}{}
		list = append(list, e)
	}
	return list
}
