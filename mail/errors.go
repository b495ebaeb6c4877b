package mail

import (
	"errors"
	"fmt"
)

// The errors of this package. Compare them with errors.Is.
var (
	// ErrPermanent says that sending the same message again cannot succeed. See
	// Permanent.
	ErrPermanent = errors.New("mail: permanent failure")
	// ErrMessage says that a message or an address is not acceptable. Errors
	// that wrap it also wrap ErrPermanent.
	ErrMessage = errors.New("mail: invalid message")
	// ErrTemplate says that a template is invalid or missing, or that it cannot
	// be executed with the given data.
	ErrTemplate = errors.New("mail: invalid template or data")
	// ErrConfig says that an option is not acceptable. The error's text names
	// the option.
	ErrConfig = errors.New("mail: invalid configuration")
	// ErrQueueFull says that a message was refused because the queue is full.
	ErrQueueFull = errors.New("mail: queue is full")
	// ErrQueueClosed says that a message was refused because the queue is
	// closed.
	ErrQueueClosed = errors.New("mail: queue is closed")
	// ErrUnsent says that the queue was closed before all messages were sent.
	// It is wrapped by an *UnsentError.
	ErrUnsent = errors.New("mail: messages were not sent")
)

// Permanent marks the error of a Mailer as permanent: the result wraps both
// ErrPermanent and err, and a Queue does not retry the message. Permanent
// returns nil if err is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPermanent, err)
}

// UnsentError says how many messages were not sent when a queue was closed. It
// wraps ErrUnsent and Cause.
type UnsentError struct {
	// Messages is the number of messages that were pending when Close was
	// called and whose delivery was not confirmed until it returned. A
	// transport may have sent one of them without reporting it in time.
	Messages int
	// Cause is the error of the context of Close, or nil if every message was
	// tried before the context ended.
	Cause error
}

// Error returns the number of messages and the cause.
func (e *UnsentError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("mail: messages were not sent: %d", e.Messages)
	}
	return fmt.Sprintf("mail: messages were not sent: %d: %v", e.Messages, e.Cause)
}

// Unwrap returns ErrUnsent and, unless it is nil, the Cause.
func (e *UnsentError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrUnsent}
	}
	return []error{ErrUnsent, e.Cause}
}
