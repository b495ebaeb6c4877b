package config

// Finding is a problem that Preflight found.
type Finding struct {
	// Subject is what the problem is about: a setting, an ability, a route.
	Subject string
	// Problem says what is wrong and what to do.
	Problem string
}

// String returns "subject: problem".
func (f Finding) String() string { return f.Subject + ": " + f.Problem }

// Capabilities says what a guard can do with the given configuration.
type Capabilities struct {
	// Sessions, AccessTokens and PersonalTokens say which kind of guard it is. All are false for a guard of the
	// application's own.
	Sessions, AccessTokens, PersonalTokens bool
	// Users says that the guard has a user provider.
	Users bool
	// LoginFields are the fields by which the provider looks users up, or nil without users.
	LoginFields []string
	// RegisterFields are the fields that a registration needs in place of "email", if the provider does not look users up
	// by that.
	RegisterFields []string
	// The others say what the provider supports.
	Register, VerifyEmail, ChangeEmail, ChangePassword, ChangeStamp bool
	// Features are the names of Config.Features.
	Features []string
}
