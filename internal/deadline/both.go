package deadline

// Both makes two groups of store calls that do not need each other at the same time, and returns
// once both have ended. A panic of either is one of the caller, whose middleware handles it.
func Both(first, second func()) {
	var fault any
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { fault = recover() }()
		second()
	}()
	func() {
		defer func() { <-ended }() // also after a panic: the calls use what belongs to the request
		first()
	}()
	if fault != nil {
		panic(fault)
	}
}
