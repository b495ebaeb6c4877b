// Package factor holds what logins are proved by: credentials, the second factors that features add, and the login that
// waits for one.
// Package ginauth names the types too, as in ginauth.Challenge.
package factor

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/token"
)

const redacted = "[REDACTED]"

// Credentials are what a client claims: one field that names a user, such as "email", and "password". A client without
// cookies can add "device_token", the DeviceToken of its last login. All must be strings, so a map that was decoded
// from a request cannot smuggle a condition into a query. Credentials are redacted in fmt, slog and JSON.
type Credentials map[string]any

// Format writes a placeholder, whatever the verb.
func (Credentials) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns a placeholder.
func (Credentials) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Challenge is a second factor that a feature adds to every login.
type Challenge struct {
	// Name names the factor, as in "totp": 1 to 64 letters, digits and hyphens.
	Name string
	// Backup says that the factor only replaces another one, as recovery codes do. A user who has no other factor
	// is not asked for it.
	Backup bool
	// Methods are the names in RFC 8176 of what a right answer proves, as in "otp".
	Methods []string
	// Has reports whether a user has the factor. It is called at each login, after the first proof. Owner names the
	// user in stores. An error fails the login with 503.
	Has func(ctx context.Context, owner string, u models.Authenticatable) (bool, error)
	// Reset removes the factor of a user, for Manager.ResetFactors. Default: all factors of the kind Name in
	// stores.Factors are deleted.
	Reset func(ctx context.Context, owner string) error
}

// Prove reports whether the client proved a factor of the user, whom owner names in stores. A wrong answer is no error.
// An error means that nothing was compared.
type Prove func(ctx context.Context, owner string, u models.Authenticatable) (bool, error)

// AnswerOption changes what an answer to a challenge leads to.
type AnswerOption func(*Answer)

// Answer is what the options of an answer say.
type Answer struct {
	// Trust says that the device skips the second factor from now on.
	Trust bool
}

// TrustDevice makes the device that answers skip the second factor for Config.Factors.TrustLifetime, until the password or
// the factors of the user change. A browser gets a cookie, and other clients a TrustToken with their tokens.
func TrustDevice() AnswerOption { return func(a *Answer) { a.Trust = true } }

// Result is what a login led to.
type Result struct {
	// User is the user who is logged in, or nil if the login is pending.
	User models.Authenticatable
	// Pending says that the login waits for a second factor: nobody is logged in yet. It is nil if the login is
	// complete.
	Pending *Pending
	// MustEnrol says that the user must enrol a second factor: until then the login can do nothing else, see
	// Config.Factors.
	MustEnrol bool
	// Tokens are the tokens that authenticate the client from now on, or nil if the guard issues none.
	Tokens *token.Pair
}

// Pending is a login that waits for a second factor. Its JSON shows the token; fmt and slog do not.
type Pending struct {
	// Token completes the login, once, together with a right answer. The pending login of a session guard works in
	// that session only.
	Token string `json:"token"`
	// Factors are the factors of which one is needed.
	Factors []string `json:"factors"`
	// ExpiresIn is how long the login waits, in seconds.
	ExpiresIn int64 `json:"expires_in"`
	// TrustFor is how long the device can skip the second factor, in seconds, if TrustDevice is an option of the answer.
	// It is 0 if no device can, see Config.Factors.TrustLifetime.
	TrustFor int64 `json:"trust_for,omitempty"`
	// Page is where browsers go next, with Config.BasePath, or "" without Pages.SecondFactor.
	Page string `json:"-"`
}

// Format writes a placeholder, whatever the verb.
func (Pending) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Pending) LogValue() slog.Value { return slog.StringValue(redacted) }
