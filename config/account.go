package config

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ginauth/ginauth/models"
)

// Account configures registration and the flows by mail.
type Account struct {
	// HideAccountExistence makes a registration with a taken email address look like any other; the owner of the
	// address is told by mail. Users can then log in only once their address is verified; before that, the right
	// password is refused like a wrong one. It requires a Mailer. Default: a taken address returns an *InputError.
	HideAccountExistence bool
	// Prepare completes a new user before it is stored, from the fields that the application declared.
	Prepare func(ctx context.Context, u models.Authenticatable, r Registration) error
	// VerifyLifetime is how long a link to verify an address works. Default 60 min, at most 24 h.
	VerifyLifetime time.Duration
	// ResetLifetime is how long a link to choose a new password works. Default 60 min, at most 24 h.
	ResetLifetime time.Duration
	// ConfirmLifetime is how long a confirmed password counts for the ConfirmPassword middleware. Default 15 min.
	ConfirmLifetime time.Duration
	// RememberLifetime is how long a device is remembered. Default 30 days.
	RememberLifetime time.Duration
	// RememberAbsoluteTimeout is how long after the login a device is remembered at most. If it is longer than
	// RememberLifetime, that begins again whenever the cookie is used. Default RememberLifetime: it does not.
	RememberAbsoluteTimeout time.Duration
	// RememberGrace is how long the same remember-me cookie may come again, from several tabs or after a lost response.
	// Later it is considered stolen, and the device is forgotten. Negative: none. Default 10 s.
	RememberGrace time.Duration
	// MaxRememberedDevices is how many devices remember a user. If a login exceeds it, the one that was remembered
	// first is forgotten, and events.TokenEvicted is dispatched. Default 30, at most 10000.
	MaxRememberedDevices int
	// MailPerMinute and MailPerHour limit the mails of one kind to one account. Default 1 and 5.
	MailPerMinute, MailPerHour int
}

// Registration is what a person who wants an account sends. Nothing else of a request reaches the new user.
type Registration struct {
	Name     string
	Email    string
	Password string
	// Guard names the guard whose provider stores the user. Default: the default guard.
	Guard string
	// Fields are further ones: identifiers by which the provider looks users up, such as "username", which are stored if
	// it is a models.IdentifierSetter, and others for Config.Account.Prepare.
	Fields map[string]string
	// Passwordless registers a user whom the application or a feature knows by other means than a password, such as
	// an account at another site. Password is not looked at, and the user has none. Account.HideAccountExistence does not
	// apply: Register returns the user, or an *InputError if the address is taken. Never set it for what only a client
	// says. The user type has to be a models.Stamped.
	Passwordless bool
	// EmailVerified says that the address of a passwordless user is proved. If it is taken, Register returns the user who
	// has it, with the *InputError. Email may be "" if the provider of users is a models.AddresslessRegistrar.
	EmailVerified bool
}

// Format writes a placeholder, whatever the verb.
func (Registration) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Registration) LogValue() slog.Value { return slog.StringValue(redacted) }

// PasswordReset is what a person sends who followed a reset link.
type PasswordReset struct {
	// Email is the email address that the link was sent to, or "": the token alone names the user.
	Email string
	// Token is the token of the link.
	Token string
	// Password is the new password.
	Password string
}

// Format writes a placeholder, whatever the verb.
func (PasswordReset) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (PasswordReset) LogValue() slog.Value { return slog.StringValue(redacted) }
