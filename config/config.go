// Package config holds the parts of ginauth.Config, with the meaning and the default of each
// field. Package ginauth names them too, as in ginauth.SessionConfig. The values are safe to
// copy; New reads them and keeps no reference.
package config

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// Session configures sessions.
type Session struct {
	// IdleTimeout ends a session that is not used. It counts from the last write of the last use, so a session may
	// end up to one TouchInterval early, and never late. Default 2 h (OWASP ASVS 5.0, 7.3.1).
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session this long after it began or after the last login in it, however much it is used.
	// Default 24 h (OWASP ASVS 5.0, 7.3.2).
	AbsoluteTimeout time.Duration
	// TouchInterval is the least time between two writes that record the last use, except for logins. Default 1 min, or
	// a tenth of IdleTimeout if that is less.
	TouchInterval time.Duration
	// PruneInterval is how often expired records are deleted. Expiry does not depend on it: it is decided when a
	// session is loaded. Negative: never. Default 10 min.
	PruneInterval time.Duration
	// MaxPerUser is how many sessions a user may have. If a login exceeds it, the session of the user that was least
	// recently used ends, with all logins in it, and events.SessionEvicted is dispatched. Sessions that live in their
	// cookies, and stores that are no stores.SessionLimit, have no limit. Default 100.
	MaxPerUser int
	// DisableMaxPerUser lets a user have any number of sessions. A client that is logged in can then fill the store.
	DisableMaxPerUser bool
	// WatchInterval is how often Authenticator.Watch asks whether a login still lives. Default 15 s.
	WatchInterval time.Duration
	// Cookie configures the session cookie. The other cookies share its attributes.
	Cookie Cookie
}

