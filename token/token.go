// Package token holds the tokens that clients and their owners see. Package ginauth names the types too, as in
// ginauth.TokenPair.
package token

import (
	"fmt"
	"log/slog"
	"time"
)

const redacted = "[REDACTED]"

// Pair is an access token with its refresh token. Its JSON is the response of RFC 6749, 5.1, and shows the
// tokens; fmt and slog do not.
type Pair struct {
	AccessToken string `json:"access_token"`
	// TokenType is "Bearer".
	TokenType string `json:"token_type"`
	// ExpiresIn is the lifetime of the access token, in seconds.
	ExpiresIn int64 `json:"expires_in"`
	// RefreshToken gets the next pair, once.
	RefreshToken string `json:"refresh_token"`
	// RefreshExpiresIn is the lifetime of the refresh token if it is not used, in seconds.
	RefreshExpiresIn int64 `json:"refresh_expires_in"`
	// MustEnrol says that the login can do nothing but enrol a second factor, see Config.Factors.
	MustEnrol bool `json:"must_enrol,omitempty"`
	// TrustToken skips the second factor of the user's next logins, or is "". The client sends it with its next
	// credentials. It opens nothing alone.
	TrustToken string `json:"trust_token,omitempty"`
	// DeviceToken says that this client has logged into the account by a password, or is "". The client sends it with
	// the credentials of its next login, which is then counted apart from those of strangers. It opens nothing.
	DeviceToken string `json:"device_token,omitempty"`
}

// Format writes a placeholder, whatever the verb.
func (Pair) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Pair) LogValue() slog.Value { return slog.StringValue(redacted) }

// Spec is what a personal access token is made for.
type Spec struct {
	// Name is what the owner calls the token: 1 to 255 bytes.
	Name string
	// Abilities are what the token may be used for. None: nothing. "*": everything. At most 64, each of at most 64
	// bytes without spaces.
	Abilities []string
	// Lifetime is how long the token lives. Default PersonalTokens.Lifetime of ginauth.Config.
	Lifetime time.Duration
	// RevokeOnPasswordChange ends the token when the owner's password or security stamp changes. Otherwise it lives
	// on, because it belongs to a program.
	RevokeOnPasswordChange bool
}

// Personal is a personal access token as its owner sees it.
type Personal struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Abilities []string  `json:"abilities"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"`
	// LastUsed is precise to a minute, and zero if the token was never used.
	LastUsed time.Time `json:"last_used,omitzero"`
	// Text is the token. It is known only when the token is made.
	Text string `json:"token,omitempty"`
}

// Format writes the identifier only.
func (t Personal) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "PersonalToken(%s)", t.ID) }

// LogValue returns the identifier only.
func (t Personal) LogValue() slog.Value { return slog.StringValue("PersonalToken(" + t.ID + ")") }

// Device is a login to an account, whatever it consists of, or a personal access token. A remembered browser is one
// device with its cookie and its sessions.
type Device struct {
	// ID names the device, for RevokeDevice. It is not a secret.
	ID string `json:"id"`
	// Kind is "session", "remember" (a remembered browser), "refresh" (a login by tokens) or "personal".
	Kind string `json:"kind"`
	// Name describes the client, as in "Firefox on Linux", or is the name of a personal access token.
	Name string `json:"name"`
	// Address is the client's address at the login, or "".
	Address  string    `json:"address"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	// Current says that this request comes from the device: to revoke it logs this client out.
	Current bool `json:"current"`
}
