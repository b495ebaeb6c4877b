package ginauth

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Config is what a Manager is made from. The zero Config works: sessions in
// memory, no users. New copies it, fills in the defaults and checks everything;
// the caller's value is not changed, and changing it later has no effect.
type Config struct {
	// Key is the application's secret, from which every other key is derived.
	// It may be left out only while all stores are in memory.
	Key Key
	// PreviousKeys are read, never written: what was made under one of them is
	// made anew under Key when it is next used. Drop a key to end the rest.
	PreviousKeys []Key

	// Users loads the users of every guard that names no provider of its own.
	Users models.UserProvider
	// Stores keeps sessions, tokens and throttle windows. The zero value keeps
	// all three in memory; otherwise all three are named: for sessions either
	// Sessions or, if they are to live in their cookies, ClientSessions.
	Stores stores.Set
	// Guards names the ways a request can be authenticated. The default is
	// "web", which reads the session, "api", which reads signed access tokens,
	// and "token", which reads personal access tokens.
	Guards map[string]GuardConfig
	// DefaultGuard is the guard of Auth without names, and of login. The
	// default is "web", or the only guard there is.
	DefaultGuard string

	Session SessionConfig
	// JWT, Refresh and PersonalTokens configure the guards that read tokens.
	JWT            JWTConfig
	Refresh        RefreshConfig
	PersonalTokens PersonalTokensConfig
	// Account, Passwords and Mail configure what users do with their accounts.
	Account     AccountConfig
	Passwords   PasswordConfig
	Mail        MailConfig
	Throttle    ThrottleConfig
	CrossOrigin CrossOriginConfig
	Pages       PagesConfig
	// Hashing configures password hashes. The default is argon2id with 19 MiB.
	Hashing hashing.Config

	// StoreTimeout is how long the store calls of one request may take
	// together, up to the first byte of its answer. Those of the user provider
	// are among them, and what the middleware Authorize loads and asks. What the
	// application does in between is not counted, nor is hashing. A request that
	// needs more is answered with 503, a logout or a revocation too: it may not
	// have happened, and has to be asked for again. A login makes up to 25 round
	// trips to an SQL server, or 8 to Redis beside those for the user: give more
	// time to one that is over 30 ms away.
	//
	// Methods of the Manager and of a Broker are part of a request if their
	// context is from Authenticator.EventContext; otherwise what they do before
	// and after a hash has this much time each. So has each call of
	// Authenticator.Authorize, each of Passwords.Breached, and the end of a
	// login whose token was replayed. Default 1 s.
	StoreTimeout time.Duration
	// ClientIP returns the client's address. The default is the address of the
	// connection's peer. Behind a proxy use (*gin.Context).ClientIP together
	// with (*gin.Engine).SetTrustedProxies: by default gin trusts everybody,
	// and then an address is whatever the client says.
	ClientIP func(*gin.Context) string
	// Audit is called in line, exactly once for each event, before listeners
	// hear of it. SlogAudit makes one. It must not block.
	Audit func(ctx context.Context, e events.Event)
	// EventQueue is how many events may wait for listeners before further ones
	// are dropped, counted and logged. Default 1024.
	EventQueue int
	// ErrorHandler is asked to answer where Abort and the middlewares would:
	// status is the one that the status contract asks for, err what happened.
	// It returns false to leave the answer to them.
	ErrorHandler func(c *gin.Context, status int, err error) (handled bool)
	// Logger gets what operators must know. Default slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// SessionConfig configures sessions.
type SessionConfig struct {
	// IdleTimeout ends a session that was not used for so long. It is measured
	// from the last touch, and so ends a session up to one touch early, never
	// late. Default 2 h. OWASP ASVS 5.0, 7.3.1.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session so long after it began, or after the
	// login in it, however busy it is. Default 24 h. OWASP ASVS 5.0, 7.3.2.
	AbsoluteTimeout time.Duration
	// TouchInterval is the least time between two writes that only record that
	// a session is in use. Default 1 min, or a tenth of IdleTimeout if that is
	// less.
	TouchInterval time.Duration
	// PruneInterval is how often expired records are deleted. Nothing depends
	// on it: expiry is decided when a session is loaded. Default 10 min;
	// negative: never.
	PruneInterval time.Duration
	Cookie        CookieConfig
}

// CookieConfig configures the session cookie. It is always HttpOnly.
type CookieConfig struct {
	// Name is the cookie's name. Default "__Host-ginauth". On a developer's own
	// machine, without TLS, the prefix is left off.
	Name string
	// Path and Domain widen or narrow the cookie. With a "__Host-" name they
	// stay "/" and empty. Default "/" and "".
	Path   string
	Domain string
	// SameSite is Lax, Strict or None. Default Lax.
	SameSite http.SameSite
	// MaxAge keeps the cookie over the end of the browser. It does not lengthen
	// the session. Default 0: the cookie ends with the browser.
	MaxAge time.Duration
	// InsecureAllowHTTP sends and reads the cookie without TLS, for whoever
	// listens on the way. The name must not begin with "__Host-" or
	// "__Secure-".
	InsecureAllowHTTP bool
}

// Limit is a number of attempts within a time. The time begins with the first
// attempt and is then fixed.
type Limit struct {
	Attempts int
	Per      time.Duration
}

// ThrottleConfig limits attempts to log in. A limit left zero has its default.
type ThrottleConfig struct {
	// AccountAddress limits one account from one address. Default 5 per minute.
	AccountAddress Limit
	// Address limits one address (IPv6: one /64) over all accounts. Default 30
	// per minute.
	Address Limit
	// Account limits one account from anywhere. Default 50 per 15 minutes; NIST
	// SP 800-63B asks for at most 100 consecutive failures.
	Account Limit
	// Device limits one account from a device that has logged into it before,
	// in place of Account and AccountAddress, so that a stranger cannot lock
	// the owner out. Default 10 per 15 minutes.
	Device Limit
	// InsecureDisable lets anybody guess as often as they like.
	InsecureDisable bool
}

// CrossOriginConfig configures the protection against requests that another
// site makes a browser send. It is net/http.CrossOriginProtection.
type CrossOriginConfig struct {
	// TrustedOrigins may send such requests, as in "https://admin.example".
	TrustedOrigins []string
	// InsecureBypassPatterns are http.ServeMux patterns of requests that are
	// not checked.
	InsecureBypassPatterns []string
	// InsecureDisable checks nothing.
	InsecureDisable bool
}

// PagesConfig names the pages that browsers are sent to. What is left empty
// answers browsers as it answers programs, with a status and JSON. A program is
// whoever asks for JSON, or does not say that it takes HTML.
type PagesConfig struct {
	// Login is the path of the login page.
	Login string
	// Home is the path that Guest sends users to who are logged in, and that
	// Intended falls back to. Default "/".
	Home string
	// ConfirmPassword is the path of the page that asks for the password again.
	ConfirmPassword string
	// VerifyEmail is the path of the page that says to look for a mail.
	VerifyEmail string
	// APIPrefixes are path prefixes, such as "/api/", below which everybody
	// is a program whatever the Accept header says.
	APIPrefixes []string
}

// Defaults of Config.
const (
	defaultIdle          = 2 * time.Hour
	defaultAbsolute      = 24 * time.Hour
	defaultTouch         = time.Minute
	defaultPrune         = 10 * time.Minute
	defaultStoreTimeout  = time.Second
	defaultEventQueue    = 1024
	defaultGuard         = "web"
	defaultSessionCookie = cookies.HostPrefix + "ginauth"
)

// withDefaults returns a copy of c with defaults in place of zero values. It
// leaves faulty values for validate to find.
func (c Config) withDefaults() Config {
	c.Guards = maps.Clone(c.Guards)
	c.Pages.APIPrefixes = slices.Clone(c.Pages.APIPrefixes)
	setDefault(&c.StoreTimeout, defaultStoreTimeout)
	setDefault(&c.EventQueue, defaultEventQueue)
	setDefault(&c.Session.IdleTimeout, defaultIdle)
	setDefault(&c.Session.AbsoluteTimeout, defaultAbsolute)
	setDefault(&c.Session.TouchInterval, min(defaultTouch, c.Session.IdleTimeout/10))
	setDefault(&c.Session.PruneInterval, defaultPrune)
	setDefault(&c.Session.Cookie.Name, defaultSessionCookie)
	setDefault(&c.Session.Cookie.Path, "/")
	setDefault(&c.Session.Cookie.SameSite, http.SameSiteLaxMode)
	setDefault(&c.Throttle.AccountAddress, Limit{5, time.Minute})
	setDefault(&c.Throttle.Address, Limit{30, time.Minute})
	setDefault(&c.Throttle.Account, Limit{50, 15 * time.Minute})
	setDefault(&c.Throttle.Device, Limit{10, 15 * time.Minute})
	setDefault(&c.Pages.Home, "/")
	c.JWT.VerifyingKeys = slices.Clone(c.JWT.VerifyingKeys)
	c.setTokenDefaults()
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.setAccountDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Guards) == 0 {
		c.Guards = map[string]GuardConfig{defaultGuard: {}, "api": {New: JWTGuard}, "token": {New: TokenGuard}}
	}
	if c.DefaultGuard == "" {
		c.DefaultGuard = defaultGuard
		if _, ok := c.Guards[defaultGuard]; !ok && len(c.Guards) == 1 {
			for name := range c.Guards {
				c.DefaultGuard = name
			}
		}
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
