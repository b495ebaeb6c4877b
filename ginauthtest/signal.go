package ginauthtest

// signal wakes whoever waits. Both methods are called with the lock held of what
// it is part of.
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
