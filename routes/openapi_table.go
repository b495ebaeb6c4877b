package routes

import (
	"maps"
	"reflect"
	"slices"

	"github.com/ginauth/ginauth"
)

// access says who may use a route.
type access int

const (
	anybody    access = iota
	users             // a session or an access token
	everyToken        // a personal access token, too
)

// operation describes a route.
type operation struct {
	id, tag, summary string
	access           access
	// guesses says that what the client sends may be refused with 401.
	guesses bool
	// input makes an empty body, or is nil.
	input    func() input
	optional []string
	// success are the bodies of success by status, or nil for none.
	success map[int]object
	media   string // of these bodies; default JSON
	// body is the schema of the body of a feature's endpoint, which may take no form.
	body     object
	onlyJSON bool
}

var (
	noContent  = map[int]object{204: nil}
	wasAsked   = map[int]object{202: properties(object{"accepted": object{"type": "boolean"}})}
	withUser   = map[int]object{200: properties(object{"user": ref("User")})}
	logsIn     = map[int]object{200: orPending(withUser[200])}
	withPair   = map[int]object{200: ref("TokenPair")}
	issues     = map[int]object{200: orPending(ref("TokenPair"))}
	maybePair  = map[int]object{204: nil, 200: ref("TokenPair")}
	linkIsRead = map[int]object{200: properties(object{"method": object{"type": "string"}, "message": object{"type": "string"}})}
)

// operations are the descriptions of all routes.
var operations = map[Route]operation{
	Register: {id: "register", tag: "account", summary: "Make an account.", input: func() input { return &registerInput{} }, success: map[int]object{
		201: properties(object{"user": ref("User")}), 202: wasAsked[202],
	}},
	Login: {id: "login", tag: "login", summary: "Log in and start a session.", guesses: true,
		input: func() input { return newLoginInput([]string{"email"}, false) }, optional: []string{"remember"}, success: logsIn},
	Logout: {id: "logout", tag: "login", summary: "End the login.", guesses: true, success: noContent},
	Me:     {id: "me", tag: "login", summary: "Tell who is logged in.", access: everyToken, success: withUser},
	ChangePassword: {id: "changePassword", tag: "password", summary: "Change the password.", access: users,
		input: func() input { return &changePasswordInput{} }, success: maybePair},
	ConfirmPassword: {id: "confirmPassword", tag: "password", summary: "Confirm the password before something sensitive.", access: users,
		input: func() input { return &passwordInput{} }, success: noContent},
	PasswordConfirmed: {id: "passwordConfirmed", tag: "password", summary: "Tell how long the password counts as confirmed.", access: users,
		success: map[int]object{200: properties(object{
			"confirmed": object{"type": "boolean"}, "expires_in": object{"type": "integer", "description": "Seconds."},
		})}},
	ForgotPassword: {id: "forgotPassword", tag: "password", summary: "Ask for a link to choose a new password.",
		input: func() input { return &emailInput{} }, success: wasAsked},
	ResetPassword: {id: "resetPassword", tag: "password", summary: "Choose a new password with the token of a link.",
		optional: []string{"email"},
		input:    func() input { return &resetInput{} }, success: noContent},
	ShowVerifyEmail: {id: "showVerifyEmail", tag: "email", summary: "Tell what to POST to verify the email address.", success: linkIsRead},
	VerifyEmail: {id: "verifyEmail", tag: "email", summary: "Verify the email address by the mailed link.",
		input: func() input { return &passwordInput{} }, optional: []string{"password"},
		success: map[int]object{200: properties(object{
			"verified": object{"type": "boolean"}, "password_ended": object{"type": "boolean"},
		})}},
	ResendVerification: {id: "resendVerification", tag: "email", summary: "Send the link that verifies an email address again.",
		input: func() input { return &emailInput{} }, success: wasAsked},
	ChangeEmail: {id: "changeEmail", tag: "email", summary: "Send a link to a new email address.", access: users,
		input: func() input { return &emailInput{} }, success: wasAsked},
	ShowConfirmEmail: {id: "showConfirmEmail", tag: "email", summary: "Tell what to POST to confirm the new email address.", success: linkIsRead},
	ConfirmEmail: {id: "confirmEmail", tag: "email", summary: "Confirm a new email address by the mailed link.",
		success: map[int]object{200: properties(object{"confirmed": object{"type": "boolean"}})}},
	Devices: {id: "devices", tag: "devices", summary: "List what is logged into the account.", access: users,
		success: map[int]object{200: properties(object{"devices": list("Device")})}},
	RevokeDevice: {id: "revokeDevice", tag: "devices", summary: "Log a device out.", access: users, success: noContent},
	LogoutDevices: {id: "logoutDevices", tag: "devices", summary: "Log all other devices out.", access: users,
		input: func() input { return &passwordInput{} }, success: maybePair},
	IssueTokens: {id: "issueTokens", tag: "tokens", summary: "Log in and get tokens.", guesses: true,
		input: func() input { return newLoginInput([]string{"email"}, true) }, optional: []string{"remember", "device_token", "trust_token"}, success: issues},
	RefreshTokens: {id: "refreshTokens", tag: "tokens", summary: "Get the next pair of tokens.", guesses: true,
		input: func() input { return &refreshInput{} }, success: withPair},
	RevokeToken: {id: "revokeToken", tag: "tokens", summary: "Revoke a token.", guesses: true,
		input: func() input { return &revokeInput{} }, success: noContent},
	PersonalTokens: {id: "personalTokens", tag: "tokens", summary: "List the personal access tokens.", access: users,
		success: map[int]object{200: properties(object{"tokens": list("PersonalToken")})}},
	CreateToken: {id: "createToken", tag: "tokens", summary: "Make a personal access token.", access: users,
		input: func() input { return &tokenInput{} }, optional: []string{"abilities", "expires_in"},
		success: map[int]object{201: ref("PersonalToken")}},
	DeleteToken: {id: "deleteToken", tag: "tokens", summary: "Delete a personal access token.", access: users, success: noContent},
	JWKS: {id: "jwks", tag: "tokens", summary: "Tell the public keys of access tokens.", media: "application/jwk-set+json",
		success: map[int]object{200: properties(object{"keys": object{"type": "array", "items": object{"type": "object"}}})}},
}

