package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/routes"
)

// form says where a browser goes after a form.
type form struct {
	// page shows the form. It is "" for the page of a mailed link, which is the URL itself.
	page string
	// fields are shown again after an error.
	fields []string
	// done is the page after a success, and notice what it says.
	done, notice string
}

// makeForms returns the forms by the route that they post to.
func (s *site) makeForms() map[routes.Route]form {
	registered := form{"/register", []string{"name", "email"}, "/login", "Your account is ready. Sign in to continue."}
	if s.can.Verify {
		registered.done = "/verify-email"
		registered.notice = "Almost done: we sent you a mail with a link to verify your address."
	}
	for _, f := range s.options.RegisterFields {
		registered.fields = append(registered.fields, f.Name)
	}
	email := []string{"email"}
	return map[routes.Route]form{
		routes.Register:        registered,
		routes.Login:           {"/login", []string{s.login, "remember"}, "/profile", ""},
		routes.Logout:          {"/login", nil, "/login", "You are signed out."},
		routes.ChangePassword:  {"/password", nil, "/profile", "Your password was changed. Other devices are signed out."},
		routes.ConfirmPassword: {"/confirm-password", nil, "/profile", ""},
		routes.ForgotPassword: {"/forgot-password", email, "/forgot-password",
			"If there is an account with this address, we sent a link to it."},
		routes.ResetPassword:      {"/reset-password", email, "/login", "Your password was changed. Sign in with the new one."},
		routes.VerifyEmail:        {"", nil, "/profile", "Your email address is verified."},
		routes.ResendVerification: {"/verify-email", email, "/verify-email", "If the address waits for verification, we sent a new link to it."},
		routes.ChangeEmail:        {"/email", email, "/profile", "We sent a link to the new address. It becomes yours when you open the link."},
		routes.ConfirmEmail:       {"/login", nil, "/profile", "Your email address was changed."},
		routes.RevokeDevice:       {"/devices", nil, "/devices", "The device is signed out."},
		routes.LogoutDevices:      {"/devices", nil, "/devices", "All other devices are signed out."},
		routes.CreateToken:        {"/tokens/new", []string{"name", "abilities", "expires_in"}, "/tokens", ""},
		routes.DeleteToken:        {"/tokens", nil, "/tokens", "The token was deleted."},
	}
}

// respond is the routes.Responder of the site.
func (s *site) respond(c *gin.Context, r routes.Response) bool {
	if page, ok := shown[r.Route]; ok && r.Err == nil {
		s.render(c, http.StatusOK, page, r.Body)
		return true
	}
	f, ok := s.forms[r.Route]
	switch {
	case !ok:
		return false
	case r.Err != nil:
		s.failed(c, r, f)
	case r.Route == routes.CreateToken:
		// A redirect would need a place to keep the token.
		s.render(c, r.Status, page{template: "token_created", title: "New personal token"}, r.Body)
	default:
		s.succeeded(c, r, f)
	}
	return true
}

// shown are the routes that respond to browsers with a page.
var shown = map[routes.Route]page{
	routes.Devices:           {template: "devices", title: "Devices"},
	routes.PersonalTokens:    {template: "tokens", title: "Personal tokens"},
	routes.PasswordConfirmed: {template: "confirm", title: "Confirm your password"},
	routes.ShowVerifyEmail:   {template: "verify", title: "Verify your email address"},
	routes.ShowConfirmEmail:  {template: "confirm_email", title: "Confirm your new email address"},
}

// succeeded redirects the browser after a form.
func (s *site) succeeded(c *gin.Context, r routes.Response, f form) {
	to, notice := r.Page, f.notice
	if to == "" {
		to = s.path(f.done)
	}
	left := flash{}
	switch r.Route {
	case routes.Register, routes.ForgotPassword:
		left.Values = typed(r, []string{"email"})
		if r.Route == routes.ForgotPassword {
			s.setEmail(c, url.QueryEscape(left.Values["email"]), emailLifetime)
		}
	case routes.ResetPassword:
		left.Values = typed(r, []string{"email"})
		s.setEmail(c, "", -time.Second)
	case routes.VerifyEmail:
		if body, ok := r.Body.(map[string]bool); ok && body["password_ended"] {
			to = s.path("/login")
			notice = "Your email address is verified. We sent you a link to choose a password."
		}
	}
	if notice != "" {
		left.Notice = &message{Text: notice}
	}
	if left.Notice != nil || left.Values != nil {
		s.leave(c, left)
	}
	c.Redirect(http.StatusSeeOther, to)
}

// failed redirects the browser to the page of the form, which shows what is wrong.
func (s *site) failed(c *gin.Context, r routes.Response, f form) {
	left := failure(r.Err)
	left.Values = typed(r, f.fields)
	to := s.path(f.page)
	switch {
	case errors.Is(r.Err, ginauth.ErrInvalidLink) && s.can.Verify:
		to = s.path("/verify-email")
	case f.page == "":
		to = s.m.PublicPath(c.Request.URL.RequestURI())
	case r.Route == routes.ResetPassword:
		// The fragment of a redirect reaches the browser alone, as that of the mailed link.
		if token := c.PostForm("token"); token != "" && len(left.Errors["token"]) == 0 {
			to += "#token=" + url.QueryEscape(token)
		}
	}
	left.At, _, _ = strings.Cut(to, "?")
	left.At, _, _ = strings.Cut(left.At, "#")
	s.leave(c, left)
	c.Redirect(http.StatusSeeOther, to)
}

// failure returns what a page says about an error.
func failure(err error) flash {
	var throttled *ginauth.ThrottledError
	if errors.As(err, &throttled) {
		m := waitMessage(throttled.RetryAfter)
		return flash{Failure: &m}
	}
	faults := autherr.InputFaults(err)
	if len(faults) == 0 {
		return flash{Failure: &message{Text: codeText(ginauth.CodeOf(err))}}
	}
	f := flash{Errors: map[string][]string{}}
	for _, fault := range faults {
		f.Errors[fault.Field] = append(f.Errors[fault.Field], fault.Reason)
	}
	return f
}

// typed returns what was typed into fields of a form.
func typed(r routes.Response, fields []string) map[string]string {
	values := make(map[string]string)
	for _, name := range fields {
		if value, ok := r.Old[name]; ok {
			values[name] = value
		}
	}
	return values
}
