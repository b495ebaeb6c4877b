package routes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// Route identifies an endpoint by its method and its path below the group.
type Route string

// The routes. The documentation of the package describes them.
const (
	Register           Route = "POST /register"
	Login              Route = "POST /login"
	Logout             Route = "POST /logout"
	Me                 Route = "GET /me"
	ChangePassword     Route = "PUT /password"
	ConfirmPassword    Route = "POST /confirm-password"
	PasswordConfirmed  Route = "GET /confirm-password"
	ForgotPassword     Route = "POST /forgot-password"
	ResetPassword      Route = "POST /reset-password"
	ShowVerifyEmail    Route = "GET /verify-email/:id/:hash"
	VerifyEmail        Route = "POST /verify-email/:id/:hash"
	ResendVerification Route = "POST /verify-email/resend"
	ChangeEmail        Route = "PUT /email"
	ShowConfirmEmail   Route = "GET /confirm-email/:token"
	ConfirmEmail       Route = "POST /confirm-email/:token"
	Devices            Route = "GET /devices"
	RevokeDevice       Route = "DELETE /devices/:id"
	LogoutDevices      Route = "DELETE /devices"
	IssueTokens        Route = "POST /token"
	RefreshTokens      Route = "POST /token/refresh"
	RevokeToken        Route = "POST /token/revoke"
	PersonalTokens     Route = "GET /tokens"
	CreateToken        Route = "POST /tokens"
	DeleteToken        Route = "DELETE /tokens/:id"
	JWKS               Route = "GET /.well-known/jwks.json"
)

// Router is the interface of *gin.Engine and *gin.RouterGroup that Mount needs.
type Router interface {
	gin.IRoutes
	BasePath() string
}

// Mount registers the routes that the manager supports, except those in
// Options.Without.
//
// It panics if the manager is nil or has no suitable guard, if the options name
// a route that does not exist or a page on another site, or if the links in
// mails do not lead to the group. Mount must not run while the router serves
// requests.
func Mount(group Router, manager *ginauth.Manager, options Options) {
	s := newServer(manager, options)
	endpoints := s.endpoints()
	s.options.check(endpoints)
	for _, e := range endpoints {
		if !e.served || s.options.without(e.route) {
			continue
		}
		method, path, _ := strings.Cut(string(e.route), " ")
		s.checkLinks(e.route, group.BasePath())
		chain := []gin.HandlerFunc{pageHeaders, manager.StartSession()}
		if e.route == JWKS {
			chain = nil // the response is public and may be cached
		}
		chain = append(append(chain, e.before...), e.handler)
		group.Handle(method, path, chain...)
		if alias, ok := aliases[e.route]; ok {
			group.POST(alias, chain...)
		}
	}
}

// aliases are the paths at which a POST does what a PUT or DELETE does, for forms without a
// script.
var aliases = map[Route]string{
	ChangePassword: "/password",
	ChangeEmail:    "/email",
	RevokeDevice:   "/devices/:id/delete",
	LogoutDevices:  "/devices/delete",
	DeleteToken:    "/tokens/:id/delete",
}

// server holds the state that all handlers share.
type server struct {
	m       *ginauth.Manager
	options Options
	// main is the guard whose users the routes manage, and can its
	// capabilities.
	main string
	can  ginauth.Capabilities
	// sessions, access and personal report which guards exist.
	sessions, access, personal bool
}

func newServer(m *ginauth.Manager, o Options) *server {
	if m == nil {
		panic("routes: Mount: manager is nil")
	}
	o = o.withDefaults()
	s := &server{m: m, options: o}
	web, _ := m.Capabilities(o.SessionGuard)
	api, _ := m.Capabilities(o.AccessGuard)
	token, _ := m.Capabilities(o.PersonalGuard)
	s.sessions = web.Sessions && web.Users
	s.access = api.AccessTokens && api.Users
	s.personal = token.PersonalTokens && token.Users
	switch {
	case s.sessions:
		s.main, s.can = o.SessionGuard, web
	case s.access:
		s.main, s.can = o.AccessGuard, api
	default:
		panic(fmt.Sprintf("routes: Mount: guard %q has no sessions with users, and guard %q has no access tokens with users: set Options.SessionGuard or Options.AccessGuard",
			o.SessionGuard, o.AccessGuard))
	}
	return s
}

