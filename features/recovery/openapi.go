package recovery

import "github.com/ginauth/ginauth/routes"

// Endpoints describes the endpoints for routes.OpenAPI.
func (f *Feature) Endpoints() []routes.Endpoint {
	const tag = "second factors"
	return []routes.Endpoint{
		{Route: "POST /login/recovery", ID: "answerRecoveryCode", Tag: tag, Summary: "Complete a pending login by a recovery code.",
			Guesses: true, Input: struct {
				Token string `json:"token,omitempty"`
				Code  string `json:"code"`
				Trust bool   `json:"trust,omitempty"`
			}{}, Success: map[int]any{200: routes.LoginAnswer{Session: true, Tokens: true}}},
		{Route: "GET /recovery-codes", ID: "countRecoveryCodes", Tag: tag, Summary: "Tell how many recovery codes are left.", Users: true,
			Success: map[int]any{200: struct {
				Left int `json:"left"`
			}{}}},
		{Route: "POST /recovery-codes", ID: "makeRecoveryCodes", Tag: tag, Summary: "Make new recovery codes in place of the old ones.", Users: true,
			Success: map[int]any{200: struct {
				Codes []string `json:"codes"`
			}{}}},
	}
}
