package ginauth

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/answers"
	"github.com/ginauth/ginauth/internal/request"
)

// The errors of this module. Compare them with errors.Is: most are returned
// wrapped together with what caused them. Abort answers each with its status.
var (
	// ErrMalformed says that a request body is not JSON, or ended early.
	// Status 400.
	ErrMalformed = autherr.ErrMalformed
	// ErrUnauthenticated says that the request has no user. Status 401.
	ErrUnauthenticated = autherr.ErrUnauthenticated
	// ErrInvalidToken says that a token is not accepted: it is malformed, of
	// another kind, expired, revoked, used already, or not signed by this
	// application. Only the log says which. Status 401.
	ErrInvalidToken = autherr.ErrInvalidToken
	// ErrInvalidCredentials says that no user has these credentials, or that the
	// user may not log in. It never says which. Status 401.
	ErrInvalidCredentials = autherr.ErrInvalidCredentials
	// ErrSessionEnded says that the session ended while the request ran. The
	// request's changes are lost. Status 401.
	ErrSessionEnded = autherr.ErrSessionEnded
	// ErrInvalidLink says that a mailed link was changed, has expired, or is for
	// an earlier address. Status 403.
	ErrInvalidLink = autherr.ErrInvalidLink
	// ErrPasswordConfirmation says that the user must confirm the password first.
	// Status 403.
	ErrPasswordConfirmation = autherr.ErrPasswordConfirmation
	// ErrForbidden says that the user may not do this. Status 403.
	ErrForbidden = autherr.ErrForbidden
	// ErrMissingAbility says that the request's personal access token lacks an
	// ability. Status 403.
	ErrMissingAbility = autherr.ErrMissingAbility
	// ErrCrossOrigin says that another site made the browser send the request.
	// Status 403.
	ErrCrossOrigin = autherr.ErrCrossOrigin
	// ErrEmailNotVerified says that the user's email address is not verified.
	// Status 403.
	ErrEmailNotVerified = autherr.ErrEmailNotVerified
	// ErrNotFound says that the resource does not exist, or that the user may
	// not know that it does. Status 404.
	ErrNotFound = autherr.ErrNotFound
	// ErrConflict says that the session's id, or the user's security stamp,
	// changed while the request ran. Nothing was done. The client may send the
	// request again with its new cookie. Status 409.
	ErrConflict = autherr.ErrConflict
	// ErrBodyTooLarge says that a request body exceeds its limit. Status 413.
	ErrBodyTooLarge = autherr.ErrBodyTooLarge
	// ErrMediaType says that the route does not read the body's media type.
	// Status 415.
	ErrMediaType = autherr.ErrMediaType
	// ErrInvalidInput says that a field of the input is not acceptable. It is
	// usually wrapped by an *InputError. Status 422.
	ErrInvalidInput = autherr.ErrInvalidInput
	// ErrThrottled says that there were too many attempts. It is wrapped by a
	// *ThrottledError. Status 429.
	ErrThrottled = autherr.ErrThrottled
	// ErrUnavailable says that a store, the user provider, a policy or the
	// password hasher failed or is overloaded. Status 503.
	ErrUnavailable = autherr.ErrUnavailable
	// ErrSessionTooLarge says that a session does not fit into its cookie.
	// Nothing was stored. The client's cookie stays valid. Status 500.
	ErrSessionTooLarge = autherr.ErrSessionTooLarge
	// ErrCommitted says that the session was changed after the first byte of the
	// response was sent. The change is not stored. Status 500.
	ErrCommitted = autherr.ErrCommitted
	// ErrConfig says that a setting of Config is not acceptable. The error's text
	// names the setting.
	ErrConfig = autherr.ErrConfig
)

// InputError names a field of the input and says what is wrong with it. It wraps
// ErrInvalidInput.
type InputError = autherr.InputError

// ThrottledError says how long the client must wait. It wraps ErrThrottled.
type ThrottledError = autherr.ThrottledError

// Unavailable marks err as an outage: Abort answers the result with 503 and only
// logs its text. Doing says what failed, as in "load invoice". Unavailable returns
// nil if err is nil. Use it for the application's own databases and services; the
// errors of this module are marked already.
func Unavailable(doing string, err error) error { return autherr.Unavailable(doing, err) }

