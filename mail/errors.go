package mail

import (
	"errors"
	"fmt"
)

// The errors of this package. Compare them with errors.Is.
var (
	// ErrPermanent says that sending the same message again is of no use. See
	// Permanent.
	ErrPermanent = errors.New("mail: permanent failure")
	// ErrMessage says that a message or an address is not acceptable. It comes
	// together with ErrPermanent.
	ErrMessage = errors.New("mail: invalid message")
	// ErrTemplate says that a template is broken or missing, or that it was
	// given data it cannot be executed with.
	ErrTemplate = errors.New("mail: invalid template or data")
	// ErrConfig says that options are not acceptable.
	ErrConfig = errors.New("mail: invalid configuration")
	// ErrQueueFull says that a message was refused because too many are waiting.
	ErrQueueFull = errors.New("mail: queue is full")
	// ErrQueueClosed says that a message was refused because Close was called.
	ErrQueueClosed = errors.New("mail: queue is closed")
	// ErrUnsent says that a queue closed before all messages were sent. The
	// error is an *UnsentError.
	ErrUnsent = errors.New("mail: messages were not sent")
)

// Permanent marks an error of a Mailer as permanent, so that the message is not
// tried again. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPermanent, err)
}

// UnsentError says how many messages a queue lost when it closed. It wraps
// ErrUnsent and, if time ran out, the cause of that.
type UnsentError struct {
	// Messages counts those that waited or were being sent when Close was called
	// and were not acknowledged until it returned. A transport may have passed
	// one on and not come to say so.
	Messages int
	// Cause is why the context of Close ended, or nil if every message was
	// tried.
	Cause error
}

// Error returns the number and the cause.
func (e *UnsentError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("mail: messages were not sent: %d", e.Messages)
	}
	return fmt.Sprintf("mail: messages were not sent: %d: %v", e.Messages, e.Cause)
}

// Unwrap returns ErrUnsent and the cause.
func (e *UnsentError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrUnsent}
	}
	return []error{ErrUnsent, e.Cause}
}
