package gate

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
)

// Result is what a rule may return: a bool, or a Decision.
type Result interface {
	bool | Decision
}

// Decision is the result of a check, and can be the answer of a rule or a hook. A
// Decision does not change. Its zero value denies.
type Decision struct {
	outcome outcome
	status  int16   // the HTTP status of a denial; 0 means 403
	detail  *detail // nil if there is none; a pointer keeps the Decision small
}

// detail holds what only some decisions have.
type detail struct {
	ability string // the ability that was checked, set by the gate
	message string
	cause   error                // why the rule could not decide
	step    *autherr.StepUpError // what the user must prove, if the decision is conditional
}

type outcome uint8

// The zero outcome is a denial, so that a rule that forgets to answer denies.
const (
	denied outcome = iota
	allowed
	undecided
	conditional // allowed once the user has proved enough
)

// Allow returns a decision that allows.
func Allow() Decision { return Decision{outcome: allowed} }

// Deny returns a denial with status 403. The message is for the client and may be
// empty.
func Deny(message string) Decision {
	return Decision{}.with(detail{message: message})
}

// DenyWithStatus returns a denial with an HTTP status. The message is for the client
// and may be empty. A status outside 400 to 499 is replaced by 403. The error of the
// decision wraps ErrUnauthenticated for status 401, ErrNotFound for 404, and
// ErrForbidden for every other.
func DenyWithStatus(status int, message string) Decision {
	if status < 400 || status > 499 {
		status = http.StatusForbidden
	}
	return Decision{status: int16(status)}.with(detail{message: message})
}

// DenyAsNotFound returns a denial with status 404 and no message. The client cannot
// distinguish it from a resource that does not exist.
func DenyAsNotFound() Decision { return Decision{status: http.StatusNotFound} }

// Undecided returns the decision of a rule that could not decide, for example because
// a database failed. It does not allow, and its status is 503. The cause is for the
// log and must not be sent to the client.
func Undecided(cause error) Decision {
	return Decision{outcome: undecided}.with(detail{cause: cause})
}

// StepUp returns a decision that allows once the user of the request has proved a level, as in
// int(factor.LevelTwo), not longer ago than within, unless that is 0. Until then it denies, with
// status 403: the error of the decision wraps an *autherr.StepUpError, and ginauth.Abort answers it
// as Manager.RequireLevel does. A gate without a request, as from ForUser, cannot tell what was
// proved and denies. An after hook cannot turn the decision into one that allows at once.
func StepUp(level int, within time.Duration) Decision {
	return Decision{outcome: conditional}.with(detail{step: &autherr.StepUpError{Level: level, Within: within}})
}

// with returns d with these details.
func (d Decision) with(details detail) Decision {
	if details != (detail{}) {
		kept := details // a copy, so that empty details are not allocated
		d.detail = &kept
	}
	return d
}

// details returns the details of d, or the zero value.
func (d Decision) details() detail {
	if d.detail == nil {
		return detail{}
	}
	return *d.detail
}

// about returns d as the result of a check of the ability.
func (d Decision) about(ability string) Decision {
	if d.Allowed() {
		return d
	}
	details := d.details()
	details.ability = ability
	return d.with(details)
}

// decisionOf returns the answer of a rule as a Decision.
func decisionOf[D Result](answer D) Decision {
	switch v := any(answer).(type) {
	case Decision:
		return v
	case bool:
		if v {
			return Allow()
		}
	}
	return Decision{}
}

// Allowed reports whether the decision allows. For an undecided check it returns
// false.
func (d Decision) Allowed() bool { return d.outcome == allowed }

// Message returns the message of a denial for the client, or "".
func (d Decision) Message() string { return d.details().message }

// Status returns the HTTP status to respond with: 200 if the decision allows, 503 if
// the check is undecided, 401 for a guest denied by a rule that is not for guests,
// and otherwise the status of the denial, which is 403 by default.
func (d Decision) Status() int {
	switch {
	case d.outcome == allowed:
		return http.StatusOK
	case d.outcome == undecided:
		return http.StatusServiceUnavailable
	case d.status == 0:
		return http.StatusForbidden
	}
	return int(d.status)
}

// Err returns nil if the decision allows, and an *AuthorizationError otherwise.
func (d Decision) Err() error {
	if d.Allowed() {
		return nil
	}
	details := d.details()
	if details.step != nil {
		details.cause = details.step
	}
	return &AuthorizationError{
		Ability: details.ability,
		Message: details.message,
		status:  d.Status(),
		cause:   details.cause,
	}
}

// AuthorizationError is the error of a check that does not allow. It wraps one of
// these errors of package autherr, which package ginauth exports too:
//
//   - ErrUnavailable, and the cause, if the check is undecided
//   - ErrUnauthenticated, if the status is 401, as for a guest
//   - ErrNotFound, if the status is 404
//   - ErrForbidden otherwise
//
// Use Status to choose the response. errors.Is can be misleading, because the cause
// of an undecided check may wrap any error.
type AuthorizationError struct {
	// Ability is the ability that was checked, exactly as the caller wrote it.
	// Escape it before logging it.
	Ability string
	// Message is the message of the denial for the client, or "".
	Message string

	status int
	cause  error
}

// Error returns text for the log. It contains the cause, which must not be sent to
// the client.
func (e *AuthorizationError) Error() string {
	text := e.reason().Error() + ": ability " + quote(e.Ability)
	if e.Message != "" {
		text += ": " + strconv.Quote(e.Message)
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Status returns the HTTP status to respond with.
func (e *AuthorizationError) Status() int {
	if e.status == 0 {
		return http.StatusForbidden
	}
	return e.status
}

// Unwrap returns the error of package autherr that belongs to the status, and the
// cause if there is one.
func (e *AuthorizationError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.reason()}
	}
	return []error{e.reason(), e.cause}
}

// reason returns the error of package autherr that belongs to the status.
func (e *AuthorizationError) reason() error {
	switch e.status {
	case http.StatusUnauthorized:
		return autherr.ErrUnauthenticated
	case http.StatusNotFound:
		return autherr.ErrNotFound
	case http.StatusServiceUnavailable:
		return autherr.ErrUnavailable
	}
	return autherr.ErrForbidden
}

// quoteLimit is how much of a name is logged, in bytes.
const quoteLimit = 64

// quote returns a name quoted and cut, so that it is safe to log: the name of an
// ability may come from a request and contain line breaks.
func quote(name string) string {
	if len(name) <= quoteLimit {
		return fmt.Sprintf("%q", name)
	}
	cut := quoteLimit
	for cut > quoteLimit-utf8.UTFMax && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return fmt.Sprintf("%q…", name[:cut])
}
