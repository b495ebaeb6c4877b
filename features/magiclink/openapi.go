package magiclink

import "github.com/ginauth/ginauth/routes"

// What the endpoints take and return.
type (
	askBody struct {
		Email    string `json:"email"`
		Remember bool   `json:"remember,omitempty"`
	}
	askedBody struct {
		Accepted  bool   `json:"accepted"`
		Request   string `json:"request"`
		ExpiresIn int    `json:"expires_in"`
		Code      string `json:"code,omitempty"`
	}
	codeBody struct {
		Request string `json:"request"`
		Code    string `json:"code"`
	}
	linkBody struct {
		Request string `json:"request,omitempty"`
		Code    string `json:"code,omitempty"`
	}
	sentBody struct {
		Accepted bool `json:"accepted"`
	}
	secondBody struct {
		Token string `json:"token,omitempty"`
	}
	stepUpBody struct {
		Code string `json:"code"`
	}
)

// Endpoints describes the endpoints for routes.OpenAPI.
func (f *Feature) Endpoints() (list []routes.Endpoint) {
	for _, guard := range f.guards() {
		list = append(list, f.loginEndpoints(server{f, guard})...)
	}
	for _, c := range f.options.Channels {
		if c.Second != nil {
			list = append(list, secondEndpoints(c.Name)...)
		}
	}
	for i := range list {
		list[i].Tag = "links and codes"
	}
	return list
}

// loginEndpoints describes what logs in by a guard.
func (f *Feature) loginEndpoints(s server) (list []routes.Endpoint) {
	prefix, id := routes.Route("/token"), "ForTokens"
	if s.session() {
		prefix, id = "", ""
	}
	asked := map[int]any{202: askedBody{}}
	complete := map[int]any{200: routes.LoginAnswer{Session: s.session(), Tokens: !s.session()}}
	if !f.options.WithoutMail {
		list = append(list,
			routes.Endpoint{Route: "POST " + prefix + "/magic-link", ID: "askForMagicLink" + id, Summary: "Ask for a mail that logs in.",
				Input: askBody{}, Success: asked},
			routes.Endpoint{Route: "POST " + prefix + "/magic-link/code", ID: "logInByMailedCode" + id, Summary: "Log in by a mailed code.",
				Guesses: true, Input: codeBody{}, Success: complete})
		if !s.session() {
			list = append(list, routes.Endpoint{Route: "POST /token/magic-link/use", ID: "logInByMagicLinkForTokens", Guesses: true,
				Summary: "Log in by the token of a mailed link.", Input: struct {
					Link string `json:"link"`
					linkBody
				}{}, Success: complete})
		} else {
			says := struct {
				Method  string `json:"method"`
				Message string `json:"message"`
				Action  string `json:"action,omitempty"`
				Code    string `json:"code,omitempty"`
				Needed  bool   `json:"code_required,omitempty"`
			}{}
			list = append(list,
				routes.Endpoint{Route: "GET /magic-link", ID: "showWaiting", Summary: "Tell what to do with the mail.", Success: map[int]any{200: says}},
				routes.Endpoint{Route: "GET /magic-link/:token", ID: "showMagicLink", Summary: "Tell what to POST to log in by a link.",
					Success: map[int]any{200: says}},
				routes.Endpoint{Route: "POST /magic-link/:token", ID: "logInByMagicLink", Summary: "Log in by a mailed link.", Guesses: true,
					Input: linkBody{}, Success: complete})
		}
	}
	for _, c := range f.options.Channels {
		if c.Login {
			path := prefix + routes.Route("/code/"+c.Name)
			list = append(list,
				routes.Endpoint{Route: "POST " + path, ID: "askForCode_" + c.Name + id, Summary: "Ask for a code that logs in.",
					Input: askBody{}, Success: asked},
				routes.Endpoint{Route: "POST " + path + "/use", ID: "logInByCode_" + c.Name + id, Summary: "Log in by a code.", Guesses: true,
					Input: codeBody{}, Success: complete})
		}
	}
	return list
}

// secondEndpoints describes what a second factor by a channel is proved by.
func secondEndpoints(name string) []routes.Endpoint {
	login, own := routes.Route("POST /login/"+name), routes.Route("POST /"+name+"/confirm")
	sent := map[int]any{202: sentBody{}}
	return []routes.Endpoint{
		{Route: login + "/send", ID: "sendCode_" + name, Summary: "Send a code for a pending login.", Guesses: true, Input: secondBody{}, Success: sent},
		{Route: login, ID: "answerCode_" + name, Summary: "Complete a pending login by a code.", Guesses: true, Input: struct {
			secondBody
			stepUpBody
			Trust bool `json:"trust,omitempty"`
		}{}, Success: map[int]any{200: routes.LoginAnswer{Session: true, Tokens: true}}},
		{Route: own + "/send", ID: "sendCodeAgain_" + name, Summary: "Send a code to prove the factor again.", Users: true, Success: sent},
		{Route: own, ID: "stepUpByCode_" + name, Summary: "Prove the factor again.", Users: true, Input: stepUpBody{}, Success: map[int]any{204: nil}},
	}
}
