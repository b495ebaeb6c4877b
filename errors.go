package ginauth

import "github.com/ginauth/ginauth/autherr"

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
