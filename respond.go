package ginauth

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// Abort ends the request with the status that err asks for, and a JSON body of
// a code, a message and, for invalid input, the field; browsers are redirected
// where Config.Pages says so. The body tells nothing of the cause, which goes
// to the log. A nil err panics: a handler that aborts without a reason has lost
// it.
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

// answer is how a kind of error is answered.
type answer struct {
	err     error
	status  int
	code    string
	message string
}

// answers lists the kinds in the order in which they are looked for: an error
// that wraps several has the status of the first. An outage comes first: what
// depends on something broken is not known to be anything else.
var answers = []answer{
	{ErrUnavailable, 503, "unavailable", "The service is temporarily unavailable. Try again in a moment."},
	{hashing.ErrBusy, 503, "unavailable", "The service is temporarily unavailable. Try again in a moment."},
	{ErrThrottled, 429, "too_many_attempts", "Too many attempts. Try again later."},
	{ErrSessionEnded, 401, "session_ended", "The session has ended."},
	{ErrInvalidToken, 401, "invalid_token", "The token is not valid."},
	{ErrInvalidCredentials, 401, "invalid_credentials", "These credentials do not match our records."},
	{ErrUnauthenticated, 401, "unauthenticated", "Authentication is required."},
	{ErrConflict, 409, "conflict", "The session or the account changed while the request ran. Try again."},
	{ErrNotFound, 404, "not_found", "Not found."},
	{ErrCrossOrigin, 403, "cross_origin", "The request came from another site."},
	{ErrEmailNotVerified, 403, "email_not_verified", "The email address is not verified."},
	{ErrInvalidLink, 403, "invalid_link", "The link is not valid, or not any more."},
	{ErrPasswordConfirmation, 403, "password_confirmation_required", "Give your password again to do this."},
	{ErrMissingAbility, 403, "missing_ability", "The token does not allow this."},
	{ErrForbidden, 403, "forbidden", "This action is not allowed."},
	{ErrMalformed, 400, "malformed_request", "The request body cannot be read: it is not complete, or not what its media type says."},
	{ErrBodyTooLarge, 413, "body_too_large", "The request body is too large."},
	{ErrMediaType, 415, "unsupported_media_type", "The media type of the request body is not one that is read here."},
	{ErrInvalidInput, 422, "invalid_input", "The input is not acceptable."},
	{hashing.ErrPassword, 422, "invalid_input", "The password is not acceptable."},
	{models.ErrTaken, 422, "invalid_input", "The identifier is taken."},
	{models.ErrBadIdentifier, 422, "invalid_input", "The identifier is not acceptable."},
}

var internalError = answer{nil, 500, "internal_error", "Something went wrong."}

func answerFor(err error) answer {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a
		}
	}
	return internalError
}

// StatusOf returns the status that Abort answers err with: 500 for an error it
// does not know.
func StatusOf(err error) int {
	var denied *AuthorizationError
	if errors.As(err, &denied) {
		return denied.Status()
	}
	return answerFor(err).status
}

// CodeOf returns the code that Abort names err by, as "invalid_credentials".
func CodeOf(err error) string { return answerFor(err).code }

// retryAfterOutage is how many seconds the client of a 503 is asked to wait.
const retryAfterOutage = "1"

// respond writes the answer to err.
func (m *Manager) respond(c *gin.Context, err error) {
	a, status := answerFor(err), StatusOf(err)
	h := c.Writer.Header()
	x, known := stateOf(c)
	var throttled *ThrottledError
	switch {
	case errors.As(err, &throttled):
		h.Set("Retry-After", strconv.FormatInt(autherr.RetrySeconds(throttled.RetryAfter), 10))
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfterOutage)
	case status == http.StatusUnauthorized && known:
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", x.auth.current().challengeTo(x.HTTP))
		}
	}
	if status >= 500 && c.Request.Context().Err() == nil { // else the client hung up
		// %v of our errors names what was done and the cause, no secret.
		m.env.Log.ErrorContext(c.Request.Context(), "ginauth: request failed", "status", status,
			"method", c.Request.Method, "route", c.FullPath(), "error", request.Cut(err.Error(), 512))
	}
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		CountFailure(c) // whatever the application answers
	}
	privateResponse(h, true)
	if known && m.askHandler(c, x, status, err) {
		return
	}
	page := m.pageFor(c, a)
	if page == "" {
		c.JSON(status, errorBody(a, err))
		return
	}
	if known && page == m.cfg.Pages.Login {
		x.rememberIntended()
	}
	c.Redirect(http.StatusSeeOther, page)
}

// askHandler lets the application answer, and reports whether it did. An Abort
// inside the application's handler gets the ordinary answer.
func (m *Manager) askHandler(c *gin.Context, x *requestState, status int, err error) bool {
	if m.cfg.ErrorHandler == nil || x.answering {
		return false
	}
	x.answering = true
	defer func() { x.answering = false }()
	c.Status(status) // silence is not 200
	return m.cfg.ErrorHandler(c, status, err)
}

// pageFor returns the page that a browser is sent to, or "".
func (m *Manager) pageFor(c *gin.Context, a answer) string {
	page := ""
	switch {
	case a.err == ErrPasswordConfirmation:
		page = m.cfg.Pages.ConfirmPassword
	case a.err == ErrEmailNotVerified:
		page = m.cfg.Pages.VerifyEmail
	case a.err == ErrUnauthenticated, a.err == ErrSessionEnded:
		page = m.cfg.Pages.Login
	}
	if path, _, _ := strings.Cut(page, "?"); page == "" || c.Request.URL.Path == path || !m.wantsPage(c) {
		return ""
	}
	return page
}

// errorBody is what programs get.
func errorBody(a answer, err error) gin.H {
	body := gin.H{"code": a.code, "message": a.message}
	var input *InputError
	var denied *AuthorizationError
	switch {
	case errors.As(err, &input):
		body["field"], body["message"] = input.Field, "The "+input.Field+" "+input.Reason+"."
	case errors.As(err, &denied) && denied.Message != "" && denied.Status() < 500:
		body["message"] = denied.Message
	}
	return body
}
