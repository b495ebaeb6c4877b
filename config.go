package ginauth

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Config configures a Manager. The zero Config keeps sessions in memory and has no users. New copies the Config,
// fills in the defaults and checks all of it; it does not change the caller's value, and later changes of that value
// have no effect.
type Config struct {
	// Key is the application's secret. All other keys are derived from it. It may be empty only while all stores are
	// in memory.
	Key Key
	// PreviousKeys are still accepted. What was made under one of them is made again under Key when it is next used.
	// Remove a key to end what is left.
	PreviousKeys []Key

	// Users loads the users of every guard that has no provider of its own.
	Users models.UserProvider
	// Stores keeps sessions, tokens and throttle windows. The zero Set keeps all three in memory. Otherwise all three
	// are required; for sessions that is either Sessions or, to keep them in their cookies, ClientSessions.
	Stores stores.Set
	// Guards names the ways to authenticate a request. Default: "web" reads the session, "api" reads signed access
	// tokens, "token" reads personal access tokens.
	Guards map[string]GuardConfig
	// DefaultGuard is the guard of logins and of Auth without names. Default "web", or the only guard.
	DefaultGuard string
	// Features adds features, such as a second factor. Their names must differ.
	Features []Feature

	// Session configures sessions and their cookie.
	Session SessionConfig
	// JWT, Refresh and PersonalTokens configure the guards that read tokens.
	JWT            JWTConfig
	Refresh        RefreshConfig
	PersonalTokens PersonalTokensConfig
	// Account, Passwords and Mail configure what users do with their accounts.
	Account   AccountConfig
	Passwords PasswordConfig
	Mail      MailConfig
	// Throttle limits attempts to log in.
	Throttle ThrottleConfig
	// CrossOrigin configures the protection against requests from other sites.
	CrossOrigin CrossOriginConfig
	// Pages names the pages that browsers are redirected to.
	Pages PagesConfig
	// Hashing configures password hashes. Default: argon2id with 19 MiB.
	Hashing hashing.Config

	// StoreTimeout limits the store calls of one request together, up to the first byte of its response. Calls of the
	// user provider count, and what the middleware Authorize loads and asks. The application's own work and password
	// hashing do not. A request that needs more is answered with 503. That includes a logout and a revocation: it may
	// not have happened, and the client has to repeat it. A login makes up to 25 round trips to an SQL server, or 8
	// to Redis beside those for the user: set a longer time for a server that is over 30 ms away.
	//
	// Methods of the Manager and of a Broker belong to a request if their context comes from
	// Authenticator.EventContext. Otherwise what they do before and after hashing has this time each. So has each
	// call of Authenticator.Authorize and of Passwords.Breached, and the end of a login whose token was replayed.
	// Default 1 s.
	StoreTimeout time.Duration
	// ClientIP returns the client's address. Default: the address of the connection. Behind a proxy use
	// (*gin.Context).ClientIP together with (*gin.Engine).SetTrustedProxies: by default Gin trusts every peer, and
	// the address is then what the client claims.
	ClientIP func(*gin.Context) string
	// Audit is called in line, exactly once for each event, before the listeners. It must not block. SlogAudit
	// returns one.
	Audit func(ctx context.Context, e events.Event)
	// EventQueue is how many events may wait for the listeners. Further ones are dropped, counted and logged. Default
	// 1024.
	EventQueue int
	// ErrorHandler may respond in place of Abort and the middlewares: status is the status of the response, err is
	// what happened. If it returns false, the usual response is sent.
	ErrorHandler func(c *gin.Context, status int, err error) (handled bool)
	// Logger gets what operators must know. Default slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// SessionConfig configures sessions.
type SessionConfig struct {
	// IdleTimeout ends a session that is not used. It counts from the last write of the last use, so a session may
	// end up to one TouchInterval early, and never late. Default 2 h (OWASP ASVS 5.0, 7.3.1).
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session this long after it began or after the last login in it, however much it is used.
	// Default 24 h (OWASP ASVS 5.0, 7.3.2).
	AbsoluteTimeout time.Duration
	// TouchInterval is the least time between two writes that only record the last use. Default 1 min, or a tenth of
	// IdleTimeout if that is less.
	TouchInterval time.Duration
	// PruneInterval is how often expired records are deleted. Expiry does not depend on it: it is decided when a
	// session is loaded. Negative: never. Default 10 min.
	PruneInterval time.Duration
	// Cookie configures the session cookie. The other cookies share its attributes.
	Cookie CookieConfig
}

// CookieConfig configures the session cookie. It is always HttpOnly.
type CookieConfig struct {
	// Name is the cookie's name. The prefix is left off on a developer's own machine without TLS. Default
	// "__Host-ginauth".
	Name string
	// Path is the cookie's path. A "__Host-" name requires "/". Default "/".
	Path string
	// Domain is the cookie's domain. A "__Host-" name requires "". Default "".
	Domain string
	// SameSite is Lax, Strict or None. Default Lax.
	SameSite http.SameSite
	// MaxAge keeps the cookie when the browser is closed. It does not prolong the session. Default 0: the cookie ends
	// with the browser.
	MaxAge time.Duration
	// InsecureAllowHTTP sends and reads the cookie without TLS, so that anybody on the network path can take it. The
	// name must not begin with "__Host-" or "__Secure-".
	InsecureAllowHTTP bool
}

// Limit is a number of attempts within a time. The time begins with the first attempt and is then fixed.
type Limit struct {
	Attempts int
	Per      time.Duration
}

// ThrottleConfig limits attempts to log in. A zero limit has its default.
type ThrottleConfig struct {
	// AccountAddress limits one account from one address. Default 5 per minute.
	AccountAddress Limit
	// Address limits one address (IPv6: one /64) over all accounts. Default 30 per minute.
	Address Limit
	// Account limits one account from all addresses. Default 50 per 15 minutes; NIST SP 800-63B requires at most 100
	// consecutive failures.
	Account Limit
	// Device limits one account from a device that has logged into it before. It replaces Account and AccountAddress
	// there, so that a stranger cannot lock the owner out. Default 10 per 15 minutes.
	Device Limit
	// InsecureDisable turns all limits off.
	InsecureDisable bool
}

// CrossOriginConfig configures the protection against requests that another site makes a browser send. It uses
// net/http.CrossOriginProtection.
type CrossOriginConfig struct {
	// TrustedOrigins may send such requests, as in "https://admin.example".
	TrustedOrigins []string
	// InsecureBypassPatterns are http.ServeMux patterns of requests that are not checked.
	InsecureBypassPatterns []string
	// InsecureDisable checks nothing.
	InsecureDisable bool
}

// PagesConfig names the pages that browsers are redirected to. For an empty path a browser gets the same status and
// JSON as an API client. A client is a browser if it accepts HTML and does not prefer JSON.
type PagesConfig struct {
	// Login is the path of the login page.
	Login string
	// Home is the path that Guest redirects logged-in users to, and that Intended falls back to. Default "/".
	Home string
	// ConfirmPassword is the path of the page that asks for the password again.
	ConfirmPassword string
	// VerifyEmail is the path of the page that says that a mail was sent.
	VerifyEmail string
	// APIPrefixes are path prefixes, such as "/api/", below which every client is an API client, whatever its Accept
	// header says.
	APIPrefixes []string
}

// MailConfig configures the mails of accounts. Without a Mailer the flows that send mail return an error that wraps
// errors.ErrUnsupported.
type MailConfig struct {
	// Mailer sends mails. Package mail/smtp has one for SMTP; mail/filemail and mail/logmail are for development.
	Mailer mail.Mailer
	// BaseURL is the address of the application, as in "https://app.example". Links are made of it and never of a
	// request. Required with a Mailer.
	BaseURL string
	// AppName is the application's name in mails. Default: the host of BaseURL.
	AppName string
	// VerifyPath is the path of links that verify an email address. Default "/verify-email".
	VerifyPath string
	// ResetPath is the path of links that choose a new password: a page of the application with a form. The link ends
	// in "#token=" and the token. Default "/reset-password".
	ResetPath string
	// ForgotPath is the path of the page that asks for a reset link. Mails that tell of a change link to it. Default
	// "/forgot-password".
	ForgotPath string
	// ConfirmPath is the path of links that confirm a new email address. Default "/confirm-email".
	ConfirmPath string
	// Templates are the texts of the mails. Default: English.
	Templates *mail.Templates
	// Language returns the language of a user's mails, as in "de". Default: the default of Templates.
	Language func(u models.Authenticatable) string
	// Queue configures the queue, which sends off the request.
	Queue mail.QueueOptions
	// NotifyNewDevice sends a mail at a login from a device that was not used for the account before.
	NotifyNewDevice bool
}

// PasswordConfig says which new passwords are accepted. There are no rules of composition, which do not make
// passwords better (NIST SP 800-63B-4, 3.1.1.2).
type PasswordConfig struct {
	// MinLength is the least length in characters, at least 8. Default 15, which NIST SP 800-63B-4 requires where a
	// password is the only factor.
	MinLength int
	// Breached reports whether a password is known from a leak. Package breach has one that asks a service. It is
	// called when a password is set and never at login. If it fails, the password is not set and the response is 503.
	Breached func(ctx context.Context, password string) (bool, error)
}

// AccountConfig configures registration and the flows by mail.
type AccountConfig struct {
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
	// MailPerMinute and MailPerHour limit the mails of one kind to one account. Default 1 and 5.
	MailPerMinute, MailPerHour int
}

// JWTConfig configures signed tokens: the access tokens of the JWT guard, and those that an application makes with
// Manager.JWT.
type JWTConfig struct {
	// SigningKey signs. Default: HS256 with a key derived from Config.Key.
	SigningKey JWTKey
	// VerifyingKeys are accepted as well: former keys, until their tokens have expired, and coming keys, so that
	// every machine knows a key before one signs with it.
	VerifyingKeys []JWTKey
	// Issuer is written into every token and required in it. Required with a SigningKey. Default "ginauth".
	Issuer string
	// Audience is written into every token and required in it. Required with a SigningKey. Default: the Issuer.
	Audience string
	// Lifetime is how long an access token lives. Default 15 min.
	Lifetime time.Duration
	// Leeway is the accepted difference between the clocks of two machines, at most 60 s. Negative: none. Default 10
	// s.
	Leeway time.Duration
	// Claims returns further claims of a user's access tokens, as a struct or map that is a JSON object. It is called
	// at each login and refresh. It must not use the names of claims that ginauth sets.
	Claims func(ctx context.Context, u models.Authenticatable) (any, error)
	// Source returns the token that a request carries, or "". Default: the token of the Authorization header. If it
	// reads a cookie, which browsers send by themselves, put StartSession before Auth for its protection against
	// other sites.
	Source func(*http.Request) string
	// InsecureIgnoreRevocationOutage accepts tokens while the store that knows revoked tokens fails. Default: 503.
	InsecureIgnoreRevocationOutage bool
}

// RefreshConfig configures refresh tokens.
type RefreshConfig struct {
	// IdleTimeout ends a login whose refresh token is not used. Default 7 days.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a login this long after it began. Default 30 days.
	AbsoluteTimeout time.Duration
	// Grace is how long a client that lost the response may send the same refresh token again and get the same
	// successor. Later the token is considered stolen, and the login ends with all its tokens (RFC 9700, 4.14.2).
	// Negative: none. Default 10 s.
	Grace time.Duration
}

// PersonalTokensConfig configures personal access tokens.
type PersonalTokensConfig struct {
	// Prefix begins each token, so that scanners for leaked secrets recognize it: 1 to 16 letters and digits. Default
	// "gat".
	Prefix string
	// Lifetime is the lifetime of tokens that are made without one. Default 365 days.
	Lifetime time.Duration
}

const redacted = "[REDACTED]"

// Key is an application key as text: "base64:" and base64, or hexadecimal, of at least 32 random bytes. NewKey makes
// one. It is redacted in fmt, slog and JSON.
type Key string

// NewKey returns a new random key of 32 bytes.
func NewKey() Key { return Key(keys.Generate()) }

// String returns a placeholder.
func (Key) String() string { return redacted }

// Format writes a placeholder, whatever the verb.
func (Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
