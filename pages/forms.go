package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// form says where a browser goes after a form.
type form struct {
	// page shows the form. It is "" for the page of a mailed link, which is the URL itself.
	page string
	// done is the page after a success, and notice what it says.
	done, notice string
	// code is the name on the page of the field "code", if the form has one.
	code string
	// conflict is the code of the text for ginauth.ErrConflict, or "" for an error page.
	conflict string
}

// makeForms returns the forms by the route that they post to.
func (s *site) makeForms() map[routes.Route]form {
	registered := form{page: "/register", done: "/login", notice: "Your account is ready. Sign in to continue."}
	if s.can.Verify {
		registered.done = "/verify-email"
		registered.notice = "Almost done: we sent you a mail with a link to verify your email address."
	}
	forms := map[routes.Route]form{
		routes.Register: registered,
		routes.Login:    {page: "/login", done: "/profile"},
		routes.Logout:   {page: "/login", done: "/login", notice: "You are signed out."},
		routes.ChangePassword: {page: "/password", done: "/profile",
			notice: "Your password was changed. Other devices are signed out."},
		routes.ConfirmPassword: {page: "/confirm-password", done: "/profile"},
		routes.ForgotPassword: {page: "/forgot-password", done: "/forgot-password",
			notice: "If there is such an account, we sent a link to its email address."},
		routes.ResetPassword: {page: "/reset-password", done: "/login",
			notice: "Your password was changed. Sign in with the new one."},
		routes.VerifyEmail: {done: "/profile", notice: "Your email address is verified."},
		routes.ResendVerification: {page: "/verify-email", done: "/verify-email",
			notice: "If the email address of this account waits for verification, we sent a new link to it."},
		routes.ChangeEmail: {page: "/email", done: "/profile",
			notice: "We sent a link to the new email address. It becomes yours when you open the link."},
		routes.ConfirmEmail:  {page: "/login", done: "/profile", notice: "Your email address was changed."},
		routes.RevokeDevice:  {page: "/devices", done: "/devices", notice: "The device is signed out."},
		routes.LogoutDevices: {page: "/devices", done: "/devices", notice: "All other devices are signed out."},
		routes.CreateToken:   {page: "/tokens/new", done: "/tokens"},
		routes.DeleteToken:   {page: "/tokens", done: "/tokens", notice: "The token was deleted."},
	}
	s.addFeatureForms(forms)
	return forms
}

// respond is the routes.Responder of the site.
func (s *site) respond(c *gin.Context, r routes.Response) bool {
	r.Route = s.routeOf(r.Route)
	if page, ok := s.shown(r); ok {
		s.render(c, statusOf(r), page, r.Body)
		return true
	}
	f, ok := s.forms[r.Route]
	switch {
	case !ok:
		return false
	case r.Err != nil:
		s.failed(c, r, f)
	default:
		s.succeeded(c, r, f)
	}
	return true
}

// routeOf returns a route without the path of the group. Those of features have it.
func (s *site) routeOf(route routes.Route) routes.Route {
	if _, known := s.forms[route]; known {
		return route
	}
	method, path, _ := strings.Cut(string(route), " ")
	return routes.Route(method + " " + strings.TrimPrefix(path, s.base))
}

func statusOf(r routes.Response) int {
	if r.Err != nil {
		return ginauth.StatusOf(r.Err)
	}
	return r.Status
}

// shownPages are the routes that respond to browsers with a page. A redirect would need a place to keep what the pages
// after a POST show once.
var shownPages = map[routes.Route]page{
	routes.Devices:           {template: "devices", title: "Devices"},
	routes.PersonalTokens:    {template: "tokens", title: "Personal tokens"},
	routes.CreateToken:       {template: "token_created", title: "New personal token"},
	routes.PasswordConfirmed: {template: "confirm", title: "Confirm your password"},
	routes.ShowVerifyEmail:   {template: verifyTemplate, title: "Verify your email address"},
	routes.ShowConfirmEmail:  {template: "confirm_email", title: "Confirm your new email address"},
	showTOTP:                 {template: "totp", title: "Authenticator app"},
	beginTOTP:                {template: "totp_new", title: "Set up an authenticator app"},
	showRecovery:             {template: "recovery", title: "Recovery codes"},
	makeRecovery:             {template: "recovery_codes", title: "New recovery codes"},
	showPasskeys:             {template: "passkeys", title: "Passkeys"},
	showIdentities:           {template: "identities", title: "Connected accounts"},
}

