package ginauth

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/answers"
	"github.com/ginauth/ginauth/internal/request"
)

// The errors of this module, with the status that Abort responds with. Compare them with errors.Is: most are returned
// wrapped together with what caused them.
var (
	// ErrMalformed: the request body is not JSON, or ended early. 400.
	ErrMalformed = autherr.ErrMalformed
	// ErrUnauthenticated: the request has no user. 401.
	ErrUnauthenticated = autherr.ErrUnauthenticated
	// ErrInvalidToken: the token is malformed, of another kind, expired, revoked, used already or not signed by this
	// application. Only the log says which. 401.
	ErrInvalidToken = autherr.ErrInvalidToken
	// ErrInvalidCredentials: no user has these credentials, or the user may not log in. 401.
	ErrInvalidCredentials = autherr.ErrInvalidCredentials
	// ErrInvalidCode: the answer to a challenge is not right, such as a code that is wrong or was used. 401.
	ErrInvalidCode = autherr.ErrInvalidCode
	// ErrSessionEnded: the session ended while the request ran. Its changes are lost. 401.
	ErrSessionEnded = autherr.ErrSessionEnded
	// ErrInvalidLink: a mailed link was changed, has expired, or is for an earlier address. 403.
	ErrInvalidLink = autherr.ErrInvalidLink
	// ErrPasswordConfirmation: the user must confirm the password first. 403.
	ErrPasswordConfirmation = autherr.ErrPasswordConfirmation
	// ErrStepUp: the user must prove more, or prove it again; see autherr.StepUpError. 403.
	ErrStepUp = autherr.ErrStepUp
	// ErrSecondFactor: the user must prove a second factor first. 403.
	ErrSecondFactor = autherr.ErrSecondFactor
	// ErrFactorRequired: the user must enrol a second factor before anything else. 403.
	ErrFactorRequired = autherr.ErrFactorRequired
	// ErrForbidden: the user may not do this. 403.
	ErrForbidden = autherr.ErrForbidden
	// ErrMissingAbility: the request's personal access token lacks an ability. 403.
	ErrMissingAbility = autherr.ErrMissingAbility
	// ErrCrossOrigin: another site made the browser send the request. 403.
	ErrCrossOrigin = autherr.ErrCrossOrigin
	// ErrEmailNotVerified: the user's email address is not verified. 403.
	ErrEmailNotVerified = autherr.ErrEmailNotVerified
	// ErrNotFound: the resource does not exist, or the user may not know that it does. 404.
	ErrNotFound = autherr.ErrNotFound
	// ErrConflict: the session's id, or the user's security stamp, changed while the request ran. Nothing was done;
	// the client may send the request again. 409.
	ErrConflict = autherr.ErrConflict
	// ErrBodyTooLarge: the request body exceeds its limit. 413.
	ErrBodyTooLarge = autherr.ErrBodyTooLarge
	// ErrMediaType: the route does not read the body's media type. 415.
	ErrMediaType = autherr.ErrMediaType
	// ErrInvalidInput: a field of the input is not acceptable. See InputError. 422.
	ErrInvalidInput = autherr.ErrInvalidInput
	// ErrThrottled: there were too many attempts. See ThrottledError. 429.
	ErrThrottled = autherr.ErrThrottled
	// ErrUnavailable: a store, the user provider, a policy or the password hasher failed or is overloaded. 503.
	ErrUnavailable = autherr.ErrUnavailable
	// ErrSessionTooLarge: the session does not fit into its cookie. Nothing was stored. 500.
	ErrSessionTooLarge = autherr.ErrSessionTooLarge
	// ErrCommitted: the session was changed after the response began. 500.
	ErrCommitted = autherr.ErrCommitted
	// ErrConfig: a setting of Config is not acceptable. The error's text names the setting.
	ErrConfig = autherr.ErrConfig
)

// InputError names a field of the input and says what is wrong with it. It wraps ErrInvalidInput.
type InputError = autherr.InputError

// InputErrors are several faults of one input. It wraps each of them.
type InputErrors = autherr.InputErrors

// ThrottledError says how long the client must wait. It wraps ErrThrottled.
type ThrottledError = autherr.ThrottledError

// Unavailable marks err as an outage: Abort answers the result with 503 and only logs its text. Doing says what
// failed, as in "load invoice". Unavailable returns nil if err is nil. Use it for the application's own databases and
// services; the errors of this module are marked already.
func Unavailable(doing string, err error) error { return autherr.Unavailable(doing, err) }

// Abort ends the request with the status that belongs to err and a JSON body of a code, a message and, for invalid
// input, the field and all "errors" by field. Browsers are redirected where Config.Pages names a page; otherwise
// Config.ErrorHandler is asked, and at last they get a page of HTML if Config.Pages is in use. The body does not tell
// the cause, which is logged. Abort panics if err is nil.
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
func StatusOf(err error) int { return answers.StatusOf(err) }

// CodeOf returns the code in the body that Abort responds with, such as "invalid_credentials".
func CodeOf(err error) string { return answers.For(err).Code }

// respond writes the response to err.
func (m *Manager) respond(c *gin.Context, err error) {
	a, status := answers.For(err), StatusOf(err)
	x, known := stateOf(c)
	guard := m.defaultGuard
	h := c.Writer.Header()
	if known {
		guard = x.auth.current()
		x.writer.Replace()
	}
	if status == http.StatusUnauthorized && known && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", guard.challengeTo(x.HTTP))
	}
	if step, ok := errors.AsType[*autherr.StepUpError](err); ok && known && x.bearer() != "" {
		h.Set("WWW-Authenticate", step.Challenge())
	}
	answers.SetRetryAfter(h, status, err)
	request.KeepPrivate(h, true)
	if status >= 500 && !(known && x.Disconnected()) {
		m.env.Log.ErrorContext(c.Request.Context(), "ginauth: request failed", "status", status,
			"method", c.Request.Method, "route", c.FullPath(), "error", request.Cut(err.Error(), 512))
	}
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		CountFailure(c) // whatever the application responds
	}
	html := m.wantsHTML(c)
	page := a.Page(&m.cfg.Pages, guard.login, c.Request.URL.Path)
	switch {
	case html && page != "":
		RememberIntended(c)
		c.Redirect(http.StatusSeeOther, m.PublicPath(page))
	case known && m.askHandler(c, x, status, err):
	default:
		body := a.Body(err, answers.Denial(err, status))
		if html && m.pages {
			c.Data(status, "text/html; charset=utf-8", answers.Page(m.env.Log, h, m.cfg.Pages.Error, status, body))
		} else {
			c.JSON(status, body)
		}
	}
}

// askHandler lets the application's ErrorHandler respond, and reports whether it did. An Abort inside the handler
// gets the usual response.
func (m *Manager) askHandler(c *gin.Context, x *requestState, status int, err error) bool {
	if m.cfg.ErrorHandler == nil || x.Answering {
		return false
	}
	x.Answering = true
	defer func() { x.Answering = false }()
	c.Status(status) // a handler that writes nothing does not respond with 200
	return m.cfg.ErrorHandler(c, status, err)
}
