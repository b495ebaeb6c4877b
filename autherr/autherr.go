// Package autherr defines the errors that the packages of ginauth share. Package
// ginauth exports each of them under the same name, so that an application has
// no need to import this package.
//
// Compare the sentinels with errors.Is. Most errors are returned wrapped together
// with what caused them.
package autherr

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The sentinels. The status is the one that ginauth.Abort answers with.
var (
	// ErrMalformed says that a request body is not JSON, or ended early.
	// Status 400.
	ErrMalformed = errors.New("ginauth: malformed request body")
	// ErrUnauthenticated says that the request has no user. Status 401.
	ErrUnauthenticated = errors.New("ginauth: not authenticated")
	// ErrInvalidToken says that a token is not accepted: it is malformed, of
	// another kind, expired, revoked, used already, or not signed by this
	// application. Only the log says which. Status 401.
	ErrInvalidToken = errors.New("ginauth: token is not valid")
	// ErrInvalidCredentials says that no user has these credentials, or that the
	// user may not log in. It never says which. Status 401.
	ErrInvalidCredentials = errors.New("ginauth: these credentials do not match our records")
	// ErrInvalidCode says that the answer to a challenge is not right, such as a
	// code that is wrong or was used. Status 401.
	ErrInvalidCode = errors.New("ginauth: the code is not right")
	// ErrSessionEnded says that the session ended while the request ran. The
	// request's changes are lost. Status 401.
	ErrSessionEnded = errors.New("ginauth: session has ended")
	// ErrInvalidLink says that a mailed link was changed, has expired, or is for
	// an earlier address. Status 403.
	ErrInvalidLink = errors.New("ginauth: link is not valid")
	// ErrPasswordConfirmation says that the user must confirm the password first.
	// Status 403.
	ErrPasswordConfirmation = errors.New("ginauth: password confirmation required")
	// ErrSecondFactor says that the user must prove a second factor first.
	// Status 403.
	ErrSecondFactor = errors.New("ginauth: second factor required")
	// ErrFactorRequired says that the user must enrol a second factor before
	// anything else. Status 403.
	ErrFactorRequired = errors.New("ginauth: second factor must be enrolled")
	// ErrStepUp says that the user must prove more, or prove it again. It is
	// wrapped by a *StepUpError. Status 403.
	ErrStepUp = errors.New("ginauth: step up required")
	// ErrForbidden says that the user may not do this. Status 403.
	ErrForbidden = errors.New("ginauth: this action is not allowed")
	// ErrMissingAbility says that the request's personal access token lacks an
	// ability. Status 403.
	ErrMissingAbility = errors.New("ginauth: token lacks the ability")
	// ErrCrossOrigin says that another site made the browser send the request.
	// Status 403.
	ErrCrossOrigin = errors.New("ginauth: cross-origin request refused")
	// ErrEmailNotVerified says that the user's email address is not verified.
	// Status 403.
	ErrEmailNotVerified = errors.New("ginauth: email address is not verified")
	// ErrNotFound says that the resource does not exist, or that the user may
	// not know that it does. Status 404.
	ErrNotFound = errors.New("ginauth: not found")
	// ErrConflict says that the session's id, or the user's security stamp,
	// changed while the request ran. Nothing was done. The client may send the
	// request again with its new cookie. Status 409.
	ErrConflict = errors.New("ginauth: session or user changed under the request")
	// ErrBodyTooLarge says that a request body exceeds its limit. Status 413.
	ErrBodyTooLarge = errors.New("ginauth: request body too large")
	// ErrMediaType says that the route does not read the body's media type.
	// Status 415.
	ErrMediaType = errors.New("ginauth: unsupported media type")
	// ErrInvalidInput says that a field of the input is not acceptable. It is
	// usually wrapped by an *InputError. Status 422.
	ErrInvalidInput = errors.New("ginauth: invalid input")
	// ErrThrottled says that there were too many attempts. It is wrapped by a
	// *ThrottledError. Status 429.
	ErrThrottled = errors.New("ginauth: too many attempts")
	// ErrUnavailable says that a store, the user provider, a policy or the
	// password hasher failed or is overloaded. Status 503.
	ErrUnavailable = errors.New("ginauth: temporarily unavailable")
	// ErrSessionTooLarge says that a session does not fit into its cookie.
	// Nothing was stored. The client's cookie stays valid. Status 500.
	ErrSessionTooLarge = errors.New("ginauth: session is too large")
	// ErrCommitted says that the session was changed after the first byte of the
	// response was sent. The change is not stored. Status 500.
	ErrCommitted = errors.New("ginauth: session is committed, change it before writing the response")
	// ErrConfig says that a setting of Config is not acceptable. The error's text
	// names the setting.
	ErrConfig = errors.New("ginauth: invalid configuration")
)