// Cookie configures the session cookie. It is always HttpOnly.
type Cookie struct {
	// Name is the cookie's name. The prefix is left off on a developer's own machine without TLS, and the default
	// name then ends in the port, as in "ginauth_8080", because browsers send a cookie to all ports of a host.
	// Default "__Host-ginauth".
	Name string
	// Path is the cookie's path. A "__Host-" name requires "/". Default "/".
	Path string
	// Domain is the cookie's domain, as in "example.com", for all its subdomains. A "__Host-" name requires "".
	// Default "": the host alone.
	Domain string
	// SameSite is Lax, Strict or None. Default Lax.
	SameSite http.SameSite
	// Partitioned gives each site that embeds the application in a frame cookies of its own (CHIPS). Browsers that
	// block third-party cookies then keep them. It requires SameSite None.
	Partitioned bool
	// MaxAge keeps the cookie when the browser is closed. It does not prolong the session, and is at least
	// AbsoluteTimeout: a shorter one would end a session in use. Default 0: the cookie ends with the browser.
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

// Throttle limits attempts to log in. A zero limit has its default.
type Throttle struct {
	// AccountAddress limits one account from one IP address. Default 5 per minute.
	AccountAddress Limit
	// Address limits one IP address (IPv6: one /64) over all accounts. Default 30 per minute.
	Address Limit
	// Account limits one account from all addresses. Default 50 per 15 minutes; NIST SP 800-63B requires at most 100
	// consecutive failures.
	Account Limit
	// Device limits one account from a device that has logged into it before. It replaces Account and AccountAddress
	// there, so that a stranger cannot lock the owner out. Default 10 per 15 minutes.
	Device Limit
	// Passwords limits the passwords that one IP address (IPv6: one /64) may have checked, also right ones, so that
	// clients with accounts of their own cannot keep the server busy with hashing. Default 10 times Address.
	Passwords Limit
	// Network limits one IPv6 /48 over all its /64s, which are addresses of their own for Address. Default 20 times
	// Address.
	Network Limit
	// Register limits the registrations from one IP address (IPv6: one /64). Default 100 per 15 minutes.
	Register Limit
	// InsecureDisable turns all limits off.
	InsecureDisable bool
}

// CrossOrigin configures the protection against requests that another site makes a browser send. It uses
// net/http.CrossOriginProtection.
type CrossOrigin struct {
	// TrustedOrigins may send such requests, as in "https://admin.example".
	TrustedOrigins []string
	// TrustOrigin reports whether an origin that TrustedOrigins does not name may send such a request, such as the
	// domain of a customer. The origin is as the browser wrote it, as in "https://shop.example". Compare the whole of
	// it: a suffix such as "example.com" also fits "https://evil-example.com". Default: no origin.
	TrustOrigin func(r *http.Request, origin string) bool
	// InsecureBypassPatterns are http.ServeMux patterns of requests that are not checked.
	InsecureBypassPatterns []string
	// InsecureDisable checks nothing.
	InsecureDisable bool
}

// Pages names the pages that browsers are redirected to. The paths are those of the application's routes, without
// Config.BasePath. Where no page is named, browsers get the status and a page that says what is wrong, or, if no field
// is set at all, the same JSON as an API client. A client is a browser if it accepts HTML and does not prefer JSON.
type Pages struct {
	// Login is the path of the login page. GuardConfig.LoginPage sets that of one guard.
	Login string
	// Home is the path that Guest redirects logged-in users to, and that Intended falls back to. GuardConfig.Home sets
	// that of one guard. Default "/".
	Home string
	// ConfirmPassword is the path of the page that asks for the password again.
	ConfirmPassword string
	// SecondFactor is the path of the page that asks for a second factor.
	SecondFactor string
	// EnrolFactor is the path of the page that sets up a second factor, for users who must have one; see Factors.
	EnrolFactor string
	// VerifyEmail is the path of the page that says that a mail was sent.
	VerifyEmail string
	// Error is the template of the page for all other errors. It is executed with an ErrorPage. Default: a page without
	// style that shows the message.
	Error *template.Template
	// APIPrefixes are path prefixes, such as "/api/", below which every client is an API client, whatever its Accept
	// header says.
	APIPrefixes []string
}

// ErrorPage is what the template Pages.Error is executed with.
type ErrorPage struct {
	// Status is the status of the response, and Title its name, as in "Not Found".
	Status int
	Title  string
	// Code, Message and Field are those of the JSON that API clients get. Field is "" unless a field of the input is
	// not acceptable.
	Code, Message, Field string
}

// Mail configures the mails of accounts. Without a Mailer the flows that send mail return an error that wraps
// errors.ErrUnsupported.
type Mail struct {
	// Mailer sends mails. Package mail/smtp has one for SMTP; mail/filemail and mail/logmail are for development.
	Mailer mail.Mailer
	// BaseURL is the address of the application, as in "https://app.example". Links are made of it and never of a
	// request. Required with a Mailer.
	BaseURL string
	// AppName is the application's name in mails. Default: the host of BaseURL.
	AppName string
	// VerifyPath is the path of links that verify an email address. Default "/verify-email".
	VerifyPath string
	// ResetPath is the path of links that choose a new password: a page of the application with a form. The fragment of
	// the link is "#email=" with the email address of the user, which the page fills in, and "&token=" with the token.
	// Default "/reset-password".
	ResetPath string
	// ResetTokenInQuery puts what ResetPath names into the query of the link, for a page that works without a script.
	// The query reaches the server and its access log: see LogFormatter. The page moves the token into a cookie and
	// redirects to its own path, as that of package pages does. A GET must not use the token up. Default: false.
	ResetTokenInQuery bool
	// ForgotPath is the path of the page that asks for a reset link. Mails that tell of a change link to it. Default
	// "/forgot-password".
	ForgotPath string
	// ConfirmPath is the path of links that confirm a new email address. Default "/confirm-email".
	ConfirmPath string
	// Templates are the texts of the mails. Default: those of package mail, in six languages.
	Templates *mail.Templates
	// Language returns the language of a user's mails, as in "de", or "" for the default. Default: what the browser that
	// caused the mail accepts, as Templates.Match chooses, or else the default language of Templates.
	Language func(u models.Authenticatable) string
	// Queue configures the queue, which sends off the request.
	Queue mail.QueueOptions
	// NotifyNewDevice sends a mail at a login from a device that was not used for the account before.
	NotifyNewDevice bool
}

// Password says which new passwords are accepted. There are no rules of composition, which do not make
// passwords better (NIST SP 800-63B-4, 3.1.1.2).
type Password struct {
	// MinLength is the least length in characters, at least 8. Default 15, which NIST SP 800-63B-4 requires where a
	// password is the only factor.
	MinLength int
	// Breached reports whether a password is known from a leak. Package breach has one that asks a service. It is
	// called when a password is set and never at login. If it fails, the password is not set and the response is 503.
	Breached func(ctx context.Context, password string) (bool, error)
	// NormalizeNFC gives passwords the Unicode form NFC before they are hashed and compared, so that a password with
	// accents fits whatever keyboard it was typed on. Passwords that were set before still fit as they were typed then.
	// A wrong password that is not in form NFC costs two hashes. Default: passwords are taken as they are sent.
	NormalizeNFC bool
}

// JWT configures signed tokens: the access tokens of the JWT guard, and those that an application makes with
// Manager.JWT.
type JWT struct {
	// SigningKey signs. Default: HS256 with a key derived from Config.Key.
	SigningKey jwt.Key
	// VerifyingKeys are accepted as well: former keys, until their tokens have expired, and coming keys, so that
	// every machine knows a key before one signs with it.
	VerifyingKeys []jwt.Key
	// Issuer is written into every token and required in it. Required with a SigningKey. Default "ginauth".
	Issuer string
	// Audience is written into every token, and required in it unless it names one of Audiences. Required with a
	// SigningKey. Default: the Issuer.
	Audience string
	// Audiences are further audiences, at most 15. Every token is also written for them, and one of all is required.
	Audiences []string
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

// Refresh configures refresh tokens.
type Refresh struct {
	// IdleTimeout ends a login whose refresh token is not used. Default 7 days.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a login this long after it began. Default 30 days.
	AbsoluteTimeout time.Duration
	// Grace is how long a client that lost the response may send the same refresh token again and get the same
	// successor. Later the token is considered stolen, and the login ends with all its tokens (RFC 9700, 4.14.2).
	// Negative: none. Default 10 s.
	Grace time.Duration
	// RetryUnused lets a client whose response was lost for longer than Grace go on: for this long, the same refresh
	// token gets the same successor again while neither the successor nor its access token was used here. A stolen
	// token that comes back before the owner's next request then is not noticed. Default none: such a login ends.
	RetryUnused time.Duration
	// Rotations limits how often the refresh token of one login is replaced, and the remember-me token of one device.
	// A request above the limit is answered with 429. A retry that gets the same successor again does not count.
	// Default 60 per hour.
	Rotations Limit
	// MaxPerUser is how many logins by tokens a user has, including those that have ended and are not yet forgotten. If
	// a login exceeds it, the oldest ends, and events.TokenEvicted is dispatched. Stores that are no stores.TokenLimit
	// have no limit. Default 100, at most 10000.
	MaxPerUser int
}

// PersonalTokens configures personal access tokens.
type PersonalTokens struct {
	// Prefix begins each token, so that scanners for leaked secrets recognize it: 1 to 16 letters and digits. Default
	// "gat".
	Prefix string
	// Lifetime is the lifetime of tokens that are made without one. Default 365 days.
	Lifetime time.Duration
	// MaxPerUser is how many living tokens a user may have. One more is refused. Default 100, at most 10000.
	MaxPerUser int
	// InsecureUnverified lets users with an unverified email address make personal access tokens. Somebody else may
	// have registered the address. Users cannot verify addresses without a Mailer, so they make tokens then. Default:
	// 403. Manager.CreateToken is not limited.
	InsecureUnverified bool
}
