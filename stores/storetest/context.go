package storetest

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A call is a call of a method, with arguments that would change something.
type call struct {
	name string
	make func(ctx context.Context) error
}

// refusesEnded checks that every call with an ended context returns the context's error.
func refusesEnded(t *testing.T, calls []call) {
	t.Helper()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()

	for _, c := range calls {
		if err := c.make(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: error %v, want one that wraps context.Canceled", c.name, err)
		}
		if err := c.make(late); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s after its deadline: error %v, want one that wraps context.DeadlineExceeded", c.name, err)
		}
	}
}