// InputError names a field of the input and says what is wrong with it. It wraps
// ErrInvalidInput.
type InputError struct {
	// Field is the field's name as the client sent it.
	Field string
	// Reason completes the sentence "The <Field> …", as in "is required". It
	// never contains a secret.
	Reason string
}

// Error returns the field and the reason.
func (e *InputError) Error() string { return fmt.Sprintf("ginauth: %s %s", e.Field, e.Reason) }

// Unwrap returns ErrInvalidInput.
func (e *InputError) Unwrap() error { return ErrInvalidInput }

// InputErrors are several faults of one input, the first of which errors.As finds. It wraps
// ErrInvalidInput.
type InputErrors []*InputError

// Error returns all fields and reasons.
func (e InputErrors) Error() string {
	texts := make([]string, len(e))
	for i, fault := range e {
		texts[i] = strings.TrimPrefix(fault.Error(), "ginauth: ")
	}
	return "ginauth: " + strings.Join(texts, "; ")
}

// Unwrap returns the faults.
func (e InputErrors) Unwrap() []error {
	faults := make([]error, len(e))
	for i, fault := range e {
		faults[i] = fault
	}
	return faults
}

// AllInput joins the results of several checks: the faults of the input together, or the
// first other error, or nil.
func AllInput(checks ...error) error {
	var faults InputErrors
	for _, err := range checks {
		if err == nil {
			continue
		}
		found := InputFaults(err)
		if found == nil || errors.Is(err, ErrUnavailable) {
			return err
		}
		faults = append(faults, found...)
	}
	switch len(faults) {
	case 0:
		return nil
	case 1:
		return faults[0]
	}
	return faults
}

// InputFaults returns the faults of an input that err wraps.
func InputFaults(err error) InputErrors {
	var all InputErrors
	var one *InputError
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &one):
		return InputErrors{one}
	}
	return nil
}

// ThrottledError says how long the client must wait. It wraps ErrThrottled.
type ThrottledError struct {
	// RetryAfter is the time until the next attempt is accepted. It is positive.
	RetryAfter time.Duration
}

// Error returns the wait in whole seconds.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("ginauth: too many attempts, try again in %d s", RetrySeconds(e.RetryAfter))
}

// Unwrap returns ErrThrottled.
func (e *ThrottledError) Unwrap() error { return ErrThrottled }

// StepUpError says what a user must prove. It wraps ErrStepUp.
type StepUpError struct {
	// Level is the least level: 2 for two factors.
	Level int
	// Within is how long ago the proof may be, or 0 for any time.
	Within time.Duration
}

// Error returns the level.
func (e *StepUpError) Error() string {
	return fmt.Sprintf("%v: level %d within %v", ErrStepUp, e.Level, e.Within)
}

// Unwrap returns ErrStepUp.
func (e *StepUpError) Unwrap() error { return ErrStepUp }

// Challenge returns the challenge for a bearer token (RFC 9470, 3).
func (e *StepUpError) Challenge() string {
	text := fmt.Sprintf("Bearer error=\"insufficient_user_authentication\", acr_values=\"%d\"", e.Level)
	if e.Within > 0 {
		text += fmt.Sprintf(", max_age=\"%d\"", int64(e.Within/time.Second))
	}
	return text
}

// RetrySeconds returns d in whole seconds for a Retry-After header, rounded up
// and at least 1: a client that waits that long is not refused again.
func RetrySeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

// Unavailable wraps err as an outage: the result wraps both ErrUnavailable and
// err. Doing says what failed, as in "load user". Unavailable returns nil if err
// is nil.
func Unavailable(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}

// Invalid returns an *InputError.
func Invalid(field, reason string) error { return &InputError{field, reason} }