// Abort ends the request with the status that belongs to err and a JSON body of a code, a
// message and, for invalid input, the field. Browsers are redirected where Config.Pages names
// a page. The body does not tell the cause, which is logged. Abort panics if err is nil.
func Abort(c *gin.Context, err error) {
	if err == nil {
		panic("ginauth: Abort: err is nil")
	}
	managerOf(c).abort(c, err)
}

// managerOf returns the manager that serves the request.
func managerOf(c *gin.Context) *Manager {
	if x, ok := stateOf(c); ok {
		return x.m
	}
	return Default()
}

func (m *Manager) abort(c *gin.Context, err error) {
	c.Abort()
	m.respond(c, err)
}

// StatusOf returns the status that Abort responds with: 500 for an error it does not know.
func StatusOf(err error) int {
	var denied *AuthorizationError
	if errors.As(err, &denied) {
		return denied.Status()
	}
	return answers.For(err).Status
}

// CodeOf returns the code in the body that Abort responds with, such as
// "invalid_credentials".
func CodeOf(err error) string { return answers.For(err).Code }

// retryAfterOutage is how many seconds the client of a 503 is asked to wait.
const retryAfterOutage = "1"

// respond writes the response to err.
func (m *Manager) respond(c *gin.Context, err error) {
	a, status := answers.For(err), StatusOf(err)
	x, known := stateOf(c)
	m.setErrorHeaders(c, x, status, err)
	if status >= 500 && c.Request.Context().Err() == nil { // otherwise the client disconnected
		m.env.Log.ErrorContext(c.Request.Context(), "ginauth: request failed", "status", status,
			"method", c.Request.Method, "route", c.FullPath(), "error", request.Cut(err.Error(), 512))
	}
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		CountFailure(c) // whatever the application responds
	}
	page := m.pageFor(c, a)
	switch {
	case page != "":
		if known && page == m.cfg.Pages.Login {
			x.rememberIntended()
		}
		c.Redirect(http.StatusSeeOther, page)
	case known && m.askHandler(c, x, status, err):
	default:
		denied := ""
		var e *AuthorizationError
		if errors.As(err, &e) && status < 500 {
			denied = e.Message
		}
		c.JSON(status, a.Body(err, denied))
	}
}

// setErrorHeaders sets the headers that belong to a status. The state is nil if none of our
// middlewares ran.
func (m *Manager) setErrorHeaders(c *gin.Context, x *requestState, status int, err error) {
	h := c.Writer.Header()
	var throttled *ThrottledError
	switch {
	case errors.As(err, &throttled):
		h.Set("Retry-After", strconv.FormatInt(autherr.RetrySeconds(throttled.RetryAfter), 10))
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfterOutage)
	case status == http.StatusUnauthorized && x != nil && h.Get("WWW-Authenticate") == "":
		h.Set("WWW-Authenticate", x.auth.current().challengeTo(x.HTTP))
	}
	privateResponse(h, true)
}

// askHandler lets the application's ErrorHandler respond, and reports whether it did. An Abort
// inside the handler gets the usual response.
func (m *Manager) askHandler(c *gin.Context, x *requestState, status int, err error) bool {
	if m.cfg.ErrorHandler == nil || x.answering {
		return false
	}
	x.answering = true
	defer func() { x.answering = false }()
	c.Status(status) // a handler that writes nothing does not respond with 200
	return m.cfg.ErrorHandler(c, status, err)
}

// pageFor returns the page that a browser is redirected to, or "".
func (m *Manager) pageFor(c *gin.Context, a answers.Answer) string {
	page := ""
	switch a.Err {
	case ErrPasswordConfirmation:
		page = m.cfg.Pages.ConfirmPassword
	case ErrEmailNotVerified:
		page = m.cfg.Pages.VerifyEmail
	case ErrUnauthenticated, ErrSessionEnded:
		page = m.cfg.Pages.Login
	}
	if path, _, _ := strings.Cut(page, "?"); page == "" || c.Request.URL.Path == path || !m.wantsHTML(c) {
		return ""
	}
	return page
}
