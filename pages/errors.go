package pages

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/request"
)

// ErrorHandler is for Config.ErrorHandler: it shows browsers a page that says what is wrong, in their language and in
// the layout of the Mount that the request belongs to. It leaves other clients to the usual response.
func ErrorHandler(c *gin.Context, status int, err error) bool {
	if !ginauth.WantsHTML(c) {
		return false
	}
	s := siteOf(c)
	if s == nil {
		s = bare()
	}
	if !s.featureFailed(c, err) {
		s.showError(c, status, err)
	}
	return true
}

// showError responds with the page of an error.
func (s *site) showError(c *gin.Context, status int, err error) {
	p := errorPage(status)
	v := s.view(c, page{template: "error", title: p.title, builtIn: !errors.Is(err, ginauth.ErrThrottled)}, s.errorText(c, p, err))
	v.Status = status
	// The user is not looked up: what failed may be the store.
	s.write(c, status, v)
}

// NotFound responds with 404, to browsers with a page. Use it as in r.NoRoute(pages.NotFound), on the router of a Mount.
// Put StartSession before it if you set Config.Pages.APIPrefixes.
func NotFound(c *gin.Context) {
	// Without a middleware of the manager, Abort would ask the default one.
	if s := siteOf(c); s != nil && authOf(c) == nil && request.WantsHTML(c.Request, nil) {
		c.Abort()
		s.showError(c, http.StatusNotFound, ginauth.ErrNotFound)
		return
	}
	ginauth.Abort(c, ginauth.ErrNotFound)
}

// bare is for requests that fail before the middleware of a Mount.
var bare = sync.OnceValue(func() *site { return newErrorSite(Options{}.withDefaults(nil, "")) })

// errorTexts are the titles and texts of error pages by status.
var errorTexts = map[int]struct{ title, text string }{
	http.StatusBadRequest:          {"This request cannot be read", "Go back and try again."},
	http.StatusUnauthorized:        {"Sign in to continue", "This page is for users who are signed in."},
	http.StatusForbidden:           {"No access", "You may not see this page or do this."},
	http.StatusNotFound:            {"Page not found", "There is nothing here. Perhaps the link is old."},
	http.StatusConflict:            {"Something changed meanwhile", "Nothing was done. Go back, reload the page and try again."},
	http.StatusTooManyRequests:     {"Too many attempts", "Try again later."},
	http.StatusInternalServerError: {"Something went wrong", "The fault is ours. Try again later."},
	http.StatusServiceUnavailable:  {"Not available at the moment", "Try again in a moment. Nothing was changed."},
}

type errorPageText struct{ title, text string }

func errorPage(status int) errorPageText {
	t, ok := errorTexts[status]
	switch {
	case ok:
	case status >= http.StatusInternalServerError:
		t = errorTexts[http.StatusInternalServerError]
	default:
		t = errorTexts[http.StatusBadRequest]
	}
	return t
}

// errorText returns what an error page says: what the error is about, or else what its status means.
func (s *site) errorText(c *gin.Context, p errorPageText, err error) string {
	lang := s.language(c)
	var throttled *ginauth.ThrottledError
	var denied *ginauth.AuthorizationError
	switch {
	case errors.As(err, &throttled):
		m := waitMessage(throttled.RetryAfter)
		return (&View{Lang: lang, site: s}).say(&m)
	case errors.As(err, &denied) && denied.Message != "":
		return s.texts.text(lang, denied.Message)
	}
	if text, ok := codeTexts[ginauth.CodeOf(err)]; ok {
		return s.texts.text(lang, text)
	}
	return s.texts.text(lang, p.text)
}

// codeTexts are the texts of errors by their code.
var codeTexts = map[string]string{
	"invalid_credentials":            "This email address and password do not match an account.",
	"invalid_link":                   "This link is not valid or has expired. Ask for a new one.",
	"cross_origin":                   "The request came from another site and was refused.",
	"email_not_verified":             "Verify your email address first.",
	"session_ended":                  "Your session has ended. Sign in again.",
	"body_too_large":                 "This is too much to send at once.",
	"internal_error":                 "The fault is ours. Try again later.",
	"password_confirmation_required": "Confirm your password to continue.",
	lastWayIn:                        "It is your last way to sign in. Add another one first.",
	// Those of the feature social.
	"social_attempt_invalid":  "This sign-in was not begun in this browser, or is too old. Begin again.",
	"social_denied":           "The other site did not say who you are. Begin again.",
	"social_refused":          "The answer of the other site is not acceptable. Begin again.",
	"social_link_required":    "There is an account with this email address. Sign in as before, then connect the other site.",
	"social_identity_taken":   "This account at the other site belongs to another user.",
	"social_no_account":       "No user has connected this account of the other site.",
	"social_address_required": "The other site gave no verified email address.",
	"social_last_way":         "It is your last way to sign in. Add another one first.",
	"social_too_many":         "You have connected too many accounts. Disconnect one first.",
}

// lastWayIn is the code of a page that says that the last way to sign in cannot be removed.
const lastWayIn = "last_way_in"

func codeText(code string) string {
	if text, ok := codeTexts[code]; ok {
		return text
	}
	return "Check what you typed and try again."
}

// waitMessage says how long to wait.
func waitMessage(wait time.Duration) message {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	if seconds < 60 {
		return message{text: "Too many attempts. Try again in {s} s.", with: map[string]string{"s": strconv.Itoa(seconds)}}
	}
	minutes := (seconds + 59) / 60
	return message{text: "Too many attempts. Try again in {min} min.", with: map[string]string{"min": strconv.Itoa(minutes)}}
}
