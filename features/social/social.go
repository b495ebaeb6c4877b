// Package social lets users sign in with accounts at other sites, by OpenID Connect and OAuth 2.0.
//
//	signIn := social.New(social.Options{Providers: []social.Provider{social.Google(social.Client{ID: id, Secret: secret})}})
//	auth, err := ginauth.New(ginauth.Config{…, Features: []ginauth.Feature{signIn}})
//	signIn.Mount(r)
//
// A login is by the subject of a provider, never by an email address.
package social

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

// Name names the feature.
const Name = "social"

// Options configure the feature.
type Options struct {
	// Providers are the sites that users can sign in with. Required.
	Providers []Provider
	// Guard is the guard with sessions that browsers are logged in by. Default: Config.DefaultGuard.
	Guard string
	// TokenGuard is the guard whose tokens POST /social/{provider}/token issues. Default: "api", if there is such a guard.
	TokenGuard string
	// Guards are the guards whose users manage their identities. Default: Guard and TokenGuard.
	Guards []string
	// LinkVerified names providers whose users are logged into the existing account with their address, and linked to it
	// at once: if the provider says that the address is verified, and it is verified here as well. Name only providers
	// that you trust like your own mailbox check: whoever controls one of them gets into these accounts. Default: such
	// users are asked to log in as before, and link the identity then.
	LinkVerified []string
	// KeepTokens names providers whose tokens are stored, sealed, for Feature.Token. Default: they are dropped.
	KeepTokens []string
	// BackChannelLogout names providers that may end the sessions that they began (OpenID Connect Back-Channel Logout).
	BackChannelLogout []string
	// NoRegistration lets only users log in who have linked the identity before.
	NoRegistration bool
	// Fields returns what Config.Account.Prepare gets in Registration.Fields at the first login. It may change the profile's
	// Name. Default: nothing.
	Fields func(ctx context.Context, provider string, p *Profile) (map[string]string, error)
	// Proof returns what a login is worth: factor.LevelOne, or factor.LevelTwo for a provider that is trusted to have asked
	// for two factors, whose users are then asked for no second factor here. Decide by the profile's ACR and AMR, which
	// the provider must have been asked for (OIDCConfig.Params) and must sign. Methods are names of RFC 8176. Default:
	// LevelOne, without methods.
	Proof func(provider string, p *Profile) (level factor.Level, methods []string)
	// OtherWays names providers of stores.Identities that are ways to log in, as those of Providers are, such as
	// "passkey". A user with one of them may unlink the last identity here.
	OtherWays []string
	// RedirectURIs are those that apps may use with POST /social/{provider}/token, as in "com.example.app:/callback".
	RedirectURIs []string
	// ErrorPage is the path of a page that browsers are redirected to after a login that failed, with the parameter
	// "social" set to the code. It also finds a routes.Outcome, which package pages shows. Default: the page for errors of
	// the configuration.
	ErrorPage string
	// Home is the path that browsers are redirected to after they linked an identity, and after that failed, as to
	// ErrorPage: "/identities" with package pages. Default: the home of the guard, and ErrorPage.
	Home string
}

// Feature is sign-in with other sites, for ginauth.Config.Features. It belongs to one Manager.
type Feature struct {
	options   Options
	auth      *ginauth.Manager
	providers map[string]Provider
	store     stores.Identities
	set       stores.Set
	now       func() time.Time
	attempts  stores.Sealer // what begins at a POST and ends at the callback
	answers   stores.Sealer // responses that came as a form
	tokens    stores.Sealer // of providers
	began     ginauth.SessionSlot
	waiting   ginauth.SessionSlot
	bypass    func(pattern string) error
	baseURL   string
	callback  string // what is before the name of a provider in a redirect URI
	mounted   string // the path of the router group
}

// New returns the feature.
func New(o Options) *Feature { return &Feature{options: o} }

// Name returns "social".
func (*Feature) Name() string { return Name }

// Setup checks the options. The application's stores must have Identities, and Config.Mail a BaseURL.
func (f *Feature) Setup(s *ginauth.Setup) error {
	f.auth, f.set, f.store, f.now = s.Manager(), s.Stores(), s.Stores().Identities, s.Clock()
	f.attempts, f.answers, f.tokens = s.Sealer("attempt"), s.Sealer("answer"), s.Sealer("provider token")
	f.began, f.waiting = s.SessionSlot("began"), s.SessionSlot("waiting")
	f.bypass = s.InsecureBypass()
	s.BeforeLogin(f.sameUser)
	s.AfterLogin(f.markWaiting)
	f.providers = make(map[string]Provider)
	var faults []error
	if f.store == nil {
		faults = append(faults, errors.New("Config.Stores.Identities is missing; package memstore, gormstore or redisstore has one"))
	}
	for i, p := range f.options.Providers {
		if p == nil {
			faults = append(faults, fmt.Errorf("item %d of Options.Providers is nil", i))
			continue
		}
		if err := p.Check(); err != nil {
			faults = append(faults, fmt.Errorf("provider %.40q: %w", p.Name(), err))
		}
		if f.providers[p.Name()] != nil {
			faults = append(faults, fmt.Errorf("two providers have the name %.40q", p.Name()))
		}
		if clocked, ok := p.(interface{ setClock(func() time.Time) }); ok {
			clocked.setClock(f.now)
		}
		f.providers[p.Name()] = p
	}
	return errors.Join(append(faults, f.checkNames(), f.checkBaseURL())...)
}

