// Package events defines the events of ginauth: one struct for each kind.
// Events never contain a secret. They never contain an identifier that a client
// typed: an account that may not exist is identified by a keyed digest.
//
// Applications add listeners with ginauth.On. Listeners run outside the
// request. The audit sink of the configuration is called synchronously, exactly
// once for each event.
package events

import "time"

// Event is implemented by all events through the embedded Meta.
type Event interface {
	// EventName returns the name of the event, such as "login".
	EventName() string
	// EventMeta returns the fields that all events have.
	EventMeta() Meta
}

// Meta holds the fields that all events have.
type Meta struct {
	Time time.Time // when it happened
	// Guard is the name of the guard, or "" if the event has none.
	Guard string
	// UserID is the identifier of the user, or "" if there is none or it is not
	// known.
	UserID string
	// Account is a keyed digest of the canonical identifier of a login attempt,
	// or "". With the same key, the same account always has the same digest.
	Account string
	// Address is the client's IP address without port, or "".
	Address string
	// UserAgent is the client's User-Agent header, cut to 255 bytes.
	UserAgent string
}

// EventMeta returns m.
func (m Meta) EventMeta() Meta { return m }

// Attempting is dispatched before credentials are checked.
type Attempting struct{ Meta }

// Authenticated is dispatched when credentials were correct. A Login event
// follows if the user is then logged in.
type Authenticated struct{ Meta }

// Login is dispatched when a user is logged in and the login is stored.
type Login struct {
	Meta
	// Remembered reports whether a remember-me cookie logged the user in.
	Remembered bool
}

// DeviceTrusted is dispatched when a device is trusted to skip the second factor.
type DeviceTrusted struct {
	Meta
	// TokenID names the device. It is not a secret.
	TokenID string
}

// FactorsReset is dispatched when an administrator has removed all second factors of a user.
type FactorsReset struct{ Meta }

// LoginPending is dispatched when a login waits for a second factor.
type LoginPending struct {
	Meta
	// Factors are the factors of which one is needed.
	Factors []string
}

// FactorFailed is dispatched when the answer to a challenge was not right.
type FactorFailed struct {
	Meta
	// Factor names the factor.
	Factor string
}

// Failed is dispatched when credentials were refused. UserID is set if a user
// with this identifier exists.
type Failed struct{ Meta }

// Logout is dispatched when a user logged out.
type Logout struct{ Meta }

// Lockout is dispatched when a login attempt was refused because there were too
// many. Nothing else was checked.
type Lockout struct {
	Meta
	// RetryAfter is the time until the exhausted throttle window ends.
	RetryAfter time.Duration
}

// Registered is dispatched when a user was created.
type Registered struct{ Meta }

// Verified is dispatched when a user verified an email address.
type Verified struct{ Meta }

// PasswordReset is dispatched when a user set a new password through a reset
// link.
type PasswordReset struct{ Meta }

// PasswordResetLinkSent is dispatched when a reset link was handed to the
// mailer.
type PasswordResetLinkSent struct{ Meta }

// CurrentDeviceLogout is dispatched when a user logged out of the current
// device only.
type CurrentDeviceLogout struct{ Meta }

// OtherDeviceLogout is dispatched when a user logged out of all other devices.
type OtherDeviceLogout struct{ Meta }

// PasswordChanged is dispatched when a user confirmed the current password and
// set a new one.
type PasswordChanged struct{ Meta }

// EmailChanged is dispatched when a user verified a new email address and it
// replaced the old one.
type EmailChanged struct{ Meta }

// UserRevoked is dispatched when Manager.RevokeUser ended everything that was
// issued to a user.
type UserRevoked struct{ Meta }

// TokenCreated is dispatched when a token was issued: a refresh token at login,
// or a personal access token.
type TokenCreated struct {
	Meta
	// Kind is "refresh" or "personal".
	Kind string
	// TokenID is the identifier of the token or of its family. It is not secret
	// and grants no access.
	TokenID string
}

