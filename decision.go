package ginauth

import (
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// Result is what a rule may return: a plain yes or no, or a Decision.
type Result interface {
	bool | Decision
}

// Decision is the answer of a Gate, and what a rule or a hook may answer. It
// is an immutable value, and its zero value denies.
type Decision struct {
	outcome decisionOutcome
	status  int16           // of a denial; 0 is 403
	detail  *decisionDetail // nil if there is none; keeps the Decision small
}

// decisionDetail is what only some decisions have.
type decisionDetail struct {
	ability string // what was asked, filled in by the gate
	message string
	cause   error // why it could not be decided
}

type decisionOutcome uint8

// A denial is the zero outcome, so that a forgotten answer is one.
const (
	decisionDenied decisionOutcome = iota
	decisionAllowed
	decisionUndecided
)

// Allow returns the decision that allows.
func Allow() Decision { return Decision{outcome: decisionAllowed} }

// Deny returns a denial with status 403. The message is meant for the client;
// it may be empty.
func Deny(message string) Decision {
	return Decision{}.with(decisionDetail{message: message})
}

// DenyWithStatus returns a denial that is answered with the given status. A
// denial is a client error whatever the caller says: a status outside 400 to
// 499 counts as 403. A 401 reads as ErrUnauthenticated and a 404 as
// ErrNotFound; every other status as ErrForbidden.
func DenyWithStatus(status int, message string) Decision {
	if status < 400 || status > 499 {
		status = http.StatusForbidden
	}
	return Decision{status: int16(status)}.with(decisionDetail{message: message})
}

// DenyAsNotFound returns a denial with status 404 and no message, which a
// client cannot tell from a resource that does not exist.
func DenyAsNotFound() Decision { return Decision{status: http.StatusNotFound} }

// Undecided returns the decision of a rule that could not find out, because a
// database failed for example. It allows nothing and is answered with 503. The
// cause is for the log; it never reaches the client.
func Undecided(cause error) Decision {
	return Decision{outcome: decisionUndecided}.with(decisionDetail{cause: cause})
}

func (d Decision) with(detail decisionDetail) Decision {
	if detail != (decisionDetail{}) {
		kept := detail // only what is kept goes to the heap
		d.detail = &kept
	}
	return d
}

// details returns what detail points to, or its zero value.
func (d Decision) details() decisionDetail {
	if d.detail == nil {
		return decisionDetail{}
	}
	return *d.detail
}

// about returns d as the answer to a check of the ability.
func (d Decision) about(ability string) Decision {
	if d.Allowed() {
		return d
	}
	detail := d.details()
	detail.ability = ability
	return d.with(detail)
}

// decisionOf turns the answer of a rule into a Decision.
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

// Allowed reports whether the decision allows. It is false as well for what
// could not be decided.
func (d Decision) Allowed() bool { return d.outcome == decisionAllowed }

// Message returns what a denial says to the client, or "".
func (d Decision) Message() string { return d.details().message }

// Status returns the HTTP status that answers the decision: 200 if it allows,
// 503 if it could not be made, 401 for a guest who would have to log in, and
// otherwise that of the denial, which is 403 unless it names another.
func (d Decision) Status() int {
	switch {
	case d.outcome == decisionAllowed:
		return http.StatusOK
	case d.outcome == decisionUndecided:
		return http.StatusServiceUnavailable
	case d.status == 0:
		return http.StatusForbidden
	}
	return int(d.status)
}

// Err returns nil for a decision that allows, and otherwise an
// *AuthorizationError.
func (d Decision) Err() error {
	if d.Allowed() {
		return nil
	}
	detail := d.details()
	return &AuthorizationError{
		Ability: detail.ability,
		Message: detail.message,
		status:  d.Status(),
		cause:   detail.cause,
	}
}

// AuthorizationError says what was refused. It wraps ErrForbidden; or
// ErrNotFound, if the client is to believe that there is nothing; or
// ErrUnauthenticated, if a guest was denied for being one; or ErrUnavailable
// and the cause, if the gate could not decide.
//
// A cause may itself wrap any error, so Status and not errors.Is says what to
// answer.
type AuthorizationError struct {
	// Ability is the ability that was asked for. It is as the caller wrote it,
	// and therefore not safe to log unescaped.
	Ability string
	// Message is the denial's message to the client, or "".
	Message string

	status int
	cause  error
}

// Error returns text for a log. It contains the cause, which is not for
// clients.
func (e *AuthorizationError) Error() string {
	text := e.reason().Error() + ": ability " + gateQuote(e.Ability)
	if e.Message != "" {
		text += ": " + strconv.Quote(e.Message)
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Status returns the HTTP status that answers the error.
func (e *AuthorizationError) Status() int {
	if e.status == 0 {
		return http.StatusForbidden
	}
	return e.status
}

// Unwrap returns the sentinel that belongs to the status, and the cause if
// there is one.
func (e *AuthorizationError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.reason()}
	}
	return []error{e.reason(), e.cause}
}

func (e *AuthorizationError) reason() error {
	switch e.status {
	case http.StatusUnauthorized:
		return ErrUnauthenticated
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusServiceUnavailable:
		return ErrUnavailable
	}
	return ErrForbidden
}

// gateQuoteLimit is how much of a name goes into a log, in bytes.
const gateQuoteLimit = 64

// gateQuote makes a name fit for a log: an ability may have come in with a
// request, line breaks and all.
func gateQuote(name string) string {
	if len(name) <= gateQuoteLimit {
		return fmt.Sprintf("%q", name)
	}
	cut := gateQuoteLimit
	for cut > gateQuoteLimit-utf8.UTFMax && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return fmt.Sprintf("%q…", name[:cut])
}
