// Package events defines what ginauth tells an application about: one struct
// for each thing that happened. None holds a secret, and none holds what a
// stranger typed: an account that may not exist is named by a keyed digest.
//
// Listeners are added with ginauth.On and run off the request; an audit sink
// set in the configuration is called in line, exactly once for each event.
package events

import "time"

// Event is implemented by every event, through the Meta it embeds.
type Event interface {
	// EventName returns the event's name, as in "login".
	EventName() string
	// EventMeta returns what all events have in common.
	EventMeta() Meta
}

// Meta is what all events have in common.
type Meta struct {
	Time time.Time
	// Guard is the name of the guard concerned, or "".
	Guard string
	// UserID is the identifier of the user concerned, or "" if there is none
	// or it is not known.
	UserID string
	// Account is a keyed digest of the canonical identifier that was tried, or
	// "". The same account has the same digest under the same key.
	Account string
	// Address is the client's address without port, or "".
	Address string
	// UserAgent is at most the first 255 bytes of the client's User-Agent.
	UserAgent string
}

// EventMeta returns m.
func (m Meta) EventMeta() Meta { return m }

// Attempting says that credentials are about to be checked.
type Attempting struct{ Meta }

// Authenticated says that credentials were found right. It comes before Login,
// and without it where no login follows.
type Authenticated struct{ Meta }

// Login says that a user is logged in, and that this is stored.
type Login struct {
	Meta
	// Remembered says that it was a remember-me cookie that did it.
	Remembered bool
}

// Failed says that credentials were refused. UserID is set if they named
// somebody.
type Failed struct{ Meta }

// Logout says that a user logged out.
type Logout struct{ Meta }

// Lockout says that a try was refused before anything was checked, because
// there were too many.
type Lockout struct {
	Meta
	// RetryAfter is how long the window that was full still lasts.
	RetryAfter time.Duration
}

// Registered says that a user was created.
type Registered struct{ Meta }

// Verified says that a user proved an email address.
type Verified struct{ Meta }

// PasswordReset says that a user has a new password by way of a reset.
type PasswordReset struct{ Meta }

// PasswordResetLinkSent says that a reset link is on its way.
type PasswordResetLinkSent struct{ Meta }

// CurrentDeviceLogout says that a user logged this device out and kept the
// others.
type CurrentDeviceLogout struct{ Meta }

// OtherDeviceLogout says that a user logged all other devices out.
type OtherDeviceLogout struct{ Meta }

// PasswordChanged says that a user has given the password and set another.
type PasswordChanged struct{ Meta }

// EmailChanged says that a user has another address, and proved that it is
// theirs.
type EmailChanged struct{ Meta }

// UserRevoked says that everything was ended that had been issued to a user, by
// Manager.RevokeUser.
type UserRevoked struct{ Meta }

// TokenCreated says that a token was issued: a refresh token at a login, or a
// personal access token.
type TokenCreated struct {
	Meta
	// Kind is "refresh" or "personal".
	Kind string
	// TokenID names the token, or its family. It opens nothing.
	TokenID string
}

// TokenRefreshed says that a refresh token was replaced by its successor.
type TokenRefreshed struct {
	Meta
	// TokenID names the family.
	TokenID string
}

// TokenReused says that a token was presented that had been used up, so that
// two parties held it. Everything from the same login has ended.
type TokenReused struct {
	Meta
	// Kind is "refresh" or "remember".
	Kind string
	// TokenID names the family.
	TokenID string
}

// TokenRevoked says that a token was ended before its time.
type TokenRevoked struct {
	Meta
	// Kind is "access", "refresh" or "personal", or the kind of a token that the
	// application made.
	Kind string
	// TokenID names the token, or its family.
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
