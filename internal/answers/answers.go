// Package answers maps errors to HTTP responses: the status, a code for API clients, and a
// message that tells nothing of the cause.
package answers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/models"
)

// Answer is the response to one kind of error.
type Answer struct {
	Err     error
	Status  int
	Code    string
	Message string
}

// table lists the kinds in the order in which they are looked for: an error that wraps
// several has the status of the first. Outages come first, because what depends on something
// broken is not known to be anything else.
var table = []Answer{
	{autherr.ErrUnavailable, 503, "unavailable", "The service is temporarily unavailable. Try again in a moment."},
	{hashing.ErrBusy, 503, "unavailable", "The service is temporarily unavailable. Try again in a moment."},
	{autherr.ErrThrottled, 429, "too_many_attempts", "Too many attempts. Try again later."},
	{autherr.ErrSessionEnded, 401, "session_ended", "The session has ended."},
	{autherr.ErrInvalidToken, 401, "invalid_token", "The token is not valid."},
	{autherr.ErrInvalidCode, 401, "invalid_code", "The code is not right, or was used."},
	{autherr.ErrInvalidCredentials, 401, "invalid_credentials", "These credentials do not match our records."},
	{autherr.ErrUnauthenticated, 401, "unauthenticated", "Authentication is required."},
	{autherr.ErrConflict, 409, "conflict", "The session or the account changed while the request ran. Try again."},
	{autherr.ErrNotFound, 404, "not_found", "Not found."},
	{autherr.ErrCrossOrigin, 403, "cross_origin", "The request came from another site."},
	{autherr.ErrEmailNotVerified, 403, "email_not_verified", "The email address is not verified."},
	{autherr.ErrInvalidLink, 403, "invalid_link", "This link is invalid or has expired."},
	{autherr.ErrPasswordConfirmation, 403, "password_confirmation_required", "Confirm your password to continue."},
	{autherr.ErrStepUp, 403, "step_up_required", "Prove who you are again to continue."},
	{autherr.ErrSecondFactor, 403, "second_factor_required", "Prove a second factor to continue."},
	{autherr.ErrFactorRequired, 403, "factor_required", "Set up a second factor to continue."},
	{autherr.ErrMissingAbility, 403, "missing_ability", "The token does not allow this."},
	{autherr.ErrForbidden, 403, "forbidden", "This action is not allowed."},
	{autherr.ErrMalformed, 400, "malformed_request", "The request body cannot be read: it is not complete, or not what its media type says."},
	{autherr.ErrBodyTooLarge, 413, "body_too_large", "The request body is too large."},
	{autherr.ErrMediaType, 415, "unsupported_media_type", "The media type of the request body is not one that is read here."},
	{autherr.ErrInvalidInput, 422, "invalid_input", "The input is not acceptable."},
	{hashing.ErrPassword, 422, "invalid_input", "The password is not acceptable."},
	{models.ErrTaken, 422, "invalid_input", "The identifier is taken."},
	{models.ErrBadIdentifier, 422, "invalid_input", "The identifier is not acceptable."},
}

// For returns the answer to an error: 500 for an error that is not in the table.
func For(err error) Answer {
	for _, a := range table {
		if errors.Is(err, a.Err) {
			return a
		}
	}
	return Answer{nil, 500, "internal_error", "Something went wrong."}
}

// StatusOf returns the status of the answer to an error.
func StatusOf(err error) int {
	if denied, ok := errors.AsType[*gate.AuthorizationError](err); ok {
		return denied.Status()
	}
	return For(err).Status
}

// Denial returns the message of a denial for the client, or "".
func Denial(err error, status int) string {
	if denied, ok := errors.AsType[*gate.AuthorizationError](err); ok && status < 500 {
		return denied.Message
	}
	return ""
}

// Codes returns the answers by status: the first of each in the table.
func Codes() map[int]Answer {
	codes := map[int]Answer{500: For(errors.New(""))}
	for _, a := range table {
		if _, ok := codes[a.Status]; !ok {
			codes[a.Status] = a
		}
	}
	return codes
}

// Body returns the JSON body of the answer to an error. Denied is the message of a denial, or
// "".
func (a Answer) Body(err error, denied string) map[string]any {
	body := map[string]any{"code": a.Code, "message": a.Message}
	switch faults := autherr.InputFaults(err); {
	case faults != nil:
		all := make(map[string][]string)
		for _, fault := range faults {
			all[fault.Field] = append(all[fault.Field], fault.Reason)
		}
		first := faults[0]
		body["field"], body["errors"] = first.Field, all
		body["message"] = Sentence(first.Field, first.Reason)
	case stepUp(body, err):
	case denied != "":
		body["message"] = denied
	}
	return body
}

// Sentence says what is wrong with a field.
func Sentence(field, reason string) string {
	return "The " + strings.ReplaceAll(field, "_", " ") + " " + reason + "."
}

// stepUp adds what a user must prove, if that is the error.
func stepUp(body map[string]any, err error) bool {
	step, ok := errors.AsType[*autherr.StepUpError](err)
	if ok {
		body["acr_values"] = []string{strconv.Itoa(step.Level)}
	}
	if ok && step.Within > 0 {
		body["max_age"] = int64(step.Within / time.Second)
	}
	return ok
}

// retryAfterOutage is how many seconds the client of a 503 is asked to wait.
const retryAfterOutage = "1"

// SetRetryAfter sets the header Retry-After of the response to an error.
func SetRetryAfter(h http.Header, status int, err error) {
	var throttled *autherr.ThrottledError
	switch {
	case errors.As(err, &throttled):
		h.Set("Retry-After", strconv.FormatInt(autherr.RetrySeconds(throttled.RetryAfter), 10))
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfterOutage)
	}
}
