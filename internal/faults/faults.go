// Package faults collects what is wrong with a configuration, so that all of it is reported at
// once.
package faults

import (
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/autherr"
)

// List is what is wrong with a configuration. The zero List is ready to use.
type List []error

// Add adds a fault of a field. It wraps autherr.ErrConfig.
func (f *List) Add(field, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%w: %s: %s", autherr.ErrConfig, field, fmt.Sprintf(format, args...)))
}

// Err returns all faults as one error, or nil.
func (f List) Err() error { return errors.Join(f...) }

// AtLeast adds a fault for each of the fields whose value is less than least.
func (f *List) AtLeast(least time.Duration, fields map[string]time.Duration) {
	for field, d := range fields {
		switch {
		case d < 0:
			f.Add(field, "%v is negative", d)
		case d < least:
			f.Add(field, "%v is under %v", d, least)
		}
	}
}
