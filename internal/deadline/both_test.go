package deadline_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/ginauth/ginauth/internal/deadline"
)

// TestBothEnds checks how Both ends, whichever of its groups does not return.
func TestBothEnds(t *testing.T) {
	nothing, abort := func() {}, func() { panic(http.ErrAbortHandler) }
	for name, test := range map[string]struct {
		first, second func()
		fault         any
		returns       bool
	}{
		"both return":     {nothing, nothing, nil, true},
		"a panic":         {abort, nothing, http.ErrAbortHandler, false},
		"another panic":   {nothing, abort, http.ErrAbortHandler, false},
		"two panics":      {abort, abort, http.ErrAbortHandler, false},
		"an end":          {runtime.Goexit, nothing, nil, false},
		"another end":     {nothing, runtime.Goexit, nil, false},
		"a panic, an end": {abort, runtime.Goexit, http.ErrAbortHandler, false},
	} {
		var fault any
		returned, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			defer func() { fault = recover() }()
			deadline.Both(test.first, test.second)
			returned = true
		}()
		<-ended
		if fault != test.fault || returned != test.returns {
			t.Errorf("%s: panic %v, returns %v; want %v, %v", name, fault, returned, test.fault, test.returns)
		}
	}
}
