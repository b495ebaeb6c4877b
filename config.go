package ginauth

import (
	"context"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Config configures a Manager. The zero Config keeps sessions in memory and has no users. New copies the Config,
// fills in the defaults and checks all of it. Later changes of the caller's value have no effect.
type Config struct {
	// Key is the application's secret, from which other keys are derived. It may be empty if all stores are in memory.
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
	// Factors says who must have a second factor.
	Factors FactorsConfig
	// Throttle limits attempts to log in.
	Throttle ThrottleConfig
	// CrossOrigin configures the protection against requests from other sites.
	CrossOrigin CrossOriginConfig
	// Pages names the pages that browsers are redirected to.
	Pages PagesConfig
	// BasePath is what comes before the paths of the routes in the addresses that browsers see, as in "/app" behind
	// http.StripPrefix("/app", engine) or a proxy that removes a prefix. It is put before the targets of redirects and
	// the page that Intended returns. Mails use Mail.BaseURL, and cookies Session.Cookie.Path. Default: nothing.
	BasePath string
	// Hashing configures password hashes. Default: argon2id with 19 MiB.
	Hashing hashing.Config

	// StoreTimeout limits the store calls of one request together, up to the first byte of its response. Calls of the
	// user provider count, and what the middleware Authorize loads and asks. The application's own work and password
	// hashing do not. A request that needs more is answered with 503. That includes a logout and a revocation: it may
	// not have happened, and the client has to repeat it. A login waits 7 times for an SQL server, a change of
	// the password 17 times: set a longer time for a server that is over 40 ms away.
	//
	// Methods of the Manager and of a Broker belong to a request if their context comes from Authenticator.EventContext.
	// Otherwise what they do before and after hashing has this time each. So has each call of Authenticator.Authorize and of
	// Passwords.Breached, and the end of a login whose token was replayed. Default 1 s.
	StoreTimeout time.Duration
	// TrustedProxies are the addresses of the proxies before the application, as in "10.0.0.0/8" or "::1", and "unix"
	// for one that connects by a Unix socket. The client's address is then the last one in Forwarded (RFC 7239) or
	// X-Forwarded-For that is not one of theirs. It is the proxy's address if the two contradict each other or that
	// entry is not an address, such as "unknown". Headers of other peers are ignored. So is X-Real-Ip.
	TrustedProxies []string
	// ClientIP returns the client's address in another way. Default: TrustedProxies, or the address of the
	// connection. Do not use (*gin.Context).ClientIP: it trusts every peer by default, and behind a trusted one it
	// falls back to a client's X-Real-Ip if it cannot read X-Forwarded-For, as for an address with a port.
	ClientIP func(*gin.Context) string
	// Audit is called in line, exactly once for each event, before the listeners. It must not block; see SlogAudit.
	Audit func(ctx context.Context, e events.Event)
	// EventQueue is how many events may wait for listeners. Further ones are dropped, counted, logged. Default 1024.
	EventQueue int
	// ErrorHandler may respond in place of Abort and the middlewares: status is the status of the response, err is
	// what happened. It is not asked about browsers that are redirected to one of Pages. Before a redirect of its own it
	// calls RememberIntended. If it returns false, the usual response is sent.
	ErrorHandler func(c *gin.Context, status int, err error) (handled bool)
	// Logger gets what operators must know. Default slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// The parts of a Config; see package config for their fields.
type (
	// Key is an application key as text. It is redacted in fmt, slog and JSON.
	Key = config.Key
	// SessionConfig configures sessions.
	SessionConfig = config.Session
	// CookieConfig configures the session cookie.
	CookieConfig = config.Cookie
	// Limit is a number of attempts within a time.
	Limit = config.Limit
	// ThrottleConfig limits attempts to log in.
	ThrottleConfig = config.Throttle
	// CrossOriginConfig configures the protection against requests that another site makes a browser send.
	CrossOriginConfig = config.CrossOrigin
	// PagesConfig names the pages that browsers are redirected to.
	PagesConfig = config.Pages
	// ErrorPage is what the template PagesConfig.Error is executed with.
	ErrorPage = config.ErrorPage
	// MailConfig configures the mails of accounts.
	MailConfig = config.Mail
	// PasswordConfig says which new passwords are accepted.
	PasswordConfig = config.Password
	// AccountConfig configures registration and the flows by mail.
	AccountConfig = config.Account
	// FactorsConfig says who must have a second factor.
	FactorsConfig = config.Factors
	// Registration is what a person who wants an account sends. Nothing else of a request reaches the new user.
	Registration = config.Registration
	// PasswordReset is what a person sends who followed a reset link.
	PasswordReset = config.PasswordReset
	// Finding is a problem that Preflight found.
	Finding = config.Finding
	// Capabilities says what a guard can do with the given configuration.
	Capabilities = config.Capabilities
	// JWTConfig configures signed tokens: the access tokens of the JWT guard, and those that Manager.JWT makes.
	JWTConfig = config.JWT
	// RefreshConfig configures refresh tokens.
	RefreshConfig = config.Refresh
	// PersonalTokensConfig configures personal access tokens.
	PersonalTokensConfig = config.PersonalTokens
)

// NewKey returns a new random key of 32 bytes.
func NewKey() Key { return Key(keys.Generate()) }
