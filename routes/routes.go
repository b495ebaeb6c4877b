package routes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// Route names one endpoint by its method and its path below the group.
type Route string

// The routes.
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
	VerifyEmail        Route = "GET /verify-email/:id/:hash"
	ResendVerification Route = "POST /verify-email/resend"
	ChangeEmail        Route = "PUT /email"
	ConfirmEmail       Route = "GET /confirm-email/:token"
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

// Router is where routes are mounted: a *gin.Engine or a *gin.RouterGroup.
type Router interface {
	gin.IRoutes
	BasePath() string
}

// Mount registers the routes that the manager can serve and that the options do
// not leave out. It panics, as Gin does for a wrong route, if the options name
// what does not exist or a page that is not on this site, and if the links in
// mails would lead elsewhere than to the group.
func Mount(group Router, manager *ginauth.Manager, options Options) {
	s := newServer(manager, options)
	endpoints := s.endpoints()
	s.options.check(endpoints)
	for _, e := range endpoints {
		if !e.served || slices.Contains(s.options.Without, e.route) {
			continue
		}
		method, path, _ := strings.Cut(string(e.route), " ")
		s.checkLinks(e.route, group.BasePath())
		chain := []gin.HandlerFunc{pageHeaders, manager.StartSession()}
		if e.route == JWKS {
			chain = nil // it is for everybody's caches
		}
		chain = append(chain, e.before...)
		group.Handle(method, path, append(chain, e.handler)...)
	}
}

// server is what the handlers share.
type server struct {
	m       *ginauth.Manager
	options Options
	// main is the guard whose users the routes are about, and what it can do.
	main string
	can  ginauth.Capabilities
	// sessions, access and personal say which of the guards there are.
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
		panic(fmt.Sprintf("routes: Mount: neither %q is a guard with sessions and users nor %q one with access tokens and users",
			o.SessionGuard, o.AccessGuard))
	}
	return s
}

// endpoint is a route with what comes before its handler.
type endpoint struct {
	route   Route
	served  bool // by this manager
	before  []gin.HandlerFunc
	handler gin.HandlerFunc
}

func (s *server) endpoints() []endpoint {
	return slices.Concat(s.loginRoutes(), s.accountRoutes(), s.deviceRoutes(), s.tokenRoutes())
}

// open is for everybody.
func open(before ...gin.HandlerFunc) []gin.HandlerFunc {
	return append([]gin.HandlerFunc{ginauth.Public()}, before...)
}

// users is for who is logged in, by a session or by access tokens. A personal
// access token is known there, to be told that it may not.
func (s *server) users(before ...gin.HandlerFunc) []gin.HandlerFunc {
	return append([]gin.HandlerFunc{s.m.Auth(s.guards()...), notScoped}, before...)
}

// guards are those that a request may be authenticated by.
func (s *server) guards() []string {
	var names []string
	for name, there := range map[string]bool{
		s.options.SessionGuard: s.sessions, s.options.AccessGuard: s.access, s.options.PersonalGuard: s.personal,
	} {
		if there {
			names = append(names, name)
		}
	}
	// The session's comes first: its challenge is that of a 401.
	slices.SortFunc(names, func(a, b string) int { return s.rank(a) - s.rank(b) })
	return names
}

func (s *server) rank(guard string) int {
	return slices.Index([]string{s.options.SessionGuard, s.options.AccessGuard, s.options.PersonalGuard}, guard)
}

// notScoped keeps personal access tokens out: they were made for the routes of
// the application.
func notScoped(c *gin.Context) {
	token, err := ginauth.From(c).Token(c.Request.Context())
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case token != nil && token.Scoped:
		ginauth.Abort(c, ginauth.ErrForbidden)
	}
}

// confirmed asks users for their password again. A login by tokens cannot give
// it: whoever stole a refresh token must not turn it into the account.
func (s *server) confirmed() gin.HandlerFunc { return s.m.ConfirmPassword() }

// pageHeaders keeps answers out of caches, frames and Referer headers (OWASP ASVS
// 5.0, 3.4.4 to 3.4.6, 14.3.2).
func pageHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "frame-ancestors 'none'")
}

// checkLinks panics if mails lead elsewhere than to the route.
func (s *server) checkLinks(route Route, base string) {
	mails := s.m.MailConfig()
	setting, linked := "", ""
	switch route {
	case VerifyEmail:
		setting, linked = "VerifyPath", mails.VerifyPath
	case ConfirmEmail:
		setting, linked = "ConfirmPath", mails.ConfirmPath
	default:
		return
	}
	_, path, _ := strings.Cut(string(route), " ")
	mounted := strings.TrimSuffix(base, "/") + path[:strings.Index(path, "/:")]
	if linked != mounted && pathOf(mails.BaseURL)+linked != mounted {
		panic(fmt.Sprintf("routes: Mount: mails link to %s%s, and %q is mounted at %s: set Config.Mail.%s to %q, or leave the route out",
			mails.BaseURL, linked, route, mounted, setting, mounted))
	}
}
