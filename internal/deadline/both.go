package deadline

import "runtime"

// Both makes two groups of store calls that do not need each other at the same time, and returns
// once both have ended. A panic of either is one of the caller, whose middleware handles it, and a
// group that ends its goroutine ends the caller's: what it was to find out is not known.
func Both(first, second func()) {
	var fault any
	returned, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { fault = recover() }()
		second()
		returned = true
	}()
	func() {
		defer func() { <-ended }() // also after a panic: the calls use what belongs to the request
		first()
	}()
	switch {
	case fault != nil:
		panic(fault)
	case !returned:
		runtime.Goexit()
	}
}
