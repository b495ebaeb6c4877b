package totp

import (
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// Endpoints describes the endpoints for routes.OpenAPI.
func (f *Feature) Endpoints() []routes.Endpoint {
	const tag = "second factors"
	type code struct {
		Code string `json:"code"`
	}
	return []routes.Endpoint{
		{Route: "POST /login/totp", ID: "answerTOTP", Tag: tag, Summary: "Complete a pending login by the code of an authenticator app.",
			Guesses: true, Input: struct {
				Token string `json:"token,omitempty"`
				code
				Trust bool `json:"trust,omitempty"`
			}{}, Success: map[int]any{200: routes.LoginAnswer{Session: true, Tokens: true}}},
		{Route: "GET /totp", ID: "showTOTP", Tag: tag, Summary: "Tell whether an authenticator app is set up.", Users: true,
			Success: map[int]any{200: struct {
				Enabled bool      `json:"enabled"`
				Since   time.Time `json:"since,omitzero"`
			}{}}},
		{Route: "POST /totp/enrolment", ID: "beginTOTP", Tag: tag, Summary: "Get the secret for an authenticator app.", Users: true,
			Success: map[int]any{200: enrolmentBody{}}},
		{Route: "POST /totp", ID: "confirmTOTP", Tag: tag, Summary: "Set the authenticator app up, by its first code.", Users: true,
			Input: struct {
				Enrolment string `json:"enrolment"`
				code
			}{}, Success: map[int]any{200: ginauth.TokenPair{}, 204: nil}},
		{Route: "POST /totp/confirm", ID: "stepUpByTOTP", Tag: tag, Summary: "Prove the second factor again.", Users: true,
			Input: code{}, Success: map[int]any{204: nil}},
		{Route: "DELETE /totp", ID: "deleteTOTP", Tag: tag, Summary: "Remove the authenticator app.", Users: true,
			Success: map[int]any{200: ginauth.TokenPair{}, 204: nil}},
	}
}
