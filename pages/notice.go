package pages

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// message is a text of the catalogue with what is filled in.
type message struct {
	text string
	with map[string]string
}

// leave leaves the outcome of a form for a page of the package, or for the next page if the page is "".
func (s *site) leave(c *gin.Context, o routes.Outcome, page string) {
	if page != "" {
		o.At = s.base + page
	}
	o.Leave(c)
}

// take returns what the former form left for the page of a request, once.
func take(c *gin.Context) routes.Outcome {
	if authOf(c) == nil {
		return routes.Outcome{}
	}
	o, _ := routes.OutcomeOf(c)
	return o
}

// noticeOf returns the English text that tells of a success, or "".
func (s *site) noticeOf(o routes.Outcome) string {
	switch {
	case o.Notice != "" || o.Failed():
		return o.Notice
	case o.Route == routes.VerifyEmail && o.Result["password_ended"]:
		return "Your email address is verified. We sent you a link to choose a password."
	}
	return s.forms[o.Route].notice
}

// failureOf returns the text about an error of no field, or nil.
func failureOf(o routes.Outcome) *message {
	switch {
	case o.RetryAfter > 0:
		m := waitMessage(time.Duration(o.RetryAfter) * time.Second)
		return &m
	case o.Failed() && len(o.Errors) == 0:
		return &message{text: codeText(o.Code)}
	}
	return nil
}

// authOf returns the Authenticator of a request, or nil.
func authOf(c *gin.Context) *ginauth.Authenticator {
	v, _ := c.Get("auth")
	a, _ := v.(*ginauth.Authenticator)
	return a
}

const (
	emailCookie   = "ginauth_reset"
	emailLifetime = time.Hour
	// tokenCookie holds the token of a reset link in whose query it was.
	tokenCookie = "ginauth_reset_token"
	// maxEmail is how long an address may be in the cookie, in bytes.
	maxEmail = 400
)

// setEmail keeps the email address that asked for a reset link, so that the page of the link can fill it in.
func (s *site) setEmail(c *gin.Context, email string, lifetime time.Duration) {
	s.setCookie(c, emailCookie, email, lifetime)
}

// setCookie sets a cookie for the page of reset links. It is Secure wherever browsers come by HTTPS.
func (s *site) setCookie(c *gin.Context, name, value string, lifetime time.Duration) {
	secure := c.Request.TLS != nil || strings.EqualFold(c.GetHeader("X-Forwarded-Proto"), "https") ||
		strings.HasPrefix(s.m.MailConfig().BaseURL, "https://")
	cookie := http.Cookie{
		Name: name, Value: value, Path: s.path("/reset-password"), MaxAge: int(lifetime / time.Second),
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	c.Writer.Header().Add("Set-Cookie", cookie.String())
}

// Notice leaves an English text that tells of a success for the page after a redirect, where Notice of the View returns
// it, translated with Options.Texts. Call it before the response begins, after StartSession. It panics if Mount was not
// called for a router of the route.
func Notice(c *gin.Context, text string) {
	if siteOf(c) == nil {
		panic("pages: Notice: call pages.Mount before the route is added")
	}
	routes.Outcome{Notice: text}.Leave(c)
}
