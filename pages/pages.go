package pages

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// Router is the interface of *gin.Engine and *gin.RouterGroup that Mount needs.
type Router = routes.Router

// site is what the requests to the pages of one Mount share.
type site struct {
	m       *ginauth.Manager // nil for error pages outside of a Mount
	options Options
	base    string
	can     Can
	texts   *texts
	pages   *templates
	forms   map[routes.Route]form
	login   string   // the field in which users say who they are
	needed  []string // the identifiers of a registration in place of the email address
	// kept is HTML by keptPage, and keptCount how much.
	kept      sync.Map
	keptCount atomic.Int64
}

// Can says which pages there are.
type Can struct {
	Register, Reset, Verify, ChangeEmail, ChangePassword, LogoutDevices, Tokens bool
	// TOTP, Recovery, Account, Passkeys and Identities are what the features totp, recovery, account, passkey and
	// social add.
	TOTP, Recovery, Account, Passkeys, Identities bool
}

// siteKey is where the middleware of Mount leaves the site on the context.
type siteKey struct{}

// Mount adds the pages to a router, and a middleware by which the routes that package routes mounts there afterwards
// respond to browsers with pages and redirects. Call it before routes.Mount, on the same router. Pages of the
// application that are added later can use Render.
//
// It panics if the manager is nil or has no guard with sessions and users, if routes are mounted already, if a template
// or a text is not valid, or if the reset links in mails do not lead to the page. Mount must not run while the router
// serves requests.
func Mount(r Router, manager *ginauth.Manager, options Options) {
	s := newSite(r.BasePath(), manager, options)
	s.checkOrder(r)
	s.checkLinks()
	r.Use(func(c *gin.Context) { c.Set(siteKey{}, s) }, routes.Browsers(s.respond))
	s.mountAssets(r)
	start := manager.StartSession()
	get := func(served bool, path string, handlers ...gin.HandlerFunc) {
		if served {
			r.GET(path, append([]gin.HandlerFunc{start}, handlers...)...)
		}
	}
	guests := manager.Guest(s.options.SessionGuard)
	users := manager.Auth(s.options.SessionGuard)
	confirmed, enrolling := manager.ConfirmPassword(), manager.AllowEnrolment()
	get(true, "/login", guests, s.show("login", "Sign in"))
	get(true, secondFactorPath, ginauth.Public(), s.secondFactor)
	get(s.can.TOTP || s.can.Passkeys, enrolPath, enrolling, users, s.enrolFactor)
	get(s.can.Passkeys, "/passkeys/new", enrolling, users, confirmed, s.newPasskey)
	get(s.can.Register, "/register", guests, s.show("register", "Create an account"))
	get(s.can.Verify, "/verify-email", ginauth.Public(), s.show("verify_notice", "Verify your email address"))
	get(s.can.Reset, "/forgot-password", ginauth.Public(), s.show("forgot", "Forgot your password?"))
	get(s.can.Reset, "/reset-password", ginauth.Public(), s.showReset)
	get(true, "/profile", users, s.show("profile", "Your account"))
	get(s.can.ChangePassword, "/password", users, s.show("password", "Change password"))
	get(s.can.ChangeEmail, "/email", users, confirmed, s.show("email", "Change email address"))
	get(s.can.Account, "/account/delete", users, s.show("account_delete", "Delete your account"))
	get(s.can.Tokens, "/tokens/new", users, confirmed, s.show("token_new", "New personal token"))
}

// newSite returns what Mount needs. It panics if the options or the manager are not suitable.
func newSite(base string, m *ginauth.Manager, options Options) *site {
	if m == nil {
		panic("pages: Mount: manager is nil")
	}
	base = trimSlash(base)
	options = options.withDefaults(m, base)
	web, _ := m.Capabilities(options.SessionGuard)
	if !web.Sessions || !web.Users {
		panic("pages: Mount: guard " + options.SessionGuard + " has no sessions with users: set Options.SessionGuard")
	}
	personal, _ := m.Capabilities(options.PersonalGuard)
	mails := m.MailConfig().Mailer != nil
	s := newErrorSite(options)
	s.m, s.base = m, base
	s.can = Can{
		Register: web.Register, Reset: mails && web.ChangePassword, Verify: mails && web.VerifyEmail,
		ChangeEmail: mails && web.ChangeEmail, ChangePassword: web.ChangePassword, LogoutDevices: web.ChangeStamp,
		Tokens: personal.PersonalTokens && personal.Users,
	}
	for name, there := range map[string]*bool{
		"totp": &s.can.TOTP, "recovery": &s.can.Recovery, "account": &s.can.Account, "passkey": &s.can.Passkeys, "social": &s.can.Identities,
	} {
		*there = slices.Contains(web.Features, name)
	}
	s.login, s.needed = web.LoginFields[0], web.RegisterFields
	s.forms = s.makeForms()
	return s
}

// newErrorSite returns a site that can show error pages.
func newErrorSite(options Options) *site {
	return &site{options: options, texts: newTexts(options), pages: newTemplates(options.Templates)}
}

func trimSlash(base string) string {
	if base == "/" {
		return ""
	}
	return base
}

// checkOrder panics if the routes are mounted already: they would respond to forms with JSON.
func (s *site) checkOrder(r Router) {
	engine, ok := r.(*gin.Engine)
	if !ok {
		return // a group does not tell its routes
	}
	for _, route := range engine.Routes() {
		if route.Method+" "+route.Path == string(routes.Login) {
			panic("pages: Mount: POST /login is mounted already: call pages.Mount before routes.Mount")
		}
	}
}

// siteOf returns the site of a request, or nil.
func siteOf(c *gin.Context) *site {
	v, _ := c.Get(siteKey{})
	s, _ := v.(*site)
	return s
}

// path returns the path of a page as browsers see it.
func (s *site) path(page string) string {
	if s.m == nil {
		return page
	}
	return s.m.PublicPath(s.base + page)
}

// user returns the user of a request, or nil. A failure is the request's: the response becomes 503.
func (s *site) user(c *gin.Context) (*Account, error) {
	a := authOf(c)
	if a == nil || s.m == nil {
		return nil, nil
	}
	u, err := a.Guard(s.options.SessionGuard).User(c.Request.Context())
	if err != nil || u == nil {
		return nil, err
	}
	return newAccount(u), nil
}
