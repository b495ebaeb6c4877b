package ginauthtest

// signal wakes all waiting goroutines. The caller of its methods holds the lock
// of the struct that contains it.
type signal struct{ c chan struct{} }

// wait returns a channel that is closed at the next send.
func (s *signal) wait() <-chan struct{} {
	if s.c == nil {
		s.c = make(chan struct{})
	}
	return s.c
}

func (s *signal) send() {
	if s.c != nil {
		close(s.c)
		s.c = nil
	}
}
