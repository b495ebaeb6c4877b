package factor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ginauth/ginauth/models"
)

// What holds for every secret of OneTime.
const (
	// OneTimeLifetime is how long a link and a code work.
	OneTimeLifetime = 10 * time.Minute
	// OneTimeGuesses is how often a code may be guessed.
	OneTimeGuesses = 5
)

// OneTime sends links and codes to the users of one guard, and takes them back, each once. It belongs to one request.
// Features build logins and second factors on it; see ginauth.Authenticator.OneTime. The store gets digests only. Every
// secret is bound to its purpose, the guard, the user's security stamp and, if it was mailed, to the email address.
// All errors wrap autherr.ErrUnavailable if a store or the user provider failed.
type OneTime interface {
	// Ask begins a login of the user of an email address, and sends a cookie by which this browser is known again. Its
	// result and its time do not depend on whether there is such a user: what it sends is sent off the request, within
	// Config.Account.MailPerMinute and MailPerHour for each purpose. The error is an *autherr.InputError if the text is
	// no address.
	Ask(ctx context.Context, m Message) (Request, error)
	// Asked reports whether this browser asked for a link. It asks no store.
	Asked(purpose, link string) bool
	// Waiting returns the code that this browser shows, see Request.Screen, or "" if it has asked for nothing. It asks
	// no store.
	Waiting(purpose string) string
	// UseLink uses a link up and returns whose it is. Another browser than the one that asked needs the code on the
	// screen of that one. Request is that of Ask, or "" for the cookie. The errors are autherr.ErrInvalidLink,
	// autherr.ErrInvalidCode for a wrong code, *autherr.InputError if a code is needed or malformed, and
	// *autherr.ThrottledError after OneTimeGuesses wrong codes.
	UseLink(ctx context.Context, purpose, link, request, screen string) (Proved, error)
	// UseCode uses the code of a message up and returns whose it is. Request is that of Ask, or "" for the cookie. The
	// errors are autherr.ErrInvalidCode, *autherr.InputError and *autherr.ThrottledError.
	UseCode(ctx context.Context, purpose, request, code string) (Proved, error)
	// Registered returns the user of the address of Proved.Email, or nil if there still is none.
	Registered(ctx context.Context, email string) (models.Authenticatable, error)
	// Prove verifies the user's address, because the user proved to read mail there. If it was not verified, it ends
	// what somebody else could have set or got before: the password, all logins and tokens, unless this browser
	// registered the account or has logged into it. It returns the user as stored.
	Prove(ctx context.Context, u models.Authenticatable) (models.Authenticatable, error)
	// SendCode sends a code to a user who has given another proof, off the request. The error is an
	// *autherr.ThrottledError above the limits of Ask.
	SendCode(ctx context.Context, u models.Authenticatable, m Message) error
	// CheckCode reports whether a code is one of SendCode, and uses it up. The caller counts the guesses. The error is
	// an *autherr.InputError if the text has not the form of a code.
	CheckCode(ctx context.Context, u models.Authenticatable, purpose, code string) (bool, error)
	// Mail sends a mail to the address in the user's record, or to a Recipient's. A failure is logged.
	Mail(ctx context.Context, u models.Authenticatable, l Letter)
}

// Message is what OneTime sends.
type Message struct {
	// Purpose names what the secrets are for: 1 to 64 letters, digits and hyphens. Each has limits of its own.
	Purpose string
	// Email is the address of the user, as a client gave it. Only Ask reads it.
	Email string
	// Remember is returned in Proved.
	Remember bool
	// Mailed says that the secrets go to the email address of the user.
	Mailed bool
	// Strangers says that an address without a user gets a message too, to register. Nothing is stored until it is
	// used. Within that request ginauth.Manager.Register then verifies the address, under an EventContext.
	Strangers bool
	// Deliver sends the secrets. It runs off the request, for at most 15 s. U is a Recipient if there is no user of the
	// address. An error is logged; it must not contain a secret.
	Deliver func(ctx context.Context, u models.Authenticatable, s Secrets) error
}

// Letter is a mail to a user, made by a template of package mail. It is redacted in fmt and slog.
type Letter struct {
	// Kind is one of package mail, as in mail.LoginLink.
	Kind string
	// URL is the link of the mail. Default: the page to ask for a new password.
	URL string
	// Code is a code to show, or "".
	Code string
	// Expires is how long both work.
	Expires time.Duration
}

// Format writes a placeholder, whatever the verb.
func (Letter) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Letter) LogValue() slog.Value { return slog.StringValue(redacted) }

// Recipient stands for a user who does not exist yet.
type Recipient struct {
	// Email is the address, as the client gave it.
	Email string
}

// AuthID returns "".
func (Recipient) AuthID() string { return "" }

// AuthPassword returns "".
func (Recipient) AuthPassword() string { return "" }

// AuthEmail returns the address.
func (r Recipient) AuthEmail() string { return r.Email }

// AuthEmailVerified returns false.
func (Recipient) AuthEmailVerified() bool { return false }

// Secrets are what is sent to a user. They are redacted in fmt and slog.
type Secrets struct {
	// Link is the token of a link: letters, digits, - and _. It is "" for SendCode.
	Link string
	// Code is a code of 8 characters, with a hyphen in the middle.
	Code string
}

// Format writes a placeholder, whatever the verb.
func (Secrets) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Secrets) LogValue() slog.Value { return slog.StringValue(redacted) }

// Request is a login that waits for its link or code. Its JSON shows the token; fmt and slog do not.
type Request struct {
	// Token stands for the cookie, for clients that keep none.
	Token string `json:"request"`
	// Screen is the code that this client shows to its user. Another browser that opens the link asks for it.
	Screen string `json:"code"`
	// ExpiresIn is how long the link and the code work, in seconds.
	ExpiresIn int64 `json:"expires_in"`
}

// Format writes a placeholder, whatever the verb.
func (Request) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Request) LogValue() slog.Value { return slog.StringValue(redacted) }

// Proved is who used a link or a code.
type Proved struct {
	// User is the user, or nil if there is no user of the address.
	User models.Authenticatable
	// Email is the address, as it was asked for.
	Email string
	// Remember is that of the Message.
	Remember bool
}