// TokenRefreshed is dispatched when a refresh token was replaced by its
// successor.
type TokenRefreshed struct {
	Meta
	// TokenID is the identifier of the token family.
	TokenID string
}

// TokenReused is dispatched when a refresh token or a remember-me token that was
// used before was presented again. The token may have been stolen, so the login
// that it came from has ended, with all tokens of that login.
type TokenReused struct {
	Meta
	// Kind is "refresh" or "remember".
	Kind string
	// TokenID is the identifier of the token family.
	TokenID string
}

// TokenRevoked is dispatched when a token was revoked before it expired.
type TokenRevoked struct {
	Meta
	// Kind is "access", "refresh" or "personal", or the kind of a token that
	// the application defined.
	Kind string
	// TokenID is the identifier of the token or of its family.
	TokenID string
}

// SessionEvicted is dispatched when a session ended because a login gave its user
// more sessions than Session.MaxPerUser. The address and the user agent are those
// of that login.
type SessionEvicted struct {
	Meta
	// SessionID names the session that ended. It is not secret and grants no
	// access.
	SessionID string
}

// TokenEvicted is dispatched when a login by tokens or a remembered device ended because
// another login gave its user more of them than Refresh.MaxPerUser or
// Account.MaxRememberedDevices. The address and the user agent are those of that login.
type TokenEvicted struct {
	Meta
	// Kind is "refresh" or "remember".
	Kind string
	// TokenID is the identifier of the family of tokens that ended. It is not secret and
	// grants no access.
	TokenID string
}

// EventName returns "attempting".
func (Attempting) EventName() string { return "attempting" }

// EventName returns "authenticated".
func (Authenticated) EventName() string { return "authenticated" }

// EventName returns "login".
func (Login) EventName() string { return "login" }

// EventName returns "failed".
func (Failed) EventName() string { return "failed" }

// EventName returns "logout".
func (Logout) EventName() string { return "logout" }

// EventName returns "lockout".
func (Lockout) EventName() string { return "lockout" }

// EventName returns "registered".
func (Registered) EventName() string { return "registered" }

// EventName returns "verified".
func (Verified) EventName() string { return "verified" }

// EventName returns "password_reset".
func (PasswordReset) EventName() string { return "password_reset" }

// EventName returns "password_reset_link_sent".
func (PasswordResetLinkSent) EventName() string { return "password_reset_link_sent" }

// EventName returns "login_pending".
func (FactorsReset) EventName() string { return "factors_reset" }

// EventName returns the name of the event.
func (DeviceTrusted) EventName() string { return "device_trusted" }

// EventName returns the name of the event.
func (LoginPending) EventName() string { return "login_pending" }

// EventName returns "factor_failed".
func (FactorFailed) EventName() string { return "factor_failed" }

// EventName returns "password_changed".
func (PasswordChanged) EventName() string { return "password_changed" }

// EventName returns "email_changed".
func (EmailChanged) EventName() string { return "email_changed" }

// EventName returns "user_revoked".
func (UserRevoked) EventName() string { return "user_revoked" }

// EventName returns "token_created".
func (TokenCreated) EventName() string { return "token_created" }

// EventName returns "token_refreshed".
func (TokenRefreshed) EventName() string { return "token_refreshed" }

// EventName returns "token_reused".
func (TokenReused) EventName() string { return "token_reused" }

// EventName returns "token_revoked".
func (TokenRevoked) EventName() string { return "token_revoked" }

// EventName returns "current_device_logout".
func (CurrentDeviceLogout) EventName() string { return "current_device_logout" }

// EventName returns "other_device_logout".
func (OtherDeviceLogout) EventName() string { return "other_device_logout" }

// EventName returns "session_evicted".
func (SessionEvicted) EventName() string { return "session_evicted" }

// EventName returns "token_evicted".
func (TokenEvicted) EventName() string { return "token_evicted" }