func (f *Feature) checkNames() error {
	var faults []error
	if len(f.options.Providers) == 0 {
		faults = append(faults, errors.New("there is nothing in Options.Providers"))
	}
	for option, names := range map[string][]string{
		"LinkVerified": f.options.LinkVerified, "KeepTokens": f.options.KeepTokens, "BackChannelLogout": f.options.BackChannelLogout,
	} {
		for _, name := range names {
			if f.providers[name] == nil {
				faults = append(faults, fmt.Errorf("the list Options.%s names %.40q, which is no provider", option, name))
			}
		}
	}
	for _, name := range f.options.BackChannelLogout {
		if _, ok := f.providers[name].(LogoutVerifier); !ok {
			faults = append(faults, fmt.Errorf("Options.BackChannelLogout: provider %.40q has none", name))
		}
	}
	for _, name := range f.options.OtherWays {
		if !stores.ValidIdentityProvider(name) || f.providers[name] != nil {
			faults = append(faults, fmt.Errorf("Options.OtherWays: %.40q is not the name of another provider of identities", name))
		}
	}
	return errors.Join(faults...)
}

// checkBaseURL reads where redirect URIs begin: never at what a request says.
func (f *Feature) checkBaseURL() error {
	f.baseURL = strings.TrimSuffix(f.auth.MailConfig().BaseURL, "/")
	if err := secureURL(f.baseURL); err != nil {
		return fmt.Errorf("Config.Mail.BaseURL is where providers send users back to: %w", err)
	}
	u, err := url.Parse(f.baseURL)
	if err != nil || u.RawQuery != "" {
		return errors.New("Config.Mail.BaseURL has a query")
	}
	f.callback = f.baseURL
	return nil
}

// guard returns the handle for the guard that browsers are logged in by.
func (f *Feature) guard(a *ginauth.Authenticator) *ginauth.Authenticator {
	if f.options.Guard == "" {
		return a
	}
	return a.Guard(f.options.Guard)
}

// Button is what a page needs to offer a provider.
type Button = routes.SignInButton

// Buttons returns the providers in the order of Options.Providers, for pages. Call it after Mount.
func (f *Feature) Buttons() []Button {
	var list []Button
	for _, p := range f.options.Providers {
		list = append(list, Button{Name: p.Name(), Title: p.Title(), Path: f.auth.PublicPath(f.mounted + "/auth/" + p.Name())})
	}
	return list
}

// Codes of failures, which clients see. They are also in the event Failed.
const (
	CodeAttempt      = "social_attempt_invalid"  // not begun here, too old, or used
	CodeDenied       = "social_denied"           // the user, or the provider for the user, said no
	CodeRefused      = "social_refused"          // the provider's answer is not acceptable
	CodeLinkRequired = "social_link_required"    // log in as before, and link
	CodeTaken        = "social_identity_taken"   // another account has the identity
	CodeNoAccount    = "social_no_account"       // Options.NoRegistration
	CodeNoAddress    = "social_address_required" // users need an address, and the provider gave none
	CodeLastWay      = "social_last_way"         // the user could not log in any more
	CodeTooMany      = "social_too_many"         // the user has stores.MaxIdentities
)

// Errors, which ginauth.StatusOf and errors.Is know.
var (
	// ErrAttempt: the login was not begun by this browser, is older than 10 minutes, or was completed. 400.
	ErrAttempt = fmt.Errorf("social: no such login was begun here: %w", ginauth.ErrMalformed)
	// ErrDenied: the provider responded with an error, because the user did not agree for example. 403.
	ErrDenied = fmt.Errorf("social: the provider did not identify the user: %w", ginauth.ErrForbidden)
	// ErrLinkRequired: an account has the address. Its owner logs in as before, and links the identity then. 409.
	ErrLinkRequired = fmt.Errorf("social: an account has the address: %w", ginauth.ErrConflict)
	// ErrTaken: the identity is linked to another account. 409.
	ErrTaken = fmt.Errorf("social: the identity is linked to another account: %w", ginauth.ErrConflict)
	// ErrNoAccount: Options.NoRegistration is set, and no user has the identity. 403.
	ErrNoAccount = fmt.Errorf("social: no account has the identity: %w", ginauth.ErrForbidden)
	// ErrNoAddress: the provider gave no verified address, and the application has no users without one. 403.
	ErrNoAddress = fmt.Errorf("social: there is no verified address: %w", ginauth.ErrForbidden)
	// ErrLastWay: without the identity the user could not log in. 409.
	ErrLastWay = fmt.Errorf("social: it is the last way to log in: %w", ginauth.ErrConflict)
	// ErrTooMany: the user has stores.MaxIdentities. 409.
	ErrTooMany = fmt.Errorf("social: the user has %d identities: %w", stores.MaxIdentities, ginauth.ErrConflict)
)