// orPending returns the schema of the response to a login, which may wait for a second factor.
func orPending(complete object) object {
	return object{"anyOf": []object{complete, properties(object{"pending": ref("PendingLogin")})}}
}

func ref(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }

// list returns the schema of a list, which is null if it is empty.
func list(schema string) object {
	return object{"type": []string{"array", "null"}, "items": ref(schema)}
}

// properties returns the schema of an object whose properties are all there.
func properties(of object) object {
	return object{"type": "object", "properties": of, "required": slices.Sorted(maps.Keys(of))}
}

// shared are the types that responses share, by the names of their schemas.
var shared = map[string]reflect.Type{
	"Device": reflect.TypeFor[ginauth.Device](), "PersonalToken": reflect.TypeFor[ginauth.PersonalToken](),
	"PendingLogin": reflect.TypeFor[ginauth.PendingLogin](), "TokenPair": reflect.TypeFor[ginauth.TokenPair](),
}

// schemas returns the schemas that responses share.
func schemas() object {
	texts := object{"type": "array", "items": object{"type": "string"}}
	all := object{
		"User": object{
			"description": "What Options.User returns.", "type": "object", "properties": object{
				"id": object{"type": "string"}, "name": object{"type": "string"}, "email": object{"type": "string"},
				"email_verified": object{"type": "boolean"},
			},
		},
		"Error": object{
			"type": "object", "required": []string{"code", "message"}, "properties": object{
				"code": object{"type": "string"}, "message": object{"type": "string"},
				"field":  object{"type": "string", "description": "The first field that is not acceptable."},
				"errors": object{"type": "object", "additionalProperties": texts, "description": "The reasons by field."},
			},
		},
	}
	for name, of := range shared {
		all[name] = structSchema(of)
	}
	return all
}
