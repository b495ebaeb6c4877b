package deadline

import "errors"

// Both makes two groups of store calls that do not need each other at the same time. It returns
// the errors of both, once both have ended. A panic of either is one of the caller, whose
// middleware handles it.
func Both(first, second func() error) error {
	var err error
	var fault any
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { fault = recover() }()
		err = second()
	}()
	firstErr := func() error {
		defer func() { <-ended }() // also after a panic: the calls use what belongs to the request
		return first()
	}()
	if fault != nil {
		panic(fault)
	}
	return errors.Join(firstErr, err)
}