// shown returns the page that a response is shown with in place of a redirect.
func (s *site) shown(r routes.Response) (page, bool) {
	switch {
	case r.Err == nil:
		p, ok := shownPages[r.Route]
		return p, ok
	case r.Route == confirmTOTP && r.Body != nil: // the same QR code again
		p := shownPages[beginTOTP]
		outcome := s.outcomeOf(r, s.forms[r.Route])
		p.outcome = &outcome
		return p, true
	}
	return page{}, false
}

// succeeded redirects the browser after a form.
func (s *site) succeeded(c *gin.Context, r routes.Response, f form) {
	to := r.Page
	if to == "" {
		to = s.path(f.done)
	}
	left := r.Outcome()
	left.Old = nil
	if email, ok := r.Old["email"]; ok && (r.Route == routes.Register || r.Route == routes.ForgotPassword || r.Route == routes.ResetPassword) {
		left.Old = map[string]string{"email": email}
	}
	switch r.Route {
	case routes.ForgotPassword:
		s.setEmail(c, url.QueryEscape(left.Old["email"]), emailLifetime)
	case routes.ResetPassword:
		s.setEmail(c, "", -time.Second)
		if s.m.MailConfig().ResetTokenInQuery {
			s.setCookie(c, tokenCookie, "", -time.Second)
		}
	case routes.VerifyEmail:
		if left.Result["password_ended"] {
			to = s.path("/login")
		}
	case answerRecovery:
		left.Notice = fewCodes(r.Body)
	}
	if s.noticeOf(left) != "" || left.Old != nil {
		s.leave(c, left, "")
	}
	c.Redirect(http.StatusSeeOther, to)
}

// failed redirects the browser to the page of the form, which shows what is wrong.
func (s *site) failed(c *gin.Context, r routes.Response, f form) {
	left := s.outcomeOf(r, f)
	page, to := f.page, s.path(f.page)
	switch {
	case errors.Is(r.Err, ginauth.ErrInvalidLink) && s.can.Verify:
		page, to = "/verify-email", s.path("/verify-email")
	case page == "":
		page, to = strings.TrimPrefix(c.Request.URL.Path, s.base), s.m.PublicPath(c.Request.URL.RequestURI())
	case r.Route == routes.ResetPassword && s.m.MailConfig().ResetTokenInQuery:
		if len(left.Errors["token"]) > 0 {
			s.setCookie(c, tokenCookie, "", -time.Second)
		}
	case r.Route == routes.ResetPassword:
		// The fragment of a redirect reaches the browser alone, as that of the mailed link.
		if token := c.PostForm("token"); token != "" && len(left.Errors["token"]) == 0 {
			to += "#token=" + url.QueryEscape(token)
		}
	}
	s.leave(c, left, page)
	c.Redirect(http.StatusSeeOther, to)
}

// outcomeOf returns what a page says about an error. A wrong code is the fault of its field.
func (s *site) outcomeOf(r routes.Response, f form) routes.Outcome {
	o := r.Outcome()
	if f.code == "" {
		return o
	}
	if errors.Is(r.Err, ginauth.ErrInvalidCode) && len(o.Errors) == 0 {
		o.Errors = map[string][]string{"code": {"is not right, or was used before"}}
	}
	if reasons, ok := o.Errors["code"]; ok && f.code != "code" {
		delete(o.Errors, "code")
		o.Errors[f.code] = reasons
	}
	return o
}