// failure is how a kind of error is answered.
type failure struct {
	err     error
	status  int
	code    string
	message string
}

var failures = []failure{
	{ErrAttempt, 400, CodeAttempt, "This login was not begun in this browser, or is too old. Begin again."},
	{ErrDenied, 403, CodeDenied, "The other site did not identify you."},
	{ErrRefused, 401, CodeRefused, "The answer of the other site is not acceptable. Begin again."},
	{ErrLinkRequired, 409, CodeLinkRequired, "There is an account with this email address. Log in as before, then link the other site."},
	{ErrTaken, 409, CodeTaken, "This identity is linked to another account."},
	{ErrNoAccount, 403, CodeNoAccount, "No account is linked to this identity."},
	{ErrNoAddress, 403, CodeNoAddress, "The other site gave no verified email address."},
	{ErrLastWay, 409, CodeLastWay, "This is the last way to log in. Add another one first."},
	{ErrTooMany, 409, CodeTooMany, "The account is linked to too many identities."},
}

// CodeOf returns the code of an error of this feature, or "".
func CodeOf(err error) string {
	if errors.Is(err, ginauth.ErrUnavailable) {
		return ""
	}
	for _, known := range failures {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return ""
}

// abort responds to an error of a login. What the provider sent is not shown.
func (f *Feature) abort(c *gin.Context, provider string, err error) {
	f.abortAt(c, provider, f.options.ErrorPage, err)
}

// abortAt is abort for browsers that are redirected to a page, unless that is "".
func (f *Feature) abortAt(c *gin.Context, provider, page string, err error) {
	code := CodeOf(err)
	i := slices.IndexFunc(failures, func(known failure) bool { return known.code == code })
	if i < 0 {
		ginauth.Abort(c, err)
		return
	}
	f.auth.Dispatch(c.Request.Context(), Failed{ginauth.From(c).EventMeta(""), provider, code})
	ginauth.CountFailure(c)
	switch {
	case !ginauth.WantsHTML(c):
		c.AbortWithStatusJSON(failures[i].status, gin.H{"code": code, "message": failures[i].message})
	case page != "":
		routes.Outcome{Route: routes.Route(c.Request.Method + " " + c.FullPath()), Code: code, Message: failures[i].message}.Leave(c)
		c.Redirect(303, f.auth.PublicPath(page)+"?social="+code)
		c.Abort()
	default:
		ginauth.Abort(c, asKnown(err))
	}
}

// asKnown gives ErrRefused a status that the pages of the application know.
func asKnown(err error) error {
	if errors.Is(err, ErrRefused) {
		return errors.Join(ginauth.ErrInvalidCredentials, err)
	}
	return err
}

// LoggedIn is dispatched when a user was logged in by a provider, beside events.Login. It is not dispatched for a login
// that waits for a second factor.
type LoggedIn struct {
	events.Meta
	Provider string
}

// EventName returns "social_logged_in".
func (LoggedIn) EventName() string { return "social_logged_in" }

// Failed is dispatched when a login or a link failed for a reason that has a code.
type Failed struct {
	events.Meta
	Provider string
	// Code is one of the constants.
	Code string
}

// EventName returns "social_failed".
func (Failed) EventName() string { return "social_failed" }

// IdentityLinked is dispatched when an identity became a user's, also at the first login.
type IdentityLinked struct {
	events.Meta
	Provider string
}

// EventName returns "social_identity_linked".
func (IdentityLinked) EventName() string { return "social_identity_linked" }

// IdentityUnlinked is dispatched when an identity is a user's no more.
type IdentityUnlinked struct {
	events.Meta
	Provider string
}

// EventName returns "social_identity_unlinked".
func (IdentityUnlinked) EventName() string { return "social_identity_unlinked" }

// LoggedOut is dispatched when a provider ended the sessions of a user.
type LoggedOut struct {
	events.Meta
	Provider string
}

// EventName returns "social_logged_out".
func (LoggedOut) EventName() string { return "social_logged_out" }

// stub is a user of whom only the identifier is known.
type stub struct{ id string }

func (s stub) AuthID() string     { return s.id }
func (stub) AuthPassword() string { return "" }

var _ models.Authenticatable = stub{}

// userID returns the identifier of the user of the guard that an owner names.
func userID(a *ginauth.Authenticator, owner string) (string, bool) {
	const any = "1"
	realm := strings.TrimSuffix(a.Owner(stub{any}), any)
	id, ok := strings.CutPrefix(owner, realm)
	return id, ok && id != "" && a.Owner(stub{id}) == owner
}

// logged returns an error as an outage, with its text for the log.
func logged(doing string, err error) error {
	if err == nil || errors.Is(err, ErrRefused) {
		return err
	}
	return ginauth.Unavailable(doing, err)
}

// Format writes the type's name: a Feature leads to secrets.
func (*Feature) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("social.Feature")) }

// LogValue returns the type's name.
func (*Feature) LogValue() slog.Value { return slog.StringValue("social.Feature") }
