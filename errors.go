package ginauth

import (
	"errors"
	"fmt"
	"time"
)

// The errors of this package. Compare them with errors.Is; most are returned
// wrapped together with what caused them. Abort answers each with its status.
var (
	// ErrMalformed says that a body is not JSON at all, or broke off. Status 400.
	ErrMalformed = errors.New("ginauth: malformed request body")
	// ErrUnauthenticated says that the request has no user. Status 401.
	ErrUnauthenticated = errors.New("ginauth: not authenticated")
	// ErrInvalidToken says that a token is not accepted: it is of another shape
	// or kind, expired, revoked, used up, or not ours. Which, goes to the log
	// alone. Status 401.
	ErrInvalidToken = errors.New("ginauth: token is not valid")
	// ErrInvalidCredentials says that no user has these credentials, or that
	// the one who has may not log in. It never says which. Status 401.
	ErrInvalidCredentials = errors.New("ginauth: these credentials do not match our records")
	// ErrSessionEnded says that the session ended while the request ran: its
	// changes are lost, and nothing was revived. Status 401.
	ErrSessionEnded = errors.New("ginauth: session has ended")
	// ErrInvalidLink says that a link was changed, has expired, or is about
	// something that is no longer so. Status 403.
	ErrInvalidLink = errors.New("ginauth: link is not valid")
	// ErrPasswordConfirmation says that the user has to give the password again
	// for this. Status 403.
	ErrPasswordConfirmation = errors.New("ginauth: password confirmation required")
	// ErrForbidden says that the user may not do this. Status 403.
	ErrForbidden = errors.New("ginauth: this action is not allowed")
	// ErrMissingAbility says that the request's token was not made for this.
	// Status 403.
	ErrMissingAbility = errors.New("ginauth: token lacks the ability")
	// ErrCrossOrigin says that a browser sent the request on behalf of another
	// site. Status 403.
	ErrCrossOrigin = errors.New("ginauth: cross-origin request refused")
	// ErrEmailNotVerified says that the user's email address is not verified.
	// Status 403.
	ErrEmailNotVerified = errors.New("ginauth: email address is not verified")
	// ErrNotFound says that the resource does not exist, or that the user may
	// not know that it does. Status 404.
	ErrNotFound = errors.New("ginauth: not found")
	// ErrConflict says that the request lost a race: the session's id, or what the
	// user's logins are bound to, changed under it. Nothing was done, and sending
	// it again with the new cookie is safe. Status 409.
	ErrConflict = errors.New("ginauth: session or user changed under the request")
	// ErrBodyTooLarge says that a body is over its limit. Status 413.
	ErrBodyTooLarge = errors.New("ginauth: request body too large")
	// ErrMediaType says that a body has another media type than the route
	// reads. Status 415.
	ErrMediaType = errors.New("ginauth: unsupported media type")
	// ErrInvalidInput says that a field of the input is not acceptable. Status
	// 422.
	ErrInvalidInput = errors.New("ginauth: invalid input")
	// ErrThrottled says that there were too many tries. The error is a
	// *ThrottledError. Status 429.
	ErrThrottled = errors.New("ginauth: too many attempts")
	// ErrUnavailable says that something the answer depends on failed: a
	// store, a user provider, a policy that could not decide, the hasher being
	// at its limit. Status 503.
	ErrUnavailable = errors.New("ginauth: temporarily unavailable")
	// ErrSessionTooLarge says that a session does not fit into the cookie that
	// carries it whole. Nothing was stored, and the cookie the client has is
	// still good. Status 500.
	ErrSessionTooLarge = errors.New("ginauth: session is too large")
	// ErrCommitted says that the session was changed after the first byte of
	// the response had left. The change is not stored. Status 500.
	ErrCommitted = errors.New("ginauth: session is committed, change it before writing the response")
	// ErrConfig says that a Config is not acceptable.
	ErrConfig = errors.New("ginauth: invalid configuration")
)

// InputError names a field of the input and what is wrong with it. It wraps
// ErrInvalidInput.
type InputError struct {
	// Field is the name of the field as the client sent it.
	Field string
	// Reason completes the sentence "The <Field> …", as in "is required". It
	// never quotes a secret.
	Reason string
}

// Error returns the field and the reason.
func (e *InputError) Error() string { return fmt.Sprintf("ginauth: %s %s", e.Field, e.Reason) }

// Unwrap returns ErrInvalidInput.
func (e *InputError) Unwrap() error { return ErrInvalidInput }

// ThrottledError says how long to wait. It wraps ErrThrottled.
type ThrottledError struct {
	// RetryAfter is positive, and the whole of the wait.
	RetryAfter time.Duration
}

// Error returns the wait in whole seconds.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("ginauth: too many attempts, try again in %d s", retrySeconds(e.RetryAfter))
}

// Unwrap returns ErrThrottled.
func (e *ThrottledError) Unwrap() error { return ErrThrottled }

// retrySeconds rounds up, so that a client that waits as told gets in.
func retrySeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

// Unavailable marks err, met while doing something, as an outage: Abort answers
// it with 503, and its text goes to the log alone. It returns nil for nil. It
// is for the application's own databases and services; the errors of this
// package are marked already.
func Unavailable(doing string, err error) error { return unavailable(doing, err) }

func unavailable(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}