// endpoint is a route with its middlewares and its handler.
type endpoint struct {
	route   Route
	served  bool // whether the manager supports it
	before  []gin.HandlerFunc
	handler gin.HandlerFunc
}

func (s *server) endpoints() []endpoint {
	return slices.Concat(s.loginRoutes(), s.accountRoutes(), s.deviceRoutes(), s.tokenRoutes())
}

// public returns the middlewares of a route that needs no login.
func public(before ...gin.HandlerFunc) []gin.HandlerFunc {
	return append([]gin.HandlerFunc{ginauth.Public()}, before...)
}

// users returns the middlewares of a route that requires a login by session or
// access token. Personal access tokens are authenticated too, but only to
// refuse them with 403.
func (s *server) users(before ...gin.HandlerFunc) []gin.HandlerFunc {
	return append([]gin.HandlerFunc{s.m.Auth(s.guards()...), refusePersonalTokens}, before...)
}

// enrolling is users for a route that is also for a login that must enrol a second factor.
func (s *server) enrolling(before ...gin.HandlerFunc) []gin.HandlerFunc {
	return append([]gin.HandlerFunc{s.m.AllowEnrolment()}, s.users(before...)...)
}

// guards returns the names of the guards that authenticate requests.
func (s *server) guards() []string {
	var names []string
	for name, exists := range map[string]bool{
		s.options.SessionGuard: s.sessions, s.options.AccessGuard: s.access, s.options.PersonalGuard: s.personal,
	} {
		if exists {
			names = append(names, name)
		}
	}
	// The session guard is first, because its challenge is sent with a 401.
	slices.SortFunc(names, func(a, b string) int { return s.rank(a) - s.rank(b) })
	return names
}

func (s *server) rank(guard string) int {
	return slices.Index([]string{s.options.SessionGuard, s.options.AccessGuard, s.options.PersonalGuard}, guard)
}

// refusePersonalTokens refuses personal access tokens. They are meant for the
// routes of the application.
func refusePersonalTokens(c *gin.Context) {
	token, err := ginauth.From(c).Token(c.Request.Context())
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case token != nil && token.Scoped:
		ginauth.Abort(c, ginauth.ErrForbidden)
	}
}

// confirmed requires a confirmed password. A login by tokens confirms it by POST
// /confirm-password: a refresh token alone, which may be stolen, is not enough to
// take over the account.
func (s *server) confirmed() gin.HandlerFunc { return s.m.ConfirmPassword() }

// pageHeaders keeps responses out of caches, frames and Referer headers (OWASP
// ASVS 5.0, 3.4.4 to 3.4.6, 14.3.2).
func pageHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "frame-ancestors 'none'")
}

// checkLinks panics if the links in mails do not lead to the route.
func (s *server) checkLinks(route Route, base string) {
	mails := s.m.MailConfig()
	setting, linked := "", ""
	switch route {
	case ShowVerifyEmail:
		setting, linked = "VerifyPath", mails.VerifyPath
	case ShowConfirmEmail:
		setting, linked = "ConfirmPath", mails.ConfirmPath
	default:
		return
	}
	_, path, _ := strings.Cut(string(route), " ")
	mounted := strings.TrimSuffix(base, "/") + path[:strings.Index(path, "/:")]
	if linked != mounted && pathOf(mails.BaseURL)+linked != mounted {
		panic(fmt.Sprintf("routes: Mount: mails link to %s%s, but %q is mounted at %s: set Config.Mail.%s to %q, or add the route to Options.Without",
			mails.BaseURL, linked, route, mounted, setting, mounted))
	}
}
